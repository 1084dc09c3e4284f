"""Single questions answered fast: the same lists as tables give, whoever else is asked about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec, SettingsError, UnknownIdError
from elcrec.inference.policy import RankingPolicy, ResolvedPolicy


@pytest.fixture(scope="module")
def model() -> ELCRec:
    log = shop_log()
    items = log["item_id"].unique(maintain_order=True)
    catalogue = pl.DataFrame(
        {"item_id": items, "title": [f"The {item}" for item in items], "kind": [f"kind {len(i) % 3}" for i in items]}
    )
    return ELCRec(seed=1, **SMALL).fit(log, progress=False, items=catalogue)


def asked(model: ELCRec, **wishes: Any) -> ResolvedPolicy:
    return model.topn.resolve(RankingPolicy(**wishes))


def picked(model: ELCRec, users: list[Any], **wishes: Any) -> list[list[Any]]:
    histories = [history for user in users if (history := model.lookup.history_of(user)) is not None]
    return [one.items for one in model.lookup.recommend(histories, asked(model, **wishes))]


def tabled(model: ELCRec, users: list[Any], **wishes: Any) -> list[list[Any]]:
    lists = model.recommend(users, **wishes).partition_by("user_id", maintain_order=True)
    return [one["item_id"].to_list() for one in lists]


WISHES: list[dict[str, Any]] = [
    {},
    {"k": 3, "exclude_seen": False},
    {"intents": [2, 5], "strength": 0.6},
    {"exclude_intents": [1]},
    {"diversify": 0.7},
    {"explain": True, "intents": [3]},
]


@pytest.mark.parametrize("wishes", WISHES)
def test_lists_are_those_of_the_tables_alone_or_together(model: ELCRec, wishes: dict[str, Any]) -> None:
    users = model.users.ids.to_list()[:40]
    together = tabled(model, users, **wishes)
    assert picked(model, users, **wishes) == together
    assert [picked(model, [user], **wishes)[0] for user in users] == together
    assert [tabled(model, [user], **wishes)[0] for user in users] == together


def test_scores_do_not_depend_on_who_else_is_asked_about(model: ELCRec) -> None:
    users = model.users.ids.to_list()
    together = model.recommend(users, k=5).partition_by("user_id", maintain_order=True)
    for number in (0, 7, 299):
        assert model.recommend([users[number]], k=5).equals(together[number])
        assert model.recommend(users[number : number + 3], k=5)[:5].equals(together[number])


def test_reasons_are_those_of_the_tables(model: ELCRec) -> None:
    users = model.users.ids.to_list()[:5]
    table = model.recommend(users, k=4, explain=True, titles=False)
    lists = model.lookup.recommend([model.lookup.history_of(user) for user in users], asked(model, k=4, explain=True))
    reasons = [reason for one in lists for reason in one.reasons]
    rows = table.drop("user_id", "item_id", "score", "rank").to_dicts()
    assert [{name: reason[name] for name in rows[0]} for reason in reasons] == rows
    assert set().union(*reasons) == {*rows[0], "like", "shared"}


def test_only_allowed_items_are_listed(model: ELCRec) -> None:
    items, lookup = model.items.ids.to_list(), model.lookup
    history = lookup.history_of(model.users.ids[0])
    assert history is not None
    allowed, denied = items[3:9], items[5:7]
    plan = asked(model, k=50, exclude_seen=False, allow=allowed, deny=denied)
    [listed] = lookup.recommend([history], plan)
    for one in (listed, lookup.most_popular(plan), lookup.most_typical([0], plan)):
        assert sorted(one.items) == sorted(set(allowed) - set(denied))
    wishes: list[dict[str, Any]] = [{}, {"allow": []}, {"attributes": ["kind 1"]}]
    whole, none, kind = (
        lookup.recommend([history], asked(model, k=len(items), exclude_seen=False, **wish))[0].items for wish in wishes
    )
    assert listed.items == [item for item in whole if item in set(allowed) - set(denied)]
    assert none == []
    assert kind == [item for item in whole if len(item) % 3 == 1]


def test_an_explanation_ranks_among_the_allowed(model: ELCRec) -> None:
    allowed = model.items.ids.to_list()[:6]
    plan = asked(model, k=6, exclude_seen=False, explain=True, allow=allowed)
    [one] = model.lookup.recommend([model.lookup.history_of(model.users.ids[0])], plan)
    assert one.reasons is not None
    assert all(reason["rank_without"] is None or reason["rank_without"] <= 6 for reason in one.reasons)


def test_popular_items_come_by_number_of_events(model: ELCRec) -> None:
    counts = model.log.frame["item_id"].value_counts(sort=True)
    popular = model.lookup.most_popular(asked(model, k=5))
    assert popular.scores == counts["count"].head(5).to_list()
    typical = model.lookup.most_typical([2], asked(model, k=5)).items
    assert typical == model.recommend_for_intent([2], 5)["item_id"].to_list()


def test_no_intent_is_no_choice(model: ELCRec) -> None:
    plan = asked(model, k=5)
    questions: list[Callable[[list[int]], Any]] = [
        lambda intents: model.lookup.most_typical(intents, plan),
        lambda intents: model.lookup.most_likely(intents, plan),
        model.recommend_to_new_user,
    ]
    for ask in questions:
        with pytest.raises(SettingsError, match="intents: name one or more"):
            ask([])
    assert model.recommend_for_intent([]).is_empty()


def test_what_does_not_exist_is_named(model: ELCRec) -> None:
    with pytest.raises(UnknownIdError, match="'no such thing'"):
        asked(model, deny=["no such thing"])
    with pytest.raises(SettingsError, match="attribute 'kind 9'"):
        asked(model, attributes=["kind 9"])
    with pytest.raises(SettingsError, match="intent 8"):
        asked(model, intents=[8])
    assert model.lookup.history_of("nobody") is None
    assert model.topn.item_numbers(["tent pegs", "no such thing"]).tolist()[1] == -1


def test_histories_and_times_are_those_of_the_log(model: ELCRec) -> None:
    user = model.users.ids[7]
    rows = model.log.frame.filter(pl.col("user_id") == user)
    history, times = model.lookup.history_of(user), model.lookup.times_of(user)
    assert history is not None
    assert times is not None
    assert model.lookup.item_ids(history) == rows["item_id"].to_list()
    assert times.tolist() == rows["timestamp"].dt.epoch("ms").to_list()
    assert [model.lookup.clock.shown(time) for time in times.tolist()] == rows["timestamp"].dt.epoch("s").to_list()


def test_items_are_found_by_id_and_title(model: ELCRec) -> None:
    assert model.find_items("THE tent peg")["item_id"].to_list() == ["tent pegs"]
    assert model.find_items("tent pegs").row(0)[:2] == ("tent pegs", "The tent pegs")
    assert len(model.find_items("e", k=4)) == 4
    assert model.find_items("the\u00a0TENT  peg")["item_id"].to_list() == ["tent pegs"]  # as histories take titles
    assert model.find_items("%' OR 1=1 --").is_empty()
    with pytest.raises(SettingsError, match="k=0"):
        model.find_items("e", k=0)
    assert model.find_users("shopper-0000", k=3) == model.users.ids.to_list()[:3]


def test_the_version_follows_the_weights(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    assert ELCRec.load(tmp_path / "run").version == model.version
    assert ELCRec(seed=2, **SMALL).fit(shop_log(), progress=False).version != model.version
