"""What requests cost, and that nothing the server remembers grows with what it is asked."""

import asyncio
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elcrec.serving import snapshot as snapshots
from elcrec.serving.admission import SLOW, WAITING, Overloaded, WorkQueue
from elcrec.serving.api.errors import ApiError, on_overload
from elcrec.serving.api.recommend import admitted, cost_of, refuse_if_too_costly, respond
from elcrec.serving.api.schemas.recommend import RecommendBatchRequest, RecommendRequest
from elcrec.serving.engine import SLOW_BATCH_SIZE, Engine
from elcrec.serving.metrics import Metrics
from elcrec.serving.middleware.requests import MOST_CLIENTS, RateLimit
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import open_store
from served import shop_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("price") / "shop"
    shop_run(path)
    return path


def test_a_price_grows_with_the_list_the_history_and_its_reasons() -> None:
    assert cost_of(RecommendRequest(user_id="a"), 50) == 10 * 50
    assert cost_of(RecommendRequest(user_id="a", k=20), 50) == 20 * 50
    assert cost_of(RecommendRequest(history=["a"] * 7, k=3), 50) == 3 * 7
    assert cost_of(RecommendRequest(history=["a"] * 900, k=3), 50) == 3 * 50
    assert cost_of(RecommendRequest(history=[]), 50) == 10
    assert cost_of(RecommendRequest(user_id="a", explain=True), 50) == SLOW * 10 * 50
    assert cost_of(RecommendRequest(user_id="a", diversify=0.1), 50) == SLOW * 10 * 50


def test_the_largest_request_of_the_contract_is_within_the_default() -> None:
    options = Options(Path("run"), "store")
    whole = RecommendBatchRequest([RecommendRequest(user_id="a", explain=True) for _ in range(256)])
    refuse_if_too_costly(sum(cost_of(one, 50) for one in whole.requests), options.max_work)
    refuse_if_too_costly(cost_of(RecommendRequest(user_id="a", k=options.max_k, explain=True), 50), options.max_work)


def test_what_costs_too_much_is_refused_with_the_limit_and_its_option() -> None:
    with pytest.raises(ApiError, match=r"costs 1,001 .* at most 1,000 .*--max-work") as refusal:
        refuse_if_too_costly(1001, 1000)
    assert refusal.value.status_code == 413
    refuse_if_too_costly(1000, 1000)


def test_a_queue_holds_so_much_and_lets_go_of_it() -> None:
    queue = WorkQueue(10)
    with queue.holding(6), queue.holding(4), queue.holding(0):
        assert queue.work == 10
        with pytest.raises(Overloaded), queue.holding(1):
            pass
        assert queue.work == 10
    with pytest.raises(RuntimeError), queue.holding(10):
        raise RuntimeError
    assert queue.work == 0


def test_who_comes_at_a_busy_time_is_told_when_to_come_again() -> None:
    answer = on_overload(None, Overloaded("too much is waiting"))  # type: ignore[arg-type]
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.content.error == "too much is waiting"


class Blocked:
    """An engine whose lists with reasons wait until they are released."""

    def __init__(self, run: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        options = Options(run, str(store), max_work=100_000)
        self.engine = Engine(options, Snapshot.load(options), open_store(options.store))
        self.release, self.begun = threading.Event(), threading.Event()
        lookup = self.engine.snapshot.lookup
        recommend = lookup.recommend

        def held_up(histories: Any, policy: Any, *known: Any) -> Any:
            if policy.explain:
                self.begun.set()
                assert self.release.wait(60)
            return recommend(histories, policy, *known)

        monkeypatch.setattr(lookup, "recommend", held_up)


def test_a_plain_list_does_not_wait_for_reasons(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = Blocked(run, tmp_path / "events.sqlite", monkeypatch)
    engine = blocked.engine
    user = str(engine.snapshot.model.users.ids[0])

    async def ask() -> None:
        slow = [asyncio.create_task(respond(engine, RecommendRequest(user_id=user, explain=True))) for _ in range(9)]
        await asyncio.to_thread(blocked.begun.wait, 60)
        for _ in range(3):
            assert (await asyncio.wait_for(respond(engine, RecommendRequest(user_id=user)), 60)).items
        assert not any(one.done() for one in slow)
        blocked.release.set()
        assert all(one.items[0].reason for one in await asyncio.gather(*slow))
        assert max(engine.batch_sizes["slow-lists"]) <= SLOW_BATCH_SIZE
        engine.close()

    asyncio.run(ask())


def test_too_much_that_waits_is_refused_and_does_not_bar_plain_lists(run: Path, tmp_path: Path) -> None:
    options = Options(run, str(tmp_path / "events.sqlite"), max_work=20_000)
    engine = Engine(options, Snapshot.load(options), open_store(options.store))
    slow, plain = [RecommendRequest(user_id="a", explain=True)], [RecommendRequest(user_id="a")]
    with admitted(engine, slow):
        waiting = [admitted(engine, slow) for _ in range(WAITING)]
        for one in waiting:
            one.__enter__()
        with pytest.raises(Overloaded), admitted(engine, slow):
            pass
        with admitted(engine, plain):
            pass
        for one in waiting:
            one.__exit__(None, None, None)
    assert (engine.work.work, engine.slow_work.work) == (0, 0)
    engine.close()


# ---------------------------------------------------------------------- what is remembered


def dials(items: list[str]) -> Iterator[RecommendRequest]:
    """Requests of which no two have the same policy."""
    for number in range(400):
        yield RecommendRequest(user_id=f"u{number}", k=1 + number % 50, intents=[number % 8], strength=number / 400)
        yield RecommendRequest(
            user_id=f"u{number}", deny=items[: number % 100], attributes=["kind 1"], diversify=number / 400
        )
        yield RecommendRequest(history=items[number % 90 : number % 90 + 3], allow=items[number % 90 :], k=number + 1)


def test_policies_are_remembered_up_to_a_number_and_a_size(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(snapshot: Snapshot) -> None:
        for request in dials(snapshot.model.items.ids.to_list()):
            await snapshot.resolve(request.policy())

    options = Options(run, "unused")
    snapshot = Snapshot.load(options)
    asyncio.run(ask(snapshot))
    assert len(snapshot._policies) == snapshots.POLICIES
    assert {len(key) for key in snapshot._policies} == {16}
    monkeypatch.setattr(snapshots, "POLICY_BYTES", 100)
    snapshot = Snapshot.load(options)
    asyncio.run(ask(snapshot))
    assert len(snapshot._policies) == snapshots.LEAST_POLICIES


def test_clients_are_remembered_up_to_a_number() -> None:
    rate = RateLimit(1.0)
    for number in range(3 * MOST_CLIENTS):
        rate.allows(str(number).encode())
    assert len(rate._left) == MOST_CLIENTS


def test_metrics_have_as_many_lines_whatever_is_counted() -> None:
    metrics = Metrics()

    def lines() -> int:
        return len(metrics.text("version", {"lists": {size: 1 for size in range(1, 33)}}).splitlines())

    metrics.count("GET", "other", 404, 0.1)
    before = lines()
    for number in range(1000):
        metrics.count("GET", "other", 404, number / 100)
        for letter in string.ascii_uppercase:
            metrics.count(f"{letter}{number}", "other", 404, 0.1)
    assert lines() == before + 1
