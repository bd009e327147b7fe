"""Helper functions as native code: what :mod:`beebox.userspace.helpers` does in Python, inlinable.

Arguments are the registers' 64 bits; a helper that takes fewer uses the low ones, as Linux. Errors
are negative errno values. Offsets are ``vm.memory``'s.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    export,
    i64,
    inline,
    load_u32,
    load_u64,
    ptr,
    store_u64,
    u32,
    u64,
)
from beebox.userspace.source.sums import fold, partial

TIME: Final = constant("TIME")
PRANDOM: Final = constant("PRANDOM")
CPU: Final = constant("CPU")

GAMMA: Final = 0x9E37_79B9_7F4A_7C15  # splitmix64's constants
MIX_1: Final = 0xBF58_476D_1CE4_E5B9
MIX_2: Final = 0x94D0_49BB_1331_11EB


@export
@inline
def ktime_get_ns(rt: ptr) -> i64:
    """The clock the run was given."""
    return i64(load_u64(rt + TIME))


@export
@inline
def get_smp_processor_id(rt: ptr) -> i64:
    """The CPU the run was given."""
    return i64(load_u32(rt + CPU))


@export
@inline
def get_prandom_u32(rt: ptr) -> i64:
    """The upper half of splitmix64's next number."""
    state = load_u64(rt + PRANDOM) + GAMMA
    store_u64(rt + PRANDOM, state)
    z = (state ^ (state >> 30)) * MIX_1
    z = (z ^ (z >> 27)) * MIX_2
    return i64((z ^ (z >> 31)) >> 32)


@export
@cold
def csum_diff(rt: ptr, old: ptr, old_size: i64, new: ptr, new_size: i64, seed: i64) -> i64:
    """The seed + sum(new) - sum(old), folded to 16 bits."""
    removed = u32(old_size)
    added = u32(new_size)
    total = u64(u32(seed))
    if removed != 0:
        if added != 0:
            total = partial(new, added, total)
            total = fold(total + (partial(old, removed, 0) ^ 0xFFFF_FFFF))
        else:
            total = partial(old, removed, total ^ 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    elif added != 0:
        total = partial(new, added, total)
    total = (total >> 16) + (total & 0xFFFF)
    return i64((total >> 16) + (total & 0xFFFF))
