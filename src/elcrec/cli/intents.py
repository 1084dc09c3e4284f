"""``elcrec intents``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elcrec.cli.output import console, print_json, print_measures, print_rows, say
from elcrec.cli.parameters import INTENT, Device, IdsOnly, Items, Json, Run, intents_of, refuse_unused
from elcrec.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

    from elcrec.recommender import ELCRec

commands = typer.Typer()
TOP, ROWS = 5, 20
Chosen = Annotated[
    list[str] | None,
    typer.Option(
        "--intent",
        metavar=INTENT,
        help="Show this intent, by its number or given name, with the lift of its items; repeatable.",
    ),
]


@commands.command(
    epilog="Examples:\n\n  elcrec intents runs/shop --json\n\n"
    "  elcrec intents runs/shop --intent 7 -k 10\n\n"
    "  elcrec intents runs/shop --quality --items items.csv\n\n"
    "  elcrec intents runs/shop --against runs/other-seed\n\n  elcrec intents runs/shop --suggest-k"
)
def intents(
    run: Run,
    k: Annotated[int, typer.Option("-k", "--k", "--top", min=1, help="Number of typical items per intent.")] = TOP,
    rows: Annotated[int, typer.Option(min=1, help="Number of intents to show; --json prints all.")] = ROWS,
    intent: Chosen = None,
    items: Items = None,
    quality: Annotated[
        bool, typer.Option("--quality", help="Measure cluster quality, compared with k-means and random intents.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="Measure cluster stability: how well the intents agree with another run's.")
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest-k", help="Suggest the number of intents (n_intents), by a sweep of k-means.")
    ] = False,
    ids_only: IdsOnly = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show the learned intents: their size, their name and their typical items."""
    from elcrec.intents.findings import quality_findings, stability_findings, suggestion_findings
    from elcrec.recommender import ELCRec

    chosen = [quality, against is not None, suggest]
    _refuse_unused(chosen, items, k != TOP, rows != ROWS, ids_only, as_json, intent)
    numbers = intents_of(run, "--intent", intent)
    model = ELCRec.load(run, device)
    if items is not None:
        model.describe_items(items)
        for sentence in model.fitted.dataset.said_catalogue():
            say(sentence)
    if suggest:
        tried = model.suggest_n_intents()
        print_rows(tried, as_json)
        _conclude(suggestion_findings(tried, model.settings.n_intents), as_json)
    elif quality:
        measures = model.intent_quality()
        print_measures(measures, as_json, "clusters")
        _conclude(quality_findings(measures), as_json)
    elif against is not None:
        measures = model.intent_stability(ELCRec.load(against, device))
        print_measures(measures, as_json)
        _conclude(stability_findings(measures), as_json)
    else:
        table = model.intents(k, titles=not ids_only, trend=as_json)
        if intent is None:
            _show(model, table, rows, as_json)
        else:
            _show_one_by_one(table, numbers, as_json)


# reason: the options that can be without effect
def _refuse_unused(
    chosen: list[bool],
    items: Path | None,
    top: bool,
    rows: bool,
    ids_only: bool,
    as_json: bool,
    intent: list[str] | None,
) -> None:
    """Raise SettingsError for options that would have no effect."""
    if sum(chosen) > 1:
        raise SettingsError("choose one of --quality, --against RUN and --suggest-k")
    if any(chosen):
        unused = {"top": top, "rows": rows, "ids_only": ids_only, "intent": intent}
        refuse_unused("--quality, --against and --suggest-k show no intents", **unused)
    if any(chosen[1:]):
        refuse_unused("--against and --suggest-k read no metadata", items=items)
    if intent is not None:
        refuse_unused("--intent shows the intents that it names", rows=rows)
    if as_json:
        refuse_unused("--json prints all intents", rows=rows)


def _show(model: ELCRec, table: pl.DataFrame, rows: int, as_json: bool) -> None:
    from elcrec.cli.tables import intent_panel

    health = model.intent_health()
    if as_json:
        rest = {"trend_periods": model.trend_periods, "intents": table.to_dicts()}
        print_json({"n_intents": model.settings.n_intents, **health, **rest})
    else:
        console().print(intent_panel(health, table, model.settings.n_intents, rows))


def _show_one_by_one(table: pl.DataFrame, chosen: list[int], as_json: bool) -> None:
    from elcrec.cli.tables import intent_page

    by_number = {row["intent"]: row for row in table.iter_rows(named=True)}
    unknown = [number for number in chosen if number not in by_number]
    if unknown:
        raise SettingsError(f"--intent {unknown[0]}: the model has intents 0 to {len(by_number) - 1}")
    if as_json:
        print_json({"intents": [by_number[number] for number in chosen]})
        return
    for place, number in enumerate(chosen):
        console().print(*([""] if place else []), intent_page(by_number[number]), sep="\n")


def _conclude(sentences: list[str], as_json: bool) -> None:
    """What figures say, below them; where a JSON document is printed, on standard error."""
    for sentence in sentences:
        typer.echo(sentence, err=as_json)
