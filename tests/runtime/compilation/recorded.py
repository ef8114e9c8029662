"""Prints what configurations launch, and what steps of other sizes launch besides.

    python -m tests.runtime.compilation.recorded '[["sm_90", "FOLDER", "auto", "auto", "off"], ...]'

Each is a card, a checkpoint, the types of the cache and of the experts, and the setting of drafts.
The last line is JSON, an object for each: `launches` by kernel, and `others`, launches of further
numbers of rows, drafts, tokens and views that are not among them. Run it without
`TRITON_INTERPRET`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsocr.runtime.compilation import launches
from dsocr.runtime.compilation.plan import plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import card_of_arch

ROWS = (1, 2, 3, 5, 7, 13, 31, 33, 100, 130, 161, 255, 256)
TOKENS = (1, 15, 16, 37, 511, 700, 913, 1400, 1537, 4000, 8192)
VIEWS = (1, 3, 4, 5, 9, 16, 40)


def recorded(
    arch: str, folder: str, cache_dtype: str, expert_dtype: str, drafts: str
) -> dict[str, Any]:
    config = RuntimeConfig(
        model_path=Path(folder),
        cache_dtype=cache_dtype,  # type: ignore[arg-type]
        expert_dtype=expert_dtype,  # type: ignore[arg-type]
        drafts=drafts,  # type: ignore[arg-type]
    )
    plan = plan_compilation(config, card_of_arch(arch), Path())
    compiled = launches.launches_of(plan)
    known = {(one.name, launches._key(one)) for one in compiled}
    with other_sizes():
        more = launches.launches_of(plan)
    others = [one for one in more if (one.name, launches._key(one)) not in known]
    return {
        "launches": Counter(one.name for one in compiled),
        "others": [str((one.name, launches._key(one))) for one in others],
    }


def _draft_sizes(max_rows: int) -> list[tuple[int, int]]:
    return [(rows, drafts) for rows in ROWS[::2] for drafts in (1, 17, 510)]


@contextmanager
def other_sizes() -> Iterator[None]:
    names = {"BUCKETS": ROWS, "NUM_VIEWS": VIEWS, "PROMPTS": TOKENS, "draft_sizes": _draft_sizes}
    before = {name: getattr(launches, name) for name in names}
    try:
        vars(launches).update(names)
        yield
    finally:
        vars(launches).update(before)


if __name__ == "__main__":
    print(json.dumps([recorded(*one) for one in json.loads(sys.argv[1])]))
