"""What the terminal shows of a training."""

import io
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
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


def test_a_line_says_what_fitted_repeat_scores_change() -> None:
    text = io.StringIO()
    reporter = TerminalReporter(Console(file=text))
    reporter.repeats(0.25, 0.25)
    reporter.repeats(0.25, 0.275)
    assert text.getvalue() == "repeat scores fitted on validation: ndcg@20 0.2750, before 0.2500\n"


@pytest.mark.parametrize("best_epoch", [100, 87])
@pytest.mark.parametrize("n_losses", [1, 5])
@pytest.mark.parametrize(("terminal", "width"), [(True, 80), (True, 60), (True, 200), (False, 80)])
def test_the_line_of_an_epoch_fits_a_terminal_and_is_whole_in_a_file(
    n_losses: int, best_epoch: int, terminal: bool, width: int
) -> None:
    names = ("next_item", "instance", "intent", "cluster", "centers")[:n_losses]
    record: Any = {
        "epoch": 100,
        "losses": {"total": 12.345, **dict.fromkeys(names, 1.5)},
        "valid": {"ndcg@20": 0.1234},
        "intents": {"used": 1024, "effective": 987.6, "largest_share": 0.123},
        "seconds": {"train": 1234.5},
    }
    progress: Any = SimpleNamespace(best_epoch=best_epoch, best_value=0.1234)
    text = io.StringIO()
    reporter = TerminalReporter(Console(file=text, force_terminal=terminal, no_color=True, width=width))
    reporter._settings = cast("Any", SimpleNamespace(epochs=1000))
    reporter.epoch(record, progress)
    [line] = re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue()).splitlines()
    shown = "best" if best_epoch == 100 else "(best 0.1234, epoch 87)"
    head = f"epoch 100/1000  valid ndcg@20 0.1234 {shown}  1234.5 s"
    parts = ["  loss 12.345", "  intents 1024 used", ", 988 effective, largest 12.3%", "  losses"]
    whole = "".join([head, *parts, *(f" {name} 1.500" for name in names)])
    assert whole.startswith(line)
    assert line.startswith(head)
    assert len(line) <= max(width, len(head)) if terminal else line == whole
    assert len(head) < 80
