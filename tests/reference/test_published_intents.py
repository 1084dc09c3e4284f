"""Everything people do with intents, on the published Beauty weights, which have collapsed."""

from pathlib import Path

import polars as pl
import pytest

from conftest import SHARED
from elcrec import ELCRec
from elcrec.report.document import report_document
from elcrec.report.page import render_report

WEIGHTS = SHARED / "reference" / "elcrec_beauty.safetensors"
ATTRIBUTES = SHARED / "data" / "Beauty_item2attributes.json"

pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason=f"no {WEIGHTS}")


@pytest.fixture(scope="module")
def model(beauty: Path) -> ELCRec:
    return ELCRec.from_published(WEIGHTS, beauty, items=ATTRIBUTES, fusion="shift")


def test_the_collapse_is_said_plainly(model: ELCRec) -> None:
    health = model.intent_health()
    assert health["used"] == 7
    assert health["largest_share"] > 0.99
    assert "collapsed" in health["warning"]


def test_published_intents_say_nothing_about_the_next_item(model: ELCRec) -> None:
    quality = model.intent_quality()
    assert abs(quality["learned"]["attribute_ami"]) < 0.005
    assert quality["learned"]["attribute_lift"] == pytest.approx(1, abs=0.02)
    assert quality["kmeans"]["attribute_ami"] > 0.02


def test_explanations_are_exact(model: ELCRec) -> None:
    users = model.users.ids.gather_every(700).to_list()
    for row in model.recommend(users, k=5, explain=True).iter_rows(named=True):
        total = sum(part["part"] for part in row["parts"]) + row["residual"] + row["steering"]
        assert total == pytest.approx(row["score"], abs=1e-4)
    user = users[3]
    rows = model.recommend([user], k=5, explain=True).filter(pl.col("intent").is_not_null())
    for row in rows.iter_rows(named=True):
        again = model.recommend([user], k=12_101, exclude_intents=[row["intent"]])
        assert again.filter(pl.col("item_id") == row["item_id"])["rank"].to_list() == [row["rank_without"]]


def test_steering_slates_and_audiences_work(model: ELCRec) -> None:
    used = model.intents(50).filter(pl.col("users") > 20).row(0, named=True)
    users = model.users.ids.gather_every(1000).to_list()
    listed = model.recommend(users, k=10, intents=[used["intent"]], strength=1.0)
    assert listed["item_id"].is_in(used["items"]).mean() >= 0.5
    assert model.slate(users, rows=2, k=3).height == len(users) * 6
    assert model.audience([used["intent"]]).height == used["users"]
    assert model.intent_timeline(users[0]).height > 3


def test_the_report_shows_the_warning(model: ELCRec) -> None:
    document = report_document(model, "Published weights", n_journeys=5)
    assert "collapsed" in document["health"]["warning"]
    assert document["curves"] == []
    page = render_report(document)
    assert 100_000 < len(page.encode()) < 10_000_000
