"""Text of a PDF that its page does not show, in the ways that programs and people hide it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.pages.sandbox import Sandbox
from dsocr.types import HIDDEN_TEXT, PageImage
from tests.pages import made
from tests.pages.made import words
from tests.pages.pdf.test_file import first_page

SHOWN = words("shown words", 72, 700)
SECRET = words("secret words", 72, 500)
BOX = "65 490 220 40 re f"
"""A rectangle around the secret words."""


def texts(page: PageImage) -> list[str]:
    return [line.text for line in page.text_lines or ()]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"1 g {SECRET} 0 g", id="white on white"),
        pytest.param(f"0.97 g {SECRET} 0 g", id="almost white on white"),
        pytest.param(f"1 0 0 rg {BOX} {SECRET} 0 g", id="red on red"),
        pytest.param(f"3 Tr {SECRET} 0 Tr", id="render mode without paint"),
        pytest.param(f"q 7 Tr {SECRET} Q", id="render mode for clipping"),
        pytest.param(f"/Clear gs {SECRET} /Opaque gs", id="transparent"),
        pytest.param(words("secret words", 72, 500, size=1), id="type too small"),
        pytest.param(f"q 0 0 10 10 re W n {SECRET} Q", id="clipped away"),
        pytest.param(f"{SECRET} {BOX}", id="under a black box"),
        pytest.param(f"{SECRET} 1 g {BOX} 0 g", id="under a white box"),
        pytest.param(f"/OC /Off BDC {SECRET} EMC", id="in a layer that is off"),
        pytest.param(f"/OC /Off BDC {words('secret words', 74, 697)} EMC", id="off, between lines"),
    ],
)
async def test_text_that_the_page_does_not_show_is_left_out_and_flagged(
    tmp_path: Path, sandbox: Sandbox, content: str
) -> None:
    page = await first_page(tmp_path, made.layered_pdf(SHOWN + content), sandbox)
    assert texts(page) == ["shown words"]
    assert page.flags == (HIDDEN_TEXT,)


async def test_a_wording_under_another_one_is_left_out(tmp_path: Path, sandbox: Sandbox) -> None:
    over = f"1 g {BOX} 0 g {words('public words', 72, 500)}"
    page = await first_page(tmp_path, made.layered_pdf(SECRET + over), sandbox)
    assert texts(page) == ["public words"]
    assert page.flags == (HIDDEN_TEXT,)


async def test_text_is_found_hidden_among_thousands_of_paths(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    paths = " ".join(
        f"{100 + number % 400} {100 + number // 400} 1 1 re f" for number in range(3000)
    )
    content = SHOWN + f" 0.5 g {paths} 0 g " + SECRET + f" 1 g {BOX} 0 g"
    page = await first_page(tmp_path, made.layered_pdf(content), sandbox)
    assert texts(page) == ["shown words"]
    assert page.flags == (HIDDEN_TEXT,)


async def test_a_blacked_out_word_costs_only_itself(tmp_path: Path, sandbox: Sandbox) -> None:
    content = words("fee 12345 pounds", 72, 500) + "114 490 76 40 re f"
    page = await first_page(tmp_path, made.layered_pdf(content), sandbox)
    assert " ".join(texts(page)).split() == ["fee", "pounds"]


async def test_text_under_an_image_is_the_layer_of_a_scan_where_the_image_shows_something(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    scan = made.scan_pdf(SECRET, "secret words", 72, 500)
    page = await first_page(tmp_path, scan, sandbox)
    assert texts(page) == []
    assert [line.text for line in page.hidden_lines] == ["secret words"]
    assert page.flags == ()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"0.8 g {BOX} 0 g {SECRET}", id="on a grey box"),
        pytest.param(f"0 g {BOX} 1 g {SECRET}", id="white on black"),
        pytest.param(f"0 g {BOX} 0 0 1 rg {SECRET} 0 g", id="blue on black"),
        pytest.param(f"0 g {BOX} 1 0 0 rg {SECRET} 0 g", id="red on black"),
        pytest.param(f"0.85 g {SECRET} 0 g", id="pale"),
        pytest.param(SECRET + words("secret words", 72.5, 500.2), id="printed twice for bold"),
        pytest.param(SECRET * 3, id="printed three times"),
        pytest.param(f"1 Tr {SECRET} 0 Tr", id="outlined"),
        pytest.param(f"/OC /On BDC {SECRET} EMC", id="in a layer that is on"),
        pytest.param(f"{SECRET} 72 505 120 1 re f", id="struck out"),
        pytest.param(f"1 1 0 rg /Half gs {BOX} /Opaque gs 0 g {SECRET}", id="highlighted"),
        pytest.param(f"{SECRET} 1 1 0 rg /Half gs {BOX}", id="highlighted afterwards"),
        pytest.param(words("secret words", 72, 500, size=5), id="small print"),
    ],
)
async def test_text_that_the_page_shows_stays(
    tmp_path: Path, sandbox: Sandbox, content: str
) -> None:
    page = await first_page(tmp_path, made.layered_pdf(SHOWN + content), sandbox)
    assert set(texts(page)) == {"shown words", "secret words"}
    assert page.flags == ()


async def test_text_outside_the_page_is_left_out_without_a_flag(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    outside = words("secret words", 700, 500)
    page = await first_page(tmp_path, made.layered_pdf(SHOWN + outside), sandbox)
    assert texts(page) == ["shown words"] and page.flags == ()
