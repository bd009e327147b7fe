"""Helpers that act on the world around a packet: routes, devices, tunnels, sockets, groups.

CPython has none of it: these are signatures for mypy, and calls raise NotImplementedError.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from beebox.compiler.language import SkbContext, XdpContext, i32, i64, u32, u64
from beebox.compiler.structs import bpf_fib_lookup, bpf_redir_neigh


def needs_kernel(*arguments: object) -> NoReturn:
    """Say that CPython cannot imitate the helper that calls this."""
    name = sys._getframe(1).f_code.co_name  # noqa: SLF001 -- its documented use
    assert arguments is not None
    raise NotImplementedError(f"{name}() needs a kernel: load the program in one")


def redirect(ifindex: u32, flags: u64) -> i64:
    """Send the packet to an interface when the program has returned this result."""
    return needs_kernel(ifindex, flags)


def clone_redirect(ctx: SkbContext, ifindex: u32, flags: u64) -> i64:
    """Send a copy of the packet to an interface now. 0, or a negative errno."""
    return needs_kernel(ctx, ifindex, flags)


def redirect_map(map: Any, key: u32, flags: u64) -> i64:  # noqa: A002 -- the table's name
    """Send the packet to what a map holds at ``key``, else return the low bits of ``flags``."""
    return needs_kernel(map, key, flags)


def redirect_neigh(ifindex: u32, params: bpf_redir_neigh | None, flags: u64) -> i64:
    """As :func:`redirect`, with the link addresses filled in by neighbour look-up."""
    return needs_kernel(ifindex, params, flags)


def redirect_peer(ifindex: u32, flags: u64) -> i64:
    """As :func:`redirect`, to the other end of a veth pair, in its namespace."""
    return needs_kernel(ifindex, flags)


def fib_lookup(ctx: XdpContext | SkbContext, params: bpf_fib_lookup, flags: u32) -> i64:
    """Look up the route and the neighbour of ``params``; fills it. A BPF_FIB_LKUP_RET_* code."""
    return needs_kernel(ctx, params, flags)


def check_mtu(
    ctx: XdpContext | SkbContext, ifindex: u32, mtu_len: Any, len_diff: i32, flags: u64
) -> i64:
    """Whether the packet, longer by ``len_diff``, fits an interface; ``mtu_len`` is 4 bytes."""
    return needs_kernel(ctx, ifindex, mtu_len, len_diff, flags)


def skb_get_tunnel_key(ctx: SkbContext, key: Any, flags: u64) -> i64:
    """Fill a bpf_tunnel_key with what the packet's tunnel header held. 0, or a negative errno."""
    return needs_kernel(ctx, key, flags)


def skb_set_tunnel_key(ctx: SkbContext, key: Any, flags: u64) -> i64:
    """Set what the tunnel device will write, from a bpf_tunnel_key. 0, or a negative errno."""
    return needs_kernel(ctx, key, flags)


def skb_get_tunnel_opt(ctx: SkbContext, opt: Any) -> i64:
    """Fill ``opt`` with the tunnel's options: their bytes, or a negative errno."""
    return needs_kernel(ctx, opt)


def skb_set_tunnel_opt(ctx: SkbContext, opt: Any) -> i64:
    """Set the tunnel's options. 0, or a negative errno."""
    return needs_kernel(ctx, opt)


def skb_get_xfrm_state(ctx: SkbContext, index: u32, xfrm_state: Any, flags: u64) -> i64:
    """Fill ``xfrm_state`` with an IPsec state of the packet. 0, or a negative errno."""
    return needs_kernel(ctx, index, xfrm_state, flags)


def lwt_push_encap(ctx: SkbContext, type: u32, hdr: Any) -> i64:  # noqa: A002 -- the table's name
    """Put the packet behind an outer header: BPF_LWT_ENCAP_IP, SEG6 or SEG6_INLINE."""
    return needs_kernel(ctx, type, hdr)


def lwt_seg6_store_bytes(ctx: SkbContext, offset: u32, from_: Any) -> i64:
    """Write to the segment routing header's flags, tag or TLVs. 0, or a negative errno."""
    return needs_kernel(ctx, offset, from_)


def lwt_seg6_adjust_srh(ctx: SkbContext, offset: u32, delta: i32) -> i64:
    """Grow or shrink the segment routing header's TLVs. 0, or a negative errno."""
    return needs_kernel(ctx, offset, delta)


def lwt_seg6_action(ctx: SkbContext, action: u32, param: Any) -> i64:
    """Apply an IPv6 segment routing action. 0, or a negative errno."""
    return needs_kernel(ctx, action, param)


def get_route_realm(ctx: SkbContext) -> u32:
    """The realm of the packet's route."""
    return needs_kernel(ctx)


def get_cgroup_classid(ctx: SkbContext | None = None) -> u32:
    """The net_cls class of the packet's task; programs that are not tc or lwt pass nothing."""
    return needs_kernel(ctx)


def skb_cgroup_classid(ctx: SkbContext) -> u64:
    """The net_cls class of the packet's socket."""
    return needs_kernel(ctx)


def skb_cgroup_id(ctx: SkbContext) -> u64:
    """The control group of the packet's socket."""
    return needs_kernel(ctx)


def skb_ancestor_cgroup_id(ctx: SkbContext, ancestor_level: i32) -> u64:
    """That group's ancestor, ``ancestor_level`` below the root."""
    return needs_kernel(ctx, ancestor_level)


def get_socket_cookie(ctx: SkbContext) -> u64:
    """A number for the packet's socket that no other socket has had; 0 without one."""
    return needs_kernel(ctx)


def get_socket_uid(ctx: SkbContext) -> u32:
    """The user that owns the packet's socket."""
    return needs_kernel(ctx)


def get_netns_cookie(ctx: SkbContext) -> u64:
    """A number for the packet's network namespace."""
    return needs_kernel(ctx)


def tcp_raw_gen_syncookie_ipv4(iph: Any, th: Any) -> i64:
    """A SYN cookie for an IPv4 header and a TCP header, with its MSS; or a negative errno."""
    return needs_kernel(iph, th)


def tcp_raw_gen_syncookie_ipv6(iph: Any, th: Any) -> i64:
    """A SYN cookie for an IPv6 header and a TCP header, with its MSS; or a negative errno."""
    return needs_kernel(iph, th)


def tcp_raw_check_syncookie_ipv4(iph: Any, th: Any) -> i64:
    """Whether an ACK carries a SYN cookie of ours: 0, or a negative errno."""
    return needs_kernel(iph, th)


def tcp_raw_check_syncookie_ipv6(iph: Any, th: Any) -> i64:
    """Whether an ACK carries a SYN cookie of ours: 0, or a negative errno."""
    return needs_kernel(iph, th)
