"""The structured results of the tools. Their descriptions are part of what a model sees."""

from __future__ import annotations

from pydantic import BaseModel, Field

BOX = "x0, y0, x1, y1 as fractions of the page, 0-1, from its top left corner"


class PageBlock(BaseModel):
    label: str
    text: str
    boxes: list[list[float]] = Field(description=BOX)


class PageText(BaseModel):
    page: int = Field(description="From 1, in the document as it was read")
    file_page: int = Field(description="From 1, in the file")
    text: str = Field(description="Markdown; tables are HTML")
    width: int = Field(description="Pixels")
    height: int
    blocks: list[PageBlock] | None = Field(default=None, description="With `boxes` alone")
    flags: list[str] = []
    error: str | None = Field(default=None, description="Why the page could not be read")


class DocumentText(BaseModel):
    document_id: str = Field(description="For the other tools, and to read on")
    file_name: str
    status: str = Field(description="queued, running, succeeded, failed or cancelled")
    engine: str
    pages_total: int
    pages_done: int
    pages: list[PageText]
    next_cursor: str | None = Field(description="Where to read on; null at the end")
    note: str = ""


class Hit(BaseModel):
    page: int
    label: str
    snippet: str
    boxes: list[list[float]] = Field(description=BOX)


class Hits(BaseModel):
    document_id: str
    hits: list[Hit]
    more: bool = Field(description="Whether there are further hits")


class Table(BaseModel):
    page: int
    caption: str
    boxes: list[list[float]] = Field(description=BOX)
    rows: list[list[str]] = Field(description="A cell that spans others stands in the first")
    html: str


class Tables(BaseModel):
    document_id: str
    tables: list[Table]
    more: bool


class Figure(BaseModel):
    page: int
    caption: str
    box: list[float] = Field(description=BOX)


class Figures(BaseModel):
    document_id: str
    figures: list[Figure] = Field(description="In the order of the images of this result")
    more: bool


class JobState(BaseModel):
    document_id: str
    status: str
    files: list[str]
    pages_total: int
    pages_done: int
    pages_failed: int
    created_at: str
    eta_seconds: float | None
    error: str | None


class JobStates(BaseModel):
    jobs: list[JobState]
    total: int
