"""Structs of the kernel's interface that helpers and contexts use, as linux/bpf.h has them.

Read by the compiler as source, like a program. Names and layouts are the uapi's; members of its
unions are fields that lie :class:`over` one another.
"""

from __future__ import annotations

from typing import Annotated, Literal

from beebox.compiler.language import array, be16, be32, over, struct, u8, u16, u32


@struct
class bpf_flow_keys:
    """What a flow dissector fills; ``nhoff`` is where it starts, ``thoff`` where it got to."""

    nhoff: u16
    thoff: u16
    addr_proto: u16  # ETH_P_IP or ETH_P_IPV6, in the host's order
    is_frag: u8
    is_first_frag: u8
    is_encap: u8
    ip_proto: u8
    n_proto: be16
    sport: be16
    dport: be16
    ipv4_src: be32
    ipv4_dst: be32
    ipv6_src: Annotated[array[be32, Literal[4]], over("ipv4_src")]
    ipv6_dst: array[be32, Literal[4]]
    flags: u32
    flow_label: be32


@struct
class bpf_fib_lookup:
    """What ``fib_lookup`` is asked, and what it answers in the same bytes; 64 bytes."""

    family: u8
    l4_protocol: u8
    sport: be16
    dport: be16
    tot_len: u16
    mtu_result: Annotated[u16, over("tot_len")]
    ifindex: u32
    tos: u8
    flowinfo: Annotated[be32, over("tos")]
    rt_metric: Annotated[u32, over("tos")]
    ipv4_src: be32
    ipv6_src: Annotated[array[be32, Literal[4]], over("ipv4_src")]
    ipv4_dst: be32
    ipv6_dst: Annotated[array[be32, Literal[4]], over("ipv4_dst")]
    h_vlan_proto: be16
    h_vlan_TCI: be16  # noqa: N815 -- the kernel's name
    tbid: Annotated[u32, over("h_vlan_proto")]
    smac: array[u8, Literal[6]]
    mark: Annotated[u32, over("smac")]
    dmac: array[u8, Literal[6]]


@struct
class bpf_tunnel_key:
    """A tunnel's ends and options; ``remote_ipv4`` and ``local_ipv4`` are in the host's order."""

    tunnel_id: u32
    remote_ipv4: u32
    remote_ipv6: Annotated[array[be32, Literal[4]], over("remote_ipv4")]
    tunnel_tos: u8
    tunnel_ttl: u8
    tunnel_flags: be16
    tunnel_label: u32
    local_ipv4: u32
    local_ipv6: Annotated[array[be32, Literal[4]], over("local_ipv4")]


@struct
class bpf_redir_neigh:
    """The next hop that ``redirect_neigh`` takes; ``nh_family`` is AF_INET or AF_INET6."""

    nh_family: u32
    ipv4_nh: be32
    ipv6_nh: Annotated[array[be32, Literal[4]], over("ipv4_nh")]
