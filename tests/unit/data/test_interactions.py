"""The log: what comes in, in which order it comes out, and what is refused."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cli_runner import untrained
from elcrec import ELCRec
from elcrec.data.columns import ALIASES
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, RunError, SettingsError
from elcrec.process.wording import counted
from elcrec.storage import TABLE_FORMATS

ROWS = [("u10", "i7", 5), ("u2", "i9", 4), ("u10", "i1", 2), ("u1", "i7", 3), ("u2", "i10", 1), ("u10", "i2", 9)]
LOG = [("u1", "i7", 3), ("u2", "i10", 1), ("u2", "i9", 4), ("u10", "i1", 2), ("u10", "i7", 5), ("u10", "i2", 9)]
NAMES = ["user_id", "item_id", "timestamp"]

SOURCES: dict[str, Callable[[pl.DataFrame, Path], Any]] = {}


def source(name: str) -> Callable[[Callable[[pl.DataFrame, Path], Any]], Callable[[pl.DataFrame, Path], Any]]:
    def register(make: Callable[[pl.DataFrame, Path], Any]) -> Callable[[pl.DataFrame, Path], Any]:
        SOURCES[name] = make
        return make

    return register


@source("csv")
def csv(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_csv(folder / "log.csv")
    return folder / "log.csv"


@source("tsv")
def tsv(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_csv(folder / "log.tsv", separator="\t")
    return folder / "log.tsv"


@source("recbole")
def recbole(frame: pl.DataFrame, folder: Path) -> Path:
    types = {"user_id": "token", "item_id": "token", "timestamp": "float"}
    named = frame.rename({name: f"{name}:{types[name]}" for name in frame.columns})
    named.write_csv(folder / "log.inter", separator="\t")
    return folder / "log.inter"


@source("parquet")
def parquet(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_parquet(folder / "log.parquet")
    return folder / "log.parquet"


@source("jsonl")
def jsonl(frame: pl.DataFrame, folder: Path) -> str:
    frame.write_ndjson(folder / "log.jsonl")
    return str(folder / "log.jsonl")


@source("polars")
def polars(frame: pl.DataFrame, folder: Path) -> pl.DataFrame:
    return frame


@source("lazy")
def lazy(frame: pl.DataFrame, folder: Path) -> pl.LazyFrame:
    return frame.lazy()


@source("pandas")
def pandas(frame: pl.DataFrame, folder: Path) -> pd.DataFrame:
    return frame.to_pandas()


@source("pandas objects")
def pandas_objects(frame: pl.DataFrame, folder: Path) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(frame[name].to_list(), dtype=object) for name in frame.columns})


@source("arrow")
def arrow(frame: pl.DataFrame, folder: Path) -> pa.Table:
    return frame.to_arrow()


TYPED = [name for name in SOURCES if name not in ("csv", "tsv", "recbole")]


def frame_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES[: len(rows[0])], orient="row")


def refusal(data: Any, **asked: Any) -> str:
    with pytest.raises(DataError) as caught:
        Interactions.read(data, **asked)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def file(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def times_of(folder: Path, *times: str) -> pl.Series:
    rows = "".join(f"u,{number},{time}\n" for number, time in enumerate(times))
    return Interactions.read(file(folder, "log.csv", f"user_id,item_id,timestamp\n{rows}")).frame["timestamp"]


@pytest.mark.parametrize("kind", SOURCES)
def test_every_format_gives_the_same_log(tmp_path: Path, kind: str) -> None:
    log = Interactions.read(SOURCES[kind](frame_of(ROWS), tmp_path))
    assert log.frame.columns == NAMES
    assert log.frame.rows() == LOG
    assert len(log) == 6


@pytest.mark.parametrize("kind", SOURCES)
def test_without_timestamps_file_order_is_time_order(tmp_path: Path, kind: str) -> None:
    log = Interactions.read(SOURCES[kind](frame_of(ROWS).drop("timestamp"), tmp_path))
    assert log.frame.columns == NAMES[:2]
    assert log.frame.rows() == [
        ("u1", "i7"),
        *(("u2", "i9"), ("u2", "i10")),
        *(("u10", "i7"), ("u10", "i1"), ("u10", "i2")),
    ]


@pytest.mark.parametrize("kind", SOURCES)
def test_equal_timestamps_keep_file_order(tmp_path: Path, kind: str) -> None:
    items = np.random.default_rng(0).permutation(2000).tolist()
    rows = [(number % 3, item, 7 if item % 2 else 5) for number, item in enumerate(items)]
    log = Interactions.read(SOURCES[kind](frame_of(rows), tmp_path))
    assert log.frame.rows() == sorted(rows, key=lambda row: (row[0], row[2]))


def test_the_text_format_is_read(tmp_path: Path) -> None:
    log = Interactions.read(file(tmp_path, "log.txt", "10 3 1 2\n9 5\n10 4\n"))
    assert log.frame.rows() == [(9, 5), (10, 3), (10, 1), (10, 2), (10, 4)]


def test_a_log_is_taken_as_it_is() -> None:
    log = Interactions.read(frame_of(ROWS))
    assert Interactions.read(log) is log


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rows_give_the_same_log_and_numbers(seed: int) -> None:
    rows = [(f"u{time % 7}", f"i{time * 5 % 11}", time) for time in range(60)]
    mixed = [rows[at] for at in np.random.default_rng(seed).permutation(60)]
    tidy, log = Interactions.read(frame_of(rows)), Interactions.read(frame_of(mixed))
    assert log.frame.equals(tidy.frame)
    for column, first in (("user_id", 0), ("item_id", 1)):
        ours, theirs = (Vocabulary.of(each.frame[column], first) for each in (log, tidy))
        assert ours.ids.to_list() == theirs.ids.to_list()


def test_a_written_log_is_read_as_it_was(tmp_path: Path) -> None:
    log = Interactions.read(
        pl.DataFrame({"user_id": ["u10", "u2", "u10", "u2"], "item_id": [4, 3, 2, 1], "timestamp": [5, 9, 1, 9]})
    )
    log.write(tmp_path / "log.parquet")
    assert Interactions.read(tmp_path / "log.parquet").frame.equals(log.frame)
    assert log.frame["item_id"].to_list() == [3, 1, 2, 4]


TIMES: dict[str, list[Any] | None] = {
    "none": None,
    "numbers": [5, 9, 1, 9],
    "seconds": [1_700_000_005, 1_700_000_009, 1_700_000_001, 1_700_000_009],
    "fractions": [1_700_000_005.25, 1_700_000_009.5, 1_700_000_001.125, 1_700_000_009.5],
    "steps": [0.5, 0.75, 0.1, 1 / 3],
    "days": [date(2024, 1, 5), date(2024, 1, 9), date(2024, 1, 1), date(2024, 1, 9)],
    "moments": [datetime(2024, 1, 5, 7), datetime(2024, 1, 9, 7, 30, 1, 5), datetime(2024, 1, 1), datetime(2024, 1, 9)],
    "zoned": [datetime(2024, 1, day, 7, tzinfo=UTC) for day in (5, 9, 1, 9)],
}
IDS: dict[str, list[Any]] = {
    "numbers": [4, -3, 2, 1],
    "words": ["milk, 1 l", 'a "b" c', "tea | cup", "o'er there"],
    "lists": ["1,5", "A1 B2", "3|4", "[7]"],
    "zeros": ["007", "12", "4", "3"],
    "digits": ["17", "12", "4", "3"],
    "missing": ["None", "NULL", "nan", "a"],
    "points": ["1.0", "2.0", "3.0", "4.0"],
}
CANNOT_HOLD = {("digits", "csv"), ("points", "csv")}
"""Ids that a format does not hold: the log is refused."""


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("ids", "times"), [*((ids, "moments") for ids in IDS), *(("words", times) for times in TIMES if times != "moments")]
)
def test_every_table_holds_the_same_log_or_refuses_it(ending: str, ids: str, times: str, tmp_path: Path) -> None:
    columns = {"user_id": ["u10", "u2", "u10", "u2"], "item_id": IDS[ids], "event": ["view", "buy", "view", "buy"]}
    given = {**columns, **({} if TIMES[times] is None else {"timestamp": TIMES[times]})}
    as_they_are: dict[str, Any] = {"missing": "keep", "lists": "keep", "kinds": True}
    log = Interactions.read(pl.DataFrame(given), **as_they_are)
    path = tmp_path / f"log{ending}"
    path.write_bytes(b"before")
    if (ids, TABLE_FORMATS[ending]) in CANNOT_HOLD:
        with pytest.raises(RunError, match=rf"item_id.*name it {path.with_suffix('.parquet')}"):
            log.write(path)
        assert path.read_bytes() == b"before"
    else:
        log.write(path)
        again = Interactions.read(path, **as_they_are).frame
        assert again.cast(dict(log.frame.schema)).equals(log.frame)
        assert [again[name].dtype for name in columns] == [log.frame[name].dtype for name in columns]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_every_ending_of_a_table_is_read(ending: str, tmp_path: Path) -> None:
    log = Interactions.read(frame_of(ROWS))
    log.write(tmp_path / f"log{ending}")
    assert Interactions.read(tmp_path / f"log{ending}").frame.equals(log.frame)


def test_nanoseconds_are_not_cut_in_text(tmp_path: Path) -> None:
    moment = pl.Series([1, 2]).cast(pl.Datetime("ns")).dt.offset_by("50y")
    log = Interactions.read(pl.DataFrame({"user_id": ["a", "a"], "item_id": ["b", "c"], "timestamp": moment}))
    for ending in (".csv", ".jsonl", ".parquet"):
        log.write(tmp_path / f"log{ending}")
        assert dict(enumerate(Interactions.read(tmp_path / f"log{ending}").frame["timestamp"].dt.epoch("ns"))) == dict(
            enumerate(moment.dt.epoch("ns"))
        )


def test_a_log_is_written_only_as_a_table(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"name a table \.parquet, \.csv or \.jsonl"):
        Interactions.read(frame_of(ROWS)).write(tmp_path / "log.xls")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 7, 100])
def test_whatever_the_size_of_its_parts_the_log_is_the_same(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(rows_at_once)
    table = pl.DataFrame({name: rng.integers(1, 9, 60) for name in ("user_id", "item_id", "timestamp")})
    whole = Interactions.read(table)
    for module in ("interactions", "vocabulary", "files"):
        monkeypatch.setattr(f"elcrec.data.{module}.ROWS_AT_ONCE", rows_at_once)
    parts = Interactions.read(table)
    assert parts.frame.equals(whole.frame)
    assert parts.frame.equals(table.sort("user_id", "timestamp", maintain_order=True))
    assert Interactions.read(parts.frame).frame.equals(whole.frame)
    assert parts.summary() == whole.summary()
    assert parts.summary()["repeats"] == pytest.approx(1 - table.select("user_id", "item_id").n_unique() / 60)


def test_users_come_in_natural_order() -> None:
    users = ["u10", "u9", "b", "u2", "a1", "u1"]
    log = Interactions.read(pl.DataFrame({"user_id": users, "item_id": range(6)}))
    assert log.frame["user_id"].to_list() == ["a1", "b", "u1", "u2", "u9", "u10"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "recbole"])
def test_integers_in_delimited_text_become_integers(tmp_path: Path, kind: str) -> None:
    log = Interactions.read(SOURCES[kind](frame_of([("10", "-3"), ("9", "0")]), tmp_path))
    assert log.frame.rows() == [(9, 0), (10, -3)]


@pytest.mark.parametrize("text", ["007", "+7", "7.5", "1e3", "7_0", "-0", "9" * 30])
def test_text_that_would_print_differently_as_a_number_stays_text(tmp_path: Path, text: str) -> None:
    log = Interactions.read(file(tmp_path, "log.csv", f"user_id,item_id\n1,{text}\n1,8\n"))
    assert log.frame["item_id"].to_list() == [text, "8"]
    assert log.frame["user_id"].to_list() == [1, 1]


@pytest.mark.parametrize("kind", TYPED)
def test_text_ids_of_typed_data_stay_text_even_where_all_are_digits(tmp_path: Path, kind: str) -> None:
    log = Interactions.read(SOURCES[kind](frame_of([("1", "12"), ("2", "34")]), tmp_path))
    assert log.frame.rows() == [("1", "12"), ("2", "34")]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])
@pytest.mark.parametrize("kind", ["parquet", "polars", "pandas", "arrow"])
def test_integer_types_are_kept(tmp_path: Path, kind: str, dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"user_id": pl.Series([2, 1], dtype=dtype), "item_id": pl.Series([3, 4], dtype=dtype)})
    log = Interactions.read(SOURCES[kind](frame, tmp_path))
    assert log.frame.dtypes == [dtype, dtype]
    assert log.frame.rows() == [(1, 4), (2, 3)]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["b", "a10", "a9"])])
def test_categories_become_their_text_in_natural_order(dtype: pl.DataType) -> None:
    users = pl.Series(["b", "a10", "a9"], dtype=dtype)
    log = Interactions.read(pl.DataFrame({"user_id": users, "item_id": [1, 2, 3]}))
    assert log.frame.rows() == [("a9", 3), ("a10", 2), ("b", 1)]


def test_pandas_categories_are_read() -> None:
    users = pd.Series(["b", "a"], dtype="category")
    assert Interactions.read(pd.DataFrame({"user_id": users, "item_id": [1, 2]})).frame.rows() == [
        ("a", 2),
        ("b", 1),
    ]


def test_whole_floats_are_integers() -> None:
    log = Interactions.read(pd.DataFrame({"user_id": [2.0, 1.0], "item_id": [5, 6]}))
    assert log.frame.rows() == [(1, 6), (2, 5)]
    assert log.frame["user_id"].dtype == pl.Int64


def test_an_index_of_pandas_is_no_column() -> None:
    frame = pd.DataFrame({"user_id": [1, 1], "item_id": [5, 6]}, index=[9, 3])
    assert Interactions.read(frame).frame.rows() == [(1, 5), (1, 6)]


@pytest.mark.parametrize(
    ("user", "item", "time"),
    [
        ("user", "item", "time"),
        ("userId", "movieId", "ts"),
        ("UserID", "ItemID", "Date"),
        ("customer_id", "article_id", "event_time"),
        ("session_id", "product_id", "datetime"),
        ("uid", "iid", "unixReviewTime"),
        ("user_id:token", "item_id:token", "timestamp:float"),
        (" user ", " item ", " time "),
    ],
)
def test_usual_names_are_known(user: str, item: str, time: str) -> None:
    frame = pl.DataFrame({"rating": [1, 1], time: [2, 1], item: ["a", "b"], user: ["u", "u"]})
    assert Interactions.read(frame).frame.rows() == [("u", "b", 1), ("u", "a", 2)]


def test_column_names_can_be_set() -> None:
    frame = pl.DataFrame({"who": ["u", "u"], "what": ["a", "b"], "when": [2, 1], "user_id": [9, 9], "time": [1, 2]})
    log = Interactions.read(frame, user_column="who", item_column="what", timestamp_column="when")
    assert log.frame.rows() == [("u", "b", 1), ("u", "a", 2)]


def test_iso_dates_are_moments(tmp_path: Path) -> None:
    assert times_of(tmp_path, "2024-03-10", "2023-12-31").to_list() == [
        datetime(2023, 12, 31),
        datetime(2024, 3, 10),
    ]


def test_iso_times_are_moments(tmp_path: Path) -> None:
    assert times_of(tmp_path, "2024-01-02T03:04:05.25", "2024-01-02T03:04:05").to_list() == [
        datetime(2024, 1, 2, 3, 4, 5),
        datetime(2024, 1, 2, 3, 4, 5, 250_000),
    ]


def test_iso_zones_are_heeded(tmp_path: Path) -> None:
    assert times_of(tmp_path, "2024-01-02T00:30:00Z", "2024-01-02T01:00:00+02:00").to_list() == [
        datetime(2024, 1, 1, 23, tzinfo=UTC),
        datetime(2024, 1, 2, 0, 30, tzinfo=UTC),
    ]


def test_numbers_in_text_are_compared_as_numbers(tmp_path: Path) -> None:
    assert times_of(tmp_path, "10", "9").to_list() == [9, 10]
    assert times_of(tmp_path, "10.5", "9").to_list() == [9.0, 10.5]


def test_dates_of_pandas_are_read() -> None:
    times = pd.to_datetime(["2024-02-01", "2024-01-01"])
    log = Interactions.read(pd.DataFrame({"user_id": [1, 1], "item_id": ["a", "b"], "timestamp": times}))
    assert log.frame["item_id"].to_list() == ["b", "a"]


def test_dates_of_polars_are_read() -> None:
    times = [date(2024, 2, 1), date(2024, 1, 1)]
    log = Interactions.read(pl.DataFrame({"user_id": [1, 1], "item_id": ["a", "b"], "timestamp": times}))
    assert log.frame["timestamp"].to_list() == times[::-1]


def naive_counts(rows: list[tuple[int, int]], column: int, least: int) -> list[tuple[int, int]]:
    counts = Counter(row[column] for row in rows)
    return [row for row in rows if counts[row[column]] >= least]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_k_core_agrees_with_a_naive_loop(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    log = Interactions.read(pl.DataFrame({"user": random.integers(30, size=120), "item": random.zipf(1.6, 120) % 40}))
    rows, before = log.frame.rows(), None
    while rows != before:
        before = rows
        rows = naive_counts(naive_counts(rows, 0, k), 1, k)
    assert rows
    assert log.filtered(k_core=k).frame.rows() == rows


@pytest.mark.parametrize("seed", range(4))
def test_minimum_counts_apply_once_items_first(seed: int) -> None:
    random = np.random.default_rng(seed)
    log = Interactions.read(pl.DataFrame({"user": random.integers(20, size=80), "item": random.integers(25, size=80)}))
    kept = naive_counts(naive_counts(log.frame.rows(), 1, 3), 0, 4)
    assert log.filtered(min_user_count=4, min_item_count=3).frame.rows() == kept


def test_filtering_leaves_the_log_alone() -> None:
    log = Interactions.read(frame_of(ROWS))
    assert log.filtered(min_user_count=3).frame.rows() == LOG[3:]
    assert log.frame.rows() == LOG
    assert log.filtered().frame.equals(log.frame)


@pytest.mark.parametrize("name", ["min_user_count", "min_item_count", "k_core"])
def test_filtering_everything_away_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}=50.*lower them"):
        Interactions.read(frame_of(ROWS)).filtered(**{name: 50})


def test_summary_by_hand() -> None:
    rows = [("a", 1, 10), ("a", 2, 20), ("a", 1, 30), ("b", 3, 5), ("b", 3, 40), ("c", 1, 7)]
    assert Interactions.read(frame_of(rows)).summary() == {
        "rows": 6,
        "users": 3,
        "items": 3,
        "density": pytest.approx(6 / 9),
        "first": "5",
        "last": "40",
        "repeats": pytest.approx(2 / 6),
        "length_min": 1,
        "length_median": 2.0,
        "length_mean": pytest.approx(2.0),
        "length_max": 3,
    }


def test_summary_without_times_has_none_and_is_json() -> None:
    summary = Interactions.read(frame_of(ROWS).drop("timestamp")).summary()
    assert (summary["first"], summary["last"], summary["repeats"]) == (None, None, 0.0)
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize(("per_second", "last"), [(1, "2014-05-13 16:53:20"), (1000, "2014-05-13 16:53:20")])
def test_numbers_that_count_moments_are_summarised_as_moments(per_second: int, last: str) -> None:
    times = [1_300_000_000 * per_second, 1_400_000_000 * per_second]
    log = Interactions.read(pl.DataFrame({"user": [1, 1], "item": [1, 2], "timestamp": times}))
    assert log.summary()["last"] == last


@pytest.mark.parametrize(("name", "separator"), [("log.csv", ","), ("log.tsv", "\t"), ("log.inter", "\t")])
def test_a_header_alone_is_refused(tmp_path: Path, name: str, separator: str) -> None:
    assert "no rows" in refusal(file(tmp_path, name, separator.join(NAMES) + "\n"))


@pytest.mark.parametrize("kind", ["parquet", "polars", "lazy", "pandas", "arrow"])
def test_a_table_without_rows_is_refused(tmp_path: Path, kind: str) -> None:
    assert "no rows" in refusal(SOURCES[kind](frame_of(ROWS).clear(), tmp_path))


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_missing_column_is_refused_with_the_columns_there_are(tmp_path: Path, kind: str, column: str) -> None:
    frame = frame_of(ROWS).select("user_id", "item_id").rename({column: "thing"})
    if kind == "recbole":
        frame.write_csv(tmp_path / "log.inter", separator="\t")
        message = refusal(tmp_path / "log.inter")
    else:
        message = refusal(SOURCES[kind](frame, tmp_path))
    assert f"no {column} column" in message
    assert "thing" in message
    assert f"{column.removesuffix('_id')}_column" in message


@pytest.mark.parametrize("asked", ["user_column", "item_column", "timestamp_column"])
def test_an_asked_column_that_is_not_there_is_refused(asked: str) -> None:
    message = refusal(frame_of(ROWS), **{asked: "nope"})
    assert "'nope'" in message
    assert all(name in message for name in NAMES)


def test_a_line_break_in_a_column_name_stays_out_of_the_message(tmp_path: Path) -> None:
    assert "user_column" in refusal(file(tmp_path, "log.csv", '"a\nb",c\n1,2\n'))
    assert "'nope'" in refusal(pl.DataFrame({"a\nb": [1], "c": [2]}), user_column="nope")


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_missing_ids_are_refused_with_their_number(tmp_path: Path, kind: str, column: str) -> None:
    frame = frame_of(ROWS).with_columns(pl.col(column).replace("i7", None).replace("u10", None))
    number = frame[column].null_count()
    assert f"{counted(number, 'row', 'has', 'have')} no {column}" in refusal(SOURCES[kind](frame, tmp_path))


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_blank_ids_are_refused(tmp_path: Path, kind: str, blank: str) -> None:
    frame = frame_of([("a", "x"), (blank, "y")])
    assert "1 row has no user_id" in refusal(SOURCES[kind](frame, tmp_path))


def test_nan_ids_are_refused() -> None:
    assert "1 row has no user_id" in refusal(pd.DataFrame({"user_id": [1, np.nan], "item_id": [1, 2]}))
    assert "1 row has no item_id" in refusal(pl.DataFrame({"user_id": [1, 2], "item_id": [1.0, float("nan")]}))


@pytest.mark.parametrize("value", [1.5, float("inf"), -float("inf"), 1e20])
def test_ids_that_are_no_whole_numbers_are_refused(value: float) -> None:
    assert "user_id" in refusal(pl.DataFrame({"user_id": [1.0, value], "item_id": [1, 2]}))


@pytest.mark.parametrize("ids", [[1, "a"], ["a", 1], [1, "2"], ["a", b"a"], [(1, 2), "a"]])
def test_mixed_ids_of_pandas_are_refused(ids: list[Any]) -> None:
    frame = pd.DataFrame({"user_id": pd.Series(ids, dtype=object), "item_id": [1, 2]})
    assert "one type" in refusal(frame)


@pytest.mark.parametrize("ids", [[1, "a"], ["a", 1], [1, "2"], [1, 2.5], [1, True], ["a", True], [1, [1]]])
def test_mixed_ids_of_json_lines_are_refused(tmp_path: Path, ids: list[Any]) -> None:
    lines = "".join(json.dumps({"user_id": each, "item_id": 5}) + "\n" for each in ids)
    refusal(file(tmp_path, "log.jsonl", lines))


@pytest.mark.parametrize("ids", [[True, False], [b"a", b"\xff"], [[1], [2]], [date(2024, 1, 1), date(2024, 1, 2)]])
def test_ids_that_are_neither_integers_nor_text_are_refused(ids: list[Any]) -> None:
    assert "integers or strings" in refusal(pl.DataFrame({"user_id": ids, "item_id": [1, 2]}))


@pytest.mark.parametrize("times", [("yesterday", "today"), ("2024-01-02", "soon"), ("2024-13-45", "2024-01-01")])
def test_times_that_cannot_be_read_are_refused_with_an_example(tmp_path: Path, times: tuple[str, str]) -> None:
    rows = "".join(f"u,{number},{time}\n" for number, time in enumerate(times))
    message = refusal(file(tmp_path, "log.csv", f"user_id,item_id,timestamp\n{rows}"))
    assert times[0] in message
    assert "ISO 8601" in message


@pytest.mark.parametrize("kind", SOURCES)
def test_missing_times_are_refused(tmp_path: Path, kind: str) -> None:
    frame = frame_of(ROWS).with_columns(pl.col("timestamp").replace(5, None))
    assert "1 row has no timestamp" in refusal(SOURCES[kind](frame, tmp_path))


def test_nan_and_nat_times_are_refused() -> None:
    for times in (np.array([1.0, np.nan]), pd.to_datetime(["2024-01-01", None])):
        frame = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": times})
        assert "1 row has no timestamp" in refusal(frame)


def test_times_of_a_strange_type_are_refused() -> None:
    frame = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [True, False]})
    assert "Boolean" in refusal(frame)


@pytest.mark.parametrize("thing", [None, 42, object(), [], {}, {"user_id": [1], "item_id": [1, 2]}])
def test_what_is_no_table_is_refused(thing: Any) -> None:
    refusal(thing)


def test_a_lazy_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    refusal(pl.scan_csv(tmp_path / "nowhere.csv", schema={"user_id": pl.Int64, "item_id": pl.Int64}))


def test_the_timestamp_that_cannot_be_read_is_shown() -> None:
    for bad in ("n/a", "2024-01-03T00:00:00Z"):
        frame = pl.DataFrame(
            {"user_id": [1, 1, 1], "item_id": [1, 2, 3], "timestamp": ["2024-01-01", "2024-01-02", bad]}
        )
        with pytest.raises(DataError, match=bad):
            Interactions.read(frame)
    frame = pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": ["yesterday"]})
    with pytest.raises(DataError, match="yesterday"):
        Interactions.read(frame)


def test_the_documents_name_every_column_that_is_found() -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    for ours, row in zip(ALIASES, ("user", "item", "time", "kind of event"), strict=True):
        assert f"| {row} | {', '.join(f'`{alias}`' for alias in ALIASES[ours])} |" in text


@pytest.mark.parametrize("given", ["fit", "evaluate", "partial_fit", "read"])
@pytest.mark.parametrize("order", ["as text", "shuffled", "back in time"])
def test_a_log_that_was_made_in_another_order_is_refused(order: str, given: str) -> None:
    frame = pl.DataFrame({"user_id": [f"u{n}" for n in range(1, 12) for _ in range(5)]})
    frame = frame.with_columns(item_id=pl.int_range(pl.len()) % 7, timestamp=pl.int_range(pl.len()))
    log = Interactions.read(frame)
    odd = {
        "as text": frame.sort("user_id", maintain_order=True),
        "shuffled": frame.sample(fraction=1, shuffle=True, seed=1),
        "back in time": frame.with_columns(timestamp=-pl.col("timestamp")),
    }[order]
    model = untrained(log)
    ways: dict[str, Callable[[Interactions], Any]] = {
        "fit": ELCRec().fit,
        "evaluate": model.evaluate,
        "partial_fit": model.partial_fit,
        "read": Interactions.read,
    }
    with pytest.raises(DataError, match=r"make the log with Interactions\.read"):
        ways[given](Interactions(odd))
    assert Interactions.read(log) is log


def test_a_log_with_ids_of_another_type_is_refused() -> None:
    frame = pl.DataFrame(
        {"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"]}, schema_overrides={"user_id": pl.Categorical}
    )
    with pytest.raises(DataError, match="user_id is of type Categorical"):
        Interactions(frame).checked()
