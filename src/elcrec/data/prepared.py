"""A log from its file to what is learnt from and asked for, for everything that has to agree on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from elcrec.config import Settings
from elcrec.data.by_settings import filtered
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Prepared:
    """A log, filtered, numbered and split.

    Attributes:
        items: Its items, numbered from 1.
        users: Its users, numbered from 0.
        split: What is learnt from and asked for.
    """

    items: Vocabulary
    users: Vocabulary
    split: Split


def prepare(log: Interactions, settings: Settings, parts: Iterable[str] = ("valid", "test")) -> Prepared:
    """A log as settings want it, with something to learn and to predict.

    Args:
        log: As :func:`elcrec.data.by_settings.read_log` read it, not filtered yet.
        settings: Filters and split.
        parts: What there has to be something to predict for.

    Raises:
        DataError: The filters leave nothing, or nobody has an item to predict or two to learn from.
    """
    kept = filtered(log, settings)
    items = Vocabulary.of(kept.frame["item_id"], first=1, kind="item")
    split = make_split(kept, items, settings.split, settings.holdout_share)
    for part in parts:
        split.targets(part)
    split.learning_from(settings.train_share, settings.seed).learners()
    return Prepared(items, Vocabulary.of(kept.frame["user_id"]), split)
