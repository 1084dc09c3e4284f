"""The exported encoder gives the vectors of the model, by ONNX Runtime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from cli_runner import SMALL, run_cli, shop_log, untrained
from doc_blocks import ROOT, blocks
from elcrec import ELCRec, Interactions
from elcrec.model.encoding import user_vectors

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")


@pytest.mark.parametrize(
    ("recipe", "more"), [("default", {}), ("paper", {"max_seq_len": 12}), ("default", {"n_encoders": 2})]
)
def test_the_graph_encodes_and_ranks_like_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, more: dict[str, int]
) -> None:
    model = ELCRec(recipe, seed=1, **{**SMALL, "n_layers": 2, **more}).fit(shop_log(), progress=False)
    model.save(tmp_path / "run")
    done = run_cli("export", tmp_path / "run", "--format", "onnx", "--out", tmp_path / "onnx", "--json").document()
    assert done["max_seq_len"] == model.settings.max_seq_len
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "encoder.onnx")

    asked, length = model.fitted.dataset.of_users(), model.settings.max_seq_len
    expected = user_vectors(model.network, asked).numpy()
    rows = np.zeros((len(asked), length), dtype=np.int64)
    for row, start, end in zip(rows, asked.start_Q.tolist(), asked.end_Q.tolist(), strict=True):
        items = asked.item_N[max(start, end - length) : end].numpy()
        row[length - len(items) :] = items
    for some in (slice(0, 1), slice(0, 7), slice(0, min(done["most_rows"], len(rows)))):
        (found,) = session.run(["user"], {"history": rows[some]})
        np.testing.assert_allclose(found, expected[some], rtol=1e-4, atol=1e-4)

    items = load_file(tmp_path / "onnx" / "items.safetensors")["items"].numpy()
    ids = pl.read_parquet(tmp_path / "onnx" / "vocabulary.parquet")
    score = items @ expected[0]
    score[rows[0][rows[0] > 0] - 1] = -np.inf
    best = ids["item_id"].gather(torch.from_numpy(score).topk(5).indices.numpy()).to_list()
    assert best == model.recommend([asked.named[0]], k=5)["item_id"].to_list()

    means, names = json.loads((tmp_path / "onnx" / "export.json").read_text()), dict[str, Any]()
    assert means["padding"] == "left"
    assert "zeros on the left" in means["how"]
    (tmp_path / "onnx").rename(tmp_path / "shop-onnx")
    monkeypatch.chdir(tmp_path)
    [program] = [one.code for one in blocks(ROOT / "docs" / "serving.md") if "onnxruntime" in one.code]
    exec(compile(program, "docs/serving.md", "exec"), names)
    listed = model.recommend_from_history([["tent pegs", "cool box"]], k=5, exclude_seen=True)
    assert names["best"] == listed["item_id"].to_list()

    again = run_cli("export", tmp_path / "run", "--format", "onnx", "--out", tmp_path / "shop-onnx")
    assert "is there already" in again.complaint()


def test_all_that_is_not_exported_is_said_at_once(tmp_path: Path) -> None:
    log = Interactions.read(shop_log(20))
    untrained(log, event_inputs="gap", exclude_seen=False, repeats="fitted").save(tmp_path / "run")
    done = run_cli("export", tmp_path / "run", "--format", "onnx", "--out", tmp_path / "onnx")
    assert "adds repeat scores to items of the history, reads event_inputs=gap" in done.complaint()
    assert "--set repeats=none or --set exclude_seen=true, --set event_inputs=none" in done.complaint()
