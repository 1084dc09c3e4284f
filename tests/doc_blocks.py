"""Fenced code blocks of README, docs/ and examples/README.md, and how they are run.

The rule for a fenced block:

- ``bash``, ``python`` and ``toml`` are code; ``text`` is output or a formula. Other languages are not used.
- ``<!-- not run: REASON -->`` above a block exempts it; ``<!-- ci:NAME -->`` marks what ``.ci/run`` runs.
- A page's other blocks run in order, in a folder with a small log (``events.csv``), new events (``new.csv``), items
  (``items.csv``) and a run (``runs/shop``). Successive ``bash`` blocks are one shell; ``python`` blocks share their
  names. A ``toml`` block is a file, named by its first line: ``# my-study.toml``. A ``python`` block that begins so
  (``# my_shop.py``) is one, too, and runs as others do.
- Trainings are shortened, nothing else is changed.
"""

import contextlib
import itertools
import os
import random
import re
import shlex
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cli_runner import run_cli, shop_log
from elcrec import ELCRec

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
SHORT = {"epochs": 2, "epoch_steps": 1}
PROGRAM = re.compile(r"# (?P<name>\w+\.py)\n")
SHELL = re.compile(r"[|&><$*;]")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    code: str
    note: str

    @property
    def runs(self) -> bool:
        return self.language != "text" and not self.note.startswith(("not run: ", "ci:"))


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["language"], textwrap.dedent(one["code"]), one["note"] or "") for one in found]


def commands(code: str) -> Iterator[list[str]]:
    """The calls of elcrec in a shell block, as words."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        starts = [at for at, word in enumerate(words) if word == "elcrec" or word.endswith("elcrec.cli")]
        if starts:
            call = words[starts[0] + 1 :]
            yield list(itertools.takewhile(lambda word: word not in ("&&", "|", ">", "2>", "&"), call))


def prepare(folder: Path) -> None:
    """Write what a page may take for granted."""
    folder.mkdir()
    names = {"shopper-00001": "u1", "shopper-00002": "42"}
    log = shop_log().with_columns(pl.col("user_id").replace(names))
    log = log.with_columns(pl.col("item_id").replace({"tent pegs": "milk", "cool box": "i3", "webcam": "i9"}))
    log.write_csv(folder / "events.csv")
    newest = log.filter(pl.col("user_id") == "u1").tail(1)
    newest.with_columns(pl.col("timestamp") + pl.duration(days=1), item_id=pl.lit("i9")).write_csv(folder / "new.csv")
    items = log.select(pl.col("item_id").unique().sort())
    items.with_columns(category=pl.col("item_id").str.slice(0, 1)).write_csv(folder / "items.csv")
    model = ELCRec(seed=1, n_intents=16, embedding_dim=16, n_layers=1, **SHORT)
    model.fit(folder / "events.csv", folder / "runs" / "shop", progress=False, items=folder / "items.csv")


def run_page(page: Path, folder: Path) -> str:
    """Run the blocks of a page in a prepared folder, which is the working folder; what its shells printed."""
    names: dict[str, Any] = {}
    running = [block for block in blocks(page) if block.runs]
    printed = ""
    for language, group in itertools.groupby(running, key=lambda block: block.language):
        codes = [block.code for block in group]
        for code in ["\n".join(codes)] if language == "bash" else codes:
            printed += _run(language, code, names, folder)
    return printed


def _run(language: str, code: str, names: dict[str, Any], folder: Path) -> str:
    if language == "toml":
        (folder / code.split("\n", 1)[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    elif language == "python":
        if found := PROGRAM.match(code):
            (folder / found["name"]).write_text(code, encoding="utf-8")
        exec(compile(_shortened_python(code), "block", "exec"), names)
    elif _needs_shell(code):
        return shell(_shortened(code), folder)
    else:  # much quicker in this process
        for words in commands(_shortened(code)):
            outcome = run_cli(*words)
            assert outcome.code == 0, f"{words}: {outcome.err}"
    return ""


def _needs_shell(code: str) -> bool:
    lines = [line.split(" #")[0] for line in code.replace("\\\n", " ").splitlines() if line.strip()]
    return any(not line.startswith(("elcrec ", "#")) or SHELL.search(line) for line in lines)


def _shortened(code: str) -> str:
    sets = " ".join(f"--set {key}={value}" for key, value in SHORT.items())
    return re.sub(r"^(elcrec|python \w+\.py) train (?!.*--from)", rf"\1 train {sets} ", code, flags=re.MULTILINE)


def _shortened_python(code: str) -> str:
    return re.sub(r"ELCRec\((?=[a-z])", f"ELCRec({', '.join(f'{k}={v}' for k, v in SHORT.items())}, ", code)


def shell(code: str, folder: Path) -> str:
    """Run by bash, with a free port in place of 8000; what it printed."""
    done = subprocess.run(
        ["bash", "-c", "set -euxo pipefail\n" + code.replace("8000", str(_free_port()))],
        cwd=folder,
        env=_environment(folder / "bin"),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    log = folder / "serve.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    return done.stdout


def _free_port() -> int:
    # Below those that the system gives away: it is used later.
    for port in random.sample(range(20_000, 32_000), 50):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def _environment(folder: Path) -> dict[str, str]:
    """A PATH on which ``elcrec`` and ``python`` are those of the tests."""
    folder.mkdir(exist_ok=True)
    for program, arguments in (("elcrec", "-m elcrec.cli "), ("python", "")):
        (folder / program).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / program).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
