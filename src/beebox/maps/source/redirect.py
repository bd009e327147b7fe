"""bpf_redirect_map: where a packet shall go, noted in the runtime block. Shared by the map types.

A verdict is XDP_REDIRECT, or the flags' two lowest bits where there is no target.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    i64,
    inline,
    load_u32,
    ptr,
    storage,
    store_ptr,
    store_u32,
    store_u64,
    u32,
    u64,
)

MAP_AT: Final = constant("RT_REDIRECT_MAP")
KEY_AT: Final = constant("RT_REDIRECT_KEY")
FLAGS_AT: Final = constant("RT_REDIRECT_FLAGS")
IFINDEX_AT: Final = constant("RT_REDIRECT_IFINDEX")
REDIRECT_FLAGS: Final = constant("REDIRECT_FLAGS")  # beyond the verdict; 0: a map of no devices

VERDICT: Final = 3
BROADCAST: Final = 8
XDP_REDIRECT: Final = 4


@inline
def refused(flags: u64) -> bool:
    """Whether the map takes no such flags; the verdict is XDP_ABORTED then."""
    return flags & u64(~(VERDICT | REDIRECT_FLAGS)) != 0


@inline
def record(rt: ptr, target: ptr | None, flags: u64) -> i64:
    """Note the target under the key that :data:`KEY_AT` holds; the verdict."""
    ifindex = u64(0)
    broadcast = flags & BROADCAST
    if target is None:
        if broadcast == 0:
            store_u64(rt + MAP_AT, 0)
            return i64(flags & VERDICT)
    elif REDIRECT_FLAGS:
        ifindex = u64(load_u32(target))
    store_ptr(rt + MAP_AT, storage())
    store_u32(rt + IFINDEX_AT, u32(ifindex))
    if broadcast == 0:
        store_u64(rt + FLAGS_AT, 0)
    else:
        store_u64(rt + FLAGS_AT, flags)
    return i64(XDP_REDIRECT)
