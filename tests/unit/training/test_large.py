"""What keeps the cost of a step, an epoch and its judging apart from the size of log and catalogue."""

from pathlib import Path

import pytest
import torch

from cli_runner import LEARNED, SMALL, run_cli, shop_csv, shop_log
from elcrec import ELCRec
from elcrec.config import Settings, resolve
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import SettingsError
from elcrec.model.network import ELCRecNetwork
from elcrec.training.checkpoint import Progress
from elcrec.training.objective import Objective, StepInput
from elcrec.training.optimizer import Optimizer
from elcrec.training.report import SilentReporter
from elcrec.training.steps import StepSource

SAMPLED = {"next_item_loss": "sampled_softmax", "n_negatives": 64, "smoothing": 0.0, "dropout": 0.0, "warmup_epochs": 0}


@pytest.fixture(scope="module")
def world() -> tuple[Split, int]:
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    return make_split(log, items, "leave_one_out", 0.1), len(items)


def first_step(settings: Settings, world: tuple[Split, int]) -> tuple[ELCRecNetwork, StepInput]:
    split, n_items = world
    torch.manual_seed(0)
    step = next(iter(StepSource(split, settings, n_items).epoch(torch.Generator().manual_seed(1))))
    return ELCRecNetwork(settings, n_items), step


def gradients(settings: Settings, world: tuple[Split, int]) -> tuple[list[float], dict[str, torch.Tensor]]:
    network, step = first_step(settings, world)
    terms, _ = Objective(settings)(network, step, torch.zeros(settings.n_intents))
    terms.total.backward()
    dense = {name: weight.grad.to_dense() for name, weight in network.named_parameters() if weight.grad is not None}
    return [term.item() for term in terms], dense


@pytest.mark.parametrize(
    "loss",
    [
        {"next_item_loss": "sampled_softmax"},
        {"next_item_loss": "sampled_softmax", "instance_weight": 0.1, "intent_weight": 0.1},
        {"next_item_loss": "gbce", "horizon": 1},
        {"next_item_loss": "bce", "horizon": 1},
    ],
)
def test_a_step_on_its_items_is_the_step_on_all(world: tuple[Split, int], loss: dict[str, object]) -> None:
    whole = Settings(**{**SMALL, **SAMPLED, **loss})
    terms, whole_gradients = gradients(whole, world)
    few_terms, few_gradients = gradients(whole.model_copy(update={"item_updates": "touched"}), world)
    assert few_terms == pytest.approx(terms, rel=1e-5)
    assert few_gradients.keys() == whole_gradients.keys()
    for name, gradient in whole_gradients.items():
        torch.testing.assert_close(few_gradients[name], gradient, rtol=1e-4, atol=1e-7)


def test_only_touched_items_move_and_those_as_by_adam(world: tuple[Split, int]) -> None:
    moved, gradient = {}, {}
    for updates in ("all", "touched"):
        settings = Settings(**{**SMALL, **SAMPLED, "item_updates": updates})
        network, step = first_step(settings, world)
        before = network.encoder.item_embedding.weight.detach().clone()
        optimizer = Optimizer(network, settings)
        optimizer.backward(Objective(settings)(network, step, torch.zeros(settings.n_intents))[0].total)
        gradient[updates] = network.encoder.item_embedding.weight.grad.to_dense()  # type: ignore[union-attr]
        optimizer.step()
        moved[updates] = network.encoder.item_embedding.weight.detach() - before
    touched, _ = step.on_its_items()
    left = torch.ones(len(before), dtype=torch.bool).index_fill_(0, touched, False)
    assert not moved["touched"][left].any()
    clear = gradient["all"].abs() > 1e-5  # Adam's first step is the sign, which rounding turns where there is none
    assert clear.any()
    torch.testing.assert_close(moved["touched"][clear], moved["all"][clear], rtol=1e-2, atol=1e-4)


class Stops(SilentReporter):
    """Training is interrupted after its second epoch."""

    def epoch(self, record: dict[str, object], progress: Progress) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt


def test_the_recipe_for_large_catalogues_learns_and_resumes(tmp_path: Path) -> None:
    data = shop_csv(tmp_path)
    sets = [part for name, value in {**LEARNED, "epochs": 4}.items() for part in ("--set", f"{name}={value}")]
    document = run_cli("train", data, "--out", tmp_path / "run", "--recipe", "large", *sets, "--json").document()
    assert document["test"]["hit_rate@10"] > 2 * 10 / document["n_items"]

    model = ELCRec("large", **{**LEARNED, "epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, tmp_path / "stopped", progress=Stops())
    resumed = ELCRec("large", **{**LEARNED, "epochs": 4}).fit(data, tmp_path / "stopped", resume=True, progress=False)
    whole = ELCRec.load(tmp_path / "run")
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name


def test_an_epoch_of_a_big_log_is_a_part_of_it(world: tuple[Split, int]) -> None:
    split, n_items = world
    source = StepSource(split, Settings(**LEARNED, epoch_users=100, epoch_steps=1), n_items)
    steps = list(source.epoch(torch.Generator().manual_seed(1)))
    assert [step.n_sequences for step in steps] == [64, 36]
    assert source.n_steps == 2


def test_judged_users_are_drawn_by_the_seed(world: tuple[Split, int]) -> None:
    split, _ = world
    everybody, at = split.targets("test")
    some, some_at = split.targets("test", 50, seed=1)
    assert len(some) == 50
    assert torch.equal(at[torch.searchsorted(everybody, some)], some_at)
    assert torch.equal(some, split.targets("test", 50, seed=1)[0])
    assert not torch.equal(some, split.targets("test", 50, seed=2)[0])
    assert torch.equal(split.targets("test", 10_000)[0], everybody)


def test_training_judges_so_many_and_evaluate_all() -> None:
    model = ELCRec(seed=1, judged_users=40, **SMALL).fit(shop_log(), progress=False)
    assert model.metrics["test"]["n_users"] == 40
    assert model.evaluate(split="test")["n_users"] == 300
    judged, everybody = model.metrics["intents"], model.intent_health()
    assert judged == model.intent_health(most=40) != everybody
    assert judged["used"] <= 40
    assert model.intent_health(most=300) == everybody


@pytest.mark.parametrize(
    "wrong", [{"next_item_loss": "softmax"}, {"smoothing": 1.0}, {"weight_decay": 0.1, "smoothing": 0.0}]
)
def test_settings_that_move_all_items_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="item_updates=touched"):
        resolve("large", wrong)
