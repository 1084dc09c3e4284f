"""Requests for recommendations that wait, and how a batch of them is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from elcrec.data.features import Features
from elcrec.errors import UnknownIdError
from elcrec.serving.histories import RankedHistory, ranked_history
from elcrec.serving.store import Store, UserRecord

if TYPE_CHECKING:
    from elcrec.inference.lookup import Recommendations
    from elcrec.inference.policy import RankingPolicy, ResolvedPolicy
    from elcrec.serving.snapshot import Snapshot


class PendingRequest(NamedTuple):
    """A request in terms of the model that answers it.

    Attributes:
        snapshot: The model.
        policy: How to rank, as requested.
        resolved: The same in the model's terms; one object for equal policies.
        user: Id of the user, as text; None for a request with a history.
        history: The history; None: that of the user.
        unknown_user: The fallback without a history: ``popular``, ``intents`` or ``error``.
        features: What the request tells of the user, a row; None: what the model knows of a known user.
    """

    snapshot: Snapshot
    policy: RankingPolicy
    resolved: ResolvedPolicy
    user: str | None
    history: RankedHistory | None
    unknown_user: str
    features: Features | None = None


def recommend_batch(batch: list[PendingRequest], store: Store) -> list[Recommendations | Exception]:
    """Recommendations for each request, or its error; requests with one model and policy are ranked together."""
    results: list[Recommendations | Exception] = []
    same_policy: dict[tuple[int, int], list[int]] = {}
    histories = _histories(batch, store)
    for place, (pending, history) in enumerate(zip(batch, histories, strict=True)):
        results.append(RuntimeError("no answer"))
        if isinstance(history, Exception):
            results[place] = history
        elif len(history.items):
            same_policy.setdefault((id(pending.snapshot), id(pending.resolved)), []).append(place)
        else:
            results[place] = _without_history(pending)
    for places in same_policy.values():
        first = batch[places[0]]
        try:
            items, *known = zip(*(histories[place] for place in places), strict=True)
            found: list[Any] = first.snapshot.lookup.recommend(items, first.resolved, *known)
        except Exception as error:
            found = [error] * len(places)
        for place, result in zip(places, found, strict=True):
            results[place] = result
    return results


def _histories(batch: list[PendingRequest], store: Store) -> list[Any]:
    """The history of each, or the error of the store for requests that need it."""
    users = [str(pending.user) for pending in batch if pending.history is None]
    try:
        records = iter(store.read(users) if users else [])
    except Exception as error:
        return [error if pending.history is None else _history(pending, iter(())) for pending in batch]
    return [_history(pending, records) for pending in batch]


def _history(pending: PendingRequest, records: Iterator[UserRecord]) -> RankedHistory:
    """What came with the request, or the next record."""
    found = pending.history
    if found is None:
        found = ranked_history(pending.snapshot.lookup, pending.user or "", next(records))
    return found if pending.features is None else found._replace(features=pending.features)


def _without_history(pending: PendingRequest) -> Recommendations | Exception:
    try:
        return _fallback(pending)
    except Exception as error:
        return error


def _fallback(pending: PendingRequest) -> Recommendations:
    lookup, unknown, intents = pending.snapshot.lookup, pending.unknown_user, pending.policy.intents
    if unknown == "error" or (unknown == "intents" and not intents):
        if pending.user is None:
            raise UnknownIdError("the history holds no item that the model knows; send some, or unknown_user='popular'")
        remedy = ": choose intents" if unknown == "intents" else ", or set unknown_user='popular'"
        raise UnknownIdError(f"user {pending.user[:80]!r} has no history; send events or a history{remedy}")
    if unknown == "intents":
        return lookup.most_likely(intents, pending.resolved)._replace(fallback="intents")
    return lookup.most_popular(pending.resolved)._replace(fallback="popular")
