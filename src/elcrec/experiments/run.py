"""One run of a suite: train (or compute a baseline), evaluate, write a result file and a file of ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from elcrec.config import EVALUATION_SETTINGS
from elcrec.evaluation.baselines.comparison import Baselines
from elcrec.evaluation.baselines.training_part import TrainingPart
from elcrec.evaluation.metrics import metrics_of
from elcrec.experiments.noise import with_noise
from elcrec.experiments.plan import PlannedRun
from elcrec.experiments.prepared import prepare
from elcrec.experiments.provenance import peak_memory_bytes, provenance
from elcrec.experiments.results import Document, ranks_path, result_path
from elcrec.inference.scoring import UNRANKED
from elcrec.recommender import ELCRec
from elcrec.storage import make_folder, read_parquet, write_frame, write_json

PARTS = ("valid", "test")


def execute(run: PlannedRun, suite: str, folder: Path, work: Path, progress: bool, device: str) -> Document:
    """Execute a run; an interrupted training is resumed.

    Args:
        run: The run.
        suite: Name of the suite.
        folder: Where its results are.
        work: Where run folders are kept.
        progress: See :meth:`elcrec.recommender.ELCRec.fit`.
        device: See :class:`elcrec.recommender.ELCRec`.

    Returns:
        The document written; its fields are listed in docs/benchmark.md.
    """
    trained = _baseline(run) if run.is_baseline else _training(run, work, progress, device)
    ranks = trained.pop("ranks")
    document = {
        **_identity(run, suite),
        **trained,
        "peak_memory_bytes": peak_memory_bytes(),
        **provenance(),
    }
    _write(folder, run, document, ranks)
    return document


def take_over(run: PlannedRun, suite: str, theirs: Document, source: Path, folder: Path) -> None:
    """Copy a result of the same run from another row or another suite."""
    kept = {name: value for name, value in theirs.items() if name != "name"}
    document = {**kept, **_identity(run, suite), "taken_from": source.name}
    _write(folder, run, document, read_parquet(ranks_path(source, theirs["name"])))


def _identity(run: PlannedRun, suite: str) -> Document:
    """What was run, and the key of its result."""
    return {
        "suite": suite,
        "row": run.row,
        "dataset": run.data.name,
        "recipe": run.recipe,
        "overrides": run.overrides,
        "seed": run.seed,
        "noise": run.noise,
        "key": run.key,
        "data": run.content,
        "settings": run.deciding,
        **({"chosen": run.chosen} if run.is_baseline else {}),
    }


def _write(folder: Path, run: PlannedRun, document: Document, ranks: pl.DataFrame) -> None:
    """The ranks first: a result that is there is whole."""
    make_folder(folder / "ranks")
    write_frame(ranks_path(folder, run.name), ranks)
    write_json(result_path(folder, run.name), document)


def _training(run: PlannedRun, work: Path, progress: bool, device: str) -> dict[str, Any]:
    # All settings as they were planned, whatever has become of a recipe's file since.
    model = ELCRec(run.recipe, device=device, **run.settings.model_dump())
    out = work / run.training
    log = run.read()
    model.fit(log, out, resume=out.exists(), progress=progress)
    noisy = with_noise(prepare(log, model.settings).split, run.noise, run.seed) if run.noise else None
    ranks, metrics = {}, {}
    for part in PARTS:
        metrics[part], ranks[part] = model.measured(part, noisy)
    return {
        "chosen": {name: getattr(model.settings, name) for name in EVALUATION_SETTINGS if name in run.settings.auto},
        "epochs": model.metrics["epochs"],
        "best_epoch": model.metrics["best_epoch"],
        "train_seconds": model.metrics["train_seconds"],
        "metrics": metrics,
        "intents": model.metrics["intents"],
        "n_users": model.metrics["n_users"],
        "history": model.history,
        "ranks": side_by_side(ranks["valid"], ranks["test"]),
    }


def _baseline(run: PlannedRun) -> dict[str, Any]:
    settings = run.settings.model_copy(update=run.chosen)
    prepared = prepare(run.read(), settings)
    split, exclude_seen = prepared.split, settings.exclude_seen
    baselines = Baselines(TrainingPart.of(prepared.log, split, len(prepared.items)))
    ranks, metrics = {}, {}
    for part in PARTS:
        user_Q, histories = split.held_out(part)
        rank_X = baselines.ranks(run.recipe, histories, exclude_seen)
        row_X, item_X = histories.targets
        metrics[part] = {**metrics_of(histories, rank_X), "n_users": len(histories)}
        ranks[part] = pl.DataFrame(
            [
                prepared.users.ids_of(user_Q[row_X].numpy()).alias("user_id"),
                prepared.items.ids_of(item_X.numpy()).alias("item_id"),
                pl.Series("rank", rank_X.numpy()).replace(UNRANKED, None),
            ]
        )
    return {
        "epochs": 0,
        "best_epoch": 0,
        "train_seconds": 0.0,
        "metrics": metrics,
        "intents": None,
        "n_users": split.n_users,
        "history": [],
        "ranks": side_by_side(ranks["valid"], ranks["test"]),
    }


def side_by_side(valid: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Ranks of both parts, one row a user; of baskets as many rows a user as the larger one has items.

    Args:
        valid: ``user_id``, ``item_id`` (to predict), ``rank`` (null: not ranked).
        test: The same, perhaps of other users.

    Returns:
        ``user_id``; ``valid`` and ``test``, the ranks: null where the item is not ranked, 0 where there is none to
        predict; ``valid_item_id`` and ``test_item_id``, the items.
    """
    both = [
        frame.select(
            "user_id",
            pl.col("item_id").alias(f"{part}_item_id"),
            pl.col("rank").cast(pl.Int64).fill_null(UNRANKED).alias(part),
            place=pl.int_range(pl.len()).over("user_id"),
        )
        for part, frame in zip(PARTS, (valid, test), strict=True)
    ]
    joined = both[0].join(both[1], on=["user_id", "place"], how="full", coalesce=True, maintain_order="left_right")
    ranks = (pl.col(part).fill_null(0).replace(UNRANKED, None).cast(pl.UInt32) for part in PARTS)
    return joined.select("user_id", *ranks, *(f"{part}_item_id" for part in PARTS))
