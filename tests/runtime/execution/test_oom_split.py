"""What a runner does in quiet moments must not bring it down. Steps that do not fit are the
scheduler's tests'."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.execution.oom_split import OomSplittingRunner


class Preparing:
    """Makes this many things ready, then fails or is done."""

    def __init__(self, *, left: int, fails: Exception | None = None) -> None:
        self.left, self.fails, self.asked = left, fails, 0

    def run_idle_work(self) -> bool:
        self.asked += 1
        if self.left:
            self.left -= 1
            return True
        if self.fails is not None:
            raise self.fails
        return False


def made_ready(runner: Preparing, moments: int) -> list[bool]:
    patient = OomSplittingRunner(runner)  # type: ignore[arg-type]
    return [patient.run_idle_work() for _ in range(moments)]


@pytest.mark.parametrize(
    "fails",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_what_has_no_room_is_not_tried_again(fails: Exception) -> None:
    runner = Preparing(left=2, fails=fails)
    assert made_ready(runner, 5) == [True, True, False, False, False]
    assert runner.asked == 3


def test_what_is_wanted_later_is_made_ready_later() -> None:
    runner = Preparing(left=1)
    patient = OomSplittingRunner(runner)  # type: ignore[arg-type]
    assert [patient.run_idle_work() for _ in range(3)] == [True, False, False]
    runner.left = 1
    assert patient.run_idle_work()


def test_other_faults_are_no_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="illegal"):
        made_ready(Preparing(left=0, fails=RuntimeError("an illegal memory access")), 1)
