"""What a model's README says of its results."""

import pytest

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.runs.model_card import model_card


@pytest.mark.parametrize(("judged_users", "said"), [(20, True), (100, False)])
def test_a_sample_of_users_is_called_one(judged_users: int, said: bool) -> None:
    model = ELCRec("default", **{**SMALL, "epochs": 1, "judged_users": judged_users})
    model.fit(shop_log(60), progress=False)
    card = model_card("default", model.settings, model.log.summary(), model.metrics)
    assert ("Evaluated on 20 of 60 users, sampled by the seed" in card) == said
