"""What every result says of where it comes from."""

from __future__ import annotations

import datetime
import platform
import resource
import subprocess
from pathlib import Path
from typing import Any

import numpy
import polars
import torch

from elcrec.run_folder import package_version


def provenance() -> dict[str, Any]:
    """``versions``, ``machine``, ``commit`` (None outside a clone) and ``date``."""
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
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent
        )
    except OSError:
        return None
    return found.stdout.strip() or None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
