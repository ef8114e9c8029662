"""The tools of the MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult
from pydantic import Field

from dsocr.mcp import finding
from dsocr.mcp.answers import DocumentText, Figures, Hits, JobState, JobStates, Tables
from dsocr.mcp.reading import document_text
from dsocr.mcp.results import as_text, figure_lines, jpeg, result, state_of, tool_errors
from dsocr.mcp.service import Json, Service
from dsocr.mcp.sources import Paths, resolve
from dsocr.mcp.waiting import wait_for, wait_for_own

WAIT_SECONDS, MAX_WAIT_SECONDS = 45.0, 600.0

ServiceOf = Callable[[Any], Service]
"""The service for a call, by the HTTP request that it came with; None over stdio."""

DocumentId = Annotated[str, Field(description="As read_document gives it", max_length=64)]
Pages = Annotated[
    str | None, Field(description="Pages from 1, such as `1-3,7` or `5-`; all without it")
]
WaitSeconds = Annotated[
    float,
    Field(
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="How long to wait for the document; then the pages that are read are returned",
    ),
]


class Tools:
    """A method a tool. Its docstring, arguments and result are what a model sees."""

    def __init__(self, service_of: ServiceOf, paths: Paths) -> None:
        self._service_of = service_of
        self._paths = paths

    @property
    def read_description(self) -> str:
        kinds = "a data URL (data:application/pdf;base64,…) or the URL of an image or a PDF"
        if self._paths.roots is None:
            kinds = f"the path of a file, {kinds}"
        elif self._paths.roots:
            kinds = f"the path of a file below {self._paths.roots[0]}, {kinds}"
        return (
            f"Read a document, or go on reading one. `source` is {kinds}; or give the "
            "`document_id` of one that was read. Returns markdown page by page within max_tokens."
        )

    async def read_document(
        self,
        context: Context[Any, Any],
        source: Annotated[str | None, Field(description="What to read")] = None,
        document_id: Annotated[
            str | None, Field(description="A document that was read before", max_length=64)
        ] = None,
        pages: Pages = None,
        cursor: Annotated[
            str | None, Field(description="next_cursor of an earlier result", max_length=32)
        ] = None,
        max_tokens: Annotated[
            int, Field(ge=100, le=200_000, description="Most tokens of text, as an estimate")
        ] = 10_000,
        boxes: Annotated[
            bool, Field(description="Also return each block of a page with its place")
        ] = False,
        languages: Annotated[
            str | None, Field(description="Languages of the document, such as `ko,en`")
        ] = None,
        password: Annotated[str | None, Field(description="Of a protected PDF")] = None,
        wait_seconds: WaitSeconds = WAIT_SECONDS,
    ) -> Annotated[CallToolResult, DocumentText]:
        with tool_errors():
            if (source is None) == (document_id is None):
                raise ToolError("Give either `source` or `document_id`.")
            service = self._service(context)
            report = context.report_progress
            if document_id is not None:
                job = await wait_for(service, await service.job(document_id), wait_seconds, report)
                wanted = pages
            else:
                assert source is not None
                fields = {"pages": pages, "languages": languages, "password": password}
                job = await self._submitted(service, source, fields)
                job = await wait_for_own(service, job, wait_seconds, report)
                wanted = None  # only these pages were read
            answer = await document_text(
                service, job, pages=wanted, cursor=cursor, max_tokens=max_tokens, boxes=boxes
            )
        return result(answer, as_text(answer))

    async def search_document(
        self,
        context: Context[Any, Any],
        document_id: DocumentId,
        query: Annotated[str, Field(description="Words, found whatever their case")],
        max_results: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> Hits:
        """Find words in a document that was read: the page, the text around, and the place."""
        with tool_errors():
            return await finding.search(self._service(context), document_id, query, max_results)

    async def get_tables(
        self,
        context: Context[Any, Any],
        document_id: DocumentId,
        pages: Pages = None,
        max_results: Annotated[int, Field(ge=1, le=50)] = 10,
    ) -> Tables:
        """The tables of a document that was read, as rows of cells and as HTML."""
        with tool_errors():
            service = self._service(context)
            job = await service.job(document_id)
            return await finding.tables(service, job, pages, max_results)

    async def get_figures(
        self,
        context: Context[Any, Any],
        document_id: DocumentId,
        pages: Pages = None,
        max_results: Annotated[int, Field(ge=1, le=20)] = 5,
    ) -> Annotated[CallToolResult, Figures]:
        """The figures of a document that was read: their places, captions and images."""
        with tool_errors():
            service = self._service(context)
            job = await service.job(document_id)
            answer, images = await finding.figures(service, job, pages, max_results)
        return result(answer, figure_lines(answer), *map(jpeg, images))

    async def list_jobs(
        self,
        context: Context[Any, Any],
        status: Annotated[
            str | None,
            Field(
                description="queued, running, succeeded, failed or cancelled",
                pattern="^(queued|running|succeeded|failed|cancelled)$",
            ),
        ] = None,
        search: Annotated[str, Field(description="Part of a file name", max_length=255)] = "",
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> JobStates:
        """The documents of this service, newest first: read, being read, or waiting."""
        with tool_errors():
            found = await self._service(context).jobs(status, search, limit)
        return JobStates(jobs=[state_of(job) for job in found["jobs"]], total=found["total"])

    async def watch_job(
        self,
        context: Context[Any, Any],
        document_id: DocumentId,
        wait_seconds: WaitSeconds = WAIT_SECONDS,
    ) -> JobState:
        """Wait until a document is read, with progress, at most wait_seconds."""
        with tool_errors():
            service = self._service(context)
            job = await service.job(document_id)
            return state_of(await wait_for(service, job, wait_seconds, context.report_progress))

    async def cancel_job(self, context: Context[Any, Any], document_id: DocumentId) -> JobState:
        """Stop reading a document. The pages that were read are kept."""
        with tool_errors():
            return state_of(await self._service(context).cancel(document_id))

    def _service(self, context: Context[Any, Any]) -> Service:
        return self._service_of(context.request_context.request)

    async def _submitted(
        self, service: Service, source: str, fields: dict[str, str | None]
    ) -> Json:
        file = await asyncio.to_thread(resolve, source, self._paths)
        given = {name: value for name, value in fields.items() if value}
        return await service.submit(file, given)
