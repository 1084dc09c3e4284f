"""Training on two real processes: the same trajectory as on one, and what happens when one dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import run_cli, shop_csv
from elcrec import ELCRec
from elcrec.data.synthetic import make_shop
from elcrec.training.report import SilentReporter

TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "elcrec.cli"]
ONE: list[str] = []
"""No launcher: this process trains, which saves the imports of another one."""
SMALL: dict[str, Any] = {
    "epochs": 3,
    "epoch_steps": 8,
    "dropout": 0.0,
    "batch_size": 97,
    "n_intents": 16,
    "embedding_dim": 16,
    "max_seq_len": 20,
}
# 292 users, batches of 97: the last one has a single row, which leaves the second process without any.
N_USERS = 292
CASES: dict[str, dict[str, Any]] = {
    "default": {"warmup_epochs": 1, "instance_weight": 0.1, "intent_weight": 0.1},
    "paper": {"epoch_steps": 1},
    "large": {"warmup_epochs": 1, "n_negatives": 64},
}


def command(launcher: list[str], data: Path, out: Path, recipe: str, *more: str, **settings: Any) -> list[str]:
    sets = [part for name, value in {**SMALL, **settings}.items() for part in ("--set", f"{name}={value}")]
    return [*launcher, "train", str(data), "--out", str(out), "--recipe", recipe, *sets, *more]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    if words[0] == "train":
        outcome = run_cli(*words)
        return subprocess.CompletedProcess(words, outcome.code, outcome.out, outcome.err)
    return subprocess.run(words, capture_output=True, text=True, timeout=300)


def history(run: Path) -> list[dict[str, Any]]:
    path = run / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def losses(run: Path) -> list[float]:
    return [value for record in history(run) for value in record["losses"].values()]


@pytest.mark.parametrize("recipe", CASES)
def test_two_processes_train_like_one(tmp_path: Path, recipe: str) -> None:
    data = shop_csv(tmp_path, N_USERS)
    one = run(command(ONE, data, tmp_path / "one", recipe, **CASES[recipe]))
    two = run(command(TWO, data, tmp_path / "two", recipe, "--json", **CASES[recipe]))
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4, abs=1e-5)
    valid = [[record["valid"]["ndcg@20"] for record in history(tmp_path / name)] for name in ("one", "two")]
    assert valid[0] == pytest.approx(valid[1], abs=5e-3)  # somebody's item may change its place
    assert json.loads(two.stdout)["test"]["n_users"] == N_USERS  # one document, from one process


@pytest.mark.parametrize("recipe", ["default", "large"])
def test_two_processes_learn_from_item_features_like_one(tmp_path: Path, recipe: str) -> None:
    data, items = shop_csv(tmp_path, N_USERS), tmp_path / "items.csv"
    make_shop(N_USERS, 0.2, 1).shelf_of_item.with_columns(title=pl.col("item_id")).write_csv(items)
    changed = {"epochs": 2, "warmup_epochs": 1}
    for launcher, name in ((ONE, "one"), (TWO, "two")):
        done = run(command(launcher, data, tmp_path / name, recipe, "--items", str(items), **changed))
        assert done.returncode == 0, done.stderr
    assert all(record["losses"]["features"] > 0 for record in history(tmp_path / "two"))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4, abs=1e-5)


class CutOff(SilentReporter):
    """Stops like Ctrl-C after an epoch."""

    def epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_two_processes_learn_from_users_like_one_and_go_on_with_them(tmp_path: Path) -> None:
    data, users = shop_csv(tmp_path, N_USERS), tmp_path / "users.parquet"
    country, number = pl.col("planted").str.slice(0, 4), pl.int_range(pl.len())
    taste = pl.concat_list([((number + place) % 7 + 0.25) for place in range(8)])
    people = make_shop(N_USERS, 0.2, 1).intent_of_user.select("user_id", country=country, age=number % 60, taste=taste)
    people.slice(20).write_parquet(users)
    changed = {"epochs": 2, "warmup_epochs": 2}
    for launcher, name in ((ONE, "one"), (TWO, "two")):
        done = run(command(launcher, data, tmp_path / name, "default", "--users", str(users), **changed))
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(f"of {N_USERS} users are described") == 1
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4, abs=1e-5)
    one, two = (ELCRec.load(tmp_path / name).network.of_users for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert one.weight.any(dim=1).all()
    assert (one.weight - two.weight).abs().max() < 1e-2 * one.weight.abs().max()
    with pytest.raises(KeyboardInterrupt):
        ELCRec(**{**SMALL, **changed}).fit(data, tmp_path / "cut", users=users, progress=CutOff())
    done = run(command(TWO, data, tmp_path / "cut", "default", "--resume", **changed))
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "one"), rel=1e-4, abs=1e-5)


def test_two_processes_go_on_with_item_features_that_are_not_given_again(tmp_path: Path) -> None:
    data, out = shop_csv(tmp_path, N_USERS), tmp_path / "run"
    changed = {"epochs": 2, "warmup_epochs": 2}
    items = make_shop(N_USERS, 0.2, 1).shelf_of_item
    with pytest.raises(KeyboardInterrupt):
        ELCRec(**{**SMALL, **changed}).fit(data, out, items=items, progress=CutOff())
    done = run(command(TWO, data, out, "default", "--resume", **changed))
    assert done.returncode == 0, done.stderr
    assert [record["losses"]["features"] > 0 for record in history(out)] == [True, True]


# With event_inputs the last digits differ after an epoch, and k-means takes another course: all epochs are before it.
@pytest.mark.parametrize(("event_inputs", "warmup_epochs"), [("none", 1), ("both", 2)])
def test_two_processes_weigh_and_read_kinds_of_events_in_baskets_like_one(
    tmp_path: Path, event_inputs: str, warmup_epochs: int
) -> None:
    log = pl.read_csv(shop_csv(tmp_path, N_USERS)).with_columns(
        timestamp=1_700_000_000 + 50 * (pl.int_range(pl.len()) // 3),
        event=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("view")).otherwise(pl.lit("purchase")),
    )
    log.write_csv(tmp_path / "kinds.csv")
    changed: dict[str, Any] = {"epochs": 2, "warmup_epochs": warmup_epochs, "ties": "shuffle"}
    changed |= {"event_weights": "purchase:1,view:.1", "event_inputs": event_inputs}
    for launcher, name in ((ONE, "one"), (TWO, "two")):
        done = run(command(launcher, tmp_path / "kinds.csv", tmp_path / name, "default", **changed))
        assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4, abs=1e-5)


def test_dropout_differs_between_the_processes(tmp_path: Path) -> None:
    data = shop_csv(tmp_path, N_USERS)
    changed = {"dropout": 0.5, "warmup_epochs": 1, "epochs": 1}
    assert run(command(ONE, data, tmp_path / "one", "default", **changed)).returncode == 0
    assert run(command(TWO, data, tmp_path / "two", "default", **changed)).returncode == 0
    assert losses(tmp_path / "two") != losses(tmp_path / "one")
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=0.05)


def test_a_killed_process_ends_the_training_and_it_can_go_on_with_another_number(tmp_path: Path) -> None:
    data = shop_csv(tmp_path, N_USERS)
    changed = {"epochs": 12, "epoch_steps": 20, "patience": 12}  # long enough to be hit in its middle
    whole = run(command(ONE, data, tmp_path / "whole", "default", **changed))
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "killed"
    words = command(TWO, data, out, "default", **changed)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(history(out)) >= 2, process)
        os.kill(process_of_rank(1, str(out)), signal.SIGKILL)
        _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "SIGKILL" in said or "another process of this training has stopped" in said
    assert 2 <= len(history(out)) < 12
    assert not (out / "model.safetensors").exists()
    again = run(command(ONE, data, out, "default", "--resume", **changed))
    assert again.returncode == 0, again.stderr
    totals = [[record["losses"]["total"] for record in history(run)] for run in (out, tmp_path / "whole")]
    assert totals[0] == pytest.approx(totals[1], rel=5e-3)  # rounding adds up over the epochs


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    done = run(command(TWO, tmp_path / "none.csv", tmp_path / "run", "default"))
    assert done.returncode != 0
    assert "elcrec: " in done.stderr
    assert "no such file" in done.stderr.lower()


def wait_until(holds: Any, process: subprocess.Popen[str], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


def process_of_rank(rank: int, out: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if f"RANK={rank}".encode() in variables and out in words:
            return int(folder.name)
    raise AssertionError("no such process")
