"""Inputs of training steps, sampled from the log by tensor code."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.augment import draw_view
from elcrec.data.batches import ItemSampler, NegativeSampler, TokenBatch, histories, lay_out, shuffled
from elcrec.data.splits import Split
from elcrec.losses.registry import NEXT_ITEM_LOSSES
from elcrec.training.distributed import Team
from elcrec.training.objective import Objective, Part, StepInput


class StepSource:
    """Draws the steps of an epoch: each learner's training items, the newest ``max_seq_len`` of them."""

    def __init__(self, split: Split, settings: Settings, n_items: int, team: Team = Team()) -> None:  # noqa: B008
        """Prepare the parts that do not change from epoch to epoch.

        Args:
            split: The log, on the device of the model.
            settings: Batch size, views, negatives.
            n_items: Size of the catalogue, V.
            team: Of several processes each gets a part of every batch.
        """
        self.split = split
        self._team = team
        self.settings = settings
        self.learner_M = split.learners()
        self.needs_views = Objective(settings).needs_views
        samples = NEXT_ITEM_LOSSES[settings.next_item_loss].samples
        self._n_negatives = 1 if samples == "negative" else settings.n_negatives
        self._negatives = self._sampler(n_items) if samples in ("negative", "negatives") else None
        self._items = self._item_sampler(n_items) if samples == "items" else None

    @property
    def n_steps(self) -> int:
        """Steps in an epoch."""
        return self._n_passes * self._steps_of_a_pass

    @property
    def _steps_of_a_pass(self) -> int:
        return -(-min(self.learner_M.numel(), self.settings.epoch_users) // self.settings.batch_size)

    @property
    def _n_passes(self) -> int:
        return -(-self.settings.epoch_steps // self._steps_of_a_pass)

    def epoch(self, generator: torch.Generator) -> Iterator[StepInput]:
        """All steps of one epoch, in random order: every learner once, several times where they are few, or a part."""
        settings = self.settings
        for _ in range(self._n_passes):
            for user_B in shuffled(self.learner_M, settings.batch_size, generator, settings.epoch_users):
                yield self.step(user_B, generator)

    def step(self, user_B: Tensor, generator: torch.Generator) -> StepInput:
        """The step of the given users, int64 [B], or this process's part of it; all draw for the whole batch."""
        split, settings = self.split, self.settings
        start_B, end_B = split.start_U[user_B], split.train_end_U[user_B] - 1
        # The released program draws views from the whole history; ours are cut to what is read.
        limit = settings.max_seq_len if settings.padding == "skip" else None
        item_BW, length_B = histories(split.item_N, start_B, end_B, limit)
        target_BW, _ = histories(split.item_N, start_B + 1, end_B + 1, limit)
        rows = [(item_BW, length_B)]
        if self.needs_views:
            shares = (settings.crop_keep, settings.mask_share, settings.reorder_share)
            rows += [draw_view(item_BW, length_B, generator, *shares) for _ in range(2)]
        item_RW, length_R = torch.cat([items for items, _ in rows]), torch.cat([lengths for _, lengths in rows])
        whole = self._lay_out(item_RW, length_R, target_BW)
        tokens, source_T, target_TH = whole
        negative_TM = drawn_M = expected_M = part = None
        if self._negatives is not None:
            user_T1 = user_B[source_T.clamp(max=item_BW.numel() - 1) // item_BW.shape[1]][:, None]
            negative_TM = self._negatives.draw(user_T1.expand(-1, self._n_negatives), generator)
        if self._items is not None:
            drawn_M, expected_M = self._items.draw(settings.n_negatives, generator)
        n_sequences = len(user_B)
        if self._team.size > 1:
            place_B = torch.arange(n_sequences, device=user_B.device)
            place_B, n_targets = self._team.part(place_B), (target_TH[:, 0] > 0).sum()
            held_B = place_B if len(place_B) else place_B.new_zeros(1)
            row_R = torch.cat([held_B + number * n_sequences for number in range(len(rows))])
            tokens, source_T, target_TH = self._lay_out(item_RW, length_R, target_BW, row_R)
            share = float((target_TH[:, 0] > 0).sum() / n_targets) if len(place_B) else 0.0
            part = Part(place_B, n_sequences, share, self._team.whole, self._team.size)
            negative_TM = None if negative_TM is None else _moved(negative_TM, whole, source_T, target_BW.numel())
            n_sequences = len(held_B)
        return StepInput(tokens, n_sequences, target_TH, negative_TM, drawn_M, expected_M, part)

    def _lay_out(
        self, item_RW: Tensor, length_R: Tensor, target_BW: Tensor, row_X: Tensor | None = None
    ) -> tuple[TokenBatch, Tensor, Tensor]:
        """Tokens of rows of a batch (all, or some), where they are from in the matrix, and what they predict."""
        settings, width = self.settings, item_RW.shape[1]
        if row_X is None:
            tokens = lay_out(item_RW, length_R, settings.max_seq_len, settings.padding, packed=True)
            source_T = tokens.source_T
        else:
            tokens = lay_out(item_RW[row_X], length_R[row_X], settings.max_seq_len, settings.padding, packed=True)
            source_T = row_X[tokens.source_T // width] * width + tokens.source_T % width
        predicted_T = tokens.real_T & (source_T < target_BW.numel())
        coming_BWH = torch.stack([F.pad(target_BW, (0, gap))[:, gap:] for gap in range(settings.horizon)], dim=2)
        target_TH = coming_BWH.flatten(0, 1)[source_T.clamp(max=target_BW.numel() - 1)] * predicted_T[:, None]
        return tokens, source_T, target_TH

    def _sampler(self, n_items: int) -> NegativeSampler:
        """Negatives 1 .. V, or 1 .. V + 1 (the mask row too) where the released program is followed."""
        split = self.split
        kept_N = split.before(split.end_U if self.settings.negatives == "unseen_ever" else split.train_end_U)
        top = n_items + (1 if self.settings.padding == "encode" else 0)
        return NegativeSampler(split.item_N[kept_N], split.user_N[kept_N], split.n_users, top)

    def _item_sampler(self, n_items: int) -> ItemSampler:
        return ItemSampler(self.split.item_N[self.split.before(self.split.train_end_U)], n_items)


def _moved(negative_TM: Tensor, whole: tuple[TokenBatch, Tensor, Tensor], source_X: Tensor, n_places: int) -> Tensor:
    """What was drawn for the tokens of a whole batch, for some of its tokens: [X, M]."""
    _, source_T, target_TH = whole
    predicts_T = target_TH[:, 0] > 0
    at_place = negative_TM.new_ones(n_places, negative_TM.shape[1])
    at_place[source_T[predicts_T]] = negative_TM[predicts_T]
    return at_place[source_X.clamp(max=n_places - 1)]
