"""Sockets: there are none but the one that a test run gives to its packet.

That one is closed, root's, and has the packet's addresses; lookups find nothing. Pointers come and
go as numbers.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import export, i64, inline, ptr, u32

ROOT_CGROUP: Final = 1
EINVAL: Final = 22
EOPNOTSUPP: Final = 95


@export
@inline
def sk_lookup_tcp(rt: ptr, ctx: ptr, tuple_: ptr, size: i64, netns: i64, flags: i64) -> i64:
    """No socket has these addresses."""
    return i64(0)


@export
@inline
def sk_lookup_udp(rt: ptr, ctx: ptr, tuple_: ptr, size: i64, netns: i64, flags: i64) -> i64:
    """No socket has these addresses."""
    return i64(0)


@export
@inline
def skc_lookup_tcp(rt: ptr, ctx: ptr, tuple_: ptr, size: i64, netns: i64, flags: i64) -> i64:
    """No socket has these addresses."""
    return i64(0)


@export
@inline
def sk_release(rt: ptr, sk: i64) -> i64:
    """There is no count of who uses a socket."""
    return i64(0)


@export
@inline
def sk_fullsock(rt: ptr, sk: i64) -> i64:
    """The socket itself: it is no request and does not wait."""
    return sk


@export
@inline
def tcp_sock(rt: ptr, sk: i64) -> i64:
    """It is not a TCP socket."""
    return i64(0)


@export
@inline
def get_listener_sock(rt: ptr, sk: i64) -> i64:
    """It does not listen."""
    return i64(0)


@export
@inline
def sk_cgroup_id(rt: ptr, sk: i64) -> i64:
    """It is in the root cgroup."""
    return i64(ROOT_CGROUP)


@export
@inline
def sk_ancestor_cgroup_id(rt: ptr, sk: i64, level: i64) -> i64:
    """The root cgroup is at level 0; there are no others."""
    return i64(ROOT_CGROUP) if u32(level) == 0 else i64(0)


@export
@inline
def sk_assign(rt: ptr, ctx: ptr, sock: i64, flags: i64) -> i64:
    """A test run is not on the way in, where a packet gets its socket."""
    if flags != 0:
        return i64(-EINVAL)
    return i64(-EOPNOTSUPP)
