"""Two runs side by side: their names, and whether the second can be compared with the first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from elcrec.errors import RunError, SettingsError
from elcrec.serving.histories import has_times, unknown_to

if TYPE_CHECKING:
    from elcrec.data.splits import Split
    from elcrec.recommender import ELCRec

NO_SECOND_RUN = "against: this server has one run only; start it with --against RUN2 to compare two"
ID_TYPES: dict[pl.DataType, str] = {pl.String(): "text", pl.Int64(): "integers"}


def names_of(*runs: Path) -> list[str]:
    """What people call folders: the shortest ends of their paths that differ."""
    parts = [Path(os.path.abspath(run)).parts for run in runs]
    longest = max(map(len, parts))
    length = next((n for n in range(1, longest) if len({one[-n:] for one in parts}) == len(parts)), longest)
    # A name need not be UTF-8; answers are.
    return [str(Path(*one[-length:])).encode(errors="replace").decode() for one in parts]


def refuse_the_same(run: Path, against: Path | None) -> None:
    """Raise where a run would be compared with itself.

    Raises:
        SettingsError: Both are one folder.
    """
    if against is not None and run.resolve() == against.resolve():
        raise SettingsError(f"--against {against} is the run that is served: name another one")


def refuse_unlike(model: ELCRec, other: ELCRec, against: Path) -> None:
    """Raise where the second model could not read the histories of the first.

    Args:
        model: The first.
        other: The second.
        against: Its folder.

    Raises:
        RunError: Their ids or times are of different types, the second reads kinds of events that the log of the first
            lacks, or they have no item in common.
    """
    ours, theirs = model.log.frame.schema, other.log.frame.schema
    for name in ("user_id", "item_id"):
        if ours[name] != theirs[name]:
            its, those = (ID_TYPES.get(schema[name], f"of type {schema[name]}") for schema in (theirs, ours))
            raise _unlike(against, f"its {name} are {its}, and those of the served run are {those}")
    if has_times(other.lookup) and _times(model) != _times(other):
        raise _unlike(against, f"its log has {_times(other)}, and that of the served run has {_times(model)}")
    if "event" not in ours and (other.settings.reads_kinds or other.settings.events):
        raise _unlike(against, "it reads kinds of events, and the log of the served run has none; serve it instead")
    items = model.items.ids.to_list()
    if len(unknown_to(other.lookup, items)) == len(items):
        raise _unlike(against, "the two have no item in common")


def measured_alike(model: ELCRec, other: ELCRec) -> bool:
    """Whether metrics of two models are comparable: the same log, held out and ranked in the same way."""
    if model.settings.exclude_seen != other.settings.exclude_seen or not model.log.frame.equals(other.log.frame):
        return False
    ours, theirs = model.fitted.split, other.fitted.split
    return ours.baskets == theirs.baskets and _same_held_out(ours, theirs) and _sample(model) == _sample(other)


def _sample(model: ELCRec) -> tuple[int, int] | None:
    """What determines the sample of users who are evaluated; None where all are."""
    settings, split = model.settings, model.fitted.split
    n_users = max(int((at_U >= 0).sum()) for at_U in (split.valid_U, split.test_U))
    return (settings.judged_users, settings.seed) if n_users > settings.judged_users else None


def _same_held_out(ours: Split, theirs: Split) -> bool:
    """Whether the same events of one log are held out."""
    cuts = ((one.valid_U, one.test_U, one.judged_N if one.baskets else None) for one in (ours, theirs))
    return all(
        one is other if one is None or other is None else one.equal(other) for one, other in zip(*cuts, strict=True)
    )


def _times(model: ELCRec) -> str:
    if not has_times(model.lookup):
        return "no times"
    return "plain numbers for times" if model.lookup.clock.kind == "numbers" else "moments for times"


def _unlike(against: Path, why: str) -> RunError:
    return RunError(f"--against {against} cannot be compared: {why}")
