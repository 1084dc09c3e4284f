"""A training that is cut off ends bit for bit where it would have, whatever it is made of."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec import ELCRec, Interactions
from elcrec.data.synthetic import make_shop
from elcrec.training import loop
from elcrec.training.report import SilentReporter

# Few and small steps: what is compared are bits.
QUICK: dict[str, Any] = {**SMALL, "epochs": 4, "epoch_steps": 3, "embedding_dim": 8, "warmup_epochs": 1}
VIEWS = {"instance_weight": 0.1, "intent_weight": 0.1}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "default with views": ("default", VIEWS),
    "sampled softmax": ("default", {"next_item_loss": "sampled_softmax", "n_negatives": 7}),
    "gbce": ("default", {"next_item_loss": "gbce", "horizon": 1, "n_negatives": 5}),
    "bce": ("sasrec-bce", {}),
    "touched items": ("large", {"n_negatives": 33}),
    "em": ("iclrec", {"warmup_epochs": 1}),
    "cl4srec": ("cl4srec", {}),
    "printed loss, concat": ("paper-sports", {"n_layers": 1, "n_intents": 8}),
    "constant schedule, decay": ("default", {"schedule": "constant", "weight_decay": 0.01}),
    "part of the users an epoch": ("default", {"epoch_users": 100, "judged_users": 50, "epoch_steps": 1}),
    "share of the users": ("default", {"train_share": 0.5}),
    "global time": ("default", {"split": "global_time", "holdout_share": 0.2}),
    "bfloat16": ("default", {"precision": "bfloat16"}),
}


class CutOff(SilentReporter):
    """Stops like Ctrl-C in the middle of an epoch."""

    def __init__(self, after_epochs: int) -> None:
        self.left = after_epochs

    def epoch(self, *_: Any) -> None:
        self.left -= 1

    def step(self, *_: Any) -> None:
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def log() -> Interactions:
    frame = shop_log(150)
    return Interactions.read(frame.with_columns(timestamp=pl.int_range(pl.len())))


def same(one: ELCRec, other: ELCRec) -> None:
    theirs = other.network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in one.network.state_dict().items())
    assert {**one.metrics, "train_seconds": 0} == {**other.metrics, "train_seconds": 0}
    for ours, theirs_epoch in zip(one.history, other.history, strict=True):
        assert {**ours, "seconds": 0} == {**theirs_epoch, "seconds": 0}


@pytest.mark.parametrize("case", CASES)
def test_resumed_training_gives_the_same_bits(log: Interactions, tmp_path: Path, case: str) -> None:
    recipe, settings = CASES[case]
    how = {**QUICK, **settings}
    whole = ELCRec(recipe, seed=3, **how).fit(log, progress=False)
    for after in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            ELCRec(recipe, seed=3, **how).fit(log, tmp_path / "run", resume=True, progress=CutOff(after))
    same(ELCRec(recipe, seed=3, **how).fit(log, tmp_path / "run", resume=True, progress=False), whole)


@pytest.mark.parametrize("recipe", ["default", "large"])
def test_resumed_training_with_item_features_gives_the_same_bits(
    log: Interactions, tmp_path: Path, recipe: str
) -> None:
    items = make_shop(150, 0.2, 1).shelf_of_item.rename({"planted": "shelf"}).with_columns(title=pl.col("item_id"))
    whole = ELCRec(recipe, seed=3, **QUICK).fit(log, items=items, progress=False)
    assert whole.fitted.dataset.features is not None
    with pytest.raises(KeyboardInterrupt):
        ELCRec(recipe, seed=3, **QUICK).fit(log, tmp_path / "run", items=items, progress=CutOff(2))
    resumed = ELCRec(recipe, seed=3, **QUICK).fit(log, tmp_path / "run", resume=True, progress=False)
    same(resumed, whole)
    assert resumed.fitted.dataset.features == whole.fitted.dataset.features


def scripted(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> list[dict[str, torch.Tensor]]:
    """Validation gives these values, an epoch each; the weights it saw are kept."""
    seen: list[dict[str, torch.Tensor]] = []
    validate = loop.validate

    def validated(network: Any, *more: Any) -> dict[str, float]:
        seen.append(loop.weights_of(network))
        return {**validate(network, *more), "ndcg@20": values[len(seen) - 1]}

    monkeypatch.setattr(loop, "validate", validated)
    return seen


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_what_early_stopping_has_counted_survives(
    log: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Best in epoch 2, patience 3: stops after epoch 5, wherever it was cut off."""
    values, how = [0.1, 0.3, 0.2, 0.2, 0.2], {**QUICK, "epochs": 9, "patience": 3}
    with monkeypatch.context() as patch:
        scripted(patch, values)
        whole = ELCRec(seed=3, **how).fit(log, progress=False)
    with monkeypatch.context() as patch:
        scripted(patch, values)
        with pytest.raises(KeyboardInterrupt):
            ELCRec(seed=3, **how).fit(log, tmp_path / "run", progress=CutOff(after))
    with monkeypatch.context() as patch:
        scripted(patch, values[after:])
        resumed = ELCRec(seed=3, **how).fit(log, tmp_path / "run", resume=True, progress=False)
    assert resumed.metrics["best_epoch"] == 2
    assert len(resumed.history) == 5
    same(resumed, whole)


@pytest.mark.parametrize("recipe", ["default", "paper", "large"])
def test_the_best_epoch_is_kept_not_the_last(
    log: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    seen = scripted(monkeypatch, [0.1, 0.4, 0.3, 0.2])
    model = ELCRec(recipe, seed=3, **QUICK).fit(log, tmp_path / "run", progress=False)
    assert model.metrics["best_epoch"] == 2
    loaded = ELCRec.load(tmp_path / "run").network.state_dict()
    for name, value in seen[1].items():
        if name != "centers.weight":  # which settle afterwards; no score depends on them
            assert torch.equal(loaded[name], value)
    assert not torch.equal(loaded["encoder.item_embedding.weight"], seen[3]["encoder.item_embedding.weight"])


def test_a_rate_that_ruins_later_epochs_leaves_the_metrics_of_the_first(log: Interactions) -> None:
    """Not scripted: at this step size the second epoch is worse than the first, and what is reported is the first's."""
    how = {**QUICK, "learning_rate": 0.5, "schedule": "constant", "epochs": 6, "patience": 6, "epoch_steps": 1}
    model = ELCRec(seed=1, **how).fit(log, progress=False)
    values = [record["valid"]["ndcg@20"] for record in model.history]
    best = values.index(max(values))
    assert best < len(values) - 1, "choose another rate: this one does not peak early"
    assert model.metrics["best_epoch"] == best + 1
    assert model.metrics["valid"]["ndcg@20"] == pytest.approx(values[best])


@pytest.mark.parametrize("order_seed", [0, 1])
def test_equal_times_keep_the_order_of_the_file(order_seed: int) -> None:
    """Not sorted by item, which would make patterns out of nothing."""
    items = pl.Series("item_id", range(500)).shuffle(seed=order_seed)
    frame = pl.DataFrame({"user_id": ["u"] * 500, "item_id": items, "timestamp": [7] * 500})
    assert Interactions.read(frame).frame["item_id"].equals(items)
    mixed = pl.concat([frame, frame.with_columns(user_id=pl.lit("v"))]).sample(fraction=1, shuffle=True, seed=5)
    for (user,), rows in Interactions.read(mixed).frame.group_by("user_id"):
        assert rows["item_id"].to_list() == mixed.filter(pl.col("user_id") == user)["item_id"].to_list()
