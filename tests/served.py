"""A real server in a process of its own, and a small run for it to serve."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import polars as pl

from cli_runner import SMALL, shop_log
from elcrec import ELCRec

PATIENCE = 300
NUMBERS = itertools.count()


def shop_run(path: Path, seed: int = 1, **settings: Any) -> ELCRec:
    """A trained run of the shop with titles and kinds of its items, which only describe them."""
    log = shop_log()
    items = log["item_id"].unique(maintain_order=True).sort()
    kinds = [f"kind {len(item) % 3}" for item in items]
    catalogue = pl.DataFrame({"item_id": items, "title": [f"The {item}" for item in items], "kind": kinds})
    chosen = {**SMALL, "item_features": False, **settings}
    return ELCRec(seed=seed, **chosen).fit(log, path, progress=False, items=catalogue)


class Served:
    """``elcrec serve`` on a free port."""

    def __init__(self, run: Path, *options: object, key: str | None = None) -> None:
        command = [sys.executable, "-m", "elcrec.cli", "serve", run, "--port", 0, "--json", *options]
        self.log = run.parent / f"{run.name}.serve{next(NUMBERS)}.log"
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = str(json.loads(line)["url"])
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)
        try:
            self.wait()
        except BaseException:
            self.process.kill()
            raise

    def wait(self) -> None:
        """Until it is ready."""
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(base_url=self.url, transport=transport, timeout=PATIENCE) as patient:
            until = time.monotonic() + PATIENCE
            while patient.get("/readyz").status_code != 200:
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.2)

    def post(self, path: str, document: Any, status: int = 200) -> Any:
        """Ask; gives the document, or its sentence where it is refused."""
        return self._document(self.client.post(path, json=document), status)

    def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """The same without a body."""
        return self._document(self.client.get(path, params=parameters), status)

    @staticmethod
    def _document(answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        document = answer.json()
        if status < 400:
            return document
        assert set(document) == {"error"}
        return document["error"]

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()
