"""The page of a suite: tables with the best values marked, and plots, in the look of the report."""

from __future__ import annotations

import html
from statistics import mean

from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.experiments.plots import Plot
from elcrec.experiments.summary import TESTED, Line, accuracy_table, effort_table
from elcrec.report.page import page_part

STYLE = """
.suite { padding-top: 32px; }
.suite table th { padding: 8px 14px; color: var(--muted); white-space: nowrap; }
.suite td, .suite tbody th { white-space: nowrap; font-variant-numeric: tabular-nums; }
.suite tbody th { color: var(--ink); font-size: 0.875rem; }
.scroll { overflow-x: auto; padding: 4px 0; position: relative; margin-top: 16px; }
.suite .charts { grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); }
"""


def html_page(title: str, about: str, lines: list[Line], plots: list[Plot]) -> str:
    """A page that needs nothing else.

    Args:
        title: Name of the suite.
        about: What it compares.
        lines: Its rows.
        plots: See :func:`elcrec.experiments.plots.pictures`; may be empty.
    """
    name = html.escape(title)
    sections = [
        _section(
            "Accuracy", "The best mean of each data set is in bold.", _table(*accuracy_table(lines), best_cells(lines))
        ),
        _section("Effort", "", _table(*effort_table(lines), set())),
        *([_section("Plots", "", "".join(map(_figure, plots)), "charts")] if plots else []),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{name}</title><style>{page_part('page.css')}{STYLE}</style></head><body>"
        f'<header class="wrap hero" id="top"><h1>{name}</h1><p class="lede">{html.escape(about)}</p></header>'
        f'<main class="wrap suite">{"".join(sections)}</main></body></html>'
    )


def best_cells(lines: list[Line]) -> set[tuple[int, int]]:
    """Row and column in :func:`accuracy_table` of the best means of each data set that has several rows."""
    measured = [(metric, "test") for metric in SHOWN_METRICS] + [(TESTED, "valid")]
    first = accuracy_table([])[0].index(SHOWN_METRICS[0])
    best = set()
    for column, (metric, part) in enumerate(measured, first):
        means = [round(mean(line.values(metric, part)), 4) for line in lines]
        for row, line in enumerate(lines):
            rivals = [value for other, value in zip(lines, means, strict=True) if other.data == line.data]
            if len(rivals) > 1 and means[row] == max(rivals):
                best.add((row, column))
    return best


def _section(name: str, note: str, content: str, kind: str = "card scroll") -> str:
    """A part of the page; a wide table scrolls within it, also by keyboard."""
    reachable = f' tabindex="0" role="region" aria-label="{name}"' if kind != "charts" else ""
    note = f'<p class="intro">{note}</p>' if note else ""
    return f'<section id="{name.lower()}"><h2>{name}</h2>{note}<div class="{kind}"{reachable}>{content}</div></section>'


def _table(head: list[str], rows: list[list[str]], best: set[tuple[int, int]]) -> str:
    def cell(text: str, row: int, column: int) -> str:
        shown = html.escape(text)
        if (row, column) in best:
            shown = f'<b class="best">{shown}<span class="unseen"> (best)</span></b>'
        return f'<th scope="row">{shown}</th>' if head[column] == "row" else f"<td>{shown}</td>"

    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(cell(text, row, column) for column, text in enumerate(cells)) + "</tr>"
        for row, cells in enumerate(rows)
    )
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _figure(plot: Plot) -> str:
    caption = html.escape(plot.caption)
    picture = plot.svg.replace("<svg", f'<svg role="img" aria-label="{caption}"', 1)
    return f'<figure class="card"><figcaption>{caption}</figcaption>{picture}</figure>'
