"""Kinds of events and their weights: how they are read, joined, split and held out."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from elcrec.config import Settings, validate
from elcrec.data.by_settings import read_log, read_new, read_with_kinds
from elcrec.data.check import check_log
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import unknown_kinds, worth_of
from elcrec.data.layout import Layout
from elcrec.errors import DataError, DataWarning, SettingsError

ROWS = [
    ("u", "a", 1, "view", 2.0),
    ("u", "b", 2, "purchase", 5.0),
    ("u", "b", 2, "view", 1.0),
    ("u", "c", 3, "purchase", 3.0),
    ("u", "d", 4, "cart", 4.0),
    ("u", "e", 5, "purchase", 5.0),
    ("u", "f", 6, "view", 5.0),
    ("v", "a", 1, "view", 1.0),
    ("v", "c", 2, "purchase", 1.0),
]
NAMES = ["user_id", "item_id", "timestamp", "event", "rating"]


def frame(rows: list[tuple[Any, ...]] = ROWS, **renamed: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES, orient="row").rename(renamed)


def read(settings: dict[str, Any], data: Any = None) -> Interactions:
    return read_log(frame() if data is None else data, None, validate(settings))


@pytest.mark.parametrize("name", ["event", "event_type", "behavior_type", "FeedbackType", "event_name", "action"])
def test_kinds_are_found_by_their_usual_names_and_kept_where_they_matter(name: str, tmp_path: Path) -> None:
    frame(event=name).write_csv(tmp_path / "log.csv")
    log = read({"event_weights": {"purchase": 1}}, tmp_path / "log.csv")
    assert log.frame["event"].to_list() == [row[3] for row in ROWS]
    assert log.kinds() == {"purchase": 4, "view": 4, "cart": 1}
    with pytest.warns(DataWarning, match=r"view 44.4% \(4\).*events="):
        assert "event" not in read({}, tmp_path / "log.csv").frame.columns


def test_a_column_that_is_named_may_hold_numbers() -> None:
    log = read({"event_column": "what", "events": "1,4"}, pl.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3],
        "timestamp": [1, 2, 3], "what": [1, 4, 2]}))  # fmt: skip
    assert log.frame["event"].to_list() == ["1", "4"]


def test_only_the_kinds_that_are_named_are_read_whatever_the_others_lack() -> None:
    searches = pl.concat([frame(), pl.DataFrame([("u", None, 9, "search", 1.0)], schema=NAMES, orient="row")])
    log = read({"events": ["purchase", "cart"]}, searches)
    assert log.kinds() == {"purchase": 4, "cart": 1}
    assert read({"events": "purchase,cart"}, Interactions.read(frame(), kinds=True)).frame.equals(log.frame)
    odd = searches.with_columns(item_id=pl.when(pl.col("timestamp") == 3).then(None).otherwise("item_id"))
    with pytest.raises(DataError, match="row 4 of the table"):  # as the caller counts, not among those kept
        read({"events": "purchase,cart"}, odd)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [({"events": "buy"}, "events"), ({"event_weights": "purchase:1,buy:1"}, "event_weights"),
     ({"target_event": "buy"}, "target_event")],
)  # fmt: skip
def test_kinds_that_a_log_lacks_are_refused_with_those_it_has(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(DataError, match=rf"{setting}: .*'buy'.*purchase 44.4% \(4\), view 44.4% \(4\), cart"):
        Dataset.of(read(settings), validate(settings), torch.device("cpu"))


def test_a_log_without_kinds_is_refused_where_they_are_asked_for() -> None:
    bare = frame().drop("event")
    with pytest.raises(DataError, match="event_column='NAME'"):
        read({"target_event": "purchase"}, bare)
    with pytest.raises(DataError, match="kinds=True"):
        read({"target_event": "purchase"}, Interactions.read(bare))
    with pytest.raises(DataError, match="weight_column"):
        read({"weight_column": "rating"}, Interactions.read(bare))


@pytest.mark.parametrize(
    "settings",
    [{"event_weights": "purchase"}, {"event_weights": {"purchase": 0}}, {"event_weights": {"purchase": -1}},
     {"event_weights": "purchase:1", "target_event": "view"}, {"events": "view", "target_event": "cart"},
     {"min_weight": 3}],
)  # fmt: skip
def test_weights_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        validate(settings)


def test_weights_are_written_as_text_or_as_a_table() -> None:
    assert validate({"event_weights": "purchase:1,cart:.5"}) == validate(
        {"event_weights": {"purchase": 1, "cart": 0.5}}
    )
    assert validate({"event_weights": "view:.1,purchase:2"}).target_kind == "purchase"


@pytest.mark.parametrize("odd", ["many", "-1", "inf"])
def test_weights_that_are_no_numbers_are_refused_with_their_line(odd: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"user_id,item_id,timestamp,rating\nu,a,1,5\nu,b,2,{odd}\n")
    with pytest.raises(DataError, match=f"line 3: the weight '{odd}'"):
        read({"weight_column": "rating"}, tmp_path / "log.csv")


def test_a_missing_weight_is_no_id(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp,rating\nu,a,1,5\nu,b,2,nan\n")
    with pytest.raises(DataError, match=r"1 row has no weight .*missing='drop'$"):
        read({"weight_column": "rating"}, tmp_path / "log.csv")


def test_rows_without_a_kind_and_kinds_that_differ_in_capitals_are_told() -> None:
    odd = frame([*ROWS, ("v", "d", 3, "Purchase", 1.0), ("v", "e", 4, None, 1.0), ("v", "f", 5, None, 1.0)])
    with pytest.warns(DataWarning) as warned:
        log = read({"events": "purchase"}, odd)
    said = [str(one.message) for one in warned]
    assert log.kinds() == {"purchase": 4}
    assert "2 rows have no kind of event: left out" in said
    assert any("'purchase', 'Purchase'" in one for one in said)
    with pytest.warns(DataWarning, match="differ in capitals"):
        assert read({"event_weights": "purchase:1", "missing": "drop"}, odd).kinds()["Purchase"] == 1  # type: ignore[index]


@pytest.mark.parametrize("blank", [None, "", " "])
def test_events_without_a_kind_are_refused_only_where_kinds_are_needed(blank: str | None) -> None:
    some = frame([*ROWS, ("v", "d", 3, blank, 1.0)])
    for log in (read_with_kinds(some, None, Settings()), read_new(some, None, validate({"target_event": "purchase"}))):
        assert log.frame.filter(item_id="d", user_id="v")["event"].to_list() == [None]
        assert log.kinds() == {"purchase": 4, "view": 4, "cart": 1}
    with pytest.raises(DataError, match=r"1 row has no event.*missing='drop'$"):
        read({"target_event": "purchase"}, some)


def test_a_check_shows_kinds_with_the_column_of_weights() -> None:
    document = check_log(frame(), Layout(weight_column="rating"))
    assert document["kinds"] == {"purchase": 4, "view": 4, "cart": 1}
    assert document["columns"]["weight"] == "rating"
    assert document["n_events"] == 9


# ---------------------------------------------------------------------- joining


def test_rows_of_other_kinds_are_other_events_and_each_counts_once() -> None:
    log = Interactions.read(frame(ROWS[:3]), kinds=True)
    both = log.joined(Interactions.read(frame(ROWS), kinds=True))
    assert both.frame.height == len(ROWS)
    assert both.joined(both).frame.equals(both.frame)
    assert both.frame["event"].to_list() == [row[3] for row in ROWS]


def test_new_events_without_a_kind_are_of_the_one_that_is_predicted() -> None:
    settings = validate({"event_weights": "purchase:1,view:.1", "weight_column": "rating"})
    log = read_log(frame(), None, settings)
    sent = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["e", "x"], "timestamp": [5, 7]})
    both = log.joined(read_new(sent, None, settings), settings.target_kind)
    assert both.frame.height == len(ROWS) + 1  # e was bought at 5 already
    assert both.frame.filter(item_id="x")["event"].to_list() == ["purchase"]
    assert worth_of(both, settings).weight_N.tolist()[7] == 1  # type: ignore[union-attr]
    only_views = read_new(frame([("u", "y", 9, "view", 1.0)]), None, settings)
    assert log.joined(only_views, "purchase").frame.filter(item_id="y")["event"].to_list() == ["view"]


def test_kinds_that_only_new_events_have_are_told() -> None:
    log, newer = Interactions.read(frame(ROWS), kinds=True), Interactions.read(frame(ROWS[:2]), kinds=True)
    odd = Interactions.read(frame([("u", "y", 9, "Purchase", 1.0)]), kinds=True)
    weighed = validate({"event_weights": {"purchase": 1}})
    assert unknown_kinds(log, newer, weighed) is None
    assert unknown_kinds(log, odd, Settings()) is None
    assert "Purchase 100.0% (1): they are input only" in str(unknown_kinds(log, odd, weighed))


def test_a_log_without_kinds_ignores_those_of_new_events() -> None:
    log = Interactions.read(frame(ROWS[:2]).drop("event"))
    assert log.joined(Interactions.read(frame(), kinds=True)).frame.columns == ["user_id", "item_id", "timestamp"]


# ---------------------------------------------------------------------- splits


def cut(settings: dict[str, Any]) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """What the first user's training part is, and the histories and targets of validation and test."""
    chosen = validate(settings)
    dataset = Dataset.of(read_log(frame(), None, chosen), chosen, torch.device("cpu"))
    split, names = dataset.split, dataset.log.frame["item_id"].to_list()
    found = []
    for part in ("valid", "test"):
        user_Q, histories = split.held_out(part)
        assert user_Q.tolist() == [0]
        _, item_X = histories.targets
        found.append([names[: int(histories.end_Q[0])], dataset.items.ids_of(item_X.numpy()).to_list()])
    return names[: int(split.train_end_U[0])], found[0], found[1]  # type: ignore[return-value]


def test_the_last_two_of_a_kind_are_held_out_and_histories_hold_all_before() -> None:
    for settings in ({"target_event": "purchase"}, {"event_weights": "purchase:1,view:.1"}):
        train, valid, test = cut(settings)
        assert train == ["a", "b", "b"]
        assert valid == [["a", "b", "b"], ["c"]]
        assert test == [["a", "b", "b", "c", "d"], ["e"]]


def test_events_below_the_threshold_are_not_held_out() -> None:
    train, valid, test = cut({"weight_column": "rating", "min_weight": 5})
    assert (train, valid[1], test[1]) == (["a", "b", "b", "c", "d"], ["e"], ["f"])
    train, valid, test = cut({"weight_column": "rating", "min_weight": 4, "target_event": "purchase"})
    assert (train, valid[1], test[1]) == (["a"], ["b"], ["e"])


def test_of_a_basket_only_its_events_of_the_kind_are_predicted() -> None:
    settings = {"target_event": "view", "split": "leave_one_basket_out", "ties": "shuffle"}
    train, valid, test = cut(settings)
    assert train == ["a"]
    assert valid == [["a"], ["b"]]
    assert test == [["a", "b", "b", "c", "d", "e"], ["f"]]


def test_why_nothing_is_predicted_or_learned_from_is_told() -> None:
    rare = [(*row[:3], "view", 0.0) for row in ROWS[1:]]
    with pytest.raises(DataError, match=r"1 of the 9 events are such.*more often"):
        Dataset.of(read({"target_event": "buy"}, frame([(*ROWS[0][:3], "buy", 0.0), *rare])),
                   validate({"target_event": "buy"}), torch.device("cpu")).split.targets("valid")  # fmt: skip
    settings = validate({"weight_column": "rating"})
    nothing = Dataset.of(read({"weight_column": "rating"}, frame(rare)), settings, torch.device("cpu"))
    with pytest.raises(DataError, match=r"0 of the 8 events do.*lower min_weight"):
        nothing.split.learners()


def test_after_a_moment_the_first_of_the_kind_is_held_out() -> None:
    settings = validate({"target_event": "purchase", "split": "global_time", "holdout_share": 0.4})
    split = Dataset.of(read_log(frame(), None, settings), settings, torch.device("cpu")).split
    assert split.valid_U.tolist()[0] == 1  # b at 2, bought, is the first purchase since
    assert split.test_U.tolist()[0] == 3


def test_weights_of_kinds_and_of_a_column_multiply() -> None:
    settings = validate({"event_weights": "purchase:1,view:.1", "weight_column": "rating", "min_weight": 2})
    weight_N = worth_of(read_log(frame(), None, settings), settings).weight_N
    assert weight_N is not None
    assert weight_N.tolist() == pytest.approx([0.2, 5, 0, 3, 0, 5, 0.5, 0, 0])


def test_a_log_without_kinds_has_no_worth() -> None:
    dataset = Dataset.of(Interactions.read(frame()), Settings(), torch.device("cpu"))
    assert dataset.split.weight_N is None
    assert dataset.split.judged_N is None
