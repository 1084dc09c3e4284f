"""Words of a text; of scripts that put no spaces between words, pairs of characters."""

from __future__ import annotations

import re

# Chinese and Japanese characters; Thai, Lao, Myanmar and Khmer with their vowel signs.
UNSPACED = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U000323af\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
)
"""Ranges of characters of scripts without spaces, for a class of a regular expression."""
_RUN = re.compile(f"[{UNSPACED}]+")
_WORD = re.compile(r"\b\w\w+\b")


def words_and_bigrams(text: str) -> list[str]:
    """Words of two letters or more, in lower case; of each run without spaces its bigrams.

    A character that stands alone is a word of its own.
    """
    lower = text.lower()
    pairs = [run[at : at + 2] for run in _RUN.findall(lower) for at in range(max(len(run) - 1, 1))]
    return [*_WORD.findall(_RUN.sub(" ", lower)), *pairs]
