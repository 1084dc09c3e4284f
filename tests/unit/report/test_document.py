"""The content of a report."""

from datetime import date

import polars as pl

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.report.document import report_document

TINY = {**SMALL, "epochs": 1, "baselines": False}


def test_baselines_are_in_the_report_the_best_first() -> None:
    model = ELCRec("default", seed=3, **{**SMALL, "epochs": 1}).fit(shop_log(60), progress=False)
    shown = report_document(model, "Shop")["model"]["baselines"]
    assert set(shown) == {"valid", "test"}
    for part, rows in shown.items():
        stored = model.metrics["baselines"][part]
        assert {row["name"] for row in rows} == set(stored)
        assert [row["ndcg@20"] for row in rows] == sorted((each["ndcg@20"] for each in stored.values()), reverse=True)


def test_a_report_without_baselines_shows_none() -> None:
    model = ELCRec("default", seed=3, **{**SMALL, "epochs": 1, "baselines": False}).fit(shop_log(60), progress=False)
    assert report_document(model, "Shop")["model"]["baselines"] == {}


def test_days_are_days_whatever_counts_them_and_none_where_nothing_does() -> None:
    days = pl.Series([date(2014, 5, 13), date(2014, 7, 2)])
    seconds = days.dt.epoch("s")
    columns = {"date": days, "moment": days.cast(pl.Datetime("us")), "s": seconds, "ms": seconds * 1000.0}
    log = shop_log(60).with_columns(at=pl.int_range(pl.len()) % 2)
    for name, times in columns.items():
        timed = log.with_columns(timestamp=times.gather(log["at"])).drop("at")
        made = report_document(ELCRec(seed=3, **TINY).fit(timed, progress=False), "Shop", 2)
        assert (made["model"]["first"], made["model"]["last"]) == ("2014-05-13", "2014-07-02"), name
        assert {event["time"][:10] for event in made["journeys"][0]["events"]} <= {"2014-05-13", "2014-07-02"}, name
        assert made["trend_labels"][0] == "2014-05-13", name
    counted = log.with_columns(timestamp=pl.col("at") + 1).drop("at")
    made = report_document(ELCRec(seed=3, **TINY).fit(counted, progress=False), "Shop", 2)
    assert (made["model"]["first"], made["model"]["last"]) == (None, None)
    assert {event["time"] for event in made["journeys"][0]["events"]} == {None}


def test_shares_of_a_history_and_what_its_recommendations_resemble() -> None:
    model = ELCRec(seed=3, **TINY).fit(shop_log(60), progress=False)
    for journey in report_document(model, "Shop", 5)["journeys"]:
        shares = [each["share"] for each in journey["shares"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-9
        had = {event["item"] for event in journey["events"]}
        assert all(each["like"] is None or each["like"]["item"] in had for each in journey["recommendations"])
