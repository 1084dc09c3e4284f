"""New items on their first day: vectors for items without events, from their features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import torch
from torch import Tensor

from elcrec.data.by_settings import filtered, read_items
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.data.features import Features
from elcrec.data.numbers import from_0_to_1
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning, SettingsError
from elcrec.fitted import FittedModel
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.model.network import ELCRecNetwork, network_to_load
from elcrec.process.warning import warn
from elcrec.process.wording import argument, counted, setting, worded
from elcrec.runs.run import Run, results_of
from elcrec.training.new_items import estimated_vectors, learned_items
from elcrec.training.warm_start import REPEATS, TABLE


def add_items(run: Run, items: Any, popularity: float) -> Run:
    """See :meth:`elcrec.ELCRec.add_items`.

    Raises:
        SettingsError: The model has learned from no item features, or ``popularity`` is out of range.
        DataError: No item is new, or none has a feature that the model knows.
    """
    popularity = from_0_to_1("popularity", popularity, " (0: new items are shown least, 1: most)")
    fitted, n_added = run.fitted, run.metrics.get("added_items", 0)
    embedding = fitted.network.item_table.of_features
    if embedding is None:
        remedy = argument("items")
        if fitted.catalogue is not None:
            remedy = f"{setting('item_features', True)}, and items with a column that tells what users take next"
        raise SettingsError(f"this model has learned from no item features: train it with {remedy}")
    described = fitted.dataset.items_as_known(read_items(items, fitted.settings))
    dataset, features = _extended(fitted.dataset, described)
    _warn_of_known(fitted, described)
    row_X = torch.arange(len(fitted.items) + 1, features.n_rows, device=fitted.device)
    learned_V = learned_items(fitted.split, len(fitted.items), n_added)
    new_XD = estimated_vectors(fitted, features.to(fitted.device), row_X, learned_V, popularity)
    dataset = _with_events(dataset, fitted)
    network = _with_rows(fitted, dataset, new_XD)
    intents = Intents(IntentAssigner(FittedModel(fitted.settings, network, dataset)), run.intents.given_names)
    metrics = run.metrics.copy()
    if dataset.log is not fitted.log:
        metrics = {**metrics, **results_of(intents)}
    metrics["added_items"], metrics["added_popularity"] = n_added + len(new_XD), popularity
    return Run(run.recipe, intents, run.history, metrics)


def _warn_of_known(fitted: FittedModel, described: Catalogue) -> None:
    """Warn where items that the model knows are described: they are left as they are."""
    known = int((fitted.items.indices(described.frame["item_id"], unknown="skip") >= 0).sum())
    if known:
        remedy = worded("elcrec train EVENTS --from RUN --items FILE", "partial_fit(events, items=...)")
        warn(
            f"{counted(known, 'row', 'describes an item', 'describe items')} of the model, left unchanged: "
            f"renew what is known about such items by {remedy}",
            DataWarning,
        )


def _extended(dataset: Dataset, described: Catalogue) -> tuple[Dataset, Features]:
    """The data with the new items that have features, and the features of all: rows 0 .. V + X."""
    asked = described.frame["item_id"]
    new = described.only(pl.Series(dataset.items.indices(asked, unknown="skip") < 0))
    if not len(new):
        which = "the one item is" if len(asked) == 1 else f"all {len(asked):,} items are"
        raise DataError(f"{which} known already: give new ones (update known ones by training)")
    dataset = _joined(dataset, new)
    features = dataset.item_features()
    known_R = features.known()
    left = new.only(pl.Series(~known_R[-len(new) :].cpu().numpy()))
    if len(left) == len(new):
        raise DataError("no new item has a feature that the model knows: describe them as the items of the training")
    if not len(left):
        return dataset, features
    warn(
        f"{len(left):,} of {len(new):,} new items are left out: none of their features is known to the model "
        f"({', '.join(map(repr, left.frame['item_id'].head(3)))})",
        DataWarning,
    )
    kept = described.only(~asked.cast(pl.String).is_in(left.frame["item_id"].cast(pl.String).to_list()))
    return _extended(replace(dataset, items=dataset.items.first_ones(len(dataset.items) - len(new))), kept)


def _joined(dataset: Dataset, new: Catalogue) -> Dataset:
    """The data with more items at the end."""
    ids, added = dataset.items.ids, new.frame["item_id"]
    fits = added.cast(ids.dtype, strict=False)
    other = fits.is_null() | (fits.cast(pl.String) != added.cast(pl.String))  # "007" is no 7
    if other.any():
        raise DataError(f"item {added.filter(other)[0]!r} is no whole number, as the items of the model are")
    items = Vocabulary(pl.concat([ids, fits.alias(ids.name)]), first=1, kind="item")
    return replace(dataset, items=items).described(new.over(dataset.whole_catalogue))


def _with_events(dataset: Dataset, fitted: FittedModel) -> Dataset:
    """The data with the events of new items that were too rare in the training: items of the model are not."""
    new = dataset.items.ids[len(fitted.items) :]
    if not dataset.whole_log.frame["item_id"].is_in(new.implode()).any():
        return dataset
    log = filtered(dataset.whole_log, fitted.settings, dataset.items.ids)
    grown = Dataset.of(dataset.whole_log, fitted.settings, fitted.device, items=dataset.items, log=log)
    grown = replace(grown.described(dataset.whole_catalogue), features=dataset.features)
    return grown.with_users(dataset.user_table, dataset.user_features)


def _with_rows(fitted: FittedModel, dataset: Dataset, new_XD: Tensor) -> ELCRecNetwork:
    """The network with more rows of the item table, after those of the known items."""
    weights, end = fitted.network.state_dict(), len(fitted.items) + 1
    network = network_to_load(fitted.settings, len(dataset.items), dataset.features, dataset.user_features)
    network = network.to(fitted.device)
    changed = {TABLE: torch.cat([weights[TABLE][:end], new_XD, weights[TABLE][end:]])}
    if REPEATS in weights:  # a new item begins with what repeat scores have for all
        of_item = weights[REPEATS]
        changed[REPEATS] = torch.cat([of_item[:end], of_item.new_zeros(len(new_XD), of_item.shape[1]), of_item[end:]])
    network.load_state_dict({**weights, **changed})
    return network.eval()
