from dsocr.engines.ppocr.blocks.drafts import BlockDraft
from dsocr.engines.ppocr.blocks.titles import title_levels, with_title_levels
from dsocr.engines.ppocr.geometry import Rect


def title(y: float, height: float) -> BlockDraft:
    return BlockDraft("sub_title", "Words", (Rect(0, y, 300, y + height),), 0.9, height)


def test_titles_are_ranked_by_their_size() -> None:
    assert title_levels([title(10, 50), title(100, 30), title(200, 22)], 20, 1000) == [1, 2, 3]
    assert title_levels([title(800, 60)], 20, 1000) == [2]


def test_levels_are_shown_and_other_blocks_stay() -> None:
    text = BlockDraft("text", "Words", (Rect(0, 60, 300, 80),), 0.9, 20)

    largest, same, second = with_title_levels([title(10, 50), text, title(100, 30)], 20, 1000)

    assert (largest.label, largest.text) == ("title", "# Words")
    assert same is text
    assert (second.label, second.text) == ("sub_title", "## Words")
