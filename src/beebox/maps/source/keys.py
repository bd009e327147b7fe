"""Keys of a constant size: hashing and comparing. Shared by the map types that hash."""

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
    u64,
)

KEY_SIZE: Final = constant("KEY_SIZE")
WORDS: Final = KEY_SIZE // 8 * 8  # bytes of the key that are whole 64-bit words
MULTIPLIER: Final = 0x9E37_79B9_7F4A_7C15  # odd, bits well spread: 2^64 divided by the golden ratio


@inline
def key_tail(key: ptr) -> u64:
    """The last KEY_SIZE % 8 bytes of a key, as a number."""
    tail = u64(0)
    if KEY_SIZE & 4:
        tail = u64(load_u32(key + WORDS))
    if KEY_SIZE & 2:
        tail = (tail << 16) | u64(load_u16(key + (WORDS + (KEY_SIZE & 4))))
    if KEY_SIZE & 1:
        tail = (tail << 8) | u64(load_u8(key + (KEY_SIZE - 1)))
    return tail


@inline
def mix(state: u64, word: u64) -> u64:
    """Fold one word in: the product's high bits are the good ones, so they come down."""
    product = (state ^ word) * MULTIPLIER
    return product ^ (product >> 32)


@inline
def hash_bytes(key: ptr, seed: u64) -> u64:
    """The key's hash under a seed."""
    state = seed
    at = u64(0)
    while at < WORDS:
        state = mix(state, load_u64(key + at))
        at += 8
    if KEY_SIZE % 8:
        state = mix(state, key_tail(key))
    return state


@inline
def same_key(a: ptr, b: ptr) -> bool:
    """Whether two keys hold the same bytes."""
    difference = u64(0)
    at = u64(0)
    while at < WORDS:
        difference |= load_u64(a + at) ^ load_u64(b + at)
        at += 8
    if KEY_SIZE % 8:
        difference |= key_tail(a) ^ key_tail(b)
    return difference == 0
