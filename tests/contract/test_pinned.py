"""Nothing that people outside rely on moves by accident: names, options, schema, and values at fixed seeds."""

import json
from pathlib import Path

import pytest

import golden
import surface
from served import Served, shop_run

TOLERANCE = 2e-3  # between processors; `python tests/golden.py` compares to the last digit on one machine


def test_the_public_surface_is_as_it_was(tmp_path: Path) -> None:
    shop_run(tmp_path / "shop")
    with Served(tmp_path / "shop") as server:
        found = surface.surface(server.get("/openapi/openapi.json"))
    expected = json.loads(surface.FILE.read_text())
    assert not golden.differences(expected, json.loads(json.dumps(found)), 0.0), "python tests/surface.py renews it"


@pytest.mark.parametrize("recipe", golden.RECIPES)
def test_training_gives_the_same_losses(recipe: str) -> None:
    expected = json.loads(golden.FILE.read_text())[recipe]["history"]
    found = golden.of_recipe(recipe, golden.RECIPES[recipe])["history"]
    losses = [[{name: one[name] for name in one if "loss" in name} for one in epochs] for epochs in (expected, found)]
    assert losses[0][0]
    assert not golden.differences(losses[0], json.loads(json.dumps(losses[1])), TOLERANCE)
