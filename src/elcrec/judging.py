"""Whether the intents of a model mean anything, last, and are as many as the data has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.catalogue import Catalogue
from elcrec.errors import DataError
from elcrec.evaluation.intent_quality import intent_quality, stability
from elcrec.evaluation.suggest_k import suggest_k
from elcrec.trained import Asked
from elcrec.understanding import Understanding


class Judging(Understanding):
    """The part of :class:`elcrec.ELCRec` that judges intents."""

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
