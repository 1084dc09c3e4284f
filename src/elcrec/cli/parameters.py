"""Arguments and options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from elcrec.errors import SettingsError

Data = Annotated[
    list[Path],
    typer.Argument(
        help="The log: CSV, TSV, Parquet, JSON, Arrow or text lines 'user item item ...', packed or not; a folder of "
        "parts, several files, or a name of 'elcrec data list'.",
        show_default=False,
    ),
]
DataOption = Annotated[
    list[Path], typer.Option("--data", help="The log, in any of the formats of 'train'; repeatable for several files.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,NAME,...",
        help="Names by position for a file without a header, '_' for one not read: user_id,item_id,_,timestamp.",
    ),
]
Run = Annotated[Path, typer.Argument(help="Run folder, as written by 'elcrec train'.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Format = Annotated[
    str | None,
    typer.Option("--format", help="text, csv, tsv, parquet, jsonl, json or arrow; default: by ending and content."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting; repeatable. 'elcrec settings' lists them."),
]
Histories = Annotated[
    list[str] | None,
    typer.Option("--history", metavar="ID,ID,...", help="Items of somebody new, oldest first; repeatable."),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option(
        "--history-file",
        help="The same in a file, for ids with commas and long histories: a JSON array of ids (or of such arrays), or "
        "an id a line.",
    ),
]
Unknown = Annotated[str, typer.Option(help="Unknown ids: raise (an error) or skip (leave them out).")]
Items = Annotated[
    Path | None,
    typer.Option("--items", help="What is known about the items: item_id, title, category, ..."),
]
Intents = Annotated[list[int] | None, typer.Option("--intent", metavar="N", help="Steer toward it; repeatable.")]
Ray = Annotated[
    int | None,
    typer.Option(
        "--ray",
        metavar="N",
        min=1,
        help="Share the work among N workers of the Ray cluster of $RAY_ADDRESS, or of one started here.",
    ),
]
TopK = Annotated[int, typer.Option("-k", "--top", min=1, help="Items a list.")]


def parquet_file(out: Path | None, option: str) -> Path | None:
    """Where a table is to be written.

    Raises:
        SettingsError: Its name says that it holds something else than Parquet.
    """
    if out is not None and out.suffix.lower() not in ("", ".parquet", ".pq"):
        raise SettingsError(f"{option} {out}: tables are written as Parquet; name it .parquet")
    return out


def source_of(data: list[Path]) -> Path | list[Path]:
    """One file, or several."""
    return data[0] if len(data) == 1 else data


def overrides_of(sets: list[str] | None, columns: str | None = None) -> dict[str, Any]:
    """The settings that ``--set`` and ``--columns`` give.

    Raises:
        SettingsError: An unknown setting, or not written as KEY=VALUE.
    """
    from elcrec.config import parse_override

    given: dict[str, Any] = dict(parse_override(text) for text in sets or [])
    return given if columns is None else {**given, "columns": columns}
