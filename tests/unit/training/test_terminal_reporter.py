"""What the terminal shows of a training."""

import io
from typing import Any

from rich.console import Console

from elcrec.training.report import TerminalReporter


def test_a_line_names_the_best_baseline_and_what_is_left_out() -> None:
    text = io.StringIO()
    metrics: Any = {
        "valid": {"ndcg@20": 0.3},
        "baselines": {
            "valid": {"markov": {"ndcg@20": 0.1}, "item-knn": {"ndcg@20": 0.2}},
            "left_out": {"up-cf": "too large: 2 histories times 3 users"},
        },
    }
    TerminalReporter(Console(file=text)).baselines(metrics)
    assert text.getvalue().splitlines() == [
        "2 baselines  best by valid ndcg@20: item-knn 0.2000, the model 0.3000",
        "baseline up-cf left out: too large: 2 histories times 3 users",
    ]
    TerminalReporter(Console(file=text)).baselines({})
    assert len(text.getvalue().splitlines()) == 2
