"""The command line called in this process, and small logs to call it with."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec import ELCRec, Interactions
from elcrec.cli import main
from elcrec.config import resolve
from elcrec.data.dataset import Dataset
from elcrec.data.synthetic import make_shop
from elcrec.fitted import FittedModel
from elcrec.model.network import ELCRecNetwork
from elcrec.runs.manifest import Entry, Manifest
from elcrec.training.report import SilentReporter

LEARNED: dict[str, Any] = {"epochs": 2, "n_layers": 1, "embedding_dim": 16, "n_intents": 8, "batch_size": 64}
"""Small, and with as many steps an epoch as the recipe has: for tests that need a model which has learned something."""
SMALL: dict[str, Any] = {**LEARNED, "epoch_steps": 15}
"""A quarter of these steps: for all other tests."""
QUICK = {"epochs": 3, "epoch_steps": 1, "embedding_dim": 16, "n_intents": 4, "warmup_epochs": 1, "max_seq_len": 20}
SMALL_SETS = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
RUN_FILES = {
    "model.safetensors",
    "config.json",
    "vocabulary.parquet",
    "interactions.parquet",
    "metrics.json",
    "history.jsonl",
    "README.md",
    "manifest.json",
}


@dataclass(frozen=True)
class Outcome:
    """What a call gave."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        assert self.code == 0, self.err
        return json.loads(self.out, parse_constant=_no_constant)

    def complaint(self) -> str:
        """The one line that says what the caller did wrong; progress before it is left out."""
        assert self.code == 2, f"exit {self.code}: {self.err}"
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert [line for line in lines if line.startswith("elcrec: ")] == lines[-1:], self.err
        assert "Traceback" not in self.err
        assert self.out == ""
        return lines[-1].removeprefix("elcrec: ")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def run_cli(*arguments: object) -> Outcome:
    """Call the command line; anything but a clean exit (a traceback, for the user) is raised."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


class Interrupted(SilentReporter):
    """Stops like Ctrl-C after the first epoch."""

    def begin(self, *_: Any) -> None:
        self.done = False

    def epoch(self, *_: Any) -> None:
        self.done = True

    def step(self, *_: Any) -> None:
        if self.done:
            raise KeyboardInterrupt


def shop_log(n_users: int = 300, seed: int = 1) -> pl.DataFrame:
    """A shop's log: ``user_id``, ``item_id``, ``timestamp``."""
    return make_shop(n_users, 0.2, seed).log.frame


def baskets_log(n_users: int = 80, n_baskets: int = 12, n_items: int = 40, seed: int = 0) -> pl.DataFrame:
    """Users with five staples of their own, each bought in most weeks, and something else now and then."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        staples = random.choice(n_items, 5, replace=False)
        for week in range(n_baskets):
            bought = {int(item) for item in staples if random.random() < 0.6} | {int(random.integers(n_items))}
            rows += [(f"u{user}", f"i{item}", week) for item in sorted(bought)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def shop_csv(folder: Path, n_users: int = 300, seed: int = 1) -> Path:
    """The same as a CSV file."""
    path = folder / f"shop-{n_users}-{seed}.csv"
    shop_log(n_users, seed).write_csv(path)
    return path


def untrained(whole: Interactions, **settings: Any) -> ELCRec:
    """A model of a log that has random weights: enough to ask for histories."""
    resolved = resolve(overrides=settings)
    dataset = Dataset.of(whole, resolved, torch.device("cpu"))
    return ELCRec.from_fitted(FittedModel(resolved, ELCRecNetwork(resolved, len(dataset.items)).eval(), dataset))


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder with their content; none where there is no folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def seal(run: Path) -> None:
    """Let the manifest of a run say that its files are as they should be: for damage that no hash would show."""
    manifest = Manifest.read(run / "manifest.json")
    files = {name: Entry.of(run / name) for name in manifest.files}
    (run / "manifest.json").write_text(Manifest(manifest.written, files).text())
