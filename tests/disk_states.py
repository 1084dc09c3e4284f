"""All states in which a process that is killed while it writes can leave a disk."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHANGES = ("replace", "rename", "renames", "link", "symlink", "unlink", "remove", "rmdir", "mkdir", "truncate", "fsync")


@contextmanager
def changes_watched(told: Callable[[str], None]) -> Iterator[None]:
    """Tell before and after every call of the system that changes what names a disk holds, whoever makes it."""

    def watched(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def one(*arguments: Any, **more: Any) -> Any:
            told(f"before {name}")
            found = call(*arguments, **more)
            told(f"after {name}")
            return found

        return one

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, watched(name))
        yield


def states_of(root: Path, write: Callable[[], object], kept: Path) -> list[Path]:
    """Copies of ``root``, in ``kept``, as a kill at any change that ``write`` makes would leave it, first to last.

    A state is kept once. Nothing that a process does on its way out is in them: they are taken before it.
    """
    states: list[Path] = []
    seen: list[dict[str, Any]] = []
    busy = False

    def keep(_: str) -> None:
        nonlocal busy
        if busy:  # the copying itself
            return
        busy = True
        found = {str(path.relative_to(root)): path.is_file() and path.read_bytes() for path in root.rglob("*")}
        if found not in seen[-1:]:
            seen.append(found)
            states.append(kept / f"{len(states)}")
            shutil.copytree(root, states[-1], symlinks=True)
        busy = False

    with changes_watched(keep):
        write()
    keep("the end")
    return states
