"""What contracts on documents share: files of raw bodies and forms, their options, their output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from dsocr.config import MIB, Settings
from dsocr.errors import InvalidField, TooLarge
from dsocr.exports import render
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.options import build_options
from dsocr.pages.source import open_document
from dsocr.server.contracts.body import invalid_field, max_file_bytes, private_folder
from dsocr.server.contracts.reading import DocumentReader, Reading
from dsocr.server.deps import Service, unless_disconnected
from dsocr.server.forms import FORM_OVERHEAD_BYTES, max_body_bytes
from dsocr.server.problems import ClientDisconnected, EncodedBody
from dsocr.server.read_now import ReadRequest
from dsocr.server.received.uploads import (
    Form,
    FormLimits,
    Upload,
    clean_name,
    disk_error,
    received_form,
)
from dsocr.types import OcrOptions, PageResult

OptionsT = TypeVar("OptionsT", bound="ForeignOptions")
FormT = TypeVar("FormT", bound="FormOptions")

READ_ERRORS = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504, 507)
MAX_PAGE = 99_999
"""A last page from here on means all pages, as clients that name none send it."""


class ForeignOptions(BaseModel):
    """Options of a request. Those in `no_effect`, and those not named here, are reported."""

    model_config = ConfigDict(extra="allow")
    no_effect: ClassVar[frozenset[str]] = frozenset()
    """Documented by the other product; validated, without effect here."""

    def ignored(self) -> list[str]:
        extra = self.model_extra or {}
        return [name for name in self.model_fields_set if name in self.no_effect or name in extra]


class FormOptions(ForeignOptions):
    """Options of a form, the documents' languages among them."""

    language_field: ClassVar[str]

    def languages(self) -> list[str]:
        """Those that change what an engine does."""
        values = getattr(self, self.language_field)
        return [one for one in values.split(",") if one.strip()]


def form_options(kind: type[OptionsT], form: Form) -> OptionsT:
    """The fields of a form as `kind`; empty ones count as missing. Raises `InvalidField`."""
    given: dict[str, object] = {}
    for name, values in form.values.items():
        filled = [value for value in values if value]
        if filled:
            given[name] = filled if _is_list(kind, name) else filled[-1]
    return validated(kind, given)


def validated(kind: type[OptionsT], given: object) -> OptionsT:
    """Raises `InvalidField`."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise invalid_field(error) from error


def _is_list(kind: type[BaseModel], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and _has_list(field.annotation)


def _has_list(annotation: object) -> bool:
    return get_origin(annotation) is list or any(map(_has_list, get_args(annotation)))


async def received_raw(
    request: Request, name: str, settings: Settings, stack: AsyncExitStack, limit: int | None = None
) -> Upload:
    """The body of a request that is a file, on the disk until `stack` is closed.

    Raises `InvalidField` for an empty one, `EncodedBody`, `TooLarge`, `DiskFull` and
    `ClientDisconnected`.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise EncodedBody()
    limit = max_file_bytes(settings) if limit is None else limit
    path = stack.enter_context(private_folder(settings.runs_dir)) / "1"
    size, more = 0, True
    try:
        with path.open("wb") as file:
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected()
                data, more = message.get("body", b""), message.get("more_body", False)
                size += len(data)
                if size > limit:
                    raise TooLarge(f"The file is larger than {limit / MIB:.4g} MiB.")
                await asyncio.to_thread(file.write, data)
    except OSError as error:
        raise disk_error(error) from error
    if not size:
        raise InvalidField("body: the file is missing")
    return Upload(clean_name(name), path, size)


async def received_files(
    request: Request,
    fields: Sequence[str],
    service: Service,
    stack: AsyncExitStack,
    *,
    for_job: bool = False,
) -> tuple[Form, list[Upload]]:
    """The form and its files, which are in one of `fields`. Raises what `received_form` raises,
    and `InvalidField` without a file and for an empty one."""
    settings = service.settings
    limit = max_job_bytes(settings) if for_job else max_file_bytes(settings)
    folder = service.jobs.files.incoming if for_job else settings.runs_dir
    limits = FormLimits(settings.jobs.max_files, limit, settings.server.max_form_fields)
    form = await stack.enter_async_context(received_form(request, folder, limits))
    uploads = [upload for name in fields for upload in form.files.get(name, [])]
    if not uploads:
        raise InvalidField(f"{fields[0]}: the file is missing")
    if any(upload.size == 0 for upload in uploads):
        raise InvalidField(f"{fields[0]}: the file is empty")
    return form, uploads


def max_job_bytes(settings: Settings) -> int:
    return int(settings.jobs.max_job_mb * MIB)


def job_json_limit(settings: Settings) -> int:
    """Of a JSON body whose file is base64 and becomes a job."""
    return -(-max_job_bytes(settings) * 4 // 3)


def read_options(settings: Settings, languages: Sequence[str] = ()) -> tuple[OcrOptions, bool]:
    """How to read, and whether the languages had no effect, because the engine lacks one."""
    limits = settings.option_limits()
    try:
        return build_options(limits, languages=",".join(languages) or None), False
    except InvalidField:
        return build_options(limits), True


@dataclass(frozen=True, slots=True)
class ReceivedForm(Generic[FormT]):
    """A form of files and options."""

    fields: FormT
    uploads: Sequence[Upload]
    options: OcrOptions
    ignored: Sequence[str]
    """The options without effect."""


async def received_options(
    request: Request,
    kind: type[FormT],
    file_field: str,
    service: Service,
    stack: AsyncExitStack,
    *,
    for_job: bool = False,
) -> ReceivedForm[FormT]:
    """Raises what `received_files` and `form_options` raise."""
    form, uploads = await received_files(request, (file_field,), service, stack, for_job=for_job)
    fields = form_options(kind, form)
    options, unknown = read_options(service.settings, fields.languages())
    ignored = [*fields.ignored(), *([fields.language_field] if unknown else [])]
    return ReceivedForm(fields, uploads, options, ignored)


async def admit_job(request: Request, service: Service, limit: int, stack: AsyncExitStack) -> None:
    """Admits a request that becomes a job, with a body of at most `limit` bytes, before it is read.

    Raises `AdmissionRefused` and what `JobQueue.check_capacity` raises.
    """
    num_bytes = max_body_bytes(request, limit + FORM_OVERHEAD_BYTES)
    stack.enter_context(service.uploads.admit(num_bytes))
    await service.jobs.check_capacity(num_bytes)


async def admitted_reader(
    request: Request, service: Service, owner: str | None, limit: int, stack: AsyncExitStack
) -> DocumentReader:
    """Admission for a request with a body of at most `limit` bytes, before it is read."""
    num_bytes = max_body_bytes(request, limit + FORM_OVERHEAD_BYTES)
    return await DocumentReader.admit(service, owner, num_bytes, stack)


async def read_all(
    request: Request, reader: DocumentReader, documents: Sequence[ReadRequest]
) -> list[Reading]:
    """Reads the documents one after another while the client waits; one that disconnects ends it.

    Raises what `DocumentReader.open` and its result raise, and `ClientDisconnected`.
    """

    async def work() -> list[Reading]:
        return [await (await reader.open(document))() for document in documents]

    return await unless_disconnected(request.receive, work())


async def pages_between(
    upload: Upload, first: int, last: int | None, service: Service
) -> str | None:
    """The pages from `first` to `last`, both from 1, as page ranges; None: all pages.

    A last page behind the document's end stands for its end. Raises what `open_document` raises.
    """
    if last is None or last >= MAX_PAGE:
        return None if first <= 1 else f"{first}-"
    source = await open_document(upload.path, name=upload.name, sandbox=service.host.sandbox)
    await source.close()
    return f"{first}-{min(last, max(first, source.num_pages))}"


def shared_pages(pages: Sequence[str | None], field: str) -> str | None:
    """The page ranges of all files of a job. Raises `InvalidField` naming `field`."""
    if len(set(pages)) > 1:
        raise InvalidField(f"{field}: it does not fit all files; send each by itself")
    return pages[0]


async def rendered(reading: Reading, key: str, options: ExportOptions = DEFAULTS) -> str:
    """The document in a text format."""
    data = await asyncio.to_thread(render, reading.document, key, reading.assets, options)
    return data.decode()


def failed_pages(pages: Sequence[PageResult]) -> list[tuple[int, str]]:
    """The place in the document, from 0, and the message of each page that failed."""
    return [(place, page.error.message) for place, page in enumerate(pages) if page.error]
