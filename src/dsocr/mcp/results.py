"""Results and errors in the form of the MCP SDK."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator

from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel

from dsocr.errors import DsocrError
from dsocr.mcp.answers import DocumentText, Figures, JobState
from dsocr.mcp.service import Json


@contextlib.contextmanager
def _errors_as(kind: Callable[[str], Exception]) -> Iterator[None]:
    """Errors of the service become those of the protocol, with their message alone."""
    try:
        yield
    except DsocrError as error:
        raise kind(error.message) from error


def tool_errors() -> contextlib.AbstractContextManager[None]:
    return _errors_as(ToolError)


def resource_errors() -> contextlib.AbstractContextManager[None]:
    return _errors_as(ResourceError)


def result(answer: BaseModel, text: str, *more: ContentBlock) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text), *more],
        structured_content=answer.model_dump(),
    )


def as_text(answer: DocumentText) -> str:
    """The pages for a model that sees no structured result."""
    head = (
        f"document_id: {answer.document_id} · {answer.file_name} · {answer.status} · "
        f"{answer.pages_done} of {answer.pages_total} pages read"
    )
    pages = [f"[page {page.page}]\n\n{page.error or page.text}" for page in answer.pages]
    tail = [f"next_cursor: {answer.next_cursor}"] if answer.next_cursor else []
    notes = [answer.note] if answer.note else []
    return "\n\n".join([head, *pages, *notes, *tail])


def figure_lines(answer: Figures) -> str:
    lines = [f"page {figure.page}: {figure.caption or 'figure'}" for figure in answer.figures]
    return "\n".join(lines) or "There are no figures."


def jpeg(content: bytes) -> ImageContent:
    data = base64.b64encode(content).decode()
    return ImageContent(type="image", data=data, mime_type="image/jpeg")


def state_of(job: Json) -> JobState:
    error = job["error"]
    return JobState(
        document_id=job["jobId"],
        status=job["status"],
        files=[file["fileName"] for file in job["files"]],
        pages_total=job["pagesTotal"],
        pages_done=job["pagesDone"],
        pages_failed=job["pagesFailed"],
        created_at=job["createdAt"],
        eta_seconds=job["etaSeconds"],
        error=error["message"] if error else None,
    )
