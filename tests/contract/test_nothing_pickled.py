"""A run is opened without unpickling anything, wherever it was trained."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.errors import RunError
from elcrec.storage import read_tensors, write_tensors


class Bomb:
    """Does something when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_no_run_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ELCRec(seed=1, **SMALL).fit(shop_log(100), tmp_path / "run", progress=False)
    lists = model.recommend(k=3)

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("unpickled")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")]:
        monkeypatch.setattr(module, name, refused)
    assert ELCRec.load(tmp_path / "run", "cpu").recommend(k=3).equals(lists)
    for path in (tmp_path / "run").iterdir():
        assert not path.read_bytes().startswith(b"\x80"), f"{path.name} is a pickle"


def test_weights_that_run_code_are_refused_unrun(tmp_path: Path) -> None:
    torch.save({"item_embeddings.weight": Bomb(tmp_path / "ran")}, tmp_path / "weights.pt")
    with pytest.raises(RunError, match="safe loading only"):
        ELCRec.from_published(tmp_path / "weights.pt", shop_log(50))
    assert not (tmp_path / "ran").exists()


def test_tensors_are_kept_without_the_device_they_came_from(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(2, 3).T})
    [tensor] = read_tensors(tmp_path / "a.safetensors")[0].values()
    assert tensor.device.type == "cpu"
    assert b"cuda" not in (tmp_path / "a.safetensors").read_bytes()
