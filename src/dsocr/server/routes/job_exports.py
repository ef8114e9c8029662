"""`/api/jobs/{job_id}/export`: a job as a file, a link to it, and the formats that it can have."""

from __future__ import annotations

from typing import Annotated, BinaryIO

from fastapi import Query, Response
from starlette.responses import JSONResponse

from dsocr.exports import FORMATS, format_of, public_name
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.download import download, file_name_of
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.export import AvailableFormats, ExportLink, ExportQuery

router = locked_router("jobs")


@router.get(
    "/api/jobs/{job_id}/export",
    response_class=Response,
    summary="A job as a file",
    responses=error_answers(400, 401, 404, 422, 507),
)
async def export(
    job_id: str,
    service: RunningService,
    owner: Owner,
    query: Annotated[ExportQuery, Query()],
) -> Response:
    """Also before the job has finished: pages that were not read yet contain a note. Running heads
    that repeat over the pages are left out of the text; `headers=keep` keeps them."""
    return await _exported(job_id, service, owner, query)


@router.post(
    "/api/jobs/{job_id}/export",
    response_class=Response,
    summary="A job as a file, by options in a body",
    responses=error_answers(400, 401, 403, 404, 422, 507),
)
async def export_by_body(
    job_id: str, service: RunningService, owner: Owner, fields: ExportQuery
) -> Response:
    """As `GET`. A query may be logged on its way: send what is to be redacted in a body."""
    return await _exported(job_id, service, owner, fields)


@router.get(
    "/api/jobs/{job_id}/export/link",
    response_model=ExportLink,
    summary="A link to a job as a file",
    responses=error_answers(400, 401, 404, 422, 503, 507),
)
async def export_link(
    job_id: str,
    service: RunningService,
    owner: Owner,
    query: Annotated[ExportQuery, Query()],
) -> Response:
    """As the export, written into the object storage of the service and downloaded from there: the
    link needs no key and expires. 400 where files are stored in a folder."""
    format_of(query.format)
    options = query.options()
    job = await service.jobs.get(job_id, owner)
    name = file_name_of(public_name(job.name, options), query.format)
    seconds = service.settings.jobs.link_seconds
    url = await service.jobs.export_link(
        job_id, query.format, name, owner, options=options, seconds=seconds
    )
    return JSONResponse({"url": url, "expiresSeconds": seconds})


async def _exported(
    job_id: str, service: Service, owner: str | None, wanted: ExportQuery
) -> Response:
    format_of(wanted.format)
    options = wanted.options()
    job = await service.jobs.get(job_id, owner)

    async def write(out: BinaryIO) -> None:
        await service.jobs.export(job_id, wanted.format, out, owner, options=options)

    name = public_name(job.name, options)
    return await download(write, name, wanted.format, service.jobs.files.incoming)


@router.get(
    "/api/jobs/{job_id}/formats",
    response_model=AvailableFormats,
    summary="The formats that a job can be exported as",
    responses=error_answers(401, 404, 422),
)
async def formats(job_id: str, service: RunningService, owner: Owner) -> Response:
    """What a format needs is looked for in the first pages of a job; where a long job may have it
    later, it counts as there."""
    lacking = await service.jobs.missing_needs(job_id, owner)
    listed = [
        {"key": known.key, "missing": [need for need in known.needs if need in lacking]}
        for known in FORMATS
    ]
    return JSONResponse({"formats": listed})
