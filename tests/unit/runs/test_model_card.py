"""What a model's README says of its results."""

from typing import Any

import pytest

from cli_runner import SMALL, shop_log, untrained
from elcrec import ELCRec, Interactions
from elcrec.evaluation.metrics import SHOWN_METRICS, SHOWN_OF_BASKETS
from elcrec.runs.model_card import model_card


@pytest.mark.parametrize(("judged_users", "said"), [(20, True), (100, False)])
def test_a_sample_of_users_is_called_one(judged_users: int, said: bool) -> None:
    model = ELCRec("default", **{**SMALL, "epochs": 1, "judged_users": judged_users})
    model.fit(shop_log(60), progress=False)
    card = model_card("default", model.settings, model.log.summary(), model.metrics)
    assert ("Evaluated on 20 of 60 users, sampled by the seed" in card) == said


def test_recall_is_shown_of_baskets() -> None:
    model = untrained(Interactions.read(shop_log(60)))
    figures = {**dict.fromkeys(SHOWN_OF_BASKETS, 0.25), "n_users": 60, "repeats": 0.0}
    by_name = {"markov": figures}
    for part, baselines, named in (
        (figures, by_name, SHOWN_OF_BASKETS),
        ({name: value for name, value in figures.items() if "recall" not in name}, {}, SHOWN_METRICS),
    ):
        metrics: Any = {"test": part, "baselines": {"test": baselines}}
        card = model_card("default", model.settings, model.log.summary(), metrics)
        headers = [line for line in card.splitlines() if line.startswith("| | ")]
        assert headers[0] == f"| | {' | '.join(named)} | users |"
        assert headers[1:] == [f"| | | {' | '.join(named)} |"] * len(baselines)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [("none", None), ("gap", "the times between them"), ("both", "their kinds (view, buy) and the times between them")],
)
def test_what_is_read_of_events_is_named(inputs: str, said: str | None) -> None:
    model = untrained(Interactions.read(shop_log(60)))
    settings = model.settings.model_copy(update={"event_inputs": inputs, "input_kinds": ("view", "buy")})
    card = model_card("default", settings, model.log.summary(), {})
    assert ("- Of the events of a history the model reads" in card) == (said is not None)
    assert said is None or f"in addition to the items, {said} (`event_inputs`)." in card


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
