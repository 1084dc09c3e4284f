"""How many intents the data can tell apart, against counting and a planted number."""

import math
from dataclasses import dataclass

import polars as pl
import pytest
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.errors import SettingsError
from elcrec.intents.kmeans import spherical_kmeans
from elcrec.intents.suggest_k import PRIORS, suggest_k

ITEMS_EACH = 10


@dataclass(frozen=True)
class World:
    """Histories in a log, with events after those that are judged."""

    behaviour_QD: Tensor
    item_N: Tensor
    start_Q: Tensor
    target_Q: Tensor
    n_items: int

    def suggest(self, candidates: list[int] | None, seed: int = 0) -> pl.DataFrame:
        histories = HistoryBatch(self.item_N, self.start_Q, self.target_Q)
        return suggest_k(self.behaviour_QD, histories, self.n_items, candidates, seed)


def a_world(n_users: int, n_groups: int, seed: int = 0, loyalty: float = 1.0) -> World:
    """Users about orthogonal directions who take their group's items; histories of 3 to 8 events, target, one more."""
    generator = torch.Generator().manual_seed(seed)
    items, starts, targets, groups = [], [], [], []
    for _ in range(n_users):
        group = int(torch.randint(n_groups, (), generator=generator))
        length = int(torch.randint(3, 9, (), generator=generator))
        own = torch.rand(length + 2, generator=generator) < loyalty
        anyone = torch.randint(n_groups, (length + 2,), generator=generator)
        within = torch.randint(ITEMS_EACH, (length + 2,), generator=generator)
        starts.append(len(items))
        targets.append(len(items) + length)
        items += (1 + torch.where(own, group, anyone) * ITEMS_EACH + within).tolist()
        groups.append(group)
    noise_QD = torch.randn(n_users, n_groups, generator=generator)
    behaviour_QD = torch.eye(n_groups)[torch.tensor(groups)] + 0.1 * noise_QD
    return World(behaviour_QD, torch.tensor(items), torch.tensor(starts), torch.tensor(targets), n_groups * ITEMS_EACH)


@pytest.mark.parametrize("seed", range(3))
def test_the_gain_peaks_near_the_planted_number(seed: int) -> None:
    frame = a_world(600, 8, seed).suggest([2, 4, 8, 16, 128, 512], seed)
    gain = dict(frame.select("n_intents", "gain").iter_rows())
    assert gain[2] < gain[4] < max(gain[8], gain[16])
    assert max(gain[8], gain[16]) > gain[128] > gain[512]
    assert max(gain[8], gain[16]) == pytest.approx(math.log(8), abs=0.4)
    assert frame.filter("suggested")["n_intents"].item() in (8, 16)


def test_where_nothing_is_to_be_told_the_fewest_intents_are_suggested() -> None:
    frame = a_world(600, 8, loyalty=0.0).suggest([2, 4, 8, 64])
    assert frame["gain"].abs().max() < 0.05
    assert frame.filter("suggested")["n_intents"].to_list() == [2]


@pytest.mark.parametrize("candidates", [None, [2], [5, 3], [2, 3, 4, 5, 6, 7, 8]])
@pytest.mark.parametrize("loyalty", [0.0, 0.5, 1.0])
def test_exactly_one_number_is_suggested(candidates: list[int] | None, loyalty: float) -> None:
    frame = a_world(100, 4, loyalty=loyalty).suggest(candidates)
    assert frame.columns == ["n_intents", "gain", "effective", "suggested"]
    assert frame["suggested"].sum() == 1


def naive_gains(world: World, n_intents: int, seed: int) -> list[float]:
    """Gain of each history with the best of the priors, by counting lists."""
    cluster = spherical_kmeans(world.behaviour_QD, n_intents, seed, restarts=1).tolist()
    items, starts, targets = world.item_N.tolist(), world.start_Q.tolist(), world.target_Q.tolist()
    histories = [items[start:target] for start, target in zip(starts, targets, strict=True)]
    everything = [item for history in histories for item in history]
    best: list[float] = []
    for s in PRIORS:
        gains = []
        for number, target in enumerate(targets):
            following = items[target]
            popular = (everything.count(following) + 1) / (len(everything) + world.n_items + 1)
            mates = [history for own, history in zip(cluster, histories, strict=True) if own == cluster[number]]
            pool = [item for history in mates for item in history]
            gains.append(math.log((pool.count(following) + s * popular) / (len(pool) + s) / popular))
        best = max(best, gains, key=lambda gains: sum(gains) / len(targets) if gains else -math.inf)
    return best


@pytest.mark.parametrize(("seed", "loyalty"), [(4, 0.1), (4, 0.7), (7, 0.3), (0, 0.5), (11, 0.7)])
def test_gain_effective_and_suggestion_are_counted_from_the_histories_alone(seed: int, loyalty: float) -> None:
    world, candidates = a_world(60, 3, seed=seed, loyalty=loyalty), [2, 3, 5, 20]
    frame = world.suggest(candidates, seed=9)
    gains = {n: naive_gains(world, n, 9) for n in candidates}
    mean = {n: sum(values) / 60 for n, values in gains.items()}
    assert frame["n_intents"].to_list() == candidates
    assert frame["gain"].to_list() == pytest.approx(list(mean.values()), rel=1e-9)
    for n, effective in frame.select("n_intents", "effective").iter_rows():
        cluster = spherical_kmeans(world.behaviour_QD, n, 9, restarts=1).tolist()
        shares = [cluster.count(k) / 60 for k in set(cluster)]
        assert effective == pytest.approx(math.exp(-sum(share * math.log(share) for share in shares)))
    best = max(mean, key=lambda n: mean[n])
    within = []
    for n in candidates:
        behind = [more - less for more, less in zip(gains[best], gains[n], strict=True)]
        variance = sum((x - sum(behind) / 60) ** 2 for x in behind) / 60
        if sum(behind) / 60 <= math.sqrt(variance / 60):
            within.append(n)
    assert frame.filter("suggested")["n_intents"].to_list() == [min(within)]


def test_gain_of_two_pairs_of_users_by_hand() -> None:
    """Six of six events beside a prior of 7 / 15: ``(6 + 10 * 7/15) / 16 / (7/15) = 10 / 7``."""
    world = World(
        torch.eye(2)[[0, 0, 1, 1]],
        torch.tensor([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]),
        torch.tensor([0, 4, 8, 12]),
        torch.tensor([3, 7, 11, 15]),
        2,
    )
    row = world.suggest([2]).row(0, named=True)
    assert row == {
        "n_intents": 2,
        "gain": pytest.approx(math.log(10 / 7)),
        "effective": pytest.approx(2),
        "suggested": True,
    }


@pytest.mark.parametrize(("n_users", "powers"), [(2, {2}), (39, {2}), (40, {2, 4}), (100, {2, 4, 8})])
def test_powers_of_two_to_a_tenth_of_the_histories_are_tried_by_default(n_users: int, powers: set[int]) -> None:
    tried = set(a_world(n_users, 3).suggest(None)["n_intents"])
    assert powers <= tried
    assert max(tried) <= max(n_users // 10, 2)


def test_numbers_are_tried_once_each_in_order() -> None:
    assert a_world(30, 3).suggest([5, 2, 5, 30])["n_intents"].to_list() == [2, 5, 30]


@pytest.mark.parametrize("candidates", [[], [1], [0, 4], [-3], [2, 31]])
def test_numbers_that_cannot_be_are_refused(candidates: list[int]) -> None:
    with pytest.raises(SettingsError, match="number of histories, 30"):
        a_world(30, 3).suggest(candidates)


def test_one_history_is_too_few_to_suggest_from() -> None:
    with pytest.raises(SettingsError, match="number of histories, 1"):
        a_world(1, 3).suggest(None)


def test_the_seed_decides() -> None:
    world = a_world(80, 4, loyalty=0.5)
    assert world.suggest([3, 9], seed=1).equals(world.suggest([3, 9], seed=1))
    assert not world.suggest([3, 9], seed=1).equals(world.suggest([3, 9], seed=2))


def test_numbers_around_the_best_power_of_two_are_tried() -> None:
    world = a_world(600, 11)
    frame = world.suggest(None)
    assert {8, 10, 11, 13}.issubset(frame["n_intents"].to_list()) or {16, 11, 13, 19}.issubset(frame["n_intents"])
    assert frame["n_intents"].is_sorted()
    assert frame["n_intents"].is_unique().all()
    assert 10 <= frame.filter("suggested")["n_intents"].item() <= 14
    histories = HistoryBatch(world.item_N, world.start_Q, world.target_Q)
    own = suggest_k(world.behaviour_QD, histories, world.n_items, None, 0, also=37)
    assert own.filter(pl.col("n_intents") != 37).equals(frame)
