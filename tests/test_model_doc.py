"""The references "(spec 2.4)" in the code, against the sections of docs/model.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", re.MULTILINE)
REFERENCE = re.compile(r"\b(?:spec|model\.md) (\d+(?:\.\d+)?(?:(?:, | to )\d+(?:\.\d+)?)*)")


def sections() -> list[str]:
    """Numbers of the page's sections, in its order."""
    return HEADING.findall((ROOT / "docs" / "model.md").read_text("utf-8"))


def references() -> Iterator[tuple[str, str]]:
    """Each reference's file and section; "spec 2.1, 2.2" and "spec 2 to 5" name two."""
    for path in sorted((ROOT / "src" / "dsocr").rglob("*.py")):
        for found in REFERENCE.finditer(path.read_text("utf-8")):
            for number in re.split(", | to ", found[1]):
                yield str(path.relative_to(ROOT)), number


def test_every_reference_in_the_code_names_a_section() -> None:
    known = set(sections())
    unknown = [(file, number) for file, number in references() if number not in known]
    assert not unknown


def test_the_code_refers_to_the_page() -> None:
    numbers = {number for _, number in references()}
    assert {"1.2", "2.1", "2.4", "3.4", "5", "6"} <= numbers


def test_every_section_has_its_own_number() -> None:
    numbers = sections()
    assert len(numbers) == len(set(numbers))


def test_a_list_of_sections_is_read_as_all_of_them() -> None:
    found = REFERENCE.search("made once a size (spec 2.1, 2.2).")
    assert found is not None
    assert found[1] == "2.1, 2.2"
