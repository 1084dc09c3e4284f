"""Trainings that a benchmark can be interrupted in, and begun again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elcrec import ELCRec


def trained(log: Any, out: Path, overrides: dict[str, Any], **known: Any) -> ELCRec:
    """The run that is there, or a training of ``default`` without baselines, resumed where it was interrupted.

    Args:
        log: See :meth:`ELCRec.fit`.
        out: Run folder.
        overrides: Settings, among them the seed.
        known: ``items`` or ``users``, see :meth:`ELCRec.fit`.
    """
    if (out / "metrics.json").exists():
        return ELCRec.load(out)
    return ELCRec(**overrides, baselines=False).fit(log, out=out, progress=False, resume=out.exists(), **known)
