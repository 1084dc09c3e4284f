"""Which items may be recommended, as options give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from elcrec.cli.histories import ID_FORMS, read_ids
from elcrec.errors import DataError

Allow = Annotated[
    Path | None,
    typer.Option(help="File of item ids (a JSON array, or one id per line): recommend only these items."),
]
Deny = Annotated[
    Path | None,
    typer.Option(help="File of item ids (a JSON array, or one id per line): recommend none of these items."),
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]VALUE",
        help="Recommend only items with this attribute of the item metadata, in the column NAME or in any; "
        "repeatable: items with at least one of them.",
    ),
]

AllAttributes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]VALUE",
        help="Recommend only items with this attribute, as --attribute; repeatable: items with every one of them.",
    ),
]


@dataclass(frozen=True)
class Filters:
    """Values of ``--allow``, ``--deny``, ``--attribute`` and ``--all-attributes``; None: not given."""

    allow: Path | None
    deny: Path | None
    attribute: list[str] | None
    all_attributes: list[str] | None

    def fields(self) -> dict[str, Any]:
        """The fields of :class:`elcrec.inference.policy.RankingPolicy`.

        Raises:
            DataError: A file cannot be read, or holds something else than ids; or nothing is allowed.
        """
        allowed = None if self.allow is None else read_ids(self.allow)
        if allowed == []:
            raise DataError(f"{self.allow} is empty, which leaves nothing to recommend: {ID_FORMS}")
        return {
            "allow": allowed,
            "deny": () if self.deny is None else read_ids(self.deny),
            "attributes": self.attribute or (),
            "all_attributes": self.all_attributes or (),
        }
