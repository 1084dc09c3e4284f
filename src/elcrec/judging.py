"""How good a model is: its lists, and whether its intents mean anything, last, and are as many as the data has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.catalogue import Catalogue
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError
from elcrec.evaluation.intent_quality import intent_quality, stability
from elcrec.evaluation.metrics import CUTOFFS, ranking_metrics
from elcrec.evaluation.ranking import UNRANKED, target_ranks
from elcrec.evaluation.repeats import repeat_share
from elcrec.evaluation.suggest_k import suggest_k
from elcrec.storage import write_frame
from elcrec.trained import Asked
from elcrec.understanding import Understanding


class Judging(Understanding):
    """The part of :class:`elcrec.ELCRec` that judges lists and intents."""

    # ------------------------------------------------------------------ lists

    def evaluate(
        self,
        data: Any = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Rank the whole catalogue for every user's held-out item.

        Args:
            data: The log that holds the items to predict; default: the one learnt from.
            split: ``valid`` or ``test``.
            format: Format of a data file.
            unknown: What to do with items the model does not know: ``raise``, or ``skip`` their events.
            ranks: Also write each user's rank to this Parquet file: ``user_id``, ``item_id``, ``rank``.
            most: Of more users, only so many, drawn by the seed.

        Returns:
            ``hit_rate@k``, ``ndcg@k``, ``mrr@k`` and ``coverage@k`` (share of the catalogue that anybody is
            shown), all in [0, 1], for k in 1, 5, 10, 20, 50; ``ceiling`` (share of users whose item may be
            ranked at all: seen items are not); ``repeats`` (share of users who had the item before); ``n_users``,
            ``n_items``, ``split``.
        """
        evaluated, users = self._evaluated(data, format, unknown)
        metrics, ranked = self._judged(evaluated, users, split, most)
        if ranks is not None:
            write_frame(Path(ranks), ranked)
        return metrics

    def ranks(
        self, data: Any = None, split: str = "test", format: str | None = None, unknown: str = "raise"
    ) -> pl.DataFrame:
        """Rank of each user's held-out item: ``user_id``, ``item_id``, ``rank`` (from 1; null: not ranked)."""
        evaluated, users = self._evaluated(data, format, unknown)
        return self._judged(evaluated, users, split)[1]

    def measured(self, split: str = "test", histories: Split | None = None) -> tuple[dict[str, Any], pl.DataFrame]:
        """Metrics over all users of the log learnt from and the ranks they are made of, of one and the same pass.

        Args:
            split: ``valid`` or ``test``.
            histories: Ask with these histories instead; of the same users.

        Returns:
            As :meth:`evaluate` and :meth:`ranks`.
        """
        return self._judged(self._split if histories is None else histories.to(self.device), self.users, split)

    def _evaluated(self, data: Any, format: str | None, unknown: str) -> tuple[Split, Vocabulary]:
        """The histories of a log and whose they are; default: of the one learnt from."""
        if data is None:
            return self._split, self.users
        log = self._known_items(self._read(data, format), unknown)
        return self._split_of(log, self.items), Vocabulary.of(log.frame["user_id"])

    def _judged(
        self, evaluated: Split, users: Vocabulary, split: str, most: int | None = None
    ) -> tuple[dict[str, Any], pl.DataFrame]:
        """Metrics, and the ranks they are made of: ``user_id``, ``item_id``, ``rank``."""
        user_Q, target_Q = evaluated.targets(split, most, self.settings.seed)
        rank_Q, coverage = target_ranks(
            self.network,
            evaluated.item_N,
            evaluated.start_U[user_Q],
            target_Q,
            self.settings.max_seq_len,
            self.settings.exclude_seen,
            CUTOFFS,
        )
        coverage["repeats"] = repeat_share(evaluated.item_N, evaluated.start_U[user_Q], target_Q)
        metrics = {
            **ranking_metrics(rank_Q),
            **coverage,
            "ceiling": (rank_Q < UNRANKED).double().mean().item(),
            "n_users": rank_Q.numel(),
            "n_items": len(self.items),
            "split": split,
        }
        ranked = pl.DataFrame(
            [
                users.ids_of(user_Q.cpu().numpy()).alias("user_id"),
                self.items.ids_of(evaluated.item_N[target_Q].cpu().numpy()).alias("item_id"),
                _rank_column(rank_Q),
            ]
        )
        return metrics, ranked

    def _known_items(self, log: Interactions, unknown: str) -> Interactions:
        known = self.items.indices(log.frame["item_id"], unknown) >= 0
        if not known.any():
            raise DataError("the model knows none of the items in this data: is it the right file?")
        return log if known.all() else Interactions(log.frame.filter(pl.Series(known)))

    def _results(self) -> dict[str, Any]:
        """Metrics of both parts and the health of the intents, on this model's own log."""
        results: dict[str, Any] = {}
        for part in ("valid", "test"):
            at_U = self._split.valid_U if part == "valid" else self._split.test_U
            if bool((at_U >= 0).any()):
                results[part] = self.evaluate(split=part, most=self.settings.judged_users)
        return {
            **results,
            "n_users": self._split.n_users,
            "n_items": len(self.items),
            "intents": self.intent_health(most=self.settings.judged_users),
        }

    # ------------------------------------------------------------------ intents

    def intent_quality(self, catalogue: Any = None, split: str = "test") -> dict[str, Any]:
        """Whether intents mean anything: see :func:`elcrec.evaluation.intent_quality.intent_quality`.

        The intent is that of the history before each user's held-out item; k-means and chance stand beside.

        Args:
            catalogue: Item metadata, as for :meth:`elcrec.data.catalogue.Catalogue.read`; default: the model's.
            split: ``valid`` or ``test``.
        """
        known = self.catalogue if catalogue is None else Catalogue.read(catalogue).matched(self.items.ids)
        user_Q, target_Q = self._split.targets(split)
        asked = Asked(pl.Series(user_Q.cpu().numpy()), self._split.item_N, self._split.start_U[user_Q], target_Q)
        return {
            "split": split,
            **intent_quality(
                self._behaviours(asked).cpu(),
                self._unit_centers.cpu(),
                self._split.item_N[target_Q].cpu(),
                self._labels(known),
                self.settings.seed,
            ),
        }

    def _labels(self, catalogue: Catalogue | None) -> Tensor | None:
        """Number of each item's main attribute, -1 for items without one: int64 [V + 1]."""
        if catalogue is None:
            return None
        main = catalogue.main_attribute()
        if main.is_empty():
            return None
        label_V = torch.full((len(self.items) + 1,), -1)
        at_X = torch.from_numpy(self.items.indices(main["item_id"]))
        label_V[at_X] = torch.from_numpy(main["attribute"].rank("dense").cast(pl.Int64).to_numpy().copy())
        return label_V

    def intent_stability(self, other: Judging) -> dict[str, Any]:
        """How far two trainings found the same intents: see :func:`elcrec.evaluation.intent_quality.stability`."""
        ours, theirs = self._intent_of_user, other._intent_of_user
        if ours.schema != theirs.schema or (both := ours.join(theirs, on="user_id", suffix="_other")).is_empty():
            raise DataError("the two models have no user in common: their intents cannot be compared")
        ours_U, theirs_U = (
            self._behaviours(self._of_users(both["user_id"])).cpu(),
            other._behaviours(other._of_users(both["user_id"])).cpu(),
        )
        centers = (self._unit_centers.cpu(), other._unit_centers.cpu())
        matched = self.match_intents(other)["cosine"].mean()
        return {
            "users": len(both),
            **stability(ours_U, theirs_U, *centers, self.settings.seed),
            "matched_cosine": matched,
        }

    def suggest_n_intents(self, candidates: Sequence[int] | None = None) -> pl.DataFrame:
        """How many intents the data can tell apart: see :func:`elcrec.evaluation.suggest_k.suggest_k`.

        The intents are k-means clusters of this model's behaviour embeddings of the training histories; the
        next item is each user's validation item.

        Args:
            candidates: Numbers to try; default: powers of 2 up to a tenth of the users.
        """
        user_Q, target_Q = self._split.targets("valid")
        asked = Asked(pl.Series(user_Q.cpu().numpy()), self._split.item_N, self._split.start_U[user_Q], target_Q)
        return suggest_k(
            self._behaviours(asked).cpu(),
            self._split.item_N.cpu(),
            asked.start_Q.cpu(),
            target_Q.cpu(),
            len(self.items),
            candidates,
            self.settings.seed,
        )


def _rank_column(rank_Q: Tensor) -> pl.Series:
    """Ranks from 1; null where an item is not ranked."""
    return pl.Series("rank", rank_Q.cpu().numpy()).replace(UNRANKED, None)
