"""Packet hooks: for each program type, what a program finds there and what its verdicts mean.

Described hooks, not driven ones: engines prepare packets by them, replay and reports name what
comes back. Where a packet starts, and how long it must be, is as BPF_PROG_TEST_RUN of Linux 6.18
has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import Final

from beebox.errors import NotSupportedError
from beebox.hooks import xdp
from beebox.tables.program_types import (
    CgroupSkbVerdict,
    FlowDissectorVerdict,
    LwtVerdict,
    ProgramType,
    TcAction,
    XdpAction,
)

ETHERNET_BYTES: Final = 14
SKB_MAX_FRAME_BYTES: Final = 3712
"""The longest frame that TEST_RUN makes an skb of: a page less headroom and skb_shared_info."""
SKB_MAX_PACKET_BYTES: Final = 1 << 18
"""The longest that replay gives to an skb program: what capture tools keep of a packet."""


class Fate(Enum):
    """What becomes of a packet after a verdict."""

    PASSED = auto()  # it goes on
    FORWARDED = auto()  # it leaves by another way: redirected, sent back, rerouted
    DROPPED = auto()


@dataclass(frozen=True, eq=False, slots=True)
class PacketHook:
    """Where programs of one type run.

    ``start`` bytes of a frame lie before the packet: 0 where the program sees the Ethernet header,
    14 where it starts at the network header. A frame has ``min_bytes`` at least and
    ``max_test_bytes`` in a test run, ``max_bytes`` in a replay at most.
    """

    name: str  # the program type's
    start: int
    min_bytes: int
    max_test_bytes: int
    max_bytes: int
    verdicts: Mapping[int, str]  # as the low 32 bits of R0
    passing: frozenset[int]
    forwarding: frozenset[int] = frozenset()
    keeps_bytes: bool = False  # a socket filter: the verdict is how much of the packet is kept

    def verdict_name(self, retval: int) -> str:
        """What the kernel calls a return value (its low 32 bits)."""
        if self.keeps_bytes:
            return "KEEP" if retval else "DROP"
        return self.verdicts.get(retval, f"UNKNOWN_{retval}")

    def fate(self, retval: int) -> Fate:
        """What becomes of the packet; a value that is no verdict drops it."""
        if (self.keeps_bytes and retval) or retval in self.passing:
            return Fate.PASSED
        return Fate.FORWARDED if retval in self.forwarding else Fate.DROPPED

    def passes(self, retval: int) -> bool:
        """Whether the packet goes on or leaves by another way."""
        return self.fate(retval) is not Fate.DROPPED


_U32: Final = (1 << 32) - 1


def _names(verdicts: type[IntEnum]) -> Mapping[int, str]:
    return MappingProxyType({verdict.value & _U32: verdict.name for verdict in verdicts})


def _skb(
    name: str,
    start: int,
    verdicts: Mapping[int, str],
    passing: frozenset[int],
    forwarding: frozenset[int] = frozenset(),
    *,
    keeps_bytes: bool = False,
) -> PacketHook:
    return PacketHook(
        name,
        start,
        ETHERNET_BYTES,
        SKB_MAX_FRAME_BYTES,
        SKB_MAX_PACKET_BYTES,
        verdicts,
        passing,
        forwarding,
        keeps_bytes,
    )


_XDP: Final = PacketHook(
    "xdp",
    0,
    xdp.MIN_FRAME_BYTES,
    xdp.MAX_FRAME_BYTES,
    xdp.MAX_FRAME_BYTES,
    _names(XdpAction),
    frozenset({XdpAction.PASS}),
    frozenset({XdpAction.TX, XdpAction.REDIRECT}),
)
_TC_PASSING: Final = frozenset(
    action & _U32 for action in (TcAction.UNSPEC, TcAction.OK, TcAction.RECLASSIFY, TcAction.PIPE)
)
_TC_FORWARDING: Final = frozenset({int(TcAction.REDIRECT)})
_LWT_PASSING: Final = frozenset({int(LwtVerdict.OK)})
_LWT_FORWARDING: Final = frozenset({int(LwtVerdict.REDIRECT), int(LwtVerdict.LWT_REROUTE)})


def _lwt(name: str) -> PacketHook:
    return _skb(name, ETHERNET_BYTES, _names(LwtVerdict), _LWT_PASSING, _LWT_FORWARDING)


_HOOKS: Final = {
    ProgramType.XDP: _XDP,
    ProgramType.SCHED_CLS: _skb("sched_cls", 0, _names(TcAction), _TC_PASSING, _TC_FORWARDING),
    ProgramType.SCHED_ACT: _skb("sched_act", 0, _names(TcAction), _TC_PASSING, _TC_FORWARDING),
    ProgramType.SOCKET_FILTER: _skb(
        "socket_filter", ETHERNET_BYTES, {}, frozenset(), keeps_bytes=True
    ),
    ProgramType.CGROUP_SKB: _skb(
        "cgroup_skb",
        ETHERNET_BYTES,
        _names(CgroupSkbVerdict),
        frozenset({int(CgroupSkbVerdict.PASS), int(CgroupSkbVerdict.PASS_CN)}),
    ),
    ProgramType.LWT_IN: _lwt("lwt_in"),
    ProgramType.LWT_OUT: _lwt("lwt_out"),
    ProgramType.LWT_XMIT: _lwt("lwt_xmit"),
    ProgramType.LWT_SEG6LOCAL: _lwt("lwt_seg6local"),
    ProgramType.FLOW_DISSECTOR: _skb(
        "flow_dissector",
        0,
        _names(FlowDissectorVerdict),
        frozenset(
            {int(FlowDissectorVerdict.OK), int(FlowDissectorVerdict.FLOW_DISSECTOR_CONTINUE)}
        ),
    ),
}

HOOKED: Final = frozenset(_HOOKS)
"""Program types that have a packet hook."""


def hook_of(program_type: ProgramType) -> PacketHook:
    """The hook of a program type. Raises :exc:`NotSupportedError` where packets do not reach it."""
    hook = _HOOKS.get(program_type)
    if hook is None:
        raise NotSupportedError(f"{program_type.value.name} programs on packets")
    return hook
