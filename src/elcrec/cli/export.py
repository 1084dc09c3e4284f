"""``elcrec export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Json, Run
from elcrec.errors import SettingsError

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec export runs/shop --format onnx --out shop-onnx")
def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must not exist.")],
    format: Annotated[str, typer.Option("--format", help="Export format: onnx.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Export the encoder as an ONNX graph, with item embeddings and ids, for programs without PyTorch."""
    if format != "onnx":
        raise SettingsError(f"--format {format}: use onnx")
    from elcrec.integrations.onnx import export_onnx
    from elcrec.recommender import ELCRec
    from elcrec.storage import read_json

    export_onnx(ELCRec.load(run, "cpu"), out)
    if as_json:
        print_json({"out": str(out), **read_json(out / "export.json")})
    else:
        say(f"export written to {out}: the graph maps a history (item indices) to a user vector; see export.json")
