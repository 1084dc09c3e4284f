"""Options in the caller's words: keywords in Python, flags on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class _Caller:
    """Who reads the messages of this process."""

    is_command_line = False


@contextmanager
def on_command_line() -> Iterator[None]:
    """Within, messages name flags."""
    before, _Caller.is_command_line = _Caller.is_command_line, True
    try:
        yield
    finally:
        _Caller.is_command_line = before


def worded(command_line: str, python: str) -> str:
    """One of two wordings, by the caller."""
    return command_line if _Caller.is_command_line else python


def argument(name: str, value: str | bool | None = None) -> str:
    """An argument of a method, which is an option of verbs, too: ``resume=True`` or ``--resume``.

    Args:
        name: In Python.
        value: What to give; None: the argument is only named, ``out=`` or ``--out``.
    """
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return worded(flag, f"{name}=")
    return worded(flag if value is True else f"{flag} {value}", f"{name}={value!r}")


def counted(number: int, thing: str, one: str = "", several: str = "") -> str:
    """A number of things, and a verb that agrees with it: ``1 user``, ``1,200 histories``, ``1 row has``.

    Args:
        number: How many there are.
        thing: One of them.
        one: The verb of one thing.
        several: That of several.
    """
    things = f"{thing.removesuffix('y')}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number:,} {thing if number == 1 else things} {one if number == 1 else several}".rstrip()


def listed(texts: Sequence[str], most: int = 8) -> str:
    """The first texts, and how many more there are: ``a, b, c and 4 more``."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return f"{', '.join(texts[:most])}{more}"


def setting(name: str, value: str | bool | int) -> str:
    """A setting with what to give: ``missing='drop'`` or ``--set missing=drop``."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return worded(f"--set {name}={text}", f"{name}={value!r}")
