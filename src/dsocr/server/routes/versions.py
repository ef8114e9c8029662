"""Former readings and corrections of a job's pages, and the search in the text of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from starlette.responses import JSONResponse

from dsocr.jobs.store.search import TextQuery
from dsocr.server.deps import Lister, Owner, RunningService, locked_router
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.jobs import FoundPages, FoundTexts, JobPageAnswer, PageVersions
from dsocr.server.serialize import serialize_found, serialize_stored_page, serialize_version

router = locked_router("jobs")

MAX_FOUND = 100


@router.get(
    "/api/jobs/{job_id}/pages/{index}/versions",
    response_model=PageVersions,
    summary="Former versions of a page",
    responses=error_answers(401, 404, 422),
)
async def versions(job_id: str, index: int, service: RunningService, owner: Owner) -> Response:
    """What a reading or a correction has replaced, newest first; a page keeps the last 20."""
    found = await service.jobs.versions(job_id, index, owner)
    return JSONResponse({"versions": [serialize_version(version) for version in found]})


@router.post(
    "/api/jobs/{job_id}/pages/{index}/versions/{number}/take",
    response_model=JobPageAnswer,
    summary="Take a former version of a page",
    responses=error_answers(401, 403, 404, 409, 422),
)
async def take(
    job_id: str, index: int, number: int, service: RunningService, editor: Lister
) -> Response:
    """The version becomes the page; what the page was becomes a version."""
    return JSONResponse(
        serialize_stored_page(await service.jobs.take_version(job_id, index, number, editor))
    )


@router.get(
    "/api/jobs/{job_id}/search",
    response_model=FoundPages,
    summary="Find text in a job",
    responses=error_answers(401, 404, 422),
)
async def search(
    job_id: str,
    service: RunningService,
    owner: Owner,
    q: Annotated[str, Query(min_length=1, max_length=255, description="Case does not count")],
) -> Response:
    """The pages that have it, with the number of their blocks that do, corrections included."""
    found = await service.jobs.search(job_id, q, owner)
    pages = [{"pageIndex": index, "blocks": blocks} for index, blocks in found]
    return JSONResponse({"pages": pages})


@router.get(
    "/api/search",
    response_model=FoundTexts,
    summary="Find text in all jobs",
    responses=error_answers(401, 422),
)
async def search_all(
    service: RunningService,
    owner: Lister,
    q: Annotated[str, Query(min_length=1, max_length=255, description="Words; see docs/jobs.md")],
    limit: Annotated[int, Query(ge=1, le=MAX_FOUND)] = 20,
    offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
) -> Response:
    """The pages of the jobs in the list of `GET /api/jobs` that have all words, corrections
    included, each with an excerpt in which the words are marked."""
    found, more = await service.jobs.find(TextQuery(q, owner, limit, offset))
    return JSONResponse({"found": [serialize_found(each) for each in found], "more": more})
