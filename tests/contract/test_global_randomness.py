"""What does not train leaves the global random generators of torch, NumPy and Python alone."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cli_runner import SMALL
from elcrec import ELCRec


def known_items() -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": [f"i{item}" for item in range(44)], "shelf": [f"s{item % 4}" for item in range(44)]}
    )


def new_items() -> pl.DataFrame:
    return pl.DataFrame({"item_id": ["new thing", "newer thing"], "shelf": ["s1", "s2"]})


@pytest.fixture(scope="module")
def model() -> ELCRec:
    """It learns from items: each user takes those of one shelf."""
    rows = [
        (f"shopper {user}", f"i{4 * (step + user // 4) % 40 + user % 4}") for user in range(150) for step in range(9)
    ]
    log = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    return ELCRec(seed=1, **{**SMALL, "epochs": 1}).fit(log, items=known_items(), progress=False)


@pytest.fixture(scope="module")
def run(model: ELCRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("randomness") / "run"
    model.save(path)
    return path


CALLS: dict[str, Callable[[ELCRec, Path], Any]] = {
    "load": lambda model, run: ELCRec.load(run),
    "add_items": lambda model, run: ELCRec.load(run).add_items(new_items()),
    "save": lambda model, run: model.save(run, overwrite=True),
    "describe_items": lambda model, run: ELCRec.load(run).describe_items(known_items()),
    "recommend": lambda model, run: model.recommend(explain=True, intents=[1], exclude_intents=[2], diversify=0.5),
    "approximate": lambda model, run: model.recommend(approximate=True),
    "recommend_in_blocks": lambda model, run: list(model.recommend_in_blocks()),
    "recommend_from_history": lambda model, run: model.recommend_from_history([model.items.ids.head(3)]),
    "recommend_for_intent": lambda model, run: model.recommend_for_intent(),
    "recommend_to_new_user": lambda model, run: model.recommend_to_new_user([1]),
    "slate": lambda model, run: model.slate(),
    "similar_items": lambda model, run: model.similar_items(model.items.ids.head(3)),
    "make_item_search": lambda model, run: model.make_item_search(),
    "write_item_search": lambda model, run: ELCRec.load(run).write_item_search(run, model.make_item_search()),
    "search_quality": lambda model, run: model.search_quality(),
    "evaluate": lambda model, run: model.evaluate(model.log, most=20, baselines=True),
    "ranks": lambda model, run: model.ranks(),
    "measured": lambda model, run: model.measured(),
    "intents": lambda model, run: model.intents(),
    "user_intents": lambda model, run: model.user_intents(top=2),
    "history_intents": lambda model, run: model.history_intents([model.items.ids.head(3)]),
    "intent_timeline": lambda model, run: model.intent_timeline(model.users.ids[0]),
    "intent_health": lambda model, run: model.intent_health(20),
    "with_intent_names": lambda model, run: model.with_intent_names(model.user_intents()),
    "rename_intents": lambda model, run: ELCRec.load(run).rename_intents({1: "mine"}),
    "write_names": lambda model, run: ELCRec.load(run).write_names(run, {1: "mine"}),
    "read_names": lambda model, run: ELCRec.load(run).read_names(run),
    "match_intents": lambda model, run: model.match_intents(model),
    "intent_quality": lambda model, run: model.intent_quality(),
    "intent_stability": lambda model, run: model.intent_stability(model),
    "suggest_n_intents": lambda model, run: model.suggest_n_intents(),
    "user_map": lambda model, run: model.user_map(),
    "audience": lambda model, run: model.audience([1]),
    "find_items": lambda model, run: model.find_items("a"),
    "find_users": lambda model, run: model.find_users("shopper"),
    "get_params": lambda model, run: ELCRec(**model.get_params()),
    "set_params": lambda model, run: ELCRec().set_params(epochs=3),
    "from_fitted": lambda model, run: ELCRec.from_fitted(model.fitted),
}
TRAIN = {"fit", "partial_fit"}
ELSEWHERE = {"from_published"}
"""Its network is made where that of load is; tests/reference has the weights."""


def state() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), name, keys.tolist(), rest, random.getstate()


@pytest.mark.parametrize("name", CALLS)
def test_what_does_not_train_leaves_the_global_generators_alone(model: ELCRec, run: Path, name: str) -> None:
    CALLS[name](ELCRec.load(run), run)  # modules that are imported the first time may draw
    loaded = ELCRec.load(run)  # nothing is kept from another call
    before = state()
    CALLS[name](loaded, run)
    assert state() == before


def test_every_method_that_does_not_train_is_called_here() -> None:
    methods = {name for name in dir(ELCRec) if callable(getattr(ELCRec, name)) and not name.startswith("_")}
    assert methods - CALLS.keys() == TRAIN | ELSEWHERE
