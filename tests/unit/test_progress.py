import io
import time
from collections.abc import Iterator

import pytest
from rich.console import Console

from elcrec import progress
from elcrec.progress import ProgressBar, show_steps, step


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def shown() -> Iterator[None]:
    show_steps(True)
    yield
    show_steps(False)


def test_a_bar_shows_steps_time_and_text_in_80_columns() -> None:
    console = terminal()
    with ProgressBar("training", 1_234_567, console, done=1_000_000) as bar:
        bar.update(1_100_000, "ndcg@20 0.3038 · loss 4.005")
        bar._bar.refresh()
    drawn = written(console)
    assert "1100000/1234567" in drawn
    assert "ndcg@20 0.3038 · loss 4.005" in drawn
    assert "\u2026" not in drawn


def test_a_log_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    console = Console(file=io.StringIO(), width=80)
    with ProgressBar("users", 1_000, console) as bar:
        bar.update(500, "half")
        time.sleep(0.3)
    lines = written(console).splitlines()
    assert 1 <= len(lines) <= 7
    assert all(line.startswith("users 500/1,000 · 0:00:00 left · half") for line in lines)
    time.sleep(0.1)
    assert written(console).splitlines() == lines


def test_short_work_leaves_a_log_file_empty() -> None:
    console = Console(file=io.StringIO(), width=80)
    with ProgressBar("users", 10, console) as bar:
        bar.update(5)
    assert written(console) == ""


def test_a_line_tells_the_time_that_is_left_or_has_passed() -> None:
    bar = ProgressBar("users", 100, terminal(), done=50)
    assert bar.line(60) == "users 50/100"
    bar.update(60)
    assert bar.line(3600) == "users 60/100 · 4:00:00 left"
    assert ProgressBar("k-means", None, terminal()).line(75) == "k-means · 0:01:15 so far"


def test_steps_are_silent_unless_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with step("maps", 2) as done:
        done(1)
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("shown")
def test_a_step_has_a_bar_of_its_own_or_a_text_next_to_the_bar_around_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with step("maps", 2) as done:
        done(1)
        time.sleep(0.12)
    assert "maps 1/2" in capsys.readouterr().err
    with ProgressBar("training", 4, terminal()) as bar:
        bar.update(2, "loss 4")
        with step("k-means") as done:
            done(1)
            assert (bar.done, bar.text) == (2, "k-means")
        assert (bar.done, bar.text) == (2, "loss 4")
