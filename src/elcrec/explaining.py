"""Why an item is on a list: the intents behind its score, the items behind those, and its rank without them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.evaluation.ranking import UNRANKED, item_table, score_blocks
from elcrec.explain.attribution import Attribution, first_places, pulls
from elcrec.policy import Policy
from elcrec.trained import Asked, Trained

BECAUSE = 3


class Explaining(Trained):
    """The part of :class:`elcrec.ELCRec` that gives reasons."""

    @cached_property
    def _table_DV(self) -> Tensor:
        """The items' vectors, known to be numbers: [D, V + 1]."""
        return item_table(self.network)

    def _reasons(
        self,
        asked: Asked,
        item_QK: Tensor,
        score_QK: Tensor,
        parts: Attribution,
        policy: Policy,
    ) -> list[pl.Series]:
        """The columns of ``explain``, one value for each listed item."""
        wish = policy.wish
        item_QKD = self.network.item_table.detach()[item_QK.to(self.device)]
        own = 1.0 if wish is None else 1 - wish.strength
        part_QKM = own * torch.einsum("qkd,qmd->qkm", item_QKD, parts.part_QMD).cpu()
        residual_QK = own * torch.einsum("qkd,qd->qk", item_QKD, parts.residual_QD).cpu()
        steering_QK = torch.zeros(()).expand_as(residual_QK)
        if wish is not None and wish.bonus_V is not None:
            steering_QK = wish.strength * wish.bonus_V.cpu()[item_QK]
        most_QK, which_QK = part_QKM.max(dim=2)
        intent_QM = parts.intent_QM.cpu()
        intent_QK = intent_QM.gather(1, which_QK).masked_fill(most_QK <= 0, -1)
        rank_QK = torch.full_like(item_QK, UNRANKED)
        if policy.diversify == 0:  # places in a mixed list are not those of scores
            without_QKM = self._ranks_without(asked, item_QK, parts, policy)
            rank_QK = without_QKM.gather(2, which_QK[:, :, None]).squeeze(2)
        behind_QM = self._behind(asked, parts.intent_QM)
        share_QK = torch.where(score_QK > 0, most_QK / score_QK, torch.nan)

        rows, columns = torch.nonzero(item_QK > 0, as_tuple=True)
        intent = pl.Series(intent_QK[rows, columns].numpy()).replace(-1, None)
        return self._reason_columns(
            intent,
            pl.Series(share_QK[rows, columns].numpy()).fill_nan(None).set(intent.is_null(), None),
            [
                behind_QM[row][which] if intent_QK[row, column] >= 0 else []
                for row, column, which in zip(
                    rows.tolist(), columns.tolist(), which_QK[rows, columns].tolist(), strict=True
                )
            ],
            pl.Series(rank_QK[rows, columns].numpy()).set(intent.is_null(), None).replace(UNRANKED, None),
            [
                [{"intent": intent, "part": part} for intent, part in zip(intents, values, strict=True)]
                for intents, values in zip(intent_QM[rows].tolist(), part_QKM[rows, columns].tolist(), strict=True)
            ],
            residual_QK[rows, columns].tolist(),
            steering_QK[rows, columns].tolist(),
        )

    def _reason_columns(
        self, intent: Any, share: Any, because: Any, rank: Any, parts: Any, residual: Any, steering: Any
    ) -> list[pl.Series]:
        part = pl.Struct({"intent": pl.Int64, "part": pl.Float64})
        return [
            pl.Series("intent", intent, dtype=pl.Int64),
            pl.Series("intent_share", share, dtype=pl.Float64),
            pl.Series("because", because, dtype=pl.List(self.items.ids.dtype)),
            pl.Series("rank_without", rank, dtype=pl.Int64),
            pl.Series("parts", parts, dtype=pl.List(part)),
            pl.Series("residual", residual, dtype=pl.Float64),
            pl.Series("steering", steering, dtype=pl.Float64),
        ]

    def _ranks_without(self, asked: Asked, item_QK: Tensor, parts: Attribution, policy: Policy) -> Tensor:
        """Rank each listed item would have without each of its user's intents: int64 [Q, k, M]."""
        at, length = (asked.item_N, asked.start_Q, asked.end_Q), self.settings.max_seq_len
        rank_QKM = torch.empty(*item_QK.shape, parts.intent_QM.shape[1], dtype=torch.int64)
        for m in range(rank_QKM.shape[2]):
            user_QD = parts.user_QD - parts.part_QMD[:, m]
            wish, table_DV = policy.wish, self._table_DV
            blocks = score_blocks(self.network, *at, length, policy.exclude_seen, user_QD, wish, table_DV)
            for at_B, score_BV in blocks:
                item_BK = item_QK[at_B.cpu()].to(score_BV.device)
                ordered_BV = (-score_BV).sort(dim=1).values
                # Items at least as good, itself among them: ties count against it.
                rank_BK = torch.searchsorted(ordered_BV, -score_BV.gather(1, item_BK), right=True)
                rank_QKM[at_B.cpu(), :, m] = rank_BK.cpu()
        return rank_QKM

    def _behind(self, asked: Asked, intent_QM: Tensor) -> list[list[list[Any]]]:
        """For each history and intent the distinct items that pulled toward it most, strongest first."""
        settings = self.settings
        item_QW, pull_QWM = pulls(
            self.network, asked.item_N, asked.start_Q, asked.end_Q, intent_QM, settings.max_seq_len, settings.padding
        )
        # An item that comes again has its pull at each of its places: it counts at the first.
        again_QW = first_places(item_QW) != torch.arange(item_QW.shape[1], device=item_QW.device)
        pull_QWM = pull_QWM.masked_fill(again_QW[:, :, None], 0)
        best_QWM = pull_QWM.topk(min(BECAUSE, pull_QWM.shape[1]), dim=1)
        item_QWM = item_QW[:, :, None].expand_as(pull_QWM).gather(1, best_QWM.indices)
        item_QMW = torch.where(best_QWM.values > 0, item_QWM, 0).transpose(1, 2).cpu().numpy()
        known = self.items.ids
        return [
            [[known[item - 1] for item in dict.fromkeys(row.tolist()) if item > 0][:BECAUSE] for row in rows]
            for rows in item_QMW
        ]
