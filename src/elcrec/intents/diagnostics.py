"""Evaluation of the intents of a fitted model: quality, stability, and the number that the data support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.catalogue import Catalogue
from elcrec.data.histories import HistoryBatch
from elcrec.errors import DataError, DataWarning
from elcrec.fitted import FittedModel
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intent_quality import intent_quality, stability
from elcrec.intents.intents import Intents
from elcrec.intents.suggest_k import suggest_k
from elcrec.process.warning import warn

LEAST_COMMON = 0.05
"""Logs of the same users have at least this share of the smaller one's pairs of a user and an item in common."""


def quality(assigner: IntentAssigner, catalogue: Any, split: str) -> dict[str, Any]:
    """See :meth:`elcrec.ELCRec.intent_quality`.

    Args:
        assigner: Of the model.
        catalogue: Item metadata, as for :meth:`elcrec.data.catalogue.Catalogue.read`; None: the model's own, and
            without any there is no agreement with attributes.
        split: ``valid`` or ``test``.
    """
    fitted = assigner.fitted
    known = fitted.catalogue if catalogue is None else _given(fitted, catalogue)
    histories = fitted.dataset.before_targets(split)
    measures = intent_quality(
        assigner.behaviours(histories).cpu(),
        assigner.unit_centers.cpu(),
        histories.target_Q.cpu(),
        main_attributes(fitted, known),
        fitted.settings.seed,
    )
    return {"split": split, **measures}


def _given(fitted: FittedModel, catalogue: Any) -> Catalogue:
    """Metadata that are given for the items of a model."""
    return Catalogue.read(catalogue, log_column=fitted.settings.item_column).describing(fitted.items.ids)


def main_attributes(fitted: FittedModel, catalogue: Catalogue | None) -> Tensor | None:
    """Number of each item's main attribute, -1 for items without one: int64 [V + 1]; None where no item has any."""
    if catalogue is None:
        return None
    main = catalogue.main_attribute()
    if main.is_empty():
        return None
    label_V = torch.full((len(fitted.items) + 1,), -1)
    at_X = torch.from_numpy(fitted.items.indices(main["item_id"]))
    label_V[at_X] = torch.from_numpy(main["attribute"].rank("dense").cast(pl.Int64).to_numpy().copy())
    return label_V


def agreement(ours: Intents, theirs: Intents) -> dict[str, Any]:
    """See :meth:`elcrec.ELCRec.intent_stability`.

    Raises:
        DataError: The two models have no user or no item in common.
    """
    our_users, their_users = ours.assigner.users_frame, theirs.assigner.users_frame
    both = our_users.clear() if our_users.schema != their_users.schema else our_users.join(their_users, on="user_id")
    if both.is_empty():
        raise DataError("the two models have no user in common: their intents cannot be compared")
    _warn_of_other_logs(ours, theirs)
    ours_UD, theirs_UD = (
        one.assigner.behaviours(one.fitted.dataset.of_users(both["user_id"])).cpu() for one in (ours, theirs)
    )
    centers = (ours.assigner.unit_centers.cpu(), theirs.assigner.unit_centers.cpu())
    return {
        "users": len(both),
        **stability(ours_UD, theirs_UD, *centers, ours.fitted.settings.seed),
        "matched_cosine": ours.match(theirs)["cosine"].mean(),
    }


def _warn_of_other_logs(ours: Intents, theirs: Intents) -> None:
    """Say where hardly a user has taken the same item in both logs: their ids may be the same by chance."""
    pairs = [
        one.fitted.log.frame.select(pl.col("user_id", "item_id").cast(pl.String)).unique() for one in (ours, theirs)
    ]
    n_common, fewer = len(pairs[0].join(pairs[1], on=["user_id", "item_id"], how="semi")), min(map(len, pairs))
    if n_common < LEAST_COMMON * fewer:
        warn(
            f"of {fewer:,} pairs of a user and an item in one log, {n_common:,} are in the other: if the logs are "
            f"of other users, whose ids are the same by chance, the agreement means nothing",
            DataWarning,
        )


def suggest_n_intents(assigner: IntentAssigner, candidates: Sequence[int] | None) -> pl.DataFrame:
    """See :meth:`elcrec.ELCRec.suggest_n_intents`."""
    fitted = assigner.fitted
    histories = fitted.dataset.before_targets("valid")
    return suggest_k(
        assigner.behaviours(histories).cpu(),
        HistoryBatch(histories.item_N.cpu(), histories.start_Q.cpu(), histories.end_Q.cpu()),
        len(fitted.items),
        candidates,
        fitted.settings.seed,
        also=fitted.settings.n_intents,
    )
