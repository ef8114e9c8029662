"""Retired names and phrases stay out of the sources: CONTRIBUTING has the terms to use instead."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [path for folder in ("src", "bench") for path in (ROOT / folder).rglob("*.py")]

RETIRED_NAMES = (
    *("Door", "KeyRing", "Envelope", "BodyGuard", "HostGuard", "OriginGuard", "TurnedAway"),
    *("Bell", "Told", "PageNews", "Presence", "Silence", "Taker", "want_again"),
    *("Places", "Flight", "Patience", "PatientRunner", "Lane", "Intake", "Preparation"),
    *(
        "find_room",
        "rehearse",
        "put_away",
        "Whereabouts",
        "can_be_spared",
        "use_quiet_moment",
        "told_of_the_end",
    ),
    *("sum_norm", "experts_row", "experts_rows", "experts_tiles", "chunk_attention"),
    *("_bury", "_hear", "_last_words", "_in_spite_of_full_disks", "climb", "HeldResult"),
    *("EmbeddedEngine", "started_engine", "triton_language", "NgramGuard", "Tally", "_Outlook"),
)
RETIRED_PHRASES = (
    *("whoever", "nobody", "somebody", "anew", "by right", "in spite of", "whose affair"),
    *(
        "honest",
        "guard",
        "quiet moments?",
        "put away",
        "seats",
        "blame",
        "halving",
        "paged_attention",
    ),
    *("for ever", "middlest", "dearer", r"rehears\w+", "owes?", "owed", r"buri(?:ed|es)"),
)


@cache
def texts(lowered: bool) -> dict[Path, str]:
    """The sources. Of lowered ones a pattern's literal start is found faster than by IGNORECASE."""
    found = {path: path.read_text("utf-8") for path in SOURCES}
    return {path: text.lower() for path, text in found.items()} if lowered else found


def occurrences(pattern: str, *, lowered: bool = False) -> list[str]:
    """Where the pattern is found as whole words."""
    compiled = re.compile(rf"{pattern}\b")
    return [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for path, text in texts(lowered).items()
        for found in compiled.finditer(text)
        if not re.match(r"\w", text[found.start() - 1 : found.start()])
    ]


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 200
    assert occurrences("AdmissionLimiter")


@pytest.mark.parametrize("name", RETIRED_NAMES)
def test_a_retired_name_is_not_used(name: str) -> None:
    assert occurrences(re.escape(name)) == []


@pytest.mark.parametrize("phrase", RETIRED_PHRASES)
def test_a_retired_phrase_is_not_used(phrase: str) -> None:
    assert occurrences(phrase, lowered=True) == []
