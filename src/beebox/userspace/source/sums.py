"""One's complement sums, as checksums are made of them."""

from __future__ import annotations

from beebox.compiler.dialect import inline, load_u8, load_u32, ptr, u32, u64


@inline
def fold(total: u64) -> u64:
    """A one's complement sum in 32 bits: carries come round. 0 only for a sum of zeros."""
    while total >> 32 != 0:
        total = (total & 0xFFFF_FFFF) + (total >> 32)
    return total


@inline
def partial(data: ptr, size: u32, seed: u64) -> u64:
    """The folded sum of ``size`` bytes as little-endian words, and ``seed``."""
    total = seed
    at = u32(0)
    while size - at >= 4:
        total += u64(load_u32(data + u64(at)))
        at += 4
    shift = u64(0)
    while at < size:
        total += u64(load_u8(data + u64(at))) << shift
        shift += 8
        at += 1
    return fold(total)


@inline
def add(a: u32, b: u32) -> u32:
    """One's complement addition of 32 bits; csum_add."""
    total = a + b
    if total < b:
        total += 1
    return total


@inline
def subtract(a: u32, b: u32) -> u32:
    """csum_sub."""
    return add(a, ~b)


@inline
def shifted(total: u32, at: u64) -> u32:
    """A sum of bytes that start ``at`` bytes into what is summed; csum_shift."""
    if at & 1 != 0:
        return (total >> 8) | (total << 24)
    return total
