"""What notebooks show of logs and models: a small table and bars, as HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

BAR = 160
"""Width of the longest bar, pixels."""


def table(title: str, rows: Mapping[str, object]) -> str:
    """A table of names and values."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"


def bars(title: str, shares: Iterable[tuple[str, float]]) -> str:
    """A table of names and shares (0 to 1), with a bar each; the longest bar is that of the largest share."""
    given = list(shares)
    largest = max((share for _, share in given), default=0) or 1
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td>{share:.1%}</td>'
        f'<td style="text-align:left"><svg width="{BAR}" height="10" aria-hidden="true">'
        f'<rect width="{BAR * share / largest:.1f}" height="10" fill="currentColor" opacity="0.5"/></svg></td></tr>'
        for name, share in given
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"
