"""A model of several encoders does all that one of a single encoder does."""

from pathlib import Path

import polars as pl
import pytest
import torch

from cli_runner import SMALL, Interrupted, shop_log
from elcrec import ELCRec
from elcrec.data.synthetic import make_shop

TWO = {**SMALL, "n_encoders": 2, "baselines": False}


def shelves() -> pl.DataFrame:
    return make_shop(300, 0.2, 1).shelf_of_item.rename({"planted": "shelf"})


def with_repeats() -> pl.DataFrame:
    """Each user takes their first item again."""
    log = shop_log()
    return pl.concat([log, log.group_by("user_id", maintain_order=True).first().select(log.columns)])


KINDS = {
    "plain": {},
    "touched": {"recipe": "large", "n_negatives": 32},
    "gaps": {"event_inputs": "gap"},
    "learned": {"repeats": "learned"},
    "contrast": {"instance_weight": 0.1, "intent_weight": 0.1},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_it_learns_is_kept_and_explains(kind: str, tmp_path: Path) -> None:
    log = with_repeats() if kind == "learned" else shop_log()
    model = ELCRec(seed=1, **{**TWO, **KINDS[kind]}).fit(log, items=shelves(), progress=False)  # type: ignore[arg-type]
    assert model.network.items_VD.shape[1] == 2 * SMALL["embedding_dim"]
    assert model.history[1]["losses"]["next_item"] < model.history[0]["losses"]["next_item"]
    users = model.users.ids.to_list()[:6]
    found = model.recommend(users, k=5, explain=True)
    for row in found.iter_rows(named=True):
        parts = sum(part["part"] for part in row["parts"])
        assert parts + row["residual"] + row["steering"] + row["repeat"] == pytest.approx(row["score"], abs=1e-4)
    model.save(tmp_path / "run")
    again = ELCRec.load(tmp_path / "run")
    assert again.recommend(users, k=5).equals(model.recommend(users, k=5))
    assert again.evaluate()["ndcg@20"] == pytest.approx(model.metrics["test"]["ndcg@20"], abs=1e-6)


def test_it_is_resumed_to_the_same_weights(tmp_path: Path) -> None:
    whole = ELCRec(seed=1, **TWO).fit(shop_log(), progress=False)
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=1, **TWO).fit(shop_log(), out=tmp_path / "run", progress=Interrupted())
    resumed = ELCRec(seed=1, **TWO).fit(shop_log(), out=tmp_path / "run", progress=False, resume=True)
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name


def test_it_learns_incrementally_with_new_items_and_items_without_events() -> None:
    items = shelves()
    fresh = items.head(2).with_columns(item_id="x-" + pl.col("item_id"))
    model = ELCRec(seed=1, **TWO).fit(shop_log(), items=items, progress=False)
    assert model.add_items(fresh).similar_items([fresh["item_id"][0]], k=3).height == 3
    day = shop_log().group_by("user_id", maintain_order=True).tail(1).with_columns(pl.col("item_id").shuffle(1))
    day = day.with_columns(pl.col("timestamp").max() + pl.duration(hours=1))
    model.partial_fit(day, epochs=1, progress=False)
    assert model.recommend(model.users.ids.to_list()[:2], k=3).height == 6
