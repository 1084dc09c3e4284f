"""`recommend --all`: written as lists are made, whole or not at all."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_csv
from elcrec import ELCRec
from elcrec.errors import RunError
from elcrec.inference import topn
from elcrec.storage import write_frames


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    ELCRec(seed=1, **SMALL).fit(shop_csv(folder), folder / "run", progress=False)
    return folder / "run"


@pytest.mark.parametrize("wishes", [{}, {"explain": True}, {"diversify": 0.5}, {"intents": [1], "exclude_seen": False}])
def test_blocks_are_the_lists_of_all(run: Path, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, Any]) -> None:
    model = ELCRec.load(run)
    whole = model.recommend(k=5, **wishes)
    monkeypatch.setattr(topn, "USERS_AT_ONCE", 64)
    blocks = list(model.recommend_in_blocks(5, **wishes))
    assert len(blocks) == 5  # 300 users
    together = pl.concat(blocks)
    scores = together["score"] - whole["score"]  # of other blocks the last digit may be another
    assert together.select("user_id", "item_id", "rank").equals(whole.select("user_id", "item_id", "rank"))
    assert scores.abs().max() < 1e-5


def test_no_more_than_a_block_is_in_memory(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topn, "USERS_AT_ONCE", 64)
    monkeypatch.setattr(ELCRec, "recommend", None)  # would make them all at once
    told = run_cli("recommend", run, "--all", "--out", tmp_path / "lists.parquet", "-k", 5)
    assert told.code == 0
    assert "rows per second" in told.err
    assert "1,500 rows written" in told.err
    assert pl.read_parquet(tmp_path / "lists.parquet")["user_id"].n_unique() == 300
    assert [path.name for path in tmp_path.iterdir()] == ["lists.parquet"]


def test_lists_that_are_broken_off_leave_the_old_ones(tmp_path: Path) -> None:
    old, path = pl.DataFrame({"a": [1]}), tmp_path / "lists.parquet"
    old.write_parquet(path)

    def broken() -> Any:
        yield pl.DataFrame({"a": [2]})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frames(path, broken())
    assert pl.read_parquet(path).equals(old)
    assert [left.name for left in tmp_path.iterdir()] == ["lists.parquet"]
    with pytest.raises(RunError, match="cannot write"):
        write_frames(tmp_path / "nowhere" / "lists.parquet", iter([old]))


def test_odd_file_names_are_written(tmp_path: Path) -> None:
    path = tmp_path / "li[s]t*?.parquet"
    assert write_frames(path, iter([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})])) == 2
    assert pl.read_parquet(path, glob=False)["a"].to_list() == [1, 2]
