"""What holds for every item file: ids and codes stay as they are written, dates and vectors are what they say."""

import csv
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from elcrec import Interactions
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import FeatureSpace
from elcrec.data.words import words_and_bigrams
from elcrec.errors import DataError

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
DIGITS = st.from_regex(r"0{0,3}[0-9]{1,18}(\.0)?", fullmatch=True)
NAMED = st.from_regex(r"[A-Z]{0,2}0{0,2}[0-9]{1,6}", fullmatch=True)


def lists_of(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Lists of ids, no two of them one number."""
    return st.lists(cells, min_size=1, max_size=8, unique_by=lambda text: text.strip("0."))


IDS = st.one_of(lists_of(DIGITS), lists_of(NAMED))
MOMENTS = st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=6)
DATES: list[Callable[[datetime], str]] = [
    lambda moment: moment.date().isoformat(),
    lambda moment: f"{moment:%Y/%m/%d}".replace("/0", "/"),
    lambda moment: moment.isoformat(),
    lambda moment: moment.isoformat(" ", "minutes"),
    lambda moment: moment.isoformat() + "Z",
    lambda moment: (moment + timedelta(hours=2)).isoformat() + "+02:00",
    lambda moment: f"{moment:%d-%b-%Y}",
    lambda moment: f"{moment:%B} {moment.day}, {moment.year}",
]
VECTORS: list[Callable[[list[float]], str]] = [
    str,
    lambda vector: "|".join(map(repr, vector)),
    lambda vector: ";".join(map(repr, vector)),
    lambda vector: ",".join(map(repr, vector)),
    lambda vector: "[" + "\n ".join(f"{value: }" for value in vector) + "]",
]
FRACTIONS = st.floats(-100, 100, width=32).filter(lambda value: value % 1 != 0)
ODD = ["", "[]", "[", "0.1|0.2", "2020-01-02", "2020-13-40", "0000-00-00", "May 5, 2020", "007", "1e400", "nan"]
CELLS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12))
SEVERAL_VECTORS = st.integers(8, 12).flatmap(
    lambda size: st.lists(st.lists(FRACTIONS, min_size=size, max_size=size), min_size=1, max_size=5)
)
COLUMNS = st.integers(1, 5).flatmap(
    lambda rows: st.lists(st.lists(CELLS, min_size=rows, max_size=rows), min_size=1, max_size=3)
)


def written(columns: dict[str, list[str]], folder: str) -> Path:
    """Columns as a CSV file."""
    path = Path(folder) / "items.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))
    return path


def read(**columns: list[str]) -> Catalogue:
    """Columns through a CSV file."""
    with tempfile.TemporaryDirectory() as folder:
        ids = [f"i{row}" for row in range(len(next(iter(columns.values()))))]
        return Catalogue.read(written({"item_id": ids, "brand": ["x"] * len(ids), **columns}, folder))


@QUICK
@given(IDS)
def test_ids_are_those_of_the_log(ids: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        items = Catalogue.read(written({"item_id": ids, "title": [f"item {name}" for name in ids]}, folder))
        path = Path(folder) / "log.csv"
        path.write_text("user_id,item_id,timestamp\n" + "".join(f"1,{name},{at}\n" for at, name in enumerate(ids)))
        log = Interactions.read(path).frame["item_id"]
    found = items.matched(log)
    assert len(found) == len(ids)
    assert found.frame["title"].to_list() == [f"item {name}" for name in ids]


@QUICK
@given(st.lists(DIGITS, min_size=1, max_size=8), st.sampled_from(["seller_id", "Type", "zip"]))
def test_codes_are_what_the_file_says(codes: list[str], name: str) -> None:
    found = read(**{name: codes}).features
    if name == "zip" and not any(code.startswith("0") and code[1:2].isdecimal() for code in codes):
        assert found[name].dtype == pl.Float64
    else:
        assert found[name].to_list() == [[code.removesuffix(".0")] for code in codes]


@QUICK
@given(MOMENTS, st.sampled_from(DATES))
def test_dates_are_numbers_and_no_attributes(moments: list[datetime], form: Callable[[datetime], str]) -> None:
    items = read(released=[*map(form, moments), ""])
    assert items.frame["attributes"].to_list() == [["x"]] * (len(moments) + 1)
    found = items.features["released"]
    assert found.dtype == pl.Float64
    assert found[-1] is None
    longest = 60 if ":" in form(moments[0]) else 86_400
    for moment, seconds in zip(moments, found, strict=False):
        assert 0 <= moment.replace(tzinfo=UTC).timestamp() - seconds < longest


def test_dates_and_moments_of_several_zones_are_one_column() -> None:
    written = ["2020-01-02", "2020-01-02 12:00", "2020-01-02T12:00:00Z", "2020-01-02T12:00:00+02:00"]
    found = read(released=written).features["released"].to_list()
    assert [value - found[0] for value in found] == [0, 43_200, 43_200, 36_000]


@pytest.mark.parametrize("cells", [["01/02/2020", "03/04/2020"], ["2020-02-30", "2020-01-01"], ["2020-01-01", "soon"]])
def test_texts_that_are_no_dates_for_sure_stay_categories(cells: list[str]) -> None:
    assert read(released=cells).features["released"].to_list() == [[cell] for cell in cells]


@QUICK
@given(SEVERAL_VECTORS, st.sampled_from(VECTORS))
def test_vectors_are_read_as_they_are_written(vectors: list[list[float]], form: Callable[[list[float]], str]) -> None:
    items = read(embedding=[*map(form, vectors), "", "[]"])
    found = items.features["embedding"]
    assert found.dtype == pl.List(pl.Float32)
    assert found.to_list()[-2:] == [None, None]
    np.testing.assert_array_equal(np.array(found.to_list()[:-2]), np.array(vectors, dtype=np.float32))
    assert items.frame["attributes"].to_list() == [["x"]] * len(found)


def test_lists_of_whole_numbers_and_short_ones_stay_categories() -> None:
    assert read(sizes=["1|2|3|4|5|6|7|8", "8|7|6|5|4|3|2|1"]).features["sizes"].dtype == pl.List(pl.String)
    assert read(sizes=["0.5|1.5", "2.5|3.5"]).features["sizes"].dtype == pl.List(pl.String)


@QUICK
@given(st.text(max_size=30), st.text("手机壳かわいいกระเป๋าー", min_size=1, max_size=8))
def test_scripts_without_spaces_give_pairs_and_other_texts_the_words_that_they_gave(text: str, run: str) -> None:
    words = HashingVectorizer().build_analyzer()
    plain = "".join(character for character in text if words_and_bigrams(character) != [character.lower()])
    assert words_and_bigrams(plain) == words(plain)
    found = words_and_bigrams(f"red iPhone15{run} 2 cases")
    pairs = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    assert found == ["red", "iphone15", "cases", *pairs]


def test_titles_without_spaces_have_words_in_common_and_older_runs_keep_their_own() -> None:
    titles = ["无线蓝牙耳机", "蓝牙音箱", "便携蓝牙键盘", "陶瓷茶杯", "玻璃茶杯", "茶杯套装"]
    items = read(title=titles).features.select("title")
    space = FeatureSpace.fit(items)
    assert space is not None
    rows = space.encode(items, np.arange(1, 7), 7)
    ends = pairwise(rows.offset_R[1:].tolist())
    number = [set(rows.feature_Z[begin:end].tolist()) for begin, end in ends]
    assert set.intersection(*number[:3])
    assert set.intersection(*number[3:])
    assert not number[0] & number[3]
    older = space.model_dump()
    del older["columns"][0]["tokens"]
    assert FeatureSpace.model_validate(older).columns[0].tokens == "words"  # type: ignore[union-attr]
    spaced = FeatureSpace.fit(read(title=["red hat"] * 3 + ["blue hat"] * 3).features.select("title"))
    assert spaced is not None
    assert spaced.columns[0].tokens == "words"  # type: ignore[union-attr]


@QUICK
@given(COLUMNS)
def test_whatever_cells_hold_is_read_or_refused(columns: list[list[str]]) -> None:
    try:
        items = read(**{f"column{number}": cells for number, cells in enumerate(columns)})
    except DataError:
        return
    height = items.frame.height
    space = FeatureSpace.fit(items.features)
    if space is not None:
        assert FeatureSpace.model_validate_json(space.model_dump_json()) == space
        rows = space.encode(items.features, np.arange(1, height + 1), height + 1)
        assert not rows.known()[0]
        assert bool((rows.weight_Z > 0).all())
