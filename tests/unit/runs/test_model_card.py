"""What a model's README says of its results."""

import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.runs.model_card import model_card


@pytest.mark.parametrize(("judged_users", "said"), [(20, True), (100, False)])
def test_a_sample_of_users_is_called_one(judged_users: int, said: bool) -> None:
    model = ELCRec("default", **{**SMALL, "epochs": 1, "judged_users": judged_users})
    model.fit(shop_log(60), progress=False)
    card = model_card("default", model.settings, model.log.summary(), model.metrics)
    assert ("Evaluated on 20 of 60 users, sampled by the seed" in card) == said


def test_baselines_stand_next_to_the_model() -> None:
    figures = dict.fromkeys(SHOWN_METRICS, 0.25)
    model = ELCRec("default", **{**SMALL, "epochs": 1}).fit(shop_log(60), progress=False)
    baselines = {
        "valid": {"markov": figures},
        "test": {"popularity": figures, "up-cf": {**figures, "ndcg@20": 0.5}},
        "other_way": {"exclude_seen": False, "test": {"model": figures, "buy-again": figures}},
        "left_out": {"tifu-knn": "too large: 2 histories times 3 users"},
    }
    card = model_card("default", model.settings, model.log.summary(), {**model.metrics, "baselines": baselines})
    lines = card.splitlines()
    rows = [line.split(" | ")[:2] for line in lines if line.startswith(("| valid | ", "| test | "))]
    assert [row[1] for row in rows if not row[1][0].isdigit()] == [
        "markov",
        "up-cf",
        "popularity",
        "model",
        "buy-again",
    ]
    assert "With seen items ranked:" in lines
    assert "Baselines left out: `tifu-knn` (too large: 2 histories times 3 users)." in lines
    without = model_card("default", model.settings, model.log.summary(), {**model.metrics, "baselines": {}})
    assert "Baselines" not in without
