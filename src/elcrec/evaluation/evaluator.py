"""Next-item metrics of a fitted model: every user's held-out item ranked among the whole catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import polars as pl
from torch import Tensor

from elcrec.data.by_settings import read_log
from elcrec.data.dataset import split_of
from elcrec.data.interactions import Interactions
from elcrec.data.numbers import at_least_one
from elcrec.data.splits import Moments, Split, moments_of
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning
from elcrec.evaluation.against_baselines import against_baselines
from elcrec.evaluation.metrics import CUTOFFS, Evaluation, Metrics, Results, by_chance, metrics_of
from elcrec.evaluation.ranks import target_ranks
from elcrec.evaluation.repeats import repeat_share
from elcrec.fitted import FittedModel
from elcrec.inference.scoring import UNRANKED
from elcrec.process.warning import warn
from elcrec.process.wording import counted
from elcrec.storage import table_format, write_table


class Evaluator:
    """Evaluates a fitted model; :class:`elcrec.ELCRec` documents what each method returns."""

    def __init__(self, fitted: FittedModel) -> None:
        """Of a model."""
        self.fitted = fitted

    def that_excludes(self, seen: bool | None) -> Evaluator:
        """The same, which ranks items of the history or does not; None: as in the settings."""
        if seen is None:
            return self
        settings = self.fitted.settings.model_copy(update={"exclude_seen": seen})
        return Evaluator(replace(self.fitted, settings=settings))

    # reason: public signature
    def evaluate(
        self,
        data: Any = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
        most: int | None = None,
        baselines: bool = False,
    ) -> Metrics:
        """See :meth:`elcrec.ELCRec.evaluate`."""
        most = None if most is None else at_least_one("most", most)
        if ranks is not None:
            table_format(Path(ranks))  # refused before the work
        log, histories = self._read(data, split, format, unknown)
        found = self._evaluation(histories, self._users(log), split, most)
        if ranks is not None:
            write_table(Path(ranks), self._titled(found.ranks))
        if not baselines:
            return found.metrics
        compared = against_baselines(self.fitted, log, histories, {split: found.ranks["rank"]}, most)
        return {**found.metrics, "baselines": compared}

    def ranks(self, data: Any, split: str, format: str | None, unknown: str) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.ranks`."""
        log, histories = self._read(data, split, format, unknown)
        return self._titled(self._evaluation(histories, self._users(log), split).ranks)

    def _titled(self, ranks: pl.DataFrame) -> pl.DataFrame:
        """Ranks with the titles of the items, where some are known."""
        return self.fitted.dataset.titles.beside(ranks)

    def measured(self, split: str, histories: Split | None) -> Evaluation:
        """See :meth:`elcrec.ELCRec.measured`."""
        evaluated = self.fitted.split
        if histories is not None:  # of the same users
            evaluated = replace(histories.to(self.fitted.device), user_features=evaluated.user_features)
        return self._evaluation(evaluated, self.fitted.users, split)

    def results(self) -> Results:
        """Metrics of ``valid`` and ``test``, as far as the log has held-out items, baselines and sizes."""
        split, most = self.fitted.split, self.fitted.settings.judged_users
        held_out = {"valid": split.valid_U, "test": split.test_U}
        found = {
            part: self._evaluation(split, self.fitted.users, part, most)
            for part, target_U in held_out.items()
            if bool((target_U >= 0).any())
        }
        results: Results = {part: one.metrics for part, one in found.items()}  # type: ignore[assignment]
        if self.fitted.settings.baselines and found:
            ranks = {part: one.ranks["rank"] for part, one in found.items()}
            results["baselines"] = against_baselines(self.fitted, self.fitted.log, split, ranks, most)
        return {**results, "n_users": split.n_users, "n_items": len(self.fitted.items)}

    def _read(self, data: Any, part: str, format: str | None, unknown: str) -> tuple[Interactions, Split]:
        """A log and its histories; default: the one the model was fitted to.

        Another log has the same moments of ``global_time``: what lies before them may have been learned from.
        """
        fitted, settings = self.fitted, self.fitted.settings
        if data is None:
            return fitted.log, fitted.split
        log, moments = fitted.dataset.without_rare(read_log(data, format, settings)), None
        if settings.split == "global_time":
            log, moments = log.in_time_of(fitted.log), moments_of(fitted.log, settings.holdout_share)
        whole = split_of(log, fitted.items, settings, fitted.device, moments, unknown)
        unknown_N = whole.item_N < 0
        if len(unknown_N) and unknown_N.all():
            raise DataError("the model knows none of the items in this data: is it the right file?")
        split = whole.without(unknown_N)
        if lost := whole.n_evaluated(part) - split.n_evaluated(part):
            what = "held-out item, or whole history," if part == "test" else "held-out item, history or test item"
            warn(f"not evaluated: {counted(lost, 'user')} whose {what} the model does not know", DataWarning)
        if moments is not None and whole.n_evaluated(part) == 0:
            raise _nobody_between(part, log, moments)
        if unknown_N.any():
            log = Interactions(log.frame.filter(pl.Series(~unknown_N.cpu().numpy())))
        return log, replace(split, user_features=fitted.dataset.user_features_of(self._users(log)))

    def _users(self, log: Interactions) -> Vocabulary:
        """Whose histories a log holds."""
        return self.fitted.users if log is self.fitted.log else Vocabulary.of(log.frame["user_id"])

    def _evaluation(self, evaluated: Split, users: Vocabulary, split: str, most: int | None = None) -> Evaluation:
        """Rank the held-out items of a part of a log."""
        settings = self.fitted.settings
        user_Q, histories = evaluated.held_out(split, most, settings.seed)
        rank_X, coverage = target_ranks(self.fitted.network, histories, settings.exclude_seen, CUTOFFS)
        row_X, item_X = histories.targets
        metrics = {
            **metrics_of(histories, rank_X),
            **coverage,
            **by_chance(histories, len(self.fitted.items)),
            "repeats": repeat_share(histories),
            "ceiling": (rank_X < UNRANKED).double().mean().item(),
            "n_users": len(histories),
            "n_items": len(self.fitted.items),
            "split": split,
        }
        ranked = pl.DataFrame(
            [
                users.ids_of(user_Q[row_X].cpu().numpy()).alias("user_id"),
                self.fitted.items.ids_of(item_X.cpu().numpy()).alias("item_id"),
                _rank_column(rank_X),
            ]
        )
        return Evaluation(cast("Metrics", metrics), ranked)


def _rank_column(rank_X: Tensor) -> pl.Series:
    """Ranks from 1; null where an item is not ranked."""
    return pl.Series("rank", rank_X.cpu().numpy()).replace(UNRANKED, None)


def _nobody_between(part: str, log: Interactions, moments: Moments) -> DataError:
    """The error where no user of a log is evaluated by the moments of the training log."""
    times = log.frame["timestamp"]
    physical = times.to_physical()
    told = pl.Series([*moments, physical.min(), physical.max()])
    valid_from, test_from, first, last = told.cast(times.dtype).cast(pl.String)
    between = f"between {valid_from} and {test_from}" if part == "valid" else f"from {test_from} on"
    return DataError(
        f"no user has an item for {part} in this data: with split=global_time the moments of the training count, and "
        f"items {between} are predicted, of users with earlier events; its times go from {first} to {last}"
    )
