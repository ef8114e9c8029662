"""Pages are prepared ahead in threads, a bounded number of them, and leave in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from PIL import Image

from dsocr.runtime.scheduling.inputs import InputQueue, Prepared, Request
from dsocr.runtime.scheduling.preprocess import Resolution
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.prompt import PromptError
from tests.waiting import DEADLINE_SECONDS


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def request(number: int) -> Request:
    return Request(number, Image.new("RGB", (1, 1)), "", Resolution(1, 1, False), SamplingParams())


class Gate:
    """Prepares nothing before it is opened; knows which pages came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came: list[int] = []

    def __call__(self, request: Request) -> Prepared:
        self.came.append(request.request_id)
        assert self.open.wait(DEADLINE_SECONDS)
        return request, PromptError("a stand-in")


def taken(intake: InputQueue) -> list[int]:
    numbers = []
    while len(intake):
        intake.wait(DEADLINE_SECONDS)
        if prepared := intake.take():
            numbers.append(prepared[0].request_id)
    return numbers


def test_pages_leave_in_the_order_they_came(pool: Executor) -> None:
    gate = Gate()
    gate.open.set()
    intake = InputQueue(gate, ahead=3, pool=pool)
    for number in range(20):
        intake.add(request(number))
    assert taken(intake) == list(range(20))


def test_only_so_many_are_prepared_ahead(pool: Executor) -> None:
    gate = Gate()
    intake = InputQueue(gate, ahead=3, pool=pool)
    for number in range(20):
        intake.add(request(number))
    assert intake.take() is None

    gate.open.set()
    intake.wait(DEADLINE_SECONDS)

    assert set(gate.came) <= {0, 1, 2}
    assert taken(intake) == list(range(20))


def test_a_cancelled_page_is_not_taken(pool: Executor) -> None:
    gate = Gate()
    intake = InputQueue(gate, ahead=2, pool=pool)
    for number in range(5):
        intake.add(request(number))

    for number in (0, 3, 7):
        intake.cancel(number)

    gate.open.set()
    assert taken(intake) == [1, 2, 4]
    assert 3 not in gate.came


def test_without_threads_a_page_is_prepared_when_it_is_taken() -> None:
    gate = Gate()
    gate.open.set()
    intake = InputQueue(gate, ahead=2)
    intake.add(request(1))
    assert gate.came == [] and len(intake) == 1

    prepared = intake.take()

    assert prepared is not None and gate.came == [1] and len(intake) == 0
