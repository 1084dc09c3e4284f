"""How training is paced."""

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.model.network import ELCRecNetwork
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import passed_share, train
from elcrec.training.objective import Objective
from elcrec.training.report import SilentReporter
from elcrec.training.targets import Targets, target_weights


def trained(
    monkeypatch: pytest.MonkeyPatch, values: list[float], **settings: object
) -> tuple[Progress, list[float], list[float]]:
    """A training whose validation gives these values: its progress; of each step, what share had passed, its size."""
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    chosen = Settings(**{**SMALL, "epochs": 30, "epoch_steps": 1, "learning_rate": 0.01, **settings})
    scores, passed, sizes = iter(values), [], []
    call, step = Objective.__call__, torch.optim.Adam.step

    def calling(self: Objective, *arguments: object) -> object:
        passed.append(arguments[-1])
        return call(self, *arguments)  # type: ignore[arg-type]

    def stepping(self: torch.optim.Adam) -> None:
        sizes.append(self.param_groups[0]["lr"] / 0.01)
        step(self)

    monkeypatch.setattr(Objective, "__call__", calling)
    monkeypatch.setattr(torch.optim.Adam, "step", stepping)
    monkeypatch.setattr("elcrec.training.loop.validate", lambda *_: {"ndcg@20": next(scores)})
    monkeypatch.setattr("elcrec.training.loop.refine_centers", lambda *_: None)
    torch.manual_seed(0)
    network = ELCRecNetwork(chosen, len(items))
    progress = train(network, make_split(log, items, "leave_one_out", 0.1), chosen, SilentReporter())
    return progress, passed, sizes  # type: ignore[return-value]


RISING = [number / 100 for number in range(1, 31)]


def test_step_size_and_share_go_in_a_line_over_all_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, passed, sizes = trained(monkeypatch, RISING, epochs=4)
    assert len(progress.history) == 4
    assert passed == pytest.approx([number / len(passed) for number in range(len(passed))])
    assert sizes == pytest.approx([1 - share for share in passed])


def test_a_constant_schedule_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    _, passed, sizes = trained(monkeypatch, RISING, epochs=3, schedule="constant")
    assert (set(passed), set(sizes)) == ({0.0}, {1.0})


@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_training_stops_when_validation_no_longer_improves(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    progress, _, _ = trained(monkeypatch, [0.1, 0.3, 0.2, 0.1], patience=2, schedule=schedule)
    assert (progress.best_epoch, len(progress.history)) == (2, 4)


def test_few_users_are_gone_through_several_times_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, passed, _ = trained(monkeypatch, RISING, epochs=2, epoch_steps=12)  # 300 users, 64 a step
    assert len(progress.history) == 2
    assert len(passed) == 2 * 15


def test_the_share_follows_from_the_epochs_alone() -> None:
    assert [passed_share(Settings(epochs=20), done) for done in (0, 5, 20)] == [0, 0.25, 1]
    assert passed_share(Settings(epochs=20, schedule="constant"), 5) == 0


def test_at_the_end_only_the_next_item_counts() -> None:
    item_NH = torch.tensor([[7, 8, 9], [7, 0, 0]])
    targets = Targets(item_NH, torch.arange(3).expand_as(item_NH))
    assert target_weights(targets, 0.5, 1.0).tolist() == [[1, 0, 0], [1, 0, 0]]
    halfway = target_weights(targets, 0.5, 0.5)
    torch.testing.assert_close(halfway, (target_weights(targets, 0.5) + target_weights(targets, 0.5, 1.0)) / 2)


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_default_trains_in_every_precision(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    progress, _, _ = trained(monkeypatch, RISING, epochs=2, precision=precision)
    assert len(progress.history) == 2
    assert progress.history[1]["losses"]["next_item"] < progress.history[0]["losses"]["next_item"]
