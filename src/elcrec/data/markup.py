"""What shops write into texts of their items: HTML entities, and paths of categories."""

from __future__ import annotations

import html
import re

import polars as pl

_ENTITY = r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);"
_STEP = r"\s*(?:>{1,2}|›|»)\s*"
_PATH = rf"^[^<]*[\p{{L}}\p{{N}})&.]{_STEP}[\p{{L}}\p{{N}}(]"


def unescaped(text: pl.Series) -> pl.Series:
    """Text with characters in place of HTML entities: ``Salt &amp; pepper`` is ``Salt & pepper``."""
    if not text.str.contains(_ENTITY).any():
        return text
    odd = text.unique().drop_nulls()
    odd = odd.filter(odd.str.contains(_ENTITY))
    return text.replace(odd, pl.Series([html.unescape(one) for one in odd], dtype=pl.String))


def are_paths(known: pl.Series) -> bool:
    """Whether at least half of some texts are paths: ``>``, ``>>``, ``›`` or ``»`` stands between categories."""
    return not known.is_empty() and 2 * int(known.str.contains(_PATH).sum()) >= len(known)


def with_ancestors(lists: pl.Series) -> pl.Series:
    """Lists of texts in which each path of categories follows the paths above it.

    ``Home > Garden > Pots`` becomes ``Home``, ``Home > Garden`` and itself.
    """
    known = lists.explode().drop_nulls()
    if not are_paths(known):
        return lists
    text = known.unique()
    paths = pl.DataFrame({"text": text, "path": [_ancestors(one) for one in text]})
    frame = lists.alias("text").to_frame().with_row_index("row")
    each = frame.explode("text").join(paths, on="text", how="left", maintain_order="left")
    whole = (
        each.select("row", "path")
        .explode("path")
        .drop_nulls()
        .group_by("row")
        .agg(pl.col("path").unique(maintain_order=True))
    )
    return frame.join(whole, on="row", how="left", maintain_order="left")["path"].alias(lists.name)


def _ancestors(path: str) -> list[str]:
    """The paths above a path, as they are written there, and itself."""
    steps = [step.start() for step in re.finditer(_STEP, path) if step.start() > 0 and step.end() < len(path)]
    return [path[:end] for end in steps] + [path]
