"""Bits of addresses, most significant first, as LPM keys hold them."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    inline,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    ptr,
    store_u8,
    u8,
    u32,
    u64,
)

DATA_SIZE: Final = constant("DATA_SIZE")  # bytes of an address
ROOT_BITS: Final = constant("ROOT_BITS")  # that the first table is indexed by: 8 or 12
WORDS: Final = DATA_SIZE // 8 * 8


@inline
def root_index(data: ptr) -> u32:
    """The first ROOT_BITS bits."""
    if ROOT_BITS == 8:
        return u32(load_u8(data))
    return u32(load_u8(data)) << 4 | u32(load_u8(data + 1)) >> 4


@inline
def nibble(data: ptr, depth: u32) -> u32:
    """The 4 bits from bit ``depth`` on, a multiple of 4."""
    return u32(load_u8(data + u64(depth >> 3))) >> (4 - (depth & 4)) & 15


@inline
def differs(a: ptr, b: ptr, mask: ptr) -> bool:
    """Whether two addresses differ in the bits of ``mask``."""
    found = u64(0)
    at = u64(0)
    while at < WORDS:
        found |= (load_u64(a + at) ^ load_u64(b + at)) & load_u64(mask + at)
        at += 8
    if DATA_SIZE & 4:
        found |= u64((load_u32(a + WORDS) ^ load_u32(b + WORDS)) & load_u32(mask + WORDS))
    if DATA_SIZE & 2:
        at = u64(WORDS + (DATA_SIZE & 4))
        found |= u64((load_u16(a + at) ^ load_u16(b + at)) & load_u16(mask + at))
    if DATA_SIZE & 1:
        at = u64(DATA_SIZE - 1)
        found |= u64((load_u8(a + at) ^ load_u8(b + at)) & load_u8(mask + at))
    return found != 0


@inline
def common_bits(a: ptr, b: ptr, most: u32) -> u32:
    """How many leading bits two addresses share, ``most`` at most."""
    bits = u32(0)
    while bits < most:
        difference = load_u8(a + u64(bits >> 3)) ^ load_u8(b + u64(bits >> 3))
        if difference != 0:
            while difference & 0x80 == 0:
                difference = difference << 1
                bits += 1
            break
        bits += 8
    if bits > most:
        return most
    return bits


@inline
def store_host_bits(to: ptr, data: ptr, length: u32) -> None:
    """Take over the bits of ``data`` behind the first ``length``."""
    at = u64(length >> 3)
    if at < DATA_SIZE:
        host = u32(0xFF) >> (length & 7)
        kept = u32(load_u8(to + at)) & (host ^ 0xFF)
        store_u8(to + at, u8(kept | u32(load_u8(data + at)) & host))
        at += 1
    while at < DATA_SIZE:
        store_u8(to + at, load_u8(data + at))
        at += 1


@inline
def store_mask(mask: ptr, length: u32) -> None:
    """Write the address whose first ``length`` bits are set."""
    at = u32(0)
    while at < DATA_SIZE:
        bits = u32(0)
        if length > at * 8:
            bits = length - at * 8
        byte = u32(0xFF)
        if bits < 8:
            byte = u32(0xFF00) >> bits & 0xFF
        store_u8(mask + u64(at), u8(byte))
        at += 1
