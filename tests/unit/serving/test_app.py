"""A server is ready once its intents are described; lists are answered before."""

import threading
import time
from pathlib import Path

import pytest
from litestar.testing import TestClient

from elcrec.serving.app import make_app
from elcrec.serving.middleware.keys import Keys
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from elcrec.serving.store import open_store
from served import shop_run


def test_lists_do_not_wait_for_the_intents_and_readiness_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = shop_run(tmp_path / "run", epochs=1, baselines=False)
    go, prepare = threading.Event(), Snapshot.prepare
    monkeypatch.setattr(Snapshot, "prepare", lambda self: (go.wait(60), prepare(self))[1])
    options = Options(tmp_path / "run", str(tmp_path / "events.sqlite"))
    app = make_app(options, Snapshot.load(options), open_store(options.store), Keys(None))
    with TestClient(app, base_url="http://127.0.0.1") as client:  # type: ignore[arg-type]
        waiting = client.get("/readyz")
        assert (waiting.status_code, waiting.json()["error"][:12]) == (503, "the intents ")
        listed = client.post("/v1/recommend", json={"user_id": model.users.ids[0]})
        assert len(listed.json()["items"]) == 10
        go.set()
        until = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(client.get("/v1/intents").json()["intents"]) == model.settings.n_intents
