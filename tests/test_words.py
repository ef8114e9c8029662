"""Retired names and phrases stay out of the sources: CONTRIBUTING has the terms to use instead."""

from __future__ import annotations

import re
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


def occurrences(pattern: str, flags: int = 0) -> list[str]:
    compiled = re.compile(rf"\b(?:{pattern})\b", flags)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if compiled.search(line)
    ]


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 200
    assert occurrences("AdmissionLimiter")


@pytest.mark.parametrize("name", RETIRED_NAMES)
def test_a_retired_name_is_not_used(name: str) -> None:
    assert occurrences(re.escape(name)) == []


@pytest.mark.parametrize("phrase", RETIRED_PHRASES)
def test_a_retired_phrase_is_not_used(phrase: str) -> None:
    assert occurrences(phrase, re.IGNORECASE) == []
