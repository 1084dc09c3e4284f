"""A table of intents: how many users each has and what they typically take."""

from __future__ import annotations

from typing import Any

import polars as pl

# An item is judged as if this many more average users had it: rare items need evidence.
PRIOR_USERS = 10.0


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
    pairs = events.select("user_id", "item_id").unique().join(intent_of_user, on="user_id")
    lift = (pl.col("users") + PRIOR_USERS * pl.col("share")) / (pl.col("n") + PRIOR_USERS) / pl.col("share")
    return (
        pairs.group_by("intent", "item_id")
        .len("users")
        .with_columns(n=pl.col("users").sum().over("item_id"))
        .join(share, on="intent")
        .with_columns(lift=lift)
        .sort(["intent", "lift", "users", "item_id"], descending=[False, True, True, False])
        .group_by("intent", maintain_order=True)
        .head(k)
        .select("intent", "item_id", "users", "lift")
    )


def intent_rows(intent_of_user: pl.DataFrame, events: pl.DataFrame, n_intents: int, k: int) -> list[dict[str, Any]]:
    """One row an intent, the largest first, unused ones last.

    Returns:
        ``intent``, ``users``, ``share`` (0 to 1), ``items`` (ids by lift) and ``lifts``.
    """
    sizes = dict(intent_of_user.group_by("intent").len().iter_rows())
    typical = typical_items(intent_of_user, events, k).partition_by("intent", as_dict=True)
    rows = []
    for intent in sorted(range(n_intents), key=lambda number: (-sizes.get(number, 0), number)):
        items = typical.get((intent,))
        rows.append(
            {
                "intent": intent,
                "users": sizes.get(intent, 0),
                "share": sizes.get(intent, 0) / len(intent_of_user),
                "items": [] if items is None else items["item_id"].to_list(),
                "lifts": [] if items is None else [round(lift, 3) for lift in items["lift"].to_list()],
            }
        )
    return rows
