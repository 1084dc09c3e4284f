"""The linear part of repeat scores, fitted to what validation users took again."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.histories import HistoryBatch
from elcrec.data.seen import seen_items
from elcrec.data.splits import Split
from elcrec.evaluation.metrics import SELECTION_METRIC, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways, scores_of
from elcrec.losses.prediction import ExtraScores
from elcrec.model.network import ELCRecNetwork

TEMPERATURES = (1.0, 1.4, 2.0, 2.8)
RIDGE = 1e-3
STEPS = 60


@dataclass(frozen=True)
class _Pairs:
    """Scores of validation histories, as much of them as the fit needs.

    Attributes:
        unseen_QT: [Q, T], logarithm of the summed exponentials of the scores of unseen items at each temperature.
        row_P: int64 [P], history of each pair with an item that it holds.
        score_P: [P], its score.
        feature_PF: [P, F].
        weight_P: [P], share of the pair among the targets of its history, 0 to 1.
    """

    unseen_QT: Tensor
    row_P: Tensor
    score_P: Tensor
    feature_PF: Tensor
    weight_P: Tensor


@torch.no_grad()
def fit_linear_part(network: ELCRecNetwork, split: Split, settings: Settings) -> tuple[float, float]:
    """Fit ``a`` of :class:`elcrec.model.repeats.RepeatScore` by maximum likelihood on the validation targets.

    A network is surer of itself on what it was trained with than on what it was not, so its scores are divided by a
    temperature for the fit, and ``a`` is scaled back. Of several temperatures, and of no linear part at all, the best
    by validation ndcg@20 is kept. Only these thirteen numbers are fitted, to all the validation targets.

    Args:
        network: Trained, in evaluation mode, with repeat scores; changed in place.
        split: With validation targets.
        settings: All settings.

    Returns:
        Validation ndcg@20 without a linear part, as training has it, and with the one that is kept.
    """
    assert network.repeats is not None
    _, histories = split.held_out("valid", settings.judged_users, settings.seed)
    linear, pairs = network.repeats.linear, _pairs(network, histories)
    fits = [_fit(pairs, number) for number in range(len(TEMPERATURES))]
    values = []
    for weight_F1 in (candidates := [torch.zeros_like(fits[0]), *fits]):
        linear.weight.copy_(weight_F1[None, :-1])
        linear.bias.copy_(weight_F1[-1:])
        rank_X = ranks_of_ways(network, histories, (False,))[False]
        values.append(metrics_of(histories, rank_X)[SELECTION_METRIC])
    best_F1 = candidates[values.index(max(values))]
    linear.weight.copy_(best_F1[None, :-1])
    linear.bias.copy_(best_F1[-1:])
    return values[0], max(values)


def _pairs(network: ELCRecNetwork, histories: HistoryBatch) -> _Pairs:
    row_X, item_X = histories.targets
    count_Q = torch.bincount(row_X, minlength=len(histories))
    n_rows = network.n_items + 1
    targets = ExtraScores(row_X, item_X, (1 / count_Q[row_X]).float())
    unseen_QT = torch.empty(len(histories), len(TEMPERATURES), device=row_X.device)
    parts: list[tuple[Tensor, ...]] = []
    for at_B, score_BV in scores_of(network, histories, exclude_seen=False):
        seen = seen_items(histories.at(at_B), network.n_items)
        score_P = score_BV[seen.row_P, seen.item_P]
        score_BV[seen.row_P, seen.item_P] = -torch.inf
        for number, temperature in enumerate(TEMPERATURES):
            unseen_QT[at_B, number] = (score_BV / temperature).logsumexp(dim=1)
        row_P = at_B[seen.row_P]
        order_P = (row_P * n_rows + seen.item_P).argsort()
        parts.append(tuple(one[order_P] for one in (row_P, seen.item_P, score_P, seen.feature_PF)))
    row_P, item_P, score_P, feature_PF = (torch.cat(column) for column in zip(*parts, strict=True))
    key_P = row_P * n_rows + item_P
    key_X = row_X * n_rows + item_X
    place_P = torch.searchsorted(key_X, key_P).clamp(max=len(key_X) - 1)
    weight_P = targets.score_P[place_P] * (key_X[place_P] == key_P)
    return _Pairs(unseen_QT, row_P, score_P, feature_PF, weight_P)


@torch.enable_grad()
def _fit(pairs: _Pairs, number: int) -> Tensor:
    """Weights, [F + 1], the constant last, with the scores divided by one of the temperatures."""
    temperature = TEMPERATURES[number]
    base_P = pairs.score_P / temperature
    input_PF = torch.cat([pairs.feature_PF, torch.ones_like(base_P)[:, None]], dim=1)
    scale_F = input_PF.abs().amax(dim=0).clamp(min=1e-6)
    weight_F = torch.zeros(input_PF.shape[1], device=base_P.device, requires_grad=True)
    unseen_Q = pairs.unseen_QT[:, number]
    optimizer = torch.optim.LBFGS([weight_F], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        score_P = base_P + (input_PF / scale_F) @ weight_F
        top_Q = unseen_Q.scatter_reduce(0, pairs.row_P, score_P, "amax")
        sum_Q = (unseen_Q - top_Q).exp().index_add(0, pairs.row_P, (score_P - top_Q[pairs.row_P]).exp())
        target = (pairs.weight_P * score_P).sum() / len(unseen_Q)
        loss = (top_Q + sum_Q.log()).mean() - target + RIDGE * weight_F.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return temperature * weight_F.detach() / scale_F
