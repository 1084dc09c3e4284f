"""Intents of a fitted model: description, names, users, and trends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.data.histories import HistoryBatch
from elcrec.data.numbers import at_least_one, from_0_to_1, is_whole
from elcrec.data.titles import folded
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning, SettingsError
from elcrec.intents.assignment import IntentAssigner, IntentAssignment
from elcrec.intents.attribution import leave_one_out
from elcrec.intents.intent_health import IntentHealth, collapse_warning, intent_flags, intent_health
from elcrec.intents.intent_table import typical_attributes, typical_items
from elcrec.intents.matching import NamedIntents, match_centers
from elcrec.intents.naming import name_intents, named
from elcrec.intents.trend import Periods, make_periods, trends
from elcrec.intents.user_map import Points, user_map
from elcrec.process.warning import warn
from elcrec.storage import write_table

NEAREST = 3
TREND_EVENTS = 20_000
CARRY_COSINE = 0.5
MOST_NAME = 80


class Intents:
    """The intents of a fitted model; :class:`elcrec.ELCRec` documents what each method returns."""

    def __init__(self, assigner: IntentAssigner, given_names: Mapping[int, str] | None = None) -> None:
        """Of a model.

        Args:
            assigner: Of the same model.
            given_names: Names given by users of the package, by intent.
        """
        self.assigner = assigner
        self.fitted = assigner.fitted
        self.given_names = dict(given_names or {})

    # ------------------------------------------------------------------ of histories

    def of_users(self, users: Iterable[Any] | None = None, unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.user_intents`."""
        if users is None and is_whole(top) and top == 1:
            return _one_each(self.fitted.users.ids.alias("user_id"), self.assigner.of_users)
        return self.of(self.fitted.dataset.of_users(users, unknown), top)

    def of(self, histories: HistoryBatch, top: int = 1) -> pl.DataFrame:
        """The nearest intents of histories: their ids and the columns of :meth:`elcrec.ELCRec.user_intents`."""
        if not is_whole(top) or not 1 <= top <= self.assigner.n_intents:
            raise SettingsError(f"top={top!r}: use 1 to {self.assigner.n_intents} (the number of intents)")
        ids = histories.named
        if top == 1:
            return _one_each(ids, self.assigner.assign(histories))
        intent_QT, similarity_QT, weight_QT = self.assigner.strongest(histories, top)
        return pl.DataFrame(
            [
                ids.gather(np.repeat(np.arange(len(ids)), top)),
                pl.Series("intent", intent_QT.flatten().cpu().numpy(), dtype=pl.Int64),
                pl.Series("similarity", similarity_QT.flatten().cpu().numpy(), dtype=pl.Float32),
                pl.Series("weight", weight_QT.flatten().cpu().numpy(), dtype=pl.Float32),
                pl.Series("rank", np.tile(np.arange(1, top + 1), len(ids)), dtype=pl.Int64),
            ]
        )

    def timeline(self, user: Any = None, history: Iterable[Any] | None = None) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.intent_timeline`.

        Raises:
            SettingsError: Neither a user nor a history is given, or both are.
        """
        if (user is None) == (history is None):
            raise SettingsError("say whose timeline: a user, or a history (one of them)")
        if history is not None:
            return self.timeline_of(self.fitted.dataset.of_items([history]), None)
        known = self.fitted.dataset.of_users([user])
        at = slice(int(known.start_Q[0]), int(known.end_Q[0]))
        return self.timeline_of(known, None if self._times is None else self._times[at])

    def timeline_of(self, history: HistoryBatch, times: pl.Series | None = None) -> pl.DataFrame:
        """The timeline of a single history, with the times of its events where they are known."""
        first, last = int(history.start_Q[0]), int(history.end_Q[0])
        end_Q = torch.arange(first + 1, last + 1, device=history.end_Q.device)
        start_Q = torch.full_like(end_Q, first)
        so_far = self.of(HistoryBatch(history.item_N, start_Q, end_Q, event_N=history.event_N))
        final = torch.tensor([[int(so_far["intent"][-1])]], device=end_Q.device)
        _, pull_QWM = leave_one_out(self.fitted.network, history, final)
        pull = pull_QWM[0, :, 0].tolist()
        return pl.DataFrame(
            [
                pl.Series("position", range(1, last - first + 1), dtype=pl.Int64),
                self.fitted.items.ids_of(history.item_N[first:last].cpu().numpy()).alias("item_id"),
                *([] if times is None else [times]),
                so_far["intent"],
                so_far["weight"],
                pl.Series("pull", [None] * (last - first - len(pull)) + pull, dtype=pl.Float64),
            ]
        )

    @property
    def _times(self) -> pl.Series | None:
        frame = self.fitted.log.frame
        return frame["timestamp"] if "timestamp" in frame.columns else None

    def audience(self, intents: Iterable[int], out: str | Path | None, min_weight: float, top: int) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.audience`."""
        wanted, min_weight = self.assigner.checked(intents), from_0_to_1("min_weight", min_weight)
        events = self.fitted.log.frame.group_by("user_id").len("events")
        frame = (
            self.of_users(top=top)
            .filter(pl.col("intent").is_in(wanted) & (pl.col("weight") >= min_weight))
            .join(events, on="user_id", maintain_order="left")
            .sort("weight", descending=True, maintain_order=True)
            .pipe(self.beside)
            .select("user_id", "intent", "intent_name", "weight", "similarity", "events")
        )
        if out is not None:
            write_table(Path(out), frame)
        return frame

    def user_map(self) -> Points:
        """See :meth:`elcrec.ELCRec.user_map`."""
        everybody = self.assigner.behaviours(self.fitted.dataset.of_users())
        return user_map(everybody.cpu(), self.fitted.settings.seed)

    # ------------------------------------------------------------------ the intents themselves

    def table(self, k: int = 10, trend: bool = True) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.intents`."""
        size_K, typical = self._size_K, self._typical(at_least_one("k", k))
        flags = intent_flags(size_K, self.assigner.unit_centers)
        names, close, nearest_KX = self.names, self._closeness, self._nearest_intents
        trend_KP = self._trend_KP if trend else None
        rows = [
            {
                "intent": intent,
                "name": names[intent],
                "users": int(size_K[intent]),
                "share": int(size_K[intent]) / len(self.fitted.users),
                **typical[intent],
                "nearest": nearest_KX[intent],
                "cosine": close[intent][0],
                "margin": close[intent][1],
                "trend": None if trend_KP is None else trend_KP[intent],
                "flags": [name for name, flag_K in flags.items() if flag_K[intent]],
            }
            for intent in self._largest_first
        ]
        table = pl.DataFrame(rows, schema_overrides=self._table_schema)
        return table if trend else table.drop("trend")

    def largest(self, count: int) -> list[tuple[str, float]]:
        """Name and share of users of the largest intents, as :meth:`table` has them, without its other columns."""
        names, size_K, n_users = self.names, self._size_K, len(self.fitted.users)
        return [(names[intent], int(size_K[intent]) / n_users) for intent in self._largest_first[:count]]

    @property
    def _size_K(self) -> torch.Tensor:
        """Users of each intent, int64 [K]."""
        return torch.bincount(self.assigner.of_users.intent_Q, minlength=self.assigner.n_intents)

    @property
    def _largest_first(self) -> list[int]:
        sizes = self._size_K.tolist()
        return sorted(range(len(sizes)), key=lambda intent: (-sizes[intent], intent))

    @property
    def _table_schema(self) -> dict[str, Any]:
        floats = pl.List(pl.Float64)
        return {
            "items": pl.List(self.fitted.items.ids.dtype),
            "lifts": floats,
            "item_users": pl.List(pl.Int64),
            "attributes": pl.List(pl.String),
            "attribute_lifts": floats,
            "attribute_users": pl.List(pl.Int64),
            "nearest": pl.List(pl.Int64),
            "cosine": pl.Float64,
            "margin": pl.Float64,
            "trend": floats,
            "flags": pl.List(pl.String),
        }

    def _typical(self, k: int) -> list[dict[str, Any]]:
        """Typical items and attributes of each intent, with lifts and numbers of users."""
        users, events, catalogue = self.assigner.users_frame, self.fitted.log.frame, self.fitted.catalogue
        items = typical_items(users, events, k).partition_by("intent", as_dict=True)
        attributes: dict[Any, pl.DataFrame] = {}
        if catalogue is not None:
            attributes = typical_attributes(users, events, catalogue, k).partition_by("intent", as_dict=True)
        return [
            {
                **_columns(items.get((intent,)), item_id="items", lift="lifts", users="item_users"),
                **_columns(
                    attributes.get((intent,)), attribute="attributes", lift="attribute_lifts", users="attribute_users"
                ),
            }
            for intent in range(self.assigner.n_intents)
        ]

    @property
    def _nearest_intents(self) -> list[list[int]]:
        unit_KD = self.assigner.unit_centers
        cosine_KK = (unit_KD @ unit_KD.T).fill_diagonal_(-2)
        nearest: list[list[int]] = cosine_KK.topk(min(NEAREST, len(unit_KD) - 1), dim=1).indices.tolist()
        return nearest

    @cached_property
    def _closeness(self) -> list[tuple[float | None, float | None]]:
        """Mean cosine and margin of each intent's users; None where there are none."""
        everybody = self.assigner.of_users
        frame = (
            pl.DataFrame(
                {
                    "intent": everybody.intent_Q.cpu().numpy(),
                    "cosine": everybody.cosine_Q.cpu().double().numpy(),
                    "margin": everybody.margin_Q.cpu().double().numpy(),
                }
            )
            .group_by("intent")
            .mean()
        )
        known = {intent: (cosine, margin) for intent, cosine, margin in frame.iter_rows()}
        return [known.get(intent, (None, None)) for intent in range(self.assigner.n_intents)]

    def health(self, most: int | None = None) -> IntentHealth:
        """See :meth:`elcrec.ELCRec.intent_health`."""
        if most is None or at_least_one("most", most) >= len(self.fitted.users):
            found = self.assigner.of_users
        else:
            found = self.assigner.assign(self.fitted.dataset.sample(most, self.fitted.settings.seed))
        size_K = torch.bincount(found.intent_Q, minlength=self.assigner.n_intents)
        health = intent_health(size_K, self.assigner.unit_centers)
        health["cosine"] = found.cosine_Q.double().mean().item()
        health["margin"] = found.margin_Q.double().mean().item()
        health["warning"] = collapse_warning(health, self.assigner.n_intents, len(found.intent_Q))
        return health

    # ------------------------------------------------------------------ time

    @property
    def trend_periods(self) -> list[str] | None:
        """See :attr:`elcrec.ELCRec.trend_periods`."""
        return None if self._periods is None else self._periods.labels

    @cached_property
    def _periods(self) -> Periods | None:
        return None if self._times is None else make_periods(self._times)

    @cached_property
    def _trend_KP(self) -> list[list[float]] | None:
        """Share of each intent in the events of each period, the intent being that of the history so far.

        At most 20,000 events are looked at, evenly spread over the periods.
        """
        if self._periods is None:
            return None
        split = self.fitted.split
        at_N = self._periods.sample(TREND_EVENTS, self.fitted.settings.seed)
        at_Q = torch.from_numpy(at_N).to(self.fitted.device)
        so_far = split.histories(split.user_N[at_Q], at_Q + 1)
        intent_Q = self.assigner.cosines(so_far).argmax(dim=1).cpu().numpy()
        n_periods = len(self._periods.labels)
        return trends(intent_Q, self._periods.number_N[at_N], n_periods, self.assigner.n_intents)

    # ------------------------------------------------------------------ names

    @property
    def names(self) -> list[str]:
        """A name for each intent: the given one, else an automatic one."""
        return [self.given_names.get(intent, name) for intent, name in enumerate(self._automatic_names)]

    def beside(self, table: pl.DataFrame) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.with_intent_names`."""
        if "intent" not in table.columns or "intent_name" in table.columns:
            return table
        names = dict(enumerate(self.names))
        return table.with_columns(
            intent_name=pl.col("intent").replace_strict(names, default=None, return_dtype=pl.String)
        )

    @cached_property
    def _automatic_names(self) -> list[str]:
        users, events = self.assigner.users_frame, self.fitted.log.frame
        typical = typical_items(users, events, 3)
        return name_intents(users, events, self.fitted.catalogue, self.assigner.n_intents, typical)

    def rename(self, names: Mapping[int, str]) -> None:
        """See :meth:`elcrec.ELCRec.rename_intents`."""
        for intent in self.assigner.checked(names):
            name = " ".join(names[intent].split())
            if len(name) > MOST_NAME:
                raise SettingsError(f"the name of intent {intent} is longer than {MOST_NAME} characters")
            if name.isdecimal():
                raise SettingsError(f"the name {name!r} would stand for intent {int(name)}: add a word to it")
            if name:
                self.given_names[intent] = name
            else:
                self.given_names.pop(intent, None)
        self._warn_of_one_name(names)

    def _warn_of_one_name(self, renamed: Iterable[int]) -> None:
        """Warn where an intent was given the name of another."""
        for name in {folded(self.given_names[intent]): None for intent in renamed if intent in self.given_names}:
            same = named(self.given_names, name)
            if len(same) > 1:
                warn(
                    f"intents {', '.join(map(str, same[:-1]))} and {same[-1]} have one name, "
                    f"{self.given_names[same[-1]]!r}: give one of them another, to tell them apart",
                    DataWarning,
                )

    def carry_names(self, earlier: NamedIntents) -> list[str]:
        """Take over the given names of another model's intents, where one of ours is the same.

        Returns:
            The names that are not taken over.
        """
        theirs = {other: (ours, cosine) for ours, other, cosine in self._pairs(earlier)}
        left = []
        for intent, name in earlier.names.items():
            ours, cosine = theirs.get(intent, (0, -1.0))
            if cosine >= CARRY_COSINE:
                self.given_names[ours] = name
            else:
                left.append(name)
        return left

    def match(self, other: Intents) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.match_intents`."""
        pairs = self._pairs(other.seen_by(self.fitted.items))
        frame = pl.DataFrame(pairs, schema=["intent", "other_intent", "cosine"], orient="row")
        return frame.sort("cosine", descending=True)

    def seen_by(self, items: Vocabulary) -> NamedIntents:
        """These intents as a model with other items can find them among its own, also once this model is gone.

        Args:
            items: The other model's vocabulary.

        Raises:
            DataError: The two share no items.
        """
        ours = self.fitted.items
        theirs_frame, ours_frame = items.ids.to_frame("item_id"), ours.ids.to_frame("item_id")
        if theirs_frame.schema != ours_frame.schema:
            shared = ours.ids.clear()
        else:
            shared = theirs_frame.join(ours_frame, on="item_id")["item_id"]
        if shared.is_empty():
            raise DataError("the two models have no item in common: their intents cannot be compared")
        item_SD = self.fitted.network.items_VD.detach()[ours.indices(shared) - 1].cpu()
        index_S = torch.from_numpy(items.indices(shared))
        return NamedIntents(index_S, item_SD, self.assigner.unit_centers.cpu(), dict(self.given_names))

    def _pairs(self, earlier: NamedIntents) -> list[tuple[int, int, float]]:
        """Our number, their number, cosine of intents that are the same."""
        ours = self.fitted.network.items_VD.detach().cpu()[earlier.index_S - 1]
        return match_centers(ours, self.assigner.unit_centers.cpu(), earlier.item_SD, earlier.center_KD)


def _columns(frame: pl.DataFrame | None, **names: str) -> dict[str, list[Any]]:
    """Columns of a frame as lists under other names; empty lists where there is no frame."""
    if frame is None:
        return {name: [] for name in names.values()}
    rounded = frame.with_columns(pl.col("lift").round(3))
    return {name: rounded[column].to_list() for column, name in names.items()}


def _one_each(ids: pl.Series, found: IntentAssignment) -> pl.DataFrame:
    """The columns of :meth:`elcrec.ELCRec.user_intents` for the nearest intent alone."""
    return pl.DataFrame(
        [
            ids,
            pl.Series("intent", found.intent_Q.cpu().numpy(), dtype=pl.Int64),
            pl.Series("similarity", found.cosine_Q.cpu().numpy(), dtype=pl.Float32),
            pl.Series("weight", found.weight_Q.cpu().numpy(), dtype=pl.Float32),
            pl.Series("rank", np.ones(len(ids)), dtype=pl.Int64),
        ]
    )
