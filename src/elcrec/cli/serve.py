"""``elcrec serve``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from elcrec.cli.output import print_json, say, without_index
from elcrec.cli.parameters import Device, Json, Run, default_store
from elcrec.errors import SettingsError
from elcrec.process.progress import show_steps

commands = typer.Typer()
NEEDED = ("litestar", "msgspec", "uvicorn", "redis")
POLICIES = ("popular", "intents", "error")


@commands.command(
    epilog="Examples:\n\n  elcrec serve runs/shop\n\n"
    "  elcrec serve runs/shop --host 0.0.0.0 --port 80 --api-key-file keys.txt --workers 4\n\n"
    "  elcrec serve runs/shop --store redis://cache:6379/0\n\n"
    "  elcrec serve runs/shop --against runs/other\n\n"
    "Then open http://127.0.0.1:8000 for the web page, and /openapi/openapi.json for the API schema."
)
# reason: options of a verb
def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Event store: a SQLite file or redis://HOST:PORT. Default: RUN.events.sqlite."
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with API keys, one per line. Default: no key needed.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Number of worker processes.")] = 1,
    unknown_user: Annotated[
        str,
        typer.Option(
            metavar="POLICY", help="Fallback for users without a history (cold start): popular, intents or error."
        ),
    ] = "popular",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse all writes: events, intent names, deletions.")
    ] = False,
    cors: Annotated[list[str] | None, typer.Option(metavar="ORIGIN", help="Allowed CORS origin; repeatable.")] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Additional host name to accept in the Host header; repeatable; '*' accepts any."
        ),
    ] = None,
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="Reverse proxy (address or network) whose X-Forwarded-For is trusted; repeatable."
        ),
    ] = None,
    max_k: Annotated[int, typer.Option(min=1, help="Largest k of a request.")] = 1000,
    max_history: Annotated[int, typer.Option(min=1, help="Longest history in a request, in items.")] = 1000,
    max_work: Annotated[
        int, typer.Option(min=1000, help="Cost limit of a request: k x events; times 30 with explain or diversify.")
    ] = 10_000_000,
    max_body: Annotated[int, typer.Option(min=1000, help="Largest request body, in bytes.")] = 1_000_000,
    max_header: Annotated[int, typer.Option(min=1000, help="Largest request line and headers, in bytes.")] = 32_768,
    max_connections: Annotated[int, typer.Option(min=1, help="Concurrent connections per worker.")] = 512,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a client has to send a request, and to read the response.")
    ] = 30,
    rate: Annotated[
        float,
        typer.Option(min=0, help="Rate limit: requests per second for each API key or client address; 0: no limit."),
    ] = 0,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN2", help="A second run: the web page shows its recommendations next to those of RUN."),
    ] = None,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Use approximate nearest-neighbour search where possible (large catalogues); see 'elcrec index'.",
        ),
    ] = False,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Serve recommendations, events and intents over HTTP, with a web page. Needs the extra 'serve'."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"serving needs {', '.join(missing)}: pip install 'elcrec[serve]'")
    if unknown_user not in POLICIES:
        raise SettingsError(f"--unknown-user {unknown_user}: use {', '.join(POLICIES)}")
    from elcrec.runs.run_folder import RunFolder
    from elcrec.serving.options import Options
    from elcrec.serving.server import serve as run_server
    from elcrec.serving.store import shown

    place = store or default_store(run)
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
        against=against,
    )

    def listening(address: str) -> None:
        for one in options.runs:
            if approximate and not RunFolder(one).item_search.exists():
                say(without_index(one))
        if as_json:
            second = None if against is None else str(against)
            print_json({"url": address, "run": str(run), "store": shown(place), "against": second})
        else:
            compared = "" if against is None else f", compared with {against},"
            say(f"serving {run}{compared} on {address} (event store: {shown(place)}); stop it with Ctrl-C")

    show_steps(False)  # the server's log has lines of its own
    run_server(options, listening)
