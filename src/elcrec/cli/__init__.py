"""The command line: one file for each verb, and what they share; :mod:`elcrec.cli.app` puts the verbs together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from elcrec.cli.interrupts import imports_interrupted


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0, 2 for the caller's mistakes with one line, 1 for errors of this package."""
    with imports_interrupted():
        from elcrec.cli.app import run

        code = run(arguments)
    sys.exit(code)
