"""What a recommended item resembles in a history: a reason of its own for each item of a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl
import torch
import torch.nn.functional as F

from elcrec.fitted import FittedModel

NEAREST = 5
SHARED = 3


class Resembled(NamedTuple):
    """The item of a history that a recommended item is named with.

    Attributes:
        item: Its id; None where no other item of the history has a vector that points the same way.
        shared: Attributes that both have, in the catalogue's order.
    """

    item: Any | None
    shared: list[str]


class Resemblance:
    """Between the items of a fitted model, by the cosine of their learned vectors."""

    def __init__(self, fitted: FittedModel) -> None:
        """Of a model."""
        self.fitted = fitted

    def of_list(self, items: Sequence[Any], history: Iterable[Any]) -> list[Resembled]:
        """The items that the items of a list resemble most.

        Args:
            items: Recommended item ids, best first.
            history: Ids of the user's items.

        Returns:
            One each: the nearest of the history, of the five nearest the first that no item before is named with.
            An item does not resemble itself.
        """
        had = list(dict.fromkeys(history))
        if not items or not had:
            return [Resembled(None, []) for _ in items]
        cosine_KH = self._vectors(items) @ self._vectors(had).T
        attributes = self._attributes([*items, *had])
        named: set[Any] = set()
        found = []
        for item, cosine_H in zip(items, cosine_KH, strict=True):
            nearest = _nearest(item, had, cosine_H)
            like = next((one for one in nearest if one not in named), nearest[0] if nearest else None)
            named.add(like)
            theirs = attributes.get(like, [])
            found.append(Resembled(like, [one for one in attributes.get(item, []) if one in theirs][:SHARED]))
        return found

    def _vectors(self, items: Sequence[Any]) -> torch.Tensor:
        index_N = torch.from_numpy(self.fitted.items.indices(items)).to(self.fitted.device)
        return F.normalize(self.fitted.network.item_table.weight.detach()[index_N], dim=1).cpu()

    def _attributes(self, items: list[Any]) -> dict[Any, list[str]]:
        if self.fitted.catalogue is None:
            return {}
        frame = self.fitted.catalogue.frame
        wanted = pl.Series(items, dtype=frame["item_id"].dtype)
        some = frame.filter(pl.col("item_id").is_in(wanted.implode())).select("item_id", "attributes")
        return {item: attributes or [] for item, attributes in some.iter_rows()}


def _nearest(item: Any, had: list[Any], cosine_H: torch.Tensor) -> list[Any]:
    """The nearest other items of a history that point the same way."""
    order = cosine_H.argsort(descending=True, stable=True).tolist()
    return [had[at] for at in order if cosine_H[at] > 0 and had[at] != item][:NEAREST]
