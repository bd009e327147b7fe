"""Internet checksums (RFC 1071, RFC 1624), over the plain integers that header fields read as.

A one's complement sum is the same in every byte order, so these work on fields as they are and
give what the header's ``check`` field takes.
"""

from __future__ import annotations

from beebox.compiler.language import u8, u16, u32, u64
from beebox.lib.net import iphdr


def csum_fold(total: u64) -> u16:
    """A sum of 16-bit words, carries folded in, complemented: a header's checksum."""
    total = (total & 0xFFFFFFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return u16(~total)


def csum_replace16(check: u16, old: u16, new: u16) -> u16:
    """The checksum after a 16-bit field has changed from ``old`` to ``new``."""
    return csum_fold(u64(u16(~check)) + u64(u16(~old)) + new)


def csum_replace32(check: u16, old: u32, new: u32) -> u16:
    """The checksum after a 32-bit field, such as an address, has changed."""
    kept = u64(u16(~check)) + (u64(~old) & 0xFFFF) + (u64(~old) >> 16 & 0xFFFF)
    return csum_fold(kept + (new & 0xFFFF) + (new >> 16))


def ip_checksum(ip: iphdr) -> u16:
    """The checksum of an IPv4 header without options, its ``check`` counted as 0."""
    total = u64(u16(ip.version_ihl) << 8 | ip.tos)
    total += ip.tot_len
    total += ip.id
    total += ip.frag_off
    total += u16(ip.ttl) << 8 | ip.protocol
    total += (ip.saddr >> 16) + (ip.saddr & 0xFFFF)
    total += (ip.daddr >> 16) + (ip.daddr & 0xFFFF)
    return csum_fold(total)


def ip_decrease_ttl(ip: iphdr) -> u8:
    """Take one from a TTL above 0, with the checksum; the new TTL, for a router to look at."""
    old = u16(ip.ttl) << 8
    ip.ttl -= 1
    ip.check = csum_replace16(ip.check, old, u16(ip.ttl) << 8)
    return ip.ttl
