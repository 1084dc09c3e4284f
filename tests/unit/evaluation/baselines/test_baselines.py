"""Baselines against naive loops, written from their papers."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from elcrec.data.interactions import Interactions
from elcrec.data.neighbours import followers
from elcrec.data.splits import make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.evaluation.baselines import BASELINES, again, neighbours, users
from elcrec.evaluation.baselines.training_part import TrainingPart

# The newest two of each are held out.
LISTS = {1: [1, 2, 3, 9, 9], 2: [2, 1, 2, 3, 9, 9], 3: [4, 1, 9, 9]}

Baskets = list[tuple[int, list[int]]]
"""Time and items of each basket of a user."""


def lists() -> TrainingPart:
    rows = [(user, item) for user, items in LISTS.items() for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    items = Vocabulary.of(log.frame["item_id"], 1)
    return TrainingPart.of(log, make_split(log, items, "leave_one_out", 0.1), len(items))


def scores(name: str, user: int) -> list[float]:
    training = lists()
    split = training.split
    histories = split.histories(torch.tensor([user - 1]), split.train_end_U[user - 1 : user])
    return BASELINES[name](training)(histories)[0].tolist()


def shop(n_users: int = 11, seed: int = 5) -> list[Baskets]:
    """Baskets of users; some hold an item twice."""
    draw = np.random.default_rng(seed)
    return [
        [
            (int(time), [int(item) for item in draw.integers(1, 10, draw.integers(1, 4))])
            for time in np.sort(draw.choice(1000, draw.integers(3, 19), replace=False))
        ]
        for _ in range(n_users)
    ]


def training_of(world: list[Baskets], baskets: bool = True) -> TrainingPart:
    rows = [(user, item, time) for user, bought in enumerate(world) for time, items in bought for item in items]
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))
    items = Vocabulary(pl.Series(range(1, 10)), first=1, kind="item")
    split = make_split(log, items, "leave_one_basket_out", 0.1, "shuffle" if baskets else "file")
    return TrainingPart.of(log, split, len(items))


def targets(items: list[int], judged: bool) -> list[int]:
    """The distinct items of a basket that count as targets: even ones, where only some could be held out."""
    return [item for item in set(items) if not judged or item % 2 == 0]


def compare(
    name: str, naive: Callable[[list[Baskets], list[Baskets], int, int], list[float]], judged: bool = False
) -> None:
    """Scores before the test basket against ``naive(learned, histories, user, time of the test basket)``."""
    world = shop()
    training = training_of(world)
    if judged:
        training = replace(training, split=replace(training.split, judged_N=training.split.item_N % 2 == 0))
    _, histories = training.split.held_out("test")
    found = BASELINES[name](training)(histories)
    learned, before = [bought[:-2] for bought in world], [bought[:-1] for bought in world]
    for user, bought in enumerate(world):
        expected = torch.tensor(naive(learned, before, user, bought[-1][0]), dtype=torch.float64)
        torch.testing.assert_close(found[user].double(), expected, rtol=1e-5, atol=1e-6)


def counts(world: list[Baskets]) -> Counter[int]:
    return Counter(item for bought in world for _, items in bought for item in items)


def decided(values: dict[int, float], learned: list[Baskets], weight: float = 1.0) -> list[float]:
    popular = counts(learned)
    return [values.get(item, 0) + weight * popular[item] / (max(popular.values()) + 1) for item in range(10)]


def test_popularity_counts_the_training_part() -> None:
    assert scores("popularity", 1) == scores("popularity", 3) == [0, 3, 3, 2, 1, 0]


def test_markov_counts_what_followed_the_newest_item() -> None:
    # After item 1 (newest of user 3) came item 2 twice; nothing else.
    found = scores("markov", 3)
    assert found[2] == pytest.approx(2 + 3 / 10)
    assert found[1] == pytest.approx(3 / 10)
    assert max(range(6), key=found.__getitem__) == 2


def test_item_knn_is_the_double_loop() -> None:
    count = {1: 3, 2: 3, 3: 2, 4: 1}
    decay = neighbours.DECAY
    learned = [items[:-2] for items in LISTS.values()]
    similar = torch.zeros(6, 6, dtype=torch.float64)
    for items in learned:
        for i, a in enumerate(items):
            for j, b in enumerate(items):
                if i != j and abs(i - j) <= 5:
                    similar[a, b] += decay ** (abs(i - j) - 1) / ((count[a] + 1) * (count[b] + 1)) ** 0.5
    for user, items in enumerate(learned, start=1):
        expected = sum(decay**age * similar[item] for age, item in enumerate(reversed(items)))
        torch.testing.assert_close(torch.tensor(scores("item-knn", user)).double(), expected, rtol=1e-5, atol=1e-6)


def test_markov_of_baskets_goes_from_each_item_of_one_to_each_of_the_next() -> None:
    # Users 1 and 2 learn from two baskets, user 3 from one; the newest two of each are held out.
    world: list[Baskets] = [
        [(1, [2, 1]), (2, [3, 4, 3]), (3, [9]), (4, [9])],
        [(1, [1]), (2, [5, 4]), (3, [9]), (4, [9])],
        [(5, [1, 2]), (6, [9]), (7, [9])],
    ]
    for shuffled in (world, [[(time, items[::-1]) for time, items in bought] for bought in world]):
        training = training_of(shuffled)
        found = BASELINES["markov"](training)(training.split.held_out("valid")[1])
        popular = np.array([0, 3, 2, 2, 2, 1, 0, 0, 0, 0]) / (10 + 1)
        # From 1 to 3, 4 (user 1), 5, 4 (user 2); from 2 to 3, 4.
        assert found[2].tolist() == pytest.approx(list(popular + np.array([0, 0, 0, 2, 3, 1, 0, 0, 0, 0])))
        assert found[0].tolist() == pytest.approx(list(popular))


@pytest.mark.parametrize("judged", [False, True])
def test_markov_of_baskets_is_the_double_loop(judged: bool) -> None:
    def naive(learned: list[Baskets], before: list[Baskets], user: int, _: int) -> list[float]:
        value = np.zeros(10)
        for bought in learned:
            for (_, first), (_, second) in pairwise(bought):
                n_newest = len(set(first) & set(before[user][-1][1]))
                value[targets(second, judged)] += n_newest
        popular = Counter(item for bought in learned for _, items in bought for item in items)
        count = np.array([popular[item] * (item in targets([item], judged)) for item in range(10)])
        return list(value + count / (count.sum() + 1))

    compare("markov", naive, judged)


@pytest.mark.parametrize("judged", [False, True])
def test_item_knn_of_baskets_is_the_double_loop(judged: bool) -> None:
    def naive(learned: list[Baskets], before: list[Baskets], user: int, _: int) -> list[float]:
        near, held, target = np.zeros((10, 10)), np.zeros(10), np.zeros(10)
        for bought in learned:
            for i, (_, first) in enumerate(bought):
                held[list(set(first))] += 1
                target[targets(first, judged)] += 1
                for j, (_, second) in enumerate(bought):
                    for a in set(first):
                        for b in targets(second, judged):
                            if abs(i - j) <= neighbours.WINDOW and (i != j or a != b):
                                near[a, b] += neighbours.DECAY ** max(abs(i - j) - 1, 0)
        similar = near / np.sqrt(np.outer(held + 1, target + 1))
        newest = reversed(before[user][-neighbours.NEWEST :])
        vectors = [neighbours.DECAY**age * similar[a] for age, (_, items) in enumerate(newest) for a in set(items)]
        return list(np.sum(vectors, axis=0))

    compare("item-knn", naive, judged)


def test_logs_without_ties_and_weights_are_counted_in_their_order_to_the_last_digit() -> None:
    draw = np.random.default_rng(3)
    world = [[(time, [int(draw.integers(1, 10))]) for time in range(draw.integers(4, 40))] for _ in range(60)]
    for baskets in (False, True):
        training = training_of(world, baskets)
        split, n_items = training.split, training.n_items
        item_N, learned_N = split.item_N.numpy(), training.learned_N
        histories = split.held_out("test")[1]
        pairs = sum((0.7 ** (gap - 1) * followers(split, n_items, gap) for gap in range(1, 6)), start=0)
        scale = sparse.diags_array(1 / np.sqrt(np.bincount(item_N[learned_N], minlength=10) + 1))
        similar = (scale @ (pairs + pairs.T) @ scale).tocsr()
        count = torch.from_numpy(np.bincount(item_N[learned_N], minlength=10)).float()
        popular = count / (count.sum() + 1)
        for name, matrix, newest, added in (
            ("item-knn", similar, 10, 0),
            ("markov", followers(split, n_items), 1, popular),
        ):
            place = histories.end_Q.numpy()[:, None] - 1 - np.arange(newest)
            weight = 0.7 ** np.arange(newest) * (place >= histories.start_Q.numpy()[:, None])
            rows = np.repeat(np.arange(len(place)), newest)
            entries = (weight.ravel(), (rows, item_N[place.clip(0)].ravel()))
            history = sparse.coo_array(entries, shape=(len(place), n_items + 1)).tocsr()
            expected = torch.from_numpy((history @ matrix).astype(np.float32).toarray()) + added
            assert torch.equal(BASELINES[name](training)(histories), expected)


def test_buy_again_counts_the_history() -> None:
    compare("buy-again", lambda learned, before, user, _: decided(counts([before[user]]), learned))


def test_buy_again_recent_halves_with_every_so_many_baskets() -> None:
    def naive(learned: list[Baskets], before: list[Baskets], user: int, _: int) -> list[float]:
        decayed: dict[int, float] = {}
        for age, (_, items) in enumerate(reversed(before[user])):
            for item in items:
                decayed[item] = decayed.get(item, 0) + 0.5 ** (age / again.HALF_LIFE_BASKETS)
        return decided(decayed, learned, again.LEAST_OF_HISTORY)

    compare("buy-again-recent", naive)


def test_recent_popularity_halves_with_every_half_life_before_the_moment() -> None:
    def naive(learned: list[Baskets], before: list[Baskets], user: int, now: int) -> list[float]:
        events = [(time, item) for bought in learned for time, items in bought for item in items]
        early, late = np.quantile([time for time, _ in events], [0.05, 0.95])
        value = [0.0] * 10
        for time, item in events:
            if time < now:
                value[item] += 0.5 ** ((now - time) / (0.02 * (late - early)))
        return [each / max(*value, math.ulp(0)) for each in value]

    compare("popularity-recent", naive)


def test_recent_popularity_without_times_counts_positions() -> None:
    expected = [0.0] * 6
    for items in LISTS.values():
        for age, item in enumerate(reversed(items[:-2])):
            expected[item] += 0.5 ** (age / 10)
    assert scores("popularity-recent", 2) == pytest.approx(expected)


def test_recent_popularity_of_a_log_at_one_moment_is_no_division_by_zero() -> None:
    world = [[(5, [1, 2]), (6, [1]), (7, [3])], [(5, [2]), (6, [1]), (7, [3])]]
    training = training_of(world)
    assert training.time_N is not None
    for time_N in (training.time_N, np.zeros_like(training.time_N)):  # in the second nothing is before anything
        scorer = BASELINES["popularity-recent"](replace(training, time_N=time_N))
        assert bool(scorer(training.split.held_out("valid")[1]).isfinite().all())


def frequencies(bought: Baskets) -> np.ndarray:
    """The vector of TIFU-kNN: groups of equal size, the later ones with one basket more where they cannot be."""
    n_groups = min(users.GROUPS, len(bought))
    size, larger = divmod(len(bought), n_groups)
    left, total = list(bought), np.zeros(10)
    for group in range(1, n_groups + 1):
        n_here = size + (group > n_groups - larger)
        here, left = left[:n_here], left[n_here:]
        vector = np.zeros(10)
        for place, (_, items) in enumerate(here, start=1):
            vector[list(set(items))] += users.BASKET_DECAY ** (n_here - place) / n_here
        total += users.GROUP_DECAY ** (n_groups - group) * vector / n_groups
    return total


@pytest.mark.parametrize("nearest", [1, 3, 300])
def test_tifu_knn_mixes_own_frequencies_with_those_of_the_nearest(
    nearest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "NEAREST", nearest)

    def naive(learned: list[Baskets], before: list[Baskets], user: int, _: int) -> list[float]:
        own = frequencies(before[user])
        others = [frequencies(bought) for other, bought in enumerate(learned) if other != user]
        others.sort(key=lambda vector: ((vector - own) ** 2).sum())
        share = users.OWN_SHARE
        return list(share * own + (1 - share) * np.mean(others[:nearest], axis=0))

    compare("tifu-knn", naive)


@pytest.mark.parametrize("window", [2, 25])
def test_up_cf_adds_the_popularity_of_similar_users(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "WINDOW", window)

    def shares(bought: Baskets) -> np.ndarray:
        newest, value = bought[-window:], np.zeros(10)
        for _, items in newest:
            value[list(set(items))] += 1 / len(newest)
        return value

    def naive(learned: list[Baskets], before: list[Baskets], user: int, _: int) -> list[float]:
        own = set(counts([before[user]]))
        found = []
        for other, bought in enumerate(learned):
            theirs = set(counts([bought]))
            both = len(own) ** users.ASYMMETRY * len(theirs) ** (1 - users.ASYMMETRY)
            if other != user:
                found.append((len(own & theirs) / both, shares(bought)))
        return list(shares(before[user]) + sum(weight**users.LOCALITY * value for weight, value in found))

    compare("up-cf", naive)


def test_the_nearest_users_are_found_without_the_own_one() -> None:
    near_BU = torch.tensor([[0.9, 0.1, 0.5, 0.7], [0.2, 0.8, 0.3, 0.4]])
    rows, found, values = users.nearest(near_BU, np.array([0, 1]), 2)
    assert list(zip(rows.tolist(), found.tolist(), strict=True)) == [(0, 3), (0, 2), (1, 3), (1, 2)]
    assert values == pytest.approx([0.7, 0.5, 0.4, 0.3])


@pytest.mark.parametrize("name", ["tifu-knn", "up-cf"])
def test_a_single_user_has_no_neighbours(name: str) -> None:
    training = training_of(shop(n_users=1))
    found = BASELINES[name](training)(training.split.held_out("test")[1])
    assert bool(found.isfinite().all())
    assert found.max() > 0


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_nothing_held_out_is_counted(name: str) -> None:
    assert scores(name, 1)[5] == 0


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_histories_are_scored_alike_alone_and_together(name: str) -> None:
    training = training_of(shop())
    _, histories = training.split.held_out("valid")
    scorer = BASELINES[name](training)
    together = scorer(histories)
    assert together.shape == (len(histories), 10)
    assert not together[:, 0].any()
    alone = torch.cat([scorer(histories.at(torch.tensor([place]))) for place in range(len(histories))])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_held_out_baskets_change_no_score(name: str) -> None:
    world = shop()
    other = [bought[:-2] + [(time, [10 - item for item in items]) for time, items in bought[-2:]] for bought in world]
    first, second = (training_of(each) for each in (world, other))
    found = [BASELINES[name](training)(training.split.held_out("valid")[1]) for training in (first, second)]
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_nothing_to_learn_from_is_no_error(name: str) -> None:
    training = training_of(shop(n_users=3))
    split = replace(training.split, train_end_U=training.split.start_U)
    found = BASELINES[name](replace(training, split=split))(split.held_out("test")[1])
    assert bool(found.isfinite().all())
