"""Says which options of a request for recommendations have no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from elcrec.errors import UnknownIdError
from elcrec.inference.policy import STRENGTH, without_effect
from elcrec.process.wording import counted, listed
from elcrec.serving.api.schemas.recommend import RecommendRequest
from elcrec.serving.snapshot import Snapshot

if TYPE_CHECKING:
    from elcrec.data.features import Features
    from elcrec.inference.lookup import Recommendations

SHOWN = 3
FILTERS = ("allow", "deny")
NEED_A_HISTORY = ("exclude_intents", "diversify", "explain", "user_features")
"""Fields that change recommendations from a history alone. ``exclude_seen`` is not among them: no item is seen."""
SOURCE = {"popular": "the popular ones", "intents": "ranked for new users with these intents"}


class Understood(NamedTuple):
    """What a model understands of a request.

    Attributes:
        features: What the request tells of the user, a row; None: nothing.
        unknown_features: Columns of ``user_features`` whose values the model does not know.
        unknown_items: Items that the model does not know, by field, of ``allow`` and ``deny``.
    """

    features: Features | None
    unknown_features: list[str]
    unknown_items: dict[str, list[Any]]


async def understood(request: RecommendRequest, snapshot: Snapshot) -> Understood:
    """What a model understands of a request.

    Raises:
        ElcrecError: The model has learned from no user features, or not from these columns; or it does not know an
            item of ``allow`` or ``deny``, and ``unknown_items`` is ``error``.
    """
    if request.user_features is None and not any(getattr(request, name) for name in FILTERS):
        return Understood(None, [], {})
    return await snapshot.run_in_background(lambda: _understood(request, snapshot))


def _understood(request: RecommendRequest, snapshot: Snapshot) -> Understood:
    given, dataset = request.user_features, snapshot.model.fitted.dataset
    unknown = {name: dataset.titles.unknown_among(getattr(request, name) or []) for name in FILTERS}
    if request.unknown_items == "error":
        for name, items in unknown.items():
            _refuse(name, items)
    if given is None:
        return Understood(None, [], unknown)
    features = dataset.user_features_in([given], 1)
    said = {name: value for name, value in given.items() if value is not None}
    return Understood(features, dataset.unknown_among(said), unknown)


def _refuse(field: str, items: list[Any]) -> None:
    """Raise UnknownIdError where there are unknown items in a field."""
    if items:
        raise UnknownIdError(
            f"{field} names {_shown(items)}: the model knows no such item, by id or whole title; send "
            '"unknown_items": "skip" to leave such items out, or find ids by GET /v1/items?q=TITLE'
        )


def notes(request: RecommendRequest, known: Understood, found: Recommendations) -> list[str]:
    """What of a request has no effect on what was found, and why: a sentence for each field."""
    said = [_of_items(name, items) for name, items in known.unknown_items.items() if items]
    if request.strength != STRENGTH and not request.intents:
        said.append(without_effect(request.strength))
    return said + (
        _of_features(request, known) if found.fallback is None else _without_history(request, found.fallback)
    )


def _of_features(request: RecommendRequest, known: Understood) -> list[str]:
    given: dict[str, Any] = request.user_features or {}
    return [
        f"user_features: the model knows no {name} {str(given[name])[:40]!r}: it counts as unknown"
        for name in known.unknown_features
    ]


def _without_history(request: RecommendRequest, fallback: Literal["popular", "intents"]) -> list[str]:
    idle = [name for name in NEED_A_HISTORY if getattr(request, name)]
    if request.intents and fallback == "popular":
        idle.append("intents")
    if request.intents and request.strength != STRENGTH:
        idle.append("strength")
    return [f"{name} has no effect: there is no history, and items are {SOURCE[fallback]}" for name in idle]


def _of_items(field: str, items: list[Any]) -> str:
    return f"{field} leaves out {counted(len(items), 'item')} that the model does not know: {_shown(items)}"


def _shown(items: list[Any]) -> str:
    return listed([repr(str(item)[:40]) for item in items], SHOWN)
