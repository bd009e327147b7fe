"""The uapi context that a test run takes from its caller and gives back, as BPF_PROG_TEST_RUN.

Fields that Linux does not take must be 0; what it refuses is an :exc:`InputError` here.
"""

from __future__ import annotations

import struct
from typing import Final

from beebox.errors import ExecutionError, InputError
from beebox.hooks import xdp
from beebox.tables.limits import XDP_FRAME_HEADER_BYTES, XDP_HEADROOM_BYTES, XDP_META_MAX_BYTES
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT
from beebox.vm.memory import Packet

_SK_BUFF_BYTES: Final = 192
_XDP_MD: Final = struct.Struct("<6I")
_GSO_LEGACY_MAX_BYTES: Final = 65_536
_GSO_MAX_SEGS: Final = 65_535
_CHECKSUM_COMPLETE: Final = 2
_U32: Final = (1 << 32) - 1
_SET: Final = ("mark", "priority", "ingress_ifindex", "cb", "tstamp", "gso_segs", "hwtstamp")
_GIVEN: Final = (*_SET, "gso_size", "ifindex", "wire_len")
_TAKEN: Final = (*_SET, "ifindex", "wire_len")


def take_skb(packet: Packet, given: bytes | None) -> None:
    """Set the fields of ``__sk_buff`` in a loaded packet's context. Raises :exc:`InputError`."""
    context = packet.context
    if given is None:
        context.wire_len = 0  # as in Linux, where only a context sets it
        return
    if len(given) != _SK_BUFF_BYTES:
        raise InputError(f"a context of {len(given)} bytes; __sk_buff has {_SK_BUFF_BYTES}")
    rest = bytearray(given)
    for name in _GIVEN:
        at, size = SKB_LAYOUT.fields[name]
        rest[at : at + size] = bytes(size)
        if name not in {"ifindex", "wire_len"}:
            packet.context_bytes[at : at + size] = given[at : at + size]
    if any(rest):
        at = next(n for n, byte in enumerate(rest) if byte)
        raise InputError(f"byte {at} of __sk_buff is not for the caller to set")
    if _word(given, "ifindex") > 1:
        raise InputError(f"there is no device with ifindex {_word(given, 'ifindex')}")
    wire = _word(given, "wire_len")
    if wire and not context.len <= wire <= _GSO_LEGACY_MAX_BYTES:
        raise InputError(f"wire_len {wire} of a packet of {context.len} bytes")
    context.wire_len = wire or context.len
    if _word(given, "gso_segs") > _GSO_MAX_SEGS:
        raise InputError(f"gso_segs {_word(given, 'gso_segs')} is out of range")


def give_skb(packet: Packet, given: bytes) -> bytes:
    """The context after a run."""
    after = bytearray(given)
    for name in _TAKEN:
        at, size = SKB_LAYOUT.fields[name]
        after[at : at + size] = packet.context_bytes[at : at + size]
    return bytes(after)


def _word(given: bytes, name: str) -> int:
    value: int = struct.unpack_from("<I", given, SKB_LAYOUT.offset(name))[0]
    return value


def give_checksum(packet: Packet) -> None:
    """Set the sum of everything from the network header on, as a device may give it."""
    packet.context.csum = _sum(packet)
    packet.context.ip_summed = _CHECKSUM_COMPLETE


def check_checksum(packet: Packet) -> None:
    """Raises :exc:`ExecutionError` where the sum is not that of the packet any more."""
    said, found = _folded(packet.context.csum), _folded(_sum(packet))
    if said != found:
        raise ExecutionError(f"the packet's checksum is {found:#x} and was left as {said:#x}")


def _sum(packet: Packet) -> int:
    """A one's complement sum in 32 bits, as the processor adds words."""
    context = packet.context
    start = context.network_header
    data = packet.bytes_at(start, context.data + context.len - start)
    words = struct.unpack(f"<{(len(data) + 3) // 4}I", data + bytes(-len(data) % 4))
    total = int(sum(words))
    while total >> 32:
        total = (total & _U32) + (total >> 32)
    return total


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def load_xdp(packet: Packet, frame: bytes, given: bytes | None = None) -> None:
    """Make ``frame`` the packet, behind zeroed headroom; its first page is linear.

    ``given``, a ``struct xdp_md``, has in ``data`` how many of the frame's first bytes are metadata
    and in ``data_end`` where its linear part ends. Raises :exc:`InputError`.
    """
    meta, linear = 0, len(frame)
    if given is not None:
        meta, linear = _check_xdp(frame, given)
    view, context = packet.buffer.view, packet.context
    first = XDP_HEADROOM_BYTES - meta
    view[:XDP_HEADROOM_BYTES] = bytes(XDP_HEADROOM_BYTES)
    view[first : first + len(frame)] = frame
    data = packet.start
    linear = min(linear, meta + xdp.LINEAR_BYTES)
    context.data, context.data_meta = data, data - meta
    context.data_end = data - meta + linear
    context.frags_bytes = len(frame) - linear
    if context.frags_bytes > xdp.MAX_PAGES * xdp.PAGE_BYTES:
        raise InputError(f"{context.frags_bytes} bytes in pages behind data_end")
    context.hard_start = packet.buffer.address + XDP_FRAME_HEADER_BYTES
    context.hard_end = data + xdp.LINEAR_BYTES
    if given is not None:
        context.ingress_ifindex = _XDP_MD.unpack(given)[3] or context.ingress_ifindex


def _check_xdp(frame: bytes, given: bytes) -> tuple[int, int]:
    if len(given) != _XDP_MD.size:
        raise InputError(f"a context of {len(given)} bytes; xdp_md has {_XDP_MD.size}")
    data, data_end, data_meta, ifindex, queue, egress = _XDP_MD.unpack(given)
    most = min(XDP_META_MAX_BYTES, XDP_HEADROOM_BYTES - XDP_FRAME_HEADER_BYTES)
    if data % 4 or data > most or len(frame) - data < xdp.MIN_FRAME_BYTES:
        raise InputError(f"{data} bytes of metadata in a frame of {len(frame)} bytes")
    if data_meta or not data <= data_end <= len(frame):
        raise InputError(f"data_meta {data_meta}, data {data}, data_end {data_end} in xdp_md")
    if ifindex > 1 or queue or egress:
        raise InputError(f"device {ifindex}, queue {queue}, egress {egress} in xdp_md")
    return data, data_end


def give_xdp(packet: Packet, given: bytes) -> bytes:
    """The context after a run: offsets from the metadata on."""
    context = packet.context
    after = bytearray(given)
    fields = (context.data - context.data_meta, context.data_end - context.data_meta)
    struct.pack_into("<2I", after, 0, *fields)
    return bytes(after)


def give(packet: Packet, struct_name: str, given: bytes | None) -> bytes:
    """The context after a run; empty where none was given."""
    if given is None:
        return b""
    if struct_name == XDP_LAYOUT.struct:
        return give_xdp(packet, given)
    return give_skb(packet, given)
