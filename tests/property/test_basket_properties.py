"""Random logs with baskets: targets, training rows and shuffles against plain loops over lists."""

import random
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import Worth
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError
from elcrec.model.network import ELCRecNetwork
from elcrec.training import steps
from elcrec.training.objective import Objective, StepInput
from elcrec.training.steps import StepSource, training_rows
from elcrec.training.targets import TargetSource

SEEDS = range(12)
METHODS = ("leave_one_out", "leave_one_basket_out", "global_time")


class Event(NamedTuple):
    """An event at its place in the log."""

    place: int
    user: int
    item: int
    time: int
    weight: float


def world(seed: int, method: str, weighed: bool = False) -> tuple[list[Event], Split]:
    """Users with one to many baskets of one to many items, each item of the log another one."""
    rng, events = random.Random(seed), []
    for user in range(rng.randint(1, 9)):
        for time in range(rng.choice([1, 2, 3, 4, 7])):
            for _ in range(rng.choice([1, 1, 2, 5, 9])):
                place, weight = len(events), rng.choice([0, 0.5, 1]) if weighed else 1
                events.append(Event(place, user, place + 1, 10 * user + time, weight))
    columns = {"user_id": [e.user for e in events], "item_id": [e.item for e in events]}
    log = Interactions.read({**columns, "timestamp": [e.time for e in events]})  # type: ignore[arg-type]
    weights = torch.tensor([e.weight for e in events]).numpy() if weighed else None
    worth = Worth(weights, None if weights is None else weights > 0)
    return events, make_split(log, Vocabulary(log.frame["item_id"], first=1), method, 0.2, "shuffle", worth)


def learned_from(events: list[Event], split: Split) -> list[Event]:
    return [event for event in events if event.place < int(split.train_end_U[event.user])]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_targets_are_those_of_a_loop(seed: int, method: str, weighed: bool) -> None:
    events, split = world(seed, method, weighed)
    source, at_N = TargetSource(split, Settings(horizon=2)), torch.arange(len(events))
    found = source.of(split.item_N, at_N, split.user_N, torch.ones(len(events), dtype=torch.bool))
    targets = [event for event in learned_from(events, split) if event.weight > 0]
    for event in events:
        later = [one for one in targets if one.user == event.user and one.time > event.time]
        baskets = [list(basket) for _, basket in groupby(later, lambda one: one.time)][:2]
        expected = [(one.item, step) for step, basket in enumerate(baskets) for one in basket][: source.n_slots]
        is_last = not any(one.time == event.time and one.user == event.user for one in events[event.place + 1 :])
        slots = zip(found.item_TH[event.place].tolist(), found.step_TH[event.place].tolist(), strict=True)
        assert [slot for slot in slots if slot[0]] == (expected if is_last else [])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_all_of_a_basket_become_targets_in_some_epoch(seed: int, weighed: bool, method: str) -> None:
    events, split = world(seed, method, weighed)
    source, at_N = TargetSource(split, Settings(horizon=1)), torch.arange(len(events))
    everywhere = torch.ones(len(events), dtype=torch.bool)
    targets, drawn = [event for event in learned_from(events, split) if event.weight > 0], set()
    for draw in range(100):
        item_N, _, order = split.shuffled_in_baskets(torch.Generator().manual_seed(draw))
        source.shuffle(order)
        found = source.of(item_N, at_N, split.user_N, everywhere)
        for place, slot in torch.nonzero(found.item_TH).tolist():
            target = events[int(found.item_TH[place, slot]) - 1]
            assert target in targets
            assert found.weight_TH is None or float(found.weight_TH[place, slot]) == target.weight
            drawn.add((place, target.item))
    for event in events:
        later = [one for one in targets if one.user == event.user and one.time > event.time]
        is_last = not any(one.time == event.time and one.user == event.user for one in events[event.place + 1 :])
        following = {one.item for one in later if one.time == later[0].time} if is_last else set()
        assert {item for place, item in drawn if place == event.place} == following


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_shuffle_brings_nothing_held_out_into_training(seed: int, method: str) -> None:
    events, split = world(seed, method)
    for draw in range(5):
        shuffled_N, _, _ = split.shuffled_in_baskets(torch.Generator().manual_seed(draw))
        for event in events:
            found = events[int(shuffled_N[event.place]) - 1]
            assert (found.user, found.time) == (event.user, event.time)
            end = int(split.train_end_U[event.user])
            assert found.place == event.place if event.place >= end else found.place < end


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("max_seq_len", [2, 6, 50])
@pytest.mark.parametrize("seed", SEEDS)
def test_learners_are_those_who_have_something_to_predict(
    seed: int, max_seq_len: int, weighed: bool, method: str
) -> None:
    events, split = world(seed, method, weighed)
    settings = Settings(max_seq_len=max_seq_len, ties="shuffle", repeats="learned", epoch_steps=1)
    learned = learned_from(events, split)
    expected = {
        target.user
        for target in learned
        if target.weight > 0 and any(one.user == target.user and one.time < target.time for one in learned)
    }
    if not expected:
        with pytest.raises(DataError, match=r"two training (baskets|items of which)"):
            split.learners()
        return
    assert set(split.learners().tolist()) == expected
    user_M, _ = training_rows(split, settings)
    source = StepSource(split, settings, len(events))
    for row in range(len(user_M)):
        step = source.step(torch.tensor([row]), torch.Generator().manual_seed(0))
        assert int((step.targets.item_TH[:, 0] > 0).sum()) > 0
        assert not set(step.tokens.item_T.tolist()) & {e.item for e in events if e not in learned}


def test_without_baskets_learners_have_two_items() -> None:
    _, split = world(3, "leave_one_out")
    plain = replace(split, newest_N=None)
    assert plain.learners().tolist() == torch.nonzero(plain.train_end_U - plain.start_U >= 2).flatten().tolist()


def test_few_tokens_predict_where_histories_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    n_users, length = 8, 60
    end_U = torch.arange(1, n_users + 1) * length
    cuts = (end_U - length, end_U, end_U - 2, end_U - 2, end_U - 1)
    split = Split(torch.arange(n_users * length) % 50 + 1, *cuts)
    source = StepSource(split, Settings(repeats="learned"), 50)

    def step() -> tuple[StepInput, Tensor]:
        generator = torch.Generator().manual_seed(1)
        return source.step(torch.arange(n_users), generator), generator.get_state()

    whole, state = step()
    assert whole.seen is not None
    assert int((whole.targets.item_TH[:, 0] > 0).sum()) == n_users * 50
    assert torch.equal(state, torch.Generator().manual_seed(1).get_state())  # nothing is drawn
    most = 2000
    monkeypatch.setattr(steps, "SEEN_AT_ONCE", most)
    some, _ = step()
    assert some.seen is not None
    n_predicting = int((some.targets.item_TH[:, 0] > 0).sum())
    assert 0 < len(some.seen.row_P) < 1.5 * most < len(whole.seen.row_P)
    assert int(some.seen.row_P[-1]) == n_predicting - 1


def test_where_no_basket_ends_the_loss_is_0_and_reaches_the_same_weights() -> None:
    settings = Settings(repeats="learned", embedding_dim=8, n_intents=2, max_seq_len=4, ties="shuffle")
    item_N, newest_N = torch.arange(1, 13), torch.tensor([0, 1, 8, 8, 8, 8, 8, 8, 8, 9, 10, 11])
    at = [torch.tensor([place]) for place in (0, 12, 12, -1, -1)]
    source = StepSource(Split(item_N, *at, newest_N=newest_N), settings, 12)
    torch.manual_seed(1)
    network, reached, losses = ELCRecNetwork(settings, 12), [], []
    for end in (12, 8):  # the second row lies within a basket
        source.end_M = torch.tensor([end])
        step = source.step(torch.tensor([0]), torch.Generator().manual_seed(1))
        terms, _ = Objective(settings)(network, step, torch.zeros(2), warming_up=True)
        network.zero_grad()
        terms.total.backward()
        losses.append(terms.next_item.item())
        reached.append({name for name, weight in network.named_parameters() if weight.grad is not None})
    assert losses[0] > 0
    assert losses[1] == 0
    assert reached[0] == reached[1]
