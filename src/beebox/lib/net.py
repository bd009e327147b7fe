"""Network headers as they lie in packets: big-endian fields read as plain integers.

Names follow the kernel's uapi headers; bit fields are whole bytes here, with functions to split
them. Sources: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), IEEE 802.1Q,
RFC 826 (ARP), RFC 4443 (ICMPv6), RFC 9260 (SCTP), RFC 2784 and 2890 (GRE), RFC 7348 (VXLAN).
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
IPPROTO_IPIP: Final = 4
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_IPV6: Final = 41
IPPROTO_ROUTING: Final = 43
IPPROTO_FRAGMENT: Final = 44
IPPROTO_GRE: Final = 47
IPPROTO_ICMPV6: Final = 58
IPPROTO_NONE: Final = 59
IPPROTO_DSTOPTS: Final = 60
IPPROTO_SCTP: Final = 132

ICMP_ECHOREPLY: Final = 0
ICMP_DEST_UNREACH: Final = 3
ICMP_ECHO: Final = 8
ICMP_TIME_EXCEEDED: Final = 11
ICMPV6_ECHO_REQUEST: Final = 128
ICMPV6_ECHO_REPLY: Final = 129

VLAN_VID_MASK: Final = 0x0FFF
VLAN_PRIO_SHIFT: Final = 13
ARPOP_REQUEST: Final = 1
ARPOP_REPLY: Final = 2
VXLAN_PORT: Final = 4789
VXLAN_HF_VNI: Final = 0x08000000
GRE_CSUM: Final = 0x8000
GRE_KEY: Final = 0x2000
GRE_SEQ: Final = 0x1000

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


@struct
class icmp6hdr:  # noqa: N801 -- the kernel's name
    """The first 8 bytes of an ICMPv6 message."""

    icmp6_type: u8
    icmp6_code: u8
    icmp6_cksum: be16
    rest: be32


@struct
class arphdr:  # noqa: N801 -- the kernel's name, with the addresses that follow it
    """An ARP packet for IPv4 over Ethernet, 28 bytes. Addresses are halves: 4 bytes lie odd."""

    ar_hrd: be16
    ar_pro: be16
    ar_hln: u8
    ar_pln: u8
    ar_op: be16
    ar_sha: array[u8, Literal[6]]
    ar_sip: array[be16, Literal[2]]
    ar_tha: array[u8, Literal[6]]
    ar_tip: array[be16, Literal[2]]


@struct
class sctphdr:  # noqa: N801 -- the kernel's name
    """An SCTP common header, 12 bytes; its checksum (CRC32c) is little-endian."""

    source: be16
    dest: be16
    vtag: be32
    checksum: u32


@struct
class gre_base_hdr:  # noqa: N801 -- the kernel's name
    """A GRE header, 4 bytes; GRE_CSUM, GRE_KEY and GRE_SEQ in ``flags`` add 4 each."""

    flags: be16
    protocol: be16


@struct
class vxlanhdr:  # noqa: N801 -- the kernel's name
    """A VXLAN header, 8 bytes; the network identifier is the upper 24 bits of ``vx_vni``."""

    vx_flags: be32
    vx_vni: be32


@struct
class lpm_ipv4:  # noqa: N801 -- as the headers
    """The key of an LPM trie of IPv4 prefixes: ``prefixlen`` is 0 to 32, 32 in a look-up."""

    prefixlen: u32
    addr: be32


@struct
class lpm_ipv6:  # noqa: N801 -- as the headers
    """The key of an LPM trie of IPv6 prefixes: ``prefixlen`` is 0 to 128."""

    prefixlen: u32
    addr: array[be32, Literal[4]]


def gre_header_bytes(gre: gre_base_hdr) -> u32:
    """The length of a GRE header with the fields that its flags announce."""
    fields = u32(gre.flags >> 15) + (gre.flags >> 13 & 1) + (gre.flags >> 12 & 1)
    return 4 + fields * 4


def vlan_id(tag: vlan_hdr) -> u16:
    """The VLAN that a tag names, 0 to 4095."""
    return tag.h_vlan_TCI & VLAN_VID_MASK


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
