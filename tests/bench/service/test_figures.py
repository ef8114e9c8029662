"""CPU time by role, where pages were, and the tables."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.service import cores, report
from bench.service.clients.load import Load, merge
from bench.service.decoding import Speed
from bench.service.engine import Trace
from bench.service.rows import Figures
from bench.service.timeline import PageSpan, between, mean_times, read_trace
from tests.fakes import page_image

TICKS = os.sysconf("SC_CLK_TCK")


def test_cpu_times_are_read_after_a_name_with_parentheses() -> None:
    fields = "S 1 2 3 4 5 6 7 8 9 10 300 100 40 20 17 0"

    times = cores.parse_stat(f"42 (a) b (c)) {fields}")

    assert times == cores.CpuTimes(400 / TICKS, 60 / TICKS)


def test_the_machine_is_busy_with_all_but_idling_and_waiting_for_a_disk() -> None:
    text = "cpu  100 10 50 9999 8888 5 7 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n"

    assert cores.machine_seconds(text) == 172 / TICKS


def test_this_process_is_a_front_end_with_cpu_time() -> None:
    before = cores.sample(os.getpid())
    sum(range(1_000_000))
    after = cores.sample(os.getpid())

    busy = after.cores_since(before)

    assert set(busy) == {*cores.ROLES, "machine"}
    assert after.seconds["front end"] >= before.seconds["front end"] > 0


def test_a_trace_has_each_page_with_its_document(tmp_path: Path) -> None:
    trace, page = Trace(str(tmp_path / "trace")), page_image([])
    trace.ready(320)
    trace.rendered(page, "a.jpg", 1.0)
    trace.recognized(page, 2.0)
    trace.close()

    max_pages, [span] = read_trace(tmp_path / "trace")

    assert max_pages == 320
    assert (span.name, span.asked, span.given) == ("a.jpg", 1.0, 2.0)
    assert span.done >= span.rendered


def test_where_pages_were_counts_overlaps_once() -> None:
    spans = [
        PageSpan("a", asked=0, rendered=1, given=2, done=4),
        PageSpan("b", asked=0, rendered=2, given=3, done=5),
        PageSpan("c", asked=4, rendered=5, given=7, done=8),
    ]

    found = mean_times(spans, 0, 10)

    assert found.rendering == pytest.approx(4 / 3)
    assert found.waiting == pytest.approx(4 / 3)
    assert found.recognizing == pytest.approx(5 / 3)
    assert found.pages_in_engine == pytest.approx(0.5)
    assert found.engine_empty == pytest.approx(0.6)
    assert between(spans, 1, 10) == spans[2:]


def test_a_row_without_pages_says_so() -> None:
    with pytest.raises(ValueError, match="no page was recognized"):
        mean_times([], 0, 1)


def test_the_clients_of_a_row_are_one_load() -> None:
    results: list[dict[str, Any]] = [
        {
            "statuses": {"200": 1, "429": 2},
            "pages": pages,
            "failed": 1,
            "spans": [[1.0, end]],
            "first_texts": [0.5],
            "jobs": [],
            "cpu_seconds": 0.25,
        }
        for pages, end in ((3, 4.0), (5, 6.0))
    ]

    load = merge(0.5, json.loads(json.dumps(results)))

    assert (load.pages, load.failed, load.refused) == (8, 2, 4)
    assert (load.began, load.ended) == (0.5, 6.0)
    assert load.latencies == [3.0, 5.0]
    assert load.cpu_seconds == 0.5


def figures(**changes: Any) -> Figures:
    busy = {"front end": 0.5, "decoding": 1.0, "engine": 0.25, "clients": 0.25, "machine": 2.5}
    values: dict[str, Any] = {
        "name": "scanned PDF job",
        "workload": "scanned",
        "pages": 100,
        "seconds": 10.0,
        "failed": 0,
        "busy": busy,
        "where": None,
    }
    return Figures(**(values | changes))


def test_a_row_gives_its_share_in_the_second_column() -> None:
    line = report.row(figures(), 12.5, cpu_alone=0.15)

    head, _, cells = report.table([line]).split("\n")

    assert cells.startswith("| service: scanned PDF job | 80.0 % | 10.00 | 12.50 | 100 |")
    assert head.startswith("| figure | share | pages/s | alone | pages |")
    assert line["CPU ms a page"] == "200"
    assert line["CPU share"] == "75.0 %"
    assert line["cores: others"] == "0.50"


def test_the_boundary_is_a_share_of_the_runtime_in_one_process() -> None:
    busy = {"front end": 0.5, "decoding": 0.0, "engine": 1.0, "machine": 1.5}
    through = {"pages": 512, "seconds": 20.0, "cores": busy}

    line = report.boundary_row(through, {"pages": 512, "seconds": 19.0, "in_flight": 256})

    assert line["figure"] == "process boundary at 256 pages"
    assert line["share"] == "95.0 %"


def test_pdfium_alone_is_compared_by_pages_and_by_cpu_time() -> None:
    line = report.pdfium_row(figures(), Speed(pages=48, seconds=4.0, cpu_seconds=7.2))

    assert (line["share"], line["CPU share"]) == ("83.3 %", "75.0 %")


def test_what_the_service_adds_is_neither_engine_nor_decoding() -> None:
    load = Load(0.0, 3.0, 3, 0, 0, [0.7, 0.6, 0.8], [], [], 0.0)
    jpegs = [PageSpan("a.jpg", 0, 0.1, 0.1, 0.6), PageSpan("b.jpg", 1, 1.1, 1.1, 1.6)]
    job = PageSpan("book.pdf", 0, 1, 1, 2.9)

    [line] = report.latency_rows({"beside a job": load}, [*jpegs, job], decoding=0.02)

    assert line == {
        "a single image": "beside a job",
        "requests": "3",
        "ms": "700",
        "engine": "500",
        "decoding by itself": "20",
        "the service adds": "180",
        "slowest": "800",
    }
