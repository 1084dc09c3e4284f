"""How training is paced: it levels off, cools down, and ends."""

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.losses.objective import Objective, coming_weights
from elcrec.model.network import ELCRecNetwork
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import cooled_share, finished, train
from elcrec.training.report import SilentReporter


def trained(monkeypatch: pytest.MonkeyPatch, values: list[float], **settings: object) -> tuple[Progress, list[float]]:
    """The progress of a training whose validation gives these values, and how far each step was cooled down."""
    log = Interactions.read(shop_log())
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    chosen = Settings(**{**SMALL, "epochs": 30, **settings})
    scores, cooled = iter(values), []
    step = Objective.__call__

    def noting(self: Objective, *arguments: object) -> object:
        cooled.append(arguments[-1])
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Objective, "__call__", noting)
    monkeypatch.setattr("elcrec.training.loop.validate", lambda *_: {"ndcg@20": next(scores)})
    network = ELCRecNetwork(chosen, len(items))
    progress = train(network, make_split(log, items, "leave_one_out", 0.1), chosen, SilentReporter())
    return progress, cooled  # type: ignore[return-value]


RISING = [number / 100 for number in range(1, 31)]


def test_a_training_that_levels_off_cools_down_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, cooled = trained(monkeypatch, [0.1, 0.3, 0.2, 0.25, 0.4, 0.35, 0.3], patience=2, cooldown=3)
    assert (progress.cooling_from, len(progress.history), progress.best_epoch) == (4, 7, 5)
    steps = len(cooled) // 7
    assert cooled[: 4 * steps] == [0.0] * 4 * steps
    assert cooled[4 * steps :] == pytest.approx([number / (3 * steps) for number in range(3 * steps)])


def test_a_training_that_keeps_rising_cools_down_before_the_epoch_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, _ = trained(monkeypatch, RISING, epochs=12, cooldown=5)
    assert (progress.cooling_from, len(progress.history)) == (7, 12)


@pytest.mark.parametrize(("epochs", "cooldown", "start"), [(3, 8, 2), (1, 8, 1), (4, 0, 4)])
def test_short_trainings_cool_down_for_half_of_their_time(
    monkeypatch: pytest.MonkeyPatch, epochs: int, cooldown: int, start: int
) -> None:
    progress, cooled = trained(monkeypatch, RISING, epochs=epochs, cooldown=cooldown)
    assert (progress.cooling_from, len(progress.history)) == (start, epochs)
    assert max(cooled) < 1


def test_without_a_cool_down_training_stops_when_it_has_levelled_off(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, cooled = trained(monkeypatch, [0.3, 0.2, 0.1], patience=2, cooldown=0)
    assert len(progress.history) == 3
    assert set(cooled) == {0.0}


def test_the_share_is_0_before_and_1_at_the_end() -> None:
    settings, progress = Settings(epochs=60, cooldown=8), Progress(history=[{}] * 20, cooling_from=20)
    assert [cooled_share(settings, progress, done) for done in (20, 24, 28)] == [0, 0.5, 1]
    assert not finished(settings, progress)
    assert finished(settings, Progress(history=[{}] * 28, cooling_from=20))
    assert cooled_share(settings, Progress(), 5) == 0


def test_at_the_end_of_the_cool_down_only_the_next_item_counts() -> None:
    coming = torch.tensor([[7, 8, 9], [7, 0, 0]])
    assert coming_weights(coming, 0.5, 1.0).tolist() == [[1, 0, 0], [1, 0, 0]]
    halfway = coming_weights(coming, 0.5, 0.5)
    torch.testing.assert_close(halfway, (coming_weights(coming, 0.5) + coming_weights(coming, 0.5, 1.0)) / 2)
