"""Features: what is known of items, or of users, as sparse rows and vectors that a model embeds.

A :class:`FeatureSpace` is fitted on the items, or the users, of a training, and kept by its run: those that come later
are encoded in the same numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
import scipy  # which loads scipy.sparse when it is first used
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from elcrec.data.attribute_columns import TEXTS
from elcrec.data.columns import shown
from elcrec.data.feature_columns import MOMENT, NUMBER, TEXT, VECTOR, as_kind, vector_size, vectors_in, why_useless
from elcrec.data.markup import composed
from elcrec.data.words import WORDS_OF, Tokens
from elcrec.process.wording import counted, listed

LEAST_ITEMS = 3
"""A feature of fewer items, or users, says nothing of others."""
BINS = 16
WORD_BUCKETS = 2**15
MOST_PREDICTED = 4096
MOST_WORDS = 8192
"""Only the most frequent words of a column, as many, are features."""
VECTORS_AT_ONCE = 8192


class Features(NamedTuple):
    """Features of items or users, a row each; row 0 of items is padding, and has none.

    Attributes:
        offset_R: int64 [rows + 1], where the features of each row begin in the next two.
        feature_Z: int64 [Z], numbers of features, 0 .. F - 1.
        weight_Z: float32 [Z], how much each counts, > 0.
        vector_RP: float32 [rows, P], the vectors of all columns of them side by side; 0 where there is none.
    """

    offset_R: Tensor
    feature_Z: Tensor
    weight_Z: Tensor
    vector_RP: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.offset_R) - 1

    def at(self, row_X: Tensor) -> Features:
        """Those of some rows, int64 [X], in this order."""
        first_X = self.offset_R[row_X]
        length_X = self.offset_R[row_X + 1] - first_X
        offset_X = torch.cat([length_X.new_zeros(1), length_X.cumsum(0)])
        place_Z = torch.arange(int(offset_X[-1]), device=row_X.device) + torch.repeat_interleave(
            first_X - offset_X[:-1], length_X
        )
        return Features(offset_X, self.feature_Z[place_Z], self.weight_Z[place_Z], self.vector_RP[row_X])

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """The rows of several, one after another; their features have the same numbers."""
        lengths = torch.cat([part.offset_R.diff() for part in parts])
        offset_R = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        return cls(offset_R, *(torch.cat(tensors) for tensors in list(zip(*parts, strict=True))[1:]))

    def only(self, kept_R: Tensor) -> Features:
        """The same rows, of which those that are not kept, bool [rows], have no features."""
        length_R = self.offset_R.diff()
        offset_R = torch.cat([length_R.new_zeros(1), (length_R * kept_R).cumsum(0)])
        kept_Z = torch.repeat_interleave(kept_R, length_R)
        return Features(offset_R, self.feature_Z[kept_Z], self.weight_Z[kept_Z], self.vector_RP * kept_R[:, None])

    def known(self) -> Tensor:
        """Which rows have features or a vector, bool [rows]."""
        return (self.offset_R.diff() > 0) | self.vector_RP.any(dim=1)

    def padded(self, n_rows: int) -> Features:
        """The same with so many rows, or more; further ones have no features. Without any, nothing is copied."""
        missing = n_rows - self.n_rows
        if missing <= 0:
            return self
        offset_R = torch.cat([self.offset_R, self.offset_R[-1:].expand(missing)])
        vector_RP = torch.cat([self.vector_RP, self.vector_RP.new_zeros(missing, self.vector_RP.shape[1])])
        return self._replace(offset_R=offset_R, vector_RP=vector_RP)

    def shares(self, n_features: int) -> Features:
        """Features below this number alone, with weights that sum to 1 in each row that has some."""
        kept_Z = self.feature_Z < n_features
        before_Z = torch.cat([kept_Z.new_zeros(1, dtype=torch.int64), kept_Z.cumsum(0)])
        offset_R, weight_Z = before_Z[self.offset_R], self.weight_Z[kept_Z]
        row_Z = torch.repeat_interleave(torch.arange(self.n_rows, device=weight_Z.device), offset_R.diff())
        sum_R = weight_Z.new_zeros(self.n_rows).index_add_(0, row_Z, weight_Z)
        return Features(offset_R, self.feature_Z[kept_Z], weight_Z / sum_R[row_Z], self.vector_RP[:, :0])

    def matrix(self, n_features: int) -> scipy.sparse.csr_array:
        """The sparse features as a matrix in main memory, [rows, F]."""
        offset_R, feature_Z, weight_Z = (tensor.cpu().numpy() for tensor in self[:3])
        return scipy.sparse.csr_array((weight_Z, feature_Z, offset_R), shape=(self.n_rows, n_features))

    def to(self, device: torch.device) -> Features:
        """The same on a device."""
        return Features(*(tensor.to(device) for tensor in self))


class _Column(BaseModel):
    """One column; its features are numbered from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str

    @property
    def n_features(self) -> int:
        """Number of sparse features; none of vectors."""
        return 0

    @property
    def size(self) -> int:
        """How much it tells apart, for messages: see ``unit``."""
        return self.n_features


@dataclass(frozen=True, eq=False)  # columns are compared by their fields alone
class _Known:
    """What a column knows, made once for all requests.

    Attributes:
        table: See :func:`_numbers_of`.
        in_one_spelling: Whether its values are composed, and others are to be.
    """

    table: pl.DataFrame
    in_one_spelling: bool = False


class Categories(_Column):
    """A feature for each value of several items, weighed by its inverse document frequency."""

    kind: Literal["categories"] = "categories"
    unit: ClassVar[str] = "value"
    values: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.values)

    @classmethod
    def fit(cls, column: pl.Series) -> Categories:
        """On the values of all items."""
        counts = (
            column.explode().drop_nulls().alias("value").value_counts().filter(pl.col("count") >= LEAST_ITEMS)
        ).sort("count", "value", descending=[True, False])
        weights = _idf(counts["count"].to_numpy(), len(column))
        return cls(name=column.name, values=tuple(counts["value"]), weights=tuple(weights))

    def sparse(self, column: pl.Series) -> pl.DataFrame:
        """``row`` (place in the column), ``feature`` and ``weight`` of every feature of every item."""
        rows = column.alias("value").to_frame().with_row_index("row").explode("value").drop_nulls()
        return _numbered(
            rows.with_columns(composed(rows["value"])) if self._known.in_one_spelling else rows, self._known
        )

    @cached_property
    def _known(self) -> _Known:
        known = pl.Series("value", self.values, dtype=pl.String)
        if (alike := composed(known)).is_unique().all():  # a run of before may know two spellings of one value
            return _Known(_numbers_of(alike, self.weights), in_one_spelling=True)
        return _Known(_numbers_of(known, self.weights))

    @cached_property
    def truths(self) -> dict[str, str]:
        """The values that are truth values, by their text in lower case."""
        return {value.lower(): value for value in self.values if value.lower() in ("true", "false")}

    @cached_property
    def as_set(self) -> frozenset[str]:
        """The values."""
        return frozenset(self.values)


class Numbers(_Column):
    """A feature for each range between quantiles.

    Attributes:
        moments: Whether the training had moments or dates, in seconds here; runs of before do not say so.
    """

    kind: Literal["numbers"] = "numbers"
    unit: ClassVar[str] = "range"
    edges: tuple[float, ...]
    moments: bool = False

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.edges) + 1

    @classmethod
    def fit(cls, column: pl.Series) -> Numbers:
        """On the values of all items."""
        known = as_kind(column, NUMBER).drop_nulls().to_numpy()
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
        edges = edges[edges > known.min()]  # no range without items: a constant tells nothing
        return cls(name=column.name, edges=tuple(edges.tolist()), moments=column.dtype == MOMENT)

    def sparse(self, column: pl.Series) -> pl.DataFrame:
        """See :meth:`Categories.sparse`."""
        rows = column.alias("value").to_frame().with_row_index("row").drop_nulls()
        feature = np.searchsorted(np.array(self.edges), rows["value"].to_numpy(), side="right").astype(np.int64)
        return rows.select("row", feature=pl.Series(feature), weight=pl.lit(1.0, pl.Float32))


class Words(_Column):
    """A feature for each hashed word of several items, weighed by its inverse document frequency.

    Attributes:
        tokens: What a word is, see :data:`elcrec.data.words.WORDS_OF`; runs of before have another one.
    """

    kind: Literal["words"] = "words"
    unit: ClassVar[str] = "word"
    tokens: Tokens = "words"
    buckets: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.buckets)

    @classmethod
    def fit(cls, column: pl.Series) -> Words:
        """On the texts of all items."""
        tokens: Tokens = "marked"
        counts = (
            _buckets(column, tokens)
            .group_by("bucket")
            .len("items")
            .filter(pl.col("items") >= LEAST_ITEMS)
            .sort("items", "bucket", descending=[True, False])
            .head(MOST_WORDS)
        )
        weights = _idf(counts["items"].to_numpy(), len(column))
        return cls(name=column.name, tokens=tokens, buckets=tuple(counts["bucket"]), weights=tuple(weights))

    def sparse(self, column: pl.Series) -> pl.DataFrame:
        """See :meth:`Categories.sparse`."""
        return _numbered(_buckets(column, self.tokens), self._known)

    @cached_property
    def _known(self) -> _Known:
        return _Known(_numbers_of(pl.Series("bucket", self.buckets, dtype=pl.Int64), self.weights))


class Vectors(_Column):
    """Vectors that the caller brings, centred and scaled to a mean length of 1."""

    kind: Literal["vectors"] = "vectors"
    unit: ClassVar[str] = "dimension"
    mean: tuple[float, ...]
    scale: float

    @property
    def size(self) -> int:
        """Length of a vector."""
        return len(self.mean)

    @classmethod
    def fit(cls, column: pl.Series) -> Vectors:
        """On the vectors of all items."""
        _, known = vectors_in(column, vector_size(column))
        mean = known.mean(axis=0, dtype=np.float64)
        parts = [known[begin : begin + VECTORS_AT_ONCE] for begin in range(0, len(known), VECTORS_AT_ONCE)]
        length = sum(float(np.linalg.norm(part - mean, axis=1).sum()) for part in parts) / len(known)
        return cls(name=column.name, mean=tuple(mean.tolist()), scale=1 / length if length > 0 else 0.0)

    def dense(self, column: pl.Series) -> np.ndarray[Any, np.dtype[np.float32]]:
        """[rows, P], 0 where there is no vector of the right length."""
        found = np.zeros((len(column), len(self.mean)), dtype=np.float32)
        place_X, vector_XP = vectors_in(column, len(self.mean))
        for begin in range(0, len(place_X), VECTORS_AT_ONCE):
            part = slice(begin, begin + VECTORS_AT_ONCE)
            found[place_X[part]] = (vector_XP[part] - np.array(self.mean)) * self.scale
        return found

    def odd_note(self, ids: pl.Series, column: pl.Series, kind: str) -> str | None:
        """What to say of vectors of another length; None where there are none."""
        known = pl.DataFrame({"id": ids, "size": column.list.len()}).drop_nulls("size")
        odd = known.filter(pl.col("size") != self.size)
        if odd.is_empty():
            return None
        example = f"{kind} {odd['id'][0]!r} has {counted(odd['size'][0], 'number')}"
        if len(odd) == len(known):
            return f"no vector in {self.name!r} counts: {example}, and those of the training {self.size:,}"
        verb = "counts" if len(odd) == 1 else "count"
        which = f"{len(odd):,} of {len(known):,} vectors in {self.name!r}"
        return f"{which} {verb} as missing: {example}, and not {self.size:,}"


_KINDS: dict[str, pl.DataType] = {"categories": TEXTS, "numbers": NUMBER, "words": TEXT, "vectors": VECTOR}
FeatureColumn = Annotated[Categories | Numbers | Words | Vectors, Field(discriminator="kind")]


class FeatureSpace(BaseModel):
    """The features that a model knows, in the order of their numbers: those of the first column first.

    Attributes:
        columns: The columns that have features.
        left_out: Names of columns that tell nothing, see :mod:`elcrec.data.feature_agreement`.
        featureless: Why the other columns of the training have no features, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    columns: tuple[FeatureColumn, ...]
    left_out: tuple[str, ...] = ()
    featureless: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{column.name} ({counted(column.size, column.unit)})" for column in self.columns)

    @property
    def said(self) -> str:
        """What is learned from, and what is not."""
        left = f"; nothing is learned from {shown(self.left_out)}" if self.left_out else ""
        return f"features: {self}{left}{said_featureless(self.featureless)}"

    def without(self, names: tuple[str, ...]) -> FeatureSpace | None:
        """The same without some columns, in another numbering; None where none is left."""
        kept = tuple(column for column in self.columns if column.name not in names)
        return self.model_copy(update={"columns": kept, "left_out": names}) if kept else None

    @property
    def n_features(self) -> int:
        """Number of sparse features, F."""
        return sum(column.n_features for column in self.columns)

    @property
    def n_predicted(self) -> int:
        """How many of them, the first, a model predicts of the next item: all but words, where there are others."""
        others = sum(column.n_features for column in self.columns if column.kind != "words")
        return min(others or self.n_features, MOST_PREDICTED)

    @property
    def vector_size(self) -> int:
        """Length of all vectors of an item side by side, P."""
        return sum(column.size for column in self.columns if column.kind == "vectors")

    @classmethod
    def of(cls, items: pl.DataFrame, featureless: Mapping[str, str] = MappingProxyType({})) -> FeatureSpace:
        """On the features of items or users; without columns where there are none.

        Args:
            items: A row for each item, or user, that the model learns from.
            featureless: Why further columns have no features, by name.
        """
        kinds: dict[Any, Any] = {NUMBER: Numbers, MOMENT: Numbers, TEXT: Words, VECTOR: Vectors}
        known = [column for column in items.get_columns() if column.null_count() < len(column)]
        fitted = [kinds.get(column.dtype, Categories).fit(column) for column in known]
        useful = [column for column in fitted if column.n_features > 1 or column.kind == "vectors"]
        useful.sort(key=lambda column: column.kind == "words")  # words last: see n_predicted
        others = set(items.columns).difference(column.name for column in useful)
        useless = {column.name: why_useless(column) for column in items.get_columns() if column.name in others}
        return cls(columns=tuple(useful), featureless={**featureless, **useless})

    def notes_on_later(
        self, ids: pl.Series, features: pl.DataFrame, kind: str = "item", kept: Collection[str] = ()
    ) -> list[str]:
        """What to say of items, or users, given after the training: columns and vectors that the model cannot use.

        Args:
            ids: Of the items, or users.
            features: Theirs.
            kind: ``item`` or ``user``.
            kept: Columns that the run knows, whether it learned from them or not.
        """
        note = self._note_on_columns([name for name in features.columns if name not in kept], features.columns, kind)
        return [*([] if note is None else [note]), *self.notes_on_vectors(ids, features, kind)]

    def notes_on_vectors(self, ids: pl.Series, features: pl.DataFrame, kind: str = "item") -> list[str]:
        """What to say of vectors of another length than those that are learned from."""
        notes = [
            column.odd_note(ids, features[column.name], kind)
            for column in self.columns
            if isinstance(column, Vectors) and features.schema.get(column.name) == VECTOR
        ]
        return [note for note in notes if note is not None]

    def _note_on_columns(self, new: Sequence[str], names: Sequence[str], kind: str) -> str | None:
        """Which columns of the training are missing, and which were not there; None where all are the same."""
        known = [column.name for column in self.columns]
        missing = [name for name in known if name not in names]
        others = [name for name in new if name not in (*known, *self.left_out, *self.featureless)]
        not_there = f"the training did not learn from {shown(others)}"
        if missing:
            return (
                f"columns of the training are missing, or empty, in these {kind}s: {shown(missing)}"
                f"{f'; {not_there}' if others else ''}: "
                f"name columns as in the training, or the {kind}s have no features of them"
            )
        return f"{not_there}: only a training from scratch learns from what is there" if others else None

    def encode(self, items: pl.DataFrame, row_I: np.ndarray[Any, Any], n_rows: int) -> Features:
        """Features of items or users.

        Args:
            items: A row for each of I of them; columns that are missing are unknown.
            row_I: int64 [I], where the features of each go.
            n_rows: Number of rows.
        """
        first, parts, first_dimension = 0, [], 0
        vector_RP = np.zeros((n_rows, self.vector_size), dtype=np.float32)
        for column in self.columns:
            values = _values(column, items[column.name]) if column.name in items.columns else None
            if column.kind == "vectors":
                if values is not None:
                    vector_RP[row_I, first_dimension : first_dimension + column.size] = column.dense(values)
                first_dimension += column.size
            elif values is not None:
                parts.append(_normalised(column.sparse(values)).with_columns(pl.col("feature") + first))
            first += column.n_features
        empty = pl.DataFrame(schema={"row": pl.UInt32, "feature": pl.Int64, "weight": pl.Float32})
        pairs = pl.concat([empty, *parts]) if parts else empty
        pairs = pairs.with_columns(row=pl.Series(row_I)[pairs["row"]].cast(pl.Int64)).sort("row", "feature")
        count_R = np.bincount(pairs["row"].to_numpy(), minlength=n_rows)
        return Features(
            torch.from_numpy(np.concatenate([[0], count_R.cumsum()]).astype(np.int64)),
            torch.from_numpy(pairs["feature"].to_numpy(writable=True)),
            torch.from_numpy(pairs["weight"].to_numpy(writable=True)),
            torch.from_numpy(vector_RP),
        )


def _values(column: FeatureColumn, found: pl.Series) -> pl.Series:
    """What is found in a column, as what its features are made of; null where it is no such thing."""
    if isinstance(column, Numbers) and column.moments:
        found = as_kind(found, MOMENT)
    return as_kind(found, _KINDS[column.kind])


def said_featureless(columns: Mapping[str, str]) -> str:
    """Columns without features, and why, as the end of a sentence; nothing without any."""
    return f"; no features: {listed([f'{name} ({why})' for name, why in columns.items()])}" if columns else ""


def _idf(count_F: Any, n_items: int) -> list[float]:
    """Inverse document frequencies, at least a little above 0: of a feature of all items, too."""
    idf: list[float] = np.log((n_items + 1) / count_F).tolist()
    return idf


def _numbers_of(known: pl.Series, weights: tuple[float, ...]) -> pl.DataFrame:
    """Known values under their name, with ``feature`` and ``weight`` of each."""
    feature = pl.Series("feature", range(len(known)), dtype=pl.Int64)
    return pl.DataFrame([known, feature, pl.Series("weight", weights, dtype=pl.Float32)])


def _numbered(rows: pl.DataFrame, known: _Known) -> pl.DataFrame:
    """``row``, ``feature`` and ``weight`` of the rows whose value is known."""
    return rows.join(known.table, on=known.table.columns[0], maintain_order="left").select("row", "feature", "weight")


def _normalised(pairs: pl.DataFrame) -> pl.DataFrame:
    """Weights divided by the root of the number of features that an item has of this column."""
    return pairs.with_columns(weight=pl.col("weight") / pl.len().over("row").sqrt().cast(pl.Float32))


def _buckets(column: pl.Series, tokens: Tokens) -> pl.DataFrame:
    """``row`` and ``bucket`` of every distinct word of every text; ``tokens``: see :class:`Words`."""
    if column.is_empty():  # scikit-learn takes no empty list
        return pl.DataFrame(schema={"row": pl.UInt32, "bucket": pl.Int64})
    from sklearn.feature_extraction.text import HashingVectorizer  # takes over a second to import

    hashing = HashingVectorizer(
        n_features=WORD_BUCKETS, alternate_sign=False, norm=None, binary=True, analyzer=WORDS_OF[tokens]
    )
    found = hashing.transform(column.fill_null("").to_list()).tocoo()
    return pl.DataFrame({"row": found.row.astype(np.uint32), "bucket": found.col.astype(np.int64)}).sort(
        "row", "bucket"
    )
