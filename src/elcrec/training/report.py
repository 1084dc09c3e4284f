"""Progress of training in a terminal: a progress bar, and a line for each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from elcrec.config import Settings
from elcrec.evaluation.verdict import best_baseline
from elcrec.process.progress import ProgressBar
from elcrec.process.wording import counted, listed
from elcrec.runs.records import ChoiceRecord, EpochRecord, RunMetrics
from elcrec.training.checkpoint import Progress


class SilentReporter:
    """Reports nothing."""

    def log(self, summary: dict[str, Any]) -> None:
        """Nothing."""

    def begin(self, settings: Settings, n_steps: int, progress: Progress) -> None:
        """Nothing."""

    def step(self, losses: dict[str, float] | None, effective: float | None) -> None:
        """Nothing."""

    def epoch(self, record: EpochRecord, progress: Progress) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class TerminalReporter:
    """A progress bar on standard error with time left, best metric and loss; a line for each epoch."""

    def __init__(self, console: Console | None = None, every: int = 1) -> None:
        """Report to a console (default: standard error), with a line for every ``every``-th epoch."""
        self.every = every
        self._warned = False
        self.console = console or Console(stderr=True, highlight=False)
        self._bar: ProgressBar | None = None
        self._loss = self._best = ""

    def log(self, summary: dict[str, Any]) -> None:
        """A line with the statistics of the log."""
        times = "" if summary["first"] is None else f" · {summary['first']} to {summary['last']}"
        size = (("rows", "interaction"), ("users", "user"), ("items", "item"))
        self.console.print(
            f"{' · '.join(counted(summary[name], thing) for name, thing in size)} · "
            f"density {summary['density']:.3%} · repeats {summary['repeats']:.1%} · history length "
            f"{summary['length_min']} to {summary['length_max']} (median {summary['length_median']:g}){times}",
            soft_wrap=True,
        )
        if summary.get("tied"):
            self.console.print(f"{summary['tied']:.1%} of the events share their time with others of their user")
        for sentence in summary.get("worth", []):
            self.console.print(sentence, soft_wrap=True)
        for reason, names in _by_reason(summary.get("choices", {})).items():
            self.console.print(f"[dim]{', '.join(names)}: {reason}[/]", soft_wrap=True)

    def nothing_to_resume(self, out: Path) -> None:
        """A line where a training was to be resumed, and none was begun."""
        self.console.print(
            f"nothing to resume in {out}: the training starts from scratch", soft_wrap=True, markup=False
        )

    def names(self, given: int, left: Sequence[str]) -> None:
        """A line with how many given names of earlier intents are carried over, and those that are not."""
        line = f"{given - len(left)} of {counted(given, 'given name')} carried over"
        if left:
            line += f"; not {listed([repr(name) for name in left], 3)}: no intent of the new model matches"
        if given:
            self.console.print(line, soft_wrap=True, markup=False)

    def begin(self, settings: Settings, n_steps: int, progress: Progress) -> None:
        """Open a bar over all steps, so that it shows the time left of the whole training."""
        done = len(progress.history)
        if done:
            self.console.print(f"resuming after epoch {done} (best epoch so far: {progress.best_epoch})")
        self._settings, self._n_steps = settings, n_steps
        self._best = _best(progress)
        self._bar = ProgressBar("training", settings.epochs * n_steps, self.console, done * n_steps)
        self._bar.__enter__()

    def step(self, losses: dict[str, float] | None, effective: float | None) -> None:
        """Advance the bar; now and then show the losses."""
        if losses is not None:
            self._loss = f"loss {losses['total']:.3f}"
        if self._bar is not None:
            self._bar.update(self._bar.done + 1, " · ".join(part for part in (self._best, self._loss) if part))

    def epoch(self, record: EpochRecord, progress: Progress) -> None:
        """A line with validation ndcg@20 and seconds, then losses and intents, as far as the terminal has room."""
        self._best = _best(progress)
        if record["epoch"] % self.every:
            return
        intents, best = record["intents"], progress.best_epoch == record["epoch"]
        seconds = sum(record["seconds"].values())
        line = Text.from_markup(
            f"epoch {record['epoch']:>3}/{self._settings.epochs}  valid ndcg@20 {record['valid']['ndcg@20']:.4f} "
            + ("[green]best[/]" if best else f"[dim](best {progress.best_value:.4f}, epoch {progress.best_epoch})[/]")
            + f"  {seconds:.1f} s"
        )
        for part in _losses_and_intents(record):
            if self.console.is_terminal and line.cell_len + len(part) > self.console.width:
                break
            line.append(part)
        self.console.print(line, soft_wrap=True)
        warning = intents.get("warning")
        if warning and not self._warned:
            self._warned = True
            self.console.print(
                f"[bold red]warning:[/] {warning} (a smaller n_intents, or the recipe default, may avoid this)",
                soft_wrap=True,
            )

    def end(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def repeats(self, before: float, after: float) -> None:
        """A line with validation ndcg@20 before and after repeat scores were fitted, where that changed it."""
        if after != before:
            self.console.print(
                f"repeat scores fitted on validation: ndcg@20 {after:.4f}, before {before:.4f}", soft_wrap=True
            )

    def baselines(self, metrics: RunMetrics) -> None:
        """A line with the best baseline on validation and the model, and one for each baseline that is left out."""
        found = metrics.get("baselines", {})
        best = best_baseline(found.get("valid", {}))
        if best is not None:
            self.console.print(
                f"{counted(len(found['valid']), 'baseline')}  best by valid ndcg@20: {best} "
                f"{found['valid'][best]['ndcg@20']:.4f}, the model {metrics['valid']['ndcg@20']:.4f}",
                soft_wrap=True,
            )
        for name, reason in found.get("left_out", {}).items():
            self.console.print(f"[dim]baseline {name} left out: {reason}[/]", soft_wrap=True)


def _by_reason(choices: dict[str, ChoiceRecord]) -> dict[str, list[str]]:
    """Settings that were chosen otherwise than by default, as ``name=value``, by the reason."""
    found: dict[str, list[str]] = {}
    for name, choice in choices.items():
        if choice["value"] != Settings.model_fields[name].default:
            found.setdefault(choice["reason"], []).append(f"{name}={str(choice['value']).lower()}")
    return found


def _best(progress: Progress) -> str:
    return f"best ndcg@20 {progress.best_value:.4f}" if progress.best_epoch else ""


def _losses_and_intents(record: EpochRecord) -> list[str]:
    """Parts of a line, the most important first."""
    losses, intents = record["losses"], record["intents"]
    parts = [f" {name} {value:.3f}" for name, value in losses.items() if name != "total" and value != 0]
    parts[:1] = [f"  losses{part}" for part in parts[:1]]
    sizes = f", {intents['effective']:.0f} effective, largest {intents['largest_share']:.1%}"
    return [f"  loss {losses['total']:.3f}", f"  intents {intents['used']} used", sizes, *parts]
