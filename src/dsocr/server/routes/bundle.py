"""`POST /api/jobs/export`: several jobs as one zip, a file each."""

from __future__ import annotations

import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from fastapi import Response

from dsocr.exports import format_of, public_name
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.download import download
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.jobs import Bundle

router = locked_router("jobs")

MAX_STEM = 80
"""The most characters of a document's name in the name of its file."""


@router.post(
    "/api/jobs/export",
    response_class=Response,
    summary="Several jobs as one zip",
    responses=error_answers(400, 401, 403, 404, 422, 507),
)
async def export_several(bundle: Bundle, service: RunningService, owner: Owner) -> Response:
    """One file for each job, numbered in the order of `jobIds`."""
    extension = format_of(bundle.format).extension
    options = bundle.options()
    jobs = [await service.jobs.get(job_id, owner) for job_id in bundle.jobIds]

    async def write(out: BinaryIO) -> None:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, job in enumerate(jobs, start=1):
                name = f"{number:03d}-{safe_stem(public_name(job.name, options))}.{extension}"
                with archive.open(name, "w", force_zip64=True) as entry:
                    await service.jobs.export(
                        job.id, bundle.format, cast(BinaryIO, entry), owner, options=options
                    )

    return await download(write, "documents", "zip", service.jobs.files.incoming)


def safe_stem(name: str) -> str:
    """A document's name as part of a file name, without special characters."""
    stem = PurePosixPath(name).stem
    plain = "".join(letter if letter.isalnum() or letter in "-_ " else "_" for letter in stem)
    return plain.strip()[:MAX_STEM] or "document"
