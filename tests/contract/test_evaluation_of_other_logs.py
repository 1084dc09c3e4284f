"""Evaluation of a file: each user is evaluated as in the training, whoever else is in the file."""

import warnings
from typing import Any

import polars as pl
import pytest

from cli_runner import baskets_log, untrained
from elcrec import DataError, ELCRec, Interactions, UnknownIdError
from elcrec.errors import DataWarning

SPLITS: dict[str, dict[str, Any]] = {
    "leave_one_out": {"split": "leave_one_out"},
    "leave_one_basket_out": {"split": "leave_one_basket_out"},
    "global_time": {"split": "global_time", "holdout_share": 0.2},
    "rare items": {"split": "leave_one_out", "min_item_count": 22},
    "rare users": {"split": "leave_one_basket_out", "min_user_count": 25},
    "k-core": {"split": "global_time", "holdout_share": 0.2, "k_core": 14},
}
UNKNOWN = "nobody has seen this"


def log() -> pl.DataFrame:
    """Baskets of users whose histories begin and end at different times, and whose numbers of events differ."""
    frame = baskets_log(n_users=60)
    kept = pl.int_range(pl.len()).over("user_id") < 8 + (pl.col("user_id").hash(1) % 40)
    return frame.filter(kept).with_columns(pl.col("item_id").cast(pl.String), pl.col("user_id").cast(pl.String))


@pytest.fixture(scope="module", params=list(SPLITS))
def model(request: pytest.FixtureRequest) -> ELCRec:
    return untrained(Interactions.read(log()), **SPLITS[request.param])


def ranks(model: ELCRec, *data: Any, part: str = "test", **asked: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Held-out items and their ranks by user."""
    found = model.ranks(*data, split=part, **asked).select("user_id", "item_id", "rank")
    return {user[0]: rows.rows() for user, rows in found.group_by("user_id", maintain_order=True)}


def quiet(model: ELCRec, data: pl.DataFrame, **asked: Any) -> dict[str, list[tuple[Any, ...]]]:
    """The same where what is left out may be said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return ranks(model, data, **asked)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_the_file_of_the_training_gives_the_metrics_of_the_run(model: ELCRec, part: str) -> None:
    assert quiet(model, log(), part=part) == ranks(model, part=part)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_users_are_evaluated_alike_whoever_else_is_in_the_file(model: ELCRec, part: str) -> None:
    frame, own = log(), ranks(model, part=part)
    last = frame.group_by("user_id").agg(pl.col("timestamp").max()).sort("timestamp", "user_id")["user_id"]
    some = pl.concat([last.head(30), last.tail(4)])
    found = quiet(model, frame.filter(pl.col("user_id").is_in(some.implode())), part=part)
    assert found == {user: rows for user, rows in own.items() if user in set(some)}
    assert found


@pytest.mark.parametrize("part", ["valid", "test"])
def test_unknown_items_are_left_out_and_none_takes_the_place_of_what_is_held_out(model: ELCRec, part: str) -> None:
    frame, own = log(), ranks(model, part=part)
    rows = frame.with_row_index("row")
    known = rows.filter(pl.col("item_id").is_in(model.items.ids.implode()) & pl.col("user_id").is_in(list(own)))
    within = known.group_by("user_id", maintain_order=True).first()["row"].head(20)  # the oldest of a history
    last = known.group_by("user_id", maintain_order=True).last()
    held_out = last.filter(pl.int_range(pl.len()) % 3 == 0)
    made = pl.col("row").is_in(pl.concat([within, held_out["row"]]).implode())
    strange = rows.with_columns(pl.when(made).then(pl.lit(UNKNOWN)).otherwise("item_id").alias("item_id")).drop("row")
    with pytest.raises(UnknownIdError, match=UNKNOWN):
        quiet(model, strange, part=part)
    found = quiet(model, strange, part=part, unknown="skip")
    items = {user: [(user, item) for _, item, _ in rows] for user, rows in found.items()}
    assert UNKNOWN not in {item for rows in items.values() for _, item in rows}
    # Nobody is evaluated on something else than in the training.
    assert all(set(rows) <= {(user, item) for _, item, _ in own[user]} for user, rows in items.items())
    untouched = set(own) - set(held_out["user_id"])
    assert {user: items.get(user) for user in untouched} == {
        user: [(user, item) for _, item, _ in own[user]] for user in untouched
    }


def test_what_is_not_evaluated_is_said() -> None:
    model, frame = untrained(Interactions.read(log())), log()
    last = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
    strange = frame.with_columns(pl.when(last).then(pl.lit(UNKNOWN)).otherwise("item_id").alias("item_id"))
    some = pl.concat([strange.filter(pl.col("user_id").is_in(["u1", "u2"])), frame.filter(pl.col("user_id") == "u3")])
    with pytest.warns(
        DataWarning, match="not evaluated: 2 users whose held-out item, or whole history, the model does not"
    ):
        assert model.evaluate(some, unknown="skip")["n_users"] == 1
    narrow = untrained(Interactions.read(log()), min_item_count=22)
    with pytest.warns(DataWarning, match="left out: .* events of items or users too rare in the training"):
        narrow.evaluate(frame)


def test_moments_of_the_training_hold_for_times_of_another_unit() -> None:
    settings: dict[str, Any] = {"split": "global_time", "holdout_share": 0.2}
    start = pl.datetime(2024, 1, 1)
    frame = log().with_columns(timestamp=start + pl.duration(hours=pl.col("timestamp")))
    model = untrained(Interactions.read(frame), **settings)
    seconds = frame.with_columns(pl.col("timestamp").dt.cast_time_unit("ms"))
    assert ranks(model, seconds) == ranks(model)
    with pytest.raises(DataError, match="the data has none"), pytest.warns(DataWarning, match="no time"):
        model.evaluate(frame.drop("timestamp"))
    later = frame.with_columns(pl.col("timestamp") + pl.duration(days=900))
    with pytest.raises(
        DataError, match=r"the moments of the training count, and items from 2024-.* its times go from 2026"
    ):
        model.evaluate(later)


def test_a_test_basket_counts_where_only_the_validation_basket_is_unknown() -> None:
    model, frame = untrained(Interactions.read(log()), split="leave_one_basket_out"), log()
    first = ranks(model)["u1"]
    valid = sorted(frame.filter(user_id="u1")["timestamp"].unique())[-2]
    made = (pl.col("user_id") == "u1") & (pl.col("timestamp") == valid)
    strange = frame.with_columns(pl.when(made).then(pl.lit(UNKNOWN)).otherwise("item_id").alias("item_id"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "not evaluated", DataWarning)
        found = ranks(model, strange, unknown="skip")
    assert [item for _, item, _ in found["u1"]] == [item for _, item, _ in first]
    assert len(found) == len(ranks(model))
    assert "u1" not in quiet(model, strange, part="valid", unknown="skip")
    with pytest.raises(DataError, match="nothing is left of this data"):
        untrained(Interactions.read(log()), min_user_count=25).evaluate(frame.filter(pl.len().over("user_id") < 10))
