"""Families with their own wording of a task, and no others."""

from __future__ import annotations

import pytest
from PIL import Image

from dsocr.engines.deepseek.modes import mode_specs
from dsocr.engines.deepseek.native import _request, tasks_of
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT, TASKS
from dsocr.runtime.models.registry import FAMILIES
from dsocr.runtime.models.unlimited_ocr_spec import ARCHITECTURE, PROMPTS, VIEWS
from dsocr.types import OcrOptions, PageImage, Task
from tests.fakes import page_image


def test_a_family_without_prompts_knows_every_task() -> None:
    assert tasks_of({}) == tuple(TASKS)


def test_unlimited_ocr_knows_markdown_alone() -> None:
    assert tasks_of(FAMILIES[ARCHITECTURE].prompts) == ("markdown",)


@pytest.mark.parametrize(
    ("task", "prompt", "sent"),
    [
        ("markdown", DEFAULT_PROMPT, "<image>document parsing."),
        ("custom", "<image>Multi page parsing.", "<image>Multi page parsing."),
    ],
)
def test_a_task_is_sent_in_the_models_wording_and_a_free_prompt_as_it_is(
    task: Task, prompt: str, sent: str
) -> None:
    image = Image.new("RGB", (4, 4))
    options = OcrOptions(task=task, mode="gundam", prompt=prompt)
    assert _request(PageImage(0, image, 4, 4), options, PROMPTS)["prompt"] == sent
    assert _request(PageImage(0, image, 4, 4), options, {})["prompt"] == prompt


@pytest.mark.parametrize("drafts", [False, True])
def test_the_text_layer_is_sent_if_it_is_used(drafts: bool) -> None:
    options = OcrOptions(task="markdown", mode="gundam", prompt=DEFAULT_PROMPT)
    request = _request(page_image(["one", "two"]), options, {}, drafts=drafts)
    assert request["text_layer"] == (["one", "two"] if drafts else [])


def test_unlimited_ocr_has_two_modes_and_up_to_32_tiles() -> None:
    modes = mode_specs(VIEWS)
    assert list(modes) == ["gundam", "base"]
    assert modes["gundam"].vision_tokens == (256, 256 + 32 * 100)
    assert "up to 32 640 px tiles" in modes["gundam"].description
