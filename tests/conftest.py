"""Shared by all tests: one thread for each of the processes that run them, and where benchmark data and values lie."""

import os
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is imported; the programs that tests start inherit it
SHARED = Path(os.environ.get("ELCREC_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))


@pytest.fixture(scope="session")
def beauty() -> Path:
    """The Beauty file of the published systems."""
    path = SHARED / "data" / "Beauty.txt"
    if not path.exists():
        pytest.skip(f"no {path}: set ELCREC_SHARED to the folder that holds data/ and reference/")
    return path
