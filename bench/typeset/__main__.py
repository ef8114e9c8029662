"""Writes the pages into a folder: python -m bench.typeset FOLDER"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.typeset.kinds import write_cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variants", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose number begins so")
    chosen = parser.parse_args()
    left_out = write_cases(
        chosen.folder, variants=chosen.variants, seed=chosen.seed, only=chosen.only
    )
    for kind in left_out:
        print(f"{kind} is left out: no font with its letters is installed")


if __name__ == "__main__":
    main()
