"""The tiny checkpoint's golden cases: pages of which rounding decides no token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.engines import registry
from tests.golden.service import job_answers, ocr, service, submit
from tests.runtime.goldens import golden_image, write_reading_checkpoint

PAGES = ("a01_a4_1240x1754.png", "a13_exif6_1200x800.jpg")
OPTIONS = {"mode": "small", "max_tokens": "40", "no_repeat_ngram": "20"}
PROMPTS = (
    "<image>\n<|grounding|>Convert the document to markdown.",
    "<image>\nLocate <|ref|>total<|/ref|> in the image.",
)
"""A page's prompt: with it the reference tokens are far from a tie."""


@contextlib.contextmanager
def tiny_service(folder: Path) -> Iterator[TestClient]:
    """The native engine with the tiny weights, in float32 on the CPU."""
    variables = {
        "DEEPSEEK_OCR_ENGINE": "native",
        "DEEPSEEK_OCR_MODEL_PATH": str(write_reading_checkpoint(folder / "model")),
        "DEEPSEEK_OCR_DEVICE": "cpu",
        "DEEPSEEK_OCR_DTYPE": "float32",
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")  # more slow so small a model down
        with service(folder / "runs", create_engine=registry.create, **variables) as http:
            yield http


def tiny_answers(http: TestClient) -> dict[str, Any]:
    """Each page by itself, and a job of the first."""
    answers = {
        page: ocr(http, golden_image(page), prompt=prompt, **OPTIONS)
        for page, prompt in zip(PAGES, PROMPTS, strict=True)
    }
    job_id = submit(http, [golden_image(PAGES[0])], prompt=PROMPTS[0], **OPTIONS)
    return {"ocr": answers, "job": job_answers(http, job_id)}
