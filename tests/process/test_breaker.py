"""When starting is not tried any more, and when it is again."""

from __future__ import annotations

from dsocr.process.breaker import CRASHES, PAUSE_SECONDS, WINDOW_SECONDS, Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_many_deaths_open_it_and_one_start_is_tried_after_every_pause() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(CRASHES - 1):
        breaker.died()
    assert breaker.wait_seconds == 0
    breaker.died()
    assert breaker.wait_seconds == PAUSE_SECONDS

    clock.now += PAUSE_SECONDS
    assert breaker.wait_seconds == 0
    breaker.died()  # the try failed
    assert breaker.wait_seconds == PAUSE_SECONDS


def test_deaths_far_apart_are_none_of_its_business() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3 * CRASHES):
        breaker.died()
        clock.now += WINDOW_SECONDS / (CRASHES - 1) + 1
        assert breaker.wait_seconds == 0


def test_what_reads_something_between_its_deaths_is_replaced_every_time() -> None:
    breaker = Breaker(Clock())
    for _ in range(3 * CRASHES):
        breaker.died()
        breaker.worked()
    assert breaker.wait_seconds == 0
