"""Amounts, placeholders, entities and paths in metadata: read where all are clear, and never guessed."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli_runner import untrained
from elcrec.data import time_text
from elcrec.data.amounts import each_as_number, from_amounts
from elcrec.data.attribute_columns import NOTHING, as_text
from elcrec.data.catalogue import Catalogue
from elcrec.data.decimal_commas import from_decimal_commas
from elcrec.data.feature_columns import MOMENT
from elcrec.data.features import Categories, FeatureSpace
from elcrec.data.interactions import Interactions
from elcrec.data.markup import composed, own_composed, own_unescaped, unescaped
from elcrec.data.user_table import UserTable
from elcrec.data.visitor_features import encoded_rows
from elcrec.data.written_columns import as_meant, each_as_moment
from elcrec.errors import DataWarning

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
CENTS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6)
MARKS = ["{}$", "$ {}", "{} €", "EUR {}", "{} CHF", "US$ {}", "kr {}", "{} zł", "Rs. {}", "{}%", "{} %"]
GROUPS = [("", "."), (",", "."), ("'", "."), ("", ","), (".", ","), (" ", ","), ("\u202f", ",")]
PIECES = [
    "",
    "$",
    "€",
    "%",
    "EUR ",
    " CHF",
    "US$",
    "kr ",
    "-",
    "+",
    ".",
    ",",
    "'",
    "’",
    " ",
    "\u202f",
    "1",
    "12",
    "249",
]
AMOUNTS = st.lists(st.sampled_from([*PIECES, "000", "5", "0", "1,249.00", "1.249,00", "x"]), max_size=6).map("".join)
UNCLEAR = [
    ["$5", "5 €"],
    ["$5", "5"],
    ["$5", "cheap"],
    ["$5 - $9", "$7"],
    ["€", "5 €"],
    ["1,249", "2,500"],
    ["1,249%", "2%"],
    ["ABC 12", "ABC 13"],
    ["12 kg", "500 g"],
    ["1,24.00"],
    ["$1.2.3", "$5"],
    ["$+-5"],
    ["1.249 €", "2.500 €"],
    ["$3.459", "$3.519"],
]


@QUICK
@given(CENTS, st.sampled_from(MARKS), st.sampled_from(GROUPS))
def test_what_is_written_is_read(cents: list[int], mark: str, form: tuple[str, str]) -> None:
    group, point = form
    texts = [
        mark.format(f"{'-' * (one < 0)}{abs(one) // 100:,}".replace(",", group) + f"{point}{abs(one) % 100:02}")
        for one in cents
    ]
    numbers = from_amounts(pl.Series([*texts, None], dtype=pl.String))
    assert numbers is not None
    assert numbers.to_list() == [*(one / 100 for one in cents), None]


@QUICK
@given(st.lists(st.none() | AMOUNTS, max_size=40))
def test_each_text_is_read_as_a_column_of_it_alone(texts: list[str | None]) -> None:
    def alone(text: str | None) -> float | None:
        column = pl.Series([text], dtype=pl.String)
        number = column.cast(pl.Float64, strict=False)
        if text is None or number[0] is not None:
            return number[0]
        found = from_decimal_commas(column)
        found = from_amounts(column) if found is None else found
        return None if found is None else found[0]

    assert each_as_number(pl.Series(texts, dtype=pl.String)).to_list() == [alone(text) for text in texts]


def test_many_texts_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("from_amounts", "from_decimal_commas"):
        monkeypatch.delattr(f"elcrec.data.amounts.{name}")  # which read a whole column
    texts = pl.Series([f"${n}.50" for n in range(20_000)] + ["call us"])
    assert each_as_number(texts).to_list() == [*(n + 0.5 for n in range(20_000)), None]


@pytest.mark.parametrize("texts", UNCLEAR, ids=";".join)
def test_what_is_not_clear_is_no_number(texts: list[str]) -> None:
    assert from_amounts(pl.Series(texts)) is None


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["$1,249", "$3"], [1249, 3]),
        (["1.249 €", "999 €"], [1249, 999]),
        (["1.249.000 VND", "5 VND"], [1249000, 5]),
        (["1,249.00", "12.99"], [1249, 12.99]),
        (["-$5.00", "$-3", "+$2"], [-5, -3, 2]),
        (["0.500 €", "1.250 €"], [0.5, 1.25]),
        (["₹1,24,900", "₹950"], [124900, 950]),
    ],
)
def test_groups_of_three_are_thousands_of_a_currency(texts: list[str], numbers: list[float]) -> None:
    assert from_amounts(pl.Series(texts)).to_list() == numbers  # type: ignore[union-attr]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("nothing", [*NOTHING, "(not set)", "(no genres listed)", "<unknown>", "[None]", "(Unknown)"])
def test_a_word_for_nothing_leaves_numbers_numbers_and_is_no_attribute(
    nothing: str, suffix: str, tmp_path: Path
) -> None:
    texts, price = ["red|blue", nothing, f"red|{nothing}", "blue"], ["$5.00", nothing, "$7.50", "$1,000.00"]
    weight = ["1.5", "2", nothing, "3"]
    frame = pl.DataFrame({"item_id": ["a", "b", "c", "d"], "colour": texts, "price": price, "weight": weight})
    path = tmp_path / f"items.{suffix}"
    if suffix == "csv":
        frame.write_csv(path, quote_style="always")
    else:
        typed = frame.with_columns(pl.col("weight").cast(pl.Float64, strict=False))
        typed.write_ndjson(path) if suffix == "jsonl" else typed.write_parquet(path)
    known = Catalogue.read(path)
    assert known.features["price"].to_list() == [5, None, 7.5, 1000]
    assert known.features["weight"].to_list() == [1.5, 2, None, 3]
    assert known.features["colour"].to_list() == [["red", "blue"], None, ["red"], ["blue"]]
    assert set(known.pairs()["attribute"]) == {"red", "blue"}
    users = UserTable.read(frame.rename({"item_id": "user_id"}))
    assert users.features["price"].to_list() == [5, None, 7.5, 1000]


def test_na_is_a_value_among_codes_of_two_capitals() -> None:
    continents = ["NA", "EU", "AS", "NA|EU", "SA"]
    frame = pl.DataFrame({"item_id": [*"abcde"], "where": continents, "made": ["NA", "yes", "no", "NA", "maybe"]})
    known = Catalogue.read(frame)
    assert known.features["where"].to_list() == [["NA"], ["EU"], ["AS"], ["NA", "EU"], ["SA"]]
    assert known.features["made"].to_list() == [None, ["yes"], ["no"], None, ["maybe"]]
    assert known.pairs().filter(pl.col("attribute") == "NA").height == 2


@pytest.mark.parametrize("new", [["$3.99", "Free"], ["€3.50"], ["USD 4", "$5 - $9"], ["1,249.00"], ["12,99 €"]])
def test_newer_values_are_read_as_the_kind_that_the_model_knows(new: list[str]) -> None:
    frame = pl.DataFrame({"item_id": [str(n) for n in range(9)], "price": [f"${n}.99" for n in range(9)]})
    newer = Catalogue.read(pl.DataFrame({"item_id": [f"n{n}" for n in range(len(new))], "price": new}))
    meant = {"$3.99": 3.99, "€3.50": 3.5, "USD 4": 4, "1,249.00": 1249, "12,99 €": 12.99}
    both = newer.over(Catalogue.read(frame))
    assert both.features["price"].head(len(new)).to_list() == [meant.get(one) for one in new]


def test_titles_may_be_any_word() -> None:
    frame = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["None", "N/A", ""], "genre": ["x", "y", "x"]})
    assert Catalogue.read(frame).frame["title"].to_list() == ["None", "N/A", None]


def test_text_in_brackets_that_says_something_stays() -> None:
    kept = ["(notebook)", "[nordic]", "(2 for 1)", "no name", "unknown artist", "(no) sugar", "$$", "★★★", "(No. 5)"]
    kept += ["(Not Rated)", "[none of these]"]
    assert as_text(pl.Series("text", kept)).to_list() == kept


@pytest.mark.parametrize("step", [" > ", ">", " >> ", " › ", "»"])
def test_a_path_stands_for_the_paths_above_it(step: str) -> None:
    paths = [["Home", "Garden", "Pots"], ["Home"], ["Toys", "Cars (used)"], ["Home", "Garden"]]
    texts = [step.join(path) for path in paths]
    above = [[step.join(path[: end + 1]) for end in range(len(path))] for path in paths]
    frame = pl.DataFrame({"item_id": [*"abcdef"], "shelf": [*texts, f"{texts[0]}|{texts[2]}", None]})
    expected = [*above, above[0] + above[2], None]
    assert Catalogue.read(frame).features["shelf"].to_list() == expected
    lists = frame.with_columns(pl.col("shelf").str.split("|"))
    assert Catalogue.read(lists).features["shelf"].to_list() == expected
    again = Catalogue.read(frame.with_columns(shelf=pl.Series(expected)))  # what is known already
    assert again.features["shelf"].to_list() == expected


@pytest.mark.parametrize("texts", [["a>b", "c", "d"], ["a >", "> b"], ["<b>x</b>", "<i>y</i>"], ["18>"], ["->"]])
def test_other_texts_are_no_paths(texts: list[str]) -> None:
    frame = pl.DataFrame({"item_id": [str(n) for n in range(len(texts))], "shelf": texts})
    assert Catalogue.read(frame).frame["attributes"].to_list() == [[text] for text in texts]


def test_entities_are_the_characters_that_they_stand_for() -> None:
    assert as_text(pl.Series(["&nbsp;", "&#160; x&nbsp;"])).to_list() == [None, "x"]
    texts = ["Salt &amp; pepper", "B4&auml;r &#39;n&#x27;", "R&D;", "AT&T", "&nosuch;", None]
    meant = ["Salt & pepper", "B4är 'n'", "R&D;", "AT&T", "&nosuch;", None]
    frame = pl.DataFrame({"item_id": [*"abcdef"], "title": texts, "brand": texts, "tags": [[one] for one in texts]})
    known = Catalogue.read(frame)
    assert known.frame["title"].to_list() == meant
    assert known.features["brand"].to_list() == [None if one is None else [one] for one in meant]
    assert known.features["tags"].to_list() == [None if one is None else [one] for one in meant]


COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


def test_addresses_keep_their_spelling() -> None:
    pages = [f"https://pics.example/{text}.jpg" for text in (COMPOSED, DECOMPOSED)]
    assert as_text(pl.Series([*pages, DECOMPOSED, None])).to_list() == [*pages, COMPOSED, None]


TEXTS_OF_SHOPS = st.lists(
    st.sampled_from(
        [DECOMPOSED, COMPOSED, "http://", "HTTPS://", "see ", "\n", "\t", "\u00a0", "\u3000", "&eacute;", "x"]
    ),
    max_size=4,
).map("".join)


@QUICK
@given(TEXTS_OF_SHOPS)
def test_one_text_is_composed_as_in_a_column(text: str) -> None:
    assert [own_composed(text)] == composed(pl.Series([text])).to_list()
    assert [own_unescaped(text)] == unescaped(pl.Series([text])).to_list()


def test_an_address_is_found_in_its_own_spelling() -> None:
    items = {f"i{n}": f"https://shop.example/{[COMPOSED, DECOMPOSED][n % 2]}" for n in range(6)}
    model = untrained(Interactions.read(pl.DataFrame({"user_id": [*"aaabbb"], "item_id": [*items]})))
    model.describe_items(pl.DataFrame({"item_id": [*items], "page": [*items.values()]}))
    assert model.catalogue is not None
    space = FeatureSpace.of(model.catalogue.features)
    told = encoded_rows([{"page": page} for page in items.values()], space)
    assert told.feature_Z.tolist() == space.encode(model.catalogue.features, np.arange(6), 6).feature_Z.tolist()
    for page in set(items.values()):
        for attribute in (page, f"page={page}"):
            found = model.recommend(["a"], k=6, exclude_seen=False, attributes=[attribute])["item_id"]
            assert {*found} == {item for item in items if items[item] == page}


def test_spellings_of_accents_are_one_category_in_every_kind_of_column() -> None:
    one, other = [COMPOSED] * 3 + ["tea"] * 3, [DECOMPOSED, COMPOSED, "Caf&eacute;", *["tea"] * 3]
    columns = {
        "texts": (one, other),
        "parts": ([f"{text}|hot" for text in one], [f"{text}|hot" for text in other]),
        "lists": ([[text, "hot"] for text in one], [[text, "hot"] for text in other]),
        "paths": ([f"shop > {text}" for text in one], [f"shop > {text}" for text in other]),
    }
    ids = [str(number) for number in range(6)]
    spelt, mixed = (
        pl.DataFrame({"user_id": ids, "item_id": ids, **{name: sides[side] for name, sides in columns.items()}})
        for side in (0, 1)
    )
    assert Catalogue.read(mixed.drop("user_id")).table().equals(Catalogue.read(spelt.drop("user_id")).table())
    assert UserTable.read(mixed.drop("item_id")).table().equals(UserTable.read(spelt.drop("item_id")).table())


def test_runs_of_before_find_their_values_and_tell_apart_what_they_told_apart() -> None:
    column = Categories(name="brand", values=(DECOMPOSED, "tea"), weights=(2.0, 1.0))
    brands = pl.Series("brand", [[COMPOSED], [DECOMPOSED], ["tea"], ["milk"]])
    assert column.sparse(brands)["feature"].to_list() == [0, 0, 1]
    both = Categories(name="brand", values=(DECOMPOSED, COMPOSED), weights=(2.0, 1.0))
    assert both.sparse(brands)["feature"].to_list() == [1, 0]


@pytest.mark.parametrize("kept", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("asked", [COMPOSED, DECOMPOSED])
def test_an_attribute_is_found_in_every_spelling(asked: str, kept: str) -> None:
    """Of a run of before, too, which keeps attributes as its file spelt them."""
    model = untrained(Interactions.read(pl.DataFrame({"user_id": [*"aabb"], "item_id": [*"xyxz"]})))
    brands = [["spelt"], ["tea"], ["tea"]]
    named = pl.DataFrame({"item_id": [*"xyz"], kept: brands})
    features = pl.DataFrame({kept: brands}).with_columns(pl.col(kept).list.eval(pl.element().replace("spelt", kept)))
    frame = Catalogue.read(named).frame.with_columns(attributes=features[kept])
    model.describe_items(Catalogue(frame, features))
    for attribute in (asked, f"{asked}={asked}"):
        found = model.recommend(["a"], exclude_seen=False, attributes=[attribute])
        assert found["item_id"].to_list() == ["x"]


@pytest.mark.parametrize("kind", ["items", "users"])
def test_texts_among_numbers_are_warned_of(kind: str, tmp_path: Path) -> None:
    ids = [f"x{n}" for n in range(30)]
    ages, sizes = [*(str(20 + n) for n in range(20)), *["ask us"] * 10], ["36", "38", "40", "M", "S"] * 6
    codes = {
        "zip": [*(str(10100 + n) for n in range(29)), "abroad"],
        "isbn_id": [*(f"97{n}" for n in range(29)), "97X"],
    }
    codes |= {"year": [*(str(1980 + n) for n in range(29)), "1990s"], "phone": [*(f"0{n}" for n in range(29)), "x"]}
    frame = pl.DataFrame(
        {kind[:-1] + "_id": ids, "age": ages, "size": sizes, "colour": ["red", "7", "8"] * 10, **codes}
    )
    frame.write_csv(tmp_path / "known.csv")
    read = Catalogue.read if kind == "items" else UserTable.read
    with pytest.warns(DataWarning, match="'age' is read as categories: 10 of the 30 values.* 'ask us'") as warned:
        read(tmp_path / "known.csv")
    assert len(warned) == 1


DAYS = ["2021-02-30", "2021-05-31", "2021.5.3", "1 Jan 2021", "31-Feb-2021", "Mon, 3 Foo 2021", "May 5th, 2021", "soon"]
CLOCKS = ["", " 10:00", "T10:00:01.25", " 3:04 PM", " 13:04 PM", " 25:00", " 000123"]
ZONES = ["", "Z", "+02:00", " UTC", " CET"]
TIMES = st.tuples(*map(st.sampled_from, (DAYS, CLOCKS, ZONES))).map("".join)


@QUICK
@given(st.lists(st.none() | TIMES, max_size=6))
def test_each_text_is_the_moment_that_it_is_in_a_column_of_its_own(texts: list[str | None]) -> None:
    def alone(text: str | None) -> datetime | None:
        column = as_meant(pl.Series([text], dtype=pl.String))
        return column.cast(MOMENT)[0] if isinstance(column.dtype, pl.Datetime) else None

    assert each_as_moment(pl.Series(texts, dtype=pl.String)).to_list() == [alone(text) for text in texts]


def test_texts_that_are_no_moments_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done, calls = time_text._from_parts, []
    monkeypatch.setattr(time_text, "_from_parts", lambda *given: (calls.append(1), done(*given))[1])
    bad = [f"2021-02-30 {hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
    assert each_as_moment(pl.Series([*bad, "1 Jan 2021"])).drop_nulls().to_list() == [datetime(2021, 1, 1)]
    assert len(calls) == 2
