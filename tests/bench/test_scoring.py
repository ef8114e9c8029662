import pytest

from bench import scoring
from bench.pages.grids import neighbour_of, tables_in


def test_markup_does_not_count() -> None:
    read = "<|ref|>title<|/ref|><|det|>[[0, 0, 9, 9]]<|/det|>\n# A **bold** plan\n![](x.png)\n- 1"
    assert scoring.plain(read) == "a bold plan 1"
    assert scoring.similarity(read, "A bold plan 1") == 1.0


def test_width_case_and_blanks_are_folded() -> None:
    assert scoring.plain("ＡＢＣ 　１２\n北岸 大桥") == "abc 12 北岸大桥"


def test_order_counts_for_similarity_but_not_for_recall() -> None:
    truth, swapped = "first second third fourth", "third fourth first second"
    assert scoring.similarity(swapped, truth) < 0.6
    assert scoring.word_recall(swapped, truth) == 1.0


def test_repeated_words_must_be_read_as_often() -> None:
    assert scoring.word_recall("tick", "tick tick") == 0.5
    assert scoring.word_recall("大", "大桥") == 0.5


TABLE = (
    "<table><tr><td>Year</td><td colspan='2'>Goods</td></tr>"
    "<tr><td>1990</td><td>12</td><td>14</td></tr></table>"
)


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ({"type": "present", "text": "goods"}, True),
        ({"type": "present", "text": "gools", "max_diffs": 1}, True),
        ({"type": "present", "text": "gools"}, False),
        ({"type": "absent", "text": "coal"}, True),
        ({"type": "order", "before": "1990", "after": "14"}, True),
        ({"type": "order", "before": "14", "after": "1990"}, False),
        ({"type": "table", "cell": "12", "left": "1990", "up": "Goods"}, True),
        ({"type": "table", "cell": "14", "top_heading": "Goods", "left_heading": "1990"}, True),
        ({"type": "table", "cell": "12", "left": "14"}, False),
    ],
)
def test_checks(test: dict[str, object], holds: bool) -> None:
    assert scoring.passes(test, TABLE) is holds


def test_formulas_match_without_spaces_and_sizes() -> None:
    check = {"type": "math", "math": r"a^{2} + b^{2} = c^{2}"}
    assert scoring.passes(check, r"so $\left a^2+b^2=c^{2}$")


def test_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        scoring.passes({"type": "colour"}, "")


def test_tables_of_pipes_are_grids_too() -> None:
    (grid,) = tables_in("| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    assert [[cell.text for cell in row] for row in grid] == [["a", "b"], ["1", "2"]]
    assert neighbour_of(grid, 1, 1, "up") == "b"
    assert neighbour_of(grid, 0, 0, "up") is None


def test_a_neighbour_with_the_same_text_is_a_neighbour() -> None:
    (grid,) = tables_in("<table><tr><td>7</td><td>7</td><td>8</td></tr></table>")
    assert neighbour_of(grid, 0, 0, "right") == "7"


def test_a_spanning_cell_is_not_its_own_neighbour() -> None:
    (grid,) = tables_in('<table><tr><td colspan="2">a</td><td>b</td></tr></table>')
    assert neighbour_of(grid, 0, 0, "right") == "b"
