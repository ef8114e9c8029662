"""The tiny checkpoint through the native engine, in float32 on the CPU: equal to the goldens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.golden.compare import assert_golden, read_golden
from tests.golden.replay import RECORDED

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from tests.golden.tiny import PAGES, tiny_answers, tiny_service

GOLDEN = read_golden(RECORDED / "tiny.json.gz")
ROUNDING = 1e-3
"""Of a confidence: sums taken in another order move a logit by 5e-5 at most."""


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with tiny_service(tmp_path_factory.mktemp("tiny")) as http:
        yield http


@pytest.fixture(scope="module")
def answers(http: TestClient) -> Any:
    return tiny_answers(http)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_answered_as_before(answers: Any, page: str) -> None:
    assert_golden(answers["ocr"][page], GOLDEN["ocr"][page], tolerance=ROUNDING)


def test_a_job_is_told_and_exported_as_before(answers: Any) -> None:
    assert_golden(answers["job"], GOLDEN["job"], tolerance=ROUNDING)
