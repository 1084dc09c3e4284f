import json
from typing import Any

import pytest

from elcrec.cli.output import print_json, say_metrics
from elcrec.evaluation.baselines import BASELINES
from elcrec.evaluation.metrics import PRINTED_METRICS, PRINTED_OF_BASKETS, SHOWN_METRICS, SHOWN_OF_BASKETS


def test_what_is_printed_is_json_whatever_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5, True, None], "b": {"c": (float("inf"), "é")}, "d": -float("inf")})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": [None, 1.5, True, None], "b": {"c": [None, "é"]}, "d": None}
    assert "Infinity" not in text
    assert "NaN" not in text


def test_baselines_stand_below_the_model_the_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    low, high = (dict.fromkeys(SHOWN_METRICS, value) for value in (0.25, 0.5))
    metrics: dict[str, Any] = {
        "valid": {**high, "n_users": 1234},
        "test": {**high, "n_users": 1234},
        "baselines": {
            "test": {"popularity": low, "buy-again": high},
            "other_way": {"exclude_seen": True, "test": {"model": high}},
        },
    }
    say_metrics(metrics)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line] == [
        *("split", "valid", "test", "buy-again", "popularity"),
        *("the", "split", "test", "model"),
    ]
    assert "the same with seen items excluded" in lines
    header, valid = lines[:2]
    assert header.index("ndcg@20") + len("ndcg@20") == valid.rindex("0.5000") + len("0.5000")
    say_metrics({"test": metrics["test"]})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["split", "test"]


def test_recall_is_printed_of_baskets(capsys: pytest.CaptureFixture[str]) -> None:
    figures = dict.fromkeys(SHOWN_OF_BASKETS, 0.25)
    say_metrics({"test": {**figures, "n_users": 9}, "baselines": {"test": {"markov": figures}}})
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["split", *PRINTED_OF_BASKETS, "users"]
    assert [len(row.split()) for row in rows] == [len(PRINTED_OF_BASKETS) + 2, len(PRINTED_OF_BASKETS) + 1]


@pytest.mark.parametrize("shown", [SHOWN_METRICS, SHOWN_OF_BASKETS])
def test_a_table_fits_a_terminal_of_80_columns(shown: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    figures = dict.fromkeys(shown, 0.25)
    by_name = dict.fromkeys(BASELINES, figures)
    say_metrics({"test": {**figures, "n_users": 1_000_000}, "baselines": {"test": by_name}})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert set(lines[0].split()) >= {"hit_rate@10", "ndcg@10", "ndcg@20"}
    assert set(PRINTED_METRICS) <= set(SHOWN_METRICS)
    assert set(PRINTED_OF_BASKETS) <= set(SHOWN_OF_BASKETS)


def test_sentences_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    figures = dict.fromkeys(SHOWN_METRICS, 0.25)
    say_metrics({"test": {**figures, "n_users": 9, "n_items": 1000, "ceiling": 0.9}})
    streams = capsys.readouterr()
    assert [line.split()[0] for line in streams.out.splitlines()] == ["split", "test"]
    assert "10.0% of the held-out items cannot be found" in streams.err
