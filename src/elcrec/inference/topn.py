"""Top-k recommendations: for users, for new histories, for intents; steered, re-ranked and explained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.numbers import at_least_one
from elcrec.data.vocabulary import Indices
from elcrec.errors import SettingsError
from elcrec.inference.explanation import Explainer
from elcrec.inference.filters import ItemFilters
from elcrec.inference.index import ItemSearch, look_up, recall
from elcrec.inference.new_users import NewUserRanking
from elcrec.inference.policy import RankingPolicy, ResolvedPolicy
from elcrec.inference.scoring import SCORE_ROWS, ScoreAdjustment, Scorer, top_items
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.attribution import Attribution, attribute, intent_weights
from elcrec.intents.calibration import calibrate, n_candidates
from elcrec.model.encoding import EncodedHistories
from elcrec.process.progress import step

_NOTHING = (torch.zeros(0, 1, dtype=torch.int64), torch.zeros(0, 1))
USERS_AT_ONCE = 2048
QUALITY_USERS = 1024
FITTED_TO = 256


class TopN:
    """Recommendations of a fitted model; :class:`elcrec.ELCRec` documents what each method returns."""

    def __init__(self, assigner: IntentAssigner, index_path: Path | None = None) -> None:
        """Of a model.

        Args:
            assigner: Of the same model.
            index_path: Where an index of its items lies; None: one is made when it is first used.
        """
        self.assigner = assigner
        self.fitted = assigner.fitted
        self.index_path = index_path

    # ------------------------------------------------------------------ tables

    def recommend(self, histories: HistoryBatch, policy: RankingPolicy) -> pl.DataFrame:
        """Recommendations for histories, as one table."""
        resolved = self.resolve(policy)
        frames = [self._table(block, resolved) for block in histories.blocks(USERS_AT_ONCE) if len(block)]
        if frames:
            return pl.concat(frames)
        nothing = self._rows(histories.named, *_NOTHING)
        nothing = nothing.with_columns(self.explainer.no_reasons()) if policy.explain else nothing
        return self.fitted.dataset.titles.beside(nothing) if policy.titles else nothing

    def recommend_in_blocks(self, histories: HistoryBatch, policy: RankingPolicy) -> Iterator[pl.DataFrame]:
        """The same, some thousand histories at a time."""
        resolved = self.resolve(policy)
        for block in histories.blocks(USERS_AT_ONCE):
            yield self._table(block, resolved)

    def _table(self, histories: HistoryBatch, policy: ResolvedPolicy) -> pl.DataFrame:
        users = self.encoded(histories)
        item_QK, score_QK, parts = self.best(users, policy)
        rows = self._rows(histories.named, item_QK, score_QK)
        if policy.explain and parts is not None:
            rows = rows.with_columns(self.explainer.reasons(users, item_QK, score_QK, parts, policy))
        return self.fitted.dataset.titles.beside(rows) if policy.titles else rows

    def for_intents(self, intents: Iterable[int] | None, k: int) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.recommend_for_intent`."""
        everybody, k = self.assigner.of_users.intent_Q, at_least_one("k", k)
        numbers = torch.unique(everybody).tolist() if intents is None else self.assigner.checked(intents)
        best = [_best_items(self.assigner.item_intents.lift([intent]), k) for intent in numbers]
        item_XK, lift_XK = (torch.cat(column) for column in zip(*best, strict=True)) if best else _NOTHING
        return self._rows(pl.Series("intent", numbers, dtype=pl.Int64), item_XK, lift_XK)

    def for_new_user(self, intents: Iterable[int], k: int) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.recommend_to_new_user`."""
        chosen = self.chosen(intents)
        item_1K, score_1K = _best_items(self.new_users.scores(chosen), at_least_one("k", k))
        return self._rows(pl.Series("place", [0]), item_1K, score_1K).drop("place")

    def chosen(self, intents: Iterable[int]) -> list[int]:
        """The intents that a user chose, each once.

        Raises:
            SettingsError: There is no such intent, or none is named.
        """
        numbers = list(dict.fromkeys(self.assigner.checked(intents)))
        if not numbers:
            raise SettingsError("intents: name one or more")
        return numbers

    @cached_property
    def new_users(self) -> NewUserRanking:
        """Ranks items for users without a history."""
        return NewUserRanking(self.assigner, self.popularity_V)

    @cached_property
    def popularity_V(self) -> Tensor:
        """Number of events of each item, [V + 1]; where one kind of event is predicted, of that kind."""
        split = self.fitted.split
        item_N = split.item_N if split.judged_N is None else split.item_N[split.judged_N]
        return torch.bincount(item_N.cpu(), minlength=len(self.fitted.items) + 1).float()

    def slate(self, histories: HistoryBatch, rows: int, policy: RankingPolicy) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.slate`."""
        resolved = self.resolve(policy)
        n_rows = min(at_least_one("rows", rows), self.assigner.n_intents)
        intent_QR, _, weight_QR = self.assigner.strongest(histories, n_rows)
        item_QRK, score_QRK = self._slate_rows(self.encoded(histories), intent_QR, resolved, policy.strength)
        # A place is a row of a user; the same user may occur twice in a request.
        places = pl.Series("place", np.arange(intent_QR.numel()))
        listed = self._rows(places, item_QRK.flatten(0, 1), score_QRK.flatten(0, 1))
        place = listed["place"].to_numpy()
        return pl.DataFrame(
            [
                histories.named.gather(place // n_rows),
                pl.Series("row", place % n_rows + 1, dtype=pl.Int64),
                pl.Series("intent", intent_QR.flatten().cpu().numpy()[place], dtype=pl.Int64),
                pl.Series("weight", weight_QR.flatten().cpu().numpy()[place]),
                *listed.drop("place"),
            ]
        )

    def _slate_rows(
        self, users: EncodedHistories, intent_QR: Tensor, policy: ResolvedPolicy, strength: float
    ) -> tuple[Tensor, Tensor]:
        """A row after another, each of the best items that the rows above do not show: [Q, R, k'] each."""
        item_QRK = torch.zeros(*intent_QR.shape, min(policy.k, len(self.fitted.items)), dtype=torch.int64)
        score_QRK = torch.full(item_QRK.shape, -torch.inf)
        own = policy.adjustment or ScoreAdjustment()
        for row in range(intent_QR.shape[1]):
            for intent in torch.unique(intent_QR[:, row]).tolist():
                toward = self._steering([intent], strength)._replace(barred_V=own.barred_V, only_seen=own.only_seen)
                for at_X in torch.nonzero(intent_QR[:, row] == intent).flatten().cpu().split(USERS_AT_ONCE):
                    shown_XS = item_QRK[at_X, :row].flatten(1).to(self.fitted.device)
                    steered = replace(policy, adjustment=toward._replace(shown_QX=shown_XS))
                    item_QRK[at_X, row], score_QRK[at_X, row], _ = self.best(users.at(at_X), steered)
        return item_QRK, score_QRK

    def similar(self, items: Iterable[Any], k: int, unknown: str) -> pl.DataFrame:
        """See :meth:`elcrec.ELCRec.similar_items`."""
        index_Q = torch.from_numpy(self.fitted.dataset.titles.indices(items, unknown)).to(self.fitted.device)
        index_Q = index_Q[index_Q > 0]
        found = [self._similar_block(index_B, at_least_one("k", k)) for index_B in index_Q.split(SCORE_ROWS)]
        item_QK, score_QK = (torch.cat(column) for column in zip(*found, strict=True))
        ids = self.fitted.items.ids_of(index_Q.cpu().numpy()).alias("target_item_id")
        return self._rows(ids, item_QK, score_QK)

    def _similar_block(self, index_B: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The items nearest to some, and their cosines: [B, k'] each, in main memory."""
        table_DV = self.scorer.table_DV
        unit_BD = F.normalize(table_DV.T[index_B], dim=-1)
        score_BV = (unit_BD @ table_DV).div_(self._norm_V)
        score_BV[:, 0] = -torch.inf
        score_BV.scatter_(1, index_B[:, None], -torch.inf)
        item_BK, score_BK = top_items(score_BV, k)
        return item_BK.cpu(), score_BK.cpu()

    def _rows(self, ids: pl.Series, item_QK: Tensor, score_QK: Tensor) -> pl.DataFrame:
        """Rows of ids, item matrix and score matrix as one long table; item 0 is no item."""
        width = item_QK.shape[1]
        kept = (item_QK > 0).flatten().numpy()
        return pl.DataFrame(
            [
                ids.gather(np.repeat(np.arange(len(ids)), width)[kept]),
                self.fitted.items.ids_of(item_QK.flatten().numpy()[kept]).alias("item_id"),
                pl.Series("score", score_QK.flatten().numpy()[kept], dtype=pl.Float32),
                pl.Series("rank", np.tile(np.arange(1, width + 1), len(ids))[kept], dtype=pl.Int64),
            ]
        )

    # ------------------------------------------------------------------ recommendations as tensors

    def encoded(self, histories: HistoryBatch) -> EncodedHistories:
        """Histories with the vectors that items are ranked with."""
        return EncodedHistories.of(self.fitted.network, histories)

    def best(self, users: EncodedHistories, policy: ResolvedPolicy) -> tuple[Tensor, Tensor, Attribution | None]:
        """Item indices int64 [Q, k'] and scores [Q, k'], best first, and what the users' vectors consist of.

        The last is None where the policy neither explains nor excludes intents.
        """
        if policy.approximate:
            return *self._look_up(users, policy), None
        parts, wanted = None, policy.k
        attributed = policy.explain or len(policy.excluded) > 0
        if attributed or policy.diversify > 0:
            cosine_QK = self.assigner.cosines(users.histories)
        if attributed:
            unit_KD = self.assigner.unit_centers
            parts = attribute(users.vector_QD, cosine_QK, unit_KD).without(policy.excluded, unit_KD)
            users = users._replace(user_QD=parts.user_QD) if len(policy.excluded) else users
        if policy.diversify > 0:
            wanted = n_candidates(policy.k)
        item_QK, score_QK = self.scorer.best_items(users, wanted, policy.exclude_seen, policy.adjustment)
        if policy.diversify > 0:
            mix_QK, typical = intent_weights(cosine_QK, policy.excluded).cpu(), self.assigner.item_intents
            item_QK, score_QK = calibrate(item_QK, score_QK, mix_QK, typical, policy.diversify, policy.k)
        return item_QK, score_QK, parts

    def _look_up(self, users: EncodedHistories, policy: ResolvedPolicy) -> tuple[Tensor, Tensor]:
        """By the index; where the cells it looks into hold fewer than k, all items are scored."""
        item_QK, score_QK = look_up(self.item_search, users, policy.k, policy.exclude_seen)
        short_X = torch.nonzero((item_QK == 0).any(dim=1)).flatten()
        if len(short_X):
            full = replace(self.scorer, first_pass=None)
            item_QK[short_X], score_QK[short_X] = full.best_items(users.at(short_X), policy.k, policy.exclude_seen)
        return item_QK, score_QK

    @cached_property
    def scorer(self) -> Scorer:
        """Scores items; the first pass over a large catalogue is in bfloat16."""
        return Scorer.of(self.fitted.network, two_stage=True)

    @cached_property
    def explainer(self) -> Explainer:
        """Gives reasons."""
        return Explainer(self.fitted, self.scorer)

    @cached_property
    def _norm_V(self) -> Tensor:
        """Norms of the items' vectors, [V + 1], never 0."""
        norm_V: Tensor = self.scorer.table_DV.norm(dim=0).clamp(min=1e-12)
        return norm_V

    # ------------------------------------------------------------------ policies

    def resolve(self, policy: RankingPolicy) -> ResolvedPolicy:
        """A policy in terms of this model.

        Raises:
            SettingsError: An intent or attribute does not exist, or ``approximate`` is combined with other options.
            UnknownIdError: An item does not exist.
        """
        if policy.approximate and not policy.is_plain:
            raise SettingsError("approximate search cannot explain, steer, filter or diversify: leave one of them out")
        excluded = torch.tensor(self.assigner.checked(policy.exclude_intents), dtype=torch.int64)
        toward = list(dict.fromkeys(self.assigner.checked(policy.intents)))  # one named twice does not count twice
        adjustment = self._adjustment(policy, toward)
        if policy.approximate and self.ranks_by_repeats(policy):
            raise SettingsError("approximate search knows no repeat scores: leave it out, or exclude seen items")
        return ResolvedPolicy(
            int(policy.k),
            self._excludes_seen(policy),
            policy.explain,
            excluded.to(self.fitted.device),
            adjustment,
            policy.diversify,
            policy.approximate,
            policy.titles,
        )

    def ranks_by_repeats(self, policy: RankingPolicy) -> bool:
        """Whether repeat scores decide, which approximate search does not know."""
        return self.fitted.network.repeats is not None and not self._excludes_seen(policy)

    def _adjustment(self, policy: RankingPolicy, toward: list[int]) -> ScoreAdjustment | None:
        """What counts on top of the scores; None where nothing does."""
        barred_V = self.filters.barred(policy).to(self.fitted.device) if policy.filters_items else None
        if not (toward or barred_V is not None or policy.only_seen):
            return None
        steering = self._steering(toward, policy.strength) if toward else ScoreAdjustment()
        return steering._replace(barred_V=barred_V, only_seen=policy.only_seen)

    def _excludes_seen(self, policy: RankingPolicy) -> bool:
        if policy.only_seen:
            return False
        return self.fitted.settings.exclude_seen if policy.exclude_seen is None else policy.exclude_seen

    def _steering(self, intents: list[int], strength: float) -> ScoreAdjustment:
        return ScoreAdjustment(strength, self.assigner.item_intents.lift(intents).log().to(self.fitted.device))

    @cached_property
    def filters(self) -> ItemFilters:
        """Which items may be recommended."""
        return ItemFilters(self.fitted)

    def item_numbers(self, ids: Iterable[Any]) -> Indices:
        """Indices of items by the text form of their ids: int64 [n], -1 for unknown ones."""
        return self.fitted.items.found(ids)

    def items_known(self, ids: Sequence[Any]) -> Indices:
        """The same, of items that must be known.

        Raises:
            UnknownIdError: Some are not.
        """
        return self.fitted.items.known(ids)

    # ------------------------------------------------------------------ approximate search

    @cached_property
    def item_search(self) -> ItemSearch:
        """The index that ``approximate`` looks into: the run's, where it has one, else made when first used."""
        if self.index_path is not None:
            return ItemSearch.read(self.index_path, self.fitted.network.items_VD)
        return self.make_item_search()

    def make_item_search(self) -> ItemSearch:
        """An index of the items' vectors, fitted to some users drawn by the seed."""
        with step("building the index"):
            return ItemSearch.build(self.fitted.network.items_VD, self.encoded(self._sample(FITTED_TO)).vector_QD)

    def search_quality(self, k: int) -> dict[str, float]:
        """See :meth:`elcrec.ELCRec.search_quality`."""
        k, users = at_least_one("k", k), self.encoded(self._sample(QUALITY_USERS))
        # With repeat scores the index answers only where seen items are excluded.
        exclude_seen = self.fitted.settings.exclude_seen or self.fitted.network.repeats is not None
        exact, search = replace(self.scorer, first_pass=None), self.item_search  # made before the clock runs
        started = time.perf_counter()
        exact_QK, _ = exact.best_items(users, k, exclude_seen)
        between = time.perf_counter()
        near_QK, _ = look_up(search, users, k, exclude_seen)
        seconds = (between - started, time.perf_counter() - between)
        return {
            "recall": recall(exact_QK, near_QK),
            "exact_seconds": seconds[0] / len(users.histories),
            "approximate_seconds": seconds[1] / len(users.histories),
        }

    def _sample(self, most: int) -> HistoryBatch:
        return self.fitted.dataset.sample(min(most, len(self.fitted.users)), self.fitted.settings.seed)


def _best_items(score_V: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best of all items by their scores, [V + 1], as :func:`top_items` gives them, without padding: [1, k']."""
    score_V[0] = float("-inf")
    return top_items(score_V[None], k)
