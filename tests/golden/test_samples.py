"""The eleven sample pages through the embedded engine, recognition replayed, as in the goldens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.golden.compare import assert_golden, read_golden
from tests.golden.replay import RECORDED
from tests.golden.service import (
    FORMATS,
    OTHER_QUESTIONS,
    QUESTIONED,
    SAMPLES,
    WITH_FIGURE,
    held_exports,
    job_answers,
    ocr,
    service,
    submit,
)

GOLDEN = read_golden(RECORDED / "samples.json.gz")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with service(tmp_path_factory.mktemp("samples")) as http:
        yield http


@pytest.fixture(scope="module")
def job(http: TestClient) -> Any:
    """A job of all pages."""
    return job_answers(http, submit(http, SAMPLES))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_a_page_is_answered_as_before(http: TestClient, file: Path) -> None:
    assert_golden(ocr(http, file), GOLDEN["ocr"][file.name])


@pytest.mark.parametrize("question", OTHER_QUESTIONS)
def test_other_tasks_and_modes_are_answered_as_before(http: TestClient, question: str) -> None:
    answer = ocr(http, QUESTIONED, **OTHER_QUESTIONS[question])
    assert_golden(answer, GOLDEN["questions"][question])


def test_a_held_answer_is_exported_as_before(http: TestClient) -> None:
    exports = held_exports(http, WITH_FIGURE, ocr(http, WITH_FIGURE))
    assert_golden(exports, GOLDEN["held"])


def test_a_job_and_its_pages_are_told_as_before(job: Any) -> None:
    assert_golden(job["job"], GOLDEN["job"]["job"])
    assert_golden(job["pages"], GOLDEN["job"]["pages"])


@pytest.mark.parametrize("format", FORMATS)
def test_a_job_is_exported_as_before(job: Any, format: str) -> None:
    assert_golden(job["exports"][format], GOLDEN["job"]["exports"][format])
