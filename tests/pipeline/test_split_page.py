import dataclasses

import pytest
from PIL import Image, ImageDraw

from dsocr.engines.deepseek.grounding import parse
from dsocr.pipeline.split_page import merge_halves, split_page, split_row
from dsocr.types import Block, Box, FinishReason, PageImage, PageResult, TextLine, Usage


def lines_at(*tops: int, height: int = 300) -> Image.Image:
    """A page with thick striped lines of 20 pixels."""
    image = Image.new("RGB", (200, height), "white")
    for top in tops:
        for x in range(20, 180, 6):
            ImageDraw.Draw(image).rectangle((x, top, x + 2, top + 19), fill="black")
    return image


def page_of(image: Image.Image, lines: tuple[TextLine, ...] | None = None) -> PageImage:
    return PageImage(3, image, image.width, image.height, text_lines=lines)


def read(half: PageImage, *blocks: Block, reason: FinishReason = "stop") -> PageResult:
    return PageResult(
        half.index,
        half.width,
        half.height,
        blocks=blocks,
        raw="\n\n".join(block.text for block in blocks),
        finish_reason=reason,
        usage=Usage(completion_tokens=5, seconds=0.5),
    )


def test_a_page_is_split_between_its_lines() -> None:
    row = split_row(lines_at(100, 128, 156, 184))
    assert not any(top <= row < top + 20 for top in (100, 128, 156, 184))


def test_an_empty_page_is_split_in_the_middle() -> None:
    assert split_row(Image.new("RGB", (50, 300), "white")) == 150


def test_a_page_full_of_strokes_is_still_split_near_the_middle() -> None:
    assert 100 <= split_row(lines_at(*range(0, 300, 20))) <= 200


def test_a_page_one_pixel_wide_is_split() -> None:
    assert split_row(Image.new("RGB", (1, 90), "white")) == 45


def test_the_halves_are_the_whole_page() -> None:
    image = lines_at(60, 120, 200)
    upper, lower = split_page(page_of(image))
    assert upper.height + lower.height == image.height
    assert upper.image.tobytes() + lower.image.tobytes() == image.tobytes()
    assert (upper.index, upper.width, upper.image.size) == (3, 200, (200, upper.height))


def test_boxes_of_the_halves_become_boxes_of_the_page() -> None:
    page = page_of(lines_at(60, 200))
    upper, lower = halves = split_page(page)
    results = [
        read(upper, Block("title", "# Above", (Box(0.1, 0.0, 0.9, 1.0),), 0.9)),
        read(lower, Block("text", "below", (Box(0.1, 0.5, 0.9, 1.0), Box(0.2, 0.0, 0.4, 0.5)))),
    ]

    whole = merge_halves(page, halves, results)

    share = upper.height / page.height
    (above,), (below, other) = (block.boxes for block in whole.blocks)
    assert above == Box(0.1, 0.0, 0.9, pytest.approx(share))
    assert below.y0 == pytest.approx((1 + share) / 2) and below.y1 == pytest.approx(1.0)
    assert (other.x0, other.x1) == (0.2, 0.4)
    assert other.y0 == pytest.approx(share)
    assert (whole.index, whole.width, whole.height) == (3, 200, 300)
    assert whole.markdown == "# Above\n\nbelow"
    assert whole.blocks[0].confidence == 0.9
    assert whole.usage == Usage(completion_tokens=10, seconds=1.0)


def test_lines_of_the_halves_become_lines_of_the_page() -> None:
    page = page_of(lines_at(60, 200))
    upper, lower = halves = split_page(page)
    results = [
        dataclasses.replace(
            read(half), lines=(TextLine(text, Box(0.1, 0.0, 0.9, 1.0), confidence),)
        )
        for half, text, confidence in ((upper, "above", None), (lower, "below", 0.8))
    ]

    above, below = merge_halves(page, halves, results).lines

    share = upper.height / page.height
    assert (above.text, above.confidence) == ("above", None)
    assert (below.text, below.confidence) == ("below", 0.8)
    assert above.box == Box(0.1, 0.0, 0.9, pytest.approx(share))
    assert below.box == Box(0.1, pytest.approx(share), 0.9, pytest.approx(1.0))


def test_the_merged_raw_text_parses_to_the_same_blocks() -> None:
    page = page_of(lines_at(60, 200))
    halves = split_page(page)
    results = [
        read(half, Block("text", f"half {half.height}", (Box(0, 0, 1, 1),))) for half in halves
    ]
    whole = merge_halves(page, halves, results)
    assert [block.text for block in parse(whole.raw)] == [block.text for block in whole.blocks]
    for parsed, block in zip(parse(whole.raw), whole.blocks, strict=True):
        assert parsed.boxes[0].y0 == pytest.approx(block.boxes[0].y0, abs=0.002)


def test_plain_text_of_the_halves_is_concatenated() -> None:
    page = page_of(lines_at(60, 200))
    halves = split_page(page)
    upper, lower = (
        read(half, Block("text", text)) for half, text in zip(halves, "ab", strict=True)
    )
    assert merge_halves(page, halves, [upper, lower]).raw == "a\n\nb"
    assert merge_halves(page, halves, [read(halves[0]), lower]).raw == "b"


@pytest.mark.parametrize(
    ("reasons", "reason"),
    [
        (("stop", "stop"), "stop"),
        (("stop", "length"), "length"),
        (("repetition", "stop"), "repetition"),
        (("length", "repetition"), "repetition"),
    ],
)
def test_a_page_is_complete_when_both_halves_are(
    reasons: tuple[FinishReason, FinishReason], reason: FinishReason
) -> None:
    page = page_of(lines_at(60, 200))
    halves = split_page(page)
    results = [
        dataclasses.replace(read(half, reason=one), flags=("low_confidence",))
        for half, one in zip(halves, reasons, strict=True)
    ]
    whole = merge_halves(page, halves, results)
    assert (whole.finish_reason, whole.flags) == (reason, ("low_confidence",))


def test_each_text_layer_line_goes_to_its_half() -> None:
    lines = (
        TextLine("top", Box(0.1, 0.0, 0.9, 0.1)),
        TextLine("bottom", Box(0.1, 0.9, 0.9, 1.0)),
    )
    upper, lower = split_page(page_of(lines_at(0, 270), lines))
    assert upper.text_lines is not None and lower.text_lines is not None
    assert [line.text for line in upper.text_lines] == ["top"]
    assert [line.text for line in lower.text_lines] == ["bottom"]
    assert upper.text_lines[0].box.y1 == pytest.approx(0.1 * 300 / upper.height)
    assert lower.text_lines[0].box.y1 == pytest.approx(1.0)
