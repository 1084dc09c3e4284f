"""Buy-again baselines: the items of the history itself."""

from __future__ import annotations

import numpy as np
import torch

from elcrec.data.histories import HistoryBatch
from elcrec.evaluation.baselines.training_part import Events, Scorer, TrainingPart

HALF_LIFE_BASKETS = 20
"""Half-life of a history's event, in later baskets; in events where a log has no baskets."""
LEAST_OF_HISTORY = 1e-3
"""Weight of the decider next to a decayed count; an event counts more than it for 10 half-lives."""


def buy_again(training: TrainingPart) -> Scorer:
    """How often an item stands in the history; popularity decides between equals.

    Source: GP-TopFreq of Li, Jullien, Ariannezhad and de Rijke, "A next basket recommendation reality check" (TOIS
    2023, arXiv 2109.14233).
    """
    decider_V = torch.from_numpy(training.decider_V)

    def score(histories: HistoryBatch) -> torch.Tensor:
        events = Events.of(histories)
        return torch.from_numpy(events.matrix(np.ones(len(events.item_X)), training.n_items).toarray()).add_(decider_V)

    return score


def buy_again_recent(training: TrainingPart) -> Scorer:
    """The same with recency: an event counts ``.5^(a / 20)``, a the number of baskets that came after its own.

    Popularity decides between items that are not in the history.

    Source: recency as in Anderson, Kumar, Tomkins and Vassilvitskii, "The dynamics of repeat consumption" (WWW 2014),
    with an exponential decay for their measured weights.
    """
    decider_V = torch.from_numpy(LEAST_OF_HISTORY * training.decider_V)

    def score(histories: HistoryBatch) -> torch.Tensor:
        events = Events.of(histories)
        decayed = events.matrix(0.5 ** (events.age_X / HALF_LIFE_BASKETS), training.n_items)
        return torch.from_numpy(decayed.toarray()).add_(decider_V)

    return score
