"""Positions by their weights: each next-item loss is the weighted mean of what it is at each position."""

import pytest
import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.losses.prediction import ExtraScores, Prediction
from elcrec.losses.registry import NEXT_ITEM_LOSSES

N, D, V, M = 7, 4, 9, 3


def prediction(name: str, rows: slice, share_N: Tensor | None, hidden_ND: Tensor, table: Tensor) -> Prediction:
    generator = torch.Generator().manual_seed(2)
    target_NH = torch.randint(1, V + 1, (N, 1), generator=generator)
    negative_NM = torch.randint(1, V + 1, (N, M), generator=generator)
    drawn_M, expected_M = torch.randint(V, (M,), generator=generator), torch.rand(M, generator=generator) + 0.5
    extra = None
    if name == "softmax":
        row_P = torch.arange(len(hidden_ND[rows]))
        extra = ExtraScores(row_P, (row_P + rows.start) % V, 0.3 * hidden_ND[rows, 0])
    return Prediction(
        hidden_ND[rows], table, V, target_NH[rows], torch.ones(N, 1)[rows],
        Settings(next_item_loss=name, horizon=1, repeats="none"), torch.float64,
        negative_NM[rows], drawn_M, expected_M, extra, share_N,
    )  # fmt: skip


@pytest.mark.parametrize("name", NEXT_ITEM_LOSSES)
def test_a_loss_is_the_weighted_mean_of_its_positions(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(N, D, generator=generator).double(), torch.randn(V + 2, D, generator=generator).double()]
    share_N = torch.tensor([1.0, 0.1, 0.1, 2, 1, 0.3, 0.5]).double()
    share_N = share_N / share_N.mean()
    compute, values = NEXT_ITEM_LOSSES[name].compute, []
    for by_loop in (False, True):
        hidden_ND, table = (one.clone().requires_grad_() for one in start)
        if by_loop:
            rows = [compute(prediction(name, slice(n, n + 1), None, hidden_ND, table)) for n in range(N)]
            loss = sum(worth * row for worth, row in zip(share_N, rows, strict=True)) / N
        else:
            loss = compute(prediction(name, slice(0, N), share_N, hidden_ND, table))
        loss.backward()
        values.append((loss.detach(), hidden_ND.grad, table.grad))
    for ours, naive in zip(*values, strict=True):
        torch.testing.assert_close(ours, naive, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NEXT_ITEM_LOSSES)
def test_weights_of_one_change_no_bit(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    hidden_ND, table = torch.randn(N, D, generator=generator), torch.randn(V + 2, D, generator=generator)
    compute = NEXT_ITEM_LOSSES[name].compute
    with_N, without = (compute(prediction(name, slice(0, N), w, hidden_ND, table)) for w in (torch.ones(N), None))
    assert torch.equal(with_N, without)
