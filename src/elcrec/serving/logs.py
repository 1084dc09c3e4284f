"""Logs for machines: a JSON document a line, to standard error."""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys


class JsonLines(logging.Formatter):
    """One line for each record; what a record carries as ``fields`` is part of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "pid": os.getpid(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_as_json() -> None:
    """Send our log and the web server's to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("elcrec.serve", "uvicorn", "uvicorn.error", "litestar"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
    logging.getLogger("uvicorn.error").handlers = []
    logging.getLogger("uvicorn.error").propagate = True
    logging.getLogger("elcrec.serve").setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "litestar"):
        logging.getLogger(name).setLevel(logging.WARNING)
