"""Arguments and options that several verbs have, and what their text means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from elcrec.errors import SettingsError
from elcrec.process.wording import listed

Data = Annotated[
    list[Path],
    typer.Argument(
        help="Interaction log: a CSV, TSV, Parquet, JSON, JSON Lines or Arrow file, or text lines "
        "'user item item ...'; compressed or not. Also: several files, a folder of parts, or a name from "
        "'elcrec data list'.",
        show_default=False,
    ),
]
DataOption = Annotated[
    list[Path],
    typer.Option("--data", help="Interaction log, in any format that 'train' reads; repeatable for several files."),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,NAME,...",
        help="Column names by position, for a file without a header: user_id,item_id,_,timestamp ('_' skips a column).",
    ),
]
Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="KIND,KIND,...",
        help="Kinds of events to keep, of a log that has them: purchase,cart. Default: all events.",
    ),
]
Run = Annotated[Path, typer.Argument(help="Run folder, as written by 'elcrec train'.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing run in --out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output and nothing else.")]
Device = Annotated[str, typer.Option(help="Device: cpu, cuda, or auto (a GPU if there is one).")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="File format of the log: text, csv, tsv, parquet, jsonl, json or arrow. Default: detected from the file "
        "name and the content.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable. 'elcrec settings' lists them."),
]
Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", help="The same as --set epochs=N.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", metavar="N", help="The same as --set batch_size=N.")]
NIntents = Annotated[int | None, typer.Option("--n-intents", metavar="N", help="The same as --set n_intents=N.")]
INTENT = "N|NAME"
Histories = Annotated[
    list[str] | None,
    typer.Option(
        "--history",
        metavar="ID,ID,...",
        help="Items of a new user's history, by id or by whole title, oldest first; repeatable.",
    ),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option(
        "--history-file",
        help="File with histories of new users, for ids that contain commas and for long histories: a JSON array of "
        "item ids or titles (or an array of such arrays), or one per line without a header.",
    ),
]
UserFeatures = Annotated[
    list[str] | None,
    typer.Option(
        "--user-feature",
        metavar="NAME=VALUE",
        help="What is known about the user of --history, by a column of the training's --users; repeatable.",
    ),
]
IdsOnly = Annotated[bool, typer.Option("--ids-only", help="Show item ids without their titles.")]
Unknown = Annotated[
    str, typer.Option(help="What to do with unknown ids: raise stops with an error, skip leaves them out.")
]
Items = Annotated[
    Path | None,
    typer.Option(
        "--items",
        help="Item metadata file: item_id, title, category, ... Intent names and reports use it, and 'elcrec train' "
        "learns from it.",
    ),
]
Users = Annotated[
    Path | None,
    typer.Option(
        "--users",
        help="File of what is known about users: user_id, country, age, ... The model learns from it (--set "
        "user_features=false: not).",
    ),
]
Ray = Annotated[
    int | None,
    typer.Option(
        "--ray",
        metavar="N",
        min=1,
        help="Distribute the work over N Ray workers: on the cluster of $RAY_ADDRESS, or on a local one.",
    ),
]


def table_file(out: Path | None, option: str) -> Path | None:
    """The path of a table to write: Parquet, CSV or JSON Lines, by its ending.

    Raises:
        SettingsError: It has another ending, or cannot be written.
    """
    from elcrec.storage import table_format

    if out is not None:
        table_format(out)
        file_to_write(out, option)
    return out


def file_to_write(out: Path, option: str) -> Path:
    """The path of a file to write, which is checked before any work.

    Raises:
        SettingsError: It is a folder, or there is no folder for it, or none that this user may write.
    """
    if out.is_dir():
        raise SettingsError(f"{option} {out}: cannot write there, it is a folder: name a file in it")
    if not out.parent.is_dir():
        raise SettingsError(
            f"{option} {out}: cannot write there, {out.parent} is no folder: create it, or name another"
        )
    if not os.access(out.parent, os.W_OK):
        raise SettingsError(f"{option} {out}: cannot write there, {out.parent} belongs to others: name another folder")
    return out


def refuse_unused(reason: str, **unused: object) -> None:
    """Raise SettingsError for options that were given and would have no effect.

    Args:
        reason: What they need, or go without, as the end of a sentence.
        unused: Options by the name of their parameter; those that are None, False or empty were not given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in unused.items() if value not in (None, False, [], ())]
    if given:
        raise SettingsError(f"{', '.join(given)} would have no effect: {reason}")


def excludes_seen(include: bool, exclude: bool, only: bool = False) -> bool | None:
    """Whether items of the history are left out; None: as the model was trained.

    Raises:
        SettingsError: Options contradict each other.
    """
    given = {"--include-seen": include, "--exclude-seen": exclude, "--only-seen": only}
    if sum(given.values()) > 1:
        raise SettingsError(f"choose one of {', '.join(name for name, value in given.items() if value)}")
    return exclude if include or exclude else None


def intents_of(run: Path, option: str, given: list[str] | None) -> list[int]:
    """Numbers of intents, which options name by number or by the name that they were given.

    Raises:
        SettingsError: A text is neither, or several intents were given this name.
        RunError: There is no run.
    """
    return [int(text) if text.strip().isdecimal() else _intent_named(run, option, text) for text in given or ()]


def _intent_named(run: Path, option: str, text: str) -> int:
    from elcrec.intents.naming import named
    from elcrec.runs.run_folder import RunFolder

    folder = RunFolder(run)
    folder.config()  # raises where there is no run
    names = folder.stable(folder.names)
    found = named(names, text)
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingsError(f"{option} {text!r}: intents {', '.join(map(str, found))} have this name: give a number")
    known = [f"{name!r} ({intent})" for intent, name in sorted(names.items())]
    given = f": {listed(known, 3)}" if known else ", and none was given here (elcrec rename)"
    raise SettingsError(f"{option} {text!r}: give the number of an intent, or a name that was given to one{given}")


def source_of(data: list[Path]) -> Path | list[Path]:
    """One file, or several."""
    return data[0] if len(data) == 1 else data


def overrides_of(sets: list[str] | None, **options: str | int | None) -> dict[str, Any]:
    """The settings that ``--set`` gives, and those that have an option of their own.

    Args:
        sets: Of ``--set``.
        options: By the name of the setting; None: not given.

    Raises:
        SettingsError: A setting is unknown, is not written as KEY=VALUE, or has an option that is given, too.
    """
    from elcrec.config import parse_override

    given: dict[str, Any] = dict(parse_override(text) for text in sets or [])
    said = {name: value for name, value in options.items() if value is not None}
    for name in sorted(given.keys() & said.keys()):
        raise SettingsError(f"--{name.replace('_', '-')} and --set {name}= say the same: leave one of them out")
    return given | said


def default_store(run: Path) -> str:
    """The event store of a run, unless ``--store`` names another."""
    named = run if run.name not in ("", "..") else Path(os.path.abspath(run))  # "." has no file name of its own
    return f"{named}.events.sqlite"
