"""The next-item losses, each with what it needs and its limits.

To add a loss to the package: a file ``losses/NAME.py`` with the function and its ``of_prediction``, and a line here.
To add one from other code: :func:`register`. Settings and training steps read this table. Nothing here imports PyTorch,
so that settings load quickly.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from elcrec.errors import SettingsError


@dataclass(frozen=True)
class NextItemLoss:
    """Specification of a next-item loss.

    Attributes:
        name: Value of the setting ``next_item_loss``; file name under ``losses/`` unless there is a ``function``.
        about: What it is, in a phrase.
        samples: What each step samples for it: ``nothing``; ``negative`` or ``negatives`` (one, or ``n_negatives``
            items a position that the user does not have); ``items`` (``n_negatives`` items a step).
        multi_step: Whether it takes several targets a position (``horizon`` above 1).
        all_items: Whether each step changes every item's vector.
        extra_scores: Whether it adds scores to the dot products (repeat scores).
        function: Of a loss that is not in ``losses/``: its ``of_prediction``.
    """

    name: str
    about: str
    samples: Literal["nothing", "negative", "negatives", "items"]
    multi_step: bool = False
    all_items: bool = False
    extra_scores: bool = False
    function: Callable[[Any], Any] | None = None

    @property
    def compute(self) -> Callable[[Any], Any]:
        """The function: a scalar from a :class:`elcrec.losses.prediction.Prediction`."""
        if self.function is not None:
            return self.function
        found: Callable[[Any], Any] = importlib.import_module(f"elcrec.losses.{self.name}").of_prediction
        return found


_ALL = (
    NextItemLoss("softmax", "over the whole catalogue", "nothing", multi_step=True, all_items=True, extra_scores=True),
    NextItemLoss("sampled_softmax", "over the targets and drawn items", "items", multi_step=True),
    NextItemLoss("gbce", "several negatives a position, calibrated", "negatives"),
    NextItemLoss("bce", "one negative a position", "negative"),
)
NEXT_ITEM_LOSSES = {loss.name: loss for loss in _ALL}


def register(loss: NextItemLoss) -> None:
    """Make a loss of your own known to the setting ``next_item_loss``, in this process.

    A program that loads a run trained with the loss registers it, too.

    Args:
        loss: With a ``function``. One that is registered under this name already is replaced.

    Raises:
        SettingsError: It has no ``function``, or the name of a loss of the package.
    """
    if loss.function is None:
        raise SettingsError(f"loss {loss.name!r}: give its function, NextItemLoss(..., function=of_prediction)")
    if loss.name in {one.name for one in _ALL}:
        raise SettingsError(f"loss {loss.name!r} is one of the package: give yours another name")
    NEXT_ITEM_LOSSES[loss.name] = loss
