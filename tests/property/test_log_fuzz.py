"""A log is read back as it was written, whatever the format and the dialect, or it is refused; never as another."""

import os
from pathlib import Path

import pytest

from fuzzed_logs import make_case, wrong

CASES = int(os.environ.get("ELCREC_FUZZ_CASES", "300"))
AT_ONCE = 50


@pytest.mark.parametrize("first", range(0, CASES, AT_ONCE))
def test_random_logs_are_read_back_or_refused(first: int, tmp_path: Path) -> None:
    refused = 0
    for seed in range(first, min(first + AT_ONCE, CASES)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        case = make_case(seed, folder)
        problem = wrong(case)
        refused += problem is not None and problem.startswith("refused: ")
        assert problem is None or problem.startswith("refused: "), (case.what, problem)
    assert refused < 0.4 * AT_ONCE, "a reader that refuses everything is never wrong"
