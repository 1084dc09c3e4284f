from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import torch.nn.functional as F
from torch import Tensor

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.errors import RunError, SettingsError
from elcrec.losses.prediction import Prediction
from elcrec.losses.registry import NEXT_ITEM_LOSSES, NextItemLoss, register


def ranking(prediction: Prediction) -> Tensor:
    positive_N1 = (prediction.hidden_ND * prediction.positive_ND).sum(dim=1, keepdim=True)
    return -F.logsigmoid(positive_N1 - (prediction.hidden_ND[:, None] * prediction.negative_NMD).sum(dim=2)).mean()


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with patch.dict(NEXT_ITEM_LOSSES):
        yield


def test_a_registered_loss_trains_and_its_run_is_refused_where_it_is_unknown(tmp_path: Path) -> None:
    register(NextItemLoss("pairs", "pairs of a next item and a negative", "negatives", function=ranking))
    model = ELCRec(**SMALL, next_item_loss="pairs", horizon=1, n_negatives=4).fit(
        shop_log(60), tmp_path / "run", progress=False
    )
    assert model.history[-1]["losses"]["next_item"] < model.history[0]["losses"]["next_item"]
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.recommend(k=3).equals(model.recommend(k=3))
    del NEXT_ITEM_LOSSES["pairs"]
    with pytest.raises(RunError, match="register"):
        ELCRec.load(tmp_path / "run")


def test_names_of_the_package_and_losses_without_a_function_are_refused() -> None:
    with pytest.raises(SettingsError, match="another name"):
        register(NextItemLoss("bce", "mine", "nothing", function=ranking))
    with pytest.raises(SettingsError, match="function"):
        register(NextItemLoss("mine", "mine", "nothing"))
    with pytest.raises(SettingsError, match="register a loss"):
        ELCRec(next_item_loss="mine")
