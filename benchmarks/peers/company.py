"""A generated log in the benchmark format, for run.py: histories of five items and more, about a million rows.

python benchmarks/peers/company.py company-1m.txt --rows 1000000 --items 20000
"""

import argparse
import tempfile
from pathlib import Path

import polars as pl

from elcrec.data.company import Company, write_company

LEAST = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        # A tenth more: what short histories take away.
        company = Company(
            n_users=arguments.rows // 10, n_items=arguments.items, n_interactions=arguments.rows * 11 // 10, seed=1
        )
        write_company(company, log, lambda rows: None)
        rows = pl.read_parquet(log).sort("user_id", "timestamp", maintain_order=True)
    histories = (
        rows.group_by("user_id", maintain_order=True).agg("item_id").filter(pl.col("item_id").list.len() >= LEAST)
    )
    line = pl.concat_str(
        pl.col("user_id") + 1, pl.col("item_id").cast(pl.List(pl.String)).list.join(" "), separator=" "
    )
    arguments.out.write_text("\n".join(histories.select(line).to_series()) + "\n")
    print(f"{histories.height:,} users, {histories['item_id'].list.len().sum():,} interactions in {arguments.out}")


if __name__ == "__main__":
    main()
