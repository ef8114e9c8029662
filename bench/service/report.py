"""The tables of a run, as they stand in `bench/README.md`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.service.clients.load import Load
from bench.service.decoding import Speed
from bench.service.rows import Figures
from bench.service.timeline import PageSpan, between

COLUMNS = (
    *("figure", "share", "pages/s", "alone", "pages", "failed", "CPU ms a page", "CPU share"),
    *("cores: front end", "cores: decoding", "cores: engine", "cores: clients", "cores: others"),
    *("rendering s", "waiting s", "engine s", "pages in the engine", "engine empty", "notes"),
)
"""Of the first table. `share`: of the pages a second in `alone`; `CPU share`: CPU time of decoding
alone beside that of the service and its clients, which other work on the machine changes little."""
BUSY = ("front end", "decoding", "engine", "clients", "others")
"""Others: all processes of the machine that are not of the service or its clients."""


def share(part: float, whole: float) -> str:
    """A percentage."""
    return f"{100 * part / whole:.1f} %"


def row(figures: Figures, alone: float, cpu_alone: float | None = None) -> dict[str, str]:
    """One line of the first table, by column. `alone`: pages a second of what it is a share of,
    `cpu_alone`: its CPU seconds a page."""
    cpu = figures.cpu_seconds / figures.pages
    line = {
        "figure": f"service: {figures.name}",
        "share": share(figures.rate, alone),
        "pages/s": f"{figures.rate:.2f}",
        "alone": f"{alone:.2f}",
        "pages": str(figures.pages),
        "failed": str(figures.failed),
        "CPU ms a page": _ms(cpu),
        "CPU share": share(cpu_alone, cpu) if cpu_alone else "",
        **_cores(figures.busy),
    }
    if figures.where is not None:
        where = figures.where
        line |= {
            "rendering s": f"{where.rendering:.2f}",
            "waiting s": f"{where.waiting:.2f}",
            "engine s": f"{where.recognizing:.2f}",
            "pages in the engine": f"{where.pages_in_engine:.0f}",
            "engine empty": f"{100 * where.engine_empty:.0f} %",
        }
    return line | {"notes": ", ".join(f"{key} {value}" for key, value in figures.notes.items())}


def boundary_row(through: Mapping[str, Any], inside: Mapping[str, Any]) -> dict[str, str]:
    """The engine in its process beside the runtime in one process, as many pages at a time."""
    line = engine_row(f"process boundary at {inside['in_flight']} pages", through)
    alone = inside["pages"] / inside["seconds"]
    rate = through["pages"] / through["seconds"]
    return line | {"share": share(rate, alone), "alone": f"{alone:.2f}"}


def engine_row(name: str, line: Mapping[str, Any]) -> dict[str, str]:
    """Of `bench.service.alone`."""
    return {
        "figure": name,
        "pages/s": f"{line['pages'] / line['seconds']:.2f}",
        "pages": str(line["pages"]),
        **_cores(line["cores"]),
    }


def decoding_row(name: str, speed: Speed) -> dict[str, str]:
    """Decoding alone by as many processes as there are cores."""
    line = {"figure": name, "pages/s": f"{speed.rate:.2f}", "pages": str(speed.pages)}
    return line | {"CPU ms a page": _ms(speed.cpu_seconds / speed.pages)}


def pdfium_row(figures: Figures, pdfium: Speed) -> dict[str, str]:
    """A born-digital PDF beside what pdfium alone renders on all cores."""
    cpu = figures.cpu_seconds / figures.pages
    return {
        "figure": "born-digital PDF job beside pdfium alone",
        "share": share(figures.rate, pdfium.rate),
        "pages/s": f"{figures.rate:.2f}",
        "alone": f"{pdfium.rate:.2f}",
        "CPU share": share(pdfium.cpu_seconds / pdfium.pages, cpu),
    }


def latency_rows(
    loads: Mapping[str, Load], spans: Sequence[PageSpan], decoding: float
) -> list[dict[str, str]]:
    """Milliseconds of single JPEGs, medians. `loads`: what they ran beside -> their requests.
    `decoding`: seconds that decoding one takes by itself. What is left the service adds."""
    lines = []
    for name, load in loads.items():
        latencies = sorted(load.latencies)
        pages = [span for span in between(spans, load.began, load.ended) if is_jpeg(span)]
        engine = statistics.median(span.done - span.given for span in pages)
        whole = statistics.median(latencies)
        line = {"a single image": name, "requests": str(len(latencies)), "ms": _ms(whole)}
        line |= {"engine": _ms(engine), "decoding by itself": _ms(decoding)}
        line |= {"the service adds": _ms(whole - engine - decoding), "slowest": _ms(latencies[-1])}
        lines.append(line)
    return lines


def is_jpeg(span: PageSpan) -> bool:
    """Whether it is the page of an image, not of a job's PDF."""
    return span.name.endswith(".jpg")


def table(lines: Sequence[Mapping[str, str]]) -> str:
    """Markdown. Columns as in `COLUMNS`, others as the lines name them; empty ones are left out."""
    named = dict.fromkeys(name for line in lines for name in line if line[name])
    columns = sorted(named, key=lambda name: COLUMNS.index(name) if name in COLUMNS else 0)
    rows = [columns, ["---"] * len(columns)]
    rows += [[line.get(name, "") for name in columns] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cores(busy: Mapping[str, float]) -> dict[str, str]:
    known = {role: busy[role] for role in BUSY if role in busy}
    known["others"] = busy["machine"] - sum(known.values())
    return {f"cores: {role}": f"{cores:.2f}" for role, cores in known.items()}


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"
