"""Reloading: other API keys, another model."""

from __future__ import annotations

import logging

from elcrec.errors import RunError, SettingsError
from elcrec.serving.engine import Engine
from elcrec.serving.metrics import Metrics
from elcrec.serving.middleware.keys import Keys

LOG = logging.getLogger("elcrec.serve")


class Reloader:
    """Reads the API keys and the run again, on request and at SIGHUP."""

    def __init__(self, engine: Engine, keys: Keys, metrics: Metrics) -> None:
        """Take the parts of one server."""
        self._engine, self._keys, self._metrics = engine, keys, metrics

    async def reload(self) -> bool:
        """Read keys and run again; count and log it.

        Returns:
            Whether another model is served now, or compared with.

        Raises:
            SettingsError: The keys cannot be read; nothing has changed.
            RunError: The run is damaged; the keys are taken over.
        """
        try:
            other_keys = self._keys.reread()
            changed = await self._engine.reload()
        except (SettingsError, RunError) as error:
            self._metrics.reloads["refused"] += 1
            LOG.error("reload refused", extra={"fields": {"error": str(error)}})
            raise
        self._metrics.reloads["changed" if changed else "unchanged"] += 1
        fields = {"model": self._engine.snapshot.lookup.version, "changed": changed, "keys_changed": other_keys}
        LOG.info("reloaded", extra={"fields": fields})
        return changed
