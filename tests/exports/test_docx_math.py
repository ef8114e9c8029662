from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from dsocr.exports.docx.math import to_omml

MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def shape(latex: str) -> str:
    """The formula's elements as a short text: name(children), letters as they are."""
    omml = to_omml(latex, block=False)
    assert omml is not None
    root = ElementTree.fromstring(f'<x xmlns:m="{MATH}" xmlns:w="{WORD}">{omml}</x>')
    return _shape(root[0]).removeprefix("oMath")[1:-1]


def _shape(element: ElementTree.Element) -> str:
    name = element.tag.rpartition("}")[2]
    if name == "r":
        return "".join(element.itertext())
    if name.endswith("Pr"):
        values = [found.get(f"{{{MATH}}}val", "") for found in element.iter()]
        return "[" + ",".join(value for value in values if value) + "]"
    return name + "(" + "".join(map(_shape, element)) + ")"


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\frac{a}{2}", "f(num(a)den(2))"),
        (r"x^2", "sSup(e(x)sup(2))"),
        (r"x_i", "sSub(e(x)sub(i))"),
        (r"x_i^2", "sSubSup(e(x)sub(i)sup(2))"),
        (r"\sqrt{x}", "rad([1]deg()e(x))"),
        (r"\sqrt[3]{x}", "rad(deg(3)e(x))"),
        (r"\sum_{i}^{n} x", "nary([∑,subSup]sub(i)sup(n)e(x))"),
        (r"\int f", "nary([∫,subSup,1,1]sub()sup()e(f))"),
        (r"\hat{x}", "acc([\u0302]e(x))"),
        (r"\overline{x}", "bar([top]e(x))"),
        (r"\left(a\right)", "d([(,)]e(a))"),
        (r"\left[a\right.", "d([[]e(a))"),
        (r"\begin{matrix}a&b\\c&d\end{matrix}", "m([2,center]mr(e(a)e(b))mr(e(c)e(d)))"),
        (r"\lim_{n} a", "limLow(e(lim)lim(n))a"),
        (r"\underbrace{a}_{n}", "limLow(e(groupChr([⏟,bot,top]e(a)))lim(n))"),
        (r"\text{if } x", "if\u00a0x"),
        (r"a < b", "a<b"),
    ],
)
def test_a_formula_has_the_shape_of_its_latex(latex: str, expected: str) -> None:
    assert shape(latex) == expected


def test_aligned_lines_are_rows_without_their_marks() -> None:
    found = shape(r"\begin{aligned}a&=b\\c&=d\end{aligned}")
    assert found == "m([2,center]mr(e(a)e(=b))mr(e(c)e(=d)))"


@pytest.mark.parametrize("latex", [r"\sqrt{", r"\newcommand{\a}{b}", "", "{" * 900 + "}" * 900])
def test_what_cannot_be_read_is_no_formula(latex: str) -> None:
    omml = to_omml(latex, block=True)
    assert omml is None or re.fullmatch("<m:oMathPara>.*</m:oMathPara>", omml)
