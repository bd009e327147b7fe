"""Numbers and comparisons in text, as native code with Linux's results."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    export,
    i64,
    inline,
    load_u8,
    load_u64,
    ptr,
    store_u64,
    u8,
    u32,
    u64,
)

EINVAL: Final = 22
ERANGE: Final = 34

BASES: Final = 0x1F  # BPF_STRTOX_BASE_MASK
MOST_DIGITS: Final = 63  # Linux reads no further
MINUS: Final = 0x2D
ZERO: Final = 0x30
LOWER: Final = 0x20
LOWER_A: Final = 0x61
LOWER_X: Final = 0x78
NO_BREAK_SPACE: Final = 0xA0
SIGN: Final = 1 << 63


@export
@cold
def strncmp(rt: ptr, a: ptr, size: i64, b: ptr) -> i64:
    """-1, 0 or 1; ``a`` ends after ``size`` bytes at the latest."""
    left = u64(u32(size))
    at = u64(0)
    while at < left:
        one = load_u8(a + at)
        other = load_u8(b + at)
        if one != other:
            return i64(-1) if one < other else i64(1)
        if one == 0:
            return i64(0)
        at += 1
    return i64(0)


@inline
def is_space(char: u8) -> bool:
    """White space, of Latin-1 too."""
    return (char >= 0x09 and char <= 0x0D) or char == 0x20 or char == NO_BREAK_SPACE


@inline
def digit(char: u8) -> u64:
    """What a digit stands for; 99 for anything else."""
    if char >= ZERO and char <= ZERO + 9:
        return u64(char - ZERO)
    low = char | LOWER
    if low >= LOWER_A and low < LOWER_A + 6:
        return u64(low - LOWER_A) + 10
    return u64(99)


@inline
def char_at(text: ptr, at: u64, end: u64) -> u8:
    """A character; NUL from the end on."""
    return load_u8(text + at) if at < end else u8(0)


@inline
def start_of(text: ptr, size: u64) -> u64:
    """Behind white space."""
    at = u64(0)
    while at < size and is_space(load_u8(text + at)):
        at += 1
    return at


def parse(text: ptr, size: u64, flags: u64, out: ptr) -> i64:
    """Read a number without its sign: how many bytes it took, or an error."""
    base = flags & BASES
    if size == 0 or flags & u64(~BASES) != 0:
        return i64(-EINVAL)
    if base != 0 and base != 8 and base != 10 and base != 16:
        return i64(-EINVAL)
    at = start_of(text, size)
    if char_at(text, at, size) == MINUS:
        at += 1
    if at == size:
        return i64(-EINVAL)
    end = size
    if end - at > MOST_DIGITS:
        end = at + MOST_DIGITS
    zero = char_at(text, at, end) == ZERO
    marked = zero and char_at(text, at + 1, end) | LOWER == LOWER_X
    if base == 0:
        base = u64(10)
        if zero:
            base = u64(8)
            if marked and digit(char_at(text, at + 2, end)) < 16:
                base = u64(16)
    if base == 16 and marked:
        at += 2
    first = at
    value = u64(0)
    over = False
    number = digit(char_at(text, at, end))
    while number < base:
        if value > u64(0xFFFF_FFFF_FFFF_FFFF - number) // base:
            over = True
        value = value * base + number
        at += 1
        number = digit(char_at(text, at, end))
    if over:
        return i64(-ERANGE)
    if at == first:
        return i64(-EINVAL)
    store_u64(out, value)
    return i64(at)


@inline
def is_negative(text: ptr, size: u64) -> bool:
    """Whether a minus stands before the number."""
    return char_at(text, start_of(text, size), size) == MINUS


@export
@cold
def strtol(rt: ptr, text: ptr, size: i64, flags: i64, out: ptr) -> i64:
    """Read a signed number."""
    store_u64(out, 0)
    length = u64(size)
    used = parse(text, length, u64(flags), out)
    if used < 0:
        return used
    value = load_u64(out)
    if is_negative(text, length):
        if value > SIGN:
            store_u64(out, 0)
            return i64(-ERANGE)
        store_u64(out, 0 - value)
    elif value >= SIGN:
        store_u64(out, 0)
        return i64(-ERANGE)
    return used


@export
@cold
def strtoul(rt: ptr, text: ptr, size: i64, flags: i64, out: ptr) -> i64:
    """Read an unsigned number."""
    store_u64(out, 0)
    length = u64(size)
    used = parse(text, length, u64(flags), out)
    if used >= 0 and is_negative(text, length):
        store_u64(out, 0)
        return i64(-EINVAL)
    return used
