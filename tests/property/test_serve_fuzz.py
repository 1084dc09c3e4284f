"""Every endpoint under requests made up from its own contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from served import Served, shop_run

schemathesis = pytest.importorskip("schemathesis", reason="the contract is fuzzed with schemathesis")
from hypothesis import HealthCheck, Phase, settings  # noqa: E402

EXAMPLES = 25


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    run = tmp_path_factory.mktemp("fuzz") / "shop"
    shop_run(run)
    with Served(run) as server:
        yield server


@pytest.fixture(scope="module")
def contract(served: Served):  # type: ignore[no-untyped-def]
    return schemathesis.openapi.from_url(f"{served.url}/openapi/openapi.json")


schema = schemathesis.pytest.from_fixture("contract")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_server(case) -> None:  # type: ignore[no-untyped-def]
    answer = case.call(timeout=60)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        document = answer.json()
        assert set(document) == {"error"}
        assert document["error"]
    else:
        case.validate_response(answer, checks=[schemathesis.checks.response_schema_conformance])


def test_the_log_knows_of_no_failure(served: Served, tmp_path: Path) -> None:
    assert all(line.get("status", 200) < 500 for line in served.lines())
    assert served.get("/readyz")["status"] == "ready"
