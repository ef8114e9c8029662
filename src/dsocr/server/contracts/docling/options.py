"""The options of docling-serve, its requests and its errors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from dsocr.errors import InvalidField
from dsocr.server.contracts.documents import ForeignOptions
from dsocr.server.contracts.tasks import shape_of_detail
from dsocr.server.received.uploads import Form
from dsocr.server.route_attributes import ErrorInfo, error_shape

OutputFormat = Literal["md", "json", "html", "text", "doctags"]
Target = Literal["inbody", "zip"]
NO_TARGET = "{field}: {kind} cannot be given here. Input should be inbody or zip"


class DoclingErrorAnswer(BaseModel):
    detail: str


def docling_error(error: ErrorInfo) -> dict[str, Any]:
    """`Task not found.` is what docling's client looks for."""
    missing = error.status == 404 and not error.message.startswith("Task ")
    return shape_of_detail("Task not found." if missing else error.message)


docling_errors = error_shape(docling_error)


class Chosen(BaseModel):
    """The options that choose how a result is written. They are part of a task's id."""

    to_formats: list[OutputFormat] = ["md"]
    image_export_mode: Literal["placeholder", "embedded", "referenced"] = "embedded"
    md_page_break_placeholder: Annotated[str, Field(max_length=200)] = ""
    include_images: bool = True
    target: Target = "inbody"
    chunk_tokens: int | None = None
    """None: the document is converted, not divided."""
    include_converted_doc: bool = False


class ConvertOptions(ForeignOptions):
    """Of `/v1/convert`."""

    no_effect: ClassVar[frozenset[str]] = frozenset(
        (
            *("from_formats", "do_ocr", "force_ocr", "ocr_engine", "ocr_preset", "pdf_backend"),
            *("table_mode", "pipeline", "abort_on_error", "do_table_structure", "images_scale"),
            *("do_code_enrichment", "do_formula_enrichment", "do_picture_classification"),
            *("do_picture_description", "document_timeout", "table_cell_matching"),
        )
    )
    to_formats: list[OutputFormat] = ["md"]
    image_export_mode: Literal["placeholder", "embedded", "referenced"] = "embedded"
    md_page_break_placeholder: Annotated[str, Field(max_length=200)] = ""
    include_images: bool = True
    ocr_lang: list[str] | None = None
    page_range: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    from_formats: list[str] | None = None
    do_ocr: bool = True
    force_ocr: bool = False
    ocr_engine: str = "auto"
    ocr_preset: str = "auto"
    pdf_backend: str = ""
    table_mode: Literal["fast", "accurate"] = "accurate"
    table_cell_matching: bool = True
    pipeline: str = "standard"
    abort_on_error: bool = False
    do_table_structure: bool = True
    do_code_enrichment: bool = False
    do_formula_enrichment: bool = False
    do_picture_classification: bool = False
    do_picture_description: bool = False
    images_scale: Annotated[float, Field(gt=0)] = 2.0
    document_timeout: Annotated[float, Field(gt=0)] | None = None

    def chosen(self, target: Target) -> Chosen:
        """Raises `InvalidField`."""
        if self.image_export_mode == "referenced" and target == "inbody":
            raise InvalidField("image_export_mode: referenced images need the target zip")
        names = ("to_formats", "image_export_mode", "md_page_break_placeholder", "include_images")
        return Chosen(target=target, **{name: getattr(self, name) for name in names})

    def first_and_last(self) -> tuple[int, int | None]:
        """The pages to read, from 1. Raises `InvalidField`."""
        if self.page_range is None:
            return 1, None
        first, last = self.page_range
        if first < 1 or last < first:
            raise InvalidField("page_range: write the first and the last page, from 1")
        return first, last


class ChunkOptions(ForeignOptions):
    """Of `/v1/chunk`."""

    no_effect: ClassVar[frozenset[str]] = frozenset(
        ("chunker", "use_markdown_tables", "use_markdown_images", "image_placeholder")
        + ("include_raw_text", "tokenizer", "merge_peers")
    )
    chunker: str = ""
    max_tokens: Annotated[int, Field(ge=25, le=25_000)] | None = None
    use_markdown_tables: bool = False
    use_markdown_images: bool = False
    image_placeholder: str = ""
    include_raw_text: bool = False
    tokenizer: str = ""
    merge_peers: bool = True


class Source(BaseModel):
    """A document in a JSON request."""

    kind: str = "file"
    base64_string: str | None = None
    filename: Annotated[str, Field(max_length=1000)] = "document"
    url: str | None = None
    headers: dict[str, Any] = {}


class TargetChoice(BaseModel):
    kind: str = "inbody"


class SourceRequest(BaseModel):
    """The body of `/v1/convert/source` and `/v1/chunk/…/source`, also in its first form. Fields
    that are not named here, such as `callbacks`, are reported as ignored."""

    model_config = ConfigDict(extra="allow")
    options: dict[str, Any] = {}
    convert_options: dict[str, Any] = {}
    chunking_options: dict[str, Any] = {}
    include_converted_doc: bool = False
    sources: list[Source] = []
    file_sources: list[Source] = []
    http_sources: list[Source] = []
    target: TargetChoice = TargetChoice()

    def files(self, *, fetches_urls: bool) -> list[tuple[str, str]]:
        """The name and the base64, or the URL, of each document. Raises `InvalidField`."""
        urls = [source for source in self.sources if source.kind != "file"] + self.http_sources
        if any(source.kind not in ("file", "http") for source in self.sources):
            raise InvalidField("sources: kind must be file or http")
        if urls and not fetches_urls:
            raise InvalidField(
                "sources: this service does not fetch documents; send them with kind=file"
            )
        if any(source.headers or not source.url for source in urls):
            raise InvalidField("sources: kind=http needs a url, and no headers can be sent to it")
        files = [source for source in self.sources if source.kind == "file"] + self.file_sources
        if not urls and not files:
            raise InvalidField("sources: the document is missing")
        named = [(source.filename, source.base64_string or "") for source in files]
        return [*named, *((source.filename, source.url or "") for source in urls)]


def target_of(kind: str, field: str) -> Target:
    """Raises `InvalidField`; its words make docling's client ask for `inbody`."""
    if kind == "inbody":
        return "inbody"
    if kind == "zip":
        return "zip"
    raise InvalidField(NO_TARGET.format(field=field, kind=kind[:40]))


def split_fields(form: Form, prefix: str) -> Form:
    """The fields with a prefix, without it."""
    size = len(prefix)
    return Form(
        values={name[size:]: all_ for name, all_ in form.values.items() if name.startswith(prefix)}
    )
