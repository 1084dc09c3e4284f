"""Numbers with a decimal comma: read where all of them are clear, and never guessed."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elcrec.config import validate
from elcrec.data.by_settings import read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.check import check_log
from elcrec.data.decimal_commas import from_decimal_commas
from elcrec.data.layout import Layout
from elcrec.data.user_table import UserTable
from elcrec.errors import DataError

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
GROUPS = ["", ".", " ", "\u00a0", "\u202f"]
CENTS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6)
UNCLEAR = [
    ["1,249", "2,500"],  # thousands in English
    ["1.249", "2.500"],
    ["1,249.00", "12.99"],
    ["12,99", "12.99"],
    ["12,99", "cheap"],
    ["12,99", "1.24,00"],
    ["12,99", "1 249.000,00"],
    ["1,2,3", "4,5"],
    ["1,249,000", "2,500,000"],
    ["12", "13"],
    ["12,", "13,5"],
]


def written(cents: int, group: str) -> str:
    """An amount as shops in much of Europe write it."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}".replace(",", group) + f",{rest:02}"


@QUICK
@given(CENTS, st.sampled_from(GROUPS))
def test_what_is_written_is_read(cents: list[int], group: str) -> None:
    numbers = from_decimal_commas(pl.Series([*(written(one, group) for one in cents), None], dtype=pl.String))
    assert numbers is not None
    assert numbers.to_list() == [*(one / 100 for one in cents), None]


def test_one_clear_value_tells_of_all() -> None:
    assert from_decimal_commas(pl.Series(["1,249", "1.249", "0,125"])).to_list() == [1.249, 1249, 0.125]  # type: ignore[union-attr]
    assert from_decimal_commas(pl.Series(["1.249,125"])).to_list() == [1249.125]  # type: ignore[union-attr]


@pytest.mark.parametrize("texts", UNCLEAR, ids=";".join)
def test_what_is_not_clear_is_no_number(texts: list[str]) -> None:
    assert from_decimal_commas(pl.Series(texts)) is None


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_tables_of_items_and_users_have_numbers(kind: str, separator: str, tmp_path: Path) -> None:
    rows = [(f"{kind}_id", "Preis", "Code"), ("a", "1.249,00", "1,249"), ("b", "12,99", "2,500"), ("c", "", "3,1 x")]
    (tmp_path / "table.csv").write_text("".join(separator.join(row) + "\n" for row in rows))
    table = (Catalogue if kind == "item" else UserTable).read(tmp_path / "table.csv")
    assert table.features["Preis"].to_list() == [1249.0, 12.99, None]
    assert table.features["Code"].dtype == pl.List(pl.String)
    if isinstance(table, Catalogue):
        assert table.frame["attributes"].to_list() == [["1,249"], ["2,500"], ["3,1 x"]]


def test_where_commas_separate_columns_a_comma_in_quotes_is_text(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text('item_id,tags\na,"1,5"\nb,"2,7"\n')
    assert Catalogue.read(tmp_path / "items.csv").frame["attributes"].to_list() == [["1,5"], ["2,7"]]


@pytest.mark.parametrize("line", ["u;a;1;12,99\nu;b;2;1.249,00\n", "u;a;1; 12,99\nu;b;2;1249,00 \n"])
def test_weights_may_have_decimal_commas(line: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id;item_id;timestamp;Preis\n" + line)
    log = read_log(tmp_path / "log.csv", None, validate({"weight_column": "Preis"}))
    assert log.frame["weight"].to_list() == [12.99, 1249.0]
    assert check_log(tmp_path / "log.csv", Layout(weight_column="Preis"))["columns"]["weight"] == "Preis"


def test_weights_that_are_not_clear_are_refused_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id;item_id;timestamp;Preis\nu;a;1;1,249\nu;b;2;2,500\n")
    with pytest.raises(DataError, match=r"line 2: the weight '1,249' is no number.*write decimals with a point"):
        read_log(tmp_path / "log.csv", None, validate({"weight_column": "Preis"}))
