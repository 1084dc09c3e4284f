"""What answers, without HTTP: the store's failures, names, links that are turned."""

import asyncio
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest

from elcrec import ELCRec
from elcrec.errors import RunError, StoreError
from elcrec.inference.lookup import Recommendations
from elcrec.inference.policy import RankingPolicy
from elcrec.runs.run_folder import RunFolder
from elcrec.serving.engine import Engine
from elcrec.serving.histories import RankedHistory
from elcrec.serving.metrics import Metrics
from elcrec.serving.options import Options
from elcrec.serving.pending import PendingRequest, recommend_batch
from elcrec.serving.snapshot import Snapshot, stamp_of
from elcrec.serving.store import open_store, shown
from served import shop_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    shop_run(folder / "old")
    shop_run(folder / "new", seed=2)
    return folder


@pytest.fixture
def live(runs: Path, tmp_path: Path) -> Path:
    for name in ("old", "new"):
        shutil.copytree(runs / name, tmp_path / name)
    (tmp_path / "live").symlink_to(tmp_path / "old")
    return tmp_path / "live"


def turn(live: Path, name: str) -> None:
    live.unlink()
    live.symlink_to(live.parent / name)


def engine_on(live: Path) -> Engine:
    options = Options(live, str(live.parent / "events.sqlite"))
    return Engine(options, Snapshot.load(options), open_store(options.store))


def test_a_store_that_fails_concerns_only_who_needs_it(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        snapshot = engine.snapshot
        policy = RankingPolicy()
        resolved = await snapshot.resolve(policy)
        item = snapshot.topn.item_numbers(snapshot.model.items.ids[:1])

        def fail(users: object) -> None:
            raise OSError("no store")

        monkeypatch.setattr(engine.store, "read", fail)
        with_history, of_user = recommend_batch(
            [
                PendingRequest(snapshot, policy, resolved, None, RankedHistory(item), "popular"),
                PendingRequest(snapshot, policy, resolved, "a", None, "popular"),
            ],
            engine.store,
        )
        assert isinstance(with_history, Recommendations)
        assert with_history.items
        assert isinstance(of_user, OSError)
        engine.close()

    asyncio.run(ask())


def test_a_store_that_fails_at_a_reload_is_no_damaged_run(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        before = engine.snapshot

        def fail(kind: object) -> None:
            raise StoreError("disk I/O error")

        turn(live, "new")
        monkeypatch.setattr(engine.store, "adopt", fail)
        with pytest.raises(RunError, match=r"^disk I/O error$"):
            await engine.reload()
        assert engine.snapshot is before
        engine.close()

    asyncio.run(ask())


def test_names_of_other_workers_are_kept(live: Path) -> None:
    async def ask() -> None:
        options = Options(live, str(live.parent / "events.sqlite"))
        one, two = Snapshot.load(options), Snapshot.load(options)
        one.rename(1, "Rain")
        two.rename(2, "Sun")
        assert ELCRec.load(live).given_names == {1: "Rain", 2: "Sun"}
        assert two.model.given_names == {1: "Rain", 2: "Sun"}

    asyncio.run(ask())


def test_a_name_is_not_given_to_a_run_that_took_the_place_of_ours(live: Path) -> None:
    snapshot = Snapshot.load(Options(live, "unused"))
    shutil.copytree(live.parent / "new", live, dirs_exist_ok=True)
    new = ELCRec.load(live)
    new.rename_intents({5: "Given in the new run"})
    new.write_names(live)
    with pytest.raises(RunError, match="another model by now: load it again first"):
        snapshot.rename(1, "Rain")
    assert ELCRec.load(live).given_names == {5: "Given in the new run"}
    assert snapshot.model.given_names == {}


def test_a_name_is_read_again_without_another_model(live: Path) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        snapshot = engine.snapshot
        other = Snapshot.load(engine.options)
        other.rename(3, "Snow")
        assert await engine.reload() is False
        assert engine.snapshot is snapshot
        assert snapshot.model.given_names == {3: "Snow"}
        engine.close()

    asyncio.run(ask())


def test_a_name_belongs_to_the_run_it_was_given_in(live: Path) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        new = ELCRec.load(live.parent / "new")
        new.rename_intents({5: "Given in the new run"})
        new.write_names(live.parent / "new")
        turn(live, "new")
        engine.snapshot.rename(1, "Given in the old run")
        assert ELCRec.load(live.parent / "old").given_names == {1: "Given in the old run"}
        assert ELCRec.load(live.parent / "new").given_names == {5: "Given in the new run"}
        assert await engine.reload() is True
        assert engine.snapshot.model.version == new.version
        assert engine.snapshot.model.given_names == {5: "Given in the new run"}
        engine.close()

    asyncio.run(ask())


def test_a_name_that_cannot_be_kept_is_not_given(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RunError("read-only")

    snapshot = Snapshot.load(Options(live, "unused"))
    monkeypatch.setattr(RunFolder, "write_names", fail)
    with pytest.raises(RunError):
        snapshot.rename(1, "Rain")
    assert snapshot.model.given_names == {}


def test_a_run_of_parts_that_do_not_belong_together_is_refused(live: Path) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        version = engine.snapshot.model.version
        new = ELCRec.load(live.parent / "new")
        log = new.log.frame.with_columns(item_id=new.log.frame["item_id"] + "!")
        log.write_parquet(live.parent / "new" / "interactions.parquet")
        turn(live, "new")
        with pytest.raises(RunError, match="damaged"):
            await engine.reload()
        assert engine.snapshot.model.version == version
        engine.close()

    asyncio.run(ask())


def test_the_model_before_is_let_go(live: Path) -> None:
    async def ask() -> None:
        engine = engine_on(live)
        before, background = weakref.ref(engine.snapshot.model), engine.snapshot.background
        turn(live, "new")
        assert await engine.reload() is True
        assert engine.snapshot.background is background, "another thread would keep another connection to the store"
        assert before() is None
        engine.close()

    asyncio.run(ask())


def test_passwords_of_stores_are_not_shown() -> None:
    assert shown("redis://:secret@host:6379/0") == "redis://:…@host:6379/0"
    assert shown("rediss://me:secret@host/0") == "rediss://me:…@host/0"
    assert shown("redis://host:6379/0") == "redis://host:6379/0"
    assert shown("runs/shop.events.sqlite") == "runs/shop.events.sqlite"


def test_a_file_that_goes_while_it_is_looked_at_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, look = tmp_path / "intents.json", Path.stat

    def last_look(path: Path, **how: Any) -> Any:
        found = look(path, **how)
        if path == names:
            names.unlink()
        return found

    names.touch()
    with monkeypatch.context() as looking:
        looking.setattr(Path, "stat", last_look)
        found = stamp_of(tmp_path).names
    assert len(found) <= 1
    assert stamp_of(tmp_path).names == ()


def test_metrics_of_a_worker_that_goes_meanwhile_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "7.prom").symlink_to("gone")
    assert "elcrec_model" in Metrics(tmp_path).text("version", {})
