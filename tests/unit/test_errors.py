"""A mistake of the caller is one line, whatever the names in it hold."""

import pytest

from elcrec.errors import DataError, ElcrecError, RunError, SettingsError


@pytest.mark.parametrize("kind", [ElcrecError, DataError, SettingsError, RunError])
@pytest.mark.parametrize("odd", ["a\nb", "a\r\nb", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\x00"])
def test_a_message_is_one_line(kind: type[ElcrecError], odd: str) -> None:
    said = str(kind(f"no column {odd}: name one"))
    assert len(said.splitlines()) == 1
    assert said.startswith("no column ")
    assert said.isprintable()


def test_a_message_without_breaks_is_as_it_was_written() -> None:
    assert str(DataError("é 日本 'x': C:\\new")) == "é 日本 'x': C:\\new"
