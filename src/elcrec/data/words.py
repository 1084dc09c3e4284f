"""Words of a text: letters with their marks; of scripts that put no spaces between words, pairs of characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Literal

# Chinese and Japanese characters; Thai, Lao, Myanmar and Khmer with their vowel signs.
UNSPACED = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U000323af\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
)
"""Ranges of characters of scripts without spaces, for a class of a regular expression."""
_RUN = re.compile(f"[{UNSPACED}]+")
_UNMARKED = re.compile(r"\w+")
_LAST_MARK = 0x1FFFF
"""Beyond there are only selectors of variants of Chinese characters."""

Tokens = Literal["words", "bigrams", "marked"]


def words_and_bigrams(text: str) -> list[str]:
    """Words of two characters or more, in lower case and composed (NFC); of each run without spaces its bigrams.

    A character of such a run that stands alone is a word of its own. Marks belong to the letter before them.
    """
    lower = _composed(text)
    return _long(_marked_words(_RUN.sub(" ", lower))) + _bigrams(lower)


def all_words(text: str) -> list[str]:
    """Words between whatever is no letter, digit or mark, in lower case; those of one character, too."""
    return _marked_words(_composed(text))


def _unmarked_words(text: str) -> list[str]:
    return _long(_UNMARKED.findall(text.lower()))


def _unmarked_words_and_bigrams(text: str) -> list[str]:
    lower = text.lower()
    return _long(_UNMARKED.findall(_RUN.sub(" ", lower))) + _bigrams(lower)


WORDS_OF: dict[Tokens, Callable[[str], list[str]]] = {
    "marked": words_and_bigrams,
    "bigrams": _unmarked_words_and_bigrams,
    "words": _unmarked_words,
}
"""How a text is divided. Earlier runs keep what they learned with: there marks, as in Hindi, divide words."""


def _composed(text: str) -> str:
    """In lower case, of which every spelling of accents is one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def _long(words: list[str]) -> list[str]:
    return [word for word in words if len(word) > 1]


def _bigrams(lower: str) -> list[str]:
    return [run[at : at + 2] for run in _RUN.findall(lower) for at in range(max(len(run) - 1, 1))]


def _marked_words(lower: str) -> list[str]:
    if lower.isascii():
        return _UNMARKED.findall(lower)
    joiner, word = _with_marks()
    return word.findall(joiner.sub("", lower))


@cache
def _with_marks() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A joiner within a word, which only says how letters look, and a word."""
    marks = "".join(one for one in map(chr, range(_LAST_MARK + 1)) if unicodedata.category(one).startswith("M"))
    return re.compile(f"(?<=[{marks}])[\u200c\u200d]"), re.compile(rf"\w+(?:[{marks}]+\w*)*")
