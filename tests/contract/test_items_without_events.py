"""Items that no training event has shown: where they rank, and what becomes of them night after night."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cli_runner import SMALL, shop_log
from elcrec import DataError, ELCRec, Interactions
from elcrec.data.synthetic import make_shop
from elcrec.errors import DataWarning
from elcrec.training.new_items import learned_items, vectors_of_new

NEW = [f"new {number}" for number in range(6)]


def shelves() -> pl.DataFrame:
    """What is known of the items of the small shop, six of each shelf or more."""
    frame = make_shop(300, 0.2, 1).shelf_of_item
    return frame.select("item_id", shelf="planted", title=pl.format("a thing of {}", "planted"))


def described(items: list[str], shelf: str) -> pl.DataFrame:
    return pl.DataFrame({"item_id": items, "shelf": shelf, "title": f"a thing of {shelf}"})


SHELVES = shelves()["shelf"].unique(maintain_order=True).to_list()


def trained(log: pl.DataFrame | None = None, **settings: Any) -> ELCRec:
    log = shop_log() if log is None else log
    return ELCRec(seed=1, baselines=False, **{**SMALL, **settings}).fit(log, items=shelves(), progress=False)


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return trained()


def copied(model: ELCRec) -> ELCRec:
    return ELCRec.from_fitted(model.fitted)


def later(share: float, item: str | None = None, days: int = 1) -> pl.DataFrame:
    """An event more, a day later, of this share of the users: of an item, or of what they took last."""
    last = shop_log().group_by("user_id", maintain_order=True).last()
    last = last.head(max(1, round(share * len(last)))).select(shop_log().columns)
    last = last.with_columns(pl.col("timestamp") + pl.duration(days=days))
    return last if item is None else last.with_columns(item_id=pl.lit(item))


def mean_rank(model: ELCRec, items: list[str]) -> float:
    """Of these items in the lists of all users."""
    ranked = model.recommend(k=len(model.items), exclude_seen=False)
    return float(ranked.filter(pl.col("item_id").is_in(items))["rank"].mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.01, 0.5])
@pytest.mark.parametrize("popularity", [0.2, 0.8])
def test_added_items_rank_alike_after_incremental_training(model: ELCRec, share: float, popularity: float) -> None:
    after = copied(model).add_items(described(NEW, SHELVES[0]), popularity)
    before = mean_rank(after, NEW)
    after.partial_fit(later(share), epochs=3, progress=False)
    twins = [f"twin {number}" for number in range(6)]
    anew = copied(after).add_items(described(twins, SHELVES[0]), popularity)
    assert mean_rank(anew, NEW) == pytest.approx(mean_rank(anew, twins), abs=7)
    assert mean_rank(after, NEW) == pytest.approx(before, abs=len(model.items) / 5)
    assert after.metrics["added_popularity"] == popularity


@pytest.mark.parametrize("newer", [later(0.5), later(0.01), shop_log()], ids=["much", "little", "nothing"])
def test_corrected_metadata_move_an_item_without_events(model: ELCRec, newer: pl.DataFrame) -> None:
    wrong, right = described(NEW, SHELVES[0]), described(NEW, SHELVES[1])
    corrected = copied(model).add_items(wrong)
    before = corrected.network.items_VD[-len(NEW) :].clone()
    corrected.partial_fit(newer, epochs=1, progress=False, items=right)
    at_once = copied(model).add_items(right)
    at_once.partial_fit(newer, epochs=1, progress=False, items=right)
    moved, wanted = corrected.network.items_VD[-len(NEW) :], at_once.network.items_VD[-len(NEW) :]
    assert (moved - wanted).norm() < 0.1 * (moved - before).norm()


def test_what_nobody_takes_in_training_tells_nothing_of_new_items(model: ELCRec) -> None:
    fitted, features = model.fitted, model.fitted.dataset.item_features()
    learned_V = learned_items(fitted.split, len(model.items))
    learned_V[:9] = False
    table = fitted.network.item_table
    known_VD, row_X = table.weight[1 : len(model.items) + 1].clone(), torch.tensor([3, 8])
    assert table.of_features is not None
    found = []
    for others in (0.0, 50.0):
        known_VD[~learned_V] = others
        found.append(vectors_of_new(known_VD, learned_V, table.of_features, features, row_X))
    assert torch.equal(found[0], found[1])


def test_many_items_are_regressed_on_some_of_them(model: ELCRec, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = copied(model).add_items(described(NEW, SHELVES[0])).network.items_VD[-len(NEW) :]
    monkeypatch.setattr("elcrec.training.new_items.MOST_REGRESSED", len(model.items) // 2)
    some = copied(model).add_items(described(NEW, SHELVES[0])).network.items_VD[-len(NEW) :]
    assert not torch.equal(some, whole)
    assert torch.nn.functional.cosine_similarity(some, whole).min() > 0.9


def test_training_places_items_of_held_out_events_by_their_features() -> None:
    """They are the newest in a real log: their only events are the last of their users."""
    log = pl.concat([shop_log(), later(0.05, NEW[0])])
    items = pl.concat([shelves(), described(NEW, SHELVES[0])])
    model = ELCRec(seed=1, baselines=False, **SMALL).fit(log, items=items, progress=False)
    assert not learned_items(model.fitted.split, len(model.items))[model.topn.item_numbers([NEW[0]])[0] - 1]
    model.add_items(described(NEW[1:], SHELVES[0]))
    assert mean_rank(model, NEW[:1]) == pytest.approx(mean_rank(model, NEW[1:]), abs=7)


def test_new_items_of_held_out_events_without_features_are_counted(model: ELCRec) -> None:
    with pytest.warns(DataWarning, match="1 new item of 1 have held-out events alone"):
        copied(model).partial_fit(later(0.05, "unheard of"), epochs=1, progress=False)


@pytest.mark.parametrize("rare", [{"min_item_count": 5}, {"k_core": 3}], ids=["count", "core"])
def test_events_of_added_items_count_however_rare_they_are(rare: dict[str, int], tmp_path: Path) -> None:
    few = later(0.007, NEW[0])
    log = pl.concat([shop_log(), few])
    model = trained(log, **rare)
    assert NEW[0] not in set(model.items.ids)
    model.add_items(described(NEW, SHELVES[0]))
    model.save(tmp_path / "run")
    for one in (model, ELCRec.load(tmp_path / "run")):
        seen = one.recommend(few["user_id"], k=len(one.items), exclude_seen=True)
        assert NEW[0] not in set(seen["item_id"])
        assert NEW[0] in set(one.recommend(few["user_id"], k=20, only_seen=True)["item_id"])
        assert one.find_items(NEW[0])["events"].to_list() == [len(few)]
        assert one.evaluate() == one.evaluate(log)
    assert model.metrics["test"] == model.evaluate()
    newest = later(0.01, NEW[1], days=2)
    model.partial_fit(newest, epochs=1, progress=False)
    model.save(tmp_path / "next")
    for one in (model, ELCRec.load(tmp_path / "next")):
        assert len(one.log.frame.filter(pl.col("item_id") == NEW[1])) == len(newest)
        assert NEW[1] not in set(one.recommend(newest["user_id"], k=len(one.items), exclude_seen=True)["item_id"])


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=8, max_size=40),
    known=st.sets(st.integers(0, 6)),
    limits=st.tuples(*[st.integers(1, 3)] * 3),
)
@settings(max_examples=150, deadline=None)
def test_known_items_lift_no_other_item_over_a_filter(
    pairs: list[tuple[int, int]], known: set[int], limits: tuple[int, int, int]
) -> None:
    log = Interactions.read(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"))
    try:
        plain = log.filtered(*limits)
    except DataError:
        return
    its_own = plain.frame["item_id"].unique()
    assert log.filtered(*limits, its_own).frame.equals(plain.frame)  # a run that added nothing is read as ever
    found = log.filtered(*limits, pl.Series(sorted(known), dtype=pl.Int64))
    items, users = set(found.frame["item_id"]), set(found.frame["user_id"])
    assert set(its_own) <= items <= set(its_own) | known
    assert set(plain.frame["user_id"]) <= users
    kept = log.frame.filter(pl.col("item_id").is_in([*its_own, *known]) & pl.col("user_id").is_in(users))
    assert found.frame.equals(kept)
    most = kept.group_by("user_id").len().filter(~pl.col("user_id").is_in(plain.frame["user_id"].implode()))
    assert (most["len"] >= max(limits[0], limits[2])).all()


def test_an_item_added_with_rare_events_tells_nothing_of_others_until_a_training(tmp_path: Path) -> None:
    log = pl.concat([later(0.01, NEW[0], days=-999), shop_log()])
    model = trained(log, min_item_count=5)
    model.add_items(described(NEW[:1], SHELVES[0]))
    assert learned_items(model.fitted.split, len(model.items))[-1]  # its events are no held-out ones
    model.save(tmp_path / "run")
    again, one, other = (ELCRec.load(tmp_path / "run") for _ in range(3))
    again.partial_fit(log, progress=False, items=described(NEW[:1], SHELVES[1]))  # no event is new
    assert not torch.allclose(again.network.items_VD[-1], model.network.items_VD[-1], atol=1e-2)
    other.network.item_table.weight.data[len(other.items)] += 1
    placed = [some.add_items(described(NEW[1:2], SHELVES[2])).network.items_VD[-1] for some in (one, other)]
    torch.testing.assert_close(placed[0], placed[1])


def test_the_same_metadata_again_change_nothing(model: ELCRec) -> None:
    after = copied(model).add_items(described(NEW, SHELVES[0]))
    version, items = after.version, pl.concat([shelves(), described(NEW, SHELVES[0])])
    with pytest.warns(DataWarning, match=r"the model does not change, what is known about its items does$"):
        after.partial_fit(shop_log(), progress=False, items=items)
    assert after.version == version
