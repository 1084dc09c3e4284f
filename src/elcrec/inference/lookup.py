"""Recommendations and look-ups for a server: single users, in batches, without data frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from elcrec.data.clock import Clock
from elcrec.data.event_codes import code_of_kinds, gap_codes, kinds_in, packed, seconds_of
from elcrec.data.features import Features
from elcrec.data.histories import HistoryBatch
from elcrec.data.joining import ID
from elcrec.data.numbers import at_least_one
from elcrec.data.splits import newest_of_basket
from elcrec.data.titles import folded
from elcrec.data.vocabulary import Indices
from elcrec.inference.policy import ResolvedPolicy
from elcrec.inference.resemblance import Resemblance
from elcrec.inference.scoring import top_items
from elcrec.inference.topn import TopN


class Recommendations(NamedTuple):
    """One list.

    Attributes:
        items: Item ids, best first.
        scores: As in :meth:`elcrec.ELCRec.recommend`, of each.
        reasons: With ``explain`` the columns of :meth:`elcrec.ELCRec.recommend` that say why, of each, with ``like``
            and ``shared``, see :class:`elcrec.inference.resemblance.Resembled`; else None.
        fallback: Where they are from, if not from a history: ``popular`` items or typical ones of ``intents``.
    """

    items: list[Any]
    scores: list[float]
    reasons: list[dict[str, Any]] | None = None
    fallback: Literal["popular", "intents"] | None = None


class Lookup:
    """Answers single requests to a fitted model fast.

    Recommendations equal those of :meth:`elcrec.ELCRec.recommend` and
    :meth:`elcrec.ELCRec.recommend_from_history` to the bit.
    A history here is an array of item indices, as :meth:`history_of` and :meth:`TopN.item_numbers` give them.
    """

    def __init__(self, topn: TopN) -> None:
        """Of a model's recommendations."""
        self.topn = topn
        self.fitted = topn.fitted

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that tell these weights and items from others."""
        digest = hashlib.blake2b(digest_size=6)
        for name, value in sorted(self.fitted.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        digest.update("\n".join(self.fitted.items.by_text).encode())
        return digest.hexdigest()

    def prepare(self) -> None:
        """Compute what single requests need, before the first of them."""
        _ = self.version, self.titles
        table = self.fitted.dataset.user_table
        for user in [] if table is None else table.ids.head(1):  # sorts the users and the values of their columns
            self.fitted.dataset.user_features_of_one(user)

    # ------------------------------------------------------------------ users and their events

    def history_of(self, user: Any) -> Indices | None:
        """A user's items in the log, oldest first: int64 [n]; None for an unknown user."""
        number = self.fitted.users.find(user)
        return None if number < 0 else self._item_N[self._events_of(number)]

    @cached_property
    def clock(self) -> Clock:
        """How the log tells time."""
        return Clock.of(self.fitted.dataset.whole_log.frame.get_column("timestamp", default=None))

    @cached_property
    def learnt_events(self) -> frozenset[str]:
        """Ids of the events in a log without times; events of a log with times need none."""
        ids = self.fitted.log.frame.get_column(ID, default=pl.Series(dtype=pl.String))
        return frozenset(ids.drop_nulls().to_list())

    def times_of(self, user: Any) -> npt.NDArray[np.int64 | np.float64] | None:
        """When those events were, in the log's own unit (dates and moments as whole numbers of it): [n].

        None for an unknown user, or where the log has no times.
        """
        number = self.fitted.users.find(user)
        return None if number < 0 or self._time_N is None else self._time_N[self._events_of(number)]

    @cached_property
    def kinds(self) -> dict[str, int] | None:
        """See :meth:`elcrec.data.interactions.Interactions.kinds`."""
        return self.fitted.log.kinds()

    def kinds_of(self, user: Any) -> list[str | None] | None:
        """Kinds of those events, [n]; an event without one has that of new events, if it is known which.

        None for an unknown user, or where the log keeps no kinds.
        """
        number, kind = self.fitted.users.find(user), self.fitted.settings.kind_of_new
        if number < 0 or "event" not in self.fitted.log.frame.columns:
            return None
        own = self.fitted.log.frame["event"][self._events_of(number)]
        kinds: list[str | None] = (own if kind is None else own.fill_null(kind)).to_list()
        return kinds

    def baskets_of(self, times: Sequence[Any] | npt.NDArray[Any]) -> Indices | None:
        """Of each event of a history, the place of the last one at its time: int64 [n].

        None where the model does not know baskets, or the log has no times.
        """
        if self.fitted.split.newest_N is None or self._time_N is None or not len(times):
            return None
        time_N = np.asarray(times)
        begins_N = np.append(True, time_N[1:] != time_N[:-1])
        return newest_of_basket(np.flatnonzero(begins_N), len(time_N))

    def codes_of(
        self, user: Any, place_n: Indices, times: Sequence[Any], kinds: Sequence[str | None]
    ) -> Indices | None:
        """What the model reads of the events of a history (:mod:`elcrec.data.event_codes`): int64 [n].

        None where it reads nothing of them. A new event that tells no kind is of the kind of new events.

        Args:
            user: Whose.
            place_n: int64 [n], where each event stands in the user's part of the log; -1: nowhere.
            times: [n], in the log's own unit.
            kinds: [n], of events that are not in the log; None: they tell none.
        """
        if self._event_N is None:
            return None
        new, codes = self.fitted.settings.kind_of_new or "", self._code_of_kinds
        kind_n = np.array([codes.get(kind or new, 0) for kind in kinds], dtype=np.int64)
        gap_n = np.zeros_like(kind_n)
        number, in_log_n = self.fitted.users.find(user), place_n >= 0
        if number >= 0:
            kind_n[in_log_n] = kinds_in(self._event_N[self._events_of(number)][place_n[in_log_n]])
        if self.fitted.settings.reads_gaps and self._time_unit is not None and len(place_n):
            gap_n = gap_codes(np.asarray(times), self._time_unit)
        return packed(kind_n, gap_n)

    @cached_property
    def _event_N(self) -> Indices | None:
        event_N = self.fitted.split.event_N
        return None if event_N is None else event_N.cpu().numpy()

    @cached_property
    def _time_unit(self) -> float | None:
        return seconds_of(self.fitted.log)

    @cached_property
    def _code_of_kinds(self) -> dict[str, int]:
        return code_of_kinds(self.fitted.settings)

    def _events_of(self, number: int) -> slice:
        split = self.fitted.split
        return slice(int(split.start_U[number]), int(split.end_U[number]))

    @cached_property
    def _item_N(self) -> Indices:
        items: Indices = self.fitted.split.item_N.cpu().numpy()
        return items

    @cached_property
    def _time_N(self) -> npt.NDArray[np.int64 | np.float64] | None:
        if "timestamp" not in self.fitted.log.frame.columns:
            return None
        times = self.fitted.log.frame["timestamp"].to_physical()
        return times.cast(pl.Float64 if times.dtype.is_float() else pl.Int64).to_numpy()

    def features_of(self, user: Any) -> Features | None:
        """What the model knows of a user: a row; None for an unknown user, or where it reads no user features.

        Users of the table who had no events at the training are known, too.
        """
        number, known = self.fitted.users.find(user), self.fitted.split.user_features
        if known is None:
            return None
        if number >= 0:
            return known.at(torch.tensor([number], device=self.fitted.device))
        return self.fitted.dataset.user_features_of_one(user)

    # ------------------------------------------------------------------ lists

    def recommend(
        self,
        histories: Sequence[Indices],
        policy: ResolvedPolicy,
        baskets: Sequence[Indices | None] | None = None,
        codes: Sequence[Indices | None] | None = None,
        features: Sequence[Features | None] | None = None,
    ) -> list[Recommendations]:
        """The best items for each of some histories, none of them empty.

        Args:
            histories: Items of each.
            policy: How to rank.
            baskets: Of each what :meth:`baskets_of` says; None: each event is a basket of its own.
            codes: Of each what :meth:`codes_of` says; None: nothing is known of the events.
            features: Of each user what :meth:`features_of` says; None: nothing is known of the users.
        """
        if not histories:
            return []
        users = self.topn.encoded(self.batch(histories, baskets, codes, features))
        item_QK, score_QK, parts = self.topn.best(users, policy)
        lists = self._lists(item_QK, score_QK)
        if parts is None or not policy.explain:
            return lists
        reasons = pl.DataFrame(self.topn.explainer.reasons(users, item_QK, score_QK, parts, policy)).to_dicts()
        ends = np.cumsum([len(one.items) for one in lists]).tolist()
        return [
            one._replace(reasons=self._with_resemblance(one.items, reasons[end - len(one.items) : end], history))
            for one, end, history in zip(lists, ends, histories, strict=True)
        ]

    def _with_resemblance(
        self, items: Sequence[Any], reasons: list[dict[str, Any]], history: Indices
    ) -> list[dict[str, Any]]:
        likes = Resemblance(self.fitted).of_list(items, self.item_ids(history))
        return [reason | {"like": one.item, "shared": one.shared} for reason, one in zip(reasons, likes, strict=True)]

    def batch(
        self,
        histories: Sequence[Indices],
        baskets: Sequence[Indices | None] | None = None,
        codes: Sequence[Indices | None] | None = None,
        features: Sequence[Features | None] | None = None,
    ) -> HistoryBatch:
        """Histories, at least one, with what is known of their events; see :meth:`recommend`."""
        length_Q = torch.tensor([len(history) for history in histories], device=self.fitted.device)
        item_N, event_N = torch.from_numpy(np.concatenate(histories)).to(self.fitted.device), None
        if codes is not None and any(one is not None for one in codes):
            known = [np.zeros_like(items) if one is None else one for items, one in zip(histories, codes, strict=True)]
            event_N = torch.from_numpy(np.concatenate(known)).to(self.fitted.device)
        newest_N, of_users = self._newest(histories, baskets), None if features is None else self._joined(features)
        batch = HistoryBatch.joined(item_N, length_Q)
        return replace(batch, newest_N=newest_N, event_N=event_N, user_features=of_users)

    def _joined(self, features: Sequence[Features | None]) -> Features | None:
        """Features of several users, a row each; None where the model reads none."""
        known = self.fitted.split.user_features
        if known is None:
            return None
        first = torch.zeros(1, dtype=torch.int64, device=self.fitted.device)
        nothing = known.at(first).only(first > 0)
        return Features.joined([nothing if one is None else one for one in features])

    def _newest(self, histories: Sequence[Indices], baskets: Sequence[Indices | None] | None) -> Tensor | None:
        """Position of the last event of each event's basket, of histories that lie end to end: int64 [N]."""
        if baskets is None or all(one is None for one in baskets):
            return None
        lengths = [len(history) for history in histories]
        places = [np.arange(length) if one is None else one for length, one in zip(lengths, baskets, strict=True)]
        first_N = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return torch.from_numpy(np.concatenate(places) + first_N).to(self.fitted.device)

    def most_popular(self, policy: ResolvedPolicy) -> Recommendations:
        """The items with most events, of those allowed; scores are their numbers of events.

        Where one kind of event is predicted, its events count alone.
        """
        return self._by_scores(self.topn.popularity_V, policy)

    def most_typical(self, intents: Sequence[int], policy: ResolvedPolicy) -> Recommendations:
        """The items most typical of intents, of those allowed; scores are lifts."""
        return self._by_scores(self.topn.assigner.item_intents.lift(self.topn.chosen(intents)), policy)

    def most_likely(self, intents: Sequence[int], policy: ResolvedPolicy) -> Recommendations:
        """The allowed items that a user who chose these intents is most likely to take, see ``NewUserRanking``."""
        return self._by_scores(self.topn.new_users.scores(self.topn.chosen(intents)), policy)

    def _by_scores(self, score_V: Tensor, policy: ResolvedPolicy) -> Recommendations:
        score_V, adjustment = score_V.clone(), policy.adjustment
        score_V[0] = float("-inf")
        if adjustment is not None and adjustment.barred_V is not None:
            score_V.masked_fill_(adjustment.barred_V.cpu(), float("-inf"))
        if adjustment is not None and adjustment.only_seen:  # without a history no item is seen
            score_V.fill_(float("-inf"))
        return self._lists(*top_items(score_V[None], policy.k))[0]

    def _lists(self, item_QK: Tensor, score_QK: Tensor) -> list[Recommendations]:
        ids, lists = self._ids, []
        for items, scores in zip(item_QK.tolist(), score_QK.tolist(), strict=True):
            kept = [(ids[item], score) for item, score in zip(items, scores, strict=True) if item > 0]
            lists.append(Recommendations([item for item, _ in kept], [score for _, score in kept]))
        return lists

    @cached_property
    def _ids(self) -> list[Any]:
        """Ids by item index; nothing at 0."""
        return [None, *self.fitted.items.ids.to_list()]

    def item_ids(self, numbers: Indices) -> list[Any]:
        """Ids of item indices."""
        return [self._ids[number] for number in numbers.tolist()]

    # ------------------------------------------------------------------ finding items and users

    @cached_property
    def pictures(self) -> dict[Any, str]:
        """Address of a picture by item id, where the catalogue has some."""
        return {} if self.fitted.catalogue is None else self.fitted.catalogue.pictures()

    @cached_property
    def titles(self) -> dict[Any, str]:
        """Title by item id, of items that have one."""
        return self.fitted.dataset.titles.by_id

    def find_items(self, text: str, k: int = 10) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.find_items`."""
        wanted, names = folded(text), (pl.col("id_text"), pl.col("title_text"))
        return (
            self._item_names.filter(pl.any_horizontal(name.str.contains(wanted, literal=True) for name in names))
            .with_columns(
                same=pl.col("id_text") == wanted,
                begins=pl.any_horizontal(name.str.starts_with(wanted) for name in names),
            )
            .sort("same", "begins", "events", descending=True, maintain_order=True)
            .head(at_least_one("k", k))
            .select("item_id", "title", "events")
        )

    @cached_property
    def _item_names(self) -> pl.DataFrame:
        ids = self.fitted.items.ids.alias("item_id")
        titles = [self.titles.get(item) for item in ids.to_list()]
        count_V = torch.bincount(self.fitted.split.item_N.cpu(), minlength=len(ids) + 1)
        return pl.DataFrame(
            [
                ids,
                pl.Series("title", titles, dtype=pl.String),
                pl.Series("events", count_V[1:].numpy()),
                pl.Series("id_text", [folded(item) for item in ids.cast(pl.String).to_list()], dtype=pl.String),
                pl.Series("title_text", [folded(title or "") for title in titles], dtype=pl.String),
            ]
        )

    def find_users(self, text: str, k: int = 10) -> list[Any]:
        """See :meth:`elcrec.ELCRec.find_users`."""
        begins, k = pl.col("id").cast(pl.String).str.starts_with(text), at_least_one("k", k)
        return self.fitted.users.ids.alias("id").to_frame().lazy().filter(begins).head(k).collect()["id"].to_list()
