"""All verbs together, and what an error of one of them prints."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

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
from elcrec.cli.interrupts import INTERRUPTED, begin, interrupted
from elcrec.cli.output import first_process, say
from elcrec.errors import AccuracyWarning, DataWarning, ElcrecError, RunWarning, out_of_memory
from elcrec.process.progress import show_steps
from elcrec.process.wording import on_command_line

VERBS = {
    "Start": (demo, data, settings),
    "Train and evaluate": (train, evaluate, tune, benchmark, add_items, import_checkpoint),
    "Recommend": (recommend, similar, find, index),
    "Intents": (intents, rename, audience, report),
    "Serve": (serve, events, export),
}
"""In the order of ``elcrec --help``, by its headings."""

app = typer.Typer(
    name="elcrec",
    help="Next-item recommendation with learned intents (ELCRec): train, evaluate, recommend, inspect, serve.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, verbs in VERBS.items():
    for verb in verbs:
        for registered in (*verb.commands.registered_commands, *verb.commands.registered_groups):
            registered.rich_help_panel = panel
        app.add_typer(verb.commands)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"elcrec {metadata.version('elcrec')}")
        raise typer.Exit


@app.callback()
def _all_verbs(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What holds for all verbs."""


def command() -> Any:
    """The command line as Click has it; flags are shown without a type, as they take no value."""

    def plain(one: Any, parent: Any = None) -> None:
        with one.make_context(one.name, [], parent, resilient_parsing=True) as context:
            for option in one.get_params(context):
                if getattr(option, "is_flag", False):
                    option.metavar = ""
            for inner in getattr(one, "commands", {}).values():
                plain(inner, context)

    whole = typer.main.get_command(app)
    plain(whole)
    return whole


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print warnings about logs and runs as one line each; other warnings are for developers."""
    if issubclass(category, AccuracyWarning | DataWarning | RunWarning) and first_process():
        say(f"warning: {message}")


def _say_usage(error: Exception) -> None:
    """Print a mistake in the options as one line; help that was shown has nothing to add."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if message.strip():
        say(f"elcrec: {message} ({_setting_meant(error) or f'see {_verb_of(error)} --help'})")


def _verb_of(error: Exception) -> str:
    """The command line up to the verb that a mistake was made in."""
    context = getattr(error, "ctx", None)
    return "elcrec" if context is None else context.command_path


def _setting_meant(error: Exception) -> str:
    """How to write an unknown option that is the name of a setting, for verbs that take settings; else empty."""
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if context is None or option is None or all(one.name != "sets" for one in context.command.params):
        return ""
    from elcrec.config import Settings

    name = option.lstrip("-").replace("-", "_")
    return f"it is a setting: --set {name}=VALUE" if name in Settings.model_fields else ""


def run(arguments: Sequence[str] | None) -> int:
    """The exit code of a command line: 0, or 2 for the caller's mistakes with one line; see :func:`elcrec.cli.main`."""
    begin(sys.argv[1:] if arguments is None else arguments)
    show_steps(first_process())
    for category in (AccuracyWarning, DataWarning, RunWarning):
        warnings.simplefilter("always", category)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        with on_command_line():
            code = command()(arguments, prog_name="elcrec", standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
    except (ElcrecError, OSError) as error:
        say(f"elcrec: {error}")
        code = 2
    except typer.TyperException as error:
        _say_usage(error)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        say(interrupted())
        code = INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        say(
            "elcrec: out of memory: request less at once, or train with a smaller embedding_dim, batch_size, "
            "n_negatives or max_seq_len (--set), or with --recipe large for a large catalogue"
        )
        code = 2
    show_steps(False)
    return code if isinstance(code, int) else 0
