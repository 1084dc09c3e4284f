"""What shops write into texts of their items: HTML entities, accents in several spellings, paths of categories."""

from __future__ import annotations

import html
import re
import unicodedata

import polars as pl

_ENTITY = r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);"
_ASCII = r"^[\x00-\x7F]*$"
_ADDRESS = r"^[ \t\r\n]*(?i:https?)://"
_STEP = r"\s*(?:>{1,2}|›|»)\s*"
_CLEAR_STEP = r"\s(?:>{1,2}|›|»)\s"
_PATH = rf"^[^<]*[\p{{L}}\p{{N}})&.]{_STEP}[\p{{L}}\p{{N}}(]"
_CLEAR_PATH = rf"^[^<]{{0,200}}[\p{{L}}\p{{N}})&.]{_CLEAR_STEP}[\p{{L}}\p{{N}}(]"


def unescaped(text: pl.Series) -> pl.Series:
    """Text with characters in place of HTML entities, composed: ``Salt &amp; pepper`` is ``Salt & pepper``."""
    return composed(_without_entities(text))


def composed(text: pl.Series) -> pl.Series:
    """Text in NFC, in which every spelling of accents is one: of metadata all are compared so.

    Addresses stay as they are: another spelling is another page.
    """
    if text.str.contains(_ASCII).all():
        return text
    is_address = text.str.contains(_ADDRESS).fill_null(False)
    return text.str.normalize("NFC").zip_with(~is_address, text)


def own_composed(text: str) -> str:
    """The same of one text."""
    return text if re.match(_ADDRESS, text) else unicodedata.normalize("NFC", text)


def _without_entities(text: pl.Series) -> pl.Series:
    if not text.str.contains(_ENTITY).any():
        return text
    odd = text.unique().drop_nulls()
    odd = odd.filter(odd.str.contains(_ENTITY))
    return text.replace(odd, pl.Series([html.unescape(one) for one in odd], dtype=pl.String))


def own_unescaped(text: str) -> str:
    """What :func:`unescaped` gives, of one text."""
    return own_composed(html.unescape(text) if re.search(_ENTITY, text) else text)


def are_paths(known: pl.Series) -> bool:
    """Whether at least half of some texts are paths: ``>``, ``>>``, ``›`` or ``»`` stands between categories."""
    return not known.is_empty() and 2 * int(known.str.contains(_PATH).sum()) >= len(known)


def with_ancestors(lists: pl.Series, without_blanks: bool | None = None) -> pl.Series:
    """Lists of texts in which each path of categories follows the paths above it.

    ``Home > Garden > Pots`` becomes ``Home``, ``Home > Garden`` and itself.

    Args:
        lists: Of texts.
        without_blanks: Whether ``Home>Garden`` is a path; None: where half of the texts are some.
    """
    known = lists.explode().drop_nulls()
    wide = are_paths(known) if without_blanks is None else without_blanks
    path, step = (_PATH, _STEP) if wide else (_CLEAR_PATH, _CLEAR_STEP)
    text = known.filter(known.str.contains(path)).unique()
    if text.is_empty():
        return lists
    paths = pl.DataFrame({"text": text, "path": [_ancestors(one, step) for one in text]})
    frame = lists.alias("text").to_frame().with_row_index("row")
    each = frame.explode("text").join(paths, on="text", how="left", maintain_order="left")
    whole = (
        each.select("row", pl.coalesce("path", pl.concat_list("text")))
        .explode("path")
        .drop_nulls()
        .group_by("row")
        .agg(pl.col("path").unique(maintain_order=True))
    )
    return frame.join(whole, on="row", how="left", maintain_order="left")["path"].alias(lists.name)


def paths_without_blanks(lists: pl.Series) -> bool | None:
    """Whether ``Home>Garden`` is a path in what :func:`with_ancestors` gave; None where nothing tells."""
    each = lists.alias("text").to_frame().with_row_index("row").explode("text").drop_nulls("text")
    text = pl.col("text")
    telling = each.filter(text.str.contains(_PATH) & ~text.str.contains(_CLEAR_PATH)).head(1)
    if telling.is_empty():
        return None
    row, path = telling.row(0)
    above = _ancestors(path, _STEP)[0]
    return above != path and above in lists[row].to_list()


def with_own_ancestors(text: str) -> list[str]:
    """The paths above a text that is a path, and the text."""
    return _ancestors(text, _CLEAR_STEP) if "<" not in text else [text]


def _ancestors(path: str, step: str) -> list[str]:
    steps = [found.start() for found in re.finditer(step, path) if found.start() > 0 and found.end() < len(path)]
    return [path[:end] for end in steps] + [path]
