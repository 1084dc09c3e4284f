"""Verbs that take a model to its users: over HTTP, or into another program."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say
from elcrec.cli.parameters import Device, Json, Run
from elcrec.errors import SettingsError

commands = typer.Typer()
NEEDED = ("litestar", "msgspec", "uvicorn", "redis")
POLICIES = ("popular", "intents", "error")


@commands.command(
    epilog="Examples:\n\n  elcrec serve runs/shop\n\n"
    "  elcrec serve runs/shop --host 0.0.0.0 --port 80 --api-key-file keys.txt --workers 4\n\n"
    "  elcrec serve runs/shop --store redis://cache:6379/0\n\n"
    "Then: http://127.0.0.1:8000 is a page to explore, /openapi/openapi.json says what can be asked."
)
def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Where events are kept: a SQLite file, or redis://HOST:PORT.")
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="File with API keys, one a line.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    unknown_user: Annotated[
        str, typer.Option(metavar="POLICY", help="What users without a history get: popular, intents or error.")
    ] = "popular",
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse events, names and deletions.")] = False,
    cors: Annotated[list[str] | None, typer.Option(metavar="ORIGIN", help="A site that may ask; repeatable.")] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A host name to answer for, beside this machine's; repeatable; '*': any."),
    ] = None,
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy (or network) whose X-Forwarded-For is believed; repeatable."),
    ] = None,
    max_k: Annotated[int, typer.Option(min=1, help="Longest list.")] = 1000,
    max_history: Annotated[int, typer.Option(min=1, help="Longest history in a request.")] = 1000,
    max_work: Annotated[
        int, typer.Option(min=1000, help="Most that a request may cost: k x events, 30 times that to explain or mix.")
    ] = 10_000_000,
    max_body: Annotated[int, typer.Option(min=1000, help="Largest request, bytes.")] = 1_000_000,
    max_header: Annotated[int, typer.Option(min=1000, help="Longest address and headers, bytes.")] = 32_768,
    max_connections: Annotated[int, typer.Option(min=1, help="Connections at once, each worker.")] = 512,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for a request to arrive, and for a client to take an answer.")
    ] = 30,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second for each key or address; 0: no limit.")] = 0,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="For large catalogues: plain lists by an index, see 'elcrec index'.")
    ] = False,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Answer over HTTP: recommendations, events, intents, and a page to explore them. Needs the extra 'serve'."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"serving needs {', '.join(missing)}: pip install 'elcrec[serve]'")
    if unknown_user not in POLICIES:
        raise SettingsError(f"--unknown-user {unknown_user}: use {', '.join(POLICIES)}")
    from elcrec.serving.options import Options
    from elcrec.serving.server import serve as answer
    from elcrec.serving.store import shown

    place = store or beside(run)
    options = Options(
        run=run,
        store=place,
        host=host,
        port=port,
        api_key_file=api_key_file,
        workers=workers,
        read_only=read_only,
        unknown_user=unknown_user,
        cors=tuple(cors or ()),
        allow_hosts=tuple(allow_host or ()),
        trust_proxies=tuple(trust_proxy or ()),
        max_k=max_k,
        max_history=max_history,
        max_work=max_work,
        max_body=max_body,
        max_header=max_header,
        max_connections=max_connections,
        timeout=timeout,
        rate=rate,
        device=device,
        approximate=approximate,
    )

    def listening(address: str) -> None:
        if as_json:
            print_json({"url": address, "run": str(run), "store": shown(place)})
        else:
            say(f"serving {run} on {address} (events in {shown(place)}); stop with Ctrl-C")

    answer(options, listening)


@commands.command(
    epilog="Examples:\n\n  elcrec events runs/live --out new.parquet\n\n"
    "  elcrec train new.parquet --from runs/live --out runs/tomorrow"
)
def events(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="File to write: .parquet or .csv.")],
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Where 'elcrec serve' keeps events; default: beside the run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the events that a server keeps, as a log for the next training."""
    from elcrec.recommender import ELCRec
    from elcrec.serving.events_file import events_kept_at
    from elcrec.storage import write_atomically

    if out.suffix not in (".parquet", ".csv"):
        raise SettingsError(f"--out {out}: name it .parquet or .csv")
    place = store or beside(run)
    if "://" not in place and not Path(place).exists():
        raise SettingsError(f"no events at {place}: say with --store where the server keeps them")
    model = ELCRec.load(run, "cpu")
    frame, left_out = events_kept_at(place, model)
    if out.suffix == ".csv" and "timestamp" in model.log.frame and model.clock.unit == "ns":
        raise SettingsError(f"--out {out}: CSV would cut the nanoseconds of this log; name it .parquet")
    if left_out:
        say(f"{left_out:,} events are left out: their ids or times are none that the log can hold")
    write_atomically(out, frame.write_parquet if out.suffix == ".parquet" else frame.write_csv)
    if as_json:
        print_json({"out": str(out), "rows": frame.height, **({"left_out": left_out} if left_out else {})})
    else:
        say(f"{frame.height:,} events written to {out}: try  elcrec train {out} --from {run} --out runs/next")


def beside(run: Path) -> str:
    """Where a server keeps events, unless told otherwise."""
    named = run if run.name not in ("", "..") else Path(os.path.abspath(run))  # "." has no place beside it
    return f"{named}.events.sqlite"


@commands.command(epilog="Example:\n\n  elcrec export runs/shop --format onnx --out shop-onnx")
def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="New folder.")],
    format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Write the encoder as an ONNX graph, with the items' vectors and ids, for programs without PyTorch."""
    if format != "onnx":
        raise SettingsError(f"--format {format}: use onnx")
    from elcrec.integrations.onnx import export_onnx
    from elcrec.recommender import ELCRec
    from elcrec.storage import read_json

    export_onnx(ELCRec.load(run, "cpu"), out)
    if as_json:
        print_json({"out": str(out), **read_json(out / "export.json")})
    else:
        say(f"written to {out}: history (item indices) in, user vector out; export.json says more")
