"""Packets from Python: what is taken as it is, what is converted, what is refused."""

from __future__ import annotations

import array
import mmap

import numpy as np
import pytest

from beebox.errors import InputError
from beebox.hooks.packet import hook_of
from beebox.tables.program_types import ProgramType
from beebox.userspace.packets import check_packets

HOOK = hook_of(ProgramType.XDP)
DATA = bytes(range(100))


def test_arrays_of_the_right_type_are_not_copied():
    offsets, lengths = np.array([0, 50], dtype=np.uint64), np.array([20, 50], dtype=np.uint32)
    times = np.array([1, 2], dtype=np.uint64)
    packets = check_packets(DATA, offsets, lengths, times, HOOK)
    assert packets.offsets is offsets
    assert packets.lengths is lengths
    assert packets.times_ns is times
    assert packets.data.tobytes() == DATA


NUMBERS = [
    [0, 50],
    (0, 50),
    np.array([0, 50, 1])[:2],
    np.array([50, 0])[::-1],
    array.array("H", [0, 50]),
]


@pytest.mark.parametrize("numbers", NUMBERS)
def test_other_integers_are_converted(numbers):
    packets = check_packets(DATA, numbers, np.array([20, 7, 30, 7])[::2], None, HOOK)
    assert packets.offsets.tolist() == [0, 50]
    assert packets.lengths.tolist() == [20, 30]
    assert packets.offsets.flags.c_contiguous
    assert packets.times_ns is None


def test_any_contiguous_buffer_is_bytes():
    mapped = mmap.mmap(-1, 4096)
    words = np.zeros((4, 8), dtype=np.uint32)
    for buffer, size in ((mapped, 4096), (words, 128), (memoryview(DATA)[10:60], 50)):
        packets = check_packets(buffer, [0, size - 14], [14, 14], None, HOOK)
        assert packets.data.size == size
        with pytest.raises(InputError, match="packet 1"):
            check_packets(buffer, [0, size - 13], [14, 14], None, HOOK)
    with pytest.raises(InputError, match="contiguous"):
        check_packets(words.T, [0], [14], None, HOOK)


def test_packets_may_overlap_and_differ_widely_in_length():
    packets = check_packets(DATA, [0, 86, 10, 0], [100, 14, 90, 14], None, HOOK)
    assert packets.lengths.tolist() == [100, 14, 90, 14]


def test_the_first_wrong_one_is_named():
    with pytest.raises(InputError, match="packet 2: 15 bytes at 86 of a buffer of 100"):
        check_packets(DATA, [0, 86, 86, 99], [100, 14, 15, 14], None, HOOK)
    with pytest.raises(InputError, match="packet 1: a frame of 13 bytes"):
        check_packets(DATA, [99, 0], [14, 13], None, HOOK)
