import json

import pytest

from elcrec.cli.output import print_json


def test_what_is_printed_is_json_whatever_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5, True, None], "b": {"c": (float("inf"), "é")}, "d": -float("inf")})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": [None, 1.5, True, None], "b": {"c": [None, "é"]}, "d": None}
    assert "Infinity" not in text
    assert "NaN" not in text
