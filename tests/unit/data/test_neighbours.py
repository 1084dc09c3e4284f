"""Smoothing: the matrix of neighbours, and a table that holds it only while training."""

from itertools import pairwise

import polars as pl
import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.neighbours import neighbour_matrix
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.model.encoder import SequenceEncoder
from elcrec.model.network import ELCRecNetwork
from elcrec.training.loop import train, validate
from elcrec.training.report import SilentReporter

# The newest two of each are held out.
LISTS = {1: [1, 2, 3, 9, 9], 2: [2, 1, 2, 3, 9, 4], 3: [4, 1, 9, 9]}


def split() -> Split:
    rows = [(user, item) for user, items in LISTS.items() for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    return make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)


def encoder(n_rows: int = 7) -> SequenceEncoder:
    torch.manual_seed(0)
    return SequenceEncoder(n_rows, max_seq_len=8, embedding_dim=4, n_layers=1, n_heads=2, dropout=0.0)


def test_the_matrix_is_counting_by_hand() -> None:
    counts = torch.zeros(7, 7)
    for items in LISTS.values():
        for a, b in pairwise(items[:-2]):
            counts[a, b] += 1
            counts[b, a] += 1
    degree = counts.sum(dim=1).clamp(min=1).sqrt()
    torch.testing.assert_close(neighbour_matrix(split(), 7).to_dense(), counts / degree[:, None] / degree)


def test_smoothed_gradients_are_those_of_the_dense_product() -> None:
    network, near = encoder(), neighbour_matrix(split(), 7)
    weigh = torch.randn(7, 4)
    network.neighbours = 0.7 * near
    (network.table() * weigh).sum().backward()
    sparse_gradient = network.item_embedding.weight.grad
    weight = network.item_embedding.weight.detach().clone().requires_grad_()
    ((weight + 0.7 * near.to_dense() @ weight) * weigh).sum().backward()
    torch.testing.assert_close(sparse_gradient, weight.grad)


def test_without_neighbours_the_table_is_the_weight_itself() -> None:
    network = encoder()
    assert network.table() is network.item_embedding.weight


def test_inside_smoothed_the_weights_hold_the_table_and_outside_what_they_were() -> None:
    network = encoder()
    network.neighbours = neighbour_matrix(split(), 7)
    raw, table = network.item_embedding.weight.detach().clone(), network.table().detach()
    with network.propagated():
        assert torch.equal(network.item_embedding.weight, table)
        assert torch.equal(network.table(), table)
    assert torch.equal(network.item_embedding.weight, raw)
    assert torch.equal(network.table(), table)
    with pytest.raises(ZeroDivisionError), network.propagated():
        raise ZeroDivisionError
    assert torch.equal(network.item_embedding.weight, raw)


def test_a_trained_network_scores_as_it_was_validated_and_forgets_the_matrix() -> None:
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    shop, settings = make_split(log, items, "leave_one_out", 0.1), Settings(**SMALL, smoothing=0.5)
    torch.manual_seed(1)
    network = ELCRecNetwork(settings, len(items))
    progress = train(network, shop, settings, SilentReporter())
    assert network.encoder.neighbours is None
    assert validate(network, shop, settings)["ndcg@20"] == pytest.approx(progress.best_value)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_smoothing_works_with_every_layout_and_can_be_switched_off(recipe: str) -> None:
    found = [
        ELCRec(recipe, 1, "cpu", **{**SMALL, "epochs": 1}, smoothing=smoothing).fit(shop_log(), progress=False)
        for smoothing in (0.0, 1.0)
    ]
    assert found[0].metrics["valid"] != found[1].metrics["valid"]
