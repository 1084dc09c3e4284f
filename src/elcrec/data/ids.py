"""The one rule for ids: every id that a log may hold can be given to every interface.

The reader, the command line, the HTTP interface and Python all use it, so that every user and item of a log can be
requested.
"""

import re
from collections.abc import Iterable
from typing import Any

from elcrec.errors import DataError

MOST_ID_CHARACTERS = 1000
# White space, and what has no width: it can neither be seen nor typed.
BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u200b\u2060\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)

# What a message says to pass where a table was passed, by argument; of others, df['item_id'].
COLUMNS = {
    "users": "df['user_id']",
    "histories": "[df['item_id']]",
    "intents": "df['intent']",
    "exclude_intents": "df['intent']",
    "attributes": "df['attribute']",
    "all_attributes": "df['attribute']",
    "events": "df['event']",
}

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def id_text(given: Any) -> str:
    """The text form by which an id is known: without blanks around it, whole floats as integers.

    Args:
        given: An id of a log or of a request.
    """
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return str(given).strip(BLANKS)


def nameable(text: str) -> str | None:
    """Say why an id cannot be named.

    Args:
        text: The id's text form.

    Returns:
        The reason, to be read after "an id ...", or None for an id that every interface can name.
    """
    if not text.strip(BLANKS):
        return "is empty or only blanks"
    if len(text) > MOST_ID_CHARACTERS:
        return f"has {len(text)} characters, more than {MOST_ID_CHARACTERS}"
    if found := _CONTROLS.search(text):
        return f"holds the control character U+{ord(found[0]):04X}"
    if found := _SURROGATES.search(text):
        return f"holds half of a surrogate pair, U+{ord(found[0]):04X}"
    return None


def as_list(name: str, given: Any) -> list[Any]:
    """What a caller gives as a list, an array or a column.

    Args:
        name: What it is called, for the message.
        given: Their argument.

    Raises:
        DataError: It is a single text or number, or a table.
    """
    if hasattr(type(given), "columns"):
        column = COLUMNS.get(name, "df['item_id']")
        raise DataError(f"{name}: pass a column, for example {column}, not a table")
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise DataError(f"{name}: pass a list, [{given!r}], not {given!r} alone")
    return list(given)
