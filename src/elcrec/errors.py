"""What the caller did wrong and what to do about it; everything else is our bug."""

from __future__ import annotations


class ElcrecError(Exception):
    """A mistake of the caller: one line that says what is wrong and how to mend it (CLI exit code 2)."""


class DataError(ElcrecError):
    """The interaction data cannot be used as given."""


class SettingsError(ElcrecError):
    """A recipe or setting is unknown, of the wrong type or out of range."""


class UnknownIdError(ElcrecError):
    """A user or item id that the model has never seen."""


class RunError(ElcrecError):
    """A run folder is missing, damaged, unfinished, in use or from a newer version."""


class TrainingError(ElcrecError):
    """Training diverged: a loss or a weight is no longer a finite number."""


class DataWarning(UserWarning):
    """What may surprise in a log that was read: one line, with the option that helps."""
