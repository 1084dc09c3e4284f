"""Which items may be recommended, as options give them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elcrec.cli.histories import ID_FORMS, has_header, read_ids
from elcrec.cli.output import say
from elcrec.errors import DataError
from elcrec.process.wording import counted

if TYPE_CHECKING:
    from elcrec.data.titles import ItemTitles

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
    """Values of ``--allow``, ``--deny``, ``--attribute`` and ``--all-attributes``; None: not given.

    Attributes:
        allow: Of the first.
        deny: Of the second.
        attribute: Of the third.
        all_attributes: Of the last.
        run: The run whose items are meant.
        unknown: Of ``--unknown``.
    """

    allow: Path | None
    deny: Path | None
    attribute: list[str] | None
    all_attributes: list[str] | None
    run: Path
    unknown: str

    def fields(self) -> dict[str, Any]:
        """The fields of :class:`elcrec.inference.policy.RankingPolicy`.

        Raises:
            DataError: A file cannot be read, or holds something else than ids; or nothing is allowed.
        """
        allowed = None if self.allow is None else self._ids("--allow", self.allow)
        if allowed == []:
            raise DataError(f"{self.allow} is empty, which leaves nothing to recommend: {ID_FORMS}")
        return {
            "allow": allowed,
            "deny": () if self.deny is None else self._ids("--deny", self.deny),
            "attributes": self.attribute or (),
            "all_attributes": self.all_attributes or (),
        }

    def _ids(self, option: str, path: Path) -> list[Any]:
        """The ids or titles of a file, without the name of their column; says which are left out."""
        ids = read_ids(path)
        if ids and has_header(path, self._item_column) and self._titles.unknown_among(ids[:1]):
            say(f"{option} {path}: the first line {ids[0].strip()!r} is left out, as the name of the column")
            ids = ids[1:]
        if ids and self.unknown == "skip":
            unknown = {str(one) for one in self._titles.unknown_among(ids)}
            if unknown:
                say(f"{counted(len(unknown), 'unknown item')} of {option} left out")
        return ids

    @cached_property
    def _item_column(self) -> str | None:
        """The name of the item column in the log, where the caller gave one."""
        from elcrec.runs.run_folder import RunFolder

        name: str | None = RunFolder(self.run).config()["settings"].item_column
        return name

    @cached_property
    def _titles(self) -> ItemTitles:
        """The items of the run and their titles, without its network."""
        from elcrec.data.titles import ItemTitles
        from elcrec.runs.run_folder import RunFolder

        folder = RunFolder(self.run)
        items, catalogue = folder.stable(lambda: (folder.vocabulary(), folder.catalogue()))
        described = catalogue and catalogue.only(catalogue.frame["item_id"].is_in(items.ids.implode()))
        return ItemTitles(items, described)
