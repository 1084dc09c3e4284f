"""Every loss and recipe on logs with next to nothing in them: trains to finite lists, or says why not."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import contents, run_cli, shop_csv
from elcrec import ELCRec, ElcrecError
from elcrec.config import Settings
from elcrec.data.batches import ItemSampler
from elcrec.errors import SettingsError, TrainingError

TINY: dict[str, Any] = {
    "epochs": 2,
    "n_layers": 1,
    "embedding_dim": 8,
    "n_intents": 4,
    "batch_size": 8,
    "epoch_steps": 2,
    "max_seq_len": 8,
    "warmup_epochs": 1,
}
HISTORIES: dict[str, list[list[int]]] = {
    "histories of 1 to 4": [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]],
    "one history": [[1, 2, 3, 4]],
    "one item": [[1, 1, 1, 1]] * 3,
    "two items": [[1, 2, 1, 2], [2, 1, 2, 1], [1, 1, 2, 2]],
    "repeats": [[1, 1, 1, 2, 2, 1]] * 20,
    "one item to learn from": [[item, 20 + item, 40 + item] for item in range(9)] + [[1, 2, 3, 4]],
}
CONTRASTS = {"instance_weight": 0.1, "intent_weight": 0.1, "horizon": 1, "n_negatives": 3}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{recipe: (recipe, {}) for recipe in ("default", "paper", "cl4srec", "iclrec", "sasrec", "sasrec-bce", "large")},
    **{
        f"{loss}, {padding}, {learning}": (
            "default",
            {**CONTRASTS, "next_item_loss": loss, "padding": padding, "intent_learning": learning},
        )
        for loss, padding, learning in product(
            ("softmax", "sampled_softmax", "gbce", "bce"), ("skip", "encode"), ("end_to_end", "em")
        )
        if (padding == "skip") == (learning == "end_to_end")
    },
}


def table(histories: list[list[int]]) -> pl.DataFrame:
    rows = [(user, item, time) for user, history in enumerate(histories) for time, item in enumerate(history)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def finite(model: ELCRec) -> bool:
    losses = [value for record in model.history for value in record["losses"].values()]
    weights = model.network.state_dict().values()
    return all(map(math.isfinite, losses)) and all(bool(weight.isfinite().all()) for weight in weights)


@pytest.mark.parametrize("case", CASES)
def test_next_to_nothing_is_learnt_from_without_a_number_that_is_none(case: str) -> None:
    recipe, settings = CASES[case]
    for number, histories in enumerate(HISTORIES.values()):
        rate = {"learning_rate": 0.5} if number % 2 else {}
        model = ELCRec(recipe, seed=1, **{**TINY, **settings, **rate}).fit(table(histories), progress=False)
        assert finite(model), (histories, rate)
        assert model.recommend(k=3)["score"].is_finite().all()


@pytest.mark.parametrize("settings", [{"learning_rate": 1e30}, {"temperature": 1e-45, **CONTRASTS}])
@pytest.mark.parametrize("case", ["default", "cl4srec", "large", "gbce, encode, em"])
def test_a_training_that_diverges_says_so_or_is_finite(case: str, settings: dict[str, Any]) -> None:
    recipe, more = CASES[case]
    for histories in (HISTORIES["histories of 1 to 4"], HISTORIES["one item"], HISTORIES["repeats"]):
        model = ELCRec(recipe, seed=1, **{**TINY, **more, **settings})
        said = ""
        try:
            model.fit(table(histories), progress=False)
        except TrainingError as error:
            said = str(error)
        assert said.startswith("training diverged") if said else finite(model)


@pytest.mark.parametrize("histories", [[[1, 2, 3]], [[1]], [[1], [2]], [[1, 1, 1]]])
def test_nothing_to_learn_from_is_said(histories: list[list[int]]) -> None:
    with pytest.raises(ElcrecError, match=r"no history has two training items|no user has an item"):
        ELCRec(seed=1, **TINY).fit(table(histories), progress=False)


def test_the_sentence_names_epoch_step_and_term_and_the_run_stays(tmp_path: Path) -> None:
    data = shop_csv(tmp_path)
    sets = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    train = ("train", data, "--out", tmp_path / "run", "--recipe", "cl4srec", *sets)
    run_cli(*train, "--json").document()
    before = contents(tmp_path / "run")
    said = run_cli(*train[:3], tmp_path / "new", *train[4:], "--set", "temperature=1e-45").complaint()
    assert "training diverged in epoch 2: step 1, the loss (instance) is not finite" in said
    assert "raise temperature (now 1e-45)" in said
    assert not (tmp_path / "new" / "model.safetensors").exists()
    assert contents(tmp_path / "run") == before


def test_a_diverged_epoch_leaves_the_one_before(tmp_path: Path) -> None:
    settings = {**TINY, "temperature": 1e-45, **CONTRASTS}
    log = table(HISTORIES["repeats"])
    for _ in range(2):  # resumed, it says the same
        with pytest.raises(TrainingError, match="epoch 2: step 1"):
            ELCRec(seed=1, **settings).fit(log, tmp_path / "run", resume=True, progress=False)
        assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1
        assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_learning_on_that_diverges_leaves_the_model() -> None:
    log = table(HISTORIES["repeats"])
    model = ELCRec(seed=1, **TINY).fit(log, progress=False)
    lists = model.recommend(k=3)
    fast = model.settings.model_copy(update={"learning_rate": 1e30})
    model = ELCRec.from_fitted(replace(model.fitted, settings=fast))
    with pytest.raises(TrainingError, match="lower learning_rate"):
        model.partial_fit(table([[7, 8, 9, 7]]).with_columns(pl.col("user_id") + 100), progress=False)
    assert model.recommend(k=3).equals(lists)
    assert model.history == []


@pytest.mark.parametrize("n_draws", [1, 3, 4, 7])
def test_drawn_items_stand_for_the_catalogue_whatever_their_number(n_draws: int) -> None:
    """The sum over draws of 1 / expected estimates the number of items without bias, odd numbers of draws too."""
    sampler = ItemSampler(torch.tensor([1] * 6 + [2] * 3 + [4]), 5)
    generator = torch.Generator().manual_seed(0)
    estimates = [float((1 / sampler.draw(n_draws, generator)[1]).sum()) for _ in range(4000)]
    assert sum(estimates) / len(estimates) == pytest.approx(5, rel=0.06)


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if field.annotation is int])
def test_whole_numbers_that_nothing_can_hold_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        ELCRec(**{name: 10**23})


BASKETS: dict[str, list[list[list[int]]]] = {
    "all events of a user at one time": [[[1, 2, 3, 4]]] * 3 + [[[2, 3, 4, 5]]] * 3,
    "one user": [[[1, 2], [3], [4, 1], [5, 2], [1]]],
    "two baskets": [[[1, 2, 3], [4, 5, 6]]] * 4,
    "three baskets": [[[1, 2], [3, 4], [5, 6]]] * 4,
    "baskets longer than a row": [[list(range(1, 20)), list(range(20, 40))] * 2] * 3,
    "a long last basket": [[[1], [2], [*range(3, 30)], [4, 5], [6, 7]]] * 4,
    "one basket to learn from next to two": [[[1, 2]], [[3]], [[1, 2], [3, 4], [5, 6]], [[1, 2], [1, 4], [5, 6], [1]]],
}


@pytest.mark.parametrize("name", BASKETS)
@pytest.mark.parametrize("changes", [{}, {"windows": 3, "repeats": "learned"}, {"batch_size": 1}])
def test_few_or_long_baskets_are_learned_from(name: str, changes: dict[str, Any]) -> None:
    rows = [
        (u, item, time) for u, all_of in enumerate(BASKETS[name]) for time, one in enumerate(all_of) for item in one
    ]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    model = ELCRec(seed=1, **{**TINY, "epoch_steps": 1, **changes}).fit(log, progress=False)
    assert finite(model)
    assert len(model.recommend(k=3, exclude_seen=False)) == 3 * len(BASKETS[name])


def test_a_log_of_one_basket_a_user_is_not_shuffled() -> None:
    rows = [(user, item, 5) for user in range(3) for item in range(4)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    assert ELCRec(seed=1, **TINY).fit(log, progress=False).settings.ties == "file"
    with pytest.raises(ElcrecError, match=r"two training baskets.*ties=file"):
        ELCRec(seed=1, **TINY, ties="shuffle").fit(log, progress=False)
