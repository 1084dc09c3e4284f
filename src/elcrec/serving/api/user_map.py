"""The map of users, as the report has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elcrec.report.document import EDGE, evenly, packed, places_of_intents
from elcrec.serving.api.schemas.model import IntentPlace, UserMap

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec


def user_map(model: ELCRec) -> UserMap:
    """Place and intent of every user; of more users than can be drawn, an even sample."""
    point_U2, intent_U = model.user_map(), model.user_intents()["intent"].to_numpy()
    shown = evenly(len(intent_U))
    return UserMap(
        len(shown),
        packed(point_U2[shown, 0] * EDGE),
        packed(point_U2[shown, 1] * EDGE),
        packed(intent_U[shown]),
        [IntentPlace(intent, x, y) for intent, (x, y) in places_of_intents(intent_U, point_U2).items()],
    )
