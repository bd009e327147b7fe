"""The native dialect, as its authors import it: raw memory, ordered atomics, constants.

The map runtime and helper bodies are written in this language. ``frontend.analyze_native``
reads them as text; these stubs exist so that mypy and readers can check them, and do nothing when
called. Semantics: ``compiler.intrinsics``. The integer rules are those of the whole language:
fixed width, literals adapt (``n = u32(0)``), no implicit narrowing, mixed signs refused.

What differs from a program: ``ptr`` (an address; ``p + n``, ``p - q``, ``==``, ``is None``), loops
without a bound, functions with any number of arguments, and ``if`` over compile-time constants,
whose branch not taken is not even typed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

u8: TypeAlias = int
u16: TypeAlias = int
u32: TypeAlias = int
u64: TypeAlias = int
i8: TypeAlias = int
i16: TypeAlias = int
i32: TypeAlias = int
i64: TypeAlias = int

KEYWORDS: Final = ("constant", "export", "inline", "cold")  # the names that are not intrinsics


class ptr:
    """An address. None is the null address: a function that may return it says ``ptr | None``."""

    def __add__(self, n: u64) -> ptr:
        _native(self, n)

    def __sub__(self, other: ptr) -> u64:
        _native(self, other)


def _native(*_: object) -> NoReturn:
    raise NotImplementedError("the native dialect is compiled, not executed")


def constant(name: str) -> int:
    """The compile-time integer ``name`` given to ``analyze_native``; adapts like a literal."""
    _native(name)


def export(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as callable from outside its module, under its name with the prefix."""
    return function


def inline(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as always inlined."""
    return function


def cold(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as never inlined and rarely called."""
    return function


def storage() -> ptr:
    """The first byte of the map's storage."""
    _native()


def copy(dst: ptr, src: ptr, n: u64) -> None:
    """Copy a constant number of bytes that do not overlap."""
    _native(dst, src, n)


def zero(dst: ptr, n: u64) -> None:
    """Zero a constant number of bytes."""
    _native(dst, n)


def move(dst: ptr, src: ptr, n: u64) -> None:
    """Copy any number of bytes, which may overlap."""
    _native(dst, src, n)


def clear(dst: ptr, n: u64) -> None:
    """Zero any number of bytes."""
    _native(dst, n)


def fence_acquire() -> None:
    """Order what comes before and after, with acquire order."""
    _native()


def fence_release() -> None:
    """Order what comes before and after, with release order."""
    _native()


def pause() -> None:
    """Tell the CPU that this is a spin-wait loop."""
    _native()


def prefetch(address: ptr) -> None:
    """Ask for the cache line of an address."""
    _native(address)


def likely(condition: bool) -> bool:
    """The condition, expected to hold."""
    _native(condition)


def unlikely(condition: bool) -> bool:
    """The condition, expected not to hold."""
    _native(condition)


def load_ptr(address: ptr) -> ptr:
    """Read an address, at any alignment."""
    _native(address)


def store_ptr(address: ptr, value: ptr) -> None:
    """Write an address, at any alignment."""
    _native(address, value)


def load_u8(address: ptr) -> u8:
    """Read 8 bits, at any alignment."""
    _native(address)


def store_u8(address: ptr, value: u8) -> None:
    """Write 8 bits, at any alignment."""
    _native(address, value)


def load_u16(address: ptr) -> u16:
    """Read 16 bits, at any alignment."""
    _native(address)


def store_u16(address: ptr, value: u16) -> None:
    """Write 16 bits, at any alignment."""
    _native(address, value)


def load_u32(address: ptr) -> u32:
    """Read 32 bits, at any alignment."""
    _native(address)


def store_u32(address: ptr, value: u32) -> None:
    """Write 32 bits, at any alignment."""
    _native(address, value)


def load_u32_relaxed(address: ptr) -> u32:
    """Read 32 bits, atomically."""
    _native(address)


def store_u32_relaxed(address: ptr, value: u32) -> None:
    """Write 32 bits, atomically."""
    _native(address, value)


def load_u32_acquire(address: ptr) -> u32:
    """Read 32 bits, atomically, with acquire order."""
    _native(address)


def store_u32_release(address: ptr, value: u32) -> None:
    """Write 32 bits, atomically, with release order."""
    _native(address, value)


def load_u64(address: ptr) -> u64:
    """Read 64 bits, at any alignment."""
    _native(address)


def store_u64(address: ptr, value: u64) -> None:
    """Write 64 bits, at any alignment."""
    _native(address, value)


def load_u64_relaxed(address: ptr) -> u64:
    """Read 64 bits, atomically."""
    _native(address)


def store_u64_relaxed(address: ptr, value: u64) -> None:
    """Write 64 bits, atomically."""
    _native(address, value)


def load_u64_acquire(address: ptr) -> u64:
    """Read 64 bits, atomically, with acquire order."""
    _native(address)


def store_u64_release(address: ptr, value: u64) -> None:
    """Write 64 bits, atomically, with release order."""
    _native(address, value)


def xchg_u32_relaxed(address: ptr, new: u32) -> u32:
    """Write 32 bits, atomically; return the old value."""
    _native(address, new)


def add_u32_relaxed(address: ptr, value: u32) -> u32:
    """Add to 32 bits, atomically; return the old value."""
    _native(address, value)


def cmpxchg_u32_relaxed(address: ptr, expected: u32, new: u32) -> u32:
    """Write ``new`` over ``expected``, atomically; return the old value."""
    _native(address, expected, new)


def xchg_u32_acquire(address: ptr, new: u32) -> u32:
    """Write 32 bits, atomically, with acquire order; return the old value."""
    _native(address, new)


def add_u32_acquire(address: ptr, value: u32) -> u32:
    """Add to 32 bits, atomically, with acquire order; return the old value."""
    _native(address, value)


def cmpxchg_u32_acquire(address: ptr, expected: u32, new: u32) -> u32:
    """Write ``new`` over ``expected``, atomically, with acquire order; return the old value."""
    _native(address, expected, new)


def xchg_u32_release(address: ptr, new: u32) -> u32:
    """Write 32 bits, atomically, with release order; return the old value."""
    _native(address, new)


def add_u32_release(address: ptr, value: u32) -> u32:
    """Add to 32 bits, atomically, with release order; return the old value."""
    _native(address, value)


def cmpxchg_u32_release(address: ptr, expected: u32, new: u32) -> u32:
    """Write ``new`` over ``expected``, atomically, with release order; return the old value."""
    _native(address, expected, new)


def xchg_u32_acq_rel(address: ptr, new: u32) -> u32:
    """Write 32 bits, atomically, acquire and release; return the old value."""
    _native(address, new)


def add_u32_acq_rel(address: ptr, value: u32) -> u32:
    """Add to 32 bits, atomically, acquire and release; return the old value."""
    _native(address, value)


def cmpxchg_u32_acq_rel(address: ptr, expected: u32, new: u32) -> u32:
    """Write ``new`` over ``expected``, atomically, acquire and release; return the old value."""
    _native(address, expected, new)


def xchg_u64_relaxed(address: ptr, new: u64) -> u64:
    """Write 64 bits, atomically; return the old value."""
    _native(address, new)


def add_u64_relaxed(address: ptr, value: u64) -> u64:
    """Add to 64 bits, atomically; return the old value."""
    _native(address, value)


def cmpxchg_u64_relaxed(address: ptr, expected: u64, new: u64) -> u64:
    """Write ``new`` over ``expected``, atomically; return the old value."""
    _native(address, expected, new)


def xchg_u64_acquire(address: ptr, new: u64) -> u64:
    """Write 64 bits, atomically, with acquire order; return the old value."""
    _native(address, new)


def add_u64_acquire(address: ptr, value: u64) -> u64:
    """Add to 64 bits, atomically, with acquire order; return the old value."""
    _native(address, value)


def cmpxchg_u64_acquire(address: ptr, expected: u64, new: u64) -> u64:
    """Write ``new`` over ``expected``, atomically, with acquire order; return the old value."""
    _native(address, expected, new)


def xchg_u64_release(address: ptr, new: u64) -> u64:
    """Write 64 bits, atomically, with release order; return the old value."""
    _native(address, new)


def add_u64_release(address: ptr, value: u64) -> u64:
    """Add to 64 bits, atomically, with release order; return the old value."""
    _native(address, value)


def cmpxchg_u64_release(address: ptr, expected: u64, new: u64) -> u64:
    """Write ``new`` over ``expected``, atomically, with release order; return the old value."""
    _native(address, expected, new)


def xchg_u64_acq_rel(address: ptr, new: u64) -> u64:
    """Write 64 bits, atomically, acquire and release; return the old value."""
    _native(address, new)


def add_u64_acq_rel(address: ptr, value: u64) -> u64:
    """Add to 64 bits, atomically, acquire and release; return the old value."""
    _native(address, value)


def cmpxchg_u64_acq_rel(address: ptr, expected: u64, new: u64) -> u64:
    """Write ``new`` over ``expected``, atomically, acquire and release; return the old value."""
    _native(address, expected, new)
