"""When process starts are paused, and when they are allowed again."""

from __future__ import annotations

from dsocr.process.breaker import CRASHES, PAUSE_SECONDS, WINDOW_SECONDS, CircuitBreaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_many_crashes_open_it_and_one_start_is_allowed_after_every_pause() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(CRASHES - 1):
        breaker.record_crash()
    assert breaker.wait_seconds == 0
    breaker.record_crash()
    assert breaker.wait_seconds == PAUSE_SECONDS

    clock.now += PAUSE_SECONDS
    assert breaker.wait_seconds == 0
    breaker.record_crash()  # the start failed
    assert breaker.wait_seconds == PAUSE_SECONDS


def test_crashes_far_apart_do_not_open_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(3 * CRASHES):
        breaker.record_crash()
        clock.now += WINDOW_SECONDS / (CRASHES - 1) + 1
        assert breaker.wait_seconds == 0


def test_finished_pages_between_crashes_keep_it_closed() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(3 * CRASHES):
        breaker.record_crash()
        breaker.record_success()
    assert breaker.wait_seconds == 0
