"""The one rule for ids: what a log may hold, every interface can name.

The reader, the command line, the HTTP interface and Python all ask here, so that no user or item is learnt from
that nobody could ask for again.
"""

import re

MOST_ID_CHARACTERS = 1000

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def nameable(id_text: str) -> str | None:
    """Say why an id cannot be named.

    Args:
        id_text: The id's text form.

    Returns:
        The reason, to be read after "an id ...", or None for an id that every interface can name.
    """
    if not id_text.strip():
        return "is empty or only blanks"
    if len(id_text) > MOST_ID_CHARACTERS:
        return f"has {len(id_text)} characters, more than {MOST_ID_CHARACTERS}"
    if found := _CONTROLS.search(id_text):
        return f"holds the control character U+{ord(found[0]):04X}"
    if found := _SURROGATES.search(id_text):
        return f"holds half of a surrogate pair, U+{ord(found[0]):04X}"
    return None
