"""Numbers survive the way through a frame's header."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr.process.packing import pack_counts, pack_floats, unpack_counts, unpack_floats


@given(numbers=st.lists(st.floats(allow_nan=False)))
def test_floats_are_the_same_bit_for_bit(numbers: list[float]) -> None:
    assert unpack_floats(json.loads(json.dumps(pack_floats(numbers)))) == numbers


@given(numbers=st.lists(st.integers(0, 2**32 - 1)))
def test_counts_are_the_same(numbers: list[int]) -> None:
    assert unpack_counts(json.loads(json.dumps(pack_counts(numbers)))) == numbers


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(OverflowError):
        pack_counts([-1])
