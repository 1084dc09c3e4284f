"""``elcrec settings``."""

from __future__ import annotations

from typing import Annotated

import typer

from elcrec.cli.output import console, print_json
from elcrec.cli.parameters import Json

commands = typer.Typer()


@commands.command(epilog="Example:\n\n  elcrec settings --recipe paper-beauty")
def settings(
    recipe: Annotated[
        str, typer.Option(help="Recipe whose values are shown: a shipped name or a .toml file.")
    ] = "default",
    as_json: Json = False,
) -> None:
    """List all settings: their values in a recipe and their meaning."""
    from elcrec.config import Settings, recipe_names, resolve

    resolved = resolve(recipe)
    if as_json:
        print_json(resolved.model_dump())
        return
    from rich.padding import Padding

    for name, field in Settings.model_fields.items():
        console().print(f"[bold]{name}[/] = {getattr(resolved, name)!r}")
        console().print(Padding(f"[dim]{field.description}[/]", (0, 0, 0, 4)))
    console().print(f"\nrecipes: {', '.join(recipe_names())}")
