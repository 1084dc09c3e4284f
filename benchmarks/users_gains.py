"""NDCG of each user, averaged over models that differ in their seed."""

import numpy as np
import numpy.typing as npt

from elcrec import ELCRec
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.significance import gains


def mean_gains(models: list[ELCRec], part: str, k: int) -> npt.NDArray[np.float64]:
    """NDCG@k of each user on ``valid`` or ``test``, a mean over models of one log; each ranks as trained."""
    ours = []
    for model in models:
        _, histories = model.fitted.split.held_out(part)
        way = model.settings.exclude_seen
        rank_X = ranks_of_ways(model.network, histories, (way,))[way].numpy()
        ours.append(gains(rank_X, k, histories.targets[0].numpy()))
    mean_Q: npt.NDArray[np.float64] = np.mean(ours, axis=0)
    return mean_Q
