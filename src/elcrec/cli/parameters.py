"""Arguments and options that several verbs have, and what their text means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from elcrec.errors import SettingsError

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
        "item ids or titles (or an array of such arrays), or one per line.",
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


def parquet_file(out: Path | None, option: str) -> Path | None:
    """The path of a table to write.

    Raises:
        SettingsError: Its ending is that of another format than Parquet.
    """
    if out is not None and out.suffix.lower() not in ("", ".parquet", ".pq"):
        raise SettingsError(f"{option} {out}: tables are written as Parquet; name it .parquet")
    return out


def source_of(data: list[Path]) -> Path | list[Path]:
    """One file, or several."""
    return data[0] if len(data) == 1 else data


def overrides_of(
    sets: list[str] | None, columns: str | None = None, seed: int | None = None, events: str | None = None
) -> dict[str, Any]:
    """The settings that ``--set``, ``--columns``, ``--seed`` and ``--events`` give.

    Raises:
        SettingsError: A setting is unknown, or is not written as KEY=VALUE.
    """
    from elcrec.config import parse_override

    given: dict[str, Any] = dict(parse_override(text) for text in sets or [])
    options = {"columns": columns, "seed": seed, "events": events}
    return given | {name: value for name, value in options.items() if value is not None}


def default_store(run: Path) -> str:
    """The event store of a run, unless ``--store`` names another."""
    named = run if run.name not in ("", "..") else Path(os.path.abspath(run))  # "." has no file name of its own
    return f"{named}.events.sqlite"
