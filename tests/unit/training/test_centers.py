"""Where centres begin and come to rest, and what health training reports."""

import io

import pytest
import torch
import torch.nn.functional as F
from rich.console import Console

from elcrec.config import Settings
from elcrec.data.histories import HistoryBatch
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.synthetic import make_shop
from elcrec.data.vocabulary import Vocabulary
from elcrec.model.encoding import behaviour_embeddings
from elcrec.model.network import ELCRecNetwork
from elcrec.training.centers import refine_centers, start_centers
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import train
from elcrec.training.report import SilentReporter, TerminalReporter

SETTINGS = Settings(n_layers=1, embedding_dim=16, n_intents=8, batch_size=64, epochs=3, warmup_epochs=1)


def prepared(settings: Settings = SETTINGS, log: Interactions | None = None) -> tuple[ELCRecNetwork, Split]:
    log = log or make_shop(300, 0.2, 1).log
    items = Vocabulary.of(make_shop(300, 0.2, 1).log.frame["item_id"], first=1, kind="item")
    torch.manual_seed(1)
    return ELCRecNetwork(settings, len(items)).eval(), make_split(log, items, "leave_one_out", 0.1)


def closeness(network: ELCRecNetwork, split: Split, settings: Settings) -> float:
    behaviour = behaviour_embeddings(network, HistoryBatch(split.item_N, split.start_U, split.test_U))
    return network.centers.cosines(behaviour).max(dim=1).values.mean().item()


def test_settling_moves_centres_alone_and_brings_them_nearer() -> None:
    network, split = prepared()
    start_centers(network, split, SETTINGS)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    near = closeness(network, split, SETTINGS)
    refine_centers(network, split, SETTINGS)
    assert closeness(network, split, SETTINGS) > near
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (name != "centers.weight"), name
    torch.testing.assert_close(network.centers.weight.norm(dim=1), torch.ones(8))


def test_few_users_leave_no_intent_empty() -> None:
    settings = SETTINGS.model_copy(update={"n_intents": 48, "batch_size": 256})  # two steps of Adam in a pass
    network, split = prepared(settings)
    start_centers(network, split, settings)
    refine_centers(network, split, settings)
    histories = HistoryBatch(split.item_N, split.start_U, split.test_U)
    unit = F.normalize(behaviour_embeddings(network, histories), dim=-1)
    intent = network.centers.assign(unit)
    users = torch.bincount(intent, minlength=48)
    assert int((users > 0).sum()) >= 46
    means = F.normalize(torch.zeros(48, unit.shape[1]).index_add_(0, intent, unit), dim=-1)
    cosine = (means * network.centers.weight).sum(dim=1)[users > 0]
    assert cosine.mean() > 0.99


@pytest.mark.parametrize("off", [{"cluster_weight": 0.0}, {"cluster_loss": "printed"}])
def test_settling_leaves_what_follows_the_paper_or_has_no_weight(off: dict[str, object]) -> None:
    settings = SETTINGS.model_copy(update=off)
    network, split = prepared(settings)
    before = network.centers.weight.detach().clone()
    refine_centers(network, split, settings)
    assert torch.equal(network.centers.weight, before)


def test_test_items_have_no_say_in_where_centres_settle() -> None:
    found = []
    for change in (False, True):
        network, split = prepared()
        if change:
            split.item_N[split.test_U] = split.item_N[split.test_U].roll(7)
        start_centers(network, split, SETTINGS)
        refine_centers(network, split, SETTINGS)
        found.append(network.centers.weight.detach().clone())
    assert torch.equal(*found)


def test_centres_are_found_with_fewer_users_than_intents() -> None:
    settings = SETTINGS.model_copy(update={"n_intents": 400})
    network, split = prepared(settings)
    start_centers(network, split, settings)
    refine_centers(network, split, settings)
    assert bool(network.centers.weight.isfinite().all())


def test_the_history_of_training_tells_the_health_of_intents() -> None:
    network, split = prepared()
    progress = train(network, split, SETTINGS, SilentReporter())
    for record in progress.history:
        intents = record["intents"]
        assert {"used", "effective", "largest_share", "dead", "duplicates", "dominant", "cosine", "margin"} <= set(
            intents
        )
        assert -1 <= intents["cosine"] <= 1
        assert 0 <= intents["margin"] <= 2
        assert ("warning" in intents) == (record["epoch"] > 1)


def test_a_collapse_is_shown_once_in_the_terminal() -> None:
    out = io.StringIO()
    reporter = TerminalReporter(Console(file=out, width=200))
    intents = {"used": 1, "effective": 1.0, "largest_share": 1.0, "warning": "the intents have collapsed: 1 of 256"}
    record = {"epoch": 1, "losses": {"total": 1.0}, "valid": {"ndcg@20": 0.1}, "intents": intents, "seconds": {}}
    reporter.begin(SETTINGS, 5, Progress())
    reporter.step({"total": 1.0}, 1.0)
    for epoch in (1, 2):
        reporter.epoch({**record, "epoch": epoch}, Progress())
    reporter.end()
    assert out.getvalue().count("the intents have collapsed") == 1


def test_the_printed_loss_collapses_where_ours_does_not() -> None:
    effective = {}
    for loss in ("nearest", "printed"):
        settings = SETTINGS.model_copy(
            update={"cluster_loss": loss, "cluster_weight": 10.0 if loss == "printed" else 0.1, "learning_rate": 0.01}
        )
        network, split = prepared(settings)
        history = train(network, split, settings, SilentReporter()).history
        effective[loss] = history[-1]["intents"]["effective"]
    assert effective["nearest"] > 4
    assert effective["printed"] < effective["nearest"]


def test_unit_lengths_do_not_matter_for_the_nearest_centre() -> None:
    network, _ = prepared()
    x = torch.randn(20, 16, generator=torch.Generator().manual_seed(3))
    expected = (F.normalize(x, dim=-1) @ F.normalize(network.centers.weight, dim=-1).T).argmax(dim=1)
    assert torch.equal(network.centers.assign(9 * x), expected)


def test_centres_that_nobody_is_near_begin_anew() -> None:
    network, split = prepared()
    start_centers(network, split, SETTINGS)
    behaviour = behaviour_embeddings(network, HistoryBatch(split.item_N, split.start_U, split.test_U))
    with torch.no_grad():
        network.centers.weight[3:] = -F.normalize(behaviour.mean(dim=0), dim=0)
    assert len(torch.unique(network.centers.assign(behaviour))) <= 3
    refine_centers(network, split, SETTINGS)
    sizes = torch.bincount(network.centers.assign(behaviour), minlength=8)
    assert int((sizes == 0).sum()) == 0
    assert sizes.max() < 0.5 * sizes.sum()


def test_settling_twice_from_the_same_place_is_the_same() -> None:
    found = []
    for _ in range(2):
        network, split = prepared()
        start_centers(network, split, SETTINGS)
        refine_centers(network, split, SETTINGS)
        found.append(network.centers.weight.detach().clone())
    assert torch.equal(*found)


EM = SETTINGS.model_copy(update={"intent_learning": "em", "warmup_epochs": 0, "cluster_weight": 0.0, "epochs": 2})


def test_em_ends_well_with_a_weight_on_the_cluster_loss() -> None:
    settings = EM.model_copy(update={"cluster_weight": 0.1})
    network, split = prepared(settings)
    train(network, split, settings, SilentReporter())
    found = network.centers.weight.detach().clone()
    refine_centers(network, split, settings)
    assert torch.equal(network.centers.weight, found)


def test_em_finds_centres_anew_before_every_epoch_and_never_learns_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EM.model_copy(update={"intent_weight": 0.1, "instance_weight": 0.1})
    network, split = prepared(settings)
    found: list[torch.Tensor] = []

    def noting(*arguments: object) -> None:
        start_centers(*arguments)  # type: ignore[arg-type]
        found.append(network.centers.weight.detach().clone())

    monkeypatch.setattr("elcrec.training.loop.start_centers", noting)
    before = network.encoder.item_embedding.weight.detach().clone()
    train(network, split, settings, SilentReporter())
    assert len(found) == settings.epochs
    assert not torch.equal(found[0], found[1])
    assert any(torch.equal(network.centers.weight, centers) for centers in found)
    assert not torch.equal(network.encoder.item_embedding.weight, before)


def test_em_centroids_keep_their_length() -> None:
    raw, unit = prepared(EM)[0], prepared(EM)[0]
    split = prepared(EM)[1]
    start_centers(raw, split, EM)
    start_centers(unit, split, EM.model_copy(update={"intent_learning": "end_to_end"}))
    assert not torch.allclose(raw.centers.weight.norm(dim=1), torch.ones(EM.n_intents))
    torch.testing.assert_close(F.normalize(raw.centers.weight, dim=1), unit.centers.weight)
