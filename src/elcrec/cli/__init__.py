"""The command line: one file for each verb, and what they share."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from elcrec.cli import (
    add_items,
    audience,
    benchmark,
    data,
    demo,
    evaluate,
    events,
    export,
    find,
    import_checkpoint,
    index,
    intents,
    recommend,
    rename,
    report,
    serve,
    settings,
    similar,
    train,
    tune,
)
from elcrec.cli.output import first_process, say
from elcrec.errors import AccuracyWarning, DataWarning, ElcrecError, RunWarning, out_of_memory

INTERRUPTED = 130
VERBS = (
    train,
    add_items,
    evaluate,
    recommend,
    index,
    similar,
    find,
    import_checkpoint,
    demo,
    settings,
    intents,
    rename,
    audience,
    report,
    serve,
    events,
    export,
    tune,
    benchmark,
    data,
)
"""In the order of ``elcrec --help``."""

app = typer.Typer(
    name="elcrec",
    help="Next-item recommendation with learned intents (ELCRec): train, evaluate, recommend, inspect, serve.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in VERBS:
    app.add_typer(verb.commands)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print warnings about logs and runs as one line each; other warnings are for developers."""
    if issubclass(category, AccuracyWarning | DataWarning | RunWarning) and first_process():
        say(f"warning: {message}")


def _say_usage(error: Exception) -> None:
    """Print a mistake in the options as one line; help that was shown has nothing to add."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if message.strip():
        say(f"elcrec: {message} (see elcrec --help)")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line: exit code 0, 2 for the caller's mistakes with one line, 1 for errors of this package."""
    for category in (AccuracyWarning, DataWarning, RunWarning):
        warnings.simplefilter("always", category)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        code = app(arguments, standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
    except (ElcrecError, OSError) as error:
        say(f"elcrec: {error}")
        code = 2
    except typer.TyperException as error:
        _say_usage(error)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        say("elcrec: interrupted; resume an unfinished training with --resume")
        code = INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        say(
            "elcrec: out of memory: request less at once, or train with a smaller embedding_dim, batch_size, "
            "n_negatives or max_seq_len (--set), or with --recipe large for a large catalogue"
        )
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
