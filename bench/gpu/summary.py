"""Table of the figures that have goals, with those of the peers, from the lines of all rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOPELESS = "nothing to draft"
"""The pages of the row `drafts` of which no draft is right."""


def summarize(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures that have goals, by name, for the rows that were run; pages through the engine
    if that row was run."""

    def figure(row: str, column: str, best: Callable[[list[Any]], Any], **same: Any) -> Any:
        found = [
            line[column]
            for line in lines
            if line["row"] == row and all(line.get(name) == value for name, value in same.items())
        ]
        return best(found) if found else None

    def rate(mode: str) -> Any:
        through_engine = figure("engine", "pages/s", max, mode=mode)
        return through_engine or figure("pages", "pages/s", max, mode=mode)

    def alone(mode: str) -> Any:
        through_engine = figure("engine", "a page s", min, mode=mode, **{"in flight": 1})
        return through_engine or figure("lone", "seconds", min, mode=mode)

    def drafted(pages: str, column: str, **same: Any) -> Any:
        return figure("drafts", column, max, pages=pages, drafts="fast", **same)

    named = {
        "single-stream decode tok/s": figure("decode", "tokens/s", max, pages=1),
        "decode B=256 tok/s": figure("decode", "tokens/s", max, pages=256),
        "gundam encode ms": figure("encode", "alone ms", min, mode="gundam"),
        "gundam pages/s": rate("gundam"),
        "base pages/s": rate("base"),
        "gundam page alone s, 1,000 tokens": alone("gundam"),
        "start to first token s, warm": figure(
            "start", "first token", statistics.median, **{"kernel caches": "warm"}
        ),
        "drafts: gundam pages/s, 256 in flight": drafted("mixed", "pages/s", **{"in flight": 256}),
        "drafts: gundam pages/s, 32 in flight": drafted("mixed", "pages/s", **{"in flight": 32}),
        "drafts: lone gundam page s, 1,000 tokens": drafted("alone", "s a page"),
        "drafts: single-stream tok/s": drafted("alone", "decoded tokens/s of a page"),
        "drafts: loss in % where nothing can be drafted": _loss(
            *(
                figure("drafts", "tokens/s", statistics.median, pages=HOPELESS, drafts=drafts)
                for drafts in ("fast", "off")
            )
        ),
    }
    peers = dict.fromkeys(line["row"] for line in lines if line["row"].startswith("peer"))
    return [
        {
            "figure": goal["figure"],
            "measured": named[goal["figure"]],
            "must": goal["must"],
            "aim": goal["aim"],
            **{peer: figure(peer, "measured", max, figure=goal["figure"]) or "" for peer in peers},
            "vLLM, quoted": goal["vLLM, quoted"],
            "ideal": goal["ideal"],
        }
        for goal in goals()
        if named[goal["figure"]] is not None
    ]


def _loss(rate: float | None, rate_without: float | None) -> float | None:
    """Per cent of the rate without drafts."""
    if rate is None or rate_without is None:
        return None
    return round(100 * (1 - rate / rate_without), 1)


def goals() -> list[dict[str, Any]]:
    """Prints the figures with the goals for an H200 and the quoted figures of others."""
    data = json.loads(Path(__file__).with_name("goals.json").read_text("utf-8"))
    figures: list[dict[str, Any]] = data["figures"]
    return figures
