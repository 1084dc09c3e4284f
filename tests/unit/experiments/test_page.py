"""The page of a suite: what is marked, and how plots are drawn."""

import re
from itertools import pairwise
from typing import Any

import pytest

from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.experiments.page import best_cells, html_page
from elcrec.experiments.plots import ROWS, pictures
from elcrec.experiments.summary import Line, accuracy_table
from elcrec.report.page import page_part


def result(value: float, seed: int = 1, epochs: int = 3) -> dict[str, Any]:
    metrics = dict.fromkeys(SHOWN_METRICS, value)
    history = [
        {"valid": {"ndcg@20": value * epoch / epochs}, "seconds": {"train": 2.0}} for epoch in range(1, epochs + 1)
    ]
    return {
        "seed": seed,
        "epochs": epochs,
        "best_epoch": epochs,
        "train_seconds": 2.0 * epochs,
        "peak_memory_bytes": 10**8,
        "intents": None,
        "machine": {"gpu": None, "processor": "a processor", "threads": 1},
        "date": "2026-11-29",
        "commit": "abc",
        "metrics": {"valid": metrics, "test": metrics},
        "history": history,
    }


def line(row: str, *values: float, data: str = "shop", epochs: int = 3) -> Line:
    return Line(data, data, row, [result(value, seed, epochs) for seed, value in enumerate(values)])


def test_the_best_means_of_each_data_set_are_marked() -> None:
    lines = [line("a", 0.1, 0.3), line("b", 0.25), line("c", 0.25), line("a", 0.9, data="films")]
    columns = range(3, 4 + len(SHOWN_METRICS))
    assert accuracy_table([])[0][3] == SHOWN_METRICS[0]
    assert best_cells(lines) == {(row, column) for row in (1, 2) for column in columns}, (
        "equals, and none that is alone"
    )
    page = html_page("suite", "a & b", lines, [])
    assert page.count('class="best"') == 2 * len(columns)
    assert "a &amp; b" in page


def test_plots_have_whole_epochs_and_a_line_style_and_a_label_for_each_row() -> None:
    pytest.importorskip("matplotlib")
    names = [f"row {number}" for number in range(5)]
    plots = pictures([line(name, 0.1 + 0.0001 * number, epochs=2) for number, name in enumerate(names)])
    assert [plot.caption.split(":")[0] for plot in plots] == ["shop"] * 3
    by_epoch = plots[0].svg
    ticks = re.findall(r'id="xtick_.*?<text[^>]*>([^<]*)</text>', by_epoch, flags=re.S)
    assert ticks == ["1", "2"]
    for number, name in enumerate(names):
        assert f">{name}</text>" in by_epoch
        assert f"var(--c{number})" in by_epoch
    assert not any(colour in plot.svg for plot in plots for colour in ROWS)
    heights = sorted(float(y) for y in re.findall(r' y="([\d.]+)"[^>]*>row \d</text>', by_epoch))
    assert len(heights) == 5
    assert min(high - low for low, high in pairwise(heights)) > 8, "labels of 8 points do not touch"


def test_colours_of_plots_are_those_of_the_page() -> None:
    light = page_part("page.css").split("@media")[0]
    for colour, name in ROWS.items():
        assert f"--{name}: {colour};" in light


def test_baselines_alone_have_no_curves() -> None:
    pytest.importorskip("matplotlib")
    alone = line("popularity", 0.1)
    del alone.documents[0]["history"]
    assert [plot.caption for plot in pictures([alone])] == ["shop: test ndcg@20 (bar: mean, points: seeds)"]
