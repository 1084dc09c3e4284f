"""Features of items: how columns become numbered features, and how items that come later are encoded."""

import json
import math
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from elcrec.data import features
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import BINS, Features, FeatureSpace, Words
from elcrec.data.visitor_features import encoded_rows
from elcrec.data.words import WORDS_OF
from elcrec.errors import DataError


def catalogue(**columns: Any) -> pl.DataFrame:
    frame = pl.DataFrame({"item_id": range(len(next(iter(columns.values()))))} | columns)
    return Catalogue.read(frame).features


def encoded(space: FeatureSpace, items: pl.DataFrame) -> Features:
    return space.encode(items, np.arange(1, items.height + 1), items.height + 1)


def dense(features: Features, n_features: int) -> np.ndarray:
    matrix = np.zeros((features.n_rows, n_features))
    offsets = features.offset_R.tolist()
    for row, (begin, end) in enumerate(pairwise(offsets)):
        for at in range(begin, end):
            matrix[row, features.feature_Z[at]] += float(features.weight_Z[at])
    return matrix


def fitted(items: pl.DataFrame) -> FeatureSpace:
    space = FeatureSpace.of(items).without(())
    assert space is not None
    return space


def test_categories_of_three_items_weigh_their_idf_over_the_root_of_their_number() -> None:
    items = catalogue(kind=["a|b", "a", "a|b", "b|c", "a|c", None])
    found = dense(encoded(fitted(items), items), 2)
    a, b = math.log(7 / 4), math.log(7 / 3)
    root = math.sqrt(2)
    expected = [[0, 0], [a / root, b / root], [a, 0], [a / root, b / root], [0, b], [a, 0], [0, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_numbers_fall_into_ranges_between_quantiles() -> None:
    items = catalogue(price=[float(value) for value in range(160)] + [None])
    space = fitted(items)
    assert space.n_features == BINS
    found = dense(encoded(space, items), BINS)
    np.testing.assert_array_equal(found[1:161].sum(axis=0), [10] * BINS)
    assert not found[161].any()
    later = dense(encoded(space, catalogue(price=[-5.0, 1e9])), BINS)
    np.testing.assert_array_equal(later[1:].argmax(axis=1), [0, BINS - 1])


def test_words_of_three_texts_are_features_and_categories_come_first() -> None:
    titles = ["red wool hat today", "red silk scarf today", "a red coat for today", "blue wool hat tomorrow"]
    items = catalogue(title=titles, kind=["x", "x", "x", "y"], other=["u", "u", "u", "v"])
    space = fitted(items)
    assert [column.kind for column in space.columns] == ["words"]  # only one value of three items: tells nothing
    assert space.n_predicted == space.n_features


def test_vectors_are_centred_and_scaled_and_those_of_another_length_ignored() -> None:
    vectors = [[0.5 + row] * 8 for row in range(3)] + [None]
    items = catalogue(vector=vectors)
    space = fitted(items)
    found = encoded(space, items).vector_RP.numpy()
    assert space.vector_size == 8
    assert space.n_features == 0
    np.testing.assert_allclose(found[1:4].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[1:4], axis=1).mean(), 1, rtol=1e-6)
    assert not found[[0, 4]].any()
    other = encoded(space, catalogue(vector=[[0.25] * 9, [0.5] * 9]))
    assert not other.vector_RP.any()


def test_an_item_that_comes_later_has_the_same_numbers_and_unknown_values_none() -> None:
    items = catalogue(kind=["a", "a", "a", "b", "b", "b"], price=[1.0, 2, 3, 4, 5, 6])
    space = FeatureSpace.model_validate_json(fitted(items).model_dump_json())
    assert space == fitted(items)
    before = dense(encoded(space, items), space.n_features)
    later = dense(encoded(space, catalogue(kind=["b", "z"])), space.n_features)
    kinds = sum(column.n_features for column in space.columns if column.kind == "categories")
    np.testing.assert_array_equal(later[1, :kinds], before[4, :kinds])
    assert not later[2].any()


@pytest.mark.parametrize("columns", [{"kind": ["a", "b"]}, {"title": ["One two three", "Four five six"]}])
def test_columns_whose_values_tell_items_not_together_are_no_features(columns: dict[str, Any]) -> None:
    assert FeatureSpace.of(catalogue(**columns)).without(()) is None


def test_some_rows_padded_rows_and_shares_agree_with_the_matrix() -> None:
    items = catalogue(kind=["a|b", "a", "b", "a|b", None, "b"], title=["red hat"] * 3 + ["red coat"] * 3)
    space = fitted(items)
    features, n = encoded(space, items), space.n_features
    whole = dense(features, n)
    rows = torch.tensor([3, 0, 3, 6])
    np.testing.assert_array_equal(dense(features.at(rows), n), whole[rows])
    padded = dense(features.padded(9), n)
    np.testing.assert_array_equal(padded[:7], whole)
    assert not padded[7:].any()
    shares = dense(features.shares(space.n_predicted), n)
    expected = whole.copy()
    expected[:, space.n_predicted :] = 0
    sums = expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        shares, np.divide(expected, sums, where=sums > 0, out=np.zeros_like(expected)), rtol=1e-6
    )


def test_vectors_with_gaps_are_none_and_the_others_are_kept(tmp_path: Path) -> None:
    good = [[row + 0.5 * place for place in range(8)] for row in range(4)]
    for gap in (None, float("nan"), float("inf")):
        items = catalogue(vector=[*good, [gap, *good[0][1:]], [], None])
        space = fitted(items)
        assert FeatureSpace.model_validate_json(space.model_dump_json()) == space
        found = encoded(space, items).vector_RP.numpy()
        np.testing.assert_allclose(np.linalg.norm(found[1:5], axis=1).mean(), 1, rtol=1e-6)
        assert not found[5:].any()
    path = tmp_path / "items.json"
    path.write_text(json.dumps({str(row): {"vector": [0, 1, *vector[2:]]} for row, vector in enumerate(good)}))
    assert Catalogue.read(path).features["vector"].dtype == pl.List(pl.Float32)


def test_codes_are_told_apart_to_the_last_digit_and_constants_are_no_features() -> None:
    items = catalogue(seller_id=[2**62 + 1] * 3 + [2**62 + 2] * 3, price=[5.0] * 6)
    assert str(fitted(items)) == "seller_id (2 values)"
    assert catalogue(seller_id=[1e20] * 3, kind=["a"] * 3).columns == ["kind"]
    assert FeatureSpace.of(catalogue(price=[5.0] * 6)).without(()) is None


def test_columns_whose_kind_changes_are_read_as_the_kind_that_was_learned() -> None:
    old = Catalogue.read(
        pl.DataFrame({"item_id": ["a", "b"], "brand": ["x", "y"], "size": ["S", "40"], "price": [1.5, 2.5]})
    )
    new = Catalogue.read(
        pl.DataFrame({"item_id": ["c", "d"], "brand": ["A brand of many words", None], "size": [40, 41]})
    )
    both = new.over(old)
    assert both.features["brand"].to_list() == [["A brand of many words"], None, ["x"], ["y"]]
    assert both.features["size"].to_list() == [["40"], ["41"], ["S"], ["40"]]
    with pytest.raises(DataError, match="'price' is of another kind"):
        Catalogue.read(pl.DataFrame({"item_id": ["c"], "price": ["much"]})).over(old)
    kinds = {"kind": ["u"] * 3 + ["v"] * 3, "price": [1.0, 2, 3, 4, 5, 6], "title": ["red hat"] * 6}
    space = fitted(catalogue(**kinds, vector=[[row + 0.5] * 8 for row in range(6)]))
    other = catalogue(kind=[7, 8], price=["5", "dear"], title=[["red"], ["hat"]], vector=["here", "there"])
    found = encoded(space, other)
    assert not found.vector_RP.any()
    assert dense(found, space.n_features)[1].any()


COLUMNS: dict[str, list[Any]] = {
    "categories": ["a", "b|c", "a"] * 4,
    "numbers": [float(value) for value in range(12)],
    "words": [f"a fine {colour} hat of wool number {at}" for at, colour in enumerate(["red", "blue", "green"] * 4)],
    "vectors": [[row + 0.5 * place for place in range(8)] for row in range(12)],
}


@pytest.mark.parametrize("given", COLUMNS)
@pytest.mark.parametrize("kind", COLUMNS)
def test_no_rows_one_row_and_rows_without_a_value_are_encoded_by_every_kind_of_column(kind: str, given: str) -> None:
    """The values may be of another kind than the column that was learned from."""
    (column,) = fitted(catalogue(one=COLUMNS[kind])).columns
    assert column.kind == kind
    space, values = FeatureSpace(columns=(column,)), catalogue(one=COLUMNS[given])
    whole = encoded(space, values)
    for rows in (values.clear(), values.head(1), values.clear(n=1), values.clear(n=3)):
        found = encoded(space, rows)
        assert found.n_rows == rows.height + 1
        assert found.vector_RP.shape == (rows.height + 1, space.vector_size)
        if rows["one"].null_count():
            assert not found.known().any()
    single = encoded(space, values.head(1))
    some = torch.tensor([0, 1])
    for one, other in zip(single, whole.at(some), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("tokens", WORDS_OF)
def test_texts_without_rows_have_no_words_however_runs_of_before_divide_them(tokens: Any) -> None:
    column = Words(name="one", tokens=tokens, buckets=(1, 2), weights=(1.0, 1.0))
    assert column.sparse(pl.Series("one", [], dtype=pl.String)).rows() == []


def test_vectors_are_held_once_however_many_columns_have_some_and_rows_that_are_not_added_cost_nothing() -> None:
    random = np.random.default_rng(0)
    items = catalogue(**{f"vector{number}": random.random((2000, 16)).tolist() for number in range(8)})
    space = fitted(items)
    encoded(space, items)
    tracemalloc.start()
    features = encoded(space, items)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.7 * features.vector_RP.nbytes
    singles = [encoded(FeatureSpace(columns=(column,)), items).vector_RP for column in space.columns]
    assert torch.equal(features.vector_RP, torch.cat(singles, dim=1))
    for n_rows in (0, features.n_rows):
        padded = features.padded(n_rows)
        assert [tensor.data_ptr() for tensor in padded] == [tensor.data_ptr() for tensor in features]


CODES = [
    "id",
    "ID",
    "seller_id",
    "sellerId",
    "SellerID",
    "SELLER_ID",
    "seller id",
    "seller-id",
    "sellerid",
    "pid",
    "aid",
]
CODES += ["zipcode", "zip_code", "ZipCode", "subcategory", "itemType", "BRAND", "genre", "level2id"]
CODES += ["aisleid", "departmentid", "subcategoryid", "languageid", "AISLEID", "clubid", "clubID", "CLUBId", "jobId"]
CODES += ["gpaID", "approvalid", "web_id", "länderid", "mid", "maid"]
MEASURES = ["bid", "max_bid", "maxBid", "maxbid", "MAXBID", "price_paid", "amountPaid", "pricepaid", "PRICE_PAID"]
MEASURES += ["prepaid", "unpaid", "grid", "rapid", "is_valid", "isValid", "isvalid", "hybrid", "id_count", "ideas"]


@pytest.mark.parametrize("name", CODES + MEASURES)
def test_a_name_of_codes_ends_with_a_word_for_them_and_with_no_word_that_ends_alike(name: str, tmp_path: Path) -> None:
    numbers = [1000 + 37 * row for row in range(30)]
    items = pl.DataFrame({"item_id": [f"i{row}" for row in range(30)], name: numbers, "shelf": ["a", "b"] * 15})
    items.write_csv(tmp_path / "items.csv")
    for source in (items, tmp_path / "items.csv"):
        found = Catalogue.read(source).features[name].to_list()
        assert found == ([[str(number)] for number in numbers] if name in CODES else numbers)


def test_what_depends_on_a_column_alone_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server encodes a row for each request."""
    texts = [f"a long text of word{row % 5} and word{row % 7} number {row}" for row in range(60)]
    items = catalogue(
        city=[f"Zu\u0308rich {row % 20}" for row in range(60)], price=[*map(float, range(60))], about=texts
    )
    space = fitted(items)
    assert {column.kind for column in space.columns} == {"categories", "numbers", "words"}
    lengths: list[int] = []

    def counting(done: Any) -> Any:
        return lambda known, *rest: (lengths.append(len(known)), done(known, *rest))[1]

    for name in ("composed", "_numbers_of"):
        monkeypatch.setattr(features, name, counting(getattr(features, name)))
    first = encoded(space, items[:1])
    assert max(lengths) >= 20
    lengths.clear()
    again, told = encoded(space, items[:1]), encoded_rows([{"city": "Z\u00fcrich 0", "about": texts[0]}], space)
    assert max(lengths) <= 1
    assert all(torch.equal(*tensors) for tensors in zip(first, again, strict=True))
    assert {*told.feature_Z.tolist()} < {*first.feature_Z.tolist()}
    read = FeatureSpace.model_validate_json(space.model_dump_json())
    assert read == space
    encoded(read, items[:1])
    assert read == space
