"""Field types that several documents share: ids, times, numbers; and the error document."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import Body
from msgspec import Meta, Struct

from elcrec.data.ids import MOST_ID_CHARACTERS, id_text, nameable

NUMBER, STRING, NULL = OpenAPIType.NUMBER, OpenAPIType.STRING, OpenAPIType.NULL
TextId = Annotated[str, Meta(min_length=1, max_length=MOST_ID_CHARACTERS)]
Id = TextId | int
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=2**31)]
IntentNumber = Annotated[int, Meta(ge=0, le=2**31)]
# Whole numbers stay whole: nanoseconds have more digits than a float. To clients both are numbers.
Timestamp = Annotated[
    int | float | TextId | None,
    Body(schema_extra={"one_of": [Schema(type=kind) for kind in (NUMBER, STRING, NULL)]}),
]
FeatureValue = str | bool | float | list[str | float] | None
UnknownUser = Literal["popular", "intents", "error"]


class ErrorResponse(Struct):
    """Why a request was refused.

    Attributes:
        error: A sentence.
    """

    error: str


def normalize_ids(request: Struct, *fields: str) -> None:
    """Trim ids, or lists of ids, as a log's reader does; raise where a log could not hold one."""
    for field in fields:
        given = getattr(request, field)
        if given is None:
            continue
        ids = [one if isinstance(one, int) else id_text(one) for one in (given if isinstance(given, list) else [given])]
        fault = next((fault for one in ids if (fault := nameable(str(one))) is not None), None)
        if fault is not None:
            raise ValueError(f"{field}: an id {fault}")
        setattr(request, field, ids if isinstance(given, list) else ids[0])
