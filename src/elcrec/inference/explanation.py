"""Explanations: the intents behind a score, the evidence for them, and the rank of the item without them."""

from __future__ import annotations

from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.fitted import FittedModel
from elcrec.inference.policy import ResolvedPolicy
from elcrec.inference.scoring import UNRANKED, Scorer
from elcrec.intents.attribution import Attribution, first_places, leave_one_out
from elcrec.model.encoding import EncodedHistories

EVIDENCE = 3
PART = pl.Struct({"intent": pl.Int64, "part": pl.Float64})


class Explainer:
    """Explanations of recommendations of a fitted model."""

    def __init__(self, fitted: FittedModel, scorer: Scorer) -> None:
        """Of a model and its scorer."""
        self.fitted = fitted
        self.scorer = scorer

    def reasons(
        self,
        users: EncodedHistories,
        item_QK: Tensor,
        score_QK: Tensor,
        parts: Attribution,
        policy: ResolvedPolicy,
    ) -> list[pl.Series]:
        """The columns of ``explain``, one value for each recommended item; see :meth:`elcrec.ELCRec.recommend`.

        Args:
            users: Whose recommendations.
            item_QK: int64 [Q, K], the recommended items; 0 is no item.
            score_QK: [Q, K].
            parts: What the users' vectors consist of.
            policy: How they were recommended.
        """
        adjustment = policy.adjustment
        item_QKD = self.fitted.network.item_table.weight.detach()[item_QK.to(self.fitted.device)]
        own = 1.0 if adjustment is None else 1 - adjustment.strength
        part_QKM = own * torch.einsum("qkd,qmd->qkm", item_QKD, parts.part_QMD).cpu()
        residual_QK = own * torch.einsum("qkd,qd->qk", item_QKD, parts.residual_QD).cpu()
        repeat_QK = torch.zeros(()).expand_as(residual_QK)
        if not policy.exclude_seen:
            repeat_QK = own * self.scorer.repeat_scores(users, item_QK).cpu()
        steering_QK = torch.zeros(()).expand_as(residual_QK)
        if adjustment is not None and adjustment.bonus_V is not None:
            steering_QK = adjustment.strength * adjustment.bonus_V.cpu()[item_QK]
        most_QK, which_QK = part_QKM.max(dim=2)
        intent_QM = parts.intent_QM.cpu()
        intent_QK = intent_QM.gather(1, which_QK).masked_fill(most_QK <= 0, -1)
        rank_QK = torch.full_like(item_QK, UNRANKED)
        if policy.diversify == 0:  # places after re-ranking are not those of scores
            without_QKM = self._ranks_without(users, item_QK, parts, policy)
            rank_QK = without_QKM.gather(2, which_QK[:, :, None]).squeeze(2)
        evidence_QM = self._evidence(users.histories, parts.intent_QM)
        share_QK = torch.where(score_QK > 0, most_QK / score_QK, torch.nan)

        rows, columns = torch.nonzero(item_QK > 0, as_tuple=True)
        intent = pl.Series(intent_QK[rows, columns].numpy()).replace(-1, None)
        which = which_QK[rows, columns].tolist()
        evidence = [
            evidence_QM[row][at] if intent_QK[row, column] >= 0 else []
            for row, column, at in zip(rows.tolist(), columns.tolist(), which, strict=True)
        ]
        all_parts = [
            [{"intent": intent, "part": part} for intent, part in zip(intents, values, strict=True)]
            for intents, values in zip(intent_QM[rows].tolist(), part_QKM[rows, columns].tolist(), strict=True)
        ]
        return self._columns(
            intent=intent,
            intent_share=pl.Series(share_QK[rows, columns].numpy()).fill_nan(None).set(intent.is_null(), None),
            because=evidence,
            rank_without=pl.Series(rank_QK[rows, columns].numpy()).set(intent.is_null(), None).replace(UNRANKED, None),
            parts=all_parts,
            residual=residual_QK[rows, columns].tolist(),
            steering=steering_QK[rows, columns].tolist(),
            repeat=repeat_QK[rows, columns].tolist(),
        )

    def no_reasons(self) -> list[pl.Series]:
        """The same columns where nothing is recommended."""
        return self._columns()

    def _columns(self, **values: Any) -> list[pl.Series]:
        kinds: dict[str, Any] = {
            "intent": pl.Int64,
            "intent_share": pl.Float64,
            "because": pl.List(self.fitted.items.ids.dtype),
            "rank_without": pl.Int64,
            "parts": pl.List(PART),
            "residual": pl.Float64,
            "steering": pl.Float64,
            "repeat": pl.Float64,
        }
        return [pl.Series(name, values.get(name, []), dtype=kind) for name, kind in kinds.items()]

    def _ranks_without(
        self, users: EncodedHistories, item_QK: Tensor, parts: Attribution, policy: ResolvedPolicy
    ) -> Tensor:
        """Rank each recommended item would have without each of its user's intents: int64 [Q, k, M]."""
        rank_QKM = torch.empty(*item_QK.shape, parts.intent_QM.shape[1], dtype=torch.int64)
        for m in range(rank_QKM.shape[2]):
            without = users._replace(user_QD=parts.user_QD - parts.part_QMD[:, m])
            for at_B, score_BV in self.scorer.blocks(without, policy.exclude_seen, policy.adjustment):
                item_BK = item_QK[at_B.cpu()].to(score_BV.device)
                ordered_BV = (-score_BV).sort(dim=1).values
                # Items at least as good, itself among them: ties count against it.
                rank_BK = torch.searchsorted(ordered_BV, -score_BV.gather(1, item_BK), right=True)
                rank_QKM[at_B.cpu(), :, m] = rank_BK.cpu()
        return rank_QKM

    def _evidence(self, histories: HistoryBatch, intent_QM: Tensor) -> list[list[list[Any]]]:
        """For each history and intent the distinct items with the largest attribution, largest first."""
        item_QW, pull_QWM = leave_one_out(self.fitted.network, histories, intent_QM)
        # An item that occurs again has its attribution at each of its places: it counts at the first.
        again_QW = first_places(item_QW) != torch.arange(item_QW.shape[1], device=item_QW.device)
        pull_QWM = pull_QWM.masked_fill(again_QW[:, :, None], 0)
        best_QWM = pull_QWM.topk(min(EVIDENCE, pull_QWM.shape[1]), dim=1)
        item_QWM = item_QW[:, :, None].expand_as(pull_QWM).gather(1, best_QWM.indices)
        item_QMW = torch.where(best_QWM.values > 0, item_QWM, 0).transpose(1, 2).cpu().numpy()
        ids = self.fitted.items.ids
        return [
            [[ids[item - 1] for item in dict.fromkeys(row.tolist()) if item > 0][:EVIDENCE] for row in rows]
            for rows in item_QMW
        ]
