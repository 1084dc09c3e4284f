"""What a run keeps of item and user files, and what incremental training does with newer ones."""

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, Interrupted, run_cli
from elcrec import DataError, ELCRec, RunError
from elcrec.data import by_settings
from elcrec.data.catalogue import Catalogue
from elcrec.data.synthetic import make_shop
from elcrec.errors import DataWarning

QUICK: dict[str, Any] = {**SMALL, "epochs": 1, "baselines": False, "repeats": "none", "exclude_seen": True}
RARE = 3
"""Events that the log has of the item that comes later."""


def shop() -> pl.DataFrame:
    """A log with numbers as ids, one item of which is rare."""
    log = make_shop(120, 0.2, 1).log.frame.select("user_id", pl.col("item_id").rank("dense").cast(pl.Int64))
    log = log.with_columns(timestamp=pl.int_range(pl.len()))
    rare = pl.col("item_id") == 7
    return log.filter(~rare | (rare.cum_sum() <= RARE))


def events(item: int, n: int = 5) -> pl.DataFrame:
    """Later events of an item, each of another user."""
    users = shop()["user_id"].unique(maintain_order=True).head(n)
    return pl.DataFrame({"user_id": users, "item_id": [item] * n, "timestamp": range(10**6, 10**6 + n)})


def items(first: int = 1) -> pl.DataFrame:
    """Twice as many items as the log has."""
    number = pl.int_range(first, first + 2 * shop()["item_id"].max(), dtype=pl.Int64)  # type: ignore[operator]
    shelf = pl.format("shelf {}", number % 5)
    return pl.select(item_id=number, title=pl.format("thing {}", number), shelf=shelf, price=(number % 9).cast(float))


def trained(items: Any = None, out: Path | None = None, **settings: Any) -> ELCRec:
    fit = {name: settings.pop(name) for name in ("users", "progress", "resume") if name in settings}
    return ELCRec(seed=1, **{**QUICK, **settings}).fit(shop(), out, items=items, **{"progress": False, **fit})


def newer(model: ELCRec, log: pl.DataFrame, **tables: Any) -> ELCRec:
    return ELCRec.from_fitted(model.fitted).partial_fit(log, epochs=1, progress=False, **tables)


def features_of(model: ELCRec, item: int) -> list[Any]:
    [index] = model.items.indices([item])
    row = model.fitted.dataset.item_features().at(model.fitted.dataset.split.item_N.new_tensor([int(index)]))
    return [tensor.tolist() for tensor in row]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> ELCRec:
    """A model that knows neither the rare item nor those without events, loaded."""
    path = tmp_path_factory.mktemp("runs") / "run"
    trained(items(), path, min_item_count=5)
    return ELCRec.load(path)


@pytest.fixture(scope="module")
def plain() -> ELCRec:
    """A model that knows nothing of its items."""
    return trained()


def test_only_items_of_the_model_are_counted_shown_and_learned_from(filtered: ELCRec) -> None:
    known = set(filtered.items.ids)
    assert filtered.fitted.dataset.said_features()[0].startswith(f"{len(known)} of {len(known)} items are described")
    assert set(filtered.titles) == known
    assert filtered.catalogue is not None
    assert filtered.catalogue.frame["item_id"].equals(filtered.items.ids.alias("item_id"))
    narrow = trained(items().filter(pl.col("item_id").is_in(known)), min_item_count=5)
    assert narrow.fitted.dataset.features == filtered.fitted.dataset.features
    assert narrow.recommend(k=3).equals(filtered.recommend(k=3))


@pytest.mark.parametrize("item", [7, items()["item_id"][-1]], ids=["rare", "without events"])
def test_an_item_that_comes_later_has_what_the_first_file_says(filtered: ELCRec, item: int) -> None:
    assert item not in set(filtered.items.ids)
    after = newer(filtered, events(item, 8))
    assert after.titles[item] == f"thing {item}"
    given = newer(filtered, events(item, 8), items=items())
    assert features_of(after, item) == features_of(given, item)
    assert features_of(after, item)[1]
    assert after.recommend(k=3).equals(given.recommend(k=3))


def test_added_items_leave_the_others_known(filtered: ELCRec) -> None:
    added = ELCRec.from_fitted(filtered.fitted).add_items(items(5001).head(2))
    assert [added.titles[item] for item in (5001, 5002)] == ["thing 5001", "thing 5002"]
    assert newer(added, events(7)).titles[7] == "thing 7"


@pytest.mark.parametrize("version", ["now", "before"])
def test_a_training_is_resumed_with_its_items_and_no_others(version: str, tmp_path: Path) -> None:
    """Versions before kept the items of the model alone."""
    whole = trained(items(), min_item_count=5, epochs=2)
    for again, refused in ((items(), False), (None, False), (items().head(99), True)):
        out = tmp_path / f"{again is None}{refused}"
        with pytest.MonkeyPatch.context() as patch:
            if version == "before":
                patch.setattr(Catalogue, "known_to", Catalogue.matched)
            with pytest.raises(KeyboardInterrupt):
                trained(items(), out, min_item_count=5, epochs=2, progress=Interrupted())
        if refused:
            with pytest.raises(RunError, match="began with other items"):
                trained(again, out, min_item_count=5, epochs=2, resume=True)
        else:
            resumed = trained(again, out, min_item_count=5, epochs=2, resume=True)
            assert resumed.recommend(k=3).equals(whole.recommend(k=3))
            assert ELCRec.load(out).titles == whole.titles


def described(role: str, country: str = "Perú", year: int = 2020) -> pl.DataFrame:
    """What today's version reads in other kinds, and in another spelling, than earlier ones."""
    ids = shop()[role].unique(maintain_order=True)
    rows = range(len(ids))
    return pl.DataFrame(
        {
            role: ids,
            "country": [unicodedata.normalize("NFD", [country, "Chad", "Côte d\u2019Ivoire"][row % 3]) for row in rows],
            "since": [f"{year if row == 0 else 2010 + row % 7}-03-0{1 + row % 9}" for row in rows],
            "price_paid": [row % 5 + 1 for row in rows],
        }
    )


def read_before(read: Any) -> Any:
    """The same where dates are seconds, what a shop was paid is a name, and texts are as the file writes them."""

    def decomposed(text: str | None) -> str | None:
        return None if text is None else unicodedata.normalize("NFD", text)

    def before(given: Any, *rest: Any) -> Any:
        table = read(given, *rest)
        lists = pl.col("feature:country").list.eval(pl.element().map_elements(decomposed, pl.String))
        since, paid = pl.col("feature:since").dt.epoch("s"), pl.col("feature:price_paid").cast(int).cast(str)
        kept = table.table().with_columns(lists, since.cast(float), pl.concat_list(paid))
        if "attributes" in kept.columns:
            kept = kept.with_columns(attributes="feature:country")
        return replace(type(table).from_table(kept), featureless=table.featureless)

    return before


@pytest.mark.parametrize("role", ["item_id", "user_id"])
@pytest.mark.parametrize("form", ["frame", "csv"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_run_of_before_is_resumed_with_its_own_file(finished: bool, form: str, role: str, tmp_path: Path) -> None:
    def given(**values: Any) -> dict[str, Any]:
        table: Any = described(role, **values)
        if form == "csv":
            table, frame = tmp_path / "table.csv", table
            frame.write_csv(table)
        return {"items" if role == "item_id" else "users": table}

    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read_items", "read_users"):
            patch.setattr(f"elcrec.training.fit.{name}", read_before(getattr(by_settings, name)))
        if finished:
            trained(out=out, **given())
        else:
            with pytest.raises(KeyboardInterrupt):
                trained(out=out, **given(), epochs=2, progress=Interrupted())
    epochs = 1 if finished else 2
    for other in ({"country": "Peru"}, {"year": 2021}):
        with pytest.raises(RunError, match="began with other"):
            trained(out=out, **given(**other), epochs=epochs, resume=True)
    resumed = trained(out=out, **given(), epochs=epochs, resume=True)
    assert resumed.recommend(k=3).equals(ELCRec.load(out).recommend(k=3))


def test_a_file_of_some_columns_leaves_the_others(plain: ELCRec) -> None:
    with pytest.warns(DataWarning, match="the model does not change, what is known about its items does"):
        first = newer(plain, shop().head(5), items=items())
    prices = items().select("item_id", price=-pl.col("price"))
    second = newer(first, shop().head(5), items=prices)
    assert second.titles == first.titles
    assert len(first.titles) == len(plain.items)
    assert first.catalogue is not None
    assert second.catalogue is not None
    assert second.catalogue.frame.equals(first.catalogue.frame)
    assert second.catalogue.features["price"].equals(-first.catalogue.features["price"])


def test_users_keep_columns_that_a_newer_file_lacks() -> None:
    number = pl.col("user_id").rank("dense").cast(pl.Int64)
    users = shop().select(pl.col("user_id").unique(maintain_order=True))
    users = users.with_columns(country=pl.format("c{}", number % 3), age=number % 40 + 20)
    model = trained(users=users)
    with pytest.warns(DataWarning) as said:
        after = newer(model, shop().head(5), users=users.select("user_id", "age").head(9))
    assert not [one for one in said if "missing" in str(one.message)], "known users lack nothing"
    table, before = after.fitted.dataset.user_table, model.fitted.dataset.user_table
    assert table is not None
    assert before is not None
    assert table.features.select("country", "age").equals(before.features.select("country", "age"))
    with pytest.warns(DataWarning, match=r"1 of 2 values of 'age' \('old' of user "):
        newer(model, shop().head(5), users=users.head(2).with_columns(age=pl.Series(["31", "old"])))


@pytest.mark.parametrize("known", [1, 5])
def test_a_catalogue_of_upcoming_items_is_taken_with_a_warning(plain: ELCRec, known: int) -> None:
    upcoming = items(1000)
    log = pl.concat([events(item) for item in upcoming["item_id"][:known]])
    with pytest.warns(DataWarning, match=f"describes only {known} of .*: the others are kept until they have events"):
        first = newer(plain, log.with_columns(timestamp=10**6 + pl.int_range(pl.len())), items=upcoming)
    assert first.titles == dict(upcoming.select("item_id", "title").head(known).iter_rows())
    later = int(upcoming["item_id"][-1])
    assert newer(first, events(later)).titles[later] == f"thing {later}"


def test_a_catalogue_of_no_item_is_refused(plain: ELCRec) -> None:
    with pytest.raises(DataError, match="describes none of the model's items"):
        newer(plain, shop().head(5), items=items(1000))


def test_new_items_below_the_least_count_are_kept_too() -> None:
    model = trained(min_item_count=5)
    with pytest.warns(DataWarning, match="describes only 1 of"):
        after = newer(model, events(1000, 2), items=items(1000))
    assert after.catalogue is None
    assert after.fitted.dataset.said_features()[0].startswith("no item is described")
    assert newer(after, events(1000)).titles == {1000: "thing 1000"}


def test_a_model_without_item_features_says_that_it_learns_none(plain: ELCRec, tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="learns from none now: titles and attributes .* are kept; train from scratch"):
        newer(plain, events(7), items=items())
    plain.save(tmp_path / "run")
    events(7).write_csv(tmp_path / "new.csv")
    items().write_parquet(tmp_path / "items.parquet")
    files = (tmp_path / "new.csv", "--from", tmp_path / "run", "--items", tmp_path / "items.parquet")
    done = run_cli("train", *files, "--out", tmp_path / "next", "--epochs", 1)
    assert done.code == 0, done.err
    assert "train from scratch with --items to learn from their features" in " ".join(done.err.split())
    chosen = trained(items(), item_features=False)
    with pytest.warns(DataWarning) as said:
        newer(chosen, shop().head(5), items=items())
    assert not [one for one in said if "learns from none" in str(one.message)], "the caller decided so"
