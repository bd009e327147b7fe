"""What skb helpers share: an skb's bytes, their room, and errors.

A packet's bytes lie together from ``data`` on, ``len`` of them; the first ``data_end - data`` are
linear. So a pull only moves ``data_end``. Link and network header are addresses, the transport
header is an offset as Linux has it.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    i64,
    inline,
    load_ptr,
    load_u32,
    load_u64,
    move,
    ptr,
    store_u32,
    store_u64,
    u32,
    u64,
)
from beebox.userspace.source.sums import add, partial, shifted

LEN: Final = constant("LEN")
PKT_TYPE: Final = constant("PKT_TYPE")
PROTOCOL: Final = constant("PROTOCOL")
VLAN_PRESENT: Final = constant("VLAN_PRESENT")
VLAN_TCI: Final = constant("VLAN_TCI")
VLAN_PROTO: Final = constant("VLAN_PROTO")
HASH: Final = constant("HASH")
TSTAMP: Final = constant("TSTAMP")
TSTAMP_TYPE: Final = constant("TSTAMP_TYPE")
GSO_SEGS: Final = constant("GSO_SEGS")
GSO_SIZE: Final = constant("GSO_SIZE")
IFINDEX: Final = constant("IFINDEX")
DATA: Final = constant("DATA")
DATA_END: Final = constant("DATA_END")
DATA_META: Final = constant("DATA_META")
HARD_START: Final = constant("HARD_START")
HARD_END: Final = constant("HARD_END")
MAC_HEADER: Final = constant("MAC_HEADER")
NETWORK_HEADER: Final = constant("NETWORK_HEADER")
HEAD_BYTES: Final = constant("HEAD_BYTES")
TRANSPORT_HEADER: Final = constant("TRANSPORT_HEADER")
ENCAPSULATION: Final = constant("ENCAPSULATION")
IP_SUMMED: Final = constant("IP_SUMMED")
CSUM: Final = constant("CSUM")
CSUM_LEVEL: Final = constant("CSUM_LEVEL")
HASH_KIND: Final = constant("HASH_KIND")
MAC_BYTES: Final = constant("MAC_BYTES")

EOVERFLOW: Final = 75
ENOMEM: Final = 12
EACCES: Final = 13
EFAULT: Final = 14
ENODEV: Final = 19
EINVAL: Final = 22
EOPNOTSUPP: Final = 95
EALREADY: Final = 114
ENOTSUPP: Final = 524

ETH_HLEN: Final = 14
VLAN_HLEN: Final = 4
ETH_P_IP: Final = 0x0008  # protocols are in network order, as an skb has them
ETH_P_IPV6: Final = 0xDD86
ETH_P_802_3_MIN: Final = 0x0600  # host order: what is less is a length
ETH_P_802_3: Final = 0x0100
ETH_P_802_2: Final = 0x0400
ETH_P_8021Q: Final = 0x0081
ETH_P_8021AD: Final = 0xA888
IPV4_BYTES: Final = 20
IPV6_BYTES: Final = 40
INT_MAX: Final = 0x7FFF_FFFF
SKB_PAD: Final = 64  # NET_SKB_PAD
SPARE: Final = 256  # headroom beyond what is asked for, where a packet is moved
NOT_SET: Final = 0xFFFF  # a header's offset
MAX_LEN: Final = 16_064  # BPF_SKB_MAX_LEN: four pages without skb_shared_info

CHECKSUM_NONE: Final = 0
CHECKSUM_UNNECESSARY: Final = 1
CHECKSUM_COMPLETE: Final = 2


@inline
def data_of(ctx: ptr) -> ptr:
    """The packet's first byte."""
    return load_ptr(ctx + DATA)


@inline
def len_of(ctx: ptr) -> u64:
    """The packet's bytes, paged ones too."""
    return u64(load_u32(ctx + LEN))


@inline
def linear_of(ctx: ptr) -> u64:
    """The packet's linear bytes; skb_headlen."""
    return load_u64(ctx + DATA_END) - load_u64(ctx + DATA)


@inline
def protocol_of(ctx: ptr) -> u32:
    """The protocol behind the link header, in network order."""
    return load_u32(ctx + PROTOCOL)


@inline
def network_offset(ctx: ptr) -> i64:
    """Where the network header starts, from data."""
    return i64(load_u64(ctx + NETWORK_HEADER)) - i64(load_u64(ctx + DATA))


@inline
def network_from_head(ctx: ptr) -> u32:
    """The network header's offset from skb->head."""
    return (load_u32(ctx + HEAD_BYTES) + u32(u64(network_offset(ctx)))) & 0xFFFF


@inline
def mac_header_bytes(ctx: ptr) -> u64:
    """From the link header to the network header; skb_mac_header_len."""
    return load_u64(ctx + NETWORK_HEADER) - load_u64(ctx + MAC_HEADER)


@inline
def reset_mac_len(ctx: ptr) -> None:
    """Remember the link header's length; skb_reset_mac_len."""
    store_u32(ctx + MAC_BYTES, u32(mac_header_bytes(ctx)))


@inline
def is_gso(ctx: ptr) -> bool:
    """Whether the packet stands for several."""
    return load_u32(ctx + GSO_SIZE) != 0


@inline
def clear_hash(ctx: ptr) -> None:
    """Forget the hash; skb_clear_hash."""
    store_u32(ctx + HASH, 0)
    store_u32(ctx + HASH_KIND, 0)


def sum_without(ctx: ptr, start: ptr, size: u64, at: u64) -> None:
    """Take bytes out of the device's checksum, where there is one; skb_postpull_rcsum."""
    if load_u32(ctx + IP_SUMMED) == CHECKSUM_COMPLETE:
        gone = u32(partial(start, u32(size), 0))
        store_u32(ctx + CSUM, add(load_u32(ctx + CSUM), shifted(~gone, at)))


def sum_with(ctx: ptr, start: ptr, size: u64, at: u64) -> None:
    """Put bytes into the device's checksum, where there is one; skb_postpush_rcsum."""
    if load_u32(ctx + IP_SUMMED) == CHECKSUM_COMPLETE:
        new = u32(partial(start, u32(size), 0))
        store_u32(ctx + CSUM, add(load_u32(ctx + CSUM), shifted(new, at)))


@inline
def no_sum(ctx: ptr) -> None:
    """Forget the device's checksum, where there is one."""
    if load_u32(ctx + IP_SUMMED) == CHECKSUM_COMPLETE:
        store_u32(ctx + IP_SUMMED, CHECKSUM_NONE)


@inline
def pull(ctx: ptr, size: u64) -> bool:
    """Make the first ``size`` bytes linear; false where the packet is shorter. pskb_may_pull."""
    if size > len_of(ctx):
        return False
    if size > linear_of(ctx):
        store_u64(ctx + DATA_END, load_u64(ctx + DATA) + size)
    return True


def slide(ctx: ptr, by: u64) -> None:
    """Move the packet inside its buffer, with what lies before it from the link header on."""
    data = load_u64(ctx + DATA)
    head = u64(0)
    if load_u64(ctx + MAC_HEADER) < data:
        head = data - load_u64(ctx + MAC_HEADER)
    first = data_of(ctx) + (0 - head)
    move(first + by, first, head + len_of(ctx))
    store_u64(ctx + DATA, data + by)
    store_u64(ctx + DATA_END, load_u64(ctx + DATA_END) + by)
    store_u64(ctx + DATA_META, data + by)
    store_u64(ctx + MAC_HEADER, load_u64(ctx + MAC_HEADER) + by)
    store_u64(ctx + NETWORK_HEADER, load_u64(ctx + NETWORK_HEADER) + by)


@inline
def make_headroom(ctx: ptr, size: u64) -> bool:
    """Have ``size`` bytes free before data; skb_cow.

    Where Linux has less room it takes another buffer, and moves the transport header's offset along
    even if that is not set: from then on it counts as set.
    """
    room = load_u32(ctx + HEAD_BYTES)
    if size > u64(room):
        more = (u32(size) - room + (SKB_PAD - 1)) & u32(~(SKB_PAD - 1))
        store_u32(ctx + HEAD_BYTES, room + more)
        store_u32(ctx + TRANSPORT_HEADER, (load_u32(ctx + TRANSPORT_HEADER) + more) & 0xFFFF)
    before = load_u64(ctx + DATA) - load_u64(ctx + HARD_START)
    if before < size:
        behind = load_u64(ctx + HARD_END) - (load_u64(ctx + DATA) + len_of(ctx))
        by = size - before + SPARE
        slide(ctx, min(behind, by))
    return load_u64(ctx + DATA) - load_u64(ctx + HARD_START) >= size


@inline
def make_tailroom(ctx: ptr, size: u64) -> bool:
    """Have ``size`` bytes free behind the packet."""
    end = load_u64(ctx + DATA) + len_of(ctx)
    if load_u64(ctx + HARD_END) - end < size:
        low = load_u64(ctx + DATA)
        if load_u64(ctx + MAC_HEADER) < low:
            low = load_u64(ctx + MAC_HEADER)
        slide(ctx, load_u64(ctx + HARD_START) - low)
        end = load_u64(ctx + DATA) + len_of(ctx)
    return load_u64(ctx + HARD_END) - end >= size


@inline
def holds(ctx: ptr, size: u64) -> bool:
    """Whether the buffer ends behind ``size`` bytes: headers may lie past a packet's end."""
    return load_u64(ctx + DATA) + size <= load_u64(ctx + HARD_END)


@inline
def push_head(ctx: ptr, size: u64) -> ptr:
    """Let the packet start ``size`` bytes earlier; its new start. There must be headroom."""
    store_u32(ctx + HEAD_BYTES, load_u32(ctx + HEAD_BYTES) - u32(size))
    data = load_u64(ctx + DATA) - size
    store_u64(ctx + DATA, data)
    store_u64(ctx + DATA_META, data)
    store_u32(ctx + LEN, load_u32(ctx + LEN) + u32(size))
    return load_ptr(ctx + DATA)


@inline
def pull_head(ctx: ptr, size: u64) -> ptr:
    """Let the packet start ``size`` bytes later; its new start. They must be linear."""
    store_u32(ctx + HEAD_BYTES, load_u32(ctx + HEAD_BYTES) + u32(size))
    data = load_u64(ctx + DATA) + size
    store_u64(ctx + DATA, data)
    store_u64(ctx + DATA_META, data)
    store_u32(ctx + LEN, load_u32(ctx + LEN) - u32(size))
    return load_ptr(ctx + DATA)
