"""How typical items are of intents, against counting sets of users and against the table of intents."""

import random

import polars as pl
import pytest
import torch

from elcrec.data.vocabulary import Vocabulary
from elcrec.intents.intent_table import PRIOR_USERS, typical_items
from elcrec.intents.item_intents import ItemIntents

N_INTENTS = 6
UNUSED = 3


def a_world(seed: int, n_users: int = 70, n_items: int = 15) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random users in five of six intents, with repeated events."""
    generator = random.Random(seed)
    users = [f"u{number}" for number in range(n_users)]
    intents = [generator.choice([0, 0, 0, 1, 2, 4, 5]) for _ in users]
    events = [
        (user, f"i{min(generator.randrange(n_items), generator.randrange(n_items))}")
        for user in users
        for _ in range(generator.randint(1, 6))
    ]
    return (
        pl.DataFrame({"user_id": users, "intent": intents}),
        pl.DataFrame(events, schema=["user_id", "item_id"], orient="row"),
    )


def counted(intent_of_user: pl.DataFrame, events: pl.DataFrame) -> tuple[ItemIntents, Vocabulary]:
    items = Vocabulary.of(events["item_id"], first=1, kind="item")
    return ItemIntents(intent_of_user, events, items, N_INTENTS), items


def havers(events: pl.DataFrame, item: str) -> set[str]:
    return {user for user, taken in events.iter_rows() if taken == item}


@pytest.mark.parametrize("seed", range(3))
def test_users_of_items_and_shares_of_intents_are_counted(seed: int) -> None:
    intent_of_user, events = a_world(seed)
    found, items = counted(intent_of_user, events)
    intent_of = dict(intent_of_user.iter_rows())
    expected = [[0] * N_INTENTS]
    for item in items.ids:
        own = [intent_of[user] for user in havers(events, item)]
        expected.append([own.count(intent) for intent in range(N_INTENTS)])
    assert found.users_VK.toarray().tolist() == expected
    everybody = intent_of_user["intent"].to_list()
    assert found.share_K.tolist() == pytest.approx([everybody.count(k) / 70 for k in range(N_INTENTS)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("intents", [[0], [5], [1, 4], [0, UNUSED], [4, 2, 0, 1, 5]], ids=str)
def test_lift_is_the_documented_ratio_for_one_intent_and_for_several(intents: list[int], seed: int) -> None:
    intent_of_user, events = a_world(seed)
    found, items = counted(intent_of_user, events)
    intent_of = dict(intent_of_user.iter_rows())
    share = sum(own in intents for own in intent_of.values()) / len(intent_of)
    expected = [1.0]  # padding
    for item in items.ids:
        users = havers(events, item)
        both = sum(intent_of[user] in intents for user in users)
        expected.append((both + PRIOR_USERS * share) / (len(users) + PRIOR_USERS) / share)
    assert found.lift(intents).dtype == torch.float32
    assert found.lift(intents).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_lifts_are_those_of_the_table_of_intents(seed: int) -> None:
    intent_of_user, events = a_world(seed)
    found, items = counted(intent_of_user, events)
    table = typical_items(intent_of_user, events, 100)
    assert set(table["intent"]) == set(range(N_INTENTS)) - {UNUSED}
    for intent, item, users, lift in table.iter_rows():
        at = int(items.indices([item])[0])
        assert found.lift([intent])[at].item() == pytest.approx(lift, rel=1e-5)
        assert found.users_VK[at, intent] == users


def test_all_intents_together_lift_nothing() -> None:
    found, items = counted(*a_world(0))
    assert found.lift(list(range(N_INTENTS))).tolist() == pytest.approx([1.0] * (len(items) + 1), rel=1e-5)


def test_an_intent_named_twice_counts_as_once() -> None:
    found, _ = counted(*a_world(0))
    torch.testing.assert_close(found.lift([1, 4, 1, 4]), found.lift([1, 4]))


def test_an_intent_without_users_says_nothing() -> None:
    found, items = counted(*a_world(0))
    assert found.share_K[UNUSED] == 0
    assert found.lift([UNUSED]).tolist() == [1.0] * (len(items) + 1)
    assert found.given_item(torch.arange(len(items) + 1))[:, UNUSED].tolist() == [0.0] * (len(items) + 1)
    torch.testing.assert_close(found.lift([0, UNUSED]), found.lift([0]))


@pytest.mark.parametrize("seed", range(3))
def test_intents_given_an_item_sum_to_one_and_are_lift_times_share(seed: int) -> None:
    found, items = counted(*a_world(seed))
    given_VK = found.given_item(torch.arange(len(items) + 1))
    assert given_VK.shape == (len(items) + 1, N_INTENTS)
    assert given_VK.sum(dim=1).tolist() == pytest.approx([1.0] * (len(items) + 1), abs=1e-5)
    for intent, share in enumerate(found.share_K.tolist()):
        torch.testing.assert_close(given_VK[:, intent], found.lift([intent]) * share)


def test_items_are_looked_up_in_the_order_asked_and_padding_is_the_average_user() -> None:
    found, items = counted(*a_world(1))
    given_VK = found.given_item(torch.arange(len(items) + 1))
    asked_N = torch.tensor([4, 0, 9, 4])
    assert torch.equal(found.given_item(asked_N), given_VK[asked_N])
    assert given_VK[0].tolist() == pytest.approx(found.share_K.tolist())


def test_repeated_events_count_once() -> None:
    intent_of_user, events = a_world(0)
    once, _ = counted(intent_of_user, events)
    twice, _ = counted(intent_of_user, pl.concat([events, events]))
    assert (once.users_VK != twice.users_VK).nnz == 0


def test_events_of_users_without_an_intent_do_not_count() -> None:
    intent_of_user, events = a_world(0)
    strangers = pl.DataFrame({"user_id": ["stranger"] * 2, "item_id": ["i0", "i1"]})
    alone, _ = counted(intent_of_user, events)
    among, _ = counted(intent_of_user, pl.concat([events, strangers]))
    assert (alone.users_VK != among.users_VK).nnz == 0
    assert alone.share_K.tolist() == among.share_K.tolist()


def test_an_item_nobody_with_an_intent_has_is_average() -> None:
    intent_of_user, events = a_world(0)
    found, items = counted(intent_of_user, pl.concat([events, pl.DataFrame({"user_id": ["x"], "item_id": ["new"]})]))
    at = int(items.indices(["new"])[0])
    assert found.lift([0])[at].item() == pytest.approx(1)
    assert found.given_item(torch.tensor([at]))[0].tolist() == pytest.approx(found.share_K.tolist())
