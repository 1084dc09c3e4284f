"""A loaded model with what is computed from it once, and the state of the run folder it came from."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import polars as pl
import torch

from elcrec.errors import RunError
from elcrec.inference.policy import RankingPolicy
from elcrec.intents.intents import CARRY_COSINE
from elcrec.runs.run_folder import RunFolder
from elcrec.serving.options import Options
from elcrec.serving.second_run import measured_alike, refuse_unlike

if TYPE_CHECKING:
    from elcrec.inference.policy import ResolvedPolicy
    from elcrec.recommender import ELCRec

POLICIES = 256
LEAST_POLICIES = 32
POLICY_BYTES = 64_000_000
MOST_ITEMS = 50
RUN_FILES = (
    "model.safetensors",
    "config.json",
    "interactions.parquet",
    "vocabulary.parquet",
    "items.parquet",
    "features.json",
    "users.parquet",
    "user_features.json",
    "items.faiss",
)
Result = TypeVar("Result")


class Stamp(NamedTuple):
    """State of the files of a run: other or changed files have another stamp.

    Attributes:
        model: Of the files that a model consists of.
        names: Of the file with given names of intents.
    """

    model: tuple[tuple[int, int, int], ...]
    names: tuple[tuple[int, int, int], ...]


class Snapshot:
    """One loaded model, with what is computed from it once.

    Attributes:
        model: The model.
        lookup: Its fast answers to single requests.
        topn: Its recommendations.
        run: The folder it was loaded from.
        stamp: State of the folder then.
        loaded: When, seconds since 1970.
        background: The thread for work that may take long; recommendations do not wait for it.
        against: The second model, which is compared with this one; loaded and replaced together with it.
    """

    def __init__(
        self, model: ELCRec, run: Path, stamp: Stamp, approximate: bool, background: ThreadPoolExecutor | None = None
    ) -> None:
        """Take a model as it is in the folder ``run`` at ``stamp``.

        Args:
            model: The model.
            run: Its folder.
            stamp: State of the folder.
            approximate: Whether plain requests use the approximate index.
            background: The thread of the model before; default: a new one.
        """
        self.model, self.lookup, self.topn = model, model.lookup, model.topn
        self.run, self.stamp = run, stamp
        self.loaded, self._approximate = time.time(), approximate
        self._policies: dict[bytes, ResolvedPolicy] = {}
        # A resolved policy may hold a number and a mark for each item.
        self._most_policies = max(LEAST_POLICIES, min(POLICIES, POLICY_BYTES // (5 * (len(model.items) + 1))))
        self._once: dict[Callable[[ELCRec], Any], asyncio.Future[Any]] = {}
        self._prepared: asyncio.Future[None] | None = None
        self.background = background or ThreadPoolExecutor(max_workers=1, thread_name_prefix="elcrec-background")
        self.against: Snapshot | None = None

    @classmethod
    def load(cls, options: Options, background: ThreadPoolExecutor | None = None) -> Snapshot:
        """Read the run, and the second where there is one, and see that they recommend.

        Args:
            options: How the server is run.
            background: The thread of the model before.

        Raises:
            RunError: One is missing or damaged, or the second cannot be compared with the first.
        """
        torch.set_num_threads(options.threads)
        snapshot = cls._of(options.run, options, background)
        if options.against is not None:
            snapshot.against = cls._of(options.against, options, snapshot.background)
            refuse_unlike(snapshot.model, snapshot.against.model, options.against)
        return snapshot

    @classmethod
    def _of(cls, folder: Path, options: Options, background: ThreadPoolExecutor | None) -> Snapshot:
        from elcrec.recommender import ELCRec

        run = _unlinked(folder)  # a link that is turned meanwhile must not mix two runs
        stamp = stamp_of(run)
        snapshot = cls(ELCRec.load(run, options.device), run, stamp, options.approximate, background)
        lookup = snapshot.lookup
        lookup.prepare()
        resolved = snapshot._resolve(RankingPolicy(k=1))
        first = lookup.history_of(snapshot.model.users.ids[0])
        if first is None or not lookup.most_popular(resolved).items:
            raise RunError(f"{folder} is damaged: it recommends nothing")
        lookup.recommend([first], resolved)
        return snapshot

    @property
    def both(self) -> list[Snapshot]:
        """This one, and the one it is compared with, if there is one."""
        return [self] if self.against is None else [self, self.against]

    # ------------------------------------------------------------------ policies

    async def resolve(self, policy: RankingPolicy) -> ResolvedPolicy:
        """A policy in terms of the model; the same object for equal policies, so that they are ranked together.

        Raises:
            SettingsError: An intent or attribute that does not exist.
            UnknownIdError: An item that does not exist.
        """
        # A digest has a constant size: the item lists of many policies would fill the memory.
        key = hashlib.blake2b(repr(policy).encode(), digest_size=16).digest()
        resolved = self._policies.get(key)
        if resolved is None:
            slow = bool(policy.intents or policy.diversify) or policy.filters_items
            resolved = await self.run_in_background(lambda: self._resolve(policy)) if slow else self._resolve(policy)
            if len(self._policies) >= self._most_policies:
                self._policies.pop(next(iter(self._policies)))
            self._policies[key] = resolved
        return resolved

    def _resolve(self, policy: RankingPolicy) -> ResolvedPolicy:
        by_repeats = policy.exclude_seen is False and self.topn.ranks_by_repeats(policy)
        return self.topn.resolve(replace(policy, approximate=self._approximate and policy.is_plain and not by_repeats))

    # ------------------------------------------------------------------ work in the background

    async def run_in_background(self, work: Callable[[], Result]) -> Result:
        """The result of work that may take long."""
        return await asyncio.get_running_loop().run_in_executor(self.background, work)

    async def once(self, work: Callable[[ELCRec], Result]) -> Result:
        """The result of work that takes longest: done once, when first requested, in a thread of its own."""
        if work not in self._once:
            self._once[work] = asyncio.ensure_future(asyncio.to_thread(work, self.model))
        result: Result = await asyncio.shield(self._once[work])
        return result

    # ------------------------------------------------------------------ intents

    @cached_property
    def intents(self) -> list[dict[str, Any]]:
        """The rows of ``ELCRec.intents``; names may have changed since."""
        return self.model.intents(MOST_ITEMS).to_dicts()

    @cached_property
    def counterparts(self) -> dict[int, tuple[int, float]]:
        """For intents of ``against`` the same one here, where there is one, and their cosine; one to one."""
        if self.against is None:
            return {}
        rows = self.model.match_intents(self.against.model).filter(pl.col("cosine") >= CARRY_COSINE)
        return {row["other_intent"]: (row["intent"], row["cosine"]) for row in rows.to_dicts()}

    @cached_property
    def is_measured_alike(self) -> bool:
        """Whether metrics of ``against`` are comparable: they are of the same held-out items, ranked among the same."""
        return self.against is not None and measured_alike(self.model, self.against.model)

    def prepare(self) -> None:
        """Compute what requests about intents, and of new users who chose some, need before the first of them."""
        _ = self.intents, self.counterparts, self.is_measured_alike
        self._resolve(RankingPolicy(intents=[0]))
        self.topn.new_users.scores([0])
        if self.against is not None:
            self.against.prepare()

    def prepare_in_background(self) -> None:
        """:meth:`prepare`, while recommendations are made already."""
        self._prepared = asyncio.wrap_future(self.background.submit(self.prepare))

    @property
    def preparing(self) -> bool:
        """Whether the intents are still being described."""
        return self._prepared is not None and not self._prepared.done()

    async def wait_until_prepared(self) -> None:
        """Wait for the descriptions of intents."""
        if self._prepared is not None:
            await asyncio.shield(self._prepared)

    def read_names(self) -> None:
        """Take over the names of intents that are on disk now."""
        names = stamp_of(self.run).names
        self.model.read_names(self.run)
        self.stamp = self.stamp._replace(names=names)

    def rename(self, intent: int, name: str) -> None:
        """Name an intent, here and on disk.

        Raises:
            RunError: The run cannot be written, or holds another model by now: its intents are others.
        """
        self.model.write_names(self.run, {intent: name})
        self.stamp = self.stamp._replace(names=stamp_of(self.run).names)


def _unlinked(folder: Path) -> Path:
    """A folder as it was given, or without the links that lead to it, where some do."""
    real = folder.resolve()
    return real if folder.exists() and real != folder.absolute() else folder


def stamp_of(run: Path) -> Stamp:
    """The state of the files now."""
    folder = RunFolder(run)

    def marks(names: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
        found = []
        for name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                status = folder.place(name).stat()
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    return Stamp(marks(RUN_FILES), marks(["intents.json"]))
