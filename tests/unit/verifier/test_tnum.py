"""Bits that are known: the next member, and the only one in a range."""

from __future__ import annotations

import itertools
import random

from beebox.verifier.numbers import tnum

_U64 = (1 << 64) - 1


def members(value, mask):
    bits = [bit for bit in range(8) if mask >> bit & 1]
    return sorted(
        value + sum(1 << bit for bit in chosen)
        for count in range(len(bits) + 1)
        for chosen in itertools.combinations(bits, count)
    )


def tnums():
    return [(value, mask) for mask in range(64) for value in range(64) if not value & mask]


def test_step_is_the_next_member():
    for value, mask in tnums():
        known = members(value, mask)
        for number in range(70):
            above = [member for member in known if member > number]
            assert tnum.step(value, mask, number) == (above[0] if above else known[-1])


def test_step_far_up():
    pick = random.Random(1)
    for _ in range(2000):
        mask = pick.getrandbits(64)
        value = pick.getrandbits(64) & ~mask
        number = pick.getrandbits(64)
        found = tnum.step(value, mask, number)
        assert found & ~mask & _U64 == value
        assert found > number or found == value | mask


def test_single_is_the_only_member_of_a_range():
    for value, mask in tnums():
        known = members(value, mask)
        for low, high in ((0, 20), (5, 5), (7, 30), (16, 63), (33, 40)):
            inside = [member for member in known if low <= member <= high]
            found = tnum.single(value, mask, low, high)
            if found is not None and inside:
                assert inside == [found]
            if len(inside) == 1 and inside[0] != known[-1]:
                assert found == inside[0]
