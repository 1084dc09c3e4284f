"""``python -m elcrec.cli``: the command ``elcrec``."""

from elcrec.cli import main

main()
