from __future__ import annotations

import pytest

from dsocr.exports.markup.formula import ATTRIBUTES, TAGS, to_mathml
from tests.exports.documents import Elements


def test_a_formula_becomes_mathml() -> None:
    mathml = to_mathml(r"\frac{a_1}{2} < \sqrt{x}", block=True)
    assert mathml is not None
    assert mathml.startswith('<math display="block">') and mathml.endswith("</math>")
    assert "<mfrac>" in mathml and "<msqrt>" in mathml and "<mo>&lt;</mo>" in mathml


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(//evil.example)}{x}",
        r"\class{a\" onclick=alert(1)}{x}",
        r"\color{red\" onload=alert(1)}{x}",
        r"\text{</math><script>alert(1)</script>}",
    ],
)
def test_nothing_but_formulas_gets_through(latex: str) -> None:
    mathml = to_mathml(latex, block=False)
    for tag, attributes in Elements(mathml or "").found:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES


@pytest.mark.parametrize(
    "latex",
    [r"\frac{1}", "{" * 1900, "^" * 1900, r"\begin{matrix} a", r"\left(", ""]
    + [r"\newcommand{\a}{\b\b}\a", r"\def\a{\a\a}\a"],
)
def test_a_broken_formula_is_given_back_or_made_the_best_of(latex: str) -> None:
    mathml = to_mathml(latex, block=False)
    assert mathml is None or mathml.startswith("<math")


def test_macros_are_not_expanded() -> None:
    assert to_mathml(r"\newcommand{\a}{x}\a", block=False) is None
