"""New items on their first day: vectors for items without events, from their features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec.data.by_settings import read_items
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.data.features import Features
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning, SettingsError
from elcrec.fitted import FittedModel
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.model.encoding import user_vectors
from elcrec.model.features import FeatureEmbedding
from elcrec.model.network import ELCRecNetwork
from elcrec.process.warning import warn
from elcrec.process.wording import argument, counted, setting, worded
from elcrec.runs.run import Run
from elcrec.training.ridge import Ridge
from elcrec.training.warm_start import REPEATS, TABLE

ALPHAS = (1.0, 10.0, 100.0)
HELD_OUT = 5
"""One known item in so many is held out, to choose the strength of the ridge regression."""
MEAN_USERS = 5_000


def add_items(run: Run, items: Any, popularity: float) -> Run:
    """See :meth:`elcrec.ELCRec.add_items`.

    Raises:
        SettingsError: The model has learned from no item features, or ``popularity`` is out of range.
        DataError: No item is new, or none has a feature that the model knows.
    """
    fitted = run.fitted
    embedding = fitted.network.item_table.of_features
    if embedding is None:
        remedy = argument("items")
        if fitted.catalogue is not None:
            remedy = f"{setting('item_features', True)}, and items with a column that tells what users take next"
        raise SettingsError(f"this model has learned from no item features: train it with {remedy}")
    if not 0 <= popularity <= 1:
        raise SettingsError(f"popularity={popularity}: use 0 (new items are shown least) to 1 (shown most)")
    described = fitted.dataset.items_as_known(read_items(items, fitted.settings))
    dataset, features = _extended(fitted.dataset, described)
    _warn_of_known(fitted, described)
    mean_D = user_vectors(fitted.network, fitted.dataset.sample(MEAN_USERS, fitted.settings.seed)).mean(dim=0)
    known_VD = fitted.network.item_table.weight.detach()[1 : len(fitted.items) + 1]
    has_events_V = _have_events(fitted)
    new_XD = vectors_of_new(known_VD, has_events_V, embedding, features.to(known_VD.device))
    new_XD = _as_popular(new_XD, known_VD[has_events_V], mean_D, popularity)
    network = _with_rows(fitted, dataset, new_XD)
    intents = Intents(IntentAssigner(FittedModel(fitted.settings, network, dataset)), run.intents.given_names)
    metrics = run.metrics.copy()
    metrics["added_items"] = metrics.get("added_items", 0) + len(new_XD)
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


def _have_events(fitted: FittedModel) -> Tensor:
    """Which of the model's items have events, bool [V]: all but those that were added to it before."""
    count_V = torch.bincount(fitted.split.item_N, minlength=len(fitted.items) + 1)[1:]
    return count_V > 0


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


def vectors_of_new(known_VD: Tensor, has_events_V: Tensor, embedding: FeatureEmbedding, features: Features) -> Tensor:
    """Vectors of items without events: what features give, and what known items with these features have on top.

    A known item's vector is ``X G`` and a rest of its own. The rest is estimated from the features by ridge
    regression over the items that have events and features; its strength is chosen on a fifth of them.

    Args:
        known_VD: [V, D], vectors of the known items.
        has_events_V: bool [V], which of them have events: vectors of the others are estimates themselves.
        embedding: Embeddings of item features, G, of the trained model.
        features: Of padding and all items, the known ones first: rows 0 .. V + X.

    Returns:
        [X, D].
    """
    n_known, n_features = len(known_VD), len(embedding.weight)
    part_RD = embedding.parts(features)
    at_N = torch.nonzero(features.known()[1 : n_known + 1] & has_events_V).flatten()
    rest_ND = (known_VD - part_RD[1 : n_known + 1])[at_N]
    new = features.at(torch.arange(n_known + 1, features.n_rows, device=at_N.device))
    return part_RD[n_known + 1 :] + _regressed(features.at(at_N + 1), n_features, rest_ND, new)


def _regressed(known: Features, n_features: int, rest_ND: Tensor, new: Features) -> Tensor:
    """What new items have by a regression of what known ones have on their features, [X, D]."""
    if len(rest_ND) < 2 * HELD_OUT:
        return rest_ND.mean(dim=0) if len(rest_ND) else rest_ND.new_zeros(1)
    number_N = torch.arange(len(rest_ND), device=rest_ND.device)
    held_N, used_N = number_N[::HELD_OUT], number_N[number_N % HELD_OUT > 0]
    held, used = known.at(held_N), known.at(used_N)

    def error(alpha: float) -> float:
        found = Ridge.fit(used, n_features, rest_ND[used_N], alpha).predict(held)
        return float((found - rest_ND[held_N]).square().mean())

    return Ridge.fit(known, n_features, rest_ND, min(ALPHAS, key=error)).predict(new)


def _as_popular(new_XD: Tensor, known_VD: Tensor, mean_D: Tensor, popularity: float) -> Tensor:
    """New items moved along the mean user vector, by what lies between the known items' median and that quantile.

    Their mean scores differ as their features say, and do not depend on what other items are new, or were before.
    """
    score_V = (known_VD @ mean_D).float().cpu().numpy()
    median, wanted = np.quantile(score_V, (0.5, popularity))
    return new_XD + float(wanted - median) * mean_D / mean_D.square().sum().clamp(min=1e-12)


def _with_rows(fitted: FittedModel, dataset: Dataset, new_XD: Tensor) -> ELCRecNetwork:
    """The network with more rows of the item table, after those of the known items."""
    weights, end = fitted.network.state_dict(), len(fitted.items) + 1
    network = ELCRecNetwork(fitted.settings, len(dataset.items), dataset.features, dataset.user_features)
    network = network.to(fitted.device)
    changed = {TABLE: torch.cat([weights[TABLE][:end], new_XD, weights[TABLE][end:]])}
    if REPEATS in weights:  # a new item begins with what repeat scores have for all
        of_item = weights[REPEATS]
        changed[REPEATS] = torch.cat([of_item[:end], of_item.new_zeros(len(new_XD), of_item.shape[1]), of_item[end:]])
    network.load_state_dict({**weights, **changed})
    return network.eval()
