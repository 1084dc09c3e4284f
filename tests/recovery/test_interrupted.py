"""Training that is cut off goes on to the result it would have had."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli_runner import RUN_FILES, SMALL, SMALL_SETS, contents, run_cli, shop_csv, shop_log
from elcrec import ELCRec, Interactions
from elcrec.data import dataset
from elcrec.data.splits import make_split

# An epoch must last long enough to be hit in its middle: many users in small batches.
SLOW_SETS = [*SMALL_SETS, "--set", "epochs=6", "--set", "batch_size=32", "--seed", "7"]
SMALL_LONGER = {**SMALL, "epochs": 3}
PATIENCE = 120  # seconds until we give up on a process


class Interrupt:
    """A reporter that stops training at a step or an epoch's end, as Ctrl-C would."""

    def __init__(self, at_epoch: int, at_step: int | None) -> None:
        self.at_epoch, self.at_step = at_epoch, at_step
        self.epochs = self.steps = 0

    def log(self, *_: Any) -> None:
        pass

    def begin(self, *_: Any) -> None:
        pass

    def step(self, *_: Any) -> None:
        self.steps += 1
        if self.epochs == self.at_epoch and self.steps == self.at_step:
            raise KeyboardInterrupt

    def epoch(self, *_: Any) -> None:
        self.epochs, self.steps = self.epochs + 1, 0
        if self.epochs == self.at_epoch and self.at_step is None:
            raise KeyboardInterrupt

    def end(self) -> None:
        pass


@pytest.fixture(scope="module")
def log() -> Interactions:
    return Interactions.read(shop_log())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def big_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_csv(tmp_path_factory.mktemp("data"), n_users=2000)


@pytest.fixture(scope="module")
def uninterrupted(big_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    run_cli("train", big_shop, "--out", run, *SLOW_SETS, "--json").document()
    return run


def results(run: Path) -> dict[str, Any]:
    """What must not depend on interruptions: all but the time it took."""
    metrics = json.loads((run / "metrics.json").read_text())
    metrics.pop("train_seconds")
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for record in history:
        record.pop("seconds")
    weights = (run / "model.safetensors").read_bytes()
    return {"metrics": metrics, "history": history, "weights": weights, "config": (run / "config.json").read_text()}


def kill_training(data: Path, run: Path, after_epochs: int) -> None:
    """Start a real training and ``kill -9`` it in the middle of an epoch."""
    command = [sys.executable, "-m", "elcrec.cli", "train", str(data), "--out", str(run), *SLOW_SETS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _epochs_kept(run) >= after_epochs:
            assert process.poll() is None, "training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1 * after_epochs)  # well into the epoch; the first is hit at once
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (run / "model.safetensors").exists()


def _epochs_kept(run: Path) -> int:
    """Epochs that a checkpoint has kept; -1 before training starts."""
    if not (run / "vocabulary.parquet").exists() or not (run / "config.json").exists():
        return -1
    if not (run / "checkpoint.safetensors").exists():
        return 0
    return len((run / "history.jsonl").read_text().splitlines())


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
@pytest.mark.parametrize("after_epochs", [0, 1])
def test_killed_training_resumes_to_the_uninterrupted_result(
    uninterrupted: Path, big_shop: Path, tmp_path: Path, after_epochs: int
) -> None:
    run = tmp_path / "run"
    kill_training(big_shop, run, after_epochs)
    kept = (run / "checkpoint.safetensors").exists()
    assert kept or not after_epochs
    outcome = run_cli("train", big_shop, "--out", run, "--resume")
    assert outcome.code == 0, outcome.err
    assert ("resuming after epoch" in outcome.err) == kept
    assert results(run) == results(uninterrupted)
    assert {name for name in os.listdir(run) if not name.startswith(".")} == RUN_FILES


@pytest.fixture(scope="module", params=["default", "paper"])
def whole(request: pytest.FixtureRequest, log: Interactions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each recipe that nothing interrupted."""
    run = tmp_path_factory.mktemp("whole") / request.param
    ELCRec(request.param, seed=3, **SMALL_LONGER).fit(log, run, progress=False)
    return run


@pytest.mark.parametrize(("epoch", "step"), [(0, 2), (1, 2), (2, None)])
def test_interruption_anywhere_changes_nothing(
    whole: Path, log: Interactions, tmp_path: Path, epoch: int, step: int | None
) -> None:
    run, recipe = tmp_path / "run", whole.name
    with pytest.raises(KeyboardInterrupt):
        ELCRec(recipe, seed=3, **SMALL_LONGER).fit(log, run, progress=Interrupt(epoch, step))
    assert not (run / "model.safetensors").exists()
    resumed = ELCRec(recipe, seed=3, **SMALL_LONGER).fit(log, run, resume=True, progress=False)
    assert results(run) == results(whole)
    assert [record["epoch"] for record in resumed.history] == [1, 2, 3]


def test_many_interruptions_change_nothing(log: Interactions, tmp_path: Path) -> None:
    ELCRec(**SMALL_LONGER).fit(log, tmp_path / "whole", progress=False)
    for step in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            ELCRec(**SMALL_LONGER).fit(log, tmp_path / "cut", resume=True, progress=Interrupt(1, step))
    ELCRec(**SMALL_LONGER).fit(log, tmp_path / "cut", resume=True, progress=False)
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_resume_needs_no_settings_and_keeps_the_recipe(shop: Path, tmp_path: Path, recipe: str) -> None:
    settings = {**SMALL, "seed": 5}
    ELCRec(recipe, **settings).fit(shop, tmp_path / "whole", progress=False)
    with pytest.raises(KeyboardInterrupt):
        ELCRec(recipe, **settings).fit(shop, tmp_path / "cut", progress=Interrupt(1, None))
    run_cli("train", shop, "--out", tmp_path / "cut", "--resume", "--json").document()
    assert results(tmp_path / "cut") == results(tmp_path / "whole")
    assert f"Recipe `{recipe}`" in (tmp_path / "cut" / "README.md").read_text()


def test_resume_with_the_same_settings_again(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=5, **SMALL).fit(shop, tmp_path / "run", progress=Interrupt(1, None))
    again = ("train", shop, "--out", tmp_path / "run", *SMALL_SETS, "--seed", 5, "--recipe", "default", "--resume")
    assert run_cli(*again, "--json").document()["epochs"] == 2


def test_ctrl_c_keeps_the_state_and_says_how_to_go_on(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr("elcrec.training.fit.TerminalReporter", lambda: Interrupt(1, 2))
    outcome = run_cli("train", shop, "--out", run, *SMALL_SETS)
    assert outcome.code == 130
    assert "--resume" in outcome.err.splitlines()[-1]
    assert (run / "checkpoint.safetensors").exists()


def test_resume_of_a_finished_run_says_so_and_changes_nothing(shop: Path, tmp_path: Path) -> None:
    run, items, users = tmp_path / "run", tmp_path / "items.csv", tmp_path / "users.csv"
    log = Interactions.read(shop).frame
    log.select("item_id").unique().with_columns(title="item_id", price=1.5).write_csv(items)
    log.select("user_id").unique().with_columns(age=30).write_csv(users)
    tables = ("--items", items, "--users", users)
    trained = run_cli("train", shop, "--out", run, *SMALL_SETS, *tables, "--json").document()
    before = contents(run)
    for again in (tables, ("--seed", 1), (*SMALL_SETS, "--recipe", "default")):
        assert run_cli("train", shop, "--out", run, "--resume", *again).code == 0
    outcome = run_cli("train", shop, "--out", run, "--resume")
    assert outcome.code == 0
    assert "finished already" in outcome.err
    assert run_cli("train", shop, "--out", run, "--resume", "--json").document() == trained
    assert contents(run) == before


def test_resume_of_a_finished_run_splits_the_log_as_often_as_loading_it(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compare items and users it needs their ids alone."""
    run, items, users = tmp_path / "run", tmp_path / "items.csv", tmp_path / "users.csv"
    log = Interactions.read(shop).frame
    log.select("item_id").unique().with_columns(title="item_id", price=1.5).write_csv(items)
    log.select("user_id").unique().with_columns(age=30).write_csv(users)
    tables = ("--items", items, "--users", users)
    assert run_cli("train", shop, "--out", run, *SMALL_SETS, *tables).code == 0
    splits = []
    monkeypatch.setattr(dataset, "make_split", lambda *given: splits.append(1) or make_split(*given))
    ELCRec.load(run)
    to_load = len(splits)
    for given in ((), tables, tables[:2], tables[2:]):
        splits.clear()
        assert run_cli("train", shop, "--out", run, "--resume", *given).code == 0
        assert len(splits) <= to_load
    for name, other in (("--items", items), ("--users", users)):
        other.write_text(other.read_text().replace(",30\n", ",31\n").replace(",1.5\n", ",2.5\n"))
        assert "began with other" in run_cli("train", shop, "--out", run, "--resume", name, other).complaint()


def test_resume_where_there_is_nothing_starts(shop: Path, tmp_path: Path) -> None:
    arguments = ("train", shop, *SMALL_SETS, "--json")
    started = run_cli(*arguments, "--out", tmp_path / "new", "--resume").document()
    (tmp_path / "empty").mkdir()
    in_empty = run_cli(*arguments, "--out", tmp_path / "empty", "--resume").document()
    plain = run_cli(*arguments, "--out", tmp_path / "plain").document()
    assert started["test"] == in_empty["test"] == plain["test"]


def test_left_over_temporary_files_do_not_disturb(shop: Path, tmp_path: Path) -> None:
    """What a kill in mid-write leaves behind."""
    run = tmp_path / "run"
    run.mkdir()
    for name in (".interactions.parquet.99.tmp", ".config.json.99.tmp", ".checkpoint.safetensors.99.tmp"):
        (run / name).write_bytes(b"half")
    trained = run_cli("train", shop, "--out", run, *SMALL_SETS, "--json").document()
    (run / ".model.safetensors.99.tmp").write_bytes(b"half")
    assert run_cli("evaluate", run, "--data", shop, "--json").document() == trained["test"]


@pytest.mark.parametrize("files", [1, 2, 3])
def test_killed_while_the_folder_is_made_then_resumed(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """After any of the files that are written before training, in whatever order."""
    replace, run = os.replace, tmp_path / "run"
    done: list[Any] = []

    def killed_after_some(source: Any, target: Any) -> None:
        replace(source, target)
        done.append(target)
        if len(done) == files:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed_after_some)
        assert run_cli("train", shop, "--out", run, *SMALL_SETS).code == 130
    resumed = run_cli("train", shop, "--out", run, *SMALL_SETS, "--resume", "--json").document()
    assert resumed["test"] == run_cli("evaluate", run, "--data", shop, "--json").document()
    assert set(os.listdir(run)) == RUN_FILES


@pytest.mark.parametrize("name", ["metrics.json", "README.md", "model.safetensors"])
def test_killed_while_the_results_are_written_then_resumed(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    replace, run = os.replace, tmp_path / "run"

    def killed_after_it(source: Any, target: Any) -> None:
        replace(source, target)
        if Path(target).name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed_after_it)
        assert run_cli("train", shop, "--out", run, *SMALL_SETS).code == 130
    run_cli("train", shop, "--out", run, "--resume", "--json").document()
    run_cli("train", shop, "--out", tmp_path / "whole", *SMALL_SETS, "--json").document()
    assert results(run) == results(tmp_path / "whole")
    assert set(os.listdir(run)) == RUN_FILES
