"""The map of users, as the report has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from elcrec.report.document import EDGE, evenly, packed
from elcrec.serving.api.schemas.model import IntentPlace, UserMap

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


def user_map(model: ELCRec) -> UserMap:
    """Place and intent of every user; of more users than can be drawn, an even sample."""
    point_U2, intent_U = model.user_map(), model.user_intents()["intent"].to_numpy()
    middles = {intent: np.median(point_U2[intent_U == intent], axis=0) for intent in np.unique(intent_U).tolist()}
    shown = evenly(len(intent_U))
    return UserMap(
        len(shown),
        packed(point_U2[shown, 0] * EDGE),
        packed(point_U2[shown, 1] * EDGE),
        packed(intent_U[shown]),
        [IntentPlace(intent, float(x), float(y)) for intent, (x, y) in middles.items()],
    )
