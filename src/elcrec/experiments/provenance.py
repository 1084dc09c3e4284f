"""Provenance of a result: versions, machine, commit, date."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import subprocess
from pathlib import Path
from typing import Any

import numpy
import polars
import torch

from elcrec.runs.run_files import package_version


def provenance() -> dict[str, Any]:
    """``versions``, ``machine``, ``commit`` (None unless the package runs from its own clone) and ``date``."""
    return {
        "versions": {
            "elcrec": package_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "polars": polars.__version__,
            "numpy": numpy.__version__,
        },
        "machine": {
            "processor": _processor(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def peak_memory_bytes() -> int:
    """Most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _commit() -> str | None:
    package = Path(__file__).resolve().parent.parent
    top = _git(package, "rev-parse", "--show-toplevel")
    if top is None or Path(top) / "src" / "elcrec" != package:
        return None  # installed, perhaps within another repository
    if _git(package, "ls-files", "--error-unmatch", "--", "__init__.py") is None:
        return None
    return _git(package, "describe", "--always", "--dirty")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says of a folder; None where it says nothing."""
    # Within a hook, git's own variables name another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=folder, env=clean)
    except OSError:
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
