"""BLOOM_FILTER: whether a value was pushed, with false positives and no false negatives.

Each value sets HASHES bits of a power of two; the bits come from one hash by double hashing.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cmpxchg_u64_relaxed,
    constant,
    export,
    i64,
    inline,
    load_u64,
    load_u64_relaxed,
    ptr,
    storage,
    u64,
)
from beebox.maps.source.keys import hash_bytes

SEED: Final = constant("SEED")
ELEMENTS: Final = constant("ELEMENTS")
BIT_MASK: Final = constant("BIT_MASK")
HASHES: Final = constant("HASHES")

ENOENT: Final = 2
EINVAL: Final = 22


@inline
def word_of(position: u64) -> ptr:
    """The 64-bit word that holds a bit."""
    return storage() + (ELEMENTS + ((position & BIT_MASK) >> 6 << 3))


@export
@inline
def push(rt: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_push_elem."""
    if flags != 0:
        return i64(-EINVAL)
    hashed = hash_bytes(value, load_u64(storage() + SEED))
    step = hashed >> 32 | 1
    done = u64(0)
    while done < HASHES:
        word = word_of(hashed)
        bit = u64(1) << (hashed & 63)
        old = load_u64_relaxed(word)
        while old & bit == 0:
            seen = cmpxchg_u64_relaxed(word, old, old | bit)
            if seen == old:
                break
            old = seen
        hashed += step
        done += 1
    return i64(0)


@export
@inline
def peek(rt: ptr, value: ptr) -> i64:
    """bpf_map_peek_elem: 0 where the value may have been pushed, -ENOENT where it was not."""
    hashed = hash_bytes(value, load_u64(storage() + SEED))
    step = hashed >> 32 | 1
    done = u64(0)
    while done < HASHES:
        if load_u64_relaxed(word_of(hashed)) & (u64(1) << (hashed & 63)) == 0:
            return i64(-ENOENT)
        hashed += step
        done += 1
    return i64(0)
