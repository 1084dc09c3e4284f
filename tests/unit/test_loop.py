"""How training is paced: it levels off, cools down, and ends."""

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.losses.objective import Objective
from elcrec.model.network import ELCRecNetwork
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import cooled_share, finished, train
from elcrec.training.report import SilentReporter


def trained(
    monkeypatch: pytest.MonkeyPatch, values: list[float], **settings: object
) -> tuple[Progress, list[bool], list[float]]:
    """A training whose validation gives these values: its progress; of each step, whether it was narrow, its size."""
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    chosen = Settings(**{**SMALL, "epochs": 30, "epoch_steps": 1, "learning_rate": 0.01, **settings})
    scores, narrow, sizes = iter(values), [], []
    call, step = Objective.__call__, torch.optim.Adam.step

    def calling(self: Objective, *arguments: object) -> object:
        narrow.append(arguments[-1])
        return call(self, *arguments)  # type: ignore[arg-type]

    def stepping(self: torch.optim.Adam) -> None:
        sizes.append(self.param_groups[0]["lr"] / 0.01)
        step(self)

    monkeypatch.setattr(Objective, "__call__", calling)
    monkeypatch.setattr(torch.optim.Adam, "step", stepping)
    monkeypatch.setattr("elcrec.training.loop.validate", lambda *_: {"ndcg@20": next(scores)})
    monkeypatch.setattr("elcrec.training.loop.settle_centers", lambda *_: None)
    network = ELCRecNetwork(chosen, len(items))
    progress = train(network, make_split(log, items, "leave_one_out", 0.1), chosen, SilentReporter())
    return progress, narrow, sizes  # type: ignore[return-value]


RISING = [number / 100 for number in range(1, 31)]


def test_a_training_levels_off_twice_cools_down_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.1, 0.3, 0.2, 0.25, 0.4, 0.35, 0.3, 0.3, 0.3, 0.5]
    progress, narrow, sizes = trained(monkeypatch, values, patience=2, cooldown=3)
    assert (progress.narrow_from, progress.cooling_from, len(progress.history)) == (4, 7, 10)
    assert progress.best_epoch == 10
    steps = len(narrow) // 10
    assert narrow == [False] * 4 * steps + [True] * 6 * steps
    assert sizes[: 7 * steps] == [1.0] * 7 * steps
    assert sizes[7 * steps :] == pytest.approx([1 - number / (3 * steps) for number in range(3 * steps)])


def test_with_a_horizon_of_one_it_levels_off_once(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, narrow, _ = trained(monkeypatch, [0.1, 0.3, 0.2, 0.25, 0.2], patience=2, cooldown=1, horizon=1)
    assert (progress.narrow_from, progress.cooling_from, len(progress.history)) == (None, 4, 5)
    assert not any(narrow)


def test_a_training_that_keeps_rising_cools_down_before_the_epoch_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, _, _ = trained(monkeypatch, RISING, epochs=12, cooldown=5)
    assert (progress.narrow_from, progress.cooling_from, len(progress.history)) == (7, 7, 12)


@pytest.mark.parametrize(("epochs", "cooldown", "start"), [(3, 8, 2), (1, 8, 1), (4, 0, 4)])
def test_short_trainings_cool_down_for_half_of_their_time(
    monkeypatch: pytest.MonkeyPatch, epochs: int, cooldown: int, start: int
) -> None:
    progress, _, sizes = trained(monkeypatch, RISING, epochs=epochs, cooldown=cooldown)
    assert (progress.cooling_from, len(progress.history)) == (start, epochs)
    assert min(sizes) > 0


def test_without_a_cool_down_training_stops_when_it_has_levelled_off(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, _, sizes = trained(monkeypatch, [0.3, 0.2, 0.1], patience=2, cooldown=0, horizon=1)
    assert len(progress.history) == 3
    assert set(sizes) == {1.0}


def test_few_users_are_gone_through_several_times_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, narrow, _ = trained(monkeypatch, RISING, epochs=2, epoch_steps=12)  # 300 users, 64 a step
    assert len(progress.history) == 2
    assert len(narrow) == 2 * 15


def test_the_share_is_0_before_and_1_at_the_end() -> None:
    settings, progress = Settings(epochs=60, cooldown=8), Progress(history=[{}] * 20, cooling_from=20)
    assert [cooled_share(settings, progress, done) for done in (20, 24, 28)] == [0, 0.5, 1]
    assert not finished(settings, progress)
    assert finished(settings, Progress(history=[{}] * 28, cooling_from=20))
    assert cooled_share(settings, Progress(), 5) == 0
