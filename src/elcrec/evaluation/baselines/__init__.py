"""Baselines: scores that are counted without training, evaluated by the same protocol as a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from elcrec.evaluation.baselines.again import buy_again, buy_again_recent
from elcrec.evaluation.baselines.neighbours import item_knn, markov
from elcrec.evaluation.baselines.popularity import popularity, popularity_recent
from elcrec.evaluation.baselines.training_part import Scorer, TrainingPart
from elcrec.evaluation.baselines.users import tifu_knn, up_cf

BASELINES: Final[dict[str, Callable[[TrainingPart], Scorer]]] = {
    "popularity": popularity,
    "popularity-recent": popularity_recent,
    "buy-again": buy_again,
    "buy-again-recent": buy_again_recent,
    "markov": markov,
    "item-knn": item_knn,
    "tifu-knn": tifu_knn,
    "up-cf": up_cf,
}
"""Each counts in the training part of a log and then scores histories."""
OF_SEEN_ITEMS: Final = ("buy-again", "buy-again-recent")
"""Those that list nothing but popular items where seen items are excluded."""
OF_PAIRS: Final = ("markov", "item-knn")
"""Those that count pairs of items in one basket and the next."""
OF_EVENTS: Final = ("popularity-recent", *OF_PAIRS)
"""Those that hold all events, or pairs of them, several times."""
OF_USERS: Final = ("tifu-knn", "up-cf")
"""Those that compare each history with those of all users."""
