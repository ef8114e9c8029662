from __future__ import annotations

import pytest

from dsocr.engines.deepseek.prompts import (
    DEFAULT_PROMPT,
    TASKS,
    grounded,
    locate_query,
    task_of,
    with_image,
)


@pytest.mark.parametrize("spec", TASKS.values(), ids=lambda spec: spec.key)
def test_each_task_is_recognised_by_its_own_wording(spec) -> None:  # type: ignore[no-untyped-def]
    assert task_of(spec.prompt) == spec.key


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("Free OCR", "text"),
        ("  free   ocr.  ", "text"),
        ("<image>\nExtract the text in the image.", "text"),
        ("<image>\n<|grounding|>Convert the document to markdown. ", "markdown"),
        ("<|grounding|> convert the document\nto Markdown", "markdown"),
        ("<image>\nConvert the document to markdown.", "markdown"),
        ("<image>document parsing.", "markdown"),
        ("OCR this image.", "ocr"),
        ("<image>Parse the figure", "figure"),
        ("describe this image in detail", "describe"),
        ("<image>\nLocate <|ref|>the teacher<|/ref|> in the image.", "locate"),
        ("locate <|ref|>总计<|/ref|>", "locate"),
        ("<image>\nTranslate the document to French.", "custom"),
        ("Tell me about <|ref|>x<|/ref|>", "custom"),
        ("", "custom"),
    ],
)
def test_a_prompt_has_its_task_in_any_spelling(prompt: str, task: str) -> None:
    assert task_of(prompt) == task


def test_a_prompt_without_an_image_gets_one_before_it() -> None:
    assert with_image("Free OCR.") == "<image>\nFree OCR."
    assert with_image(DEFAULT_PROMPT) == DEFAULT_PROMPT


@pytest.mark.parametrize(
    ("prompt", "query"),
    [
        ("<image>\nLocate <|ref|> Total <|/ref|> in the image.", "Total"),
        ("Locate <|ref|><|/ref|> in the image.", None),
        ("Locate <|ref|>Total", None),
        ("Free OCR.", None),
    ],
)
def test_the_locate_query_is_between_the_tags(prompt: str, query: str | None) -> None:
    assert locate_query(prompt) == query


def test_only_a_grounding_prompt_asks_for_boxes() -> None:
    assert [key for key, spec in TASKS.items() if grounded(spec.prompt)] == ["markdown", "ocr"]
