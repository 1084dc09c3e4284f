"""Errors of the caller, with the remedy. Every other exception is a bug of this package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


class ElcrecError(Exception):
    """A mistake of the caller: one line that says what is wrong and how to correct it (CLI exit code 2)."""

    def __str__(self) -> str:
        """The line; line breaks of names in it are shown as they are written in Python."""
        return _BREAKS.sub(lambda found: repr(found[0])[1:-1], super().__str__())


class DataError(ElcrecError):
    """The interaction data cannot be used as given."""


class SettingsError(ElcrecError):
    """A recipe or setting is unknown, of the wrong type or out of range."""


class UnknownIdError(ElcrecError):
    """A user or item id that the model has never seen."""


class RunError(ElcrecError):
    """A run folder is missing, damaged, unfinished, in use or from a newer version."""


class StoreError(ElcrecError):
    """The server's event store cannot be reached, read or written."""


class TrainingError(ElcrecError):
    """Training diverged: a loss or a weight is no longer a finite number."""


@contextmanager
def decoding(refusal: Callable[[str], ElcrecError]) -> Iterator[None]:
    """Whatever goes wrong inside, in whichever library, is the fault of what is decoded.

    Args:
        refusal: What to raise, given the first line of the library's message.
    """
    try:
        yield
    except ElcrecError:
        raise
    except BaseException as error:
        # What is written in Rust panics with an exception that is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise refusal((str(error).strip() or type(error).__name__).splitlines()[0]) from error


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that something did not fit into memory, a processor's or an accelerator's."""
    said = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in said)
    )


class DataWarning(UserWarning):
    """What may surprise the caller in a log that was read: one line, with the option that helps."""


class AccuracyWarning(UserWarning):
    """What may surprise the caller in the accuracy of a model: one line, with what helps."""


class OptionWarning(UserWarning):
    """An option that has no effect: one line, with the reason."""


class RunWarning(UserWarning):
    """What could not be verified of a run folder: one line."""
