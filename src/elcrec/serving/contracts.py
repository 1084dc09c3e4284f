"""What the server is asked and what it answers: the shapes of all documents, version 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import Body
from msgspec import UNSET, Meta, Struct, UnsetType

from elcrec.data.ids import MOST_ID_CHARACTERS, id_text, nameable

NUMBER, STRING, NULL = OpenAPIType.NUMBER, OpenAPIType.STRING, OpenAPIType.NULL
TextId = Annotated[str, Meta(min_length=1, max_length=MOST_ID_CHARACTERS)]
Id = TextId | int
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=2**31)]
Intent = Annotated[int, Meta(ge=0, le=2**31)]
# Whole numbers stay whole: nanoseconds have more digits than a float. To clients both are numbers.
Timestamp = Annotated[
    int | float | TextId | None,
    Body(schema_extra={"one_of": [Schema(type=kind) for kind in (NUMBER, STRING, NULL)]}),
]
Unknown = Literal["popular", "intents", "error"]


class Problem(Struct):
    """Why a request was refused."""

    error: str


def _take_ids(request: Struct, *fields: str) -> None:
    """Make ids, or lists of them, what a log has of them: without blanks around; raise where it may hold none such."""
    for field in fields:
        given = getattr(request, field)
        if given is None:
            continue
        ids = [one if isinstance(one, int) else id_text(one) for one in (given if isinstance(given, list) else [given])]
        fault = next((fault for one in ids if (fault := nameable(str(one))) is not None), None)
        if fault is not None:
            raise ValueError(f"{field}: an id {fault}")
        setattr(request, field, ids if isinstance(given, list) else ids[0])


# ---------------------------------------------------------------------- lists


class Wishes(Struct, forbid_unknown_fields=True, kw_only=True):
    """For whom a list is wanted, and how.

    Attributes:
        user_id: A known user; or
        history: item ids of anybody, oldest first.
        k: Items wanted.
        exclude_seen: Leave out what is in the history; default: as the model was trained.
        allow: Only these items.
        deny: None of these items.
        attributes: Only items with at least one of these attributes.
        all_attributes: Only items with every one of these attributes.
        intents: Steer toward these.
        exclude_intents: Score without these.
        strength: How far ``intents`` goes.
        diversify: How far the list follows the mix of the user's intents.
        explain: Say why.
        unknown_user: What somebody without a history gets; default: as the server was started.
        unknown_items: What to do with items in ``history`` that the model does not know.
    """

    user_id: Id | None = None
    history: list[Id] | None = None
    k: Count = 10
    exclude_seen: bool | None = None
    allow: list[Id] | None = None
    deny: list[Id] = []
    attributes: list[TextId] = []
    all_attributes: list[TextId] = []
    intents: list[Intent] = []
    exclude_intents: list[Intent] = []
    strength: Share = 0.8
    diversify: Share = 0.0
    explain: bool = False
    unknown_user: Unknown | None = None
    unknown_items: Literal["error", "skip"] = "error"

    def __post_init__(self) -> None:
        """Take no id that no log holds."""
        _take_ids(self, "user_id", "history", "allow", "deny")


class Batch(Struct, forbid_unknown_fields=True):
    """Several wishes at once."""

    requests: list[Wishes]


class Part(Struct):
    """An intent's part of a score."""

    intent: int
    part: float


class Reason(Struct):
    """Why an item is listed; see ``ELCRec.recommend``."""

    intent: int | None
    intent_name: str | None
    intent_share: float | None
    because: list[str | int]
    because_titles: list[str | None]
    rank_without: int | None
    parts: list[Part]
    residual: float
    steering: float


class Listed(Struct):
    """One item of a list."""

    item_id: str | int
    score: float
    rank: int
    title: str | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET


class Answer(Struct):
    """A list.

    Attributes:
        user_id: Who asked; null for a history.
        items: Best first.
        fallback: Null for a list made from a history; else ``popular`` or ``intents``: there was none.
        model: Version of the model that made it.
    """

    user_id: str | int | None
    items: list[Listed]
    fallback: Literal["popular", "intents"] | None
    model: str


class Result(Struct):
    """A list, or why there is none (one of them)."""

    answer: Answer | None = None
    error: str | None = None


class BatchAnswer(Struct):
    """A result for each request, in their order."""

    results: list[Result]


# ---------------------------------------------------------------------- events and people


class NewEvent(Struct, forbid_unknown_fields=True):
    """Somebody took something.

    Attributes:
        user_id: Who; anybody, known or not.
        item_id: What.
        event_id: Tells it from all others, so that it may be sent again; without one, user, item and timestamp do.
        timestamp: Seconds since 1970 (its size tells milliseconds and finer), ISO 8601 text, or a number as in the
            log; default: now.
    """

    user_id: Id
    item_id: Id
    event_id: TextId | None = None
    timestamp: Timestamp = None

    def __post_init__(self) -> None:
        """Take no id that no log could hold."""
        _take_ids(self, "user_id", "item_id", "event_id")


class NewEvents(Struct, forbid_unknown_fields=True):
    """Events to keep, all or none.

    Attributes:
        events: At least one.
        unknown_items: ``error``: refuse items the model does not know; ``keep``: a later model may know them.
    """

    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=1000)]
    unknown_items: Literal["error", "keep"] = "error"


class Stored(Struct):
    """What became of events.

    Attributes:
        stored: How many were new; they are safe.
        duplicates: Ids of those that had been kept before.
    """

    stored: int
    duplicates: list[str]


class PastEvent(Struct):
    """An event of a history; ``timestamp`` is in seconds since 1970, or a number as in the log."""

    item_id: str | int
    title: str | None
    timestamp: float | None


class History(Struct):
    """A user's newest events, oldest of them first."""

    user_id: str | int
    events: list[PastEvent]
    total: int


class Weight(Struct):
    """How much of an intent is in a history."""

    intent: int
    name: str
    weight: float
    similarity: float


class Moment(Struct):
    """An event, and the intent of the history up to it."""

    position: int
    item_id: str | int
    title: str | None
    timestamp: float | None
    intent: int
    name: str
    weight: float
    pull: float | None


class Mix(Struct):
    """The intents of a history, strongest first, and how they came."""

    user_id: str | int | None
    intents: list[Weight]
    timeline: list[Moment]


class HistoryAsked(Struct, forbid_unknown_fields=True):
    """Item ids of anybody, oldest first."""

    history: Annotated[list[Id], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Take no id that no log holds."""
        _take_ids(self, "history")


class Forgotten(Struct):
    """A user is gone: how many kept events went, and whether the log knew them."""

    user_id: str
    events: int
    in_log: bool


class Found(Struct):
    """Ids that were found."""

    users: list[str | int]


# ---------------------------------------------------------------------- intents, items, the model


class TypicalItem(Struct):
    """An item that an intent's users take more often than others do."""

    item_id: str | int
    title: str | None
    lift: float
    users: int


class TypicalAttribute(Struct):
    """An attribute likewise."""

    attribute: str
    lift: float
    users: int


class IntentLine(Struct):
    """What an intent is; see ``ELCRec.intents``."""

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


class Intents(Struct):
    """All intents, the largest first."""

    n_intents: int
    trend_periods: list[str] | None
    intents: list[IntentLine]


class Place(Struct):
    """Where an intent's users have their middle, 0 to 1."""

    intent: int
    x: float
    y: float


class Map(Struct):
    """Users as dots on a plane, near each other where they behave alike; no ids.

    Attributes:
        n: Dots.
        x: Places in 0 .. 65535, each two bytes, lowest first, base64.
        y: Likewise.
        intent: The intent of each dot, likewise.
        places: Of the intents that have users.
    """

    n: int
    x: str
    y: str
    intent: str
    places: list[Place]


class Rename(Struct, forbid_unknown_fields=True):
    """A name for an intent; empty: the automatic one."""

    name: Annotated[str, Meta(max_length=200)]


class SimilarItem(Struct):
    """An item like another: cosine of their vectors."""

    item_id: str | int
    title: str | None
    score: float
    rank: int


class Similar(Struct):
    """Items like an item."""

    item_id: str | int
    title: str | None
    items: list[SimilarItem]


class ItemFound(Struct):
    """An item and its events in the log."""

    item_id: str | int
    title: str | None
    events: int


class ItemsFound(Struct):
    """Items that were found, most popular first."""

    items: list[ItemFound]


class Model(Struct):
    """The model that answers."""

    version: str
    recipe: str
    elcrec: str
    loaded: float
    n_users: int
    n_items: int
    n_events: int
    n_intents: int
    max_seq_len: int
    unknown_user: Unknown
    read_only: bool
    max_k: int
    max_history: int
    metrics: dict[str, Any]


class State(Struct):
    """How the server is."""

    status: str
    model: str


class Reloaded(Struct):
    """Which model answers from now on, and whether it is another."""

    model: str
    changed: bool
