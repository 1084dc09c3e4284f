"""Intent health and the table of intents against naive computations."""

import math
import random
from collections import defaultdict

import polars as pl
import pytest
import torch

from elcrec.intents.intent_health import collapse_warning, intent_flags, intent_health
from elcrec.intents.intent_table import PRIOR_USERS, typical_items

# Health


@pytest.mark.parametrize("n_intents", [1, 2, 256])
def test_equally_large_intents_are_all_effective(n_intents: int) -> None:
    health = intent_health(torch.full((n_intents,), 37), torch.eye(n_intents))
    assert health["effective"] == pytest.approx(n_intents)
    assert health["used"] == n_intents
    assert health["largest_share"] == pytest.approx(1 / n_intents)


def test_one_intent_for_everybody_is_one_effective() -> None:
    users = torch.zeros(256, dtype=torch.int64)
    users[17] = 22_363
    health = intent_health(users, torch.eye(256))
    assert health == {
        "effective": 1.0,
        "used": 1,
        "largest_share": 1.0,
        "dead": 255,
        "duplicates": 0,
        "dominant": 1,
    }
    assert "1 of 256 in use" in (collapse_warning(health, 256, 22_363) or "")


def test_effective_is_the_exponential_of_the_entropy() -> None:
    users = [5, 0, 1, 14, 30]
    entropy = -sum(n / 50 * math.log(n / 50) for n in users if n)
    health = intent_health(torch.tensor(users), torch.eye(5))
    assert health["effective"] == pytest.approx(math.exp(entropy))
    assert health["used"] == 4
    assert health["largest_share"] == pytest.approx(0.6)


def test_float_counts_as_training_sums_them_are_the_same() -> None:
    users = torch.tensor([5, 0, 1, 14, 30])
    assert intent_health(users.float(), torch.eye(5)) == intent_health(users, torch.eye(5))


def test_no_users_is_no_intent_in_use_and_no_nan() -> None:
    health = intent_health(torch.zeros(4, dtype=torch.int64), torch.eye(4))
    assert health["used"] == 0
    assert health["largest_share"] == 0
    assert health["effective"] == 1


def test_flags_tell_dead_duplicate_and_dominant_intents() -> None:
    centers = torch.tensor([[1.0, 0.0], [0.99, 0.01], [0.0, 1.0], [-1.0, 0.0]])
    flags = intent_flags(torch.tensor([8, 1, 0, 3]), centers)
    assert flags["dead"].tolist() == [False, False, True, False]
    assert flags["duplicates"].tolist() == [True, True, False, False]
    assert flags["dominant"].tolist() == [True, False, False, False]


def test_duplicates_are_found_among_many_centres() -> None:
    centers = torch.randn(2500, 64, generator=torch.Generator().manual_seed(1))
    centers[2400] = 3 * centers[7]
    duplicates = intent_flags(torch.ones(2500), centers)["duplicates"]
    assert torch.nonzero(duplicates).flatten().tolist() == [7, 2400]


@pytest.mark.parametrize(
    ("users", "n_users", "collapsed"),
    [
        ([50, 50, 50, 50], 200, False),
        ([150, 20, 20, 10], 200, True),
        ([150, 50], 200, False),  # two intents: one of them is always the larger
        ([10] * 20 + [0] * 236, 200, True),
        ([1] * 8 + [0] * 248, 8, False),  # no more users than that
    ],
)
def test_collapse_is_told_from_few_users_or_few_intents(users: list[int], n_users: int, collapsed: bool) -> None:
    health = intent_health(torch.tensor(users), torch.eye(len(users)))
    assert (collapse_warning(health, len(users), n_users) is not None) == collapsed


# Typical items


def a_world(seed: int, n_users: int = 60, n_items: int = 12) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random users in four intents, with repeated events."""
    generator = random.Random(seed)
    users = [f"u{number}" for number in range(n_users)]
    intent_of_user = pl.DataFrame({"user_id": users, "intent": [generator.choice([0, 0, 1, 2, 5]) for _ in users]})
    events = [
        {"user_id": user, "item_id": f"i{min(generator.randrange(n_items), generator.randrange(n_items)):02d}"}
        for user in users
        for _ in range(generator.randint(1, 6))
    ]
    return intent_of_user, pl.DataFrame(events)


def naive_typical(
    intent_of_user: pl.DataFrame, events: pl.DataFrame, k: int
) -> dict[int, list[tuple[str, int, float]]]:
    """``(n_ic + s P(c)) / (n_i + s) / P(c)`` by counting sets of users."""
    intent_of = dict(intent_of_user.select("user_id", "intent").iter_rows())
    havers: dict[str, set[str]] = defaultdict(set)
    for user, item in events.select("user_id", "item_id").iter_rows():
        if user in intent_of:
            havers[item].add(user)
    table = {}
    for intent in sorted(set(intent_of.values())):
        share = sum(own == intent for own in intent_of.values()) / len(intent_of)
        rows = []
        for item, users in havers.items():
            both = sum(intent_of[user] == intent for user in users)
            lift = (both + PRIOR_USERS * share) / (len(users) + PRIOR_USERS) / share
            if both:
                rows.append((item, both, lift))
        rows.sort(key=lambda row: (-round(row[2], 12), -row[1], row[0]))
        table[intent] = rows[:k]
    return table


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 100])
def test_typical_items_are_the_documented_lift(seed: int, k: int) -> None:
    intent_of_user, events = a_world(seed)
    typical = typical_items(intent_of_user, events, k)
    assert typical.columns == ["intent", "item_id", "users", "lift"]
    for intent, expected in naive_typical(intent_of_user, events, k).items():
        rows = typical.filter(pl.col("intent") == intent)
        assert rows["lift"].to_list() == pytest.approx([lift for _, _, lift in expected])
        assert rows["lift"].to_list() == sorted(rows["lift"], reverse=True)
        assert list(rows.select("item_id", "users").iter_rows()) == [row[:2] for row in expected]


def test_an_item_that_everybody_has_is_average() -> None:
    intent_of_user = pl.DataFrame({"user_id": ["a", "b", "c", "d"], "intent": [0, 0, 0, 1]})
    events = pl.DataFrame({"user_id": ["a", "b", "c", "d"], "item_id": ["x"] * 4})
    assert typical_items(intent_of_user, events, 5)["lift"].to_list() == pytest.approx([1.0, 1.0])


def test_a_rare_item_needs_evidence() -> None:
    users = [f"u{number}" for number in range(100)]
    intent_of_user = pl.DataFrame({"user_id": users, "intent": [number % 2 for number in range(100)]})
    often = [(user, "often") for user in users[:80:2]]
    events = pl.DataFrame([*often, ("u0", "once")], schema=["user_id", "item_id"], orient="row")
    assert typical_items(intent_of_user, events, 2)["item_id"].to_list() == ["often", "once"]


def test_repeated_events_count_once() -> None:
    intent_of_user, events = a_world(0)
    twice = pl.concat([events, events])
    assert typical_items(intent_of_user, twice, 5).equals(typical_items(intent_of_user, events, 5))


def test_events_of_users_without_an_intent_do_not_count() -> None:
    intent_of_user, events = a_world(0)
    strangers = pl.DataFrame({"user_id": ["stranger"] * 2, "item_id": ["i00", "new"]})
    assert typical_items(intent_of_user, pl.concat([events, strangers]), 5).equals(
        typical_items(intent_of_user, events, 5)
    )
