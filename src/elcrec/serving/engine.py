"""The model that answers, its thread, and the store behind it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import torch

from elcrec.errors import RunError, SettingsError, UnknownIdError
from elcrec.runs.run_folder import RunFolder
from elcrec.serving.contracts import Map, Wishes
from elcrec.serving.health import StoreHealth
from elcrec.serving.options import Options
from elcrec.serving.people import Numbers, history
from elcrec.serving.price import WAITING, Queue
from elcrec.serving.store import Event, Store
from elcrec.serving.together import Together
from elcrec.serving.user_map import user_map

if TYPE_CHECKING:
    from elcrec.inference.lookup import Recommendations
    from elcrec.inference.policy import ResolvedPolicy
    from elcrec.recommender import ELCRec

AT_ONCE = 32
SLOW_AT_ONCE = 8
COMMITTED_AT_ONCE = 512
PLANS = 256
PLAN_BYTES = 64_000_000
MOST_ITEMS = 50
RUN_FILES = (
    "model.safetensors",
    "config.json",
    "interactions.parquet",
    "vocabulary.parquet",
    "items.parquet",
    "items.faiss",
)
Given = TypeVar("Given")


class Stamp(NamedTuple):
    """Of the files of a run: other ones, or changed ones, have another stamp.

    Attributes:
        model: Of all that a model is made of.
        names: Of the names that people gave to intents.
    """

    model: tuple[tuple[int, int, int], ...]
    names: tuple[tuple[int, int, int], ...]


class Snapshot:
    """One loaded model, with what is worked out from it once."""

    def __init__(
        self, model: ELCRec, run: Path, stamp: Stamp, approximate: bool, study: ThreadPoolExecutor | None = None
    ) -> None:
        """Take a model as it is in the folder ``run`` at ``stamp``; plain lists by its index, where ``approximate``."""
        self.model, self.run, self.stamp = model, run, stamp
        self.loaded, self.approximate = time.time(), approximate
        self._plans: dict[bytes, ResolvedPolicy] = {}
        # A plan may hold a number and a mark for each item.
        self._most_plans = max(AT_ONCE, min(PLANS, PLAN_BYTES // (5 * (len(model.items) + 1))))
        self._map: asyncio.Future[Map] | None = None
        self._prepared: asyncio.Future[None] | None = None
        # Questions that may take long wait for each other, not for those that want a list.
        self.study = study or ThreadPoolExecutor(max_workers=1, thread_name_prefix="elcrec-study")

    @classmethod
    def load(cls, options: Options, study: ThreadPoolExecutor | None = None) -> Snapshot:
        """Read the run and see that it answers; ``study`` is the thread of the model before.

        Raises:
            RunError: It is missing, damaged or no good.
        """
        from elcrec.recommender import ELCRec

        torch.set_num_threads(options.threads)
        run = options.run.resolve()  # a link that is turned meanwhile must not mix two runs
        stamp = stamp_of(run)
        model = ELCRec.load(run, options.device)
        _ = model.version, model.titles
        plan = model.plan(1, approximate=options.approximate)
        first = model.history_of(model.users.ids[0])
        if first is None or not model.pick_popular(plan).items:
            raise RunError(f"{options.run} is damaged: it recommends nothing")
        model.pick([first], plan)
        return cls(model, run, stamp, options.approximate, study)

    def prepare(self) -> None:
        """Work out what intents need, before somebody waits for it."""
        _ = self.intents
        self.model.plan(intents=[0])

    def prepare_beside(self) -> None:
        """:meth:`prepare` while lists are made already."""
        self._prepared = asyncio.wrap_future(self.study.submit(self.prepare))

    async def prepared(self) -> None:
        """Wait until intents are worked out."""
        if self._prepared is not None:
            await asyncio.shield(self._prepared)

    def read_names(self) -> None:
        """Take over the names that intents have on disk by now."""
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

    @cached_property
    def intents(self) -> list[dict[str, Any]]:
        """The rows of ``ELCRec.intents``; names may have changed since."""
        return self.model.intents(MOST_ITEMS).to_dicts()

    async def ask(self, question: Callable[[], Given]) -> Given:
        """The answer to something that may take long."""
        return await asyncio.get_running_loop().run_in_executor(self.study, question)

    async def map(self) -> Map:
        """The map of users; made when first asked for, beside all other questions."""
        if self._map is None:
            self._map = asyncio.ensure_future(asyncio.to_thread(user_map, self.model))
        return await asyncio.shield(self._map)

    async def plan(self, wishes: Wishes) -> ResolvedPolicy:
        """How a list is to be made; the same object for the same wishes, so that they are answered together."""
        key = _key(wishes)
        plan = self._plans.get(key)
        if plan is None:
            slow = bool(wishes.intents or wishes.diversify or wishes.attributes or wishes.all_attributes)
            slow = slow or bool(wishes.allow or wishes.deny)
            plan = await self.ask(lambda: self._plan(wishes)) if slow else self._plan(wishes)
            if len(self._plans) >= self._most_plans:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = plan
        return plan

    def _plan(self, wishes: Wishes) -> ResolvedPolicy:
        return self.model.plan(
            wishes.k,
            wishes.exclude_seen,
            explain=wishes.explain,
            intents=wishes.intents,
            exclude_intents=wishes.exclude_intents,
            strength=wishes.strength,
            diversify=wishes.diversify,
            allow=wishes.allow,
            deny=wishes.deny,
            attributes=wishes.attributes,
            all_attributes=wishes.all_attributes,
            approximate=self.approximate,
        )


def _key(wishes: Wishes) -> bytes:
    """Of constant size: the lists of a million wishes would fill the memory."""
    how = (
        wishes.k,
        wishes.exclude_seen,
        wishes.explain,
        wishes.strength,
        wishes.diversify,
        None if wishes.allow is None else list(map(str, wishes.allow)),
        list(map(str, wishes.deny)),
        wishes.attributes,
        wishes.all_attributes,
        wishes.intents,
        wishes.exclude_intents,
    )
    return hashlib.blake2b(msgspec.json.encode(how), digest_size=16).digest()


def stamp_of(run: Path) -> Stamp:
    """As the files are now."""
    folder = RunFolder(run)

    def marks(names: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
        found = []
        for name in names:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                status = folder.place(name).stat()
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    return Stamp(marks(RUN_FILES), marks(["intents.json"]))


class Asked(NamedTuple):
    """A list that is wanted: of a user or of a history (one of them)."""

    snapshot: Snapshot
    plan: ResolvedPolicy
    user: str | None
    history: Numbers | None
    unknown: str
    intents: tuple[int, ...]


class Made(NamedTuple):
    """A list, and what it was made from if not from a history."""

    picked: Recommendations
    fallback: Any


class Engine:
    """Everything that the endpoints ask."""

    def __init__(self, options: Options, snapshot: Snapshot, store: Store) -> None:
        """Start the threads."""
        self.options, self.snapshot, self.store = options, snapshot, store
        self.lists: Together[Asked, Made] = Together("elcrec-lists", self._answer, AT_ONCE)
        # Lists that take long wait for each other, not those that everybody gets; a few at a time, so that a list that
        # comes meanwhile waits for those few alone.
        self.slow_lists: Together[Asked, Made] = Together("elcrec-slow-lists", self._answer, SLOW_AT_ONCE)
        self.queue, self.slow_queue = Queue(WAITING * options.max_work), Queue(WAITING * options.max_work)
        self.commits: Together[Sequence[Event], list[bool]] = Together("elcrec-store", self._commit, COMMITTED_AT_ONCE)
        self.store_health = StoreHealth(store, writing=not options.read_only)
        self.tell_others: Callable[[], None] = lambda: None
        self._reloading = asyncio.Lock()

    def close(self) -> None:
        """Answer what waits, keep what is to be kept, stop."""
        self.commits.close()
        self.lists.close()
        self.slow_lists.close()
        self.store_health.close()
        self.snapshot.study.shutdown()
        self.store.close()

    # ------------------------------------------------------------------ the threads' work

    def _answer(self, asked: list[Asked]) -> list[Made | Exception]:
        made: list[Made | Exception | None] = [None] * len(asked)
        alike: dict[tuple[int, int], list[int]] = {}
        histories = self._histories(asked)
        for place, (one, items) in enumerate(zip(asked, histories, strict=True)):
            if isinstance(items, Exception):
                made[place] = items
            elif len(items):
                alike.setdefault((id(one.snapshot), id(one.plan)), []).append(place)
            else:
                made[place] = _tried(_without_history, one)
        for places in alike.values():
            first = asked[places[0]]
            try:
                lists = first.snapshot.model.pick([histories[place] for place in places], first.plan)
            except Exception as error:
                made = [error if place in places else one for place, one in enumerate(made)]
                continue
            for place, picked in zip(places, lists, strict=True):
                made[place] = Made(picked, None)
        return [one if one is not None else RuntimeError("no answer") for one in made]

    def _histories(self, asked: list[Asked]) -> list[Any]:
        """The items of each, or why the store has none for who needs it."""
        users = [str(one.user) for one in asked if one.history is None]
        try:
            kept = iter(self.store.read(users) if users else [])
        except Exception as error:
            return [error if one.history is None else one.history for one in asked]
        return [
            history(one.snapshot.model, one.user or "", next(kept)) if one.history is None else one.history
            for one in asked
        ]

    def _commit(self, waiting: list[Sequence[Event]]) -> list[list[bool] | Exception]:
        """The events of many requests in one transaction."""
        new = iter(self.store.write([event for events in waiting for event in events]))
        return [[next(new) for _ in events] for events in waiting]

    # ------------------------------------------------------------------ another model

    async def reload(self) -> bool:
        """Load the run again if its files changed; a bad one is refused and the old model goes on.

        Returns:
            Whether another model answers now.

        Raises:
            RunError: The run is damaged.
        """
        async with self._reloading:
            changed = stamp_of(self.options.run).model != self.snapshot.stamp.model
            if changed:
                fresh = await asyncio.to_thread(_load_and_prepare, self.options, self.snapshot.study, self.store)
                self.snapshot = fresh  # who asks the old one already is answered by it
            if stamp_of(self.snapshot.run).names != self.snapshot.stamp.names:
                await self.snapshot.ask(self.snapshot.read_names)
            return changed


def _load_and_prepare(options: Options, study: ThreadPoolExecutor, store: Store) -> Snapshot:
    try:
        snapshot = Snapshot.load(options, study)
        snapshot.prepare()
        store.adopt(snapshot.model.clock.kind)
    except RunError:
        raise
    except SettingsError as error:
        raise RunError(str(error)) from error
    except Exception as error:
        raise RunError(f"{options.run} is damaged: {error}") from error
    return snapshot


def _without_history(one: Asked) -> Made:
    model = one.snapshot.model
    if one.unknown == "error" or (one.unknown == "intents" and not one.intents):
        if one.user is None:
            raise UnknownIdError("the history holds no item that the model knows; send some, or unknown_user='popular'")
        remedy = ": choose intents" if one.unknown == "intents" else ", or ask for unknown_user='popular'"
        raise UnknownIdError(f"user {one.user[:80]!r} has no history; send events or a history{remedy}")
    if one.unknown == "intents":
        return Made(model.pick_typical(one.intents, one.plan), "intents")
    return Made(model.pick_popular(one.plan), "popular")


def _tried(make: Callable[[Asked], Made], one: Asked) -> Made | Exception:
    try:
        return make(one)
    except Exception as error:
        return error
