from __future__ import annotations

import numpy as np
import pytest

from bench.calibration import Word, auroc, diagram, fitted, right_words, table_of
from bench.degraded_pages import KINDS, degraded_page


def test_auroc_counts_ties_half() -> None:
    assert auroc([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert auroc([0.1, 0.9], [True, False]) == 0.0
    assert auroc([0.5, 0.5], [True, False]) == 0.5


def test_words_are_right_in_their_order() -> None:
    assert right_words(["a", "x", "c"], ["a", "b", "c"]) == [True, False, True]
    assert right_words(["b", "a"], ["a", "b"]).count(True) == 1


def test_the_fit_finds_the_weights_that_made_the_data() -> None:
    dice = np.random.default_rng(3)
    values = np.column_stack([np.ones(4000), dice.normal(0, 2, 4000)])
    right = (dice.random(4000) < 1 / (1 + np.exp(-values @ [0.5, 1.5]))).astype(float)

    assert fitted(values, right) == pytest.approx([0.5, 1.5], abs=0.2)


def test_the_table_and_the_diagram_have_each_range_that_has_words() -> None:
    words = [Word("a", 0.2, False), Word("a", 1.0, True), Word("a", 0.995, True)]

    assert [row[2:] for row in table_of(words)] == [(1, 0.2, 0.0), (2, 0.9975, 1.0)]
    assert diagram(words).count("<circle") == 2


def test_a_degraded_page_is_the_same_each_time() -> None:
    first, second = degraded_page(3), degraded_page(3)

    assert first.kind == second.kind == KINDS[3]
    assert first.text == second.text
    assert np.array_equal(first.picture, second.picture)
