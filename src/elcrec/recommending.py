"""Lists of items: for users, for new histories, for intents; steered and explained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.batches import histories
from elcrec.errors import SettingsError
from elcrec.evaluation.ranking import SCORE_ROWS, Wish, best_items, top_items, user_vectors
from elcrec.evaluation.scanning import HalfTable
from elcrec.explain.attribution import Attribution, attribute, intent_weights
from elcrec.explain.calibration import calibrate, n_candidates
from elcrec.explaining import Explaining
from elcrec.policy import STRENGTH, Policy
from elcrec.search import ItemSearch, recall
from elcrec.trained import Asked

_NOTHING = (torch.zeros(0, 1, dtype=torch.int64), torch.zeros(0, 1))
LISTS_AT_ONCE = 2048
LOOKED_UP_AT_ONCE = 256
JUDGED = 1024
FITTED_TO = 256


class Recommending(Explaining):
    """The part of :class:`elcrec.ELCRec` that makes lists."""

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        approximate: bool = False,
    ) -> pl.DataFrame:
        """Best items for known users, given all of their history.

        Args:
            users: User ids, of their own type or as text; default: all users.
            k: Items a user; fewer where the catalogue has no more.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown user, or ``skip`` him.
            explain: Add why; see Returns.
            intents: Steer toward these: the score becomes ``(1 - strength) * score + strength * log(lift)``, the
                lift being that of :class:`elcrec.explain.item_intents.ItemIntents`. At .5 that is Bayes' rule for
                somebody known to have one of the intents; at 1 the user's own taste no longer counts.
            exclude_intents: Score without what the user has of these intents.
            strength: The dial of ``intents``, 0 to 1.
            diversify: 0 to 1: how far the list follows the mix of the user's intents instead of the scores; the k items
                are chosen from the 100 or 2 k best, see :func:`elcrec.explain.calibration.calibrate`; ranks are then
                places in that list.
            approximate: For large catalogues: look into an index instead of scoring every item, see
                :class:`elcrec.search.ItemSearch`; for plain lists. Scores are exact, a few items may be missed.

        Returns:
            ``user_id``, ``item_id``, ``score`` (dot product, unbounded), ``rank`` (from 1); users as asked. With
            ``explain`` also:
            ``intent``, of the user's three nearest the one that adds most to the score (null if none adds any);
            ``intent_share``, its part over the score (null where the score is not positive; the shares of all
            parts and the residual sum to 1); ``because``, up to three items of the history that pulled it toward
            this intent, strongest first; ``rank_without``, the item's rank when the user has nothing of this
            intent, as ``exclude_intents`` would rank it (null with ``diversify``); ``parts``, a list of ``intent``
            and ``part``; ``residual``; ``steering``. Score = sum of parts + residual + steering.
        """
        how = (exclude_seen, explain, intents, exclude_intents, strength, diversify)
        return self._lists(self._of_users(users, unknown), self._policy(k, *how, approximate=approximate))

    def recommend_in_blocks(self, k: int = 10, **wishes: Any) -> Iterator[pl.DataFrame]:
        """Lists of all users, some thousands at a time: more than fit into memory together.

        Args:
            k: See :meth:`recommend`.
            wishes: Its keyword arguments and ``exclude_seen``.

        Yields:
            The rows of :meth:`recommend`, in its order.
        """
        asked, policy = self._of_users(None), self._policy(k, **{"exclude_seen": None, **wishes})
        for at in torch.arange(len(asked.ids)).split(LISTS_AT_ONCE):
            ids = asked.ids.gather(at.numpy())
            yield self._some_lists(Asked(ids, asked.item_N, asked.start_Q[at], asked.end_Q[at]), policy)

    def recommend_from_history(
        self,
        histories: Sequence[Sequence[Any]],
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        approximate: bool = False,
    ) -> pl.DataFrame:
        """Best items for people the model has never seen, given what they did; nothing is retrained.

        Args:
            histories: Item ids of each person, oldest first.
            k: Items a person.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown item, or ``skip`` it (and histories with none left).
            explain: See :meth:`recommend`, as for the others.
            intents: See :meth:`recommend`.
            exclude_intents: See :meth:`recommend`.
            strength: See :meth:`recommend`.
            diversify: See :meth:`recommend`.
            approximate: See :meth:`recommend`.

        Returns:
            ``history`` (its place in ``histories``, from 0) and the columns of :meth:`recommend`.
        """
        how = (exclude_seen, explain, intents, exclude_intents, strength, diversify)
        return self._lists(self._of_histories(histories, unknown), self._policy(k, *how, approximate=approximate))

    def recommend_for_intent(self, intents: Iterable[int] | None = None, k: int = 10) -> pl.DataFrame:
        """The most typical items of intents: a list for somebody of whom no more is known.

        Args:
            intents: Numbers of intents; default: all that have users.
            k: Items an intent.

        Returns:
            ``intent``, ``item_id``, ``score`` (lift, > 0; 1 is average), ``rank`` (from 1).
        """
        asked = torch.unique(self._intent_U).tolist() if intents is None else self._intent_numbers(intents)
        lift_XV = torch.stack([self._item_intents.lift([intent]) for intent in asked]) if asked else torch.zeros(0, 2)
        lift_XV[:, 0] = float("-inf")
        item_XK, lift_XK = top_items(lift_XV, _at_least_one("k", k))
        return self._listed(pl.Series("intent", asked, dtype=pl.Int64), item_XK, lift_XK)

    def slate(
        self,
        users: Iterable[Any] | None = None,
        rows: int = 3,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
    ) -> pl.DataFrame:
        """One list for each of a user's strongest intents, no item twice: the rows of a shop page.

        Args:
            users: See :meth:`recommend`.
            rows: Intents a user.
            k: Items a row.
            exclude_seen: See :meth:`recommend`.
            unknown: See :meth:`recommend`.

        Returns:
            ``user_id``, ``row`` (from 1, strongest intent first), ``intent``, ``weight`` (0 to 1), ``item_id``,
            ``score``, ``rank`` (from 1 in its row).
        """
        asked, policy = self._of_users(users, unknown), self._policy(k, exclude_seen)
        intent_QR, _, weight_QR = self._strongest(asked, min(_at_least_one("rows", rows), self.settings.n_intents))
        item_QRK, score_QRK = self._slated(asked, intent_QR, policy)
        # A place is a row of a user; the same user may be asked about twice.
        places = pl.Series("place", np.arange(intent_QR.numel()))
        listed = self._listed(places, item_QRK.flatten(0, 1), score_QRK.flatten(0, 1))
        place = listed["place"].to_numpy()
        return pl.DataFrame(
            [
                asked.ids.gather(place // intent_QR.shape[1]),
                pl.Series("row", place % intent_QR.shape[1] + 1, dtype=pl.Int64),
                pl.Series("intent", intent_QR.flatten().cpu().numpy()[place], dtype=pl.Int64),
                pl.Series("weight", weight_QR.flatten().cpu().numpy()[place]),
                *listed.drop("place"),
            ]
        )

    def _slated(self, asked: Asked, intent_QR: Tensor, policy: Policy) -> tuple[Tensor, Tensor]:
        """A row after another, each of the best items that the rows above do not show: [Q, R, k'] each."""
        item_QRK = torch.zeros(*intent_QR.shape, min(policy.k, len(self.items)), dtype=torch.int64)
        score_QRK = torch.full(item_QRK.shape, -torch.inf)
        for row in range(intent_QR.shape[1]):
            for intent in torch.unique(intent_QR[:, row]).tolist():
                wish = self._toward([intent], STRENGTH)
                for at_X in torch.nonzero(intent_QR[:, row] == intent).flatten().cpu().split(LISTS_AT_ONCE):
                    shown_XS = item_QRK[at_X, :row].flatten(1).to(self.device)
                    granted = policy._replace(wish=wish._replace(shown_QX=shown_XS))
                    item_QRK[at_X, row], score_QRK[at_X, row], _ = self._best(asked.some(at_X), granted)
        return item_QRK, score_QRK

    def similar_items(self, items: Iterable[Any], k: int = 10, unknown: str = "raise") -> pl.DataFrame:
        """Items whose vectors point the same way.

        Returns:
            ``target_item_id``, ``item_id``, ``score`` (cosine, -1 to 1), ``rank`` (from 1).
        """
        index_Q = torch.from_numpy(self.items.indices(items, unknown)).to(self.device)
        index_Q = index_Q[index_Q > 0]
        found = [self._near(index_B, _at_least_one("k", k)) for index_B in index_Q.split(SCORE_ROWS)]
        item_QK, score_QK = (torch.cat(column) for column in zip(*found, strict=True))
        ids = self.items.ids_of(index_Q.cpu().numpy()).alias("target_item_id")
        return self._listed(ids, item_QK, score_QK)

    def _near(self, index_B: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The items nearest to some, and their cosines: [B, k'] each, in main memory."""
        unit_BD = F.normalize(self._table_DV.T[index_B], dim=-1)
        score_BV = (unit_BD @ self._table_DV).div_(self._length_V)
        score_BV[:, 0] = -torch.inf
        score_BV.scatter_(1, index_B[:, None], -torch.inf)
        item_BK, score_BK = top_items(score_BV, k)
        return item_BK.cpu(), score_BK.cpu()

    def search_quality(self, k: int = 20) -> dict[str, float]:
        """What approximate lists are worth, beside exact ones, for some users drawn by the seed.

        Returns:
            ``recall`` (share of the exact list's items, 0 to 1), ``exact_seconds`` and ``approximate_seconds`` a user,
            encoding left out.
        """
        asked = self._drawn(min(JUDGED, len(self.users)))
        at, length = (asked.item_N, asked.start_Q, asked.end_Q), self.settings.max_seq_len
        user_QD = user_vectors(self.network, *at, length)
        policy, table_DV, _ = self._policy(k, None, approximate=True), self._table_DV, self.item_search
        started = time.perf_counter()
        exact_QK, _ = best_items(self.network, *at, k, length, policy.exclude_seen, user_QD, table_DV=table_DV)
        between = time.perf_counter()
        near_QK, _ = looked_up(self.item_search, user_QD, asked, policy)
        seconds = (between - started, time.perf_counter() - between)
        return {
            "recall": recall(exact_QK, near_QK),
            "exact_seconds": seconds[0] / len(user_QD),
            "approximate_seconds": seconds[1] / len(user_QD),
        }

    # ------------------------------------------------------------------ how

    def _policy(
        self,
        k: int,
        exclude_seen: bool | None,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        barred: Tensor | None = None,
        approximate: bool = False,
    ) -> Policy:
        for name, dial in (("strength", strength), ("diversify", diversify)):
            if not isinstance(dial, Real) or not 0 <= dial <= 1:
                raise SettingsError(f"{name}={dial!r}: use a number from 0 to 1")
        seen = self.settings.exclude_seen if exclude_seen is None else exclude_seen
        excluded = torch.tensor(self._intent_numbers(exclude_intents), dtype=torch.int64, device=self.device)
        toward = list(dict.fromkeys(self._intent_numbers(intents)))  # one named twice does not count twice
        wish = None
        if toward:
            wish = self._toward(toward, strength)._replace(barred_V=barred)
        elif barred is not None:
            wish = Wish(barred_V=barred)
        if approximate and (explain or wish is not None or len(excluded) or diversify > 0):
            raise SettingsError("approximate search makes plain lists: leave it out to explain, steer, filter or mix")
        return Policy(_at_least_one("k", k), seen, explain, excluded, wish, diversify, approximate)

    def _toward(self, intents: list[int], strength: float) -> Wish:
        return Wish(strength, self._item_intents.lift(intents).log().to(self.device))

    def _lists(self, asked: Asked, policy: Policy) -> pl.DataFrame:
        frames = [
            self._some_lists(asked.some(at), policy)
            for at in torch.arange(len(asked.ids)).split(LISTS_AT_ONCE)
            if len(at)
        ]
        if frames:
            return pl.concat(frames)
        nothing = self._listed(asked.ids, *_NOTHING)
        return nothing.with_columns(self._reason_columns([], [], [], [], [], [], [])) if policy.explain else nothing

    def _some_lists(self, asked: Asked, policy: Policy) -> pl.DataFrame:
        item_QK, score_QK, parts = self._best(asked, policy)
        listed = self._listed(asked.ids, item_QK, score_QK)
        if not policy.explain or parts is None:
            return listed
        return listed.with_columns(self._reasons(asked, item_QK, score_QK, parts, policy))

    def _best(self, asked: Asked, policy: Policy) -> tuple[Tensor, Tensor, Attribution | None]:
        """Item indices int64 [Q, k'] and scores [Q, k'], best first, and what the users' vectors consist of."""
        at, length = (asked.item_N, asked.start_Q, asked.end_Q), self.settings.max_seq_len
        if policy.approximate:
            return *self._looked_up(asked, policy), None
        parts, user_QD, wanted = None, None, policy.k
        if policy.explain or len(policy.excluded) or policy.diversify > 0:
            cosine_QK = self._cosines(asked)
        if policy.explain or len(policy.excluded):
            vector_QD, unit_KD = user_vectors(self.network, *at, length), self._unit_centers
            parts = attribute(vector_QD, cosine_QK, unit_KD).without(policy.excluded, unit_KD)
            user_QD = parts.user_QD if len(policy.excluded) else vector_QD
        if policy.diversify > 0:
            wanted = n_candidates(policy.k)
        seen, wish, table_DV = policy.exclude_seen, policy.wish, self._table_DV
        item_QK, score_QK = best_items(
            self.network, *at, wanted, length, seen, user_QD, wish, table_DV, half=self._half_table
        )
        if policy.diversify > 0:
            mix_QK = intent_weights(cosine_QK, policy.excluded).cpu()
            item_QK, score_QK = calibrate(item_QK, score_QK, mix_QK, self._item_intents, policy.diversify, policy.k)
        return item_QK, score_QK, parts

    def _looked_up(self, asked: Asked, policy: Policy) -> tuple[Tensor, Tensor]:
        """:func:`looked_up`; where the cells looked into hold fewer than k, all items are scored."""
        at, length = (asked.item_N, asked.start_Q, asked.end_Q), self.settings.max_seq_len
        user_QD = user_vectors(self.network, *at, length)
        item_QK, score_QK = looked_up(self.item_search, user_QD, asked, policy)
        short_X = torch.nonzero((item_QK == 0).any(dim=1)).flatten()
        if len(short_X):
            some = asked.some(short_X)
            at, user_XD = (some.item_N, some.start_Q, some.end_Q), user_QD[short_X]
            item_QK[short_X], score_QK[short_X] = best_items(
                self.network, *at, policy.k, length, policy.exclude_seen, user_XD, table_DV=self._table_DV
            )
        return item_QK, score_QK

    @cached_property
    def item_search(self) -> ItemSearch:
        """The index that ``approximate`` looks into: the run's, where it has one, else made when first used."""
        if self._search_path is not None:
            return ItemSearch.read(self._search_path, self.network.items_VD)
        return self.make_item_search()

    def make_item_search(self) -> ItemSearch:
        """An index of the items' vectors, fitted to some users drawn by the seed."""
        some = self._drawn(min(FITTED_TO, len(self.users)))
        at = (some.item_N, some.start_Q, some.end_Q)
        return ItemSearch.build(self.network.items_VD, user_vectors(self.network, *at, self.settings.max_seq_len))

    @cached_property
    def _length_V(self) -> Tensor:
        """Norms of the items' vectors, [V + 1], never 0."""
        length_V: Tensor = self._table_DV.norm(dim=0).clamp(min=1e-12)
        return length_V

    @cached_property
    def _half_table(self) -> HalfTable | None:
        """The same in half precision, where that pays."""
        return HalfTable.of(self._table_DV)

    def _listed(self, ids: pl.Series, item_QK: Tensor, score_QK: Tensor) -> pl.DataFrame:
        """Rows of ids, item matrix and score matrix as one long table; item 0 is no item."""
        width = item_QK.shape[1]
        kept = (item_QK > 0).flatten().numpy()
        return pl.DataFrame(
            [
                ids.gather(np.repeat(np.arange(len(ids)), width)[kept]),
                self.items.ids_of(item_QK.flatten().numpy()[kept]).alias("item_id"),
                pl.Series("score", score_QK.flatten().numpy()[kept], dtype=pl.Float32),
                pl.Series("rank", np.tile(np.arange(1, width + 1), len(ids))[kept], dtype=pl.Int64),
            ]
        )


def looked_up(search: ItemSearch, user_QD: Tensor, asked: Asked, policy: Policy) -> tuple[Tensor, Tensor]:
    """The best items by an index, without those seen where they are excluded; as :func:`best_items` gives them."""
    k = min(policy.k, search.index.ntotal)
    item_QK, score_QK = torch.zeros(len(user_QD), k, dtype=torch.int64), torch.zeros(len(user_QD), k)
    for at_B in (asked.end_Q - asked.start_Q).argsort(stable=True).split(LOOKED_UP_AT_ONCE):
        seen_BW, length_B = histories(asked.item_N, asked.start_Q[at_B], asked.end_Q[at_B])
        # Enough for k to be left without those seen.
        wanted = k + (int(length_B.max()) if policy.exclude_seen else 0)
        item_BF, score_BF = search.best(user_QD[at_B], wanted)
        if policy.exclude_seen:
            seen_BW = seen_BW.cpu().sort(dim=1).values
            place_BF = torch.searchsorted(seen_BW, item_BF).clamp(max=seen_BW.shape[1] - 1)
            score_BF.masked_fill_(seen_BW.gather(1, place_BF) == item_BF, -torch.inf)
        score_QK[at_B.cpu()], best_BK = score_BF.topk(k, dim=1)
        item_QK[at_B.cpu()] = item_BF.gather(1, best_BK)
    return item_QK * (score_QK > -torch.inf), score_QK


def _at_least_one(name: str, number: int) -> int:
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
        raise SettingsError(f"{name}={number!r}: use a whole number, at least one")
    return int(number)
