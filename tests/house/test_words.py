"""The field's own words, and "they" for a person: ``words.txt`` lists what is not written."""

import re
from pathlib import Path

import pytest
from source import ROOT

WORDS = Path(__file__).with_name("words.txt")
READ = ("src", "docs", "examples", "deploy", ".github", "README.md", "CONTRIBUTING.md", "SECURITY.md")
KINDS = {".py", ".md", ".toml", ".html", ".js", ".css", ".yaml", ".yml", ".sh"}
RECORDED = ("docs/results.md", "docs/results-archive.md")
"""Tables with names as they were recorded with the results."""


def forbidden() -> dict[re.Pattern[str], str]:
    """Patterns with what to write instead."""
    lines = [line for line in WORDS.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" = ", 1) for line in lines]
    return {re.compile(rf"\b({pattern})\b", re.IGNORECASE): instead for pattern, instead in pairs}


def files() -> list[str]:
    """All files that a person reads."""
    found = []
    for place in (ROOT / name for name in READ):
        found += [path for path in sorted(place.rglob("*")) if path.suffix in KINDS] if place.is_dir() else [place]
    names = [path.relative_to(ROOT).as_posix() for path in found if path.exists()]
    return [name for name in names if name not in RECORDED]


@pytest.mark.parametrize("name", files())
def test_no_forbidden_word(name: str) -> None:
    words = forbidden()
    found = [
        f"{name}:{number}: {match[0]!r}: {instead}"
        for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1)
        for pattern, instead in words.items()
        for match in pattern.finditer(line)
    ]
    assert not found, "\n".join(found)
