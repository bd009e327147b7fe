"""A frame for a flow dissector: its bytes, and fresh flow keys (``bpf_flow_dissect``).

No skb stands behind it, as in a test run: helpers that read one find it empty.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    export,
    inline,
    load_ptr,
    load_u16,
    load_u32,
    ptr,
    store_ptr,
    store_u16,
    store_u32,
    u64,
    zero,
)

DATA: Final = constant("DATA")
DATA_END: Final = constant("DATA_END")
LEN: Final = constant("LEN")
FLOW_KEYS: Final = constant("FLOW_KEYS")  # of the context
NEXT_KEYS: Final = constant("NEXT_KEYS")  # of the runtime block
KEYS_STEP: Final = constant("KEYS_STEP")
KEYS_BYTES: Final = constant("KEYS_BYTES")

NHOFF: Final = 0  # struct bpf_flow_keys
THOFF: Final = 2
N_PROTO: Final = 10

ETH_HLEN: Final = 14
TYPE_AT: Final = 12


@export
@inline
def prepare(rt: ptr, ctx: ptr, frame: ptr, length: u64, low: ptr, high: ptr) -> None:
    """Make ``ctx`` the context of a frame of 14 bytes at least."""
    store_ptr(ctx + DATA, frame)
    store_ptr(ctx + DATA_END, frame + length)
    store_u32(ctx + LEN, 0)
    keys = load_ptr(rt + NEXT_KEYS)
    store_ptr(rt + NEXT_KEYS, keys + u64(load_u32(rt + KEYS_STEP)))
    store_ptr(ctx + FLOW_KEYS, keys)
    zero(keys, KEYS_BYTES)
    store_u16(keys + NHOFF, ETH_HLEN)
    store_u16(keys + THOFF, ETH_HLEN)
    store_u16(keys + N_PROTO, load_u16(frame + TYPE_AT))
