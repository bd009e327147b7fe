"""Tristate numbers: each bit is 0, 1 or unknown.

A tnum is a pair ``(value, mask)`` of unsigned integers, ``value & mask == 0``; a set mask bit is
unknown. Functions take a width as ``full`` (all ones of that width). Source: the kernel's
Documentation/bpf/verifier.rst, and Vishwanathan et al., "Sound, Precise, and Fast Abstract
Interpretation with Tristate Numbers" (CGO 2022).
"""

from __future__ import annotations

from typing import Final

_U64: Final = (1 << 64) - 1


def from_range(low: int, high: int, full: int) -> tuple[int, int]:
    """The smallest tnum that holds every number of ``[low, high]`` (unsigned)."""
    unknown = (1 << (low ^ high).bit_length()) - 1
    return low & ~unknown & full, unknown & full


def add(av: int, am: int, bv: int, bm: int, full: int) -> tuple[int, int]:
    """Sum: a bit is unknown where an unknown operand bit or carry can reach it."""
    mask_sum = am + bm
    value_sum = av + bv
    mask = ((mask_sum + value_sum) ^ value_sum | am | bm) & full
    return value_sum & ~mask & full, mask


def sub(av: int, am: int, bv: int, bm: int, full: int) -> tuple[int, int]:
    """Difference: as :func:`add`, with borrows."""
    difference = av - bv
    mask = (((difference + am) ^ (difference - bm)) | am | bm) & full
    return difference & ~mask & full, mask


def mul(av: int, am: int, bv: int, bm: int, full: int) -> tuple[int, int]:
    """Product by shift and add; an unknown bit of the multiplier joins both outcomes."""
    value, mask = 0, 0
    while av or am:
        if av & 1:
            value, mask = add(value, mask, bv, bm, full)
        elif am & 1:
            other_value, other_mask = add(value, mask, bv, bm, full)
            mask |= other_mask | (other_value ^ value)
            value = value & other_value & ~mask
        av >>= 1
        am >>= 1
        bv = bv << 1 & full
        bm = bm << 1 & full
    return value, mask


def step(value: int, mask: int, number: int) -> int:
    """The smallest 64-bit member above ``number``; the largest member where there is none."""
    top = value | mask
    if number >= top:
        return top
    if number < value:
        return value
    matched = value | (number & mask)
    if matched > number:  # a known 1 where the number has a 0: behind it, the least bits will do
        high = _U64 << (~number & value & _U64).bit_length() & _U64
        return (high & number) | (~high & value)
    low = (number & ~value & ~mask & _U64).bit_length()
    high = _U64 << low & _U64
    raised = (((high & mask & number) | (high & ~mask)) + (1 << low)) & _U64
    return (raised & mask) | value


def single(value: int, mask: int, low: int, high: int) -> int | None:
    """The only 64-bit member in ``[low, high]``, by the three rules that Linux has for it."""
    following = step(value, mask, low)
    if low & ~mask == value:
        return low if following > high else None
    if following == value | mask:
        return following
    if following <= high and step(value, mask, following) > high:
        return following
    return None
