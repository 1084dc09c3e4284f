"""Intents, items, the model and the state of the server."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from elcrec.serving.api.schemas.fields import UnknownUser


class TypicalItem(Struct):
    """An item over-represented among the users of an intent.

    Attributes:
        item_id: The item.
        title: Its title; null without one.
        lift: How many times more frequent it is than among all users.
        users: Users of the intent who have it.
    """

    item_id: str | int
    title: str | None
    lift: float
    users: int


class TypicalAttribute(Struct):
    """An attribute over-represented among the items of an intent's users.

    Attributes:
        attribute: The attribute.
        lift: How many times more frequent it is than among all users.
        users: Users of the intent who have it.
    """

    attribute: str
    lift: float
    users: int


class Counterpart(Struct):
    """The intent of the served run that is the same as one of the second run; see ``ELCRec.match_intents``.

    Attributes:
        intent: Its number.
        cosine: Between the two, after a rotation that aligns the items of both runs: 0.5 to 1.
    """

    intent: int
    cosine: float


class Intent(Struct):
    """Description of an intent; see ``ELCRec.intents``.

    Attributes:
        intent: Its number.
        name: Its name.
        given: Whether the name was given by a person.
        users: Users whose nearest intent it is.
        share: Part of all users, 0 to 1.
        cosine: Mean cosine of its users to its centre; null without users.
        margin: Mean of that cosine minus the one to the next intent; null without users or next intent.
        flags: What is wrong with it: dead, duplicate, dominant.
        nearest: Other intents, the most similar first.
        trend: Part of all events in each period; null without times.
        items: Typical items.
        attributes: Typical attributes.
        counterpart: Only of intents of the second run that the served run has, too.
    """

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
    counterpart: Counterpart | UnsetType = UNSET


class IntentsResponse(Struct):
    """All intents, the largest first.

    Attributes:
        n_intents: Number of intents.
        trend_periods: Names of the periods of the trends; null without times.
        intents: The intents.
    """

    n_intents: int
    trend_periods: list[str] | None
    intents: list[Intent]


class IntentPlace(Struct):
    """Median place of an intent's users, 0 to 1.

    Attributes:
        intent: The intent.
        x: From the left.
        y: From the top.
    """

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
    """A name for an intent; empty: the automatic one.

    Attributes:
        name: The name.
    """

    name: Annotated[str, Meta(max_length=200)]


class SimilarItem(Struct):
    """An item similar to another, by the cosine of their vectors.

    Attributes:
        item_id: The item.
        title: Its title; null without one.
        score: The cosine, -1 to 1.
        rank: From 1.
    """

    item_id: str | int
    title: str | None
    score: float
    rank: int


class SimilarItems(Struct):
    """Items similar to an item.

    Attributes:
        item_id: The item of the request.
        title: Its title; null without one.
        items: Most similar first.
    """

    item_id: str | int
    title: str | None
    items: list[SimilarItem]


class FoundItem(Struct):
    """An item found.

    Attributes:
        item_id: The item.
        title: Its title; null without one.
        events: Number of its events in the log.
    """

    item_id: str | int
    title: str | None
    events: int


class FoundItems(Struct):
    """Items found, most popular first.

    Attributes:
        items: The items.
    """

    items: list[FoundItem]


class SecondRun(Struct):
    """The run that the served one is compared with.

    Attributes:
        name: The end of its folder's path.
        version: Tells this model from others.
        recipe: How it was trained.
        n_users: Users of its log.
        n_items: Items that it can recommend.
        n_events: Events of its log.
        n_intents: Number of its intents.
        metrics: Metrics of the parts of its log it was evaluated on.
        comparable: Whether the metrics of both runs are comparable: their logs are the same, and what is held out and
            ranked, and the users who are evaluated.
    """

    name: str
    version: str
    recipe: str
    n_users: int
    n_items: int
    n_events: int
    n_intents: int
    metrics: dict[str, Any]
    comparable: bool


class ModelCard(Struct):
    """The model that is served.

    Attributes:
        version: Tells this model from others.
        recipe: How it was trained.
        elcrec: Version of elcrec that serves it.
        loaded: When, in seconds since 1970.
        n_users: Users of the log.
        n_items: Items that can be recommended.
        n_events: Events of the log.
        n_intents: Number of intents.
        max_seq_len: Newest events that are read of a history.
        exclude_seen: Whether lists leave out items of the history by default.
        unknown_user: Fallback for users without a history.
        read_only: Whether events, names and deletions are refused.
        max_k: Most recommendations of one request.
        max_history: Most items in the history of a request.
        metrics: Metrics of the parts of the log it was evaluated on.
        pictures: Whether the item file names pictures.
        name: The end of the run folder's path.
        against: The second run, where the server was started with ``--against``; else null.
    """

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
    name: str
    against: SecondRun | None


class ServerStatus(Struct):
    """Status of the server.

    Attributes:
        status: ``ok`` or ``ready``.
        model: Version of the model.
        models: Only of ``/readyz``: the versions that the workers serve, as of two seconds ago. After a reload there is
            one, once all have loaded it.
    """

    status: str
    model: str
    models: list[str] | UnsetType = UNSET


class ReloadResponse(Struct):
    """The model that this worker serves from now on; the others load it now, see ``models`` of ``/readyz``.

    Attributes:
        model: Version of the model.
        changed: Whether it, or the second run, is another than before.
        against: Version of the second run; null without one.
    """

    model: str
    changed: bool
    against: str | None
