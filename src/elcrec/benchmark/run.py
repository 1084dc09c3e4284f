"""One run of a study: train or count, judge, write a result file and the ranks beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.baselines import BASELINES
from elcrec.benchmark.provenance import peak_memory_bytes, provenance
from elcrec.benchmark.suite import Run
from elcrec.config import resolve
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.interactions import Interactions
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.evaluation.metrics import ranking_metrics
from elcrec.evaluation.ranking import SCORE_ROWS, UNRANKED, ranks_by_scores
from elcrec.recommender import ELCRec
from elcrec.storage import make_folder, read_json, read_parquet, write_frame, write_json

PARTS = ("valid", "test")


def result_path(folder: Path, run: Run) -> Path:
    """Where the result of a run is written."""
    return folder / f"{run.name}.json"


def ranks_path(folder: Path, name: str) -> Path:
    """Where the ranks of a run are written: one row a user, ``valid`` and ``test`` (null: not ranked)."""
    return folder / "ranks" / f"{name}.parquet"


def execute(run: Run, suite: str, folder: Path, work: Path, progress: bool, device: str) -> dict[str, Any]:
    """Do a run; an interrupted training goes on where it was.

    Args:
        run: What to do.
        suite: Name of the study.
        folder: Where its results are.
        work: Where run folders are kept.
        progress: See :meth:`elcrec.recommender.ELCRec.fit`.
        device: See :class:`elcrec.recommender.ELCRec`.

    Returns:
        The document written; its fields are listed in docs/benchmark.md.
    """
    trained = _baseline(run) if run.recipe in BASELINES else _training(run, work, progress, device)
    ranks = trained.pop("ranks")
    document = {
        "suite": suite,
        "row": run.row,
        "dataset": run.data.name,
        "recipe": run.recipe,
        "overrides": run.overrides,
        "seed": run.seed,
        "noise": run.noise,
        **trained,
        "peak_memory_bytes": peak_memory_bytes(),
        **provenance(),
    }
    _write(folder, run, document, ranks)
    return document


def take_over(run: Run, suite: str, source: Path, folder: Path) -> None:
    """Make the result of the same run in another study one of this study."""
    document = {**read_json(result_path(source, run)), "suite": suite, "row": run.row, "taken_from": source.name}
    _write(folder, run, document, read_parquet(ranks_path(source, run.name)))


def _write(folder: Path, run: Run, document: dict[str, Any], ranks: pl.DataFrame) -> None:
    """The ranks first: a result that is there is whole."""
    make_folder(folder / "ranks")
    write_frame(ranks_path(folder, run.name), ranks)
    write_json(result_path(folder, run), document)


def _training(run: Run, work: Path, progress: bool, device: str) -> dict[str, Any]:
    model = ELCRec(run.recipe, run.seed, device, **run.overrides)
    out = work / run.training
    log = Interactions.read(run.data)
    model.fit(log, out, resume=out.exists(), progress=progress)
    judged = with_noise(log, run.noise, run.seed) if run.noise else None
    ranks, metrics = {}, {}
    for part in PARTS:
        ranks[part] = model.ranks(judged, part)
        metrics[part] = model.evaluate(judged, part) if judged is not None else model.metrics[part]
    return {
        "epochs": model.metrics["epochs"],
        "best_epoch": model.metrics["best_epoch"],
        "train_seconds": model.metrics["train_seconds"],
        "metrics": metrics,
        "intents": model.metrics["intents"],
        "n_users": model.metrics["n_users"],
        "history": model.history,
        "ranks": side_by_side(ranks["valid"], ranks["test"]),
    }


def _baseline(run: Run) -> dict[str, Any]:
    s = resolve("default", run.overrides)
    log = filtered(read_log(run.data, None, s), s)
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    split = make_split(log, items, s.split, s.holdout_share)
    scorer = BASELINES[run.recipe](split, len(items))
    ranks, metrics = {}, {}
    for part in PARTS:
        user_Q, target_Q = split.targets(part)
        start_Q = split.start_U[user_Q]
        found = [
            ranks_by_scores(scorer(start_B, target_B), split.item_N, start_B, target_B)
            for start_B, target_B in zip(start_Q.split(SCORE_ROWS), target_Q.split(SCORE_ROWS), strict=True)
        ]
        rank_Q = torch.cat(found)
        metrics[part] = {**ranking_metrics(rank_Q), "n_users": len(rank_Q)}
        ranks[part] = pl.DataFrame({"user_id": user_Q.numpy(), "rank": rank_Q.numpy()}).with_columns(
            pl.col("rank").replace(UNRANKED, None)
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
    """Ranks of both parts, one row a user: null where the item is not ranked, 0 where there is none to predict.

    Args:
        valid: ``user_id``, ``rank``.
        test: The same, perhaps of other users.
    """
    both = [
        frame.select("user_id", pl.col("rank").cast(pl.Int64).fill_null(UNRANKED).alias(part))
        for part, frame in zip(PARTS, (valid, test), strict=True)
    ]
    joined = both[0].join(both[1], on="user_id", how="full", coalesce=True, maintain_order="left_right")
    return joined.select(pl.col(PARTS).fill_null(0).replace(UNRANKED, None).cast(pl.UInt32))


def with_noise(log: Interactions, share: float, seed: int) -> Interactions:
    """The log with items drawn uniformly slipped into each history, anywhere before its newest two.

    Args:
        log: The log.
        share: Items slipped in, as a share of the history before its newest two; rounded at random.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    frame = log.frame.select("user_id", "item_id").with_row_index("at")
    items = frame["item_id"].unique(maintain_order=True)
    old = frame.filter(pl.int_range(pl.len()).over("user_id") < pl.len().over("user_id") - 2)
    chosen = old.filter(pl.Series(random.random(old.height) < share))
    drawn = items.gather(random.integers(len(items), size=chosen.height))
    noisy = chosen.with_columns(item_id=drawn, at=pl.col("at") + 0.5)
    whole = pl.concat([frame.with_columns(pl.col("at").cast(pl.Float64)), noisy]).sort("at")
    return Interactions(whole.drop("at"))
