"""Intents as people use them: what they are, what they are called, who has them, how they move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.errors import DataError, SettingsError
from elcrec.evaluation.intent_health import collapse_warning, intent_flags, intent_health
from elcrec.explain.attribution import pulls
from elcrec.explain.intent_table import typical_attributes, typical_items
from elcrec.explain.matching import NamedIntents, match_centers
from elcrec.explain.naming import name_intents
from elcrec.explain.trend import Periods, make_periods, trends
from elcrec.explain.user_map import Points, user_map
from elcrec.storage import write_frame
from elcrec.trained import Asked, Nearest, Trained

NEAREST = 3
TREND_EVENTS = 20_000
CARRY_COSINE = 0.5
MOST_NAME = 80


class Understanding(Trained):
    """The part of :class:`elcrec.ELCRec` that shows intents."""

    _given_names: dict[int, str]

    def user_intents(self, users: Iterable[Any] | None = None, unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The intents of each user's full history, nearest first.

        Args:
            users: User ids; default: all users.
            unknown: ``raise`` on an unknown user, or ``skip`` him.
            top: Intents a user.

        Returns:
            ``user_id``, ``intent`` (0 .. K - 1), ``similarity`` (cosine to its centre, -1 to 1), ``weight``
            (softmax of the cosines over all intents, 0 to 1; see
            :func:`elcrec.explain.attribution.intent_weights`), ``rank`` (from 1).
        """
        if users is None and top == 1:
            return _one_each(self.users.ids.alias("user_id"), self._everybody)
        return self._nearest(self._of_users(users, unknown), top)

    def history_intents(self, histories: Sequence[Sequence[Any]], unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The same for anybody's histories, lists of item ids, oldest first.

        Returns:
            ``history`` (its place, from 0) and the columns of :meth:`user_intents`.
        """
        return self._nearest(self._of_histories(histories, unknown), top)

    def _nearest(self, asked: Asked, top: int) -> pl.DataFrame:
        if not 1 <= top <= self.settings.n_intents:
            raise SettingsError(f"top={top}: ask for 1 to {self.settings.n_intents} intents")
        if top == 1:
            return _one_each(asked.ids, self._places(asked))
        intent_QT, similarity_QT, weight_QT = self._strongest(asked, top)
        return pl.DataFrame(
            [
                asked.ids.gather(np.repeat(np.arange(len(asked.ids)), top)),
                pl.Series("intent", intent_QT.flatten().cpu().numpy(), dtype=pl.Int64),
                pl.Series("similarity", similarity_QT.flatten().cpu().numpy(), dtype=pl.Float32),
                pl.Series("weight", weight_QT.flatten().cpu().numpy(), dtype=pl.Float32),
                pl.Series("rank", np.tile(np.arange(1, top + 1), len(asked.ids)), dtype=pl.Int64),
            ]
        )

    def intent_timeline(self, user: Any = None, history: Sequence[Any] | None = None) -> pl.DataFrame:
        """How the intent of a history changed as it grew.

        Args:
            user: A known user; or
            history: item ids of anybody, oldest first.

        Returns:
            One row an event, oldest first: ``position`` (from 1), ``item_id``, ``timestamp`` (where known),
            ``intent`` and ``weight`` (0 to 1) of the history up to and including it, and ``pull``: how much nearer
            the item brings the whole history to the intent it ends with, see
            :func:`elcrec.explain.attribution.pulls` (null for items older than ``max_seq_len``).
        """
        if (user is None) == (history is None):
            raise SettingsError("say whose timeline: a user, or a history (one of them)")
        asked = self._of_users([user]) if history is None else self._of_histories([history])
        first, last = int(asked.start_Q[0]), int(asked.end_Q[0])
        end_Q = torch.arange(first + 1, last + 1, device=self.device)
        grown = Asked(pl.Series(range(last - first)), asked.item_N, torch.full_like(end_Q, first), end_Q)
        so_far = self._nearest(grown, 1)
        final = torch.tensor([[int(so_far["intent"][-1])]], device=self.device)
        length, padding = self.settings.max_seq_len, self.settings.padding
        _, pull_QWM = pulls(self.network, asked.item_N, asked.start_Q, asked.end_Q, final, length, padding)
        pull = pull_QWM[0, :, 0].tolist()
        item_N = asked.item_N[first:last].cpu().numpy()
        times = self.log.frame["timestamp"][first:last] if user is not None and self._has_times else None
        return pl.DataFrame(
            [
                pl.Series("position", range(1, last - first + 1), dtype=pl.Int64),
                self.items.ids_of(item_N).alias("item_id"),
                *([] if times is None else [times]),
                so_far["intent"],
                so_far["weight"],
                pl.Series("pull", [None] * (last - first - len(pull)) + pull, dtype=pl.Float64),
            ]
        )

    # ------------------------------------------------------------------ the intents themselves

    def intents(self, k: int = 10) -> pl.DataFrame:
        """What the intents are, by the full histories of the log learnt from; the largest first.

        Args:
            k: Typical items and attributes an intent.

        Returns:
            ``intent``; ``name``; ``users``; ``share`` (0 to 1); ``items`` (ids, highest lift first), ``lifts`` and
            ``item_users`` (its users who have the item), see
            :func:`elcrec.explain.intent_table.typical_items`; ``attributes``, ``attribute_lifts`` and
            ``attribute_users`` likewise (empty without metadata); ``nearest`` (the three intents with the closest
            centres); ``cosine`` (mean of its users' to its centre) and ``margin`` (how much less to the next
            centre; both null when unused); ``trend`` (share of the events of each of :attr:`trend_periods`; null
            without times); ``flags``, see :func:`elcrec.evaluation.intent_health.intent_flags`. Unused intents
            come last.
        """
        if k < 1:
            raise SettingsError(f"k={k}: ask for at least one item")
        n_intents, users = self.settings.n_intents, self._intent_of_user
        size_K, names = torch.bincount(self._intent_U, minlength=n_intents), self.intent_names
        items = typical_items(users, self.log.frame, k)
        close = self._closeness
        flags = intent_flags(size_K, self._unit_centers)
        nearest_KX = self._nearest_intents
        trend_KP = self._trend_KP
        attributes = None if self.catalogue is None else typical_attributes(users, self.log.frame, self.catalogue, k)
        by_items, by_attributes = (
            {} if frame is None else frame.partition_by("intent", as_dict=True) for frame in (items, attributes)
        )
        rows = []
        for intent in sorted(range(n_intents), key=lambda number: (-int(size_K[number]), number)):
            its_items, its_attributes = by_items.get((intent,)), by_attributes.get((intent,))
            rows.append(
                {
                    "intent": intent,
                    "name": names[intent],
                    "users": int(size_K[intent]),
                    "share": int(size_K[intent]) / len(self.users),
                    "items": [] if its_items is None else its_items["item_id"].to_list(),
                    "lifts": [] if its_items is None else its_items["lift"].round(3).to_list(),
                    "item_users": [] if its_items is None else its_items["users"].to_list(),
                    "attributes": [] if its_attributes is None else its_attributes["attribute"].to_list(),
                    "attribute_lifts": [] if its_attributes is None else its_attributes["lift"].round(3).to_list(),
                    "attribute_users": [] if its_attributes is None else its_attributes["users"].to_list(),
                    "nearest": nearest_KX[intent],
                    "cosine": close[intent][0],
                    "margin": close[intent][1],
                    "trend": None if trend_KP is None else trend_KP[intent],
                    "flags": [name for name, flag_K in flags.items() if flag_K[intent]],
                }
            )
        floats = pl.List(pl.Float64)
        schema: dict[str, Any] = {
            "items": pl.List(self.items.ids.dtype),
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
        return pl.DataFrame(rows, schema_overrides=schema)

    @property
    def _nearest_intents(self) -> list[list[int]]:
        unit_KD = self._unit_centers
        cosine_KK = (unit_KD @ unit_KD.T).fill_diagonal_(-2)
        nearest: list[list[int]] = cosine_KK.topk(min(NEAREST, len(unit_KD) - 1), dim=1).indices.tolist()
        return nearest

    @cached_property
    def _closeness(self) -> list[tuple[float | None, float | None]]:
        """Mean cosine and margin of each intent's users; None where there are none."""
        everybody = self._everybody
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
        return [known.get(intent, (None, None)) for intent in range(self.settings.n_intents)]

    def intent_health(self, most: int | None = None) -> dict[str, Any]:
        """How users spread over the intents, by full histories.

        Args:
            most: Of more users, ask so many drawn by the seed.

        Returns:
            See :func:`elcrec.evaluation.intent_health.intent_health`; ``cosine`` and ``margin``, means over users
            of the cosine to the own centre and its lead on the next; ``warning``, a sentence when the intents
            have collapsed, else None.
        """
        near = self._everybody if most is None or most >= len(self.users) else self._places(self._drawn(most))
        size_K = torch.bincount(near.intent_Q, minlength=self.settings.n_intents)
        health: dict[str, Any] = intent_health(size_K, self._unit_centers)
        health["cosine"] = near.cosine_Q.double().mean().item()
        health["margin"] = near.margin_Q.double().mean().item()
        health["warning"] = collapse_warning(health, self.settings.n_intents, len(near.intent_Q))
        return health

    # ------------------------------------------------------------------ time

    @property
    def _has_times(self) -> bool:
        return "timestamp" in self.log.frame.columns

    @property
    def trend_periods(self) -> list[str] | None:
        """When the periods of the trends begin, as text; None where the log has no times."""
        return None if self._periods is None else self._periods.labels

    @cached_property
    def _periods(self) -> Periods | None:
        return make_periods(self.log.frame["timestamp"]) if self._has_times else None

    @cached_property
    def _trend_KP(self) -> list[list[float]] | None:
        """Share of each intent in the events of each period, the intent being that of the history so far.

        At most 20,000 events are looked at, evenly spread over the periods.
        """
        if self._periods is None:
            return None
        at_N = self._periods.sample(TREND_EVENTS, self.settings.seed)
        at_Q = torch.from_numpy(at_N).to(self.device)
        start_Q = self._split.start_U[self._split.user_N[at_Q]]
        asked = Asked(pl.Series(at_N), self._split.item_N, start_Q, at_Q + 1)
        intent_Q = self._cosines(asked).argmax(dim=1).cpu().numpy()
        return trends(intent_Q, self._periods.number_N[at_N], len(self._periods.labels), self.settings.n_intents)

    # ------------------------------------------------------------------ names

    @property
    def intent_names(self) -> list[str]:
        """A name for each intent: the one given by :meth:`rename_intents`, else an automatic one."""
        return [self._given_names.get(intent, name) for intent, name in enumerate(self._automatic_names)]

    @cached_property
    def _automatic_names(self) -> list[str]:
        users, events = self._intent_of_user, self.log.frame
        typical = typical_items(users, events, 3)
        return name_intents(users, events, self.catalogue, self.settings.n_intents, typical)

    @property
    def given_names(self) -> dict[int, str]:
        """The names that people gave, by intent."""
        return dict(self._given_names)

    def rename_intents(self, names: Mapping[int, str]) -> None:
        """Give intents names of your own; an empty name brings the automatic one back.

        Names are kept by :meth:`save`, and in a later training by ``fit(..., names_from=run)``.
        """
        for intent in self._intent_numbers(names):
            name = " ".join(names[intent].split())
            if len(name) > MOST_NAME:
                raise SettingsError(f"the name of intent {intent} is longer than {MOST_NAME} characters")
            if name:
                self._given_names[intent] = name
            else:
                self._given_names.pop(intent, None)

    def _carry_names(self, earlier: NamedIntents) -> None:
        """Take over the given names of another model's intents, where one of ours is the same."""
        theirs = {other: (ours, cosine) for ours, other, cosine in self._matched(earlier)}
        for intent, name in earlier.names.items():
            ours, cosine = theirs.get(intent, (0, -1.0))
            if cosine >= CARRY_COSINE:
                self._given_names[ours] = name

    def match_intents(self, other: Understanding) -> pl.DataFrame:
        """Pair this model's intents one to one with another's, in a space turned so that their items agree.

        Returns:
            ``intent``, ``other_intent``, ``cosine`` (-1 to 1), best pairs first; see
            :func:`elcrec.explain.matching.match_centers`.

        Raises:
            DataError: The two share no items.
        """
        pairs = self._matched(self._intents_of(other))
        frame = pl.DataFrame(pairs, schema=["intent", "other_intent", "cosine"], orient="row")
        return frame.sort("cosine", descending=True)

    def _intents_of(self, other: Understanding) -> NamedIntents:
        """Another model's intents, as they can be found among ours, also once it is gone; raises as `match_intents`."""
        shared = self._shared_items(other)
        item_SD = other.network.items_VD.detach()[other.items.indices(shared) - 1].cpu()
        index_S = torch.from_numpy(self.items.indices(shared))
        return NamedIntents(index_S, item_SD, other._unit_centers.cpu(), other.given_names)

    def _matched(self, earlier: NamedIntents) -> list[tuple[int, int, float]]:
        """Our number, their number, cosine of intents that are the same."""
        ours = self.network.items_VD.detach().cpu()[earlier.index_S - 1]
        return match_centers(ours, self._unit_centers.cpu(), earlier.item_SD, earlier.center_KD)

    def _shared_items(self, other: Understanding) -> pl.Series:
        """Items that both models know; raises where there are none."""
        ours, theirs = self.items.ids.to_frame("item_id"), other.items.ids.to_frame("item_id")
        if ours.schema != theirs.schema or (shared := ours.join(theirs, on="item_id")["item_id"]).is_empty():
            raise DataError("the two models have no item in common: their intents cannot be compared")
        return shared

    # ------------------------------------------------------------------ people

    def user_map(self) -> Points:
        """Every user's place on a plane, [U, 2], 0 to 1, in the order of :attr:`users`.

        See :func:`elcrec.explain.user_map.user_map`.
        """
        return user_map(self._behaviours(self._of_users(None)).cpu(), self.settings.seed)

    def audience(
        self, intents: Iterable[int], out: str | Path | None = None, min_weight: float = 0.0, top: int = 1
    ) -> pl.DataFrame:
        """The users of intents, strongest first.

        Args:
            intents: Numbers of intents.
            out: Also write them to this Parquet file.
            min_weight: Only users with at least this much of it, 0 to 1.
            top: Count an intent among a user's ``top`` nearest, not only as the nearest.

        Returns:
            ``user_id``, ``intent``, ``intent_name``, ``weight`` (0 to 1), ``similarity`` (cosine), ``events``
            (length of the history).
        """
        wanted = self._intent_numbers(intents)
        names = self.intent_names
        events = self.log.frame.group_by("user_id").len("events")
        frame = (
            self.user_intents(top=top)
            .filter(pl.col("intent").is_in(wanted) & (pl.col("weight") >= min_weight))
            .join(events, on="user_id", maintain_order="left")
            .with_columns(intent_name=pl.col("intent").replace_strict(dict(enumerate(names)), return_dtype=pl.String))
            .sort("weight", descending=True, maintain_order=True)
            .select("user_id", "intent", "intent_name", "weight", "similarity", "events")
        )
        if out is not None:
            write_frame(Path(out), frame)
        return frame

    # ------------------------------------------------------------------ worth


def _one_each(ids: pl.Series, found: Nearest) -> pl.DataFrame:
    """The columns of ``user_intents`` for the nearest intent alone."""
    return pl.DataFrame(
        [
            ids,
            pl.Series("intent", found.intent_Q.cpu().numpy(), dtype=pl.Int64),
            pl.Series("similarity", found.cosine_Q.cpu().numpy(), dtype=pl.Float32),
            pl.Series("weight", found.weight_Q.cpu().numpy(), dtype=pl.Float32),
            pl.Series("rank", np.ones(len(ids)), dtype=pl.Int64),
        ]
    )
