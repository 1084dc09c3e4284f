"""Trainings that a benchmark can be interrupted in, and begun again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elcrec import ELCRec

KEPT = ("valid", "test", "choices", "best_epoch", "epochs", "train_seconds")
"""What most benchmarks keep of a run's metrics."""


def kept_of(metrics: Mapping[str, Any], names: Sequence[str] = KEPT) -> dict[str, Any]:
    """The metrics of these names, as far as the run has them."""
    return {name: metrics[name] for name in names if name in metrics}


def trained(log: Any, out: Path, overrides: dict[str, Any], recipe: str = "default", **known: Any) -> ELCRec:
    """The run that is there, or a training of a recipe without baselines, resumed where it was interrupted.

    Args:
        log: See :meth:`ELCRec.fit`.
        out: Run folder.
        overrides: Settings, among them the seed.
        recipe: Its name.
        known: ``items`` or ``users``, see :meth:`ELCRec.fit`.
    """
    if (out / "metrics.json").exists():
        return ELCRec.load(out)
    return ELCRec(recipe, **overrides, baselines=False).fit(log, out=out, progress=False, resume=out.exists(), **known)
