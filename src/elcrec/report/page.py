"""The report as one HTML page that loads nothing else."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

SCRIPT = ("document", "shared", "header", "map", "intent", "table", "journeys", "training", "start")


def render_report(document: dict[str, Any]) -> str:
    """Put the page, its style, its script and the document into one HTML text.

    Args:
        document: The report's content as plain JSON types.

    Returns:
        HTML that loads nothing from outside; to be written as UTF-8.

    Raises:
        ValueError: A number in the document is NaN or infinite.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Inside a script element only "<" can end it or open a comment, and in JSON it occurs only within strings.
    text = text.replace("<", "\\u003c")
    page = page_part("page.html").replace("/*{{css}}*/", page_part("page.css"))
    # The document comes last: its strings may hold a placeholder.
    script = "\n".join(page_part(f"{part}.js") for part in SCRIPT)
    # The parts share one scope, and leave nothing behind outside it.
    page = page.replace("/*{{js}}*/", f'(() => {{\n"use strict";\n{script}}})();')
    return page.replace("{{document}}", text)


def page_part(name: str) -> str:
    """A part of the page as text, for pages that look and read like it."""
    return (resources.files("elcrec.report") / "report_page" / name).read_text(encoding="utf-8")
