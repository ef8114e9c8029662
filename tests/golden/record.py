"""Writes the goldens again; the package's docstring says when."""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.golden import replay
from tests.golden.compare import write_golden
from tests.golden.service import (
    OTHER_QUESTIONS,
    QUESTIONED,
    SAMPLES,
    WITH_FIGURE,
    held_exports,
    job_answers,
    ocr,
    replaying,
    service,
    submit,
)
from tests.golden.tiny import tiny_answers, tiny_service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", action="store_true", help="record what they find, too")
    with tempfile.TemporaryDirectory() as folder:
        if parser.parse_args().networks:
            _record_networks(Path(folder, "networks"))
        with service(Path(folder, "samples")) as http:
            write_golden(replay.RECORDED / "samples.json.gz", _sample_answers(http))
        with tiny_service(Path(folder, "tiny")) as http:
            write_golden(replay.RECORDED / "tiny.json.gz", tiny_answers(http))


def _sample_answers(http: TestClient) -> dict[str, Any]:
    """A job of all pages, each page by itself, and one page asked otherwise."""
    return {
        "ocr": {file.name: ocr(http, file) for file in SAMPLES},
        "questions": {
            name: ocr(http, QUESTIONED, **fields) for name, fields in OTHER_QUESTIONS.items()
        },
        "held": held_exports(http, WITH_FIGURE, ocr(http, WITH_FIGURE)),
        "job": job_answers(http, submit(http, SAMPLES)),
    }


def _record_networks(runs_dir: Path) -> None:
    replay.FRESH.write_text("")
    with service(runs_dir, create_engine=replaying("tests.golden.replay:record")) as http:
        for file in SAMPLES:
            ocr(http, file)
        for fields in OTHER_QUESTIONS.values():
            ocr(http, QUESTIONED, **fields)
    pages = [json.loads(line) for line in replay.FRESH.read_text().splitlines()]
    replay.FRESH.unlink()
    text = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    replay.RECOGNITION.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
