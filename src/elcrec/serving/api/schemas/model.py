"""Intents, items, the model and the state of the server."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from elcrec.serving.api.schemas.fields import UnknownUser


class TypicalItem(Struct):
    """An item over-represented among the users of an intent: its lift."""

    item_id: str | int
    title: str | None
    lift: float
    users: int


class TypicalAttribute(Struct):
    """An attribute over-represented among the items of an intent's users: its lift."""

    attribute: str
    lift: float
    users: int


class Intent(Struct):
    """Description of an intent; see ``ELCRec.intents``."""

    intent: int
    name: str
    given: bool
    users: int
    share: float
    cosine: float | None
    margin: float | None
    flags: list[str]
    nearest: list[int]
    trend: list[float] | None
    items: list[TypicalItem]
    attributes: list[TypicalAttribute]


class IntentsResponse(Struct):
    """All intents, the largest first."""

    n_intents: int
    trend_periods: list[str] | None
    intents: list[Intent]


class IntentPlace(Struct):
    """Median place of an intent's users, 0 to 1."""

    intent: int
    x: float
    y: float


class UserMap(Struct):
    """Users as dots on a plane, near each other where their behaviour is similar; no ids.

    Attributes:
        n: Dots.
        x: Places in 0 .. 65535, each two bytes, lowest first, base64.
        y: Places, encoded as ``x``.
        intent: The intent of each dot, encoded as ``x``.
        places: Of the intents that have users.
    """

    n: int
    x: str
    y: str
    intent: str
    places: list[IntentPlace]


class IntentName(Struct, forbid_unknown_fields=True):
    """A name for an intent; empty: the automatic one."""

    name: Annotated[str, Meta(max_length=200)]


class SimilarItem(Struct):
    """An item similar to another, by the cosine of their vectors."""

    item_id: str | int
    title: str | None
    score: float
    rank: int


class SimilarItems(Struct):
    """Items similar to an item."""

    item_id: str | int
    title: str | None
    items: list[SimilarItem]


class FoundItem(Struct):
    """An item and its events in the log."""

    item_id: str | int
    title: str | None
    events: int


class FoundItems(Struct):
    """Items found, most popular first."""

    items: list[FoundItem]


class ModelCard(Struct):
    """The model that is served."""

    version: str
    recipe: str
    elcrec: str
    loaded: float
    n_users: int
    n_items: int
    n_events: int
    n_intents: int
    max_seq_len: int
    exclude_seen: bool
    unknown_user: UnknownUser
    read_only: bool
    max_k: int
    max_history: int
    metrics: dict[str, Any]
    pictures: bool


class ServerStatus(Struct):
    """Status of the server."""

    status: str
    model: str


class ReloadResponse(Struct):
    """The model served from now on, and whether it changed."""

    model: str
    changed: bool
