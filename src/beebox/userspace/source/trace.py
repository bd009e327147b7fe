"""trace_printk as native code: checks the format as Linux does, writes a record into the trace log.

A record: u32 bytes of text, u32 CPU, u64 time, the text, padding to 8 bytes.
:class:`beebox.userspace.trace.TraceLog` reads it.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    export,
    i32,
    i64,
    inline,
    load_ptr,
    load_u8,
    load_u32,
    load_u64,
    ptr,
    store_u8,
    store_u32,
    store_u64,
    u8,
    u32,
    u64,
)

TIME: Final = constant("TIME")
CPU: Final = constant("CPU")
TRACE_BUFFER: Final = constant("TRACE_BUFFER")
TRACE_CAPACITY: Final = constant("TRACE_CAPACITY")
TRACE_USED: Final = constant("TRACE_USED")
TRACE_LOST: Final = constant("TRACE_LOST")
MAX_TEXT: Final = constant("MAX_TEXT")
MAX_WIDTH: Final = constant("MAX_WIDTH")

RECORD: Final = 16  # bytes before the text
EINVAL: Final = 22
END: Final = 0
PERCENT: Final = 0x25
ZERO: Final = 0x30
NINE: Final = 0x39
MINUS: Final = 0x2D
PLUS: Final = 0x2B
SPACE: Final = 0x20
C: Final = 0x63
D: Final = 0x64
LOWER_I: Final = 0x69
L: Final = 0x6C
U: Final = 0x75
UPPER_X: Final = 0x58
LOWER_X: Final = 0x78


@inline
def put(out: ptr, at: u64, room: u64, char: u8) -> None:
    """Write one character where there is room for it."""
    if at < room:
        store_u8(out + at, char)


@inline
def digit(number: u64, upper: bool) -> u8:
    """One digit's character."""
    if number < 10:
        return u8(number + ZERO)
    if upper:
        return u8(number + (0x41 - 10))
    return u8(number + (0x61 - 10))


@inline
def printable(char: u8) -> bool:
    """What a format may hold: no ASCII control characters but white space."""
    if char >= 0x09 and char <= 0x0D:
        return True
    return char >= SPACE and char != 0x7F


@export
@cold
def trace_printk(rt: ptr, fmt: ptr, fmt_size: i64, a: i64, b: i64, c: i64) -> i64:
    """The length of the text, however much of it was kept; -EINVAL for a format Linux refuses.

    %s and %p, which read or show kernel memory, are refused too.
    """
    size = u64(u32(fmt_size))
    length = u64(0)
    while length < size and load_u8(fmt + length) != END:
        if not printable(load_u8(fmt + length)):
            return i64(-EINVAL)
        length += 1
    if length == size:
        return i64(-EINVAL)

    used = load_u64(rt + TRACE_USED)
    out = load_ptr(rt + TRACE_BUFFER) + used
    capacity = load_u64(rt + TRACE_CAPACITY)
    space = u64(0)
    if capacity - used > RECORD:
        space = capacity - used - RECORD
    room = space if space < MAX_TEXT else u64(MAX_TEXT)
    text = out + RECORD

    at = u64(0)
    i = u64(0)
    taken = u32(0)
    while i < length:
        char = load_u8(fmt + i)
        i += 1
        if char != PERCENT:
            put(text, at, room, char)
            at += 1
            continue
        if load_u8(fmt + i) == PERCENT:
            put(text, at, room, PERCENT)
            at += 1
            i += 1
            continue
        if taken == 3:
            return i64(-EINVAL)

        left = False
        zeros = False
        plus = False
        blank = False
        char = load_u8(fmt + i)
        while char == ZERO or char == PLUS or char == MINUS or char == SPACE:
            left = left or char == MINUS
            zeros = zeros or char == ZERO
            plus = plus or char == PLUS
            blank = blank or char == SPACE
            i += 1
            char = load_u8(fmt + i)
        width = u64(0)
        while char >= ZERO and char <= NINE:
            width = width * 10 + u64(char - ZERO)
            if width > MAX_WIDTH:
                return i64(-EINVAL)
            i += 1
            char = load_u8(fmt + i)

        argument = u64(a)
        if taken == 1:
            argument = u64(b)
        if taken == 2:
            argument = u64(c)
        taken += 1

        if char == C:
            i += 1
            if not left:
                while width > 1:
                    put(text, at, room, SPACE)
                    at += 1
                    width -= 1
            put(text, at, room, u8(argument & 0xFF))
            at += 1
            while width > 1:
                put(text, at, room, SPACE)
                at += 1
                width -= 1
            continue

        wide = False
        if char == L:
            wide = True
            i += 1
            char = load_u8(fmt + i)
            if char == L:
                i += 1
                char = load_u8(fmt + i)
        i += 1
        signed = char == D or char == LOWER_I
        hexadecimal = char == LOWER_X or char == UPPER_X
        if not signed and not hexadecimal and char != U:
            return i64(-EINVAL)

        sign = u8(0)
        if signed:
            value = i64(argument)
            if not wide:
                value = i64(i32(argument & 0xFFFF_FFFF))
            argument = u64(value)
            if value < 0:
                sign = u8(MINUS)
                argument = 0 - argument
            elif plus:
                sign = u8(PLUS)
            elif blank:
                sign = u8(SPACE)
        elif not wide:
            argument = argument & 0xFFFF_FFFF

        base = u64(16) if hexadecimal else u64(10)
        digits = u64(1)
        unit = u64(1)
        while argument // unit >= base:
            unit = unit * base
            digits += 1
        if sign != 0:
            digits += 1
        if not left and not zeros:
            while width > digits:
                put(text, at, room, SPACE)
                at += 1
                width -= 1
        if sign != 0:
            put(text, at, room, sign)
            at += 1
        if not left:
            while width > digits:
                put(text, at, room, ZERO)
                at += 1
                width -= 1
        while unit != 0:
            put(text, at, room, digit(argument // unit % base, char == UPPER_X))
            at += 1
            unit = unit // base
        while width > digits:
            put(text, at, room, SPACE)
            at += 1
            width -= 1

    kept = at if at < MAX_TEXT else u64(MAX_TEXT)
    if kept > room:
        store_u64(rt + TRACE_LOST, load_u64(rt + TRACE_LOST) + 1)
        return i64(at)
    if space == 0:
        store_u64(rt + TRACE_LOST, load_u64(rt + TRACE_LOST) + 1)
        return i64(at)
    store_u32(out, u32(kept))
    store_u32(out + 4, load_u32(rt + CPU))
    store_u64(out + 8, load_u64(rt + TIME))
    total = (RECORD + kept + 7) // 8 * 8
    if total > capacity - used:
        total = capacity - used
    store_u64(rt + TRACE_USED, used + total)
    return i64(at)
