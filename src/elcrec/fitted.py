"""The state of a fitted model: training, incremental training and loading make one; nothing changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from elcrec.config import Settings
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Vocabulary
from elcrec.model.network import ELCRecNetwork


@dataclass(frozen=True)
class FittedModel:
    """A trained network with its settings and the data it was fitted to.

    Nothing in it changes: components take it and keep what they work out from it.

    Attributes:
        settings: Resolved.
        network: In evaluation mode.
        dataset: The log, vocabularies, split and metadata.
    """

    settings: Settings
    network: ELCRecNetwork
    dataset: Dataset

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.network.item_table.weight.device

    @property
    def log(self) -> Interactions:
        """The log, filtered and in order."""
        return self.dataset.log

    @property
    def items(self) -> Vocabulary:
        """The items the model knows."""
        return self.dataset.items

    @property
    def users(self) -> Vocabulary:
        """The users of the log."""
        return self.dataset.users

    @property
    def split(self) -> Split:
        """The log as tensors."""
        return self.dataset.split

    @property
    def catalogue(self) -> Catalogue | None:
        """What is known about the items; None without metadata."""
        return self.dataset.catalogue

    def described(self, catalogue: Catalogue) -> FittedModel:
        """The same model with other item metadata."""
        return replace(self, dataset=self.dataset.described(catalogue))
