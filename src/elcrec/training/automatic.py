"""Settings that are left to training, ``name=auto``: what the log says they should be, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from elcrec.config import Settings
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.evaluation.metrics import SELECTION_METRIC, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.repeats import better_way
from elcrec.losses.registry import NEXT_ITEM_LOSSES
from elcrec.model.network import ELCRecNetwork
from elcrec.process.wording import counted
from elcrec.runs.records import ChoiceRecord

BASKETS_FROM = 0.5
"""A log with this share of events that share their time with others of their user is one of baskets."""
LEAST_BASKETS = 4
"""A user with fewer has no two baskets to train on, one to validate on and one to test on."""
REPEATS_FROM = 0.01
LEARNED_FROM = 0.1
WINDOWS = 5
LONG_BASKETS = {
    **{"embedding_dim": 64, "dropout": 0.2, "horizon": 1, "batch_size": 128, "learning_rate": 3e-3},
    **{"warmup_epochs": 1, "epochs": 4},
}
"""Settings of a log of baskets with long histories, which a few passes fit; others keep their defaults."""
FEWEST_WINDOWS = 15_360
"""What an epoch of the default reads at least: 60 steps of 256 windows."""
FEW_WINDOWS = {"batch_size": 64, "epochs": 5}
"""Settings of a log with long histories of few users, which more passes overfit."""
FEATURE_STEPS, FEWEST_EPOCHS = 1_060, 8
"""Training from item features ends before it has made more steps, but makes so many epochs: on larger logs of short
histories more passes overfit."""
ENSEMBLE_EPOCHS = 10
"""Most epochs of a model with several encoders, whose epochs take longer."""
USERS_AN_INTENT = 64
FEWEST_INTENTS, MOST_INTENTS = 8, 256


@dataclass(frozen=True)
class LogShape:
    """What choices depend on.

    Attributes:
        n_users: Number of users.
        median_length: Of histories, in events.
        tied: Share of events that share their time with others of their user.
        baskets: Most baskets, events of one time, that a user has.
        repeats: Share of events whose user had the item before.
    """

    n_users: int
    median_length: float
    tied: float
    baskets: int
    repeats: float

    @classmethod
    def of(cls, log: Interactions, summary: Mapping[str, Any]) -> LogShape:
        """Of a log in order, by its summary."""
        return cls(summary["users"], summary["length_median"], summary["tied"], log.most_baskets(), summary["repeats"])


def summary_with_ties(log: Interactions) -> dict[str, Any]:
    """:meth:`elcrec.data.interactions.Interactions.summary` and ``tied``, the share of tied events."""
    return {**log.summary(), "tied": log.tied_share()}


def choose(
    settings: Settings, log: Interactions, summary: Mapping[str, Any] | None = None
) -> tuple[Settings, dict[str, ChoiceRecord]]:
    """Values for the settings that were left to the log.

    Args:
        settings: As given.
        log: Filtered.
        summary: That of :func:`summary_with_ties`, where it is known already.

    Returns:
        The settings with these values, and each choice. ``exclude_seen`` is chosen after training, on validation.
    """
    names = [name for name in settings.auto if name in _CHOOSERS]
    if not names:
        return settings, {}
    shape, choices = LogShape.of(log, summary_with_ties(log) if summary is None else summary), {}
    for name in names:
        choices[name] = _CHOOSERS[name](shape, settings)
    return settings.model_copy(update={name: choice["value"] for name, choice in choices.items()}), choices


def epochs_with_features(settings: Settings, n_users: int) -> ChoiceRecord | None:
    """How many epochs a model trains that learns from item features, where they are left to the log.

    Measured with histories that one window holds, and with steps that move all items: others keep what they have.

    Args:
        settings: With the choices by :func:`choose`.
        n_users: Of the log.

    Returns:
        The choice; None where that of :func:`choose` stays.
    """
    if "epochs" not in settings.auto or settings.windows > 1 or settings.item_updates != "all":
        return None
    steps = -(-min(n_users, settings.epoch_users) // settings.batch_size)
    fewer = max(FEWEST_EPOCHS, FEATURE_STEPS // steps)
    if fewer >= settings.epochs:
        return None
    return _choice(fewer, f"{counted(n_users, 'user')} and item features: more overfits")


def choose_exclude_seen(network: ELCRecNetwork, split: Split, settings: Settings, both_ways: bool) -> ChoiceRecord:
    """Whether seen items are excluded, by validation with a trained network where both ways can differ."""
    if not both_ways:
        return _choice(True, "next to no held-out item is in its user's history already")
    _, histories = split.held_out("valid", settings.judged_users, settings.seed)
    ranks = ranks_of_ways(network.eval(), histories, (True, False))
    found = {way: metrics_of(histories, rank_X) for way, rank_X in ranks.items()}
    excluded, ranked = found[True][SELECTION_METRIC], found[False][SELECTION_METRIC]
    reason = f"validation {SELECTION_METRIC}: {excluded:.4f} with seen items excluded, {ranked:.4f} with them ranked"
    return _choice(better_way(found), reason)


def _choice(value: bool | float | str, reason: str) -> ChoiceRecord:
    return {"value": value, "reason": reason}


def _ties(shape: LogShape, settings: Settings) -> ChoiceRecord:
    if shape.tied == 0:
        return _choice("file", "no user has two events at one time")
    if shape.baskets < LEAST_BASKETS - 1:
        return _choice("file", "no user has three baskets: there is no other order than that of the events")
    return _choice("shuffle", f"{shape.tied:.0%} of the events share their time with others of their user")


def _split(shape: LogShape, settings: Settings) -> ChoiceRecord:
    if shape.baskets < LEAST_BASKETS:
        return _choice("leave_one_out", "no user has four baskets")
    if shape.tied < BASKETS_FROM:
        return _choice("leave_one_out", f"few events share their time with others ({shape.tied:.0%})")
    return _choice("leave_one_basket_out", f"most events share their time with others ({shape.tied:.0%})")


def _repeats(shape: LogShape, settings: Settings) -> ChoiceRecord:
    reason = f"{shape.repeats:.1%} of the events repeat an item of their user"
    if shape.repeats < REPEATS_FROM:
        return _choice("none", reason)
    learns = shape.repeats >= LEARNED_FROM and NEXT_ITEM_LOSSES[settings.next_item_loss].extra_scores
    return _choice("learned" if learns else "fitted", reason)


def _windows(shape: LogShape, settings: Settings) -> ChoiceRecord:
    if shape.tied == 0 and shape.repeats < REPEATS_FROM:
        return _choice(1, "a log without baskets and repeats")
    reason = f"the median history has {shape.median_length:g} events"
    return _choice(WINDOWS if _has_windows(shape, settings) else 1, reason)


def _has_windows(shape: LogShape, settings: Settings) -> bool:
    """Whether histories are read in several windows: those of a log with ties or repeats that are long."""
    return (shape.tied > 0 or shape.repeats >= REPEATS_FROM) and shape.median_length > settings.max_seq_len


def _n_intents(shape: LogShape, settings: Settings) -> ChoiceRecord:
    number = FEWEST_INTENTS
    while number < MOST_INTENTS and 2 * number * USERS_AN_INTENT <= shape.n_users * 2**0.5:
        number *= 2
    return _choice(number, counted(shape.n_users, "user"))


def _size(name: str) -> Callable[[LogShape, Settings], ChoiceRecord]:
    def choose(shape: LogShape, settings: Settings) -> ChoiceRecord:
        # Of a model that is trained again, or a training that goes on, the settings hold what was chosen before.
        default, why = Settings.model_fields[name].default, "the default"
        if name == "epochs" and settings.n_encoders > 1:
            default, why = min(default, ENSEMBLE_EPOCHS), f"the default of {settings.n_encoders} encoders"
        if not _has_windows(shape, settings):
            return _choice(default, f"{why}, which suits short histories")
        if shape.tied >= BASKETS_FROM:
            return _choice(LONG_BASKETS[name], f"baskets, and a median history of {shape.median_length:g} events")
        if name in FEW_WINDOWS and shape.n_users * WINDOWS < FEWEST_WINDOWS:
            reason = f"{counted(shape.n_users, 'user')} with a median history of {shape.median_length:g} events"
            return _choice(FEW_WINDOWS[name], f"{reason}: more overfits")
        return _choice(default, why)

    return choose


_CHOOSERS: dict[str, Callable[[LogShape, Settings], ChoiceRecord]] = {
    "ties": _ties,
    "split": _split,
    "repeats": _repeats,
    "windows": _windows,
    "n_intents": _n_intents,
    **{name: _size(name) for name in LONG_BASKETS},
}
