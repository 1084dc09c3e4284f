"""What a server asks of a model: one person at a time, many at once, without tables in between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from elcrec.data.clock import Clock
from elcrec.data.joining import ID
from elcrec.data.vocabulary import Indices
from elcrec.errors import SettingsError, UnknownIdError
from elcrec.evaluation.ranking import top_items
from elcrec.policy import STRENGTH, Policy
from elcrec.recommending import Recommending
from elcrec.trained import Asked

SHOWN = 3


class Picked(NamedTuple):
    """One list.

    Attributes:
        items: Item ids, best first.
        scores: As in :meth:`Recommending.recommend`, of each.
        reasons: With ``explain`` the columns of :meth:`Recommending.recommend` that say why, of each; else None.
    """

    items: list[Any]
    scores: list[float]
    reasons: list[dict[str, Any]] | None = None


class Answering(Recommending):
    """The part of :class:`elcrec.ELCRec` that answers single questions fast.

    Lists are those of :meth:`Recommending.recommend` and :meth:`Recommending.recommend_from_history`, to the bit.
    A history here is an array of item indices, as :meth:`history_of` and :meth:`item_numbers` give them.
    """

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that tell these weights and items from others."""
        digest = hashlib.blake2b(digest_size=6)
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        digest.update("\n".join(self.items.by_text).encode())
        return digest.hexdigest()

    # ------------------------------------------------------------------ ids

    def item_numbers(self, ids: Iterable[Any]) -> Indices:
        """Indices of items by the text form of their ids: int64 [n], -1 for unknown ones."""
        return np.array([self.items.find(item) for item in ids], dtype=np.int64)

    def items_known(self, ids: Sequence[Any]) -> Indices:
        """The same, of items that must be known.

        Raises:
            UnknownIdError: Some are not.
        """
        numbers = self.item_numbers(ids)
        missing = [item for item, number in zip(ids, numbers.tolist(), strict=True) if number < 0]
        if missing:
            shown = ", ".join(repr(str(item)[:40]) for item in missing[:SHOWN])
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            raise UnknownIdError(f"unknown item {shown}{more}: the model knows {len(self.items):,} items")
        return numbers

    def history_of(self, user: Any) -> Indices | None:
        """A user's items in the log learnt from, oldest first: int64 [n]; None for an unknown user."""
        number = self.users.find(user)
        return None if number < 0 else self._item_N[self._bounds(number)]

    @cached_property
    def clock(self) -> Clock:
        """How the log tells time."""
        return Clock.of(self._known.whole.frame.get_column("timestamp", default=None))

    @cached_property
    def learnt_events(self) -> frozenset[str]:
        """Ids of events that a log without times holds; with times these tell."""
        ids = self.log.frame.get_column(ID, default=pl.Series(dtype=pl.String))
        return frozenset(ids.drop_nulls().to_list())

    def times_of(self, user: Any) -> npt.NDArray[np.int64 | np.float64] | None:
        """When those were, in the log's own unit (dates and moments as whole numbers of it): [n].

        None for an unknown user, or where the log has no times.
        """
        number = self.users.find(user)
        return None if number < 0 or self._time_N is None else self._time_N[self._bounds(number)]

    def _bounds(self, number: int) -> slice:
        return slice(int(self._split.start_U[number]), int(self._split.end_U[number]))

    @cached_property
    def _item_N(self) -> Indices:
        items: Indices = self._split.item_N.cpu().numpy()
        return items

    @cached_property
    def _time_N(self) -> npt.NDArray[np.int64 | np.float64] | None:
        if "timestamp" not in self.log.frame.columns:
            return None
        times = self.log.frame["timestamp"].to_physical()
        return times.cast(pl.Float64 if times.dtype.is_float() else pl.Int64).to_numpy()

    # ------------------------------------------------------------------ lists

    def plan(
        self,
        k: int = 10,
        exclude_seen: bool | None = None,
        *,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        allow: Sequence[Any] | None = None,
        deny: Sequence[Any] = (),
        attributes: Sequence[str] = (),
        all_attributes: Sequence[str] = (),
        approximate: bool = False,
    ) -> Policy:
        """How lists are to be made, checked once for many of them; see :meth:`Recommending.recommend`.

        Args:
            k: Items a list.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            explain: Add the reasons.
            intents: Steer toward these.
            exclude_intents: Score without these.
            strength: The dial of ``intents``.
            diversify: The dial of mixed lists.
            allow: Only these items.
            deny: None of these items.
            attributes: Only items with at least one of these.
            all_attributes: Only items with every one of these.
            approximate: Look plain lists up in the index; those that are anything else are scored in full.

        Raises:
            SettingsError: An intent, dial or attribute that does not exist.
            UnknownIdError: An item that does not exist.
        """
        barred = self._barred(allow, deny, attributes, all_attributes)
        plain = not (explain or intents or exclude_intents or diversify) and barred is None
        how = (exclude_seen, explain, intents, exclude_intents, strength, diversify, barred)
        return self._policy(k, *how, approximate=approximate and plain)

    def _barred(
        self, allow: Sequence[Any] | None, deny: Sequence[Any], attributes: Sequence[str], all_attributes: Sequence[str]
    ) -> Tensor | None:
        """Items that may not be listed: bool [V + 1]."""
        if allow is None and not deny and not attributes and not all_attributes:
            return None
        # An item has to be in each of these.
        allowed = [] if allow is None else [self.items_known(allow)]
        allowed += [np.concatenate(self._with_attributes(attributes))] if attributes else []
        allowed += self._with_attributes(all_attributes)
        barred_V = torch.zeros(len(self.items) + 1, dtype=torch.bool)
        for index in allowed:
            outside_V = torch.ones_like(barred_V)
            outside_V[torch.from_numpy(index)] = False
            barred_V |= outside_V
        barred_V[torch.from_numpy(self.items_known(deny))] = True
        return barred_V.to(self.device)

    def _with_attributes(self, attributes: Sequence[str]) -> list[Indices]:
        """The items of each attribute."""
        known = self._items_by_attribute
        for attribute in attributes:
            if attribute not in known:
                raise SettingsError(f"no item has the attribute {attribute[:80]!r}")
        return [known[attribute] for attribute in attributes]

    @cached_property
    def _items_by_attribute(self) -> dict[str, Indices]:
        if self.catalogue is None:
            return {}
        pairs = self.catalogue.pairs()
        numbered = pairs.with_columns(index=pl.Series(self.items.indices(pairs["item_id"])))
        return {name: np.array(index) for name, index in numbered.group_by("attribute").agg("index").iter_rows()}

    def pick(self, histories: Sequence[Indices], policy: Policy) -> list[Picked]:
        """The best items for each of some histories, none of them empty."""
        if not histories:
            return []
        end_Q = torch.tensor([len(history) for history in histories]).cumsum(0).to(self.device)
        start_Q = torch.cat([end_Q.new_zeros(1), end_Q[:-1]])
        item_N = torch.from_numpy(np.concatenate(histories)).to(self.device)
        asked = Asked(pl.Series("history", np.arange(len(histories))), item_N, start_Q, end_Q)
        item_QK, score_QK, parts = self._best(asked, policy)
        picked = self._picked(item_QK, score_QK)
        if parts is None or not policy.explain:
            return picked
        reasons = pl.DataFrame(self._reasons(asked, item_QK, score_QK, parts, policy)).to_dicts()
        ends = np.cumsum([len(one.items) for one in picked]).tolist()
        return [
            one._replace(reasons=reasons[end - len(one.items) : end]) for one, end in zip(picked, ends, strict=True)
        ]

    def pick_popular(self, policy: Policy) -> Picked:
        """The items with most events, of those allowed; scores are their numbers of events."""
        return self._pick_by(self._popularity_V, policy)

    def pick_typical(self, intents: Sequence[int], policy: Policy) -> Picked:
        """The items most typical of intents, of those allowed; scores are lifts."""
        toward = list(dict.fromkeys(self._intent_numbers(intents)))
        return self._pick_by(self._item_intents.lift(toward), policy)

    @cached_property
    def _popularity_V(self) -> Tensor:
        return torch.bincount(self._split.item_N.cpu(), minlength=len(self.items) + 1).float()

    def _pick_by(self, score_V: Tensor, policy: Policy) -> Picked:
        score_V = score_V.clone()
        score_V[0] = float("-inf")
        if policy.wish is not None and policy.wish.barred_V is not None:
            score_V.masked_fill_(policy.wish.barred_V.cpu(), float("-inf"))
        return self._picked(*top_items(score_V[None], policy.k))[0]

    def _picked(self, item_QK: Tensor, score_QK: Tensor) -> list[Picked]:
        ids, lists = self._ids, []
        for items, scores in zip(item_QK.tolist(), score_QK.tolist(), strict=True):
            kept = [(ids[item], score) for item, score in zip(items, scores, strict=True) if item > 0]
            lists.append(Picked([item for item, _ in kept], [score for _, score in kept]))
        return lists

    @cached_property
    def _ids(self) -> list[Any]:
        """Ids by item index; nothing at 0."""
        return [None, *self.items.ids.to_list()]

    def item_ids(self, numbers: Indices) -> list[Any]:
        """Ids of item indices."""
        return [self._ids[number] for number in numbers.tolist()]

    # ------------------------------------------------------------------ looking things up

    @cached_property
    def titles(self) -> dict[Any, str]:
        """Title by item id, of items that have one."""
        return {} if self.catalogue is None else self.catalogue.titles()

    def find_items(self, text: str, k: int = 10) -> pl.DataFrame:
        """Items whose id or title holds a text, upper or lower case; those that begin with it first.

        Returns:
            ``item_id``, ``title``, ``events`` (in the log), most popular first.
        """
        wanted, names = text.lower(), (pl.col("id_text"), pl.col("title_text").fill_null(""))
        return (
            self._item_names.filter(pl.any_horizontal(name.str.contains(wanted, literal=True) for name in names))
            .with_columns(
                same=pl.col("id_text") == wanted,
                begins=pl.any_horizontal(name.str.starts_with(wanted) for name in names),
            )
            .sort("same", "begins", "events", descending=True, maintain_order=True)
            .head(k)
            .select("item_id", "title", "events")
        )

    @cached_property
    def _item_names(self) -> pl.DataFrame:
        ids = self.items.ids.alias("item_id")
        title = pl.Series("title", [self.titles.get(item) for item in ids.to_list()], dtype=pl.String)
        events = pl.Series("events", self._popularity_V[1:].long().numpy())
        return pl.DataFrame([ids, title, events]).with_columns(
            id_text=pl.col("item_id").cast(pl.String).str.to_lowercase(), title_text=pl.col("title").str.to_lowercase()
        )

    def find_users(self, text: str, k: int = 10) -> list[Any]:
        """Users of the log whose id begins with a text, in natural order."""
        asked = pl.col("id").cast(pl.String).str.starts_with(text)
        return self.users.ids.alias("id").to_frame().lazy().filter(asked).head(k).collect()["id"].to_list()
