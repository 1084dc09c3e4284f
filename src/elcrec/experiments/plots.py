"""Plots of a suite as SVG text: validation curves and test metrics of each row. Needs the extra ``benchmark``."""

from __future__ import annotations

import importlib.util
import io
from collections import defaultdict
from itertools import accumulate
from statistics import mean
from typing import Any

from elcrec.errors import SettingsError
from elcrec.experiments.summary import TESTED, Line


def require_matplotlib() -> None:
    """Raise SettingsError where there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError("plots need matplotlib: pip install 'elcrec[benchmark]'")


def pictures(lines: list[Line]) -> list[str]:
    """One plot for each data set: validation by epoch and by second (seed means), and test with its seeds.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    by_data: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_data[line.data].append(line)
    drawn = []
    for data, some in by_data.items():
        figure = Figure(figsize=(15, 4.2), layout="constrained")
        by_epoch, by_second, reached = figure.subplots(1, 3)
        _draw_validation(by_epoch, by_second, some)
        by_epoch.set(title=data)
        _draw_test(reached, some)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
        drawn.append(text.getvalue()[text.getvalue().index("<svg") :])
    return drawn


def _draw_validation(by_epoch: Any, by_second: Any, lines: list[Line]) -> None:
    """A curve for each row that was trained, on two axes: seed means, as far as all seeds got."""
    for line in lines:
        curves = [document["history"] for document in line.documents if document.get("history")]
        if curves:
            n_epochs = min(len(curve) for curve in curves)
            values = [mean(curve[epoch]["valid"][TESTED] for curve in curves) for epoch in range(n_epochs)]
            (curve_drawn,) = by_epoch.plot(range(1, n_epochs + 1), values, label=line.row)
            by_second.plot(_seconds(curves, n_epochs), values, color=curve_drawn.get_color())
    by_epoch.set(xlabel="epoch", ylabel=f"validation {TESTED}")
    by_second.set(xlabel="seconds of training", ylabel=f"validation {TESTED}")
    if by_epoch.lines:
        by_epoch.legend(fontsize=8)


def _draw_test(axes: Any, lines: list[Line]) -> None:
    """A bar for each row, the mean, and a point for each seed."""
    for place, line in enumerate(lines):
        seeds = line.values(TESTED)
        axes.barh(place, mean(seeds), color="#9ecae1")
        axes.plot(seeds, [place] * len(seeds), "k.", markersize=5)
    axes.set_yticks(range(len(lines)), [line.row for line in lines])
    axes.invert_yaxis()
    axes.set(xlabel=f"test {TESTED} (bar: mean, points: seeds)")


def _seconds(curves: list[list[dict[str, Any]]], n_epochs: int) -> list[float]:
    """Mean time until the end of each epoch."""
    sums = [list(accumulate(sum(record["seconds"].values()) for record in curve)) for curve in curves]
    return [mean(times[epoch] for times in sums) for epoch in range(n_epochs)]
