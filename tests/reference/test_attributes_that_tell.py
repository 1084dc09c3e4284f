"""Attributes of the benchmark files are learned from; those of other items are not."""

from dataclasses import replace

import pytest
import torch

from conftest import SHARED
from elcrec import Interactions
from elcrec.config import Settings
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.errors import DataWarning


@pytest.mark.parametrize("name", ["Beauty", "Toys_and_Games", "Sports_and_Outdoors", "Yelp"])
def test_real_attributes_stay_and_shuffled_ones_go(name: str) -> None:
    log, known = SHARED / "data" / f"{name}.txt", SHARED / "data" / f"{name}_item2attributes.json"
    if not log.exists() or not known.exists():
        pytest.skip(f"no {log}, or no attributes: set ELCREC_SHARED to the folder that holds data/")
    settings, catalogue = Settings(), Catalogue.read(known)
    dataset = Dataset.of(Interactions.read(log), settings, torch.device("cpu"), catalogue)
    real = dataset.with_features(settings).features
    assert real is not None
    assert [column.name for column in real.columns] == ["attributes"]
    for seed in (1, 2):
        frame = catalogue.frame.with_columns(catalogue.frame["item_id"].shuffle(seed))
        with pytest.warns(DataWarning, match="nothing is learned from 'attributes'"):
            assert dataset.described(replace(catalogue, frame=frame)).with_features(settings).features is None
