"""What a recommended item resembles in a history."""

import polars as pl
import torch

from cli_runner import SMALL
from elcrec import ELCRec
from elcrec.inference.resemblance import Resemblance, Resembled

VECTORS = {"a": (1.0, 0.0), "b": (0.9, 0.1), "c": (0.0, 1.0), "d": (-1.0, 0.0), "x": (1.0, 0.1), "y": (1.0, 0.2)}
KINDS = {"a": ["calm", "blue"], "b": ["blue"], "c": None, "d": [], "x": ["blue", "calm"], "y": ["red"]}


def resemblance() -> Resemblance:
    log = pl.DataFrame({"user_id": [u for u in "uvwz" for _ in VECTORS], "item_id": [*VECTORS] * 4})
    items = pl.DataFrame({"item_id": [*KINDS], "kinds": list(KINDS.values())})
    settings = {**SMALL, "epochs": 1, "baselines": False, "item_features": False}
    model = ELCRec(seed=1, **settings).fit(log, items=items, progress=False)
    table = model.network.item_table.weight
    with torch.no_grad():
        table.zero_()
        for item, vector in VECTORS.items():
            table[model.items.ids.index_of(item) + 1, :2] = torch.tensor(vector)
    return Resemblance(model.fitted)


def test_each_item_of_a_list_is_named_with_another_of_the_nearest() -> None:
    found = resemblance().of_list(["x", "y"], ["a", "b", "c", "d", "a"])
    assert found == [Resembled("b", ["blue"]), Resembled("a", [])]


def test_what_both_have_is_in_the_order_of_the_catalogue() -> None:
    assert resemblance().of_list(["x"], ["a"]) == [Resembled("a", ["blue", "calm"])]


def test_an_item_does_not_resemble_itself_nor_its_opposite() -> None:
    assert resemblance().of_list(["a"], ["a", "d"]) == [Resembled(None, [])]
    assert resemblance().of_list(["a"], []) == [Resembled(None, [])]
    assert resemblance().of_list([], ["a"]) == []
