from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr.engines.deepseek.grounding import (
    BlockStream,
    clean_markdown,
    compose_raw,
    markdown_of,
    parse,
    references,
)
from dsocr.types import Block, Box

GOLDENS = json.loads((Path(__file__).parents[2] / "data" / "grammar.json").read_text("utf-8"))
CASES: list[dict[str, Any]] = GOLDENS["cases"]
RAW = {case["name"]: case["raw"] for case in CASES}
TOKENS = re.compile(r"<\|/?(?:ref|det|grounding|User|Assistant|EOT)\|>|<｜end▁of▁sentence｜>")

# Where the authors' scripts lose or garble something, ours differs on purpose.
DIFFERENT_MARKDOWN = {
    "ocr_this_image_lines": "一段接一段\n越过高峰\n另一峰却又见",
    "no_refs_keeps_coloneqq": "plain free OCR text with a := b and c =: d\n\nend",
    "multi_box_image": "![](images/3_0.jpg)\n\n![](images/3_1.jpg)\n\nA\n\n"
    "![](images/3_2.jpg)\n\nB",
    "duplicate_identical_image_refs": "![](images/3_0.jpg)\n\nx\n\n![](images/3_1.jpg)\n\ny\n\n"
    "![](images/3_2.jpg)\n\nz",
    "degenerate_boxes": "![](images/3_0.jpg)\n\n![](images/3_1.jpg)",
    "malformed_det": "bad literal\n\nthree\n\nunbalanced\n\ngood",
    "ref_without_det_swallows": "see alpha in the text, then\n\nend",
    "truncated_tail": "Some text content here.",
}


def golden(*names: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if not names or case["name"] in names]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case["name"])


@golden()
def test_references_match_the_authors_code(case: dict[str, Any]) -> None:
    found = references(case["raw"])
    assert [(r.label, r.boxes_text) for r in found] == [
        (r["label"], r["det"]) for r in case["refs"]
    ]
    assert [case["raw"][r.start : r.end] for r in found] == [r["full"] for r in case["refs"]]


@golden()
def test_coordinates_match_the_authors_code(case: dict[str, Any]) -> None:
    for reference, expected in zip(references(case["raw"]), case["refs"], strict=True):
        quads = [] if "error" in expected else [tuple(quad) for quad in expected["coords"]]
        assert list(reference.coordinates) == quads


@golden()
def test_pixel_boxes_match_the_authors_code_within_the_page(case: dict[str, Any]) -> None:
    width, height = case["page_size_w_h"]
    for reference, expected in zip(references(case["raw"]), case["refs"], strict=True):
        inside = []
        for x0, y0, x1, y1 in expected.get("pixel_boxes", []):
            xs, ys = sorted((x0, x1)), sorted((y0, y1))
            if xs[0] < xs[1] and ys[0] < ys[1]:
                inside.append((max(0, xs[0]), max(0, ys[0]), min(width, xs[1]), min(height, ys[1])))
        assert [box.pixels(width, height) for box in reference.boxes] == inside


@golden()
def test_markdown_matches_the_authors_pdf_script_except_for_known_differences(
    case: dict[str, Any],
) -> None:
    upstream = re.sub(r"</?center>", "", case["pdf_page_mmd_jdx3"])
    upstream = re.sub(r"[ \n]*\n\n", "\n\n", upstream).replace("jpg)\n\n\n", "jpg)\n\n").strip()
    upstream = "\n\n".join(part.strip() for part in upstream.split("\n\n"))
    expected = DIFFERENT_MARKDOWN.get(case["name"], upstream)
    assert clean_markdown(case["raw"], page_index=3) == expected


@golden()
def test_parsed_blocks_survive_composing_and_parsing(
    case: dict[str, Any],
) -> None:
    whole = re.sub(r"(\d)\.\d+", r"\1", case["raw"])
    blocks = parse(whole)
    assert parse(compose_raw(blocks)) == blocks


def test_rows_in_a_caption_move_to_their_table() -> None:
    blocks = parse(RAW["issue295_table"])
    assert [block.label for block in blocks] == ["table_caption", "table"]
    assert blocks[0].text.endswith("better performance.")
    assert blocks[1].text.startswith("<table>") and blocks[1].text.endswith("</table>")
    assert blocks[1].boxes == (Box(120 / 999, 210 / 999, 874 / 999, 725 / 999),)


def test_a_table_whose_caption_has_no_rows_stays_empty() -> None:
    blocks = [Block("table", "", (Box(0, 0, 1, 1),)), Block("table_caption", "Table 1")]
    assert parse(compose_raw(blocks)) == blocks


def test_a_label_that_is_the_text_becomes_a_line() -> None:
    assert [(b.label, b.text, len(b.boxes)) for b in parse(RAW["ocr_this_image_lines"])] == [
        ("line", "一段接一段", 1),
        ("line", "越过高峰", 1),
        ("line", "另一峰却又见", 1),
    ]


def test_located_text_keeps_all_its_boxes() -> None:
    raw = "<|ref|>the teacher<|/ref|><|det|>[[0, 0, 10, 10], [20, 20, 30, 30]]<|/det|>"
    (block,) = parse(raw)
    assert (block.label, block.text, len(block.boxes)) == ("line", "the teacher", 2)


def test_text_outside_any_reference_is_kept() -> None:
    raw = "before\n<|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\n# T\n\nno box"
    assert [(b.label, b.text) for b in parse(raw)] == [
        ("text", "before"),
        ("title", "# T\n\nno box"),
    ]
    assert parse("only words") == [Block("text", "only words")]


def test_an_unknown_label_stays_and_keeps_its_text() -> None:
    raw = "<|ref|>seal<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nACME"
    assert [(b.label, b.text) for b in parse(raw)] == [("seal", "ACME")]


def test_confidences_are_assigned_to_references_in_order() -> None:
    raw = "stray " + RAW["issue295_table"]
    found = [(b.label, b.confidence) for b in parse(raw, confidences=[0.9, 0.5])]
    assert found == [("text", None), ("table_caption", 0.5), ("table", 0.9)]


@pytest.mark.parametrize(
    "det",
    [
        "__import__('os').system('true')",
        "[[1, 2, 3]]",
        "[[1, 2, 3, 4]",
        "[10, 20, 30, 40]",
        "[[1, 2, 3, True]]",
        "[[1 2, 3, 4, 5]]",
        "[[1, 2, 3, 4], [5, 6]]",
        "[[nan, 2, 3, 4]]",
        "[" * 5000,
        "",
    ],
)
def test_a_malformed_det_loses_only_its_boxes(det: str) -> None:
    (block,) = parse(f"<|ref|>text<|/ref|><|det|>{det}<|/det|>\nkept")
    assert (block.text, block.boxes) == ("kept", ())


@pytest.mark.parametrize(
    "det", ["((0, 0, 999, 999),)", " [ [0,0,999,999] ] ", "[(0,0.0,2000,999)]"]
)
def test_lists_and_tuples_in_any_spacing_are_boxes(det: str) -> None:
    (block,) = parse(f"<|ref|>text<|/ref|><|det|>{det}<|/det|>\nkept")
    assert block.boxes == (Box(0.0, 0.0, 1.0, 1.0),)


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        ("<|ref|>image<|/ref|><|det|>[[480, 270", ""),
        ("<|ref|>image<|/ref|><|det|>[[480, 270]]<|/de", ""),
        ("<|ref|>sub_ti", ""),
        ("<|ref|>text<|/ref|>", ""),
        ("<|ref|>", ""),
        ("<|re", ""),
        ("<|ref|>Summe der Rech", "Summe der Rech"),
        ("<|ref|>Summe<|/ref|><|det|>[[1", "Summe"),
        ("a < b", "a < b"),
        ("a <", "a <"),
        ("<table><tr><td>1</td><td", "<table><tr><td>1</td><td"),
    ],
)
def test_truncation_at_the_length_limit_leaves_text_and_no_markup(tail: str, kept: str) -> None:
    expected = f"Before.\n\n{kept}".strip()
    raw = f"<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nBefore.\n\n{tail}"
    assert clean_markdown(raw, page_index=0) == expected


def test_special_tokens_and_stray_markup_are_removed() -> None:
    raw = (
        "<|grounding|>A<|det|>[[1, 2, 3, 4]]<|/det|> B<｜end▁of▁sentence｜> "
        "C<|/ref|> <image>D <|re<|ref|>f|> E <|User|>"
    )
    text = clean_markdown(raw, page_index=0)
    assert not TOKENS.search(text)
    assert [word for word in "ABCDE" if word in text] == list("ABCDE")


def test_page_text_that_looks_like_markup_cannot_forge_a_block() -> None:
    forged = "<|ref|>image<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>"
    raw = compose_raw([Block("text", f"read {forged} aloud", (Box(0, 0, 0.5, 0.5),))])
    (block,) = parse(raw)
    assert block.label == "text"
    assert block.text == f"read {forged} aloud".replace("<|", "&lt;|")


def test_blocks_of_any_origin_become_markdown_without_special_tokens() -> None:
    blocks = [Block("text", "say <|ref|> and <image>")]
    assert markdown_of(blocks, page_index=0) == "say &lt;|ref|> and &lt;image>"


@pytest.mark.parametrize("at", [0.0, 0.3, 0.99999])
def test_a_box_thinner_than_the_grid_is_not_lost(at: float) -> None:
    (block,) = parse(compose_raw([Block("image", "", (Box(at, 0, at + 0.00001, 1),))]))
    assert block.boxes[0].x1 - block.boxes[0].x0 == pytest.approx(1 / 999)


def test_no_figure_link_is_written_without_a_box_to_crop() -> None:
    raw = "<|ref|>image<|/ref|><|det|>[[bad]]<|/det|>\n\n"
    assert clean_markdown(raw, page_index=0) == ""


def test_corrected_blocks_become_markdown_in_the_same_way() -> None:
    blocks = parse(RAW["paper_table1"])
    assert markdown_of(blocks, page_index=7) == clean_markdown(RAW["paper_table1"], page_index=7)


def pieces_of(text: str) -> st.SearchStrategy[list[str]]:
    cuts = st.lists(st.integers(0, len(text)), max_size=12).map(sorted)
    return cuts.map(lambda at: [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)])


scraps = st.lists(
    st.sampled_from(
        [
            "<|ref|>",
            "<|/ref|>",
            "<|det|>",
            "<|/det|>",
            "<|/ref|><|det|>",
            "<|",
            "<",
            "|>",
            "\n",
            "\n\n",
        ]
        + [
            "[[1, 2, 3, 4]]",
            "text",
            "image",
            "table",
            "table_caption",
            "<table><tr>",
            "word ",
            "<center>",
        ]
    ),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(st.one_of(scraps, st.sampled_from(list(RAW.values()))).flatmap(pieces_of))
def test_streaming_in_any_pieces_gives_the_same_blocks(pieces: list[str]) -> None:
    stream = BlockStream()
    streamed = [block for piece in pieces for block in stream.feed(piece)]
    assert [*streamed, *stream.finish()] == parse("".join(pieces))


@settings(deadline=None)
@given(scraps)
def test_references_match_the_authors_pattern(raw: str) -> None:
    pattern = re.compile(r"<\|ref\|>(.*?)<\|/ref\|><\|det\|>(.*?)<\|/det\|>", re.DOTALL)
    assert [(r.label, r.boxes_text, r.start, r.end) for r in references(raw)] == [
        (m[1], m[2], m.start(), m.end()) for m in pattern.finditer(raw)
    ]


@settings(deadline=None)
@given(st.one_of(scraps, st.text()))
def test_any_output_gives_markdown_without_tokens_and_boxes_on_the_page(raw: str) -> None:
    assert not TOKENS.search(clean_markdown(raw, page_index=0))
    for block in parse(raw):
        for box in block.boxes:
            assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1


coordinates = st.integers(0, 998)
boxes = st.tuples(coordinates, coordinates).flatmap(
    lambda at: st.builds(
        lambda x1, y1: Box(at[0] / 999, at[1] / 999, x1 / 999, y1 / 999),
        st.integers(at[0] + 1, 999),
        st.integers(at[1] + 1, 999),
    )
)
words = st.text("abc 中<>&|\\#*\n", max_size=40).map(lambda text: parse(text)[:1])
blocks_of = st.lists(
    st.builds(
        lambda label, text, found: Block(label, text[0].text if text else "", tuple(found)),
        st.sampled_from(["text", "title", "image", "equation", "header"]),
        words,
        st.lists(boxes, max_size=3),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(blocks_of)
def test_composed_blocks_parse_to_the_same_blocks(blocks: list[Block]) -> None:
    kept = [block for block in blocks if block.text or block.boxes]
    assert parse(compose_raw(kept)) == kept


def test_streaming_gives_a_block_when_the_next_reference_is_complete() -> None:
    stream = BlockStream()
    first = "<|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\n# T\n\n"
    assert stream.feed(first + "<|ref|>text<|/ref|><|det|>[[5, 6, 7, 8]]") == []
    assert [block.text for block in stream.feed("<|/det|>")] == ["# T"]
    assert [block.text for block in [*stream.feed("\nEnd"), *stream.finish()]] == ["End"]


@pytest.mark.parametrize(
    "unit",
    [
        "<|ref|>",
        "<|ref|>x<|/ref|><|det|>",
        "<|det|>[[",
        "<|ref|>a<|/ref|>",
        "<|",
        " ",
        "\n \n",
        "<｜",
    ]
    + ["[[1,", "<center>", "<|ref|>x<|/ref|><|det|>[[1,2,3,4]]<|/det|>"],
)
@pytest.mark.parametrize("num_bytes", [1_000_000, pytest.param(5_000_000, marks=pytest.mark.slow)])
def test_megabytes_of_hostile_output_are_parsed(unit: str, num_bytes: int) -> None:
    # Anything quadratic here would take hours, not seconds.
    raw = unit * (num_bytes // len(unit))
    assert not TOKENS.search(clean_markdown(raw, page_index=0)[:1000])


FLAT = (
    "<PAGE>\n<|det|>title [59, 100, 273, 140]<|/det|>Invoice No: 7\n"
    "<|det|>text [59, 196, 190, 243]<|/det|>Total: 123.45 USD\nDue: today\n"
    "<|det|>image [0, 300, 999, 700]<|/det|>\n"
    "<|det|>foot_note [[59, 708, 255, 756]]<|/det|>thanks"
)


def test_flat_references_become_blocks_with_one_box_each() -> None:
    blocks = parse(FLAT)
    assert [(block.label, block.text) for block in blocks] == [
        ("title", "Invoice No: 7"),
        ("text", "Total: 123.45 USD\nDue: today"),
        ("image", ""),
        ("foot_note", "thanks"),
    ]
    assert blocks[0].boxes == (Box(59 / 999, 100 / 999, 273 / 999, 140 / 999),)
    assert all(len(block.boxes) == 1 for block in blocks)
    markdown = clean_markdown(FLAT, page_index=2)
    assert markdown == (
        "Invoice No: 7\n\nTotal: 123.45 USD\nDue: today\n\n![](images/2_0.jpg)\n\nthanks"
    )


@given(st.lists(st.integers(0, len(FLAT)), max_size=12))
def test_flat_references_in_any_pieces_give_the_same_blocks(cuts: list[int]) -> None:
    stream, places = BlockStream(), [0, *sorted(cuts), len(FLAT)]
    pieces = [FLAT[start:end] for start, end in zip(places, places[1:], strict=False)]
    blocks = [block for piece in pieces for block in stream.feed(piece)]
    assert [*blocks, *stream.finish()] == parse(FLAT)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<|det|>text [1, 2, 3]<|/det|>kept", [("text", "kept")]),
        ("<|det|>no box<|/det|>kept", [("text", "no boxkept")]),
        ("a <PAGE>\n<PAGE>\nb", [("text", "a <PAGE>\n<PAGE>\nb")]),
        ("<|det|>text [1, 2, 3, 4]<|/det|>whole\n<|det|>title [5, 6", [("text", "whole")]),
        ("<|det|>text [1, 2, 3, 4]<|/det|>whole\n<|det|>tit", [("text", "whole")]),
        ("<|det|>text [1, 2, 3, 4]<|/det|>whole<|det|>text [5, 6]<|/de", [("text", "whole")]),
        (
            f"<|det|>{'x' * 300}<|det|>text [1, 2, 3, 4]<|/det|>after",
            [("text", "x" * 300), ("text", "after")],
        ),
        (
            "<|det|>junk <|ref|>title<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nA",
            [("text", "junk"), ("title", "A")],
        ),
    ],
)
def test_a_malformed_flat_reference_loses_its_box_and_no_text(
    raw: str, expected: list[tuple[str, str]]
) -> None:
    assert [(block.label, block.text) for block in parse(raw)] == expected
