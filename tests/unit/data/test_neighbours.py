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
from elcrec.model.network import ELCRecNetwork
from elcrec.training.loop import train, validate
from elcrec.training.report import SilentReporter

# The newest two of each are held out.
LISTS = {1: [1, 2, 3, 9, 9], 2: [2, 1, 2, 3, 9, 4], 3: [4, 1, 9, 9]}


def split() -> Split:
    rows = [(user, item) for user, items in LISTS.items() for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    return make_split(log, Vocabulary.of(log.frame["item_id"], 1), "leave_one_out", 0.1)


def test_the_matrix_is_counting_by_hand() -> None:
    counts = torch.zeros(7, 7)
    for items in LISTS.values():
        for a, b in pairwise(items[:-2]):
            counts[a, b] += 1
            counts[b, a] += 1
    degree = counts.sum(dim=1).clamp(min=1).sqrt()
    torch.testing.assert_close(neighbour_matrix(split(), 7).to_dense(), counts / degree[:, None] / degree)


def test_a_trained_network_scores_as_it_was_validated_and_forgets_the_matrix() -> None:
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    shop, settings = make_split(log, items, "leave_one_out", 0.1), Settings(**SMALL, smoothing=0.5)
    torch.manual_seed(1)
    network = ELCRecNetwork(settings, len(items))
    progress = train(network, shop, settings, SilentReporter())
    assert network.item_table.neighbours is None
    assert validate(network, shop, settings)["ndcg@20"] == pytest.approx(progress.best_value)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_smoothing_works_with_every_layout_and_can_be_switched_off(recipe: str) -> None:
    found = [
        ELCRec(recipe, 1, "cpu", **{**SMALL, "epochs": 1}, smoothing=smoothing).fit(shop_log(), progress=False)
        for smoothing in (0.0, 1.0)
    ]
    assert found[0].metrics["valid"] != found[1].metrics["valid"]
