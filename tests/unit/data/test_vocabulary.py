"""Ids and indices: both ways, text forms, and the unknown."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from elcrec.data.vocabulary import Vocabulary, natural_order, text_series
from elcrec.errors import DataError, UnknownIdError

TEXT = pl.Series(["i10", "i2", "i2", "i1", "i10"])
NUMBERS = pl.Series([30, 7, 7, 100])


def test_users_are_numbered_from_0_and_items_from_1() -> None:
    assert Vocabulary.of(TEXT).indices(["i1", "i2", "i10"]).tolist() == [0, 1, 2]
    assert Vocabulary.of(TEXT, first=1, kind="item").indices(["i1", "i2", "i10"]).tolist() == [1, 2, 3]
    assert len(Vocabulary.of(TEXT)) == 3


def test_integers_are_numbered_by_size() -> None:
    assert Vocabulary.of(NUMBERS).ids.to_list() == [7, 30, 100]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64, pl.String], ids=str)
@pytest.mark.parametrize("first", [0, 1])
def test_ids_come_back_in_their_own_type(dtype: pl.DataType, first: int) -> None:
    ids = NUMBERS.cast(dtype)
    vocabulary = Vocabulary.of(ids, first)
    back = vocabulary.ids_of(vocabulary.indices(ids))
    assert back.dtype == dtype
    assert back.to_list() == ids.to_list()


@pytest.mark.parametrize(
    "asked",
    [
        ["100", "7"],
        [100, 7],
        [np.int32(100), np.int64(7)],
        ["100", 7],
        np.array([100, 7]),
        pl.Series([100, 7]),
        pl.Series([100, 7], dtype=pl.UInt8),
        pl.Series(["100", "7"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int16, pl.UInt32, pl.String])
def test_ids_match_by_their_text_form(dtype: pl.DataType, asked: Any) -> None:
    assert Vocabulary.of(NUMBERS.cast(dtype)).indices(asked).tolist() == [2, 0]


def test_a_generator_of_ids_is_read_once() -> None:
    assert Vocabulary.of(NUMBERS).indices(each for each in (100, 7)).tolist() == [2, 0]


def test_text_with_leading_zeros_is_another_id() -> None:
    vocabulary = Vocabulary.of(pl.Series(["007", "7"]))
    assert vocabulary.indices(["7", "007"]).tolist() == vocabulary.indices(pl.Series(["7", "007"])).tolist()
    assert len(set(vocabulary.indices(["7", "007"]).tolist())) == 2
    assert Vocabulary.of(pl.Series([7])).indices(["007"], unknown="skip").tolist() == [-1]


def test_indices_are_int64_in_the_order_asked_with_repeats() -> None:
    index = Vocabulary.of(TEXT, first=1).indices(["i10", "i1", "i10", "i2"])
    assert index.dtype == np.int64
    assert index.tolist() == [3, 1, 3, 2]


def test_asking_for_nothing_gives_nothing() -> None:
    for nothing in ([], pl.Series([], dtype=pl.Int64)):
        assert Vocabulary.of(NUMBERS).indices(nothing).tolist() == []
    assert Vocabulary.of(NUMBERS).ids_of([]).to_list() == []


def test_unknown_ids_can_be_skipped() -> None:
    assert Vocabulary.of(TEXT, first=1).indices(["x", "i2", ""], unknown="skip").tolist() == [-1, 2, -1]
    assert Vocabulary.of(NUMBERS).indices([7, 8, -1], unknown="skip").tolist() == [0, -1, -1]


@pytest.mark.parametrize("asked", [None, True, 1.5, float("nan"), float("inf"), "", [1]])
def test_what_is_no_id_is_unknown(asked: Any) -> None:
    assert Vocabulary.of(pl.Series([1, 2])).indices([asked], unknown="skip").tolist() == [-1]


@pytest.mark.parametrize(
    "asked", ["2", " 2", "2\t", "\u200b2\ufeff", "\u3000 2", 2.0, np.float64(2), pl.Series([2.0])], ids=repr
)
@pytest.mark.parametrize("dtype", [pl.Int64, pl.String])
def test_what_a_log_takes_for_an_id_can_be_asked_for(dtype: pl.DataType, asked: Any) -> None:
    """The reader takes blanks away and whole floats for integers; so does whoever asks."""
    vocabulary = Vocabulary.of(pl.Series([1, 2], dtype=pl.Int64).cast(dtype))
    if isinstance(asked, pl.Series):
        assert vocabulary.indices(asked).tolist() == [1]
        return
    assert vocabulary.indices([asked]).tolist() == [1]
    assert vocabulary.indices(["x", asked, 1], unknown="skip").tolist() == [-1, 1, 0]
    assert vocabulary.find(asked) == 1


def test_an_id_with_blanks_within_is_another() -> None:
    vocabulary = Vocabulary.of(pl.Series(["a b", "ab"]))
    assert vocabulary.indices([" a b", "ab "]).tolist() == [0, 1]
    assert vocabulary.find("a  b") == -1


def test_an_unknown_id_is_named_with_the_remedy() -> None:
    with pytest.raises(UnknownIdError) as caught:
        Vocabulary.of(TEXT, first=1, kind="item").indices(["i1", "x", "y", "x", "z", "w"])
    message = str(caught.value)
    assert "unknown item 'x', 'y', 'z' and 1 more" in message
    assert "3 items" in message
    assert "'i1'" in message
    assert "skip" in message
    assert "\n" not in message


@pytest.mark.parametrize("huge", [2**63, 2**64, -(2**70)])
def test_an_integer_too_large_for_the_machine_is_just_unknown(huge: int) -> None:
    assert Vocabulary.of(pl.Series([1, 2])).indices([huge, 2], unknown="skip").tolist() == [-1, 1]
    with pytest.raises(UnknownIdError, match=str(huge)):
        Vocabulary.of(pl.Series([1, 2])).indices([huge])


def test_unsigned_ids_above_the_signed_range_are_found() -> None:
    ids = pl.Series([2**63 + 5, 3], dtype=pl.UInt64)
    vocabulary = Vocabulary.of(ids)
    assert vocabulary.indices(ids).tolist() == [1, 0]
    assert vocabulary.indices([str(2**63 + 5)]).tolist() == [1]
    assert vocabulary.indices([2**63 + 5, 3]).tolist() == [1, 0]


def test_another_word_for_unknown_is_refused() -> None:
    with pytest.raises(DataError, match="'raise' or 'skip'"):
        Vocabulary.of(TEXT).indices(["i1"], unknown="ignore")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["i10", "i2", "i1"], ["i1", "i2", "i10"]),
        (["10", "9", "07", "7"], ["07", "7", "9", "10"]),
        (["b", "a", "a1", ""], ["", "a1", "a", "b"]),
        (["x2y10", "x2y9", "x1z"], ["x1z", "x2y10", "x2y9"]),
        (["i" + "9" * 40, "i5"], ["i5", "i" + "9" * 40]),
    ],
)
def test_natural_order(ids: list[str], expected: list[str]) -> None:
    assert natural_order(pl.Series(ids)).to_list() == expected


def test_python_values_are_compared_as_integers_only_if_all_are() -> None:
    assert text_series([1, np.int64(2)]).to_list() == [1, 2]
    assert text_series([1, "a"]).to_list() == ["1", "a"]
    assert text_series([True]).to_list() == ["True"]
    assert text_series([]).to_list() == []


def test_one_text_is_no_list_of_ids() -> None:
    with pytest.raises(DataError, match=r"\['u1'\]"):
        Vocabulary.of(pl.Series(["u1", "u2"])).indices("u1")


@pytest.mark.parametrize(
    ("known", "asked"), [("001033", "1033"), ("1033", "01033"), ("Anna@x.eu", "anna@X.eu"), ("00", "0")]
)
def test_ids_that_differ_in_zeros_in_front_or_capitals_are_told(known: str, asked: str) -> None:
    vocabulary = Vocabulary.of(pl.Series([known, "other", "10330"]), first=1, kind="item")
    ids = pl.Series(["other", asked, "strange", asked])
    assert vocabulary.misspelt(ids) == [(asked, known)]
    assert vocabulary.misspelt(pl.Series([known, "strange", "0other", ""])) == [("0other", "other")]
    with pytest.raises(UnknownIdError, match=f"for example '{known}' \\(zeros in front and capitals count\\)"):
        vocabulary.indices(pl.Series([asked]))
    assert Vocabulary.of(pl.Series([7, 70])).misspelt(pl.Series([700, 7])) == []
