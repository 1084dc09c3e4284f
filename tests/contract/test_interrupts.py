"""Ctrl-C: one line says what is kept, and the command to go on with."""

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli_runner import QUICK, contents, run_cli, shop_csv
from elcrec.process.progress import ProgressBar
from elcrec.training.report import TerminalReporter

SETS = [part for name, value in {**QUICK, "n_layers": 1}.items() for part in ("--set", f"{name}={value}")]
INTERRUPTED = 130


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def last_line(*arguments: object) -> str:
    """What an interrupted command says at last."""
    outcome = run_cli(*arguments)
    assert (outcome.code, outcome.out) == (INTERRUPTED, "")
    assert "Traceback" not in outcome.err
    return outcome.err.splitlines()[-1]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_csv(tmp_path_factory.mktemp("log"), 60)


@pytest.fixture(scope="module")
def run(log: Path) -> Path:
    run_cli("train", log, "--out", log.parent / "run", *SETS, "--json").document()
    return log.parent / "run"


@pytest.mark.parametrize(
    ("moment", "kept", "then", "goes_on"),
    [
        ("epoch", "finished epochs are kept in {run}", ": go on with  elcrec ", "resuming after epoch 1"),
        ("begin", "no epoch was finished, {run} keeps settings and log", ": start again with  elcrec ", "epoch   1/"),
    ],
)
def test_a_training_goes_on_with_the_command_that_is_printed(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, kept: str, then: str, goes_on: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(TerminalReporter, moment, interrupt)
        said, command = last_line("train", log, "--out", tmp_path / "a run", *SETS).split(then)
    assert said == f"elcrec: interrupted; {kept.format(run=tmp_path / 'a run')}"
    outcome = run_cli(*shlex.split(command))
    assert outcome.code == 0
    assert goes_on in outcome.err


def test_a_finished_run_that_was_to_be_replaced_stays(log: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(run)
    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__enter__", interrupt)
        assert "nothing was written" in last_line("train", log, "--out", run, *SETS, "--overwrite", "--set", "k_core=2")
    assert contents(run) == before


MIDWAY, AT_FIRST = "update", "__enter__"
"""The method of a progress bar that Ctrl-C comes in."""


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        ("recommend RUN --all --out NEW.csv", MIDWAY),
        ("report RUN --out NEW.html", MIDWAY),
        ("intents RUN --suggest-k", MIDWAY),
        ("audience RUN --intent 0 --out NEW.csv", MIDWAY),
        ("evaluate RUN --ranks NEW.csv", MIDWAY),
        ("index RUN", MIDWAY),
        ("data generate --out NEW.parquet --users 20 --items 20 --interactions 200 --intents 2", MIDWAY),
        ("export RUN --out NEW", AT_FIRST),
        ("train LOG --out NEW", AT_FIRST),
        ("tune LOG --out NEW", AT_FIRST),
    ],
)
def test_an_interrupted_command_leaves_nothing(
    command: str, moment: str, log: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command.replace("NEW", str(tmp_path / "new")).replace("RUN", str(run)).replace("LOG", str(log)).split()
    before = contents(log.parent)
    monkeypatch.setattr(ProgressBar, moment, interrupt)
    assert last_line(*words) == "elcrec: interrupted; nothing was written"
    assert (contents(log.parent), contents(tmp_path)) == (before, {})


def test_a_search_goes_on_with_the_command_that_is_printed(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "space.toml").write_text("dropout = {choices = [0.1, 0.2]}")
    out = tmp_path / "found"
    command = ("tune", log, "--out", out, "--space", tmp_path / "space.toml", "--trials", 2, *SETS)
    reports: list[str] = []

    def second_trial(text: str) -> None:
        reports.append(text)
        if len([text for text in reports if "epoch 1/" in text]) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("elcrec.cli.tune.say", second_trial)
        said, kept = last_line(*command).split(": go on with  elcrec ")
    assert said == f"elcrec: interrupted; finished trials are kept in {out}, and the best recipe so far"
    assert (out / "best.toml").exists()
    outcome = run_cli(*shlex.split(kept))
    assert outcome.code == 0
    assert "trial 2 of 2" in outcome.err
    assert "trial 1 of 2" not in outcome.err


@pytest.mark.parametrize("module", ["elcrec.cli.add_items", "typer", "polars", "torch"])
def test_an_import_is_interrupted_in_one_line(module: str, log: Path, tmp_path: Path) -> None:
    # Ctrl-C comes when a module is being looked for, which all its importers wait for.
    script = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from elcrec.cli import main
main()
"""
    command = [sys.executable, "-c", script, "train", str(log), "--out", str(tmp_path / "run")]
    # Where the tests run in the background of a shell, Ctrl-C is ignored, and that is inherited.
    heeding: Any = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **heeding)
    assert (done.returncode, done.stdout) == (INTERRUPTED, "")
    assert done.stderr == "elcrec: interrupted; nothing was written\n"
    assert not any(tmp_path.iterdir())
