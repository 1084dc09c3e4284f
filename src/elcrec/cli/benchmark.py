"""``elcrec benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elcrec.cli.interrupts import again, keeps
from elcrec.cli.output import print_json, print_rows, say
from elcrec.cli.parameters import Device, Json, refuse_unused

if TYPE_CHECKING:
    from elcrec.experiments.plan import PlannedRun
    from elcrec.experiments.suite import Suite

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec benchmark benchmarks/suites/baselines.toml\n\n"
    "  elcrec benchmark my-suite.toml --out results --dry-run\n\n"
    "  elcrec benchmark my-suite.toml --only toys\n\n  elcrec benchmark my-suite.toml --tables --plots"
)
def benchmark(
    suite: Annotated[Path, typer.Argument(help="Experiment suite: a TOML file, see docs/benchmark.md.")],
    out: Annotated[
        Path, typer.Option(help="Folder for results; each suite writes into a subfolder of its name.")
    ] = Path("benchmarks/results"),
    work: Annotated[
        Path, typer.Option(help="Folder for the run folders, from which an interrupted suite resumes.")
    ] = Path("runs/benchmark"),
    only: Annotated[str | None, typer.Option(metavar="TEXT", help="Only runs whose name contains this text.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and stop.")] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="Run nothing; write the tables of existing results.")
    ] = False,
    plots: Annotated[bool, typer.Option(help="Add plots to the HTML page; needs the extra 'benchmark'.")] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Run an experiment suite (data sets x recipes x seeds), and compare the results with significance tests."""
    from elcrec.experiments.plan import planned_runs
    from elcrec.experiments.plots import require_matplotlib
    from elcrec.experiments.suite import read_suite
    from elcrec.experiments.suite_runner import failure, run_suite

    if tables:
        refuse_unused("--tables runs nothing", only=only, dry_run=dry_run, device=device != "auto")
    if dry_run:
        refuse_unused("--dry-run runs and writes nothing", plots=plots, device=device != "auto")
    if plots:
        require_matplotlib()
    experiments = read_suite(suite)
    folder = out / experiments.name
    if tables:
        _write_tables(experiments, folder, plots, as_json)
        return
    runs = planned_runs(experiments, suite.parent, only)
    if dry_run:
        _show_plan(experiments, runs, folder, as_json)
        return
    keeps(lambda: f"finished runs are kept in {folder}, unfinished trainings in {work}: go on with  {again()}")
    failed = run_suite(experiments, runs, folder, work / experiments.name, say, device=device)
    if len(failed) < len(runs):
        _write_tables(experiments, folder, plots, as_json)
    if failed:
        raise failure(failed, len(runs))


def _show_plan(suite: Suite, runs: list[PlannedRun], folder: Path, as_json: bool) -> None:
    """Print the runs: which are done, and which other result a run has."""
    import polars as pl

    from elcrec.experiments.results import SavedResults

    saved = SavedResults.of(folder, [run.name for run in runs], say)
    planned = [
        {
            "row": run.row,
            "run": run.name,
            "done": saved.done(run, suite.name),
            "instead": saved.instead(run, suite.name),
        }
        for run in runs
    ]
    print_rows(pl.DataFrame(planned, infer_schema_length=None), as_json)


def _write_tables(suite: Suite, folder: Path, plots: bool, as_json: bool) -> None:
    """Write the result pages, and print the short table."""
    import polars as pl

    from elcrec.experiments.plots import pictures
    from elcrec.experiments.suite_runner import suite_lines, write_pages
    from elcrec.experiments.summary import line_document, short_table

    lines = suite_lines(suite, folder, say)
    for path in write_pages(suite, folder, lines, pictures(lines) if plots else []):
        say(f"tables written to {path}")
    if as_json:
        print_json([line_document(line) for line in lines])
    else:
        head, rows = short_table(lines)
        print_rows(pl.DataFrame(rows, schema=head, orient="row"), as_json)
