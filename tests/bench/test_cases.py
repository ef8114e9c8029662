"""Cases are judged by their checks, and typeset ones are the same whenever they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cases import Outcome, faults_of, shares_by_kind
from bench.kinds import share_of_silent, table_of
from bench.silent import word_counts
from bench.typeset.kinds import KINDS, case_for, write_cases
from bench.typeset.lines import MissingFont
from dsocr.types import Block, PageResult

TEXT = "## Goods\n\n<table><tr><td>Wax</td><td>4.50</td></tr></table>\n\n- Rope &amp; wire"


def test_texts_must_stand_in_their_order_whatever_the_markup() -> None:
    assert faults_of({"order": ["Goods", "Wax 4.50", "Rope & wire"]}, TEXT, []) == []
    assert faults_of({"order": ["Rope", "Wax"]}, TEXT, []) == ["out of order: Wax"]
    assert faults_of({"order": ["Oil"]}, TEXT, []) == ["missing: Oil"]
    assert faults_of({"absent": ["Wax"]}, TEXT, []) == ["must not be there: Wax"]


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("Wax 4", True),
        (r"RAW:</table>\n+- Rope", True),
        (r"RAW:Wax 4", False),
        ("FLAGS:low", True),
        ("FLAGS:blank", False),
        ("^(?!.*#+ *Goods).*$", False),
        ("^(?!.*#+ *Wax).*$", True),
    ],
)
def test_patterns_look_at_text_lines_or_flags(pattern: str, holds: bool) -> None:
    assert (faults_of({"re": [pattern]}, TEXT, ["low_confidence"]) == []) is holds


def test_shares_are_counted_by_kind() -> None:
    outcomes = [
        Outcome("a", "K01", (), (), ""),
        Outcome("b", "K01", ("missing: x",), (), ""),
        Outcome("c", "K02", ("missing: x",), ("low_confidence",), ""),
    ]

    assert shares_by_kind(outcomes) == {"K01": (1, 2), "K02": (0, 1)}
    assert share_of_silent(outcomes) == 0.5
    assert "| all | 1 | 3 | 0.33 |" in table_of(outcomes)


def test_a_wrong_word_is_silent_unless_its_block_or_page_warns() -> None:
    blocks = (Block("text", "one two", confidence=0.99), Block("text", "tree", confidence=0.5))
    page = PageResult(0, 9, 9, blocks=blocks)
    counts = word_counts(page, "one too three four")

    assert (counts.words, counts.wrong, counts.silent) == (4, 3, 2)
    flagged = PageResult(0, 9, 9, blocks=blocks, flags=("low_confidence",))
    assert word_counts(flagged, "one too three four").share == 0.0


@pytest.mark.parametrize("kind", ["K01", "K03", "K08", "K13", "K29"])
def test_a_typeset_page_depends_on_its_seed_alone(kind: str) -> None:
    assert case_for(kind, 7).content == case_for(kind, 7).content
    assert case_for(kind, 7).content != case_for(kind, 8).content


def test_every_kind_has_checks(tmp_path: Path) -> None:
    left_out = write_cases(tmp_path, variants=1)

    lines = (tmp_path / "checks.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(KINDS) - len(left_out)
    assert all('"order"' in line or '"re"' in line for line in lines)
    for kind in left_out:
        with pytest.raises(MissingFont):
            case_for(kind, 0)
