"""Health of the event store."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from elcrec.serving.store import Store

LOG = logging.getLogger("elcrec.serve")
PATIENCE = 2.0


class StoreHealth:
    """Checks the store, one check at a time: any client may cause one, and a check is a commit."""

    def __init__(self, store: Store, writing: bool) -> None:
        """Check writes where ``writing``, else reads."""
        self._store, self._writing = store, writing
        self._check: asyncio.Task[str | None] | None = None
        # A store that hangs holds this thread, and no other.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="elcrec-health")

    async def fault(self) -> str | None:
        """Why events cannot be stored (read-only: read); None where they can."""
        if self._check is None or self._check.done():
            self._check = asyncio.ensure_future(self._checked())
        return await asyncio.shield(self._check)

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _checked(self) -> str | None:
        checking = asyncio.get_running_loop().run_in_executor(self._thread, self._store.check, self._writing)
        try:
            await asyncio.wait_for(checking, PATIENCE)
        except Exception as error:
            reason = f"no answer within {PATIENCE:g} s" if isinstance(error, TimeoutError) else str(error)
            LOG.error("store unusable", extra={"fields": {"error": reason}})
            kept = " or written: no event would be kept" if self._writing else ""
            return f"the store cannot be reached{kept} (the log says why)"
        return None
