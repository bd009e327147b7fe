"""The writers' lock of a map: one word of its storage, spun on."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    inline,
    load_u32_relaxed,
    pause,
    storage,
    store_u32_release,
    xchg_u32_acquire,
)

LOCK: Final = constant("LOCK")


@inline
def lock() -> None:
    """Take the lock, reading while it is held so that its cache line stays shared."""
    while xchg_u32_acquire(storage() + LOCK, 1) != 0:
        while load_u32_relaxed(storage() + LOCK) != 0:
            pause()


@inline
def unlock() -> None:
    """Give the lock back, publishing what was written under it."""
    store_u32_release(storage() + LOCK, 0)
