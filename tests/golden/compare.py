"""How an answer may differ from its golden: added keys, and the new name of an engine."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

VOLATILE = frozenset({"durationMs", "requestId", "jobId", "createdAt", "startedAt", "finishedAt"})
"""Keys whose values differ each time: of them only the kind of value is compared."""
ENGINE_NAMES = {"ppocr": "rapidocr"}
"""The embedded engine's name, and its former one in older goldens."""
MOST_TOLD = 10


def settled(answer: Any) -> Any:
    """The answer with every volatile value replaced by the name of its type."""
    if isinstance(answer, list):
        return [settled(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: f"<{type(value).__name__}>" if name in VOLATILE else settled(value)
        for name, value in answer.items()
    }


def differences(found: Any, golden: Any, *, tolerance: float = 0.0, at: str = "") -> list[str]:
    """Where the answer is not as its golden. `tolerance` is the relative one of `confidence`."""
    name = at.rpartition(".")[2]
    if isinstance(golden, dict) and isinstance(found, dict):
        if name == "digest" and not golden.keys() & found.keys():
            return []  # made by other versions
        lacking = [f"{at}.{key} is missing" for key in golden.keys() - found.keys()]
        pairs = [(f"{at}.{key}", found[key], golden[key]) for key in golden.keys() & found.keys()]
    elif isinstance(golden, list) and isinstance(found, list):
        lacking = [f"{at} has {len(found)} items, not {len(golden)}"] * (len(found) != len(golden))
        pairs = [
            (f"{at}[{place}]", *pair) for place, pair in enumerate(zip(found, golden, strict=False))
        ]
    else:
        same = _equal(name, found, golden, tolerance)
        return [] if same else [f"{at}: {_told(found, golden)}"]
    return lacking + [
        one
        for place, mine, theirs in pairs
        for one in differences(mine, theirs, tolerance=tolerance, at=place)
    ]


def assert_golden(found: Any, golden: Any, *, tolerance: float = 0.0) -> None:
    told = differences(settled(found), golden, tolerance=tolerance)
    assert not told, "\n".join([f"{len(told)} differences:", *told[:MOST_TOLD]])


def read_golden(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def write_golden(path: Path, answers: Any) -> None:
    """The same answers make the same file."""
    text = json.dumps(settled(answers), ensure_ascii=False, sort_keys=True, indent=1)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _equal(name: str, found: Any, golden: Any, tolerance: float) -> bool:
    if name == "engine":
        return golden in (found, ENGINE_NAMES.get(found))
    if name == "confidence" and isinstance(found, float) and isinstance(golden, float):
        return math.isclose(found, golden, rel_tol=tolerance)
    return type(found) is type(golden) and bool(found == golden)


def _told(found: Any, golden: Any) -> str:
    """Both values; of long texts what stands around the first character that differs."""
    if not (isinstance(found, str) and isinstance(golden, str)):
        return f"{found!r:.200}, not {golden!r:.200}"
    place = next(
        (n for n, (mine, theirs) in enumerate(zip(found, golden, strict=False)) if mine != theirs),
        min(len(found), len(golden)),
    )
    part = slice(max(0, place - 40), place + 60)
    return f"at character {place}: {found[part]!r}, not {golden[part]!r}"
