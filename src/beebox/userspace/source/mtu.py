"""What a packet may have on its way out of a device, for XDP and skb programs."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    i32,
    i64,
    load_ptr,
    load_u32,
    ptr,
    store_u32,
    u32,
)
from beebox.userspace.source.routes import IF_MTU, find_interface

NETWORK: Final = constant("NETWORK")

ETH_HLEN: Final = 14
ENODEV: Final = 19
FITS: Final = 0
FRAG_NEEDED: Final = 1  # BPF_MTU_CHK_RET_FRAG_NEEDED


def check(rt: ptr, ifindex: u32, length: ptr, whole: u32, diff: u32) -> i64:
    """Whether ``whole + diff`` bytes, or the ``*length`` that is asked for, fit the device.

    Writes its MTU to ``length``; -ENODEV where there is no such device.
    """
    device = find_interface(load_ptr(rt + NETWORK), ifindex)
    if device is None:
        return i64(-ENODEV)
    mtu = load_u32(device + IF_MTU)
    total = i32(whole)
    if load_u32(length) != 0:
        total = i32(load_u32(length) + ETH_HLEN)
    total += i32(diff)
    store_u32(length, mtu)
    return i64(FITS) if total <= i32(mtu + ETH_HLEN) else i64(FRAG_NEEDED)
