"""The request of `POST /v1/ocr`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field

from dsocr.errors import InvalidField
from dsocr.server.contracts.body import given, is_given_detail

Count = Annotated[int, Field(ge=0, le=1_000_000)]
_PAGE_RANGE = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")


class _ImageUrl(BaseModel):
    url: str
    detail: str | None = None


class DocumentUrl(BaseModel):
    type: Literal["document_url"]
    document_url: str
    document_name: str | None = None


class ImageUrl(BaseModel):
    type: Literal["image_url"]
    image_url: str | _ImageUrl

    @property
    def url(self) -> str:
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url

    @property
    def detail(self) -> str | None:
        return None if isinstance(self.image_url, str) else self.image_url.detail


class FileId(BaseModel):
    type: Literal["file"]
    file_id: str


class OcrRequest(BaseModel):
    """Fields that are named here have an effect; others are reported as ignored."""

    model_config = ConfigDict(extra="allow")
    model: str | None = None
    id: str | None = None
    document: Annotated[DocumentUrl | ImageUrl | FileId, Discriminator("type")]
    pages: str | list[Count] | None = None
    include_image_base64: bool | None = None
    image_limit: Count | None = None
    image_min_size: Count | None = None
    table_format: Literal["markdown", "html"] | None = None
    extract_header: bool | None = None
    extract_footer: bool | None = None
    include_blocks: bool | None = None
    confidence_scores_granularity: Literal["word", "page", "block"] | None = None
    bbox_annotation_format: Any = None
    document_annotation_format: Any = None
    document_annotation_prompt: Any = None

    def check(self) -> None:
        """Raises `InvalidField` for outputs that cannot be given."""
        for name in (
            "bbox_annotation_format",
            "document_annotation_format",
            "document_annotation_prompt",
        ):
            if getattr(self, name) not in (None, ""):
                raise InvalidField(
                    f"{name}: annotations need a language model, which this service does not have; "
                    "leave it out to get the text"
                )

    def ignored(self) -> list[str]:
        document = self.document
        has_detail = isinstance(document, ImageUrl) and is_given_detail(document.detail)
        return given(self.model_extra) + (["detail"] if has_detail else [])

    @property
    def page_ranges(self) -> str | None:
        """The pages as this service writes them, from 1; None: all. Raises `InvalidField`."""
        if self.pages is None or self.pages == "":
            return None
        if isinstance(self.pages, list):
            if not self.pages:
                raise InvalidField("pages: the list is empty; leave it out to read all pages")
            return ",".join(str(index + 1) for index in self.pages)
        return ",".join(_range(part) for part in self.pages.split(","))


def _range(part: str) -> str:
    match = _PAGE_RANGE.fullmatch(part)
    if match is None:
        raise InvalidField(
            f"pages: {part.strip()[:40]!r} is neither a page from 0 nor a range like 0-5"
        )
    first, last = int(match[1]) + 1, int(match[2] or match[1]) + 1
    return f"{first}-{last}" if match[2] else str(first)
