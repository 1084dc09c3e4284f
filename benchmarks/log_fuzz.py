"""Random logs in all formats and dialects, read back: the same events, a refusal, or (a bug) other events.

    python benchmarks/log_fuzz.py --cases 10000

The cases are those of tests/property/test_log_fuzz.py. Writes benchmarks/results/integrity/log-fuzz.json; exit 1 where
a log is read as another.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.progress import track

from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from fuzzed_logs import make_case, wrong  # noqa: E402


def outcome(seed: int) -> tuple[str, str, str]:
    """Writer, ``same events``, ``refused`` or ``wrong``, and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(seed, Path(folder))
        said = wrong(case) or ""
    kind = "same events" if not said else "refused" if said.startswith("refused: ") else "wrong"
    return case.what["writer"].split()[0], kind, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    cases = parser.parse_args().cases
    counts: dict[str, Counter[str]] = {}
    faults: list[Any] = []
    for seed in track(range(cases), "reading", disable=not sys.stderr.isatty()):
        writer, kind, said = outcome(seed)
        counts.setdefault(writer, Counter())[kind] += 1
        if kind == "wrong":
            faults.append({"seed": seed, "said": said})
    document = {
        "suite": "integrity",
        "part": "log-fuzz",
        "command": f"python benchmarks/log_fuzz.py --cases {cases}",
        "cases": cases,
        "outcomes": dict(sum(counts.values(), Counter())),
        "by_writer": {writer: dict(sorted(found.items())) for writer, found in sorted(counts.items())},
        "wrong": faults,
    }
    write_json(HERE / "results" / "integrity" / "log-fuzz.json", {**document, **provenance()})
    print(document["outcomes"])
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
