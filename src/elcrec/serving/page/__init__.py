"""The explore page at ``/``: one HTML document that uses its own server and loads nothing else."""

from __future__ import annotations

from functools import cache
from importlib import resources

from elcrec.report.page import page_part

SHARED = ("shared", "map", "intent", "journeys")
OWN = ("live", "person", "steer", "pages", "begin")


@cache
def explore_page() -> str:
    """The page: the look and the parts of the report, and its own."""
    style = page_part("page.css") + _part("explore.css")
    script = "\n".join([*(page_part(f"{part}.js") for part in SHARED), *(_part(f"{part}.js") for part in OWN)])
    page = _part("page.html").replace("/*{{css}}*/", style)
    return page.replace("/*{{js}}*/", f'(() => {{\n"use strict";\n{script}}})();')


def _part(name: str) -> str:
    return (resources.files("elcrec.serving.page") / name).read_text(encoding="utf-8")
