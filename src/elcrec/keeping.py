"""A model in its run folder: written and read."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from elcrec.data.catalogue import Catalogue
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import RunError
from elcrec.judging import Judging
from elcrec.model.network import ELCRecNetwork
from elcrec.model_card import model_card
from elcrec.run_folder import RunFolder
from elcrec.trained import Learnt

RELOADS = 3
"""How often a run is read again that is replaced meanwhile."""


class Keeping(Judging):
    """The part of :class:`elcrec.ELCRec` that is written and read."""

    recipe: str
    history: list[dict[str, Any]]
    metrics: dict[str, Any]

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder; a run that is replaced stays until all of the new one is written.

        Raises:
            RunError: The folder holds another run or other files, or cannot be written.
        """
        folder = RunFolder(Path(path))
        if folder.started and not overwrite:
            raise RunError(f"{folder.path} holds a run: choose another folder, or pass overwrite=True")
        _ = self.network  # raises before anything is touched
        whole = self._known.whole
        folder.refuse_others()
        with folder.locked(), folder.replaced() if folder.started else nullcontext(folder) as target:
            target.begin(self.recipe, self.settings, whole, self.items, fingerprint(whole.frame))
            target.write_history(self.history)
            self._finish(target)
        if self._search_path is not None and not self._search_path.exists():
            self._search_path = None

    def _finish(self, folder: RunFolder) -> None:
        weights = {name: value.detach() for name, value in self.network.state_dict().items()}
        card = model_card(self.recipe, self.settings, self.log.summary(), self.metrics)
        if self.catalogue is not None:
            folder.write_catalogue(self.catalogue)
        folder.write_names(self._given_names)
        folder.finish(weights, self.metrics, card)

    def describe_items(self, items: Any) -> None:
        """Attach what is known about the items, for names and reports; see :meth:`fit`. ``save`` keeps it."""
        self._known.catalogue = Catalogue.read(items).matched(self.items.ids)
        self._forget()

    def write_names(self, path: str | Path) -> None:
        """Keep the names given to intents with the run in ``path``."""
        folder = RunFolder(Path(path))
        with folder.locked():
            folder.write_names(self._given_names)

    def read_names(self, path: str | Path) -> None:
        """Take over the names that are kept with the run in ``path``, instead of the ones given so far."""
        self._given_names = RunFolder(Path(path)).names()

    def _restore(self, folder: RunFolder) -> Self:
        for _ in range(RELOADS):
            before = folder.generation
            try:
                self._load(folder)
            except RunError:
                if folder.generation == before:
                    raise
            else:
                if folder.generation == before:
                    return self
        raise RunError(f"{folder.path} is replaced again and again while it is read: try again")

    def _load(self, folder: RunFolder) -> None:
        folder.check()
        document = folder.config()
        self.recipe, self.settings = str(document.get("recipe")), document["settings"]
        weights = folder.weights()
        whole = folder.interactions()
        self._use(folder.learnt_from(whole), folder.vocabulary(), folder.catalogue(), whole)
        self._set_weights(weights, str(folder.model))
        self._given_names = folder.names()
        self.history, self.metrics = folder.history(), folder.metrics()
        self._search_path = folder.item_search if folder.item_search.exists() else None

    # ------------------------------------------------------------------ state

    def _use(self, log: Interactions, items: Vocabulary, catalogue: Catalogue | None, whole: Interactions) -> None:
        self._forget()
        self._network, self._search_path = None, None  # of another log
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
