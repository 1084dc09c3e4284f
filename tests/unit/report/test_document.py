"""The content of a report."""

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.report.document import report_document


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
