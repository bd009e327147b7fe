"""Layouts against the native ABI, packets, regions."""

from __future__ import annotations

import pytest

from beebox.tables.limits import XDP_FRAME_HEADER_BYTES, XDP_HEADROOM_BYTES
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT
from beebox.vm.memory import (
    RUNTIME_BYTES,
    RUNTIME_FIELDS,
    Buffer,
    Memory,
    Packet,
    Region,
    Runtime,
    SkbContext,
    XdpContext,
    region_at,
)


@pytest.mark.parametrize(
    ("struct", "fields", "size"),
    [
        (XdpContext, XDP_LAYOUT.fields, XDP_LAYOUT.size),
        (SkbContext, SKB_LAYOUT.fields, SKB_LAYOUT.size),
        (Runtime, RUNTIME_FIELDS, RUNTIME_BYTES),
    ],
)
def test_structures_are_the_tables(struct, fields, size):
    assert len(bytes(struct())) == size
    for name, (offset, width) in fields.items():
        field = getattr(struct, name)
        assert (field.offset, field.size) == (offset, width)


def test_a_packet_lies_between_headroom_and_tailroom():
    packet = Packet(100)
    packet.load(b"hello")
    context = packet.context
    assert packet.data() == b"hello"
    assert context.data - context.hard_start == XDP_HEADROOM_BYTES - XDP_FRAME_HEADER_BYTES
    assert context.hard_end - context.data_end == 256
    assert context.data_meta == context.data
    packet.load(bytes(100))
    assert context.hard_end <= packet.buffer.address + packet.buffer.size
    with pytest.raises(ValueError, match="101 bytes"):
        packet.load(bytes(101))


def test_data_follows_the_context():
    packet = Packet(16)
    packet.load(b"0123456789")
    packet.context.data += 2
    packet.context.data_end -= 1
    assert packet.data() == b"2345678"


def test_buffers_are_aligned_and_zeroed():
    buffer = Buffer(100)
    assert buffer.address % 64 == 0
    assert bytes(buffer.view) == bytes(100)


def test_regions_hold_whole_accesses_only():
    buffer = Buffer(32)
    memory = Memory([region_at("a", buffer.address, 16)])
    assert memory.write(buffer.address + 12, b"abcd")
    assert memory.read(buffer.address + 12, 4) == b"abcd"
    assert bytes(buffer.view[12:16]) == b"abcd"
    assert memory.read(buffer.address + 13, 4) is None
    assert not memory.write(buffer.address - 1, b"x")
    read_only = Region("b", buffer.address + 16, buffer.address + 32, buffer.address, buffer.view)
    read_only.writable = False
    memory.add(read_only)
    assert memory.read(buffer.address + 16, 1) == b"\0"
    assert not memory.write(buffer.address + 16, b"x")
    memory.remove(read_only)
    assert memory.find(buffer.address + 16, 1) is None
