"""Cores by affinity and by the CPU quotas of made-up cgroups; threads of PyTorch."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from elcrec import ELCRec
from elcrec.errors import SettingsError
from elcrec.process import threads as threads_module
from elcrec.process.threads import WAITING, available_cores, cpu_quota, use_threads
from elcrec.serving.options import Options

V2, V1 = "0::{}\n", "5:memory:/other\n4:cpu,cpuacct:{}\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": V2.format("/"), "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": V2.format("/"), "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": V2.format("/a/b"), "sys/fs/cgroup/a/b/cpu.max": "50000 100000"}, 0.5),
        (
            {
                "proc/self/cgroup": V2.format("/a/b"),
                "sys/fs/cgroup/a/cpu.max": "100000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000",
            },
            1.0,
        ),
        # The path of the host, which the container does not see.
        ({"proc/self/cgroup": V2.format("/docker/1"), "sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0),
        ({"proc/self/cgroup": V2.format("/../.."), "sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0),
        (
            {
                "proc/self/cgroup": V1.format("/docker/1"),
                "sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": V1.format("/"),
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({"proc/self/cgroup": V2.format("/"), "sys/fs/cgroup/cpu.max": "damaged"}, None),
    ],
)
def test_the_smallest_quota_is_found(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(tree(tmp_path, files)) == quota


@pytest.mark.parametrize(("text", "cores"), [("50000 100000", 1), ("250000 100000", 2), ("900000 100000", 4)])
def test_cores_are_whole_and_within_the_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    files = {"proc/self/cgroup": V2.format("/"), "sys/fs/cgroup/cpu.max": text}
    assert available_cores(tree(tmp_path, files)) == cores


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_automatic_threads_are_lowered_to_the_cores_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    for cores, expected in ((8, 3), (2, 2), (3, 2)):
        monkeypatch.setattr(threads_module, "available_cores", lambda cores=cores: cores)
        use_threads(0)
        assert torch.get_num_threads() == expected


@pytest.mark.usefixtures("three_threads")
def test_a_number_from_the_environment_is_kept_and_the_setting_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads_module, "available_cores", lambda: 1)
    ELCRec()
    assert torch.get_num_threads() == 3
    ELCRec(threads=2)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("three_threads")
def test_a_training_has_the_threads_of_its_own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elcrec.components.fit", lambda start: start)
    monkeypatch.setattr(ELCRec, "_adopt", lambda model, run: None)
    first = ELCRec(threads=2)
    ELCRec(threads=1)
    assert torch.get_num_threads() == 1
    first.fit("log.csv")
    assert torch.get_num_threads() == 2


def test_the_setting_is_checked() -> None:
    assert ELCRec(threads="auto").settings.threads == 0
    for odd in (-1, "many", 1.5):
        with pytest.raises(SettingsError, match="threads"):
            ELCRec(threads=odd)


def test_the_server_shares_the_cores_of_its_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr("elcrec.serving.options.available_cores", lambda: 8)
    assert [Options(Path("run"), "store", workers=workers).threads for workers in (1, 2, 16)] == [4, 2, 1]


def waiting_after(program: str, **environment: str) -> dict[str, str]:
    """What the environment says of waiting threads after a program."""
    kept = {name: value for name, value in os.environ.items() if name not in WAITING}
    shown = f"print(json.dumps({{name: os.environ[name] for name in {list(WAITING)} if name in os.environ}}))"
    code = f"{program}; import json, os; {shown}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def test_threads_wait_briefly_unless_the_caller_chose() -> None:
    assert waiting_after("import elcrec") == WAITING
    assert (
        waiting_after("from elcrec import ELCRec; import sys; assert 'torch' not in sys.modules; ELCRec()") == WAITING
    )
    for name, value in {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "100"}.items():
        assert waiting_after("import elcrec", **{name: value}) == {name: value}
    assert waiting_after("import sys; sys.modules['torch'] = sys; import elcrec") == {}
