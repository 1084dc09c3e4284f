"""Trainings that a benchmark can be interrupted in, and begun again."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elcrec import ELCRec

KEPT = ("valid", "test", "choices", "best_epoch", "epochs", "train_seconds")
"""What most benchmarks keep of a run's metrics."""


def parser_with_items(description: str | None, work: str) -> argparse.ArgumentParser:
    """Arguments of a benchmark that trains on a log and the metadata of its items, a run a seed.

    Args:
        description: What ``--help`` says.
        work: Default folder of the runs.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path(work), help="where the runs are written")
    return parser


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
