"""Events of users, their histories and their intents."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from elcrec.serving.api.schemas.fields import Id, TextId, Timestamp, normalize_ids


class NewEvent(Struct, forbid_unknown_fields=True):
    """An interaction of a user with an item.

    Attributes:
        user_id: The user, known or not.
        item_id: The item.
        event_id: Tells it from all others, so that it may be sent again; without one, user, item and timestamp do.
        timestamp: Seconds since 1970 (its size tells milliseconds and finer), ISO 8601 text, or a number as in the
            log; default: now.
        event: Its kind, one of those in the log; default: the kind that is predicted.
    """

    user_id: Id
    item_id: Id
    event_id: TextId | None = None
    timestamp: Timestamp = None
    event: TextId | None = None

    def __post_init__(self) -> None:
        """Refuse ids and kinds that no log can hold."""
        normalize_ids(self, "user_id", "item_id", "event_id", "event")


class EventsRequest(Struct, forbid_unknown_fields=True):
    """Events to store, all or none.

    Attributes:
        events: At least one.
        unknown_items: ``error``: refuse items the model does not know; ``keep``: a later model may know them.
    """

    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=1000)]
    unknown_items: Literal["error", "keep"] = "error"


class EventsResponse(Struct):
    """Which events were new.

    Attributes:
        stored: Number of new events; they are durable.
        duplicates: Ids of events that were stored before.
        notes: What looks odd: times more than a day ahead of the server's clock. Left out where nothing does.
    """

    stored: int
    duplicates: list[str]
    notes: list[str] | UnsetType = UNSET


class PastEvent(Struct):
    """An event of a history.

    Attributes:
        item_id: The item.
        title: Its title; null without one.
        timestamp: Seconds since 1970, or a number as in the log; null where no time is known.
    """

    item_id: str | int
    title: str | None
    timestamp: float | None


class UserHistoryResponse(Struct):
    """A user's newest events, oldest of them first.

    Attributes:
        user_id: The user.
        events: The newest events.
        total: Number of events of the whole history.
    """

    user_id: str | int
    events: list[PastEvent]
    total: int


class IntentWeight(Struct):
    """Weight of an intent in a history.

    Attributes:
        intent: Number of the intent.
        name: Its name.
        weight: Its part of all intents, 0 to 1.
        similarity: Cosine between the history and the centre of the intent.
    """

    intent: int
    name: str
    weight: float
    similarity: float


class TimelineEvent(Struct):
    """An event, and the intent of the history up to it.

    Attributes:
        position: Place in the history, from 1.
        item_id: The item.
        title: Its title; null without one.
        timestamp: Seconds since 1970, or a number as in the log; null where no time is known.
        intent: The nearest intent of the history up to this event.
        name: Its name.
        weight: Its weight then, 0 to 1.
        pull: How far the event moved the history toward that intent; null for old events.
    """

    position: int
    item_id: str | int
    title: str | None
    timestamp: float | None
    intent: int
    name: str
    weight: float
    pull: float | None


class IntentMix(Struct):
    """The intents of a history, strongest first, and how they developed.

    Attributes:
        user_id: The user; null for a history of the request.
        intents: The strongest intents.
        timeline: The newest events, oldest of them first.
    """

    user_id: str | int | None
    intents: list[IntentWeight]
    timeline: list[TimelineEvent]


class HistoryIntentsRequest(Struct, forbid_unknown_fields=True):
    """A history of any user.

    Attributes:
        history: Item ids, oldest first.
    """

    history: Annotated[list[Id], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse ids that no log can hold."""
        normalize_ids(self, "history")


class DeletedUser(Struct):
    """A user was deleted.

    Attributes:
        user_id: The user.
        events: Number of stored events that were removed.
        in_log: Whether the log has a history, which is never used again.
    """

    user_id: str
    events: int
    in_log: bool


class ExampleUser(Struct):
    """A user to look at first, and their first intent.

    Attributes:
        user_id: The user.
        intent: The intent with the largest weight.
    """

    user_id: str | int
    intent: int


class ExampleUsers(Struct):
    """Users to look at first, of different intents, the largest first.

    Attributes:
        examples: The users.
    """

    examples: list[ExampleUser]


class FoundUsers(Struct):
    """Ids of users.

    Attributes:
        users: Those of the log first.
    """

    users: list[str | int]
