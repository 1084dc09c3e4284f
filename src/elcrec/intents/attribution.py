"""Attribution: the part of a score that each intent carries, and the items behind an intent (leave-one-out)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.batches import lay_out
from elcrec.data.histories import HistoryBatch
from elcrec.model.network import ELCRecNetwork

N_PARTS = 3
WEIGHT_TEMPERATURE = 0.05
ENCODE_ROWS = 512


def intent_weights(cosine_QK: Tensor, excluded: Tensor | None = None) -> Tensor:
    """Soft intents: ``softmax_k(cos(h, c_k) / .05)`` over all intents but those excluded.

    Args:
        cosine_QK: [Q, K].
        excluded: int64 [X], intents that weigh nothing.

    Returns:
        [Q, K], rows sum to 1 (0 where every intent is excluded).
    """
    if excluded is None or not len(excluded):
        return (cosine_QK / WEIGHT_TEMPERATURE).softmax(dim=1)
    open_QK = cosine_QK.index_fill(1, excluded, -torch.inf)
    return (open_QK / WEIGHT_TEMPERATURE).softmax(dim=1).nan_to_num(0.0)


@dataclass(frozen=True)
class Attribution:
    """User vectors as sums of intents and a residual: ``u = sum_m amount_m c_m + residual``.

    A score is a dot product with an item, so it splits into the same parts, exactly.

    Attributes:
        intent_QM: int64 [Q, M], the intents of each history, nearest first.
        amount_QM: [Q, M], length of each intent's part of the vector, >= 0.
        center_QMD: [Q, M, D], their unit centres.
        residual_QD: [Q, D], what the intents do not carry.
    """

    intent_QM: Tensor
    amount_QM: Tensor
    center_QMD: Tensor
    residual_QD: Tensor

    @property
    def part_QMD(self) -> Tensor:
        """The intents' parts of the vector: [Q, M, D]."""
        return self.center_QMD * self.amount_QM[:, :, None]

    @property
    def user_QD(self) -> Tensor:
        """The vector the parts add up to: [Q, D]."""
        return self.part_QMD.sum(dim=1) + self.residual_QD

    def without(self, intents: Tensor, unit_KD: Tensor) -> Attribution:
        """The same users with what they have of some intents taken away.

        An intent among a user's own loses its part. Of any other, the residual's component along its centre
        goes, if it points that way; of several foreign ones, one after the other.

        Args:
            intents: int64 [X].
            unit_KD: All unit centres.
        """
        gone_QM = torch.isin(self.intent_QM, intents)
        residual_QD = self.residual_QD
        for intent in intents.tolist():
            # Not a product of matrix and vector, which is rounded by how many rows there are.
            along_Q1 = (residual_QD * unit_KD[intent]).sum(dim=1, keepdim=True).clamp(min=0)
            foreign_Q1 = (self.intent_QM != intent).all(dim=1, keepdim=True)
            residual_QD = residual_QD - foreign_Q1 * along_Q1 * unit_KD[intent]
        amount_QM = self.amount_QM.masked_fill(gone_QM, 0.0)
        return Attribution(self.intent_QM, amount_QM, self.center_QMD, residual_QD)


def attribute(user_QD: Tensor, cosine_QK: Tensor, unit_KD: Tensor) -> Attribution:
    """Split user vectors over the three intents nearest to each behaviour.

    The amounts are the non-negative least squares solution, so that intents carry as much of the vector as
    possible; the rest is the residual.

    Args:
        user_QD: [Q, D], the vectors items are scored with.
        cosine_QK: [Q, K], cosine of each behaviour to each centre.
        unit_KD: [K, D], unit centres.
    """
    intent_QM = cosine_QK.topk(min(N_PARTS, len(unit_KD)), dim=1).indices
    center_QMD = unit_KD[intent_QM]
    gram_QMM = center_QMD @ center_QMD.transpose(1, 2)
    along_QM = (center_QMD @ user_QD[:, :, None]).squeeze(2)
    amount_QM = _non_negative(gram_QMM.double(), along_QM.double()).to(user_QD)
    residual_QD = user_QD - (center_QMD * amount_QM[:, :, None]).sum(dim=1)
    return Attribution(intent_QM, amount_QM, center_QMD, residual_QD)


def _non_negative(gram_QMM: Tensor, along_QM: Tensor) -> Tensor:
    """Non-negative least squares from Gram matrix and projections: the best of all sets of parts above 0.

    With three parts there are seven sets to solve for, exactly and however close the centres lie.
    """
    best_QM, least_Q = torch.zeros_like(along_QM), torch.zeros_like(along_QM[:, 0])
    n_parts = along_QM.shape[1]
    for chosen in product((0.0, 1.0), repeat=n_parts):
        used_M = along_QM.new_tensor(chosen)
        if not used_M.any():
            continue
        # Parts outside the set get the equation amount = 0; a trace of ridge separates centres that coincide.
        system_QMM = gram_QMM * used_M * used_M[:, None] + torch.diag(1 - used_M + 1e-9)
        amount_QM = torch.linalg.solve(system_QMM, along_QM * used_M)
        cost_Q = (amount_QM * ((gram_QMM @ amount_QM[:, :, None]).squeeze(2) - 2 * along_QM)).sum(dim=1)
        better_Q = (amount_QM >= 0).all(dim=1) & (cost_Q < least_Q)
        best_QM = torch.where(better_Q[:, None], amount_QM, best_QM)
        least_Q = torch.where(better_Q, cost_Q, least_Q)
    return best_QM


@torch.no_grad()
def leave_one_out(network: ELCRecNetwork, histories: HistoryBatch, intent_QM: Tensor) -> tuple[Tensor, Tensor]:
    """Leave-one-out attribution: how much nearer to intents each item brings a history.

    That is ``cos(h, c) - cos(h without the item, c)``.

    Every history is encoded once more for each of its items, without it. (Splitting h over positions would be
    cheaper, but attention has mixed the items by then: it names other items than the ones that matter.) An item that
    occurs several times is left out everywhere, and its attribution stands at each of its places. The only item of a
    history gets the whole cosine.

    Args:
        network: In evaluation mode.
        histories: Q of them.
        intent_QM: int64 [Q, M], the intents to attribute to.

    Returns:
        Items int64 [Q, W], 0 where there is none, oldest first, and their attributions [Q, W, M], 0 there.
    """
    item_QW, length_Q = histories.items(network.max_seq_len)
    event_QW = histories.events_of_items(network.max_seq_len)
    width, device = item_QW.shape[1], item_QW.device
    pull_QWM = torch.zeros(len(histories), width, intent_QM.shape[1], device=device)
    center_QMD = F.normalize(network.centers.weight.detach(), dim=-1)[intent_QM]

    def cosines(row_R: Tensor, length_R: Tensor, place_RW: Tensor | None = None) -> Tensor:
        """Of histories, or of what lies at some of their places, to the intents of their rows: [R, M]."""
        item_RW, event_RW = item_QW[row_R], None if event_QW is None else event_QW[row_R]
        if place_RW is not None:
            item_RW, event_RW = item_RW.gather(1, place_RW), None if event_RW is None else event_RW.gather(1, place_RW)
        tokens = lay_out(item_RW, length_R, network.max_seq_len, network.padding, event_BW=event_RW)
        behaviour_RD = network.encode_behaviour(tokens).float()
        return (center_QMD[row_R] @ F.normalize(behaviour_RD, dim=-1)[:, :, None]).squeeze(2)

    all_Q = torch.arange(len(histories), device=device)
    whole_QM = torch.cat([cosines(at_B, length_Q[at_B]) for at_B in all_Q.split(ENCODE_ROWS)])
    row_R, left_R = torch.nonzero(torch.arange(width, device=device) < length_Q[:, None], as_tuple=True)
    pull_QWM[row_R, left_R] = whole_QM[row_R]
    # Each item once: at its first place, from which its attribution is copied to the others.
    first_R = first_places(item_QW)[row_R, left_R]
    for at_B in torch.nonzero(first_R == left_R).flatten().split(ENCODE_ROWS):
        row_B, left_B = row_R[at_B], left_R[at_B]
        kept_BW = (item_QW[row_B] > 0) & (item_QW[row_B] != item_QW[row_B, left_B, None])
        some_B = kept_BW.any(dim=1)  # not the only item
        row_B, left_B, kept_BW = row_B[some_B], left_B[some_B], kept_BW[some_B]
        if len(row_B):
            order_BW = (~kept_BW).to(torch.uint8).argsort(dim=1, stable=True)[:, : width - 1]
            pull_QWM[row_B, left_B] -= cosines(row_B, kept_BW.sum(dim=1), order_BW)
    pull_QWM[row_R, left_R] = pull_QWM[row_R, first_R]
    return item_QW, pull_QWM


def first_places(item_QW: Tensor) -> Tensor:
    """Where in its row each item comes first: int64 [Q, W]."""
    sorted_QW, place_QW = item_QW.sort(dim=1, stable=True)
    begins_QW = torch.ones_like(sorted_QW, dtype=torch.bool)
    begins_QW[:, 1:] = sorted_QW[:, 1:] != sorted_QW[:, :-1]
    begin_QW = (begins_QW * torch.arange(item_QW.shape[1], device=item_QW.device)).cummax(dim=1).values
    return torch.empty_like(place_QW).scatter_(1, place_QW, place_QW.gather(1, begin_QW))
