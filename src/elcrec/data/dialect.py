"""Dialects of delimited text: separator, header and quotes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from elcrec.data.columns import is_usual, plain, roles_in, shown
from elcrec.data.id_columns import MISSING
from elcrec.errors import DataError

BLANKS = " "
SEPARATORS = ("::", "\t", ";", "|", ",", "\x01", BLANKS)
SEPARATOR_NAMES = {"\t": "tab", BLANKS: "blanks", "\x01": "\\x01"}
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
_CELL = r'(?:"(?:[^"]|"")*"|[^",;|\t][^,;|\t]*|)'
# The last field begins with a quote and goes on after the text.
_OPEN = re.compile(rf'(?:{_CELL}[,;|\t][ ]*)*"(?:[^"]|"")*$')
_MOST_LINES = 20
_USUAL = {".tsv": "\t", ".inter": "\t", ".csv": ","}
# What Excel writes and reads above a header.
_SEP = re.compile(r'"?sep=(.)"?\r*$', re.I)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_CLOCK = re.compile(r"\d:\d\d:\d\d")
_FRACTION = re.compile(r"[-+]?\d+\.\d+")
# Numbers from here on may be seconds or milliseconds since 1970.
EPOCH, LAST_EPOCH = 10**8, 10**14


@dataclass(frozen=True)
class Dialect:
    """Of a file of delimited text.

    Attributes:
        separator: One character, ``::``, or a blank for any run of blanks.
        names: The names of the columns, of the header or as given.
        header: Whether the file has a header.
        skipped: Lines before the first row: comments, blank lines, the header.
        comments: How many of these are comments.
        header_fields: The names as they stand in the header.
    """

    separator: str
    names: tuple[str, ...]
    header: bool
    skipped: int
    comments: int = 0
    header_fields: tuple[str, ...] = ()

    @property
    def by_polars(self) -> bool:
        """Whether Polars can split its lines: not by several characters."""
        return len(self.separator) == 1 and self.separator != BLANKS


def fields_of(line: str, separator: str) -> list[str]:
    """The fields of a line."""
    if separator == BLANKS:
        return line.split()
    fields = _strict_fields(line, separator) if len(separator) == 1 else None
    return line.split(separator) if fields is None else fields


def _keeps_quotes(line: str, separator: str) -> bool:
    return len(separator) > 1 or _strict_fields(line, separator) is not None


def _strict_fields(line: str, separator: str) -> list[str] | None:
    """The fields by the rules of quotes; None where the line breaks them."""
    if len(separator) > 1:
        return None
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return None


def sniff_dialect(name: str, head: str, ending: str, given: Sequence[str] | None, asked: Sequence[str] = ()) -> Dialect:
    """The dialect of a file.

    Args:
        name: Of the file, for messages.
        head: Its first lines.
        ending: Of its name.
        given: Names of the columns by position (``--columns``), where the caller gives them.
        asked: Names of columns that the caller gives.

    Raises:
        DataError: It has no header and ``given`` is None, or no separator fits.
    """
    lines = re.split(r"\r*\n", head)
    first, comments = _skip_comments(lines, given)
    named = _SEP.match(lines[first]) if first < len(lines) else None
    first += named is not None
    if not any(line.strip() for line in lines[first:]):
        raise DataError(f"{name} is empty: nothing to train on")
    usual = named[1] if named else _USUAL.get(ending)
    if given is not None:
        rows = [row for row in lines[first:] if row.strip()][:200]
        return _by_position(name, rows, given, usual, first, comments)
    end = _end_of_record(lines, first)
    line = "\n".join(lines[first:end])
    _refuse_returns(name, first, line)
    rows = [line, *(row for row in lines[end:] if row.strip())][:200]
    separator = (named and named[1]) or _separator_of_header(line.lstrip("#"), asked) or _consistent(rows, usual)
    if separator is None:
        raise DataError(
            f"{name}: cannot tell what separates its columns (line {first + 1} and those after it do not agree): "
            f"use commas, tabs, ';', '|' or '::', the same in every line"
        )
    names = fields_of(line, separator)
    if line.startswith("#") and roles_in([names[0].lstrip("# "), *names[1:]], asked):
        names = [names[0].lstrip("# "), *names[1:]]
    if not _is_header(names, [fields_of(row, separator) for row in rows[1:50]], asked):
        raise _no_header(name, first, names, asked)
    _refuse_twice(name, names, asked)
    if all(re.fullmatch("'.*'", one) for one in names):
        raise DataError(f"{name}: its fields are enclosed in single quotes: write double quotes, or none")
    return Dialect(separator, _distinct(names), True, end, comments, tuple(names))


def _no_header(name: str, first: int, names: Sequence[str], asked: Sequence[str]) -> DataError:
    lacking = f" ({shown(asked)} is not there)" if asked else ""
    option = "--set user_column=NAME --set item_column=NAME"
    perhaps = "" if any(map(_is_value, names)) else f"; if it is a header, say which are which: {option}"
    return DataError(
        f"{name}: line {first + 1} holds values and no names of columns{lacking}: name its {len(names)} columns, "
        f"for example {columns_for(names)}{perhaps}"
    )


def _end_of_record(lines: list[str], first: int) -> int:
    """The line after the header, whose names may hold line breaks within quotes."""
    for end in range(first + 1, min(len(lines), first + _MOST_LINES) + 1):
        if not _OPEN.match("\n".join(lines[first:end])):
            return end
    return first + 1


def _refuse_returns(name: str, number: int, line: str) -> None:
    if "\r" in line.strip("\r") and '"' not in line:
        raise DataError(
            f"{name}: lines end in several ways (a carriage return alone in line {number + 1}): save it with one"
        )


def columns_for(fields: Sequence[str]) -> str:
    """``--columns`` for fields like these: what looks like a time is one, and no fraction is an id."""
    names = ["_"] * len(fields)
    times = [at for at, field in enumerate(fields) if _DATE.fullmatch(field.strip()) or _CLOCK.search(field)]
    if not times and fields[-1].isdecimal() and int(fields[-1]) >= EPOCH:
        times = [len(fields) - 1]
    if len(fields) > 2 and times:
        names[times[0]] = "timestamp"
    ids = [at for at, field in enumerate(fields) if names[at] == "_" and not _FRACTION.fullmatch(field.strip())]
    for name, at in zip(("user_id", "item_id"), ids if len(ids) > 1 else range(2), strict=False):
        names[at] = name
    return f"--columns {','.join(names)}"


def _skip_comments(lines: list[str], given: Sequence[str] | None) -> tuple[int, int]:
    """The first line that is neither blank nor a comment, and how many comments come before it."""
    comments = 0
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if not line.startswith("#"):
            return number, comments
        fields = max((fields_of(line, separator) for separator in SEPARATORS), key=len)
        known = given is None and len(roles_in([fields[0].lstrip("# "), *fields[1:]], ())) >= 2
        if known or (given is not None and any(len(fields_of(line, s)) == len(given) for s in SEPARATORS[:-1])):
            return number, comments
        comments += 1
    return len(lines), comments


def _separator_of_header(line: str, asked: Sequence[str]) -> str | None:
    """The separator by which a header has most of the usual names; blanks only where no other does as well."""

    def merit(separator: str) -> tuple[int, bool, int]:
        fields = fields_of(line, separator)
        return len(roles_in(fields, asked)), separator != BLANKS, len(fields)

    best = max(SEPARATORS, key=merit)
    roles, _, width = merit(best)
    # One known name between blanks may be a part of one: "customer name,product name".
    enough = 1 if best != BLANKS or not any(one in line for one in SEPARATORS[:-1]) else 2
    return best if roles >= 2 or (roles >= enough and width > 1) else None


def _consistent(rows: list[str], usual: str | None) -> str | None:
    """The separator by which all rows have the same number of fields, two or more."""
    order = [usual, *SEPARATORS] if usual else SEPARATORS
    for separator in order:
        widths = set() if separator is None else {len(fields_of(row, separator)) for row in rows}
        if len(widths) == 1 and widths != {1}:
            return separator
    # Rows of other lengths are reported later, with their line.
    return next((one for one in order if one not in (None, BLANKS) and len(fields_of(rows[0], one or "")) >= 2), None)


def _by_position(
    name: str, rows: list[str], given: Sequence[str], usual: str | None, first: int, comments: int
) -> Dialect:
    fitting = [one for one in SEPARATORS if len(fields_of(rows[0], one)) == len(given)]
    same = [one for one in fitting if all(len(fields_of(row, one)) == len(given) for row in rows)]
    if not fitting:
        separator = _consistent(rows, usual) or ","
        raise DataError(
            f"{name}: line {first + 1} has {len(fields_of(rows[0], separator))} fields, --columns names {len(given)}: "
            f"name them all, '_' for one that is not read"
        )
    kept = {one: sum(_keeps_quotes(row, one) for row in rows) for one in same or fitting}
    separator = _one_of(name, [one for one in kept if kept[one] == max(kept.values())], usual)
    names = fields_of(rows[0], separator)
    # A header is left out: the names given count.
    header = not any(map(_is_value, names)) and (
        len(roles_in(names, given)) >= 2 or _unlike_rows(rows, separator, given)
    )
    if header:
        _refuse_contradiction(name, names, given)
    return Dialect(separator, _distinct(given), header, first + header, comments, tuple(names) if header else ())


def _one_of(name: str, fitting: list[str], usual: str | None) -> str:
    """The separator of several that give the number of columns."""
    plain = [one for one in fitting if one != BLANKS] or fitting
    if usual in plain and {usual, *plain} & {",", ";"} != {",", ";"}:
        return usual or plain[0]
    if len(plain) > 1 and "\t" not in plain:
        raise DataError(
            f"{name}: {' and '.join(map(repr, plain))} give as many columns as --columns names: save it with another "
            f"separator, or as .csv or .tsv (--format csv, --format tsv) for commas or tabs"
        )
    return "\t" if "\t" in plain else plain[0]


def _unlike_rows(rows: list[str], separator: str, given: Sequence[str]) -> bool:
    """Whether all columns that are read hold numbers or dates below a first row that holds none."""
    below = [fields for fields in (fields_of(row, separator) for row in rows[1:]) if len(fields) == len(given)]
    read = [at for at, name in enumerate(given) if name not in ("_", "")]
    return len(below) > 1 and all(_is_value(fields[at]) for fields in below for at in read)


def _refuse_contradiction(name: str, names: Sequence[str], given: Sequence[str]) -> None:
    for theirs, ours in zip(names, given, strict=True):
        roles = roles_in([theirs], ()), roles_in([ours], ())
        if all(roles) and not roles[0] & roles[1]:
            raise DataError(f"{name}: its header names {theirs!r} where --columns names {ours!r}: leave --columns out")


def _is_value(text: str) -> bool:
    text = text.strip()
    return text in MISSING or bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def _is_header(names: list[str], rows: list[list[str]], asked: Sequence[str]) -> bool:
    """Whether a first line holds names: known ones, or ones unlike the values below them."""
    found = roles_in(names, asked)
    if len(found) >= 2 or found & set(asked):
        return True
    if any(_is_value(name) for name in names if name.strip()):
        return False
    if any(map(is_usual, names)):
        return True
    if not all(name.strip() for name in names) or len(set(names)) < len(names):
        return False
    columns = list(zip(*[row for row in rows if len(row) == len(names)], strict=True))
    return any(any(column) and all(map(_is_value, column)) for column in columns)


def _refuse_twice(name: str, names: list[str], asked: Sequence[str]) -> None:
    seen: set[str] = set()
    for one in map(plain, names):
        if one in seen and roles_in([one], asked):
            raise DataError(f"{name}: the column {one!r} stands twice in the header: keep one, or rename the other")
        seen.add(one)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Distinct names: those that came twice get a number."""
    found: list[str] = []
    for name in names:
        fresh, number = name, 1
        while fresh in found:
            number += 1
            fresh = f"{name}_{number}"
        found.append(fresh)
    return tuple(found)


def records(text: Iterator[str], dialect: Dialect, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Line number (from 1) and fields of each row that is not blank.

    Raises:
        csv.Error: A quote is not closed, or something follows a closing quote.
    """
    for _ in range(dialect.skipped):
        next(text, None)
    if quoted and dialect.by_polars:
        reader = csv.reader(text, delimiter=dialect.separator, skipinitialspace=True, strict=True)
        line = 1
        for row in reader:
            if any(row):
                yield dialect.skipped + line, row
            line = reader.line_num + 1
        return
    for number, line_text in enumerate(text, start=dialect.skipped + 1):
        stripped = line_text.rstrip("\r\n")
        if stripped.strip():
            separator = dialect.separator
            yield number, stripped.split() if separator == BLANKS else stripped.split(separator)
