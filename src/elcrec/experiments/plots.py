"""Plots of a suite as SVG text: validation curves and test metrics of each row. Needs the extra ``benchmark``."""

from __future__ import annotations

import importlib.util
import io
from collections import defaultdict
from itertools import accumulate
from statistics import mean
from typing import Any, NamedTuple

from elcrec.errors import SettingsError
from elcrec.experiments.summary import TESTED, Line

# The colours of the page in light; in the SVG they become its variables, so that the plots follow its theme.
INK, MUTED, GRID = {"#1b1d23": "ink"}, {"#5c606a": "muted"}, {"#e2e1db": "line"}
ROWS = {
    colour: f"c{slot}"
    for slot, colour in enumerate(
        ("#3366cc", "#dd6b10", "#0a8f7a", "#a3195b", "#683014", "#9b86c1", "#531d8d", "#7f4995")
    )
}
DASHES = ("-", (0, (6, 3)), (0, (1.5, 2.5)), (0, (8, 2, 1.5, 2)))
LABEL_HEIGHT = 0.075
"""Of a label at the end of a line, as a part of the plot's height."""
FEWEST_BARS = 4
"""A plot has room for so many: a single bar does not fill it."""


class Plot(NamedTuple):
    """A plot.

    Attributes:
        caption: What it shows.
        svg: The picture.
    """

    caption: str
    svg: str


def require_matplotlib() -> None:
    """Raise SettingsError where there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError("plots need matplotlib: pip install 'elcrec[benchmark]'")


def pictures(lines: list[Line]) -> list[Plot]:
    """For each data set: validation (seed means) by epoch and second of rows that were trained; test with its seeds.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    require_matplotlib()
    by_data: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_data[line.data].append(line)
    drawn = []
    for data, some in by_data.items():
        curves = [_Curve.of(line, place) for place, line in enumerate(some) if _histories(line)]
        if curves:
            drawn.append(_plot(f"{data}: validation {TESTED} by epoch", _draw_epochs, curves))
            drawn.append(_plot(f"{data}: validation {TESTED} by second of training", _draw_seconds, curves))
        drawn.append(_plot(f"{data}: test {TESTED} (bar: mean, points: seeds)", _draw_test, some))
    return drawn


class _Curve(NamedTuple):
    """Validation of a row: seed means, as far as all seeds got, and the mean seconds until the end of each epoch."""

    row: str
    place: int
    values: list[float]
    seconds: list[float]

    @classmethod
    def of(cls, line: Line, place: int) -> _Curve:
        curves = _histories(line)
        epochs = range(min(len(curve) for curve in curves))
        sums = [list(accumulate(sum(record["seconds"].values()) for record in curve)) for curve in curves]
        values = [mean(curve[epoch]["valid"][TESTED] for curve in curves) for epoch in epochs]
        return cls(line.row, place, values, [mean(times[epoch] for times in sums) for epoch in epochs])


def _histories(line: Line) -> list[Any]:
    return [document["history"] for document in line.documents if document.get("history")]


def _colour(place: int) -> str:
    return list(ROWS)[place % len(ROWS)]


def _look(place: int) -> dict[str, Any]:
    """Of a line; the ninth row has the first one's colour, and other dashes."""
    return {"color": _colour(place), "linestyle": DASHES[(place + place // len(ROWS)) % len(DASHES)]}


def _plot(caption: str, draw: Any, content: list[Any]) -> Plot:
    """A plot in the page's style: its text is text, its colours are the page's."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    (ink,), (muted,), (grid,) = INK, MUTED, GRID
    style: Any = {
        **{"svg.fonttype": "none", "svg.hashsalt": caption, "font.size": 9, "font.family": "sans-serif"},
        **{"text.color": ink, "axes.labelcolor": muted, "xtick.color": muted, "ytick.color": muted},
        **{"axes.edgecolor": grid, "grid.color": grid, "axes.spines.top": False, "axes.spines.right": False},
    }
    text = io.StringIO()
    with mpl.rc_context(style):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.set_axisbelow(True)
        draw(axes, content)
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    for colour, name in {**INK, **MUTED, **GRID, **ROWS}.items():
        svg = svg.replace(colour, f"var(--{name})")
    return Plot(caption, svg)


def _draw_epochs(axes: Any, curves: list[_Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    _draw_curves(axes, curves, [list(range(1, len(curve.values) + 1)) for curve in curves])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="epoch")


def _draw_seconds(axes: Any, curves: list[_Curve]) -> None:
    _draw_curves(axes, curves, [curve.seconds for curve in curves])
    axes.set(xlabel="seconds of training")


def _draw_curves(axes: Any, curves: list[_Curve], xs: list[Any]) -> None:
    """Lines that differ in colour and dashes, each with its name, and a piece of it, at the right."""
    for curve, x in zip(curves, xs, strict=True):
        axes.plot(x, curve.values, marker="o" if len(curve.values) == 1 else "", markersize=4, **_look(curve.place))
    axes.grid(axis="y")
    low, high = axes.get_ylim()
    ordered = sorted(curves, key=lambda curve: curve.values[-1])
    places = _spread([(curve.values[-1] - low) / (high - low) for curve in ordered])
    for curve, at in zip(ordered, places, strict=True):
        axes.plot([1.02, 1.09], [at, at], transform=axes.transAxes, clip_on=False, **_look(curve.place))
        axes.text(1.11, at, curve.row, transform=axes.transAxes, va="center", fontsize=8)


def _spread(places: list[float]) -> list[float]:
    """Ascending places, moved upwards where labels would touch, then down as far as they stick out."""
    moved = list(accumulate(places, lambda last, place: max(place, last + LABEL_HEIGHT)))
    limit = 1.0
    for at in reversed(range(len(moved))):
        moved[at] = min(moved[at], limit)
        limit = moved[at] - LABEL_HEIGHT
    return moved


def _draw_test(axes: Any, lines: list[Line]) -> None:
    """A bar for each row, the mean, and a point for each seed."""
    (ink,) = INK
    for place, line in enumerate(lines):
        seeds = line.values(TESTED)
        axes.barh(place, mean(seeds), height=0.62, color=_colour(place))
        axes.plot(seeds, [place] * len(seeds), ".", color=ink, markersize=6)
    axes.set_yticks(range(len(lines)), [line.row for line in lines])
    axes.set_ylim(max(len(lines), FEWEST_BARS) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.set(xlabel=f"test {TESTED}")
