"""The log of a service: lines for people, or one JSON object a line with request and trace ids."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any, Literal

from dsocr import tracing

LogFormat = Literal["text", "json"]
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the HTTP request that is being answered; empty outside of one."""
REQUESTS = logging.getLogger("dsocr.requests")
"""One line for each HTTP request, with the fields of `FIELDS`; only in JSON."""
FIELDS = ("route", "method", "status", "code", "ms", "job_id", "page", "engine", "tokens")
"""Attributes that a record may have by `extra`."""


class JsonFormatter(logging.Formatter):
    """Control characters are escaped, so that no text can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "request_id": REQUEST_ID.get(),
            "trace_id": tracing.trace_id(),
        }
        line.update((name, getattr(record, name, None)) for name in FIELDS)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value not in (None, "")})


def configure(log_format: LogFormat) -> None:
    """Sets the format of the handlers that there are. Text has no line for each request."""
    REQUESTS.setLevel(logging.INFO if log_format == "json" else logging.WARNING)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for each
    if log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
