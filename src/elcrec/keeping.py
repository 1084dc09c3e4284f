"""A model in its run folder: written and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from elcrec.data.catalogue import Catalogue
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import RunError
from elcrec.explain.matching import NamedIntents
from elcrec.judging import Judging
from elcrec.model.network import ELCRecNetwork
from elcrec.model_card import model_card
from elcrec.run_files import Known, Results
from elcrec.run_folder import SHORT_WAIT, RunFolder
from elcrec.search import ItemSearch
from elcrec.trained import Learnt


class Keeping(Judging):
    """The part of :class:`elcrec.ELCRec` that is written and read."""

    recipe: str
    history: list[dict[str, Any]]
    metrics: dict[str, Any]

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder; a run that is replaced stays until all of the new one is written.

        Raises:
            RunError: The folder holds another run or other files, is being written by another process, or cannot be
                written.
        """
        folder = RunFolder(Path(path))
        known, results = self._knowledge(), self._outcome()  # raises before anything is touched
        if folder.started and not overwrite:
            raise RunError(f"{folder.path} holds a run: choose another folder, or pass overwrite=True")
        with folder.locked():
            folder.write(known, results)
            self._saved_as = folder.weights_mark()
        if self._search_path is not None and not self._search_path.exists():
            self._search_path = None

    def _knowledge(self, earlier: NamedIntents | None = None) -> Known:
        """What is kept before training."""
        whole = self._known.whole
        mark = fingerprint(whole.frame)
        return Known(self.recipe, self.settings, whole, self.items, mark, self.catalogue, earlier)

    def _outcome(self) -> Results:
        """What is kept after it."""
        weights = {name: value.detach() for name, value in self.network.state_dict().items()}
        card = model_card(self.recipe, self.settings, self.log.summary(), self.metrics)
        return Results(weights, self.metrics, self.history, card, self._given_names)

    def describe_items(self, items: Any) -> None:
        """Attach what is known about the items, for names and reports; see :meth:`fit`. ``save`` keeps it."""
        self._known.catalogue = Catalogue.read(items).matched(self.items.ids)
        self._forget()

    def write_names(self, path: str | Path, changes: Mapping[int, str] | None = None) -> None:
        """Keep names of intents with the run in ``path``, which this model was loaded from or saved to.

        Args:
            path: The run folder.
            changes: Rename only these, see :meth:`rename_intents`, on top of the names that are kept there by now;
                default: keep the names given so far instead.

        Raises:
            RunError: The run is another by now, or cannot be written.
        """
        folder, before = RunFolder(Path(path)), self._given_names
        folder.config()  # raises where there is no run
        with folder.locked(SHORT_WAIT):
            folder.refuse_other_weights(self._saved_as)
            try:
                if changes is not None:
                    self._given_names = folder.names()
                    self.rename_intents(changes)
                folder.write_names(self._given_names)
            except BaseException:
                self._given_names = before
                raise

    def write_item_search(self, path: str | Path, search: ItemSearch) -> Path:
        """Keep an index of the items with the run in ``path``, which this model was loaded from or saved to.

        Returns:
            Where it lies.

        Raises:
            RunError: The run is another by now, or cannot be written.
        """
        folder = RunFolder(Path(path))
        folder.config()  # raises where there is no run
        with folder.locked(SHORT_WAIT):
            folder.refuse_other_weights(self._saved_as)
            folder.write_item_search(search.write)
        return folder.item_search

    def read_names(self, path: str | Path) -> None:
        """Take over the names that are kept with the run in ``path``, instead of the ones given so far."""
        folder = RunFolder(Path(path))
        self._given_names = folder.stable(folder.names)

    def _restore(self, folder: RunFolder) -> Self:
        folder.stable(lambda: self._read_run(folder))
        return self

    def _read_run(self, folder: RunFolder) -> None:
        document = folder.config()
        folder.check()
        self.recipe, self.settings = str(document.get("recipe")), document["settings"]
        weights = folder.weights()
        whole = folder.interactions()
        self._use(folder.learnt_from(whole), folder.vocabulary(), folder.catalogue(), whole)
        if document.get("n_items") != len(self.items):
            raise RunError(f"{folder.path} is damaged: config.json and vocabulary.parquet differ in their items")
        self._set_weights(weights, str(folder.model))
        self._given_names = folder.names()
        self.history, self.metrics = folder.history(), folder.metrics()
        self._search_path = folder.item_search if folder.item_search.exists() else None
        self._saved_as = folder.weights_mark()

    # ------------------------------------------------------------------ state

    def _use(self, log: Interactions, items: Vocabulary, catalogue: Catalogue | None, whole: Interactions) -> None:
        self._forget()
        self._network, self._search_path, self._saved_as = None, None, None  # of another log
        users = Vocabulary.of(log.frame["user_id"])
        described = None if catalogue is None else catalogue.matched(items.ids)
        self._learnt = Learnt(log, whole, items, users, self._split_of(log, items), described)

    def _set_weights(self, weights: dict[str, Tensor], source: str) -> None:
        network = ELCRecNetwork(self.settings, len(self.items))
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise RunError(f"{source} does not fit its settings: {reason}") from error
        if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
            raise RunError(f"{source} is damaged: it holds values that are not numbers")
        self._network = network.to(self.device).eval()
