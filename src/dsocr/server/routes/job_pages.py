"""`/api/jobs/{job_id}/pages`: a page and its image; it is read again or corrected."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query, Request, Response
from starlette.responses import JSONResponse

from dsocr.jobs.job import Correction, Job
from dsocr.options import change_options
from dsocr.pipeline.pipeline import check_options
from dsocr.server.deps import (
    Browser,
    Lister,
    Owner,
    RunningService,
    Service,
    locked_router,
    unless_disconnected,
)
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.jobs import Corrections, JobAnswer, JobPageAnswer, PageRetry
from dsocr.server.serialize import serialize_job, serialize_stored_page
from dsocr.types import OcrOptions

router = locked_router("jobs")


@router.get(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="One page of a job",
    responses=error_answers(401, 404, 422),
)
async def page(job_id: str, index: int, service: RunningService, owner: Owner) -> Response:
    """`index` is the `pageIndex`: from 0 over all pages of the job, its files in order."""
    return JSONResponse(serialize_stored_page(await service.jobs.page(job_id, index, owner)))


@router.get(
    "/api/jobs/{job_id}/pages/{index}/image",
    response_class=Response,
    summary="The image of a page",
    responses=error_answers(401, 404, 413, 415, 422, 504),
)
async def page_image(
    job_id: str,
    index: int,
    request: Request,
    service: RunningService,
    owner: Owner,
    width: Annotated[
        int | None,
        Query(ge=64, le=4096, description="Most pixels in a row; PDFs are rendered for it"),
    ] = None,
    rotation: Annotated[
        int | None,
        Query(
            ge=0,
            le=270,
            multiple_of=90,
            description="Degrees clockwise; without it turned as the page was read",
        ),
    ] = None,
) -> Response:
    """A JPEG of the page as the engine gets it, also before the page was read."""
    rendered = service.jobs.image(job_id, index, owner, width=width, rotation=rotation)
    image = await unless_disconnected(
        request.receive, rendered
    )  # a page scrolled past is not needed
    return Response(image, media_type="image/jpeg")


@router.post(
    "/api/jobs/{job_id}/pages/{index}/retry",
    status_code=202,
    response_model=JobAnswer,
    summary="Read a page again",
    responses=error_answers(400, 401, 403, 404, 409, 422, 503),
)
async def retry(
    job_id: str,
    index: int,
    service: RunningService,
    editor: Lister,
    changes: Annotated[PageRetry | None, Body()] = None,
    browser: Browser = None,
) -> Response:
    """The new result replaces the old one and its corrections, which become a version, when it is
    complete. A page with corrections is read again only with `discard_corrections`. A page that
    was turned stays so unless `rotation` says otherwise; its image and exports are turned too."""
    job = await service.jobs.editable(job_id, editor)
    changed = changes or PageRetry()
    options = _changed_options(job, changed, service)
    retried = await service.jobs.retry(
        job_id,
        index,
        options,
        changed.dpi or job.dpi,
        editor,
        rotation=changed.rotation,
        discard_corrections=changed.discard_corrections,
        followed=browser is not None,
    )
    return JSONResponse(serialize_job(retried), 202)


@router.patch(
    "/api/jobs/{job_id}/pages/{index}",
    response_model=JobPageAnswer,
    summary="Correct a page",
    responses=error_answers(400, 401, 403, 404, 408, 409, 413, 422),
)
async def correct(
    job_id: str, index: int, corrections: Corrections, service: RunningService, editor: Lister
) -> Response:
    """The engine's text is kept; exports use the correction."""
    changes = {
        block.id: None
        if block.text is None and block.label is None
        else Correction(block.text, block.label)
        for block in corrections.blocks
    }
    stored = await service.jobs.correct(job_id, index, changes, editor)
    return JSONResponse(serialize_stored_page(stored))


def _changed_options(job: Job, changes: PageRetry, service: Service) -> OcrOptions:
    changed = change_options(
        job.options,
        service.settings.option_limits(),
        prompt=changes.prompt,
        mode=changes.mode,
        max_tokens=changes.max_tokens,
        temperature=changes.temperature,
        no_repeat_ngram=changes.no_repeat_ngram,
        languages=changes.languages,
    )
    info = service.models.info_of(job.wanted_engine)
    if info is not None:
        check_options(changed, info)
    return changed
