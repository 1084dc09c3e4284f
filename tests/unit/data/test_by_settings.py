"""Verbs that only read a log take the settings of reading, and no others."""

from pathlib import Path

import pytest

from cli_runner import run_cli
from elcrec import Settings, SettingsError
from elcrec.data.by_settings import OF_FILTERS, OF_KINDS, OF_READING, settings_of_log

PLAIN = Settings()
USED = {*OF_READING, *OF_KINDS}


@pytest.mark.parametrize("filters", [False, True])
@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_counts_or_is_refused(name: str, filters: bool) -> None:
    given = {name: getattr(PLAIN, name)}
    if name in USED or (filters and name in OF_FILTERS):
        assert getattr(settings_of_log(given, filters), name) == given[name]
        return
    with pytest.raises(SettingsError, match=f"^{name}=.* would have no effect: "):
        settings_of_log(given, filters)


@pytest.mark.parametrize("verb", ["check", "describe", "prepare"])
def test_verbs_refuse_settings_of_training(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\nu,a\nu,b\n")
    out = ("--out", tmp_path / "new.csv") if verb == "prepare" else ()
    complaint = run_cli("data", verb, path, *out, "--set", "epochs=2").complaint()
    assert complaint.startswith("epochs=2 would have no effect: ")
