"""Arguments and options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Argument(
        help="The log: CSV, TSV, Parquet, JSON Lines, text lines 'user item item ...', or a name of 'elcrec data list'."
    ),
]
DataOption = Annotated[Path, typer.Option("--data", help="The log, in any of the formats of 'train'.")]
Run = Annotated[Path, typer.Argument(help="Run folder, as written by 'elcrec train'.")]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Format = Annotated[
    str | None,
    typer.Option("--format", help="text, csv, tsv, parquet or jsonl; default: by ending and content."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting; repeatable. 'elcrec settings' lists them."),
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
