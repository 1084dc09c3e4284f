"""Incremental training of a run on new events."""

from __future__ import annotations

import os
from copy import deepcopy
from dataclasses import replace
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.by_settings import filtered, read_items, read_new, read_users
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset, warn_of_others
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import unknown_kinds
from elcrec.data.numbers import at_least_one
from elcrec.data.splits import Split
from elcrec.data.user_table import UserTable
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataWarning, SettingsError
from elcrec.fitted import FittedModel
from elcrec.inference.policy import POPULARITY
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.process.warning import warn
from elcrec.process.wording import argument, counted, worded
from elcrec.runs.records import Increment, RunMetrics
from elcrec.runs.run import Run, results_of
from elcrec.training.checkpoint import Progress
from elcrec.training.fit import carry_names, report_baselines, reporter_of, warn_of_repeats
from elcrec.training.increment import step_share, train_on
from elcrec.training.loop import Reporter, seeded
from elcrec.training.new_items import estimate_unlearned, learned_items
from elcrec.training.warm_start import extend_vocabulary


# reason: those of ELCRec.partial_fit
@torch.inference_mode(False)  # with gradients, which the caller may have switched off
def partial_fit(
    run: Run,
    data: Any,
    epochs: int,
    progress: bool | Reporter,
    format: str | None,
    items: Any = None,
    users: Any = None,
) -> Run:
    """Train on new events; see :meth:`elcrec.ELCRec.partial_fit`.

    Returns:
        The new run; the given one where nothing is new, with other metadata and a note in its metrics.

    Raises:
        DataError: The events cannot be used, or do not fit the log.
        SettingsError: ``epochs`` is below 1, or several processes were started.
    """
    fitted, settings = run.fitted, run.fitted.settings
    at_least_one("epochs", epochs)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        verb = worded("--from", "partial_fit")
        raise SettingsError(f"incremental training ({verb}) runs in one process: start it without torchrun")
    newer = read_new(data, format, settings, fitted.dataset.whole_log)
    described, known_users = _known_now(fitted, items, users, newer)
    if (note := unknown_kinds(fitted.dataset.whole_log, newer, settings)) is not None:
        warn(note, DataWarning)
    _warn_of_spelling(fitted, newer)
    whole = fitted.dataset.whole_log.joined(newer, settings.kind_of_new)
    added = len(whole) - len(fitted.dataset.whole_log)
    if added == 0:
        return _unchanged(run, newer, described, known_users)
    log = filtered(whole, settings, fitted.items.ids)
    dataset = Dataset.of(whole, settings, fitted.device, items=_all_items(log, fitted), log=log)
    dataset = replace(dataset.described(described), features=fitted.dataset.features)
    dataset = dataset.with_users(known_users, fitted.dataset.user_features)
    split = dataset.for_training()
    before_V = torch.from_numpy(fitted.items.indices(dataset.items.ids, unknown="skip")).to(fitted.device)
    warn_of_repeats(dataset, settings)
    _warn_of_held_out(split, before_V)
    with seeded(settings.seed, 0, fitted.device):
        network = extend_vocabulary(fitted.network, settings, before_V, split, dataset)
    reporter = reporter_of(progress)
    share = step_share(max(len(dataset.log) - len(fitted.log), 0), len(dataset.log))
    state = train_on(network, split, settings, epochs, reporter, share)
    trained = FittedModel(settings, network.eval(), dataset)
    estimate_unlearned(trained, split.features, _popularity(run))
    intents = Intents(IntentAssigner(trained), run.intents.given_names)
    if settings.intent_learning == "em":
        intents.given_names = {}
        carry_names(intents, run.intents.seen_by(dataset.items), reporter)
    increment: Increment = {
        "new_events": added,
        "known_events": len(newer) - added,
        "new_users": len(dataset.users) - len(fitted.users),
        "new_items": dataset.log.frame["item_id"].n_unique() - fitted.log.frame["item_id"].n_unique(),
        "step": share,
    }
    return _continued(run, intents, state, increment, reporter)


def _warn_of_spelling(fitted: FittedModel, newer: Interactions) -> None:
    """Say where new ids are known ones but for zeros in front or capitals: programs drop and change those."""
    for known in (fitted.items, fitted.users):
        if alike := known.misspelt(newer.frame[f"{known.kind}_id"]):
            new, old = alike[0]
            warn(
                f"{counted(len(alike), f'new {known.kind}')} may be known, but for zeros in front or capitals "
                f"({new!r}, and {old!r} in the log): write ids as the log does, or they count as others",
                DataWarning,
            )


def _warn_of_held_out(split: Split, before_V: Tensor) -> None:
    """Say how many new items the model learns nothing of: all their events are held out, and no feature tells."""
    unknown_V = (before_V < 0) & ~learned_items(split, len(before_V))
    if split.features is not None:
        unknown_V &= ~split.features.known()[1:]
    if n_unknown := int(unknown_V.sum()):
        remedy = f"describe new items ({argument('items')}), for a model that has learned from features"
        warn(
            f"{counted(n_unknown, 'new item')} of {int((before_V < 0).sum()):,} have held-out events alone, the newest "
            f"of their users: nothing is learned of them until later events come; {remedy}",
            DataWarning,
        )


def _known_now(
    fitted: FittedModel, items: Any, users: Any, newer: Interactions
) -> tuple[Catalogue | None, UserTable | None]:
    """What is known about items and users: what is given now over that of the model."""
    described = fitted.dataset.whole_catalogue if items is None else _described(fitted, items, newer)
    return described, fitted.dataset.user_table if users is None else _known_users(fitted, users, newer)


def _described(fitted: FittedModel, items: Any, newer: Interactions) -> Catalogue:
    """The metadata that is given now over that of the model; it describes items of the model or of newer events."""
    given = read_items(items, fitted.settings)
    warn_of_others(given, _known_or_new(fitted.items, newer.frame["item_id"]))
    if fitted.dataset.features is None and fitted.settings.item_features:
        warn(
            f"the model has learned from no item features, and learns from none now: titles and attributes of these "
            f"items are kept; train from scratch with {argument('items')} to learn from their features",
            DataWarning,
        )
    return fitted.dataset.items_as_known(given).over(fitted.dataset.whole_catalogue)


def _known_users(fitted: FittedModel, users: Any, newer: Interactions) -> UserTable:
    """What is known now over what the model knew; it is about users of the model or of newer events."""
    given = read_users(users, fitted.settings)
    fitted.dataset.needed_user_features()
    warn_of_others(given, _known_or_new(fitted.users, newer.frame["user_id"]))
    return fitted.dataset.users_as_known(given).over(fitted.dataset.user_table)


def _known_or_new(known: Vocabulary, newer: pl.Series) -> pl.Series:
    """The ids of a model and of newer events, as text."""
    return pl.concat([known.ids.cast(pl.String), newer.cast(pl.String)]).unique(maintain_order=True)


def _all_items(log: Interactions, fitted: FittedModel) -> Vocabulary:
    """The items of a log, and those that were added to the model and have no events yet."""
    ids, known = log.frame["item_id"].unique(), fitted.items.ids
    added = known.filter(~known.is_in(fitted.log.frame["item_id"].implode()))
    return Vocabulary.of(pl.concat([ids, added.filter(~added.is_in(ids.implode())).cast(ids.dtype)]), 1, "item")


def _continued(run: Run, intents: Intents, state: Progress, increment: Increment, reporter: Reporter) -> Run:
    """The run after incremental training, evaluated."""
    done = len(run.history)
    history = list(run.history)
    for record in state.history:
        later = record.copy()
        later["epoch"] += done
        history.append(later)
    metrics: RunMetrics = {
        "best_epoch": done + state.best_epoch if state.best_epoch else run.metrics.get("best_epoch", 0),
        "epochs": len(history),
        "train_seconds": run.metrics.get("train_seconds", 0.0) + state.seconds,
        "learnt_on": increment,
        **results_of(intents),
    }
    if "choices" in run.metrics:  # its settings hold
        metrics["choices"] = run.metrics["choices"]
    if "added_popularity" in run.metrics:
        metrics["added_popularity"] = run.metrics["added_popularity"]
    report_baselines(metrics, reporter)
    return Run(run.recipe, intents, history, metrics)


def _popularity(run: Run) -> float:
    """How much items without training events are shown."""
    return run.metrics.get("added_popularity", POPULARITY)


def _described_again(run: Run, dataset: Dataset) -> tuple[FittedModel, int]:
    """The model with other metadata, and how many items without training events have their vector from these now."""
    fitted, known = replace(run.fitted, dataset=dataset), run.fitted.dataset
    if known.features is None or dataset.whole_catalogue is known.whole_catalogue:
        return fitted, 0
    features = dataset.item_features()
    if all(map(torch.equal, features, known.item_features())):
        return fitted, 0
    fitted = replace(fitted, network=deepcopy(fitted.network))
    return fitted, estimate_unlearned(fitted, features, _popularity(run), run.metrics.get("added_items", 0))


def _unchanged(run: Run, newer: Interactions, described: Catalogue | None, users: UserTable | None) -> Run:
    """The same run, where the log holds all events already, with what is known about items and users now."""
    known = run.fitted.dataset
    new_users, new_items = users is not known.user_table, described is not known.whole_catalogue
    fitted, moved = _described_again(run, known.with_users(users, known.user_features).described(described))
    which = [*(["items"] if new_items else []), *(["users"] if new_users else [])]
    changed = f", what is known about its {' and '.join(which)} does" if which else ""
    if moved:
        changed += f", and so do the vectors of {counted(moved, 'item')} without training events"
    events = "the one event is" if len(newer) == 1 else f"all {len(newer):,} events are"
    note = f"nothing new: {events} in the log already; the model does not change{changed}"
    warn(note, DataWarning)
    learnt_on: Increment = {"new_events": 0, "known_events": len(newer), "new_users": 0, "new_items": 0, "step": 0.0}
    run = replace(run, metrics={**run.metrics, "learnt_on": learnt_on}).described(fitted)
    if moved:
        run = replace(run, saved_as=None, index_path=None)
    return replace(run, metrics={**run.metrics, **results_of(run.intents)}) if new_users or moved else run
