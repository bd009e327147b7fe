"""Network headers as they lie in packets: big-endian fields read as plain integers.

Names follow the kernel's uapi headers; bit fields are whole bytes here, with functions to split
them. Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), IEEE 802.1Q.
"""

from __future__ import annotations

from typing import Final, Literal

from beebox.compiler.language import array, be16, be32, be64, struct, u8, u16, u32

ETH_P_IP: Final = 0x0800
ETH_P_ARP: Final = 0x0806
ETH_P_8021Q: Final = 0x8100
ETH_P_IPV6: Final = 0x86DD
ETH_P_8021AD: Final = 0x88A8

IPPROTO_HOPOPTS: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_ROUTING: Final = 43
IPPROTO_FRAGMENT: Final = 44
IPPROTO_ICMPV6: Final = 58
IPPROTO_NONE: Final = 59
IPPROTO_DSTOPTS: Final = 60

IP_MF: Final = 0x2000
IP_OFFSET: Final = 0x1FFF

TCP_FIN: Final = 0x01
TCP_SYN: Final = 0x02
TCP_RST: Final = 0x04
TCP_PSH: Final = 0x08
TCP_ACK: Final = 0x10
TCP_URG: Final = 0x20


@struct
class ethhdr:  # noqa: N801 -- the kernel's name
    """An Ethernet header, 14 bytes."""

    h_dest: array[u8, Literal[6]]
    h_source: array[u8, Literal[6]]
    h_proto: be16


@struct
class vlan_hdr:  # noqa: N801 -- the kernel's name
    """An 802.1Q tag, 4 bytes, after the ethertype that announces it."""

    h_vlan_TCI: be16  # noqa: N815 -- the kernel's name
    h_vlan_encapsulated_proto: be16


@struct
class iphdr:  # noqa: N801 -- the kernel's name
    """An IPv4 header without options, 20 bytes."""

    version_ihl: u8
    tos: u8
    tot_len: be16
    id: be16
    frag_off: be16
    ttl: u8
    protocol: u8
    check: be16
    saddr: be32
    daddr: be32


@struct
class in6_addr:  # noqa: N801 -- the kernel's name
    """An IPv6 address: the upper 64 bits (the usual prefix) and the lower."""

    high: be64
    low: be64


@struct
class ipv6hdr:  # noqa: N801 -- the kernel's name
    """An IPv6 header, 40 bytes. In uapi its addresses need no alignment beyond 4."""

    version_class_flow: be32
    payload_len: be16
    nexthdr: u8
    hop_limit: u8
    saddr: in6_addr
    daddr: in6_addr


@struct
class ipv6_ext:  # noqa: N801 -- uapi's ipv6_opt_hdr, shorter
    """How most IPv6 extension headers start; ``hdrlen`` counts 8 bytes beyond the first 8."""

    nexthdr: u8
    hdrlen: u8


@struct
class ipv6_frag:  # noqa: N801 -- uapi's frag_hdr, named as its family here
    """An IPv6 fragment header, 8 bytes; the offset is the upper 13 bits, in 8-byte units."""

    nexthdr: u8
    reserved: u8
    frag_off: be16
    identification: be32


@struct
class tcphdr:  # noqa: N801 -- the kernel's name
    """A TCP header without options, 20 bytes."""

    source: be16
    dest: be16
    seq: be32
    ack_seq: be32
    doff_reserved: u8
    flags: u8
    window: be16
    check: be16
    urg_ptr: be16


@struct
class udphdr:  # noqa: N801 -- the kernel's name
    """A UDP header, 8 bytes."""

    source: be16
    dest: be16
    len: be16
    check: be16


@struct
class icmphdr:  # noqa: N801 -- the kernel's name
    """The first 8 bytes of an ICMP message."""

    type: u8
    code: u8
    checksum: be16
    rest: be32


def ip_header_bytes(ip: iphdr) -> u32:
    """The length of an IPv4 header with its options: 20 to 60 when well-formed."""
    return u32(ip.version_ihl & 15) * 4


def tcp_header_bytes(tcp: tcphdr) -> u32:
    """The length of a TCP header with its options: 20 to 60 when well-formed."""
    return u32(tcp.doff_reserved >> 4) * 4


def ip_is_fragment(ip: iphdr) -> bool:
    """Whether an IPv4 packet is a fragment, the first included."""
    return ip.frag_off & (IP_MF | IP_OFFSET) != 0


def ip_fragment_offset(ip: iphdr) -> u16:
    """Where a fragment's payload stands, in 8-byte units; the ports are in the one at 0."""
    return ip.frag_off & IP_OFFSET
