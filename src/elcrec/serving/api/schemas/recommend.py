"""Requests for recommendations, and their responses."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from elcrec.inference.policy import STRENGTH, RankingPolicy
from elcrec.serving.api.schemas.fields import (
    Count,
    FeatureValue,
    Id,
    IntentNumber,
    Share,
    TextId,
    UnknownUser,
    normalize_ids,
)


class RecommendRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """A request for recommendations: for whom, and by which ranking policy.

    Attributes:
        user_id: A known user. Send this or ``history``.
        history: Item ids of any user, oldest first.
        k: Recommendations wanted.
        exclude_seen: Leave out items of the history; default: as the model was trained.
        only_seen: Recommend only items of the history (buy again); without a history none.
        allow: Only these items.
        deny: None of these items.
        attributes: Only items with at least one of these attributes.
        all_attributes: Only items with every one of these attributes.
        intents: Steer toward these intents.
        exclude_intents: Score without these intents.
        strength: Weight of the steering. Without ``intents`` it has no effect, and ``notes`` say so.
        diversify: How far the recommendations follow the mix of the user's intents.
        explain: Add reasons.
        unknown_user: Fallback for a user without a history; default: as the server was started.
        unknown_items: What to do with items in ``history``, ``allow`` and ``deny`` that the model does not know:
            ``error``, or ``skip`` them. In ``allow`` and ``deny`` an item is named by its id or its whole title.
        user_features: What is known of the user, by columns of the training's user file; it replaces all that the model
            knows of a known user. Values that it does not know count as unknown, and ``notes`` name them.
        against: The second run answers, from the same history; only where the server was started with ``--against``.
            ``intents`` are its own then, see ``GET /v1/intents?against=true``.
    """

    user_id: Id | None = None
    history: list[Id] | None = None
    k: Count = 10
    exclude_seen: bool | None = None
    only_seen: bool = False
    allow: list[Id] | None = None
    deny: list[Id] = []
    attributes: list[TextId] = []
    all_attributes: list[TextId] = []
    intents: list[IntentNumber] = []
    exclude_intents: list[IntentNumber] = []
    strength: Share = STRENGTH
    diversify: Share = 0.0
    explain: bool = False
    unknown_user: UnknownUser | None = None
    unknown_items: Literal["error", "skip"] = "error"
    user_features: dict[TextId, FeatureValue] | None = None
    against: bool = False

    def __post_init__(self) -> None:
        """Refuse ids that no log can hold."""
        normalize_ids(self, "user_id", "history", "allow", "deny")

    def policy(self) -> RankingPolicy:
        """The fields that say how to rank."""
        unknown = "skip" if self.unknown_items == "skip" else "raise"
        return RankingPolicy(unknown=unknown, **{name: getattr(self, name) for name in POLICY_FIELDS})


POLICY_FIELDS = [field.name for field in fields(RankingPolicy) if field.name in RecommendRequest.__struct_fields__]


class RecommendBatchRequest(Struct, forbid_unknown_fields=True):
    """Several requests at once.

    Attributes:
        requests: The requests.
    """

    requests: list[RecommendRequest]


class ScorePart(Struct):
    """An intent's part of a score.

    Attributes:
        intent: The intent.
        part: What it adds to the score.
    """

    intent: int
    part: float


class Reason(Struct):
    """Why an item is recommended; see ``ELCRec.recommend``.

    Attributes:
        intent: Of the user's nearest intents the one with the largest part of the score; null: no part is positive.
        intent_name: Its name.
        intent_share: That part over the score; null where the score is not positive.
        because: Items of the history that the intent rests on most.
        because_titles: Their titles.
        rank_without: The rank without that intent; null with ``diversify``.
        parts: Each intent's part of the score; with the next three it adds up to the score.
        residual: What intents do not explain.
        steering: What the boosted intents add.
        repeat: What it adds that the item was taken before.
        like: An item of the history that it resembles; null where there is none.
        like_title: Its title.
        shared: Attributes that both have.
    """

    intent: int | None
    intent_name: str | None
    intent_share: float | None
    because: list[str | int]
    because_titles: list[str | None]
    rank_without: int | None
    parts: list[ScorePart]
    residual: float
    steering: float
    repeat: float
    like: str | int | None
    like_title: str | None
    shared: list[str]


class RecommendedItem(Struct):
    """One recommendation.

    Attributes:
        item_id: The item.
        score: Lists are sorted by it; comparable within a list only.
        rank: From 1.
        title: Its title; left out without one.
        image_url: Address of its picture; left out without one.
        reason: Why; only with ``explain``.
        only_here: True where the other run of the server does not know the item; left out otherwise.
    """

    item_id: str | int
    score: float
    rank: int
    title: str | UnsetType = UNSET
    image_url: str | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    only_here: bool | UnsetType = UNSET


class RecommendResponse(Struct):
    """Recommendations for one request.

    Attributes:
        user_id: The user of the request; null for a history.
        items: Best first.
        fallback: Null for recommendations from a history; else ``popular`` or ``intents``: there was no history.
        model: Version of the model.
        skipped: Items of the history that the model does not know (of a history in the request, or with ``against``);
            left out where it knows all.
        notes: What of the request has no effect, and why; left out where all has.
    """

    user_id: str | int | None
    items: list[RecommendedItem]
    fallback: Literal["popular", "intents"] | None
    model: str
    skipped: list[str | int] | UnsetType = UNSET
    notes: list[str] | UnsetType = UNSET


class RecommendBatchResult(Struct):
    """Recommendations, or the error (one of them).

    Attributes:
        answer: The recommendations.
        error: What is wrong with this request.
    """

    answer: RecommendResponse | None = None
    error: str | None = None


class RecommendBatchResponse(Struct):
    """A result for each request, in their order.

    Attributes:
        results: One a request.
    """

    results: list[RecommendBatchResult]
