"""Worker processes that are started before their supervisor."""

from __future__ import annotations

from dsocr.process import early
from dsocr.process.early import start_early, take_early
from dsocr.process.supervisor import Supervisor, Timeouts
from tests.waiting import DEADLINE_SECONDS, wait_until

SERVE = "tests.process.early_worker:serve"
TIMEOUTS = Timeouts(stall=DEADLINE_SECONDS, start=DEADLINE_SECONDS)


async def test_a_supervisor_uses_the_process_that_was_started_for_it() -> None:
    start_early(SERVE, {"number": 1})
    supervisor = Supervisor(SERVE, {"number": 1}, timeouts=TIMEOUTS)
    ready = await supervisor.start()
    assert (ready["given"], ready["pid"]) == ({"number": 1}, supervisor.pid)
    assert take_early(SERVE, {"number": 1}) is None
    await supervisor.close()


def test_a_process_of_other_settings_is_ended_and_not_used() -> None:
    start_early(SERVE, {"number": 1})
    assert take_early(SERVE, {"number": 2}) is None
    assert take_early(SERVE, {"number": 1}) is None


def test_a_process_that_has_ended_is_not_used() -> None:
    missing = "tests.process.early_worker:missing"
    start_early(missing, {})
    wait_until(lambda: not early._children[missing][1].alive)
    assert take_early(missing, {}) is None
