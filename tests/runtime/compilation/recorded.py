"""Prints what a configuration launches, and what steps of other sizes launch besides.

    python -m tests.runtime.compilation.recorded sm_90 FOLDER [cache_dtype] [expert_dtype]

The last line is JSON: `launches` by kernel, and `others`, launches of further numbers of rows,
tokens and views that are not among them. Run it without `TRITON_INTERPRET`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from dsocr.runtime.compilation import launches
from dsocr.runtime.compilation.plan import plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import card_of_arch

ROWS = (1, 2, 3, 5, 7, 13, 31, 33, 100, 130, 161, 255, 256)
TOKENS = (1, 15, 16, 37, 511, 700, 913, 1400, 1537, 4000, 8192)
VIEWS = (1, 3, 4, 5, 9, 16, 40)


def main(arch: str, folder: str, cache_dtype: str = "auto", expert_dtype: str = "auto") -> None:
    config = RuntimeConfig(
        model_path=Path(folder),
        cache_dtype=cache_dtype,  # type: ignore[arg-type]
        expert_dtype=expert_dtype,  # type: ignore[arg-type]
    )
    plan = plan_compilation(config, card_of_arch(arch), Path())
    compiled = launches.launches_of(plan)
    launches.BUCKETS = ROWS
    launches.NUM_VIEWS = VIEWS
    launches.PROMPTS = TOKENS
    known = {(one.name, launches._key(one)) for one in compiled}
    others = [
        one for one in launches.launches_of(plan) if (one.name, launches._key(one)) not in known
    ]
    counts = Counter(one.name for one in compiled)
    print(
        json.dumps(
            {"launches": counts, "others": [str((o.name, launches._key(o))) for o in others]}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
