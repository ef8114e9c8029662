"""Measures accuracy, time and memory of an engine on a folder of pages with a manifest.

python -m bench.accuracy FOLDER --engine ppocr [--mode gundam] [--picture DIR] [--only WORD]
python -m bench.accuracy --kinds generated [--variants 4] [--seed 0] [--only K05]
python -m bench.accuracy --kinds FOLDER

A line of the manifest names `file` and, where they are known, `gt` (the truth), `gt_tests`
(checks), `group` and `script`. `--kinds` reads cases with checks by their kind instead: typeset
ones (`bench.typeset`), or those of a folder (`bench.cases`). `--report FILE` writes all as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench import kinds, scoring, silent
from bench.cost import ChildrenCost
from bench.pages import overlay
from bench.pages.files import first_page
from dsocr.engines.base import Engine
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.registry import create
from dsocr.errors import DsocrError
from dsocr.host import HostConfig
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.types import OcrOptions, PageImage, PageResult

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)  # a description of the page, not its text
PROMPT = "<image>\n<|grounding|>Convert the document to markdown."


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one page; None where the ground truth lacks what a figure needs."""

    file: str
    group: str
    similarity: float | None
    recall: float | None
    checks: float | None
    table_checks: float | None
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    failed: tuple[str, ...] = ()
    script: str = ""
    words: silent.WordCounts | None = None
    """Of a page with ground truth."""


async def measure(
    folder: Path, engine: Engine, options: OcrOptions, *, only: str, picture: Path | None
) -> list[Score]:
    """Reads every page of the manifest, one after the other."""
    entries = [
        json.loads(line)
        for line in (folder / "manifest.jsonl").read_text().splitlines()
        if line.strip()
    ]
    scores = []
    sandbox = Sandbox(PagesConfig())
    await engine.start()
    try:
        for entry in entries:
            if only not in f"{entry['file']} {entry.get('group', '')}":
                continue
            page = await first_page(folder / entry["file"], sandbox)
            score, result = await _one(folder, entry, engine, page, options)
            scores.append(score)
            print(_row(score), flush=True)
            for check in score.failed:
                print(f"    failed: {check}")
            if picture is not None and result is not None:
                truth = _truth(folder, entry)
                overlay.draw(page.image, result, truth).save(
                    picture / f"{Path(entry['file']).stem}.png", optimize=True
                )
    finally:
        await engine.close()
        await sandbox.close()
    return scores


async def _one(
    folder: Path, entry: dict[str, Any], engine: Engine, page: PageImage, options: OcrOptions
) -> tuple[Score, PageResult | None]:
    cost, began = ChildrenCost(), time.perf_counter()
    result: PageResult | None = None
    try:
        result = await engine.recognize(page, options)
    except DsocrError as error:
        print(f"    {entry['file']}: {error.code}: {error.message}")
    seconds = time.perf_counter() - began
    text = result.markdown if result else ""
    truth, tests = _truth(folder, entry), _tests(folder, entry)
    passed = [(test, scoring.passes(test, text)) for test in tests]
    tables = [ok for test, ok in passed if test["type"] == "table"]
    score = Score(
        entry["file"],
        entry.get("group", ""),
        scoring.similarity(text, truth) if truth else None,
        scoring.word_recall(text, truth) if truth else None,
        mean(ok for _, ok in passed) if passed else None,
        mean(tables) if tables else None,
        seconds,
        cost.cpu_seconds(),
        cost.peak_megabytes(),
        tuple(_short(test) for test, ok in passed if not ok),
        entry.get("script", ""),
        silent.word_counts(result, truth) if truth and result else None,
    )
    return score, result


def _truth(folder: Path, entry: dict[str, Any]) -> str:
    text = (folder / entry["gt"]).read_text() if entry.get("gt") else ""
    return _FRONT_MATTER.sub("", text)


def _tests(folder: Path, entry: dict[str, Any]) -> list[dict[str, Any]]:
    if not entry.get("gt_tests"):
        return []
    lines = (folder / entry["gt_tests"]).read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _short(test: dict[str, Any]) -> str:
    said = test.get("text") or test.get("cell") or test.get("math") or test.get("before", "")
    after = f" ... {test['after'][:40]}" if "after" in test else ""
    return f"{test['type']}: {said[:60]}{after}"


def _row(score: Score) -> str:
    figures = (score.similarity, score.recall, score.checks, score.table_checks)
    cells = " | ".join("    -" if value is None else f"{value:5.3f}" for value in figures)
    cost = f"{score.seconds:5.1f} | {score.cpu_seconds:5.1f} | {score.peak_megabytes:6.0f}"
    return f"| {score.file[:34]:34} | {score.group[:16]:16} | {cells} | {cost} |"


def group_means(scores: Sequence[Score]) -> list[Score]:
    """One line for each group and one for all; a mean covers the pages that have the figure."""
    groups = sorted({score.group for score in scores})
    parts = [(group, [s for s in scores if s.group == group]) for group in groups]
    return [_mean(name, part) for name, part in [*parts, ("all", list(scores))]]


def _mean(name: str, part: Sequence[Score]) -> Score:
    def over(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return mean(known) if known else None

    return Score(
        f"mean of {len(part)}",
        name,
        over([s.similarity for s in part]),
        over([s.recall for s in part]),
        over([s.checks for s in part]),
        over([s.table_checks for s in part]),
        mean(s.seconds for s in part),
        mean(s.cpu_seconds for s in part),
        max(s.peak_megabytes for s in part),
    )


def script_means(scores: Sequence[Score]) -> list[Score]:
    """One line for each script that the manifest names."""
    scripts = sorted({score.script for score in scores} - {""})
    return [_mean(script, [s for s in scores if s.script == script]) for script in scripts]


def warning_line(scores: Sequence[Score]) -> str:
    """How many words are wrong, and of how many of those nothing warns."""
    found = silent.total([score.words for score in scores if score.words is not None])
    share = "-" if found.share is None else f"{found.share:.3f}"
    return f"Words {found.words}, wrong {found.wrong}, of these without a flag {share}"


def _report(scores: Sequence[Score]) -> dict[str, Any]:
    return {
        "pages": [asdict(score) for score in scores],
        "groups": [asdict(score) for score in group_means(scores)],
        "scripts": [asdict(score) for score in script_means(scores)],
        "words": asdict(silent.total([s.words for s in scores if s.words is not None])),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--kinds", metavar="generated|FOLDER", help="cases with checks, by kind")
    parser.add_argument("--variants", type=int, default=4, help="typeset pages a kind")
    parser.add_argument("--seed", type=int, default=0, help="number of the first typeset page")
    parser.add_argument("--report", type=Path, help="write all figures here, as JSON")
    parser.add_argument("--engine", default="ppocr")
    parser.add_argument("--mode", default="gundam")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="where the processor has it")
    parser.add_argument("--picture", type=Path, help="draw each page here")
    parser.add_argument("--only", default="", help="pages whose file or group holds this word")
    arguments = parser.parse_args()
    if (arguments.folder is None) == (arguments.kinds is None):
        parser.error("name either a folder with a manifest, or --kinds")
    return arguments


def main() -> None:
    arguments = _arguments()
    options = OcrOptions(task="markdown", mode=arguments.mode, prompt=PROMPT)
    report = _kinds(arguments, options) if arguments.kinds else _pages(arguments, options)
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")


def _config(arguments: argparse.Namespace) -> PpocrConfig:
    return PpocrConfig(threads=arguments.threads, bfloat16=arguments.bfloat16)


def _kinds(arguments: argparse.Namespace, options: OcrOptions) -> dict[str, Any]:
    config = HostConfig(arguments.engine, {"ppocr": _config(arguments)})
    with kinds.folder_of(
        arguments.kinds, arguments.variants, arguments.seed, arguments.only
    ) as folder:
        return asyncio.run(kinds.measure(folder, config, options, only=arguments.only))


def _pages(arguments: argparse.Namespace, options: OcrOptions) -> dict[str, Any]:
    if arguments.picture is not None:
        arguments.picture.mkdir(parents=True, exist_ok=True)
    engine = create(arguments.engine, _config(arguments))
    print("| page | group | similarity | recall | checks | tables | s | CPU s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    scores = asyncio.run(
        measure(arguments.folder, engine, options, only=arguments.only, picture=arguments.picture)
    )
    if scores:
        for score in [*script_means(scores), *group_means(scores)]:
            print(_row(score))
        print(warning_line(scores))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"This process itself: {usage.ru_utime + usage.ru_stime:.1f} CPU s")
    return _report(scores) if scores else {}


if __name__ == "__main__":
    main()
