"""Next-item metrics of a fitted model: every user's held-out item ranked among the whole catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from elcrec.data.by_settings import filtered, read_log
from elcrec.data.dataset import split_of
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError
from elcrec.evaluation.metrics import CUTOFFS, Evaluation, Metrics, Results, ranking_metrics
from elcrec.evaluation.ranks import target_ranks
from elcrec.evaluation.repeats import repeat_share
from elcrec.fitted import FittedModel
from elcrec.inference.scoring import UNRANKED
from elcrec.storage import write_frame


class Evaluator:
    """Evaluates a fitted model; :class:`elcrec.ELCRec` documents what each method returns."""

    def __init__(self, fitted: FittedModel) -> None:
        """Of a model."""
        self.fitted = fitted

    def evaluate(
        self,
        data: Any = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
        most: int | None = None,
    ) -> Metrics:
        """See :meth:`elcrec.ELCRec.evaluate`."""
        found = self.judge(*self._read(data, format, unknown), split, most)
        if ranks is not None:
            write_frame(Path(ranks), found.ranks)
        return found.metrics

    def ranks(self, data: Any, split: str, format: str | None, unknown: str) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.ranks`."""
        return self.judge(*self._read(data, format, unknown), split).ranks

    def measured(self, split: str, histories: Split | None) -> Evaluation:
        """See :meth:`elcrec.ELCRec.measured`."""
        evaluated = self.fitted.split if histories is None else histories.to(self.fitted.device)
        return self.judge(evaluated, self.fitted.users, split)

    def results(self) -> Results:
        """Metrics of ``valid`` and ``test``, as far as the log has held-out items, and sizes."""
        split, most = self.fitted.split, self.fitted.settings.judged_users
        results: Results = {}
        if bool((split.valid_U >= 0).any()):
            results["valid"] = self.evaluate(split="valid", most=most)
        if bool((split.test_U >= 0).any()):
            results["test"] = self.evaluate(split="test", most=most)
        return {**results, "n_users": split.n_users, "n_items": len(self.fitted.items)}

    def _read(self, data: Any, format: str | None, unknown: str) -> tuple[Split, Vocabulary]:
        """The histories of a log and whose they are; default: of the one the model was fitted to."""
        if data is None:
            return self.fitted.split, self.fitted.users
        settings = self.fitted.settings
        log = self._known_items(filtered(read_log(data, format, settings), settings), unknown)
        split = split_of(log, self.fitted.items, settings, self.fitted.device)
        return split, Vocabulary.of(log.frame["user_id"])

    def _known_items(self, log: Interactions, unknown: str) -> Interactions:
        known = self.fitted.items.indices(log.frame["item_id"], unknown) >= 0
        if not known.any():
            raise DataError("the model knows none of the items in this data: is it the right file?")
        return log if known.all() else Interactions(log.frame.filter(pl.Series(known)))

    def judge(self, evaluated: Split, users: Vocabulary, split: str, most: int | None = None) -> Evaluation:
        """Rank the held-out items of a part of a log."""
        settings = self.fitted.settings
        user_Q, target_Q = evaluated.targets(split, most, settings.seed)
        histories = evaluated.histories(user_Q, target_Q)
        rank_Q, coverage = target_ranks(self.fitted.network, histories, settings.exclude_seen, CUTOFFS)
        metrics: Metrics = {
            **ranking_metrics(rank_Q),
            **coverage,
            "repeats": repeat_share(histories),
            "ceiling": (rank_Q < UNRANKED).double().mean().item(),
            "n_users": rank_Q.numel(),
            "n_items": len(self.fitted.items),
            "split": split,
        }
        ranked = pl.DataFrame(
            [
                users.ids_of(user_Q.cpu().numpy()).alias("user_id"),
                self.fitted.items.ids_of(histories.target_Q.cpu().numpy()).alias("item_id"),
                _rank_column(rank_Q),
            ]
        )
        return Evaluation(metrics, ranked)


def _rank_column(rank_Q: Tensor) -> pl.Series:
    """Ranks from 1; null where an item is not ranked."""
    return pl.Series("rank", rank_Q.cpu().numpy()).replace(UNRANKED, None)
