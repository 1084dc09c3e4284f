"""Every code block of README, docs/ and examples/README.md runs, or says why not (tests/doc_blocks.py has the rule)."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer

from doc_blocks import PAGES, ROOT, SHORT, blocks, commands, prepare, run_page
from elcrec import config, recommender
from elcrec.cli.app import app
from elcrec.data import interactions
from elcrec.losses.registry import NEXT_ITEM_LOSSES

LANGUAGES = {"bash", "python", "toml", "text"}
SERVING = ROOT / "docs" / "serving.md"  # test_serving_docs.py runs it and reads the answers
RUNNING = [page for page in PAGES if page != SERVING and any(block.runs for block in blocks(page))]
EXTENDING = ROOT / "docs" / "extending.md"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_and_commands_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(blocks(page)) * 2 == len(re.findall(r"^ *```", text, re.MULTILINE)), "a fence that is not closed"
    assert not re.search(r"\n\n    elcrec ", text), "use a fenced block"
    for block in blocks(page):
        assert block.language in LANGUAGES, block.code
        if block.note.startswith("not run"):
            assert re.fullmatch(r"not run: \S.{5,}", block.note), block.note
        if block.language == "bash":
            for command in commands(block.code):
                check(command)


def check(words: list[str]) -> None:
    """The verb and its options are there."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        verb, *words = words
        assert verb in command.commands, verb
        command = command.commands[verb]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word.split("=")[0] not in {*known, "--help", "-h"}]
    assert not unknown, f"{command.name}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/.])(?:tests|src|benchmarks|docs|examples)/[\w/.-]+\.(?:py|toml|json|md)\b", page.read_text()
    )
    missing = [path for path in named if not (ROOT / path).exists() and not re.search("NAME|hinge", path)]
    assert not missing


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "prepared"
    prepare(folder)
    return folder


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_the_blocks_of_a_page_run(page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "page"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    with patch.dict(NEXT_ITEM_LOSSES):  # a page may register a loss
        run_page(page, folder)


@pytest.mark.parametrize("module", [recommender, interactions, config], ids=lambda module: module.__name__)
def test_examples_in_docstrings_run(
    module: Any, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "doctest"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert tried > 0
    assert failed == 0


def test_a_loss_is_added_as_the_page_says(prepared: Path, tmp_path: Path) -> None:
    package = tmp_path / "src" / "elcrec"
    shutil.copytree(ROOT / "src" / "elcrec", package, ignore=shutil.ignore_patterns("__pycache__"))
    codes = [block.code for block in blocks(EXTENDING) if block.language == "python"]
    [loss] = [code for code in codes if code.startswith("# src/elcrec/losses/hinge.py")]
    [line] = [code for code in codes if code.lstrip().startswith("NextItemLoss(")]
    (package / "losses" / "hinge.py").write_text(loss, encoding="utf-8")
    registry = package / "losses" / "registry.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count("_ALL = (\n") == 1
    registry.write_text(text.replace("_ALL = (\n", f"_ALL = (\n    {line.strip()},\n"), encoding="utf-8")
    [command] = [block for block in blocks(EXTENDING) if "next_item_loss=hinge" in block.code]
    short = [part for key, value in SHORT.items() for part in ("--set", f"{key}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "elcrec.cli", *next(commands(command.code)), *short],
        cwd=shutil.copytree(prepared, tmp_path / "work"),
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert '"hinge"' in (tmp_path / "work" / "runs" / "hinge" / "config.json").read_text(encoding="utf-8")


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='the site: pip install ".[docs]"')
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "next_item_loss" in (tmp_path / "site" / "reference" / "settings.html").read_text(encoding="utf-8")
