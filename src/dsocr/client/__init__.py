"""Client of a running service: `Client`, and `AsyncClient` for programs on asyncio.

docs/clients.md has examples. Importing it loads no engine and no server.
"""

from __future__ import annotations

from dsocr.client.asynchronous import AsyncClient
from dsocr.client.errors import (
    ClientError,
    Conflict,
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestTooLarge,
    ServiceError,
    ServiceUnreachable,
    Unauthorized,
    Unavailable,
)
from dsocr.client.events import (
    BlockDone,
    DocumentDone,
    JobChanged,
    JobDone,
    JobEvent,
    JobPageDone,
    PageDone,
    PageReset,
    PageStarted,
    ReadEvent,
    TextDelta,
)
from dsocr.client.records import (
    BlockCorrection,
    Correction,
    Document,
    ExportOptions,
    FormatAvailability,
    Job,
    JobFile,
    JobList,
    JobOptions,
    JobPage,
    PageSummary,
    ReadOptions,
    RetryOptions,
)
from dsocr.client.sync import Client
from dsocr.schema import Layout, LayoutBox, LayoutItem, PageAnswer, PageError, PageLine

__all__ = [
    "AsyncClient",
    "BlockCorrection",
    "BlockDone",
    "Client",
    "ClientError",
    "Conflict",
    "Correction",
    "Document",
    "DocumentDone",
    "ExportOptions",
    "FormatAvailability",
    "InvalidRequest",
    "Job",
    "JobChanged",
    "JobDone",
    "JobEvent",
    "JobFile",
    "JobList",
    "JobOptions",
    "JobPage",
    "JobPageDone",
    "Layout",
    "LayoutBox",
    "LayoutItem",
    "NotFound",
    "Overloaded",
    "PageAnswer",
    "PageDone",
    "PageError",
    "PageLine",
    "PageReset",
    "PageStarted",
    "PageSummary",
    "ReadEvent",
    "ReadOptions",
    "RequestTooLarge",
    "RetryOptions",
    "ServiceError",
    "ServiceUnreachable",
    "TextDelta",
    "Unauthorized",
    "Unavailable",
]
