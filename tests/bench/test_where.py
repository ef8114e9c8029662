"""What the bench on a GPU counts, as far as it can be told without one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.gpu import harness
from bench.gpu.harness import SteadyState
from bench.gpu.where import around, part_of
from bench.model import prefill
from bench.model.profiling import DECODE_PARTS, Stretch
from dsocr.runtime.kernels.triton_compat import INSTALLED
from tests.runtime.kernels.compilations import all_kernels


@pytest.mark.parametrize(
    ("name", "phase", "copies", "part"),
    [
        ("_attend", "decode", False, "decode: attention"),
        ("_attend", "prompts", False, "prompts"),
        ("_up", "decode", False, "decode: experts"),
        ("_sample", "decode", False, "decode: choice"),
        ("nvjet_tst_64x8_64x16_4x1_v_bz_TNT", "decode", False, "decode: head and other products"),
        ("void cutlass::Kernel2<gemm>", "encode", False, "encode"),
        ("_add_rmsnorm", "decode", False, "decode: small kernels"),
        ("Memcpy HtoD (Pinned -> Device)", "encode", True, "copies"),
        ("void at::native::elementwise_kernel", None, False, "other"),
    ],
)
def test_every_kernel_has_its_part(name: str, phase: str | None, copies: bool, part: str) -> None:
    assert part_of(Stretch(name, 0, 1, copies, phase)) == part


@pytest.mark.skipif(not INSTALLED, reason="needs triton")
@pytest.mark.parametrize("parts", [DECODE_PARTS, prefill.PARTS])
def test_parts_are_named_by_kernels_that_there_are(parts: dict[str, tuple[str, ...]]) -> None:
    kernels = {name.rpartition(".")[2] for name in all_kernels()}
    assert kernels.issuperset(name for names in parts.values() for name in names)


class JobNotifier:
    rung = 0

    def ring(self, times: int) -> int:
        self.rung += times
        return self.rung


def test_a_method_is_wrapped_for_a_while_and_several_times_over() -> None:
    bell, said = JobNotifier(), []

    @contextmanager
    def saying(name: str, times: int) -> Iterator[None]:
        said.append((name, times))
        yield

    with around(bell, "ring", lambda times: saying("outer", times)):
        with around(bell, "ring", lambda times: saying("inner", times)):
            assert bell.ring(2) == 2
        assert bell.ring(3) == 5
    assert bell.ring(4) == 9

    assert said == [("inner", 2), ("outer", 2), ("outer", 3)]
    assert "ring" not in vars(bell)


@pytest.mark.parametrize(("places", "generations"), [(1, 4), (3, 2), (8, 2)])
@pytest.mark.parametrize("stagger", [0, 1, 5])
def test_the_steady_state_has_the_rate_of_its_slots(
    places: int, generations: int, stagger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places write a piece of text a second; a page begins 10 seconds after the one before it."""
    length, wait = 50, 10
    steady, pages = SteadyState(), places * generations
    starts = {
        (place, turn): place * stagger + turn * (length + wait)
        for place, turn in itertools.product(range(places), range(generations))
    }
    texts = sorted((start + at, at == 0) for start in starts.values() for at in range(length))
    begun = 0
    for now, first in sorted(texts, key=lambda one: (one[0], not one[1])):
        monkeypatch.setattr(harness.time, "perf_counter", lambda now=now: float(now))
        begun += first
        steady.count_text(first=first, full=begun >= places)

    assert steady.rate(pages) == pytest.approx(places / (length + wait), rel=0.03)


def test_a_run_in_which_no_page_began_after_the_slots_were_full_has_no_rate() -> None:
    steady = SteadyState()
    steady.count_text(first=True, full=True)
    steady.count_text(first=False, full=True)
    assert steady.rate(1) is None
