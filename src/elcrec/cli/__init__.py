"""The command line: verbs, nothing more."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from elcrec.cli import intents, models, serving, studies
from elcrec.cli.output import first_process, say
from elcrec.errors import DataWarning, ElcrecError, RunWarning, out_of_memory

INTERRUPTED = 130

app = typer.Typer(
    name="elcrec",
    help="Next-item recommendation that learns why people act: train, evaluate, recommend, look at intents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (models, intents, serving, studies):
    app.add_typer(room.commands)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """What may surprise in a log or a run, as a line; other warnings are for those who write code."""
    if issubclass(category, DataWarning | RunWarning) and first_process():
        say(f"warning: {message}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0, 2 for the caller's mistakes with one line, 1 for ours."""
    for category in (DataWarning, RunWarning):
        warnings.simplefilter("always", category)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        code = app(arguments, standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
    except ElcrecError as error:
        say(f"elcrec: {error}")
        code = 2
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message.strip():
            say(f"elcrec: {message} (see elcrec --help)")
        code = 2
    except OSError as error:
        say(f"elcrec: {error}")
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        say("elcrec: interrupted; a training that was not finished goes on with --resume")
        code = INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        say(
            "elcrec: this does not fit into memory: ask for less at once, or train with a smaller embedding_dim, "
            "batch_size, n_negatives or max_seq_len (--set; --recipe large for large catalogues)"
        )
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
