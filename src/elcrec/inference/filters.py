"""Which items may be recommended: those of an allow list, none of a deny list, those with attributes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec.data.attribute_columns import TEXTS
from elcrec.data.columns import shown
from elcrec.data.feature_columns import TEXT
from elcrec.data.markup import composed, own_composed
from elcrec.data.vocabulary import Indices
from elcrec.errors import SettingsError
from elcrec.fitted import FittedModel
from elcrec.inference.policy import RankingPolicy
from elcrec.process.wording import argument

SHOWN = 80
"""Characters of an attribute that a message shows."""
MOST_COMPARED = 10_000
"""Of more attributes none is compared letter by letter with one that is misspelt."""


class ItemFilters:
    """Finds the items that a policy leaves out."""

    def __init__(self, fitted: FittedModel) -> None:
        """Of a model and its item metadata."""
        self.items, self.catalogue, self.titles = fitted.items, fitted.catalogue, fitted.dataset.titles
        self._by_column: dict[str, dict[str, Indices]] = {}

    def barred(self, policy: RankingPolicy) -> Tensor:
        """Items that may not be recommended: bool [V + 1].

        Raises:
            SettingsError: No item has an attribute.
            UnknownIdError: An item of ``allow`` or ``deny`` is not known, unless ``unknown`` is ``skip``.
        """
        # An item has to be in each of these.
        allowed = [] if policy.allow is None else [self._listed(policy.allow, policy.unknown)]
        allowed += [np.concatenate(self._with_attributes(policy.attributes))] if policy.attributes else []
        allowed += self._with_attributes(policy.all_attributes)
        barred_V = torch.zeros(len(self.items) + 1, dtype=torch.bool)
        for index in allowed:
            outside_V = torch.ones_like(barred_V)
            outside_V[torch.from_numpy(index)] = False
            barred_V |= outside_V
        barred_V[torch.from_numpy(self._listed(policy.deny, policy.unknown))] = True
        return barred_V

    def _listed(self, ids: Sequence[Any], unknown: str) -> Indices:
        """Items by their ids or whole titles."""
        index = self.items.found(ids)
        unfound = np.flatnonzero(index < self.items.first)
        index[unfound] = self.titles.indices([ids[place] for place in unfound.tolist()], unknown)
        return index[index >= self.items.first]

    def _with_attributes(self, attributes: Sequence[str]) -> list[Indices]:
        """The items of each attribute, a value or ``COLUMN=VALUE``; a value is understood first."""
        return [self._of_attribute(str(one)) for one in attributes]

    def _of_attribute(self, attribute: str) -> Indices:
        value = own_composed(attribute)
        return self._by_value[value] if value in self._by_value else self._in_column(attribute)

    @cached_property
    def _by_value(self) -> dict[str, Indices]:
        """The items of each attribute, in whichever column."""
        return {} if self.catalogue is None else self._grouped(self.catalogue.pairs())

    @cached_property
    def _columns(self) -> list[str]:
        """Names of the columns with attributes."""
        columns = [] if self.catalogue is None else self.catalogue.features.get_columns()
        return [column.name for column in columns if column.dtype in (TEXTS, TEXT)]

    def _in_column(self, attribute: str) -> Indices:
        """The items of ``COLUMN=VALUE``.

        Raises:
            SettingsError: There are none.
        """
        column, equals, value = (own_composed(part) for part in attribute.partition("="))
        none = f"no item has the attribute {attribute[:SHOWN]!r}"
        if not self._by_value and not self._columns:
            raise SettingsError(f"{none}: the model knows no attributes of items ({argument('items')} in training)")
        if not equals:
            raise SettingsError(f"{none}{_nearest(column, self._by_value)}")
        names = {own_composed(name): name for name in self._columns}
        if column not in names:
            raise SettingsError(f"{none}: the columns with attributes are {shown(self._columns) or 'none'}")
        known = self._values_of(names[column])
        if value not in known:
            raise SettingsError(f"no item has {value[:SHOWN]!r} in the column {column!r}{_nearest(value, known)}")
        return known[value]

    def _values_of(self, column: str) -> dict[str, Indices]:
        """The items of each value of a column; kept, since the next request may name it too."""
        if column not in self._by_column and self.catalogue is not None:
            pairs = pl.DataFrame([self.catalogue.frame["item_id"], self.catalogue.features[column].alias("attribute")])
            lists = pairs.schema["attribute"] == TEXTS
            self._by_column[column] = self._grouped((pairs.explode("attribute") if lists else pairs).drop_nulls())
        return self._by_column[column]

    def _grouped(self, pairs: pl.DataFrame) -> dict[str, Indices]:
        """``item_id`` and ``attribute`` as the items of each attribute."""
        numbered = pairs.with_columns(
            composed(pairs["attribute"]), index=pl.Series(self.items.indices(pairs["item_id"]))
        )
        return {name: np.array(index) for name, index in numbered.group_by("attribute").agg("index").iter_rows()}


def _nearest(given: str, known: Collection[str]) -> str:
    """What of the known values may be meant, or some of them."""
    close = difflib.get_close_matches(given, known, n=1) if len(known) <= MOST_COMPARED else []
    return f": did you mean {close[0]!r}?" if close else f": there are {shown(list(known))}"
