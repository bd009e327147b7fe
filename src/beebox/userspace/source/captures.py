"""Walking, framing and writing captures: the loops over records, in the native dialect.

Each function takes the address of a block of 64-bit words, its arguments and results by position
(``userspace.captures.native`` names them), and the address of the bytes it reads. What a walk
finds wrong is its result, with the place in ``AT``; it never reads past ``END``.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    export,
    i64,
    inline,
    load_ptr,
    load_u8,
    load_u16,
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

AT: Final = constant("AT")
END: Final = constant("END")
COUNT: Final = constant("COUNT")
CAPACITY: Final = constant("CAPACITY")
OFFSETS: Final = constant("OFFSETS")
LENGTHS: Final = constant("LENGTHS")
WIRES: Final = constant("WIRES")
TIMES: Final = constant("TIMES")
INTERFACES: Final = constant("INTERFACES")
SWAP: Final = constant("SWAP")
UNIT: Final = constant("UNIT")
KNOWN: Final = constant("KNOWN")
SNAPLEN: Final = constant("SNAPLEN")
KINDS: Final = constant("KINDS")
OTHER: Final = constant("OTHER")
OUT: Final = constant("OUT")
OUT_OFFSETS: Final = constant("OUT_OFFSETS")
OUT_LENGTHS: Final = constant("OUT_LENGTHS")
OUT_WIRES: Final = constant("OUT_WIRES")
OPTIONS: Final = constant("OPTIONS")
OPTION_ENDS: Final = constant("OPTION_ENDS")
OPTION_OF: Final = constant("OPTION_OF")

MORE: Final = constant("MORE")
FULL: Final = constant("FULL")
BAD_LENGTH: Final = constant("BAD_LENGTH")
CONTROL: Final = constant("CONTROL")
LONG: Final = constant("LONG")
BAD_BLOCK: Final = constant("BAD_BLOCK")
BAD_TRAILER: Final = constant("BAD_TRAILER")
BAD_INTERFACE: Final = constant("BAD_INTERFACE")

MAX_PACKET: Final = constant("MAX_PACKET")
MAX_BLOCK: Final = constant("MAX_BLOCK")
NO_TIME: Final = 0xFFFF_FFFF_FFFF_FFFF

SECTION: Final = 0x0A0D_0D0A
INTERFACE: Final = 1
PACKET: Final = 2
SIMPLE: Final = 3
ENHANCED: Final = 6

ETHERNET: Final = constant("ETHERNET")
RAW: Final = constant("RAW")
FAMILY: Final = constant("FAMILY")
COOKED: Final = constant("COOKED")
COOKED_2: Final = constant("COOKED_2")


@inline
def swapped(value: u32) -> u32:
    """The bytes the other way round."""
    low = ((value & 0xFF) << 24) | ((value & 0xFF00) << 8)
    return low | ((value >> 8) & 0xFF00) | (value >> 24)


@inline
def word(place: ptr, swap: u64) -> u32:
    """A 32-bit field in the file's byte order."""
    value = load_u32(place)
    if swap != 0:
        value = swapped(value)
    return value


@inline
def half(place: ptr, swap: u64) -> u32:
    """A 16-bit field in the file's byte order."""
    value = u32(load_u16(place))
    if swap != 0:
        value = ((value & 0xFF) << 8) | (value >> 8)
    return value


@inline
def copy_bytes(to: ptr, source: ptr, size: u64) -> None:
    """Copy ``size`` bytes that do not overlap."""
    done = u64(0)
    while done + 8 <= size:
        store_u64(to + done, load_u64(source + done))
        done += 8
    while done < size:
        store_u8(to + done, load_u8(source + done))
        done += 1


@export
def walk_pcap(state: ptr, data: ptr) -> i64:
    """Index the records of a pcap file that are whole, up to the capacity."""
    at = load_u64(state + AT)
    end = load_u64(state + END)
    count = load_u64(state + COUNT)
    capacity = load_u64(state + CAPACITY)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    wires = load_ptr(state + WIRES)
    times = load_ptr(state + TIMES)
    swap = load_u64(state + SWAP)
    unit = load_u64(state + UNIT)
    status = i64(FULL)
    while count < capacity:
        if end - at < 16:
            status = i64(MORE)
            break
        captured = u64(word(data + (at + 8), swap))
        wire = u64(word(data + (at + 12), swap))
        if captured > wire or captured > MAX_PACKET:
            status = i64(BAD_LENGTH)
            break
        if captured > end - at - 16:
            status = i64(MORE)
            break
        seconds = u64(word(data + at, swap))
        fraction = u64(word(data + (at + 4), swap))
        store_u64(offsets + count * 8, at + 16)
        store_u32(lengths + count * 4, u32(captured))
        store_u32(wires + count * 4, u32(wire))
        store_u64(times + count * 8, seconds * 1_000_000_000 + fraction * unit)
        count += 1
        at += 16 + captured
    store_u64(state + AT, at)
    store_u64(state + COUNT, count)
    return status


@export
def walk_pcapng(state: ptr, data: ptr) -> i64:
    """Index the packets of a pcapng section that are whole; its other blocks are stepped over.

    Times are in the interface's units, NO_TIME where the block has none. Stops before each block
    that changes what follows: a section's or an interface's header.
    """
    at = load_u64(state + AT)
    end = load_u64(state + END)
    count = load_u64(state + COUNT)
    capacity = load_u64(state + CAPACITY)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    wires = load_ptr(state + WIRES)
    times = load_ptr(state + TIMES)
    interfaces = load_ptr(state + INTERFACES)
    swap = load_u64(state + SWAP)
    known = load_u64(state + KNOWN)
    snaplen = load_u64(state + SNAPLEN)
    status = i64(FULL)
    while count < capacity:
        if end - at < 12:
            status = i64(MORE)
            break
        kind = word(data + at, swap)
        if kind == SECTION or kind == INTERFACE:
            status = i64(CONTROL)
            break
        size = u64(word(data + (at + 4), swap))
        if size < 12 or size & 3 != 0:
            status = i64(BAD_BLOCK)
            break
        packet = kind == ENHANCED or kind == SIMPLE or kind == PACKET
        if packet and size > MAX_BLOCK:
            status = i64(BAD_BLOCK)
            break
        if size > end - at:
            status = i64(LONG)
            if packet:
                status = i64(MORE)
            break
        if u64(word(data + (at + size - 4), swap)) != size:
            status = i64(BAD_TRAILER)
            break
        if packet:
            header = u64(28)
            if kind == SIMPLE:
                header = u64(12)
            if size < header + 4:
                status = i64(BAD_BLOCK)
                break
            room = size - header - 4
            which = u32(0)
            time = u64(NO_TIME)
            captured = u64(0)
            wire = u64(0)
            if kind == SIMPLE:
                wire = u64(word(data + (at + 8), swap))
                captured = wire
                if snaplen != 0 and captured > snaplen:
                    captured = snaplen
            else:
                if kind == ENHANCED:
                    which = word(data + (at + 8), swap)
                else:
                    which = half(data + (at + 8), swap)
                high = u64(word(data + (at + 12), swap))
                time = (high << 32) | u64(word(data + (at + 16), swap))
                captured = u64(word(data + (at + 20), swap))
                wire = u64(word(data + (at + 24), swap))
            if u64(which) >= known:
                status = i64(BAD_INTERFACE)
                break
            if captured > wire or captured > MAX_PACKET or captured > room:
                status = i64(BAD_LENGTH)
                break
            store_u64(offsets + count * 8, at + header)
            store_u32(lengths + count * 4, u32(captured))
            store_u32(wires + count * 4, u32(wire))
            store_u64(times + count * 8, time)
            store_u32(interfaces + count * 4, which)
            count += 1
        at += size
    store_u64(state + AT, at)
    store_u64(state + COUNT, count)
    return status


@inline
def ip_ethertype(packet: ptr, size: u64) -> u32:
    """The EtherType that an IP packet's version asks for, 0 for no IP packet."""
    ethertype = u32(0)
    if size != 0:
        version = u32(load_u8(packet) >> 4)
        if version == 4:
            ethertype = u32(0x0800)
        elif version == 6:
            ethertype = u32(0x86DD)
    return ethertype


@inline
def family_ethertype(place: ptr) -> u32:
    """The EtherType of an address family, in either byte order; 0 for those that are no IP."""
    family = load_u32(place)
    if family > 0xFFFF:
        family = swapped(family)
    ethertype = u32(0)
    if family == 2:
        ethertype = u32(0x0800)
    elif family == 10 or family == 24 or family == 28 or family == 30:
        ethertype = u32(0x86DD)
    return ethertype


@export
def frame(state: ptr, data: ptr) -> i64:
    """Copy packets into Ethernet frames, by the kind of link of each packet's interface.

    A packet that is shorter than its link's header becomes an empty frame.
    """
    count = load_u64(state + COUNT)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    wires = load_ptr(state + WIRES)
    interfaces = load_ptr(state + INTERFACES)
    kinds = load_ptr(state + KINDS)
    out = load_ptr(state + OUT)
    out_offsets = load_ptr(state + OUT_OFFSETS)
    out_lengths = load_ptr(state + OUT_LENGTHS)
    out_wires = load_ptr(state + OUT_WIRES)
    at = u64(0)
    index = u64(0)
    while index < count:
        packet = data + load_u64(offsets + index * 8)
        size = u64(load_u32(lengths + index * 4))
        wire = load_u32(wires + index * 4)
        kind = u32(load_u8(kinds + u64(load_u32(interfaces + index * 4))))
        skip = u64(0)
        if kind == COOKED:
            skip = u64(16)
        elif kind == COOKED_2:
            skip = u64(20)
        elif kind == FAMILY:
            skip = u64(4)
        store_u64(out_offsets + index * 8, at)
        if size < skip:
            store_u32(out_lengths + index * 4, 0)
            store_u32(out_wires + index * 4, 0)
        elif kind == ETHERNET:
            copy_bytes(out + at, packet, size)
            store_u32(out_lengths + index * 4, u32(size))
            store_u32(out_wires + index * 4, wire)
            at += size
        else:
            ethertype = u32(0)
            if kind == RAW:
                ethertype = ip_ethertype(packet, size)
            elif kind == FAMILY:
                ethertype = family_ethertype(packet)
            elif kind == COOKED:
                ethertype = half(packet + 14, 1)
            else:
                ethertype = half(packet, 1)
            store_u64(out + at, 0)
            store_u32(out + (at + 8), 0)
            store_u8(out + (at + 12), u8(ethertype >> 8))
            store_u8(out + (at + 13), u8(ethertype & 0xFF))
            copy_bytes(out + (at + 14), packet + skip, size - skip)
            store_u32(out_lengths + index * 4, u32(size - skip + 14))
            store_u32(out_wires + index * 4, wire - u32(skip) + 14)
            at += size - skip + 14
        index += 1
    return i64(at)


@inline
def same(one: ptr, other: ptr, size: u64) -> bool:
    """Whether both hold the same bytes."""
    done = u64(0)
    while done + 8 <= size:
        if load_u64(one + done) != load_u64(other + done):
            return False
        done += 8
    while done < size:
        if load_u8(one + done) != load_u8(other + done):
            return False
        done += 1
    return True


@export
def differ(state: ptr, data: ptr) -> i64:
    """A byte per packet in ``OUT``: 1 where the other packets hold something else."""
    count = load_u64(state + COUNT)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    other = load_ptr(state + OTHER)
    other_offsets = load_ptr(state + OUT_OFFSETS)
    other_lengths = load_ptr(state + OUT_LENGTHS)
    out = load_ptr(state + OUT)
    index = u64(0)
    while index < count:
        size = load_u32(lengths + index * 4)
        one = data + load_u64(offsets + index * 8)
        two = other + load_u64(other_offsets + index * 8)
        found = u8(1)
        if size == load_u32(other_lengths + index * 4):
            if same(one, two, u64(size)):
                found = u8(0)
        store_u8(out + index, found)
        index += 1
    return i64(0)


@export
def write_pcap(state: ptr, data: ptr) -> i64:
    """Write little-endian records; the number of bytes."""
    count = load_u64(state + COUNT)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    wires = load_ptr(state + WIRES)
    times = load_ptr(state + TIMES)
    out = load_ptr(state + OUT)
    at = u64(0)
    index = u64(0)
    while index < count:
        size = load_u32(lengths + index * 4)
        time = load_u64(times + index * 8)
        seconds = time // 1_000_000_000
        store_u32(out + at, u32(seconds))
        store_u32(out + (at + 4), u32(time - seconds * 1_000_000_000))
        store_u32(out + (at + 8), size)
        store_u32(out + (at + 12), load_u32(wires + index * 4))
        copy_bytes(out + (at + 16), data + load_u64(offsets + index * 8), u64(size))
        at += 16 + u64(size)
        index += 1
    return i64(at)


@export
def write_pcapng(state: ptr, data: ptr) -> i64:
    """Write little-endian enhanced packet blocks, each with its options; the number of bytes.

    ``OPTION_OF`` says which of the texts in ``OPTIONS`` a packet has, by their ends in
    ``OPTION_ENDS``, whose first element is 0.
    """
    count = load_u64(state + COUNT)
    offsets = load_ptr(state + OFFSETS)
    lengths = load_ptr(state + LENGTHS)
    wires = load_ptr(state + WIRES)
    times = load_ptr(state + TIMES)
    interfaces = load_ptr(state + INTERFACES)
    options = load_ptr(state + OPTIONS)
    ends = load_ptr(state + OPTION_ENDS)
    option_of = load_ptr(state + OPTION_OF)
    out = load_ptr(state + OUT)
    at = u64(0)
    index = u64(0)
    while index < count:
        size = u64(load_u32(lengths + index * 4))
        time = load_u64(times + index * 8)
        which = u64(load_u32(option_of + index * 4))
        option = load_u64(ends + which * 8)
        option_size = load_u64(ends + (which * 8 + 8)) - option
        padded = (size + 3) & 0xFFFF_FFFF_FFFF_FFFC
        total = 32 + padded + option_size
        store_u32(out + (at + 24 + padded), 0)  # the padding; the header comes after
        store_u32(out + at, ENHANCED)
        store_u32(out + (at + 4), u32(total))
        store_u32(out + (at + 8), load_u32(interfaces + index * 4))
        store_u32(out + (at + 12), u32(time >> 32))
        store_u32(out + (at + 16), u32(time & 0xFFFF_FFFF))
        store_u32(out + (at + 20), u32(size))
        store_u32(out + (at + 24), load_u32(wires + index * 4))
        copy_bytes(out + (at + 28), data + load_u64(offsets + index * 8), size)
        copy_bytes(out + (at + 28 + padded), options + option, option_size)
        store_u32(out + (at + total - 4), u32(total))
        at += total
        index += 1
    return i64(at)
