"""Dialects of delimited text: separator, header and quotes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from elcrec.data.columns import is_usual, plain, roles_in, shown
from elcrec.data.id_columns import MISSING
from elcrec.data.raw import ReadOptions
from elcrec.data.times import FIRST_SECONDS
from elcrec.errors import DataError
from elcrec.process.wording import argument, counted, setting

BLANKS = " "
SEPARATORS = ("::", "\t", ";", "|", ",", "\x01", BLANKS)
SEPARATOR_NAMES = {"\t": "tab", BLANKS: "blanks", "\x01": "\\x01"}
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
_CELL = r'(?:"(?:[^"]|"")*"|[^",;|\t][^,;|\t]*|)'
# The last field begins with a quote and goes on after the text.
_OPEN = re.compile(rf'(?:{_CELL}[,;|\t][ ]*)*"(?:[^"]|"")*$')
_MOST_LINES, _MOST_ROWS = 20, 200  # of a header, and looked at
_NEARLY_ALL = 0.9
_USUAL = {".tsv": "\t", ".inter": "\t", ".csv": ","}
# What Excel writes and reads above a header.
_SEP = re.compile(r'"?sep=(.)"?\r*$', re.I)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_CLOCK = re.compile(r"\d:\d\d:\d\d")
_FRACTION = re.compile(r"[-+]?\d+\.\d+")


@dataclass(frozen=True)
class Dialect:
    """How a file of delimited text is written.

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


@dataclass(frozen=True)
class _Head:
    """The first lines of a file, and what is known of them before its separator is.

    Attributes:
        name: Of the file, for messages.
        lines: The lines.
        first: The first line that is neither blank nor a comment.
        comments: How many comments stand above it.
        declared: The separator that a line ``sep=;`` declares.
        usual: That one, or the usual one of the file's ending.
    """

    name: str
    lines: list[str]
    first: int
    comments: int
    declared: str | None
    usual: str | None

    def rows(self, start: int) -> list[str]:
        """The lines from a line on that are not blank."""
        return [row for row in self.lines[start:] if row.strip()]


def sniff_dialect(name: str, head: str, ending: str, options: ReadOptions) -> Dialect:
    """The dialect of a file.

    Args:
        name: Of the file, for messages.
        head: Its first lines.
        ending: Of its name.
        options: What the caller says: names of columns by position, or of some columns.

    Raises:
        DataError: It has no header and the caller names no columns by position, or no separator fits.
    """
    given = options.columns
    lines = re.split(r"\r*\n", head)
    first, comments = _skip_comments(lines, given)
    found = _SEP.match(lines[first]) if first < len(lines) else None
    declared = None if found is None else found[1]
    first += found is not None
    if not any(line.strip() for line in lines[first:]):
        raise DataError(f"{name} is empty: nothing to train on")
    top = _Head(name, lines, first, comments, declared, declared or _USUAL.get(ending))
    return _by_header(top, options) if given is None else _by_position(top, given)


def _by_header(head: _Head, options: ReadOptions) -> Dialect:
    """The dialect of a file whose first line names its columns."""
    asked = options.names
    end = _end_of_record(head.lines, head.first)
    line = "\n".join(head.lines[head.first : end])
    _refuse_returns(head.name, head.first, line)
    rows = [line, *head.rows(end)][:_MOST_ROWS]
    separator = head.declared or _separator_of_header(line.lstrip("#"), asked) or _consistent(rows, head.usual)
    if separator is None:
        raise DataError(
            f"{head.name}: cannot tell what separates its columns (line {head.first + 1} and those after it do not "
            f"agree): use commas, tabs, ';', '|' or '::', the same in every line"
        )
    names = _names_in(line, separator, asked)
    if not _is_header(names, [fields_of(row, separator) for row in rows[1:50]], options):
        raise _no_header(head.name, head.first, names, options)
    _refuse_two_separators(head.name, rows[1:], separator, len(names))
    _refuse_twice(head.name, names, asked)
    if all(re.fullmatch("'.*'", one) for one in names):
        raise DataError(f"{head.name}: its fields are enclosed in single quotes: write double quotes, or none")
    return Dialect(separator, _distinct(names), True, end, head.comments, tuple(names))


def _names_in(line: str, separator: str, asked: Sequence[str]) -> list[str]:
    """The fields of a header, which may stand in a comment."""
    names = fields_of(line, separator)
    bare = _uncommented(names) if line.startswith("#") else names
    return bare if roles_in(bare, asked) else names


def _refuse_two_separators(name: str, rows: Sequence[str], separator: str, width: int) -> None:
    """Raise DataError where no line below the header holds its separator, and all have as many columns by another."""
    if not rows or any(len(fields_of(row, separator)) > 1 for row in rows):
        return
    for other in SEPARATORS:
        if other != separator and all(len(fields_of(row, other)) == width for row in rows):
            raise DataError(
                f"{name}: its header is separated by {separator!r} and the lines below by {other!r}: write one of them "
                f"in all lines"
            )


def _uncommented(fields: list[str]) -> list[str]:
    """The fields of a header that stands in a comment (``# user_id,item_id``)."""
    return [fields[0].lstrip("# "), *fields[1:]]


def _no_header(name: str, first: int, names: Sequence[str], options: ReadOptions) -> DataError:
    if options.described is not None:
        return DataError(
            f"{name}: line {first + 1} holds values and no names of columns: write a line with the names of its "
            f"{len(names)} columns above it, and name the ids {options.described}"
        )
    lacking = f" ({shown(options.names)} is not there)" if options.names else ""
    option = f"{setting('user_column', 'NAME')}, {setting('item_column', 'NAME')}"
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
    """``columns`` for fields like these: what looks like a time is one, and no fraction is an id."""
    names = ["_"] * len(fields)
    time = _place_of_time(fields)
    if len(fields) > 2 and time is not None:
        names[time] = "timestamp"
    ids = [at for at, field in enumerate(fields) if names[at] == "_" and not _FRACTION.fullmatch(field.strip())]
    for name, at in zip(("user_id", "item_id"), ids if len(ids) > 1 else range(2), strict=False):
        names[at] = name
    return argument("columns", ",".join(names))


def _place_of_time(fields: Sequence[str]) -> int | None:
    """The first field that holds a date or a time of day, or else the last where it may count from 1970."""
    for at, field in enumerate(fields):
        if _DATE.fullmatch(field.strip()) or _CLOCK.search(field):
            return at
    return len(fields) - 1 if fields[-1].isdecimal() and int(fields[-1]) >= FIRST_SECONDS else None


def _skip_comments(lines: list[str], given: Sequence[str] | None) -> tuple[int, int]:
    """The first line that is neither blank nor a comment, and how many comments come before it."""
    comments = 0
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if not line.startswith("#") or _is_commented_row(line, given):
            return number, comments
        comments += 1
    return len(lines), comments


def _is_commented_row(line: str, given: Sequence[str] | None) -> bool:
    """Whether a line that begins with # is a header, or, with names by position, has as many fields as these."""
    if given is not None:
        return any(len(fields_of(line, separator)) == len(given) for separator in SEPARATORS[:-1])
    fields = max((fields_of(line, separator) for separator in SEPARATORS), key=len)
    return len(roles_in(_uncommented(fields), ())) >= 2


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
    order = SEPARATORS if usual is None else (usual, *SEPARATORS)
    for separator in order:
        widths = {len(fields_of(row, separator)) for row in rows}
        if len(widths) == 1 and widths != {1}:
            return separator
    # Rows of other lengths are reported later, with their line.
    return next((one for one in order if one != BLANKS and len(fields_of(rows[0], one)) >= 2), None)


def _by_position(head: _Head, given: Sequence[str]) -> Dialect:
    """The dialect of a file whose columns the caller names."""
    rows = head.rows(head.first)[:_MOST_ROWS]
    separator = _separator_by_width(head, rows, len(given))
    names = fields_of(rows[0], separator)
    if any(map(_is_value, names)):
        header = False
    else:
        header = len(roles_in(names, given)) >= 2 or _unlike_rows(rows, separator, given)
    if not header:
        return Dialect(separator, _distinct(given), False, head.first, head.comments)
    # It is left out: the names given count.
    _refuse_contradiction(head.name, names, given)
    return Dialect(separator, _distinct(given), True, head.first + 1, head.comments, tuple(names))


def _separator_by_width(head: _Head, rows: list[str], width: int) -> str:
    """The separator that gives so many fields: in all rows, if one does, and by the rules of quotes in most of them."""
    fitting = _fitting(rows[:1], width)
    if not fitting:
        raise _other_width(head, rows[0], _consistent(rows, head.usual) or ",", width)
    fitting = _fitting(rows, width) or fitting
    if fitting == [BLANKS]:
        return _blanks_unless_visible(head, rows, width)
    strict = {one: sum(_keeps_quotes(row, one) for row in rows) for one in fitting}
    return _one_of(head.name, [one for one in fitting if strict[one] == max(strict.values())], head.usual)


def _blanks_unless_visible(head: _Head, rows: list[str], width: int) -> str:
    """Blanks, where no other separator divides the rows as well: the blanks may stand within ids.

    Raises:
        DataError: Another one does, and gives another number of fields.
    """
    widths = {one: fields for one in SEPARATORS[:-1] if (fields := _nearly_all_have(rows, one)) > 1}
    if not widths:
        return BLANKS
    if width in widths.values():
        return _one_of(head.name, [one for one in widths if widths[one] == width], head.usual)
    separator = head.usual if head.usual in widths else next(iter(widths))
    raise _other_width(head, rows[0], separator, width, "; if blanks separate its columns, write tabs for them")


def _nearly_all_have(rows: list[str], separator: str) -> int:
    """How many fields nearly all rows have by a separator; 0 where they do not agree."""
    ((width, often),) = Counter(len(fields_of(row, separator)) for row in rows).most_common(1)
    return width if often >= _NEARLY_ALL * len(rows) else 0


def _other_width(head: _Head, row: str, separator: str, width: int, otherwise: str = "") -> DataError:
    fields = len(fields_of(row, separator))
    by = "" if fields == 1 else f" separated by {SEPARATOR_NAMES.get(separator, repr(separator))}"
    return DataError(
        f"{head.name}: line {head.first + 1} has {counted(fields, 'field')}{by}, {argument('columns')} names {width}: "
        f"name them all, '_' for one that is not read{otherwise}"
    )


def _fitting(rows: list[str], width: int) -> list[str]:
    """The separators by which all rows have so many fields."""
    return [one for one in SEPARATORS if all(len(fields_of(row, one)) == width for row in rows)]


def _one_of(name: str, fitting: list[str], usual: str | None) -> str:
    """The separator of several that give the number of columns."""
    plain = [one for one in fitting if one != BLANKS] or fitting
    if usual in plain and {usual, *plain} & {",", ";"} != {",", ";"}:
        return usual or plain[0]
    if len(plain) > 1 and "\t" not in plain:
        formats = f"{argument('format', 'csv')}, {argument('format', 'tsv')}"
        raise DataError(
            f"{name}: {' and '.join(map(repr, plain))} give as many columns as {argument('columns')} names: save it "
            f"with another separator, or as .csv or .tsv ({formats}) for commas or tabs"
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
            option = argument("columns")
            raise DataError(f"{name}: its header names {theirs!r} where {option} names {ours!r}: leave {option} out")


def _is_value(text: str) -> bool:
    text = text.strip()
    return text in MISSING or bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def _is_header(names: list[str], rows: list[list[str]], options: ReadOptions) -> bool:
    """Whether a first line holds names: known ones, or ones unlike the values below them.

    Where rows describe items or users, any line without a value may: reading such a file needs one known name, and says
    so.
    """
    known = roles_in(names, options.names)
    if len(known) >= 2 or known & set(options.names):
        return True
    if _holds_value(names):
        return False
    return (
        options.described is not None
        or any(map(is_usual, names))
        or (_tell_apart(names) and _hold_values(rows, len(names)))
    )


def _holds_value(names: Sequence[str]) -> bool:
    """Whether what may be names holds a number, a date or a word for nothing; empty fields do not count."""
    return any(_is_value(name) for name in names if name.strip())


def _tell_apart(names: list[str]) -> bool:
    """Whether all columns have a name, and each its own."""
    return all(name.strip() for name in names) and len(set(names)) == len(names)


def _hold_values(rows: list[list[str]], width: int) -> bool:
    """Whether some column of the rows that are whole holds nothing but numbers and dates."""
    columns = zip(*[row for row in rows if len(row) == width], strict=True)
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
