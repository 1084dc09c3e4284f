"""The server's pages: explore at ``/``, and the API's documentation at ``/docs``. Both ship whole with the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

from elcrec.report.page import page_part

SHARED = ("shared", "map", "intent", "journeys")
OWN = ("live", "person", "reason", "steer", "compare", "pages", "begin")
PICTURES = "data: https: http:"
"""Where pictures may come from if the catalogue names some. A picture runs nothing."""


@cache
def explore_page(pictures: bool) -> str:
    """The page: the look and the parts of the report, and its own.

    Args:
        pictures: Whether it may load pictures from other hosts.
    """
    script = "\n".join([*(page_part(f"{part}.js") for part in SHARED), *(_part(f"{part}.js") for part in OWN)])
    page = _filled(_part("page.html"), page_part("page.css") + _part("explore.css"), script)
    return page.replace("{{img-src}}", PICTURES if pictures else "data:")


@cache
def api_page() -> str:
    """The documentation of the API: drawn in the browser from the server's own OpenAPI document."""
    script = page_part("shared.js") + _part("api.js")
    return _filled(_part("api.html"), page_part("page.css") + _part("api.css"), script)


def _filled(page: str, style: str, script: str) -> str:
    page = page.replace("/*{{css}}*/", style)
    return page.replace("/*{{js}}*/", f'(() => {{\n"use strict";\n{script}}})();')


def _part(name: str) -> str:
    return (resources.files("elcrec.serving.page") / name).read_text(encoding="utf-8")
