"""Requests are prepared ahead in threads, a bounded number of them, and leave in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from PIL import Image

from dsocr.runtime.scheduling.inputs import InputQueue, Prepared, Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.prompt import PromptError
from tests.waiting import DEADLINE_SECONDS


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def request(number: int) -> Request:
    return Request(number, Image.new("RGB", (1, 1)), "", "tiny", SamplingParams())


class Gate:
    """Prepares nothing before it is opened; knows which pages came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came: list[int] = []

    def __call__(self, request: Request) -> Prepared:
        self.came.append(request.request_id)
        assert self.open.wait(DEADLINE_SECONDS)
        return request, PromptError("a stand-in")


def taken(queue: InputQueue) -> list[int]:
    numbers = []
    while len(queue):
        queue.wait(DEADLINE_SECONDS)
        if prepared := queue.take():
            numbers.append(prepared[0].request_id)
    return numbers


def test_requests_leave_in_the_order_of_arrival(executor: Executor) -> None:
    gate = Gate()
    gate.open.set()
    queue = InputQueue(gate, max_prepared=3, executor=executor)
    for number in range(20):
        queue.add(request(number))
    assert taken(queue) == list(range(20))


def test_only_so_many_are_prepared_ahead(executor: Executor) -> None:
    gate = Gate()
    queue = InputQueue(gate, max_prepared=3, executor=executor)
    for number in range(20):
        queue.add(request(number))
    assert queue.take() is None

    gate.open.set()
    queue.wait(DEADLINE_SECONDS)

    assert set(gate.came) <= {0, 1, 2}
    assert taken(queue) == list(range(20))


def test_a_cancelled_page_is_not_taken(executor: Executor) -> None:
    gate = Gate()
    queue = InputQueue(gate, max_prepared=2, executor=executor)
    for number in range(5):
        queue.add(request(number))

    for number in (0, 3, 7):
        queue.cancel(number)

    gate.open.set()
    assert taken(queue) == [1, 2, 4]
    assert 3 not in gate.came


def test_without_threads_a_page_is_prepared_when_it_is_taken() -> None:
    gate = Gate()
    gate.open.set()
    queue = InputQueue(gate, max_prepared=2)
    queue.add(request(1))
    assert gate.came == [] and len(queue) == 1

    prepared = queue.take()

    assert prepared is not None and gate.came == [1] and len(queue) == 0
