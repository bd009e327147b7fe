"""A mistake that only the verifier catches: packets choose the index, and the table is too small.

The author meant the six bits of DSCP, ``ip.tos >> 2``, and wrote the whole byte. It works on every
packet of an ordinary day; one with a high type of service would write past the table.
"""

from __future__ import annotations

from typing import Literal

from beebox import PerCpuArray, XdpAction, XdpContext, array, struct, u64, xdp
from beebox.lib.net import ETH_P_IP, ethhdr, iphdr


@struct
class Histogram:
    """Packets per class of service."""

    slots: array[u64, Literal[64]]


service_classes = PerCpuArray[Histogram](max_entries=1)


@xdp
def classify(ctx: XdpContext) -> XdpAction:
    """Count packets by their class of service."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None:
        return XdpAction.PASS
    histogram = service_classes[0]
    if histogram is not None:
        histogram.slots[ip.tos] += 1
    return XdpAction.PASS
