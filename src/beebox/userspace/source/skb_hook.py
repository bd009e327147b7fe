"""A frame as an skb: what differs from packet to packet in its private context.

As BPF_PROG_TEST_RUN makes an skb: ``eth_type_trans`` on the loopback device, then the Ethernet
header given back to the program types that see it. The fields that stay are those of the context
that a run starts from.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    copy,
    export,
    inline,
    load_ptr,
    load_u16,
    load_u32,
    move,
    ptr,
    store_ptr,
    store_u32,
    u16,
    u32,
    u64,
    zero,
)
from beebox.userspace.source.skb import (
    DATA,
    DATA_END,
    DATA_META,
    ETH_HLEN,
    ETH_P_802_2,
    ETH_P_802_3,
    ETH_P_802_3_MIN,
    ETH_P_IP,
    ETH_P_IPV6,
    HARD_END,
    HARD_START,
    HEAD_BYTES,
    LEN,
    MAC_HEADER,
    NETWORK_HEADER,
    NOT_SET,
    PKT_TYPE,
    PROTOCOL,
    SKB_PAD,
    TRANSPORT_HEADER,
    VLAN_HLEN,
    VLAN_PRESENT,
    len_of,
)
from beebox.userspace.source.skb_vlan import ADDRESSES, insert, is_vlan, set_tag, swap16

START: Final = constant("START")
HAS_SOCKET: Final = constant("HAS_SOCKET")
TAKES_TAGS: Final = constant("TAKES_TAGS")
WIRE_LEN: Final = constant("WIRE_LEN")
FAMILY: Final = constant("FAMILY")
REMOTE_IP4: Final = constant("REMOTE_IP4")
LOCAL_IP4: Final = constant("LOCAL_IP4")
REMOTE_IP6: Final = constant("REMOTE_IP6")
LOCAL_IP6: Final = constant("LOCAL_IP6")
LINEAR_BYTES: Final = constant("LINEAR_BYTES")
SK: Final = constant("SK")
SOCKET: Final = constant("SOCKET")
NETWORK: Final = constant("NETWORK")
INGRESS_MAC: Final = constant("INGRESS_MAC")
INGRESS_BROADCAST: Final = constant("INGRESS_BROADCAST")
TUNNEL: Final = constant("TUNNEL")
TUNNEL_OWN: Final = constant("TUNNEL_OWN")
TUNNEL_START: Final = constant("TUNNEL_START")
TUNNEL_BYTES: Final = constant("TUNNEL_BYTES")

TYPE_AT: Final = 12
PACKET_BROADCAST: Final = 1
PACKET_MULTICAST: Final = 2
PACKET_OTHERHOST: Final = 3
AF_INET: Final = 2
AF_INET6: Final = 10
TCP_CLOSE: Final = 7
NO_QUEUE: Final = 0xFFFF_FFFF
SOCK_BYTES: Final = 80  # struct bpf_sock
SOCK_FAMILY: Final = 4
SOCK_SRC_IP4: Final = 24
SOCK_SRC_IP6: Final = 28
SOCK_DST_IP4: Final = 52
SOCK_DST_IP6: Final = 56
SOCK_STATE: Final = 72
SOCK_RX_QUEUE: Final = 76


@inline
def ethernet_protocol(frame: ptr, length: u64) -> u32:
    """The protocol behind an Ethernet header, in network order; ``eth_type_trans``."""
    kind = load_u16(frame + TYPE_AT)
    host = u32(u16(kind << 8) | (kind >> 8))
    if host >= ETH_P_802_3_MIN:
        return u32(kind)
    if length >= ETH_HLEN + 2 and load_u16(frame + ETH_HLEN) == 0xFFFF:
        return u32(ETH_P_802_3)
    return u32(ETH_P_802_2)


@inline
def same_address(a: ptr, b: ptr) -> bool:
    """Whether two link addresses are one."""
    return load_u32(a) == load_u32(b) and load_u16(a + 4) == load_u16(b + 4)


@inline
def packet_type(net: ptr, frame: ptr) -> u32:
    """To whom a frame is, on the device that the network's packets arrive on."""
    if same_address(frame, net + INGRESS_MAC):
        return u32(0)
    if load_u32(frame) & 1 == 0:
        return u32(PACKET_OTHERHOST)
    if same_address(frame, net + INGRESS_BROADCAST):
        return u32(PACKET_BROADCAST)
    return u32(PACKET_MULTICAST)


@inline
def prepare_socket(ctx: ptr, network: ptr, linear: u64, protocol: u32) -> None:
    """The packet's socket: closed, its own address the packet's source."""
    zero(ctx + FAMILY, REMOTE_IP6 + 32 - FAMILY)
    sk = ctx + SOCKET
    store_ptr(ctx + SK, sk)
    zero(sk, SOCK_BYTES)
    store_u32(sk + SOCK_STATE, TCP_CLOSE)
    store_u32(sk + SOCK_RX_QUEUE, NO_QUEUE)
    if protocol == ETH_P_IP:
        store_u32(ctx + FAMILY, AF_INET)
        store_u32(sk + SOCK_FAMILY, AF_INET)
        if linear >= 20:
            copy(ctx + LOCAL_IP4, network + 12, 4)
            copy(ctx + REMOTE_IP4, network + 16, 4)
            copy(sk + SOCK_SRC_IP4, network + 12, 4)
            copy(sk + SOCK_DST_IP4, network + 16, 4)
    elif protocol == ETH_P_IPV6:
        store_u32(ctx + FAMILY, AF_INET6)
        store_u32(sk + SOCK_FAMILY, AF_INET6)
        if linear >= 40:
            copy(ctx + LOCAL_IP6, network + 8, 16)
            copy(ctx + REMOTE_IP6, network + 24, 16)
            copy(sk + SOCK_SRC_IP6, network + 8, 16)
            copy(sk + SOCK_DST_IP6, network + 24, 16)


@inline
def take_tag(ctx: ptr, frame: ptr, length: u64) -> u64:
    """Take the outermost tag out of a frame: 4 if there was one, else 0. skb_vlan_untag."""
    set_tag(ctx, 0, 0)
    kind = u32(load_u16(frame + TYPE_AT))
    if not is_vlan(kind) or length < ETH_HLEN + VLAN_HLEN + 2:
        return u64(0)
    set_tag(ctx, kind, u32(swap16(load_u16(frame + ETH_HLEN))))
    move(frame + VLAN_HLEN, frame, ADDRESSES)
    return u64(VLAN_HLEN)


@export
@inline
def prepare(rt: ptr, ctx: ptr, frame: ptr, length: u64, low: ptr, high: ptr) -> None:
    """Make ``ctx`` the context of a frame of 14 bytes at least, in the buffer low..high."""
    taken = u64(0)
    if TAKES_TAGS:
        taken = take_tag(ctx, frame, length)
        frame = frame + taken
        length -= taken
    limit = u64(load_u32(ctx + LINEAR_BYTES))
    whole = length - START
    linear = min(limit, whole)
    data = frame + START
    store_ptr(ctx + DATA, data)
    store_ptr(ctx + DATA_META, data)
    store_ptr(ctx + DATA_END, data + linear)
    store_ptr(ctx + HARD_START, low)
    head = u32(SKB_PAD + START) + u32(taken)
    store_u32(ctx + HEAD_BYTES, head)
    transport = u32(NOT_SET)
    if taken != 0:
        transport = head + (ETH_HLEN - START)
    store_u32(ctx + TRANSPORT_HEADER, transport)
    store_ptr(ctx + HARD_END, high)
    store_ptr(ctx + MAC_HEADER, frame)
    store_ptr(ctx + NETWORK_HEADER, frame + ETH_HLEN)
    protocol = ethernet_protocol(frame, length)
    store_u32(ctx + LEN, u32(whole))
    store_u32(ctx + WIRE_LEN, u32(whole))
    store_u32(ctx + PROTOCOL, protocol)
    store_u32(ctx + PKT_TYPE, packet_type(load_ptr(rt + NETWORK), frame))
    if HAS_SOCKET:
        behind = u64(ETH_HLEN - START)
        headers = linear - behind if linear > behind else u64(0)
        prepare_socket(ctx, data + behind, headers, protocol)
    tunnel = load_ptr(rt + TUNNEL)
    if load_u32(tunnel + TUNNEL_OWN) != 0:  # the last packet's program has set it
        copy(tunnel, tunnel + TUNNEL_START, TUNNEL_BYTES)


@export
@inline
def finish(rt: ptr, ctx: ptr) -> None:
    """Make the packet what leaves a device: with the tag that is beside it."""
    if START == 0:
        if load_u32(ctx + VLAN_PRESENT) != 0 and len_of(ctx) >= ADDRESSES:
            if insert(ctx):
                set_tag(ctx, 0, 0)
