"""The item table: what embedding propagation makes of it while training, and what it leaves afterwards."""

import pytest
import torch
from torch import Tensor

from elcrec.model.item_table import ItemTable


def table(n_rows: int = 7) -> ItemTable:
    torch.manual_seed(0)
    return ItemTable(n_rows, 4)


def neighbours(n_rows: int = 7) -> Tensor:
    """A symmetric sparse matrix with an empty row."""
    dense = torch.zeros(n_rows, n_rows)
    for a, b, weight in ((1, 2, 0.5), (2, 3, 1.0), (4, 4, 0.25), (1, 6, 2.0)):
        dense[a, b] = dense[b, a] = weight
    return dense.to_sparse_csr()


def test_propagated_gradients_are_those_of_the_dense_product() -> None:
    items, near = table(), neighbours()
    weigh = torch.randn(7, 4)
    items.neighbours = 0.7 * near
    (items.vectors() * weigh).sum().backward()
    weight = items.weight.detach().clone().requires_grad_()
    ((weight + 0.7 * near.to_dense() @ weight) * weigh).sum().backward()
    torch.testing.assert_close(items.weight.grad, weight.grad)


def test_without_neighbours_the_vectors_are_the_weight_itself() -> None:
    items = table()
    assert items.vectors() is items.weight


def test_inside_baked_the_weights_hold_the_vectors_and_outside_what_they_were() -> None:
    items = table()
    items.neighbours = neighbours()
    raw, vectors = items.weight.detach().clone(), items.vectors().detach()
    with items.baked():
        assert torch.equal(items.weight, vectors)
        assert torch.equal(items.vectors(), vectors)
    assert torch.equal(items.weight, raw)
    assert torch.equal(items.vectors(), vectors)
    with pytest.raises(ZeroDivisionError), items.baked():
        raise ZeroDivisionError
    assert torch.equal(items.weight, raw)


def test_rows_are_those_of_the_items_with_a_sparse_gradient() -> None:
    items = table()
    rows = items.rows(torch.tensor([0, 2, 5]))
    assert torch.equal(rows, items.weight[[0, 2, 5]])
    rows.sum().backward()
    assert items.weight.grad is not None
    assert items.weight.grad.is_sparse


def test_row_0_is_not_trained_where_it_is_noise() -> None:
    items = ItemTable(3, 4, train_row_0=False)
    assert items.padding_idx == 0
    assert table().padding_idx is None
    items(torch.tensor([0, 1])).sum().backward()
    assert items.weight.grad is not None
    assert not items.weight.grad[0].any()
    assert items.weight.grad[1].all()
