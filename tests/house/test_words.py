"""The field's own words, and "they" for a person: ``words.txt`` lists what is not written."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from source import ROOT

WORDS = Path(__file__).with_name("words.txt")
READ = ("src", "docs", "examples", "benchmarks", "deploy", ".github", "README.md", "CONTRIBUTING.md", "SECURITY.md")
KINDS = {".py", ".md", ".toml", ".html", ".js", ".css", ".yaml", ".yml", ".sh"}
RECORDED = ("docs/results.md", "docs/results-archive.md", "benchmarks/suites", "benchmarks/published.toml")
"""Tables and rows with names as they were recorded with the results."""
PROSE = "## In prose"
"""What follows this line in the list is looked for in prose alone."""
CODE = re.compile(r"`[^`]*`|\{(?:[^{}]|\{[^{}]*\})*\}")
"""Code in prose: between backticks, or in the braces of a formatted string."""


def forbidden(prose: bool) -> dict[re.Pattern[str], str]:
    """Patterns with what to write instead: for prose, or for all text."""
    everywhere, _, in_prose = WORDS.read_text().partition(PROSE)
    lines = [line for line in (in_prose if prose else everywhere).splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" = ", 1) for line in lines]
    return {re.compile(rf"\b({pattern})\b", re.IGNORECASE): instead for pattern, instead in pairs}


def prose_of(name: str, text: str) -> list[tuple[int, str]]:
    """Lines of Markdown, or of strings and comments of Python; of benchmarks no short strings: results hold them."""
    if name.endswith(".md"):
        return [(number, CODE.sub("", line)) for number, line in enumerate(text.splitlines(), start=1)]
    if not name.endswith(".py"):
        return []
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]
    ]
    return [
        (token.start[0] + number, CODE.sub("", line))
        for token in tokens
        if not name.startswith("benchmarks/") or token.string.startswith(("#", '"""'))
        for number, line in enumerate(token.string.splitlines())
    ]


def files() -> list[str]:
    """All files that a person reads."""
    found = []
    for place in (ROOT / name for name in READ):
        found += [path for path in sorted(place.rglob("*")) if path.suffix in KINDS] if place.is_dir() else [place]
    names = [path.relative_to(ROOT).as_posix() for path in found if path.exists()]
    return [name for name in names if not name.startswith(RECORDED)]


def forbidden_words(name: str) -> Iterator[str]:
    """Where a file has words of the list, and what to write instead."""
    text = (ROOT / name).read_text()
    prose = prose_of(name, text)
    whole = prose if name.startswith("benchmarks/") else list(enumerate(text.splitlines(), start=1))
    for words, lines in ((forbidden(prose=False), whole), (forbidden(prose=True), prose)):
        for number, line in lines:
            for pattern, instead in words.items():
                yield from (f"{name}:{number}: {match[0]!r}: {instead}" for match in pattern.finditer(line))


def test_no_forbidden_word() -> None:
    found = [fault for name in files() for fault in forbidden_words(name)]
    assert not found, "\n".join(found)
