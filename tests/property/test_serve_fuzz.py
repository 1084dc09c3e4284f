"""Every endpoint under requests made up from its own contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from served import Served, shop_run

schemathesis = pytest.importorskip("schemathesis", reason="the contract is fuzzed with schemathesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
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
    with Served(run) as server:
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


def test_the_log_knows_of_no_failure(served: Served) -> None:
    assert all(line.get("status", 200) < 500 for line in served.lines())
    assert served.get("/readyz")["status"] == "ready"
