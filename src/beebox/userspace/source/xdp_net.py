"""Routes and redirects for XDP programs."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    export,
    i64,
    inline,
    ptr,
    store_u32,
    store_u64,
    u32,
)
from beebox.userspace.source.fib import lookup

REDIRECT_MAP: Final = constant("REDIRECT_MAP")
REDIRECT_FLAGS: Final = constant("REDIRECT_FLAGS")
REDIRECT_IFINDEX: Final = constant("REDIRECT_IFINDEX")
REDIRECT_KIND: Final = constant("REDIRECT_KIND")

DEVICE: Final = 1
XDP_ABORTED: Final = 0
XDP_REDIRECT: Final = 4


@export
@cold
def fib_lookup(rt: ptr, ctx: ptr, params: ptr, size: i64, flags: i64) -> i64:
    """bpf_fib_lookup: a packet's length is always held against the MTU."""
    return lookup(rt, params, size, flags, True)


@export
@inline
def redirect(rt: ptr, ifindex: i64, flags: i64) -> i64:
    """bpf_redirect: note the device; the verdict to return."""
    if flags != 0:
        return i64(XDP_ABORTED)
    store_u64(rt + REDIRECT_MAP, 0)
    store_u64(rt + REDIRECT_FLAGS, 0)
    store_u32(rt + REDIRECT_IFINDEX, u32(ifindex))
    store_u32(rt + REDIRECT_KIND, DEVICE)
    return i64(XDP_REDIRECT)
