"""A table of intents: their users and typical items."""

from __future__ import annotations

import polars as pl

from elcrec.data.catalogue import Catalogue

PRIOR_USERS = 10.0
"""Shrinkage of lift: an item counts as if this many more average users had it, so rare items need evidence."""


def users_by_item(intent_of_user: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """``intent``, ``item_id``, ``users``: how many users of each intent have each item; pairs without any are left out.

    Args:
        intent_of_user: ``user_id``, ``intent``.
        events: ``user_id``, ``item_id``.
    """
    pairs = events.select("user_id", "item_id").unique()
    return (
        pairs.join(intent_of_user.select("user_id", "intent"), on="user_id").group_by("intent", "item_id").len("users")
    )


def typical_items(intent_of_user: pl.DataFrame, events: pl.DataFrame, k: int) -> pl.DataFrame:
    """The items each intent's users take more often than others do.

    ``lift(i, c) = P(c | i) / P(c)`` over users, with ``P(c | i) = (n_ic + s P(c)) / (n_i + s)``, s = 10.

    Args:
        intent_of_user: ``user_id``, ``intent``.
        events: ``user_id``, ``item_id``.
        k: Items an intent.

    Returns:
        ``intent``, ``item_id``, ``users`` (of the intent who have the item), ``lift`` (above 0; 1 is average);
        highest lift first within an intent.
    """
    share = intent_of_user.group_by("intent").len("size").with_columns(share=pl.col("size") / len(intent_of_user))
    lift = (pl.col("users") + PRIOR_USERS * pl.col("share")) / (pl.col("n") + PRIOR_USERS) / pl.col("share")
    return (
        users_by_item(intent_of_user, events)
        .with_columns(n=pl.col("users").sum().over("item_id"))
        .join(share, on="intent")
        .with_columns(lift=lift)
        .sort(["intent", "lift", "users", "item_id"], descending=[False, True, True, False])
        .group_by("intent", maintain_order=True)
        .head(k)
        .select("intent", "item_id", "users", "lift")
    )


def typical_attributes(
    intent_of_user: pl.DataFrame, events: pl.DataFrame, catalogue: Catalogue, k: int
) -> pl.DataFrame:
    """The attributes of items that each intent's users take more often than others do.

    Args:
        intent_of_user: ``user_id``, ``intent``.
        events: ``user_id``, ``item_id``.
        catalogue: Whose attributes.
        k: Attributes an intent.

    Returns:
        ``intent``, ``attribute``, ``users`` (of the intent who have an item with it), ``lift``; see
        :func:`typical_items`.
    """
    taken = events.select("user_id", "item_id").unique().join(catalogue.pairs(), on="item_id")
    typical = typical_items(intent_of_user, taken.select("user_id", pl.col("attribute").alias("item_id")), k)
    return typical.rename({"item_id": "attribute"})
