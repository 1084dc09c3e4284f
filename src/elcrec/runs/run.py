"""A trained model and the record of its training: what a run folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.dataset import Dataset
from elcrec.data.features import FeatureSpace
from elcrec.data.files import fingerprint
from elcrec.errors import RunError
from elcrec.evaluation.evaluator import Evaluator
from elcrec.fitted import FittedModel
from elcrec.inference.index import ItemSearch
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.model.network import ELCRecNetwork, network_to_load
from elcrec.runs.model_card import model_card
from elcrec.runs.records import EpochRecord, RunMetrics
from elcrec.runs.run_files import TrainingInput, TrainingResult
from elcrec.runs.run_folder import SHORT_WAIT, RunFolder


@dataclass(frozen=True)
class Run:
    """A fitted model, the names of its intents, and how it was trained.

    Attributes:
        recipe: Name or path.
        intents: Of the fitted model, with their given names.
        history: One record an epoch; see :func:`elcrec.training.loop.train`.
        metrics: ``valid``, ``test``, ``best_epoch``, ``train_seconds``, ...
        saved_as: Mark of the weights in the folder it was loaded from or saved to; None: in none.
        index_path: Where an index of the items lies; None: nowhere.
    """

    recipe: str
    intents: Intents
    history: list[EpochRecord] = field(default_factory=list)
    metrics: RunMetrics = field(default_factory=RunMetrics)
    saved_as: str | None = None
    index_path: Path | None = None

    @property
    def fitted(self) -> FittedModel:
        """The model."""
        return self.intents.fitted

    def described(self, fitted: FittedModel) -> Run:
        """The same with other item metadata."""
        return replace(self, intents=Intents(IntentAssigner(fitted), self.intents.given_names))

    def save(self, path: Path, overwrite: bool) -> Run:
        """Write a run folder; one that is replaced stays until all of the new one is written.

        Returns:
            The run as it was saved.

        Raises:
            RunError: The folder holds another run or other files, is being written by another process, or cannot be
                written.
        """
        folder = RunFolder(path)
        dataset = self.fitted.dataset
        mark = fingerprint(dataset.whole_log.frame)
        given, result = TrainingInput(self.recipe, self.fitted.settings, dataset, mark), self.results()
        if folder.started and not overwrite:
            raise RunError(f"{folder.path} holds a run: choose another folder, or pass overwrite=True")
        with folder.locked():
            folder.write(given, result)
            mark = folder.weights_mark()
        kept = self.index_path is not None and self.index_path.exists()
        return replace(self, saved_as=mark, index_path=self.index_path if kept else None)

    def results(self) -> TrainingResult:
        """What a folder keeps after training."""
        weights = {name: value.detach() for name, value in self.fitted.network.state_dict().items()}
        known = {**self.fitted.log.summary(), "features": self.fitted.dataset.said_features()}
        card = model_card(self.recipe, self.fitted.settings, known, self.metrics)
        return TrainingResult(weights, self.metrics, self.history, card, self.intents.given_names, self.fitted.settings)

    def write_names(self, path: Path, changes: Mapping[int, str] | None = None) -> None:
        """Keep names of intents with the folder that this run was loaded from or saved to.

        Args:
            path: The folder.
            changes: Rename only these, on top of the names that are kept there by now; default: keep the names given
                so far instead.

        Raises:
            RunError: The folder holds another run by now, or cannot be written.
        """
        folder, before = RunFolder(path), dict(self.intents.given_names)
        folder.config()  # raises where there is no run
        with folder.locked(SHORT_WAIT):
            folder.refuse_other_weights(self.saved_as)
            try:
                if changes is not None:
                    self.intents.given_names = folder.names()
                    self.intents.rename(changes)
                folder.write_names(self.intents.given_names)
            except BaseException:
                self.intents.given_names = before
                raise

    def read_names(self, path: Path) -> None:
        """Take over the names that are kept in a folder, instead of the ones given so far."""
        folder = RunFolder(path)
        self.intents.given_names = folder.stable(folder.names)

    def write_index(self, path: Path, search: ItemSearch) -> Path:
        """Keep an index of the items in the folder that this run was loaded from or saved to.

        Returns:
            Where it lies.

        Raises:
            RunError: The folder holds another run by now, or cannot be written.
        """
        folder = RunFolder(path)
        folder.config()  # raises where there is no run
        with folder.locked(SHORT_WAIT):
            folder.refuse_other_weights(self.saved_as)
            folder.write_item_search(search.write)
        return folder.item_search


def read_run(folder: RunFolder, device: torch.device) -> Run:
    """What a run folder holds.

    Raises:
        RunError: Missing, damaged, unfinished or from a newer version.
    """
    return folder.stable(lambda: _read(folder, device))


def _read(folder: RunFolder, device: torch.device) -> Run:
    document = folder.config()
    folder.check()
    settings: Settings = document["settings"]
    weights, whole, items = folder.weights(), folder.interactions(), folder.vocabulary()
    if document.get("n_items") != len(items):
        raise RunError(f"{folder.path} is damaged: config.json and vocabulary.parquet differ in their items")
    dataset = Dataset.of(whole, settings, device, items=items, log=folder.learnt_from(whole))
    dataset = replace(dataset, whole_catalogue=folder.catalogue(), features=folder.features())
    dataset = dataset.with_users(folder.user_table(), folder.user_features())
    spaces = (dataset.features, dataset.user_features)
    network = network_of(weights, settings, len(items), str(folder.model), *spaces).to(device)
    intents = Intents(IntentAssigner(FittedModel(settings, network, dataset)), folder.names())
    index = folder.item_search if folder.item_search.exists() else None
    return Run(str(document.get("recipe")), intents, folder.history(), folder.metrics(), folder.weights_mark(), index)


def network_of(
    weights: dict[str, Tensor],
    settings: Settings,
    n_items: int,
    source: str,
    features: FeatureSpace | None = None,
    user_features: FeatureSpace | None = None,
) -> ELCRecNetwork:
    """A network with given weights, in evaluation mode.

    Raises:
        RunError: They do not fit the settings, or are not numbers.
    """
    network = network_to_load(settings, n_items, features, user_features)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{source} does not fit its settings: {reason}") from error
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise RunError(f"{source} is damaged: it holds values that are not numbers")
    return network.eval()


def results_of(intents: Intents) -> RunMetrics:
    """Metrics of both parts and the health of the intents, on the model's own log."""
    most = intents.fitted.settings.judged_users
    results: RunMetrics = {**Evaluator(intents.fitted).results()}  # type: ignore[typeddict-item]
    results["intents"] = intents.health(most)
    return results
