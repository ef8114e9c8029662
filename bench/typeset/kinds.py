"""All kinds of pages by their numbers, and the folder of cases made of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from bench.typeset import layers, lines, lists, pictures
from bench.typeset.case import Case

KINDS: dict[str, Callable[[random.Random], Case]] = {
    "K01": lists.rows,
    "K02": lists.menu,
    "K03": layers.hidden,
    "K04": layers.wrong_map,
    "K05": pictures.stamp,
    "K06": lists.ticks,
    "K07": lines.vertical,
    "K08": pictures.deep,
    "K09": lists.letter_head,
    "K11": pictures.crop,
    "K12": layers.small_page,
    "K13": pictures.directions,
    "K14": pictures.curved,
    "K15": pictures.margin_line,
    "K16": lists.slides,
    "K17": lines.code,
    "K18": lines.short_lines,
    "K19": lists.month,
    "K20": layers.over_scan,
    "K21": lines.numbered,
    "K22": pictures.sparse,
    "K23": lines.terminal,
    "K24": pictures.inverse,
    "K25": lines.signs,
    "K26": lines.accents,
    "K27": pictures.skewed,
    "K28": pictures.fax,
    "K29": layers.elsewhere,
    "K30": lists.contents,
}


def case_for(kind: str, seed: int) -> Case:
    """The same page whenever it is made. Raises `MissingFont` where the machine has no font."""
    return KINDS[kind](random.Random(f"{kind} {seed}"))


def write_cases(folder: Path, *, variants: int, seed: int = 0, only: str = "") -> list[str]:
    """Files and `checks.jsonl`, `variants` pages a kind. Returns the kinds left out, for want of
    a font."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    rows, left_out = [], []
    for kind in (kind for kind in KINDS if kind.startswith(only)):
        try:
            cases = [case_for(kind, seed + number) for number in range(variants)]
        except lines.MissingFont:
            left_out.append(kind)
            continue
        for number, case in enumerate(cases, start=seed):
            name = f"{kind}-{number}.{case.suffix}"
            (folder / "files" / name).write_bytes(case.content)
            rows.append({"file": name, "kind": kind, **case.checks()})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "checks.jsonl").write_text(text, "utf-8")
    return left_out
