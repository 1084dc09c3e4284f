"""What holds for every item file: ids and codes stay as they are written, dates and vectors are what they say."""

import csv
import json
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from elcrec import Interactions
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import FeatureSpace
from elcrec.data.words import WORDS_OF, words_and_bigrams
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
SPACED = HashingVectorizer().build_analyzer()
"""The words of scripts with spaces."""
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
LONGEST = 12
RAGGED = st.tuples(st.integers(8, LONGEST), st.lists(st.integers(1, LONGEST), max_size=4)).flatmap(
    lambda drawn: st.permutations([drawn[0]] * (len(drawn[1]) + 1) + drawn[1])
)
"""Lengths of lists, of which most are one, 8 or more."""
SCRIPTS = {
    "Latin": (0x61, 0x24F),
    "Latin of Vietnam": (0x1E00, 0x1EFF),
    "Greek": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x4FF),
    "Armenian": (0x531, 0x587),
    "Hebrew": (0x591, 0x5EA),
    "Arabic": (0x610, 0x6D3),
    "Devanagari": (0x900, 0x97F),
    "Bengali": (0x980, 0x9FF),
    "Gurmukhi": (0xA00, 0xA7F),
    "Gujarati": (0xA80, 0xAFF),
    "Oriya": (0xB00, 0xB7F),
    "Tamil": (0xB80, 0xBFF),
    "Telugu": (0xC00, 0xC7F),
    "Kannada": (0xC80, 0xCFF),
    "Malayalam": (0xD00, 0xD7F),
    "Sinhala": (0xD80, 0xDFF),
    "Tibetan": (0xF40, 0xFBC),
    "Georgian": (0x10D0, 0x10FF),
    "Ethiopic": (0x1200, 0x135A),
    "Hangul": (0xAC00, 0xAD00),
}


def of_category(script: str, first: str) -> list[str]:
    """Characters of a script, letters (L) or marks (M)."""
    begin, end = SCRIPTS[script]
    every = [*map(chr, range(begin, end + 1)), *map(chr, range(0x300, 0x30A) if script.startswith("Latin") else ())]
    return [one for one in every if unicodedata.category(one).startswith(first)]


def words_of(script: str) -> st.SearchStrategy[list[str]]:
    """Words of a script: letters, some of them with marks."""
    letter, marks = st.sampled_from(of_category(script, "L")), of_category(script, "M")
    mark = st.text(marks, max_size=2) if marks else st.just("")
    syllable = st.tuples(letter, mark).map("".join)
    return st.lists(st.lists(syllable, min_size=3, max_size=5).map("".join), min_size=1, max_size=4)


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
def test_dates_are_moments_and_no_attributes(moments: list[datetime], form: Callable[[datetime], str]) -> None:
    items = read(released=[*map(form, moments), ""])
    assert items.frame["attributes"].to_list() == [["x"]] * (len(moments) + 1)
    found = items.features["released"]
    assert found.dtype == pl.Datetime("ms")
    assert found[-1] is None
    longest = 60 if ":" in form(moments[0]) else 86_400
    for moment, seconds in zip(moments, found.dt.epoch("s"), strict=False):
        assert 0 <= moment.replace(tzinfo=UTC).timestamp() - seconds < longest


def test_dates_and_moments_of_several_zones_are_one_column() -> None:
    written = ["2020-01-02", "2020-01-02 12:00", "2020-01-02T12:00:00Z", "2020-01-02T12:00:00+02:00"]
    found = read(released=written).features["released"].dt.epoch("s").to_list()
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


@QUICK
@given(RAGGED, st.sampled_from(VECTORS[:4]), st.data())
def test_vectors_of_another_length_are_missing_and_no_fraction_is_an_attribute(
    sizes: list[int], form: Callable[[list[float]], str], data: st.DataObject
) -> None:
    vectors = [data.draw(st.lists(FRACTIONS, min_size=size, max_size=size)) for size in sizes]
    size = Counter(sizes).most_common(1)[0][0]
    ids = [f"i{row}" for row in range(len(sizes))]
    typed = pl.DataFrame({"item_id": ids, "brand": ["x"] * len(ids), "emb": vectors})
    files = [Catalogue.read(typed)]
    if 2 * sum(other > 1 for other in sizes) > len(sizes):  # one number alone is written like any other
        files.append(read(emb=list(map(form, vectors))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.json"
        named = zip(ids, vectors, strict=True)
        path.write_text(json.dumps({item: {"brand": "x", "emb": vector} for item, vector in named}))
        files.append(Catalogue.read(path))
    for items in files:
        assert items.frame["attributes"].to_list() == [["x"]] * len(sizes)
        space = FeatureSpace.of(items.features)
        assert [(column.kind, column.size) for column in space.columns if column.name == "emb"] == [("vectors", size)]
        notes = space.notes_on_vectors(items.frame["item_id"], items.features)
        odd = [row for row, other in enumerate(sizes) if other != size]
        if not odd:
            assert notes == []
            continue
        assert len(notes) == 1
        assert notes[0].startswith(f"{len(odd)} of {len(sizes)} vectors in 'emb' ")
        assert f"item 'i{odd[0]}' has {sizes[odd[0]]} number" in notes[0]
        rows = space.encode(items.features, np.arange(len(sizes)), len(sizes))
        assert not rows.vector_RP[odd].any()


@pytest.mark.parametrize("odd", ["n/a", "[0.5]", "0.5", "to follow", "[0.25, 0.5, 0."])
def test_a_text_among_vectors_is_missing(odd: str, tmp_path: Path) -> None:
    vectors = [[row + place / 16 for place in range(16)] for row in range(6)]
    cells: list[Any] = [*vectors[:3], odd, *vectors[3:]]
    path = tmp_path / "items.json"
    path.write_text(json.dumps({f"i{row}": {"brand": "x", "emb": cell} for row, cell in enumerate(cells)}))
    for items in (read(emb=list(map(str, cells))), Catalogue.read(path)):
        assert items.features["emb"].dtype == pl.List(pl.Float32)
        assert items.frame["attributes"].to_list() == [["x"]] * 7
        assert not FeatureSpace.of(items.features).encode(items.features, np.arange(7), 7).vector_RP[3].any()


def test_lists_of_whole_numbers_and_short_ones_stay_categories() -> None:
    assert read(sizes=["1|2|3|4|5|6|7|8", "8|7|6|5|4|3|2|1"]).features["sizes"].dtype == pl.List(pl.String)
    assert read(sizes=["0.5|1.5", "2.5|3.5"]).features["sizes"].dtype == pl.List(pl.String)


@QUICK
@given(st.text(max_size=30), st.text("手机壳かわいいกระเป๋าー", min_size=1, max_size=8))
def test_scripts_without_spaces_give_pairs_and_other_texts_the_words_that_they_gave(text: str, run: str) -> None:
    plain = "".join(character for character in text if words_and_bigrams(character) != [character.lower()])
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain).lower())
    if not any(unicodedata.category(character).startswith("M") for character in plain):
        assert words_and_bigrams(plain) == SPACED(plain)
    found = words_and_bigrams(f"red iPhone15{run} 2 cases")
    pairs = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
    assert found == ["red", "iphone15", "cases", *pairs]


@QUICK
@given(st.sampled_from(list(SCRIPTS)).flatmap(words_of), st.sampled_from([" ", ", ", " - "]))
def test_words_of_every_script_are_whole_in_every_normal_form(words: list[str], between: str) -> None:
    text = between.join(words)
    found = words_and_bigrams(text)
    assert found == [unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).lower()) for word in words]
    for form in ("NFC", "NFD"):
        for upper in (text, text.lower()):
            assert words_and_bigrams(unicodedata.normalize(form, upper)) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("बड़ी किताब", ["बड़ी", "किताब"]),
        ("தமிழ் புத்தகம்", ["தமிழ்", "புத்தகம்"]),
        ("বাংলা বই", ["বাংলা", "বই"]),
        ("crème brûlée", ["crème", "brûlée"]),
        ("ශ්‍රී ලංකා", ["ශ්රී", "ලංකා"]),
    ],
)
def test_words_have_their_marks(text: str, words: list[str]) -> None:
    assert words_and_bigrams(text) == words


@QUICK
@given(st.text([*map(chr, range(0x20, 0x250)), *"“”–ẞẽ"], max_size=40), st.sampled_from(["words", "bigrams"]))
def test_latin_titles_of_earlier_runs_have_the_words_that_they_had(text: str, tokens: Any) -> None:
    assert WORDS_OF[tokens](text) == SPACED(text)
    if "İ" not in text:  # which in lower case is a letter with a mark
        assert words_and_bigrams(text) == SPACED(text)


@pytest.mark.parametrize(
    ("text", "before"), [("\u0958लम", ["\u0958लम"]), ("cafe\u0301s", ["cafe"]), ("CAFÉ", ["café"])]
)
def test_titles_of_earlier_runs_are_not_composed(text: str, before: list[str]) -> None:
    assert WORDS_OF["words"](text) == WORDS_OF["bigrams"](text) == before


def test_lists_of_many_lengths_are_attributes_as_before() -> None:
    lists = [[place + 0.5 for place in range(size)] for size in range(1, 21)]
    items = Catalogue.read(pl.DataFrame({"item_id": range(20), "sizes": lists}))
    assert items.frame["attributes"].list.len().to_list() == [*range(1, 21)]


def test_titles_without_spaces_have_words_in_common_and_older_runs_keep_their_own() -> None:
    titles = ["无线蓝牙耳机", "蓝牙音箱", "便携蓝牙键盘", "陶瓷茶杯", "玻璃茶杯", "茶杯套装"]
    items = read(title=titles).features.select("title")
    space = FeatureSpace.of(items).without(())
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


@QUICK
@given(COLUMNS)
def test_whatever_cells_hold_is_read_or_refused(columns: list[list[str]]) -> None:
    try:
        items = read(**{f"column{number}": cells for number, cells in enumerate(columns)})
    except DataError:
        return
    height = items.frame.height
    space = FeatureSpace.of(items.features).without(())
    if space is not None:
        assert FeatureSpace.model_validate_json(space.model_dump_json()) == space
        rows = space.encode(items.features, np.arange(1, height + 1), height + 1)
        assert not rows.known()[0]
        assert bool((rows.weight_Z > 0).all())
