"""Descriptions of the OpenAPI document, taken from the docstrings of the schemas: one text for code and clients."""

from __future__ import annotations

import inspect
import re
from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec import Struct

ATTRIBUTES = "\nAttributes:\n"
ATTRIBUTE = re.compile(r"    (\w+): (.+)")


class DescribedJson(JsonRenderPlugin):
    """The OpenAPI document as JSON, with a description of each schema and field."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document."""
        describe(openapi_schema)
        return super().render(request, openapi_schema)


def describe(document: dict[str, Any]) -> None:
    """Put the docstrings of the structs into the components of an OpenAPI document."""
    structs = {struct.__name__: struct for struct in Struct.__subclasses__() if struct.__module__.startswith("elcrec.")}
    for name, schema in document["components"]["schemas"].items():
        struct = structs.get(name.rpartition("_")[2])
        if struct is None:
            continue
        schema["description"], fields = parts_of(inspect.getdoc(struct) or "")
        for field, text in fields.items():
            schema["properties"][field]["description"] = text


def parts_of(docstring: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the whole, and of each attribute."""
    whole, _, section = docstring.partition(ATTRIBUTES)
    fields: dict[str, str] = {}
    for line in section.splitlines():
        begins = ATTRIBUTE.fullmatch(line)
        if begins:
            fields[begins[1]] = begins[2]
        elif fields and line.strip():
            fields[next(reversed(fields))] += f" {line.strip()}"
    return _plain(whole), {field: _plain(text) for field, text in fields.items()}


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "").split())
