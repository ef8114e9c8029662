"""The service as goldens ask it: over HTTP, set up by its promised variables alone."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.testclient import TestClient

from dsocr.config import Settings
from dsocr.engines.ppocr.engine import PpocrEngine
from dsocr.server.app import create_app
from tests.waiting import wait_until

DATA = Path(__file__).parents[1] / "data"
SAMPLES = (
    DATA / "samples" / "ar_rtl_02.pdf",
    DATA / "samples" / "edgar.pdf",
    DATA / "samples" / "en_paper_table.jpg",
    DATA / "samples" / "olm_mathfuncs.pdf",
    DATA / "samples" / "olm_multi_column_miss.pdf",
    DATA / "samples" / "phototest-rotated-R.png",
    DATA / "pages" / "phototest.tif",
    DATA / "samples" / "sroie_005.jpg",
    DATA / "samples" / "sroie_018.jpg",
    DATA / "samples" / "zerox0012.png",
    DATA / "samples" / "zh_quarterly_report_p6.jpg",
)
FORMATS = ("markdown", "text", "json", "html", "zip")
"""The formats whose files are recorded. The unit tests of a format do not need it to be here."""
OTHER_QUESTIONS: dict[str, dict[str, str]] = {
    "text": {"prompt": "Free OCR."},
    "ocr": {"prompt": "<|grounding|>OCR this image."},
    "locate": {"prompt": "Locate <|ref|>quick brown dog<|/ref|> in the image."},
    "tiny": {"mode": "tiny"},
}
QUESTIONED = DATA / "pages" / "phototest.tif"
"""The page that is asked these beside markdown in the default mode."""
WITH_FIGURE = DATA / "samples" / "ar_rtl_02.pdf"
REPLAY = "tests.golden.replay:serve"
_PATIENT = {
    "DEEPSEEK_OCR_SERVER__START_WAIT_SECONDS": "300",
    "DEEPSEEK_OCR_SERVER__QUEUE_SECONDS": "300",
    "DEEPSEEK_OCR_JOBS__RETENTION_DAYS": "100000",
}
_FIGURE = re.compile(r'(?<=src=")data:image/jpeg;base64,([^"]*)')


@contextlib.contextmanager
def service(
    runs_dir: Path, *, create_engine: Callable[..., Any] | None = None, **variables: str
) -> Iterator[TestClient]:
    """A running service. Unless told how to make an engine, it replays recognition."""
    environment = {"DEEPSEEK_OCR_ENGINE": "rapidocr", **_PATIENT, **variables}
    settings = Settings.from_environment({**environment, "DEEPSEEK_OCR_RUNS_DIR": str(runs_dir)})
    app = create_app(settings, create_engine=create_engine or replaying())
    with TestClient(app) as http:
        yield http


def replaying(worker: str = REPLAY) -> Callable[..., Any]:
    """Creates the ppocr engine with that worker."""
    return lambda name, config: PpocrEngine(config, worker=worker)


def ocr(http: TestClient, file: Path, **fields: str) -> Any:
    """The answer of `/api/ocr`."""
    answer = http.post("/api/ocr", files={"image": (file.name, file.read_bytes())}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def submit(http: TestClient, files: Sequence[Path], **fields: str) -> str:
    """The id of a job of these files."""
    uploads = [("file", (file.name, file.read_bytes())) for file in files]
    answer = http.post("/api/jobs", files=uploads, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["jobId"])


def finished(http: TestClient, job_id: str) -> Any:
    """The job, once it is over."""
    job: dict[str, Any] = {}

    def over() -> bool:
        job.update(http.get(f"/api/jobs/{job_id}").json())
        return job["status"] not in ("queued", "running")

    wait_until(over, seconds=300)
    return job


def job_answers(http: TestClient, job_id: str) -> dict[str, Any]:
    """A finished job, its pages, and a file of it in every format."""
    job = finished(http, job_id)
    pages = [
        http.get(f"/api/jobs/{job_id}/pages/{index}").json() for index in range(job["pagesTotal"])
    ]
    exports = {format: _export(http, job_id, format) for format in FORMATS}
    return {"job": job, "pages": pages, "exports": exports}


def held_exports(http: TestClient, file: Path, answer: Any) -> dict[str, Any]:
    """Files in every format of an answer that a client holds, by `/api/export`."""
    upload = {"file": (file.name, file.read_bytes())}
    return {
        format: _file(
            http.post(
                "/api/export",
                data={"format": format, "result": json.dumps(answer)},
                files=upload,
            ),
            format,
        )
        for format in FORMATS
    }


def _export(http: TestClient, job_id: str, format: str) -> dict[str, Any]:
    return _file(http.get(f"/api/jobs/{job_id}/export", params={"format": format}), format)


def _file(answer: Any, format: str) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    headers = {name: answer.headers[name] for name in ("content-type", "content-disposition")}
    return {**headers, "content": _content(format, answer.content)}


def _content(format: str, content: bytes) -> Any:
    if format == "json":
        return json.loads(content)
    if format == "html":
        parts = _FIGURE.split(content.decode())
        return [*parts[::2], *(_figure(base64.b64decode(part)) for part in parts[1::2])]
    return _entries(content) if format == "zip" else content.decode()


def _entries(content: bytes) -> list[Any]:
    """The files of a zip in their order, each with what a zip says of it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [
            [
                *(entry.filename, list(entry.date_time), entry.compress_type),
                *(entry.create_system, entry.external_attr),
                _entry(entry.filename, archive.read(entry)),
            ]
            for entry in archive.infolist()
        ]


def _entry(name: str, content: bytes) -> Any:
    if name.endswith(".jpg"):
        return _figure(content)
    return json.loads(content) if name.endswith(".json") else content.decode()


def _figure(content: bytes) -> dict[str, Any]:
    """A figure as its size and, for these versions of what made its pixels, its digest."""
    made_by = " ".join(f"{name} {version(name)}" for name in ("pillow", "pypdfium2"))
    with Image.open(io.BytesIO(content)) as image:
        size = list(image.size)
    return {"size": size, "digest": {made_by: hashlib.sha256(content).hexdigest()}}
