"""Every endpoint under requests made up from its own contract."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from served import Served, shop_run

schemathesis = pytest.importorskip("schemathesis", reason="the contract is fuzzed with schemathesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis.specs.openapi.checks import response_schema_conformance  # noqa: E402

EXAMPLES = 25
SETTINGS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    run: Path = tmp_path_factory.mktemp("fuzz") / "shop"
    shop_run(run)
    shop_run(run.parent / "other", seed=2)
    with Served(run, "--against", run.parent / "other") as server:
        yield server


def good(case: Any) -> None:
    """No failure of ours; refusals are one sentence; answers are what the contract says."""
    answer = case.call(timeout=60)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        document = answer.json()
        assert set(document) == {"error"}
        assert document["error"]
    else:
        case.validate_response(answer, checks=[response_schema_conformance])


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_breaks_the_server(served: Served, mode: Any) -> None:
    contract = schemathesis.openapi.from_url(f"{served.url}/openapi/openapi.json")
    operations = [found.ok() for found in contract.get_all_operations()]
    assert len(operations) >= 18
    for operation in operations:
        try:
            SETTINGS(given(case=operation.as_strategy(generation_mode=mode))(good))()
        except Exception as error:
            if type(error).__name__ in ("Unsatisfiable", "SkipTest"):  # nothing wrong can be asked there
                continue
            raise AssertionError(f"{operation.label}: {error}") from error


GOOD: dict[str, Any] = {
    "/v1/recommend": {"user_id": "a", "k": 3, "strength": 0.5, "intents": [1], "deny": ["tent pegs"]},
    "/v1/recommend/batch": {
        "requests": [{"history": ["tent pegs"], "explain": True, "diversify": 0.3, "against": True}]
    },
    "/v1/events": {
        "events": [
            {"user_id": "a", "item_id": "tent pegs", "event_id": "e", "timestamp": "2020-01-01", "event": "view"}
        ]
    },
    "/v1/intents/of-history": {"history": ["tent pegs", "cool box"]},
}
SPOILS = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.text(max_size=4).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.integers(-(10**400), 10**400).map(lambda number: str(number).encode()),
    st.sampled_from(
        [b"NaN", b"-Infinity", b"1e999", b"\\ud800", b"\\u0000", b"[" * 2000, b'{"a":' * 2000, b'"', b"\xff"]
    ),
)


@settings(SETTINGS, max_examples=400)
@given(path=st.sampled_from(sorted(GOOD)), place=st.floats(0, 1), gone=st.integers(0, 9), spoil=SPOILS)
def test_no_bytes_break_the_server(served: Served, path: str, place: float, gone: int, spoil: bytes) -> None:
    body = json.dumps(GOOD[path]).encode()
    at = int(place * len(body))
    answer = served.client.post(path, content=body[:at] + spoil + body[at + gone :])
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}


ENDPOINTS = ["/v1/users/%s/history", "/v1/users/%s/intents", "/v1/items/%s/similar", "/v1/users?q=%s", "/v1/intents/%s"]


@settings(SETTINGS, max_examples=200)
@given(endpoint=st.sampled_from(ENDPOINTS), name=st.one_of(st.binary(max_size=40), st.text().map(str.encode)))
def test_no_address_breaks_the_server(served: Served, endpoint: str, name: bytes) -> None:
    path = endpoint % "".join(f"%{byte:02X}" for byte in name)
    address = httpx.URL(served.url).copy_with(raw_path=path.encode())
    answer = served.client.send(httpx.Request("GET", address, headers={"host": "localhost"}))
    assert answer.status_code < 500, answer.text


def test_the_log_knows_of_no_failure(served: Served) -> None:
    lines = [line for line in served.lines() if line.get("path") != "/readyz"]  # 503 until it is ready
    assert all(line.get("status", 200) < 500 for line in lines)
    assert served.get("/readyz")["status"] == "ready"
