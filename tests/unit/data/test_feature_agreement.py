"""Columns that tell nothing about what users take next are left out."""

import numpy as np
import polars as pl
import pytest
import torch

from elcrec import ELCRec
from elcrec.config import Settings
from elcrec.data.catalogue import Catalogue
from elcrec.data.company import Company
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions
from elcrec.errors import DataWarning

COMPANY = Company(n_users=400, n_items=120, n_interactions=6000, n_intents=6, seed=1)
LOG = Interactions.read(pl.concat(COMPANY.events()))


def metadata(seed: int) -> pl.DataFrame:
    """A column of each kind, as planted and of other items, drawn by the seed."""
    random = np.random.default_rng(seed)
    frame = COMPANY.catalogue()
    shelf = frame["category"].rank("dense").to_numpy()
    planted = pl.DataFrame(
        {
            "item_id": frame["item_id"],
            "shelf": frame["category"],
            "price": shelf * 10.0 + random.random(len(shelf)),
            "title": [f"a fine thing of shelf{number} number{at}" for at, number in enumerate(shelf)],
            "picture": (np.eye(16)[shelf.astype(int) % 16] + random.normal(0, 0.1, (len(shelf), 16))).tolist(),
        }
    )
    names = ("shelf", "price", "picture")
    other = planted.select(pl.col(name).shuffle(10 * seed + at).alias(f"other_{name}") for at, name in enumerate(names))
    return planted.hstack(other)


@pytest.mark.filterwarnings("ignore::elcrec.errors.DataWarning")
@pytest.mark.parametrize("seed", range(5))
def test_planted_columns_stay_and_those_of_other_items_go(seed: int) -> None:
    dataset = Dataset.of(LOG, Settings(), torch.device("cpu"), Catalogue.read(metadata(seed)))
    space = dataset.with_features(Settings()).features
    assert space is not None
    kept = {column.name for column in space.columns}
    assert {"shelf", "price", "title", "picture"} <= kept
    # By chance a shuffled column stays now and then.
    assert len(kept - {"shelf", "price", "title", "picture"}) <= 1
    assert set(space.left_out) == {"other_shelf", "other_price", "other_picture"} - kept
    assert all(repr(name) in dataset.with_features(Settings()).said_features()[0] for name in space.left_out)


def test_where_all_columns_are_left_out_a_model_learns_from_events_alone() -> None:
    items = metadata(1).select("item_id", "other_shelf")
    dataset = Dataset.of(LOG, Settings(), torch.device("cpu"), Catalogue.read(items))
    with pytest.warns(DataWarning, match="'other_shelf' of the items: .* \\(item_features=false: learn from no column"):
        dataset = dataset.with_features(Settings())
    assert dataset.features is None
    assert dataset.said_features()[0] == "120 of 120 items are described; nothing is learned from it"


def test_a_column_stays_whose_popular_items_differ() -> None:
    """Users return to a value, but most items share another one: those of other events would be even more alike."""
    random = np.random.default_rng(1)
    value_of = ["common"] * 80 + [f"value {at % 4}" for at in range(20)]
    rows = []
    for user in range(200):
        liked = 80 + user % 4
        for time in range(12):
            item = liked + 4 * random.integers(5) if random.random() < 0.4 else random.integers(60, 100)
            rows.append((user, int(item), time))
    log = Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))
    items = pl.DataFrame({"item_id": range(100), "value": value_of, "other": pl.Series(value_of).shuffle(3)})
    dataset = Dataset.of(log, Settings(), torch.device("cpu"), Catalogue.read(items))
    with pytest.warns(DataWarning, match="nothing is learned from 'other'"):
        space = dataset.with_features(Settings()).features
    assert space is not None
    assert space.left_out == ("other",)


def test_held_out_events_decide_nothing() -> None:
    frame, items = LOG.frame, metadata(1)
    last = pl.int_range(pl.len()).over("user_id") >= pl.len().over("user_id") - 2
    others = frame["item_id"].unique().sort()
    changed = frame.with_columns(item_id=pl.when(last).then(others[0]).otherwise(pl.col("item_id")))
    found = []
    for log in (frame, changed):
        dataset = Dataset.of(Interactions.read(log), Settings(), torch.device("cpu"), Catalogue.read(items))
        with pytest.warns(DataWarning, match="nothing is learned from"):
            space = dataset.with_features(Settings()).features
        assert space is not None
        found.append(space.left_out)
    assert found[0] == found[1]


def test_few_events_decide_nothing() -> None:
    few = Interactions.read(LOG.frame.head(600))
    dataset = Dataset.of(few, Settings(), torch.device("cpu"), Catalogue.read(metadata(1)))
    space = dataset.with_features(Settings()).features
    assert space is not None
    assert space.left_out == ()


def test_what_is_left_out_is_kept_with_the_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    sizes = {"embedding_dim": 16, "n_layers": 1, "epochs": 1, "n_intents": 4, "baselines": False}
    with pytest.warns(DataWarning, match="'other_shelf'"):
        ELCRec(seed=1, **sizes).fit(LOG, tmp_path / "run", items=metadata(1), progress=False)
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.fitted.dataset.features is not None
    assert "other_shelf" in loaded.fitted.dataset.features.left_out
    assert "nothing is learned from" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_columns_stay_where_no_described_item_is_in_the_pairs_that_are_read() -> None:
    """Described items are held out, all of them, so nothing is known of those that are trained on."""
    last = pl.int_range(pl.len()).over("user_id") == (pl.len().over("user_id") - 1).clip(lower_bound=4)
    new = pl.format("new{}", pl.int_range(pl.len()).over("user_id") % 3 + pl.col("user_id").rank("dense") % 9)
    log = Interactions.read(LOG.frame.with_columns(item_id=pl.when(last).then(new).otherwise(pl.col("item_id"))))
    described = log.frame["item_id"].unique().sort()
    described = described.filter(described.cast(pl.String).str.starts_with("new"))
    items = metadata(1).drop("item_id").head(len(described)).with_columns(item_id=described)
    dataset = Dataset.of(log, Settings(), torch.device("cpu"), Catalogue.read(items))
    space = dataset.with_features(Settings()).features
    assert space is not None
    assert space.left_out == ()
    assert "words" in [column.kind for column in space.columns]
