"""What pydantic finds wrong with a value, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHOLE, _NUMBER, _TEXT, _TRUTH = "use a whole number", "use a number", "use a text", "use true or false"
SENTENCES = {
    "greater_than": "use more than {gt:.15g}",
    "greater_than_equal": "use {ge:.15g} or more",
    "less_than": "use less than {lt:.15g}",
    "less_than_equal": "use {le:.15g} or less",
    "finite_number": "use a finite number",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "use a whole number of fewer digits",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "string_type": _TEXT,
    "string_unicode": "use a text without surrogates",
    "literal_error": "use {expected}",
    "dict_type": "use a table of names and values",
    "model_type": "use a table of names and values",
    "list_type": "use a list",
    "tuple_type": "use a list",
    "too_short": "use at least one",
    "missing": "it is missing",
}
"""A sentence for each type of pydantic's errors, filled with its context."""


def plainly(problem: Mapping[str, Any]) -> str:
    """What to use instead of a value: one error of a ``ValidationError``, in a sentence."""
    sentence = SENTENCES.get(problem["type"])
    if sentence is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    return sentence.format(**problem.get("ctx", {}))
