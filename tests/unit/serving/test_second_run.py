"""Two runs side by side: names, what cannot be compared, and histories that one model gives to another."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cli_runner import baskets_log, shop_log, untrained
from elcrec import ELCRec, Interactions
from elcrec.errors import RunError, SettingsError
from elcrec.serving.histories import ranked_history, transferred_history
from elcrec.serving.second_run import measured_alike, names_of, refuse_the_same, refuse_unlike
from elcrec.serving.store import Event, UserRecord

WHERE = Path("runs/b")


def of(log: pl.DataFrame, **settings: Any) -> ELCRec:
    return untrained(Interactions.read(log, kinds="event" in log.columns), **settings)


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        (["runs/shop"], ["shop"]),
        (["runs/a", "runs/b/"], ["a", "b"]),
        (["today/shop", "./tomorrow/shop"], ["today/shop", "tomorrow/shop"]),
        (["runs/x/../a", "/runs/b"], ["a", "b"]),
        (["/runs/shop", "/old/runs/shop"], ["/runs/shop", "old/runs/shop"]),
    ],
)
def test_a_name_is_as_long_as_it_takes(runs: list[str], names: list[str]) -> None:
    assert names_of(*map(Path, runs)) == names


def test_one_of_two_folders_may_lie_within_the_other(tmp_path: Path) -> None:
    assert names_of(tmp_path / "a", tmp_path / "a" / "a") == [f"{tmp_path.name}/a", "a/a"]
    assert names_of(Path("caf\udce9")) == ["caf?"], "answers are UTF-8"


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "live").symlink_to("a")
    refuse_the_same(tmp_path / "a", None)
    refuse_the_same(tmp_path / "live", tmp_path / "b")
    with pytest.raises(SettingsError, match="name another one"):
        refuse_the_same(tmp_path / "live", tmp_path / "b" / ".." / "a")


def test_runs_of_other_ids_times_or_items_are_not_compared() -> None:
    log = shop_log(30)
    shop, codes = of(log), log["item_id"].rank("dense").cast(pl.Int64)
    refuse_unlike(shop, of(log.with_columns(pl.col("timestamp").dt.date())), WHERE)
    refuse_unlike(shop, of(log.drop("timestamp")), WHERE)
    for other, why in (
        (log.with_columns(item_id=codes), "its item_id are integers, and those of the served run are text"),
        (
            log.with_columns(timestamp=codes),
            "its log has plain numbers for times, and that of the served run has momen",
        ),
        (log.with_columns(item_id="new " + pl.col("item_id")), "the two have no item in common"),
    ):
        with pytest.raises(RunError, match=f"--against {WHERE} cannot be compared: {why}"):
            refuse_unlike(shop, of(other), WHERE)
    with pytest.raises(RunError, match="has moments for times, and that of the served run has no times"):
        refuse_unlike(of(log.drop("timestamp")), shop, WHERE)


def test_a_run_that_reads_kinds_is_not_compared_with_one_that_has_none() -> None:
    log = kinds_log()
    of_none = of(log.drop("event"))
    for settings in ({"event_inputs": "kind", "target_event": "purchase"}, {"events": ["purchase", "view"]}):
        of_kinds = of(log, **settings)
        refuse_unlike(of_kinds, of_none, WHERE)
        with pytest.raises(RunError, match="it reads kinds of events, and the log of the served run has none"):
            refuse_unlike(of_none, of_kinds, WHERE)
    refuse_unlike(of_none, of(log, target_event="purchase"), WHERE)  # which reads no kind of a history


def kinds_log() -> pl.DataFrame:
    random = np.random.default_rng(3)
    n = 30 * 12
    return pl.DataFrame(
        {
            "user_id": [f"u{place // 12:02}" for place in range(n)],
            "item_id": [f"i{item:02}" for item in random.integers(0, 15, n)],
            "timestamp": pl.Series(1_700_000_000 + np.cumsum(random.choice([0, 40, 90_000], n))),
            "event": random.choice(["view", "purchase"], n),
        }
    )


@pytest.mark.filterwarnings("ignore::elcrec.errors.DataWarning")
@pytest.mark.parametrize(
    ("log", "settings", "known"),
    [
        (kinds_log(), {"event_inputs": "both", "target_event": "purchase"}, {"codes"}),
        (kinds_log().with_columns(pl.from_epoch("timestamp")), {"event_inputs": "gap"}, {"codes"}),
        (baskets_log(), {"ties": "shuffle"}, {"baskets"}),
        (shop_log(40).drop("timestamp"), {}, set()),
    ],
    ids=["kinds and gaps", "gaps of moments", "baskets", "no times"],
)
def test_a_model_of_the_same_log_is_given_what_it_knows(
    log: pl.DataFrame, settings: dict[str, Any], known: set[str]
) -> None:
    model = of(log, **settings)
    lookup, [item, *_] = model.lookup, model.items.ids.to_list()
    newest = lookup.clock.kept_of(lookup.clock.newest)
    for user in model.users.ids.head(20).to_list():
        new = tuple(Event(f"{user}-{n}", user, item, newest + n) for n in range(2))
        for record in (UserRecord(False, ()), UserRecord(False, new), UserRecord(True, new)):
            expected = ranked_history(lookup, user, record)
            found = transferred_history(lookup, user, record, lookup)
            assert found.unknown == []
            for name in ("items", "baskets", "codes"):
                ours, theirs = getattr(expected, name), getattr(found.history, name)
                assert (ours is not None) == (theirs is not None) == (name in known | {"items"}), name
                assert ours is None or ours.tolist() == theirs.tolist(), (name, user, record)


def test_another_model_is_given_what_it_can_read() -> None:
    log = shop_log(40)
    gone = log["item_id"][2]
    model, other = of(log), of(log.filter(pl.col("item_id") != gone).with_columns(pl.col("timestamp").dt.date()))
    user = log["user_id"][2]
    own = log.filter(user_id=user).sort("timestamp", maintain_order=True)["item_id"].to_list()
    found = transferred_history(model.lookup, user, UserRecord(False, ()), other.lookup)
    assert found.unknown == [gone]
    assert other.lookup.item_ids(found.history.items) == [item for item in own if item != gone]
    nothing = transferred_history(other.lookup, "nobody", UserRecord(False, ()), model.lookup)
    assert (len(nothing.history.items), nothing.unknown) == (0, [])


def test_a_model_that_knows_more_of_a_user_is_given_the_served_history() -> None:
    log = shop_log(40)
    user = log["user_id"][0]
    first = log.filter((pl.col("user_id") != user) | (pl.int_range(pl.len()).over("user_id") < 3))
    model, other = of(first), of(log)
    found = transferred_history(model.lookup, user, UserRecord(False, ()), other.lookup)
    assert other.lookup.item_ids(found.history.items) == first.filter(user_id=user)["item_id"].to_list()


def test_kinds_that_another_model_does_not_read_are_left_out() -> None:
    log = kinds_log()
    model = of(log)
    other = untrained(Interactions.read(log.filter(event="purchase"), kinds=True), events=["purchase"])
    user = log["user_id"][0]
    found = transferred_history(model.lookup, user, UserRecord(False, ()), other.lookup)
    bought = log.filter(user_id=user, event="purchase")["item_id"].to_list()
    assert other.lookup.item_ids(found.history.items) == bought


def test_metrics_are_comparable_where_the_same_is_measured() -> None:
    log = shop_log(30)
    model = of(log)
    assert measured_alike(model, of(log, n_layers=1, seed=7, learning_rate=0.1))
    assert not measured_alike(model, of(log.head(100)))
    sample = of(log, judged_users=20, seed=7)
    assert measured_alike(sample, of(log, judged_users=20, seed=7, n_layers=1))
    assert not measured_alike(sample, of(log, judged_users=20, seed=8)), "of other users"
    assert not measured_alike(sample, model)
    for changed in ({"exclude_seen": not model.settings.exclude_seen}, {"split": "global_time"}):
        assert not measured_alike(model, of(log, **changed))


@pytest.mark.filterwarnings("ignore::elcrec.errors.DataWarning")
def test_metrics_are_not_comparable_where_other_events_are_held_out() -> None:
    log = Interactions.read(
        kinds_log().with_columns(quantity=pl.int_range(pl.len()) % 3), weight_column="quantity", kinds=True
    )
    weights = {"event_weights": {"purchase": 1.0, "view": 0.1}}
    model = untrained(log, **weights)
    assert measured_alike(model, untrained(log, target_event="purchase"))
    assert measured_alike(model, untrained(log, event_weights={"purchase": 2.0, "view": 0.5}))
    assert not measured_alike(model, untrained(log, event_weights={"purchase": 0.1, "view": 1.0}))
    assert not measured_alike(model, untrained(log))
    by_quantity = {"weight_column": "quantity", "min_weight": 2.0}
    assert not measured_alike(untrained(log, **by_quantity), untrained(log))
    baskets = Interactions.read(baskets_log())
    assert not measured_alike(untrained(baskets), untrained(baskets, split="leave_one_basket_out"))
