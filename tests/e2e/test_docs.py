"""Every code block of README, docs/ and examples/README.md runs here, or a comment above it says why not.

The rule for a fenced block:

- ``bash``, ``python`` and ``toml`` are code; ``text`` is output or a formula. Other languages are not used.
- ``<!-- not run: REASON -->`` above a block exempts it; ``<!-- ci:NAME -->`` marks what ``.ci/run`` runs.
- A page's other blocks run in order, in a folder with a small log (``events.csv``), its items (``items.csv``) and a
  run of it (``runs/shop``). Successive ``bash`` blocks are one shell; ``python`` blocks share their names. A ``toml``
  block is a file, named by its first line: ``# my-study.toml``.
- Trainings are shortened, nothing else is changed.
"""

import contextlib
import itertools
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

from cli_runner import run_cli, shop_log
from elcrec import ELCRec
from elcrec.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
SHORT = {"epochs": 2, "epoch_steps": 1}
LANGUAGES = {"bash", "python", "toml", "text"}


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
    return [Block(one["language"], one["code"], one["note"] or "") for one in found]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


RUNNING = [page for page in PAGES if any(block.runs for block in blocks(page))]


# ------------------------------------------------------------------ what is written


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_and_commands_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n```") % 2 == 0
    assert not re.search(r"(?<=\n\n)    elcrec ", text), "use a fenced block"
    for block in blocks(page):
        assert block.language in LANGUAGES, block.code
        if block.note.startswith("not run"):
            assert re.fullmatch(r"not run: \S.{5,}", block.note), block.note
        if block.language == "bash":
            for command in commands(block.code):
                check(command)


def commands(code: str) -> Iterator[list[str]]:
    """The calls of elcrec in a shell block, as words."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        starts = [at for at, word in enumerate(words) if word == "elcrec" or word.endswith("elcrec.cli")]
        if starts:
            call = words[starts[0] + 1 :]
            yield list(itertools.takewhile(lambda word: word not in ("&&", "|", ">", "2>", "&"), call))


def check(words: list[str]) -> None:
    """The verb and its options are there."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        verb = words.pop(0)
        if verb.startswith("-"):
            return
        assert verb in command.commands, verb
        command = command.commands[verb]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.split("=")[0] in {*known, "--help", "-h"}, f"{command.name}: {word}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


# -------------------------------------------------------------------- what is run


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a page may take for granted: a log, its items, a run."""
    folder = tmp_path_factory.mktemp("docs") / "prepared"
    folder.mkdir()
    log = shop_log().with_columns(pl.col("user_id").replace({"shopper-00001": "u1", "shopper-00002": "42"}))
    log = log.with_columns(pl.col("item_id").replace({"tent pegs": "milk", "cool box": "i3", "webcam": "i9"}))
    log.write_csv(folder / "events.csv")
    newest = log.filter(pl.col("user_id") == "u1").with_columns(
        pl.lit("2030-01-01").alias("timestamp"), item_id=pl.lit("i9")
    )
    newest.head(1).write_csv(folder / "new.csv")
    items = log.select(pl.col("item_id").unique().sort()).with_columns(
        pl.col("item_id").str.slice(0, 1).alias("category")
    )
    items.write_csv(folder / "items.csv")
    model = ELCRec(seed=1, n_intents=16, embedding_dim=16, n_layers=1, **SHORT)
    model.fit(folder / "events.csv", folder / "runs" / "shop", progress=False, items=items)
    return folder


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_the_blocks_of_a_page_run(page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "page"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    running = [block for block in blocks(page) if block.runs]
    for language, group in itertools.groupby(running, key=lambda block: block.language):
        for code in ["\n".join(block.code for block in group)] if language == "bash" else [b.code for b in group]:
            run(language, code, names, folder)


def run(language: str, code: str, names: dict[str, Any], folder: Path) -> None:
    if language == "toml":
        (folder / code.split("\n", 1)[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    elif language == "python":
        exec(compile(shortened_python(code), "block", "exec"), names)
    elif all(line.startswith(("elcrec ", "#")) for line in plain_lines(code)):
        for words in map(lambda line: shlex.split(line, comments=True), plain_lines(shortened(code))):
            outcome = run_cli(*words[1:]) if words else None
            assert outcome is None or outcome.code == 0, f"{words}: {outcome.err}"
    else:
        shell(shortened(code), folder)


def plain_lines(code: str) -> list[str]:
    """Lines of commands that need no shell; where one needs it, that line as it is."""
    lines = [line for line in code.replace("\\\n", " ").splitlines() if line.strip()]
    return [line if not re.search(r"[|&><$*;]", line.split(" #")[0]) else f"shell: {line}" for line in lines]


def shortened(code: str) -> str:
    sets = " ".join(f"--set {key}={value}" for key, value in SHORT.items())
    return re.sub(r"^elcrec train (?!.*--from)", f"elcrec train {sets} ", code, flags=re.MULTILINE)


def shortened_python(code: str) -> str:
    return re.sub(r"ELCRec\((?=[a-z])", f"ELCRec({', '.join(f'{k}={v}' for k, v in SHORT.items())}, ", code)


def shell(code: str, folder: Path) -> str:
    """Run by bash, with a free port in place of 8000; what it printed."""
    done = subprocess.run(
        ["bash", "-c", "set -euxo pipefail\n" + code.replace("8000", str(free_port()))],
        cwd=folder,
        env=environment(folder / "bin"),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    log = folder / "serve.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    return done.stdout


def free_port() -> int:
    # Below those that the system gives away: it is used later.
    for port in random.sample(range(20_000, 32_000), 50):
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def environment(folder: Path) -> dict[str, str]:
    """A PATH on which ``elcrec`` and ``python`` are those of the tests."""
    folder.mkdir(exist_ok=True)
    for program, arguments in (("elcrec", "-m elcrec.cli "), ("python", "")):
        (folder / program).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / program).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
