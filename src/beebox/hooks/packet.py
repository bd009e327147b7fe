"""Packet hooks: for each program type, what a program finds there and what its verdicts mean.

Described hooks, not driven ones: engines prepare packets by them, replay and reports name what
comes back. Where a packet starts, and how long it must be, is as BPF_PROG_TEST_RUN of Linux 6.18
has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, auto
from functools import cache
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
FLOW_MAX_TEST_BYTES: Final = 4096
FLOW_MAX_BYTES: Final = 65_535  # what flow keys can point into


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
    fates: Mapping[int, Fate]
    otherwise: Fate = Fate.DROPPED  # of a packet whose verdict is in no table
    keeps_bytes: bool = False  # a socket filter: the verdict is how much of the packet is kept
    has_socket: bool = False  # packets belong to a socket, also those that no test run sends
    headers: Mapping[bytes, int] | None = None
    """In a test run: the bytes that must follow an Ethernet header, by its type."""
    gives_keys: bool = False  # a flow dissector: it leaves flow keys, and the frame as it is

    takes_tags: bool = False  # the outermost VLAN tag lies beside the packet, not in it

    def why_not(self, frame: bytes) -> str | None:
        """Why a test run refuses ``frame``; None where it does not."""
        if not self.min_bytes <= len(frame) <= self.max_test_bytes:
            least, most = self.min_bytes, self.max_test_bytes
            return f"a frame of {len(frame)} bytes; {self.name} takes {least} to {most}"
        if self.headers:
            least = ETHERNET_BYTES + self.headers.get(frame[12:14], 0)
            if len(frame) < least:
                return f"a frame of {len(frame)} bytes ends inside its IP header"
        return None

    def verdict_name(self, retval: int) -> str:
        """What the kernel calls a return value (its low 32 bits)."""
        if self.keeps_bytes:
            return "KEEP" if retval else "DROP"
        return self.verdicts.get(retval, f"UNKNOWN_{retval}")

    def fate(self, retval: int) -> Fate:
        """What becomes of the packet."""
        return self.fates.get(retval, self.otherwise)

    def passes(self, retval: int) -> bool:
        """Whether the packet goes on or leaves by another way."""
        return self.fate(retval) is not Fate.DROPPED


_U32: Final = (1 << 32) - 1


def _names(verdicts: type[IntEnum]) -> Mapping[int, str]:
    return MappingProxyType({verdict.value & _U32: verdict.name for verdict in verdicts})


_IP_HEADERS: Final = MappingProxyType({b"\x08\x00": 20, b"\x86\xdd": 40})


def _fates(
    passed: tuple[int, ...] = (), forwarded: tuple[int, ...] = (), dropped: tuple[int, ...] = ()
) -> Mapping[int, Fate]:
    rows = ((Fate.PASSED, passed), (Fate.FORWARDED, forwarded), (Fate.DROPPED, dropped))
    return MappingProxyType({value: fate for fate, values in rows for value in values})


def _skb(
    program_type: ProgramType,
    start: int,
    verdicts: Mapping[int, str],
    fates: Mapping[int, Fate],
    otherwise: Fate = Fate.DROPPED,
    *,
    keeps_bytes: bool = False,
    has_socket: bool = False,
) -> PacketHook:
    return PacketHook(
        program_type.value.name,
        start,
        ETHERNET_BYTES,
        SKB_MAX_FRAME_BYTES,
        SKB_MAX_PACKET_BYTES,
        verdicts,
        fates,
        otherwise,
        keeps_bytes,
        has_socket=has_socket,
        headers=_IP_HEADERS,
    )


def _tc(program_type: ProgramType) -> PacketHook:
    """Direct action: what ``cls_bpf`` does not know goes on."""
    fates = _fates(
        forwarded=(TcAction.REDIRECT,), dropped=(TcAction.SHOT, TcAction.STOLEN, TcAction.TRAP)
    )
    return _skb(program_type, 0, _names(TcAction), fates, Fate.PASSED)


def _lwt(program_type: ProgramType) -> PacketHook:
    fates = _fates(passed=(LwtVerdict.OK,), forwarded=(LwtVerdict.REDIRECT, LwtVerdict.LWT_REROUTE))
    return _skb(program_type, ETHERNET_BYTES, _names(LwtVerdict), fates)


_XDP: Final = PacketHook(
    "xdp",
    0,
    xdp.MIN_FRAME_BYTES,
    xdp.MAX_FRAME_BYTES,
    xdp.MAX_FRAME_BYTES,
    _names(XdpAction),
    _fates(passed=(XdpAction.PASS,), forwarded=(XdpAction.TX, XdpAction.REDIRECT)),
)
_SOCKET_FILTER: Final = _skb(
    ProgramType.SOCKET_FILTER,
    ETHERNET_BYTES,
    {},
    _fates(dropped=(0,)),
    Fate.PASSED,
    keeps_bytes=True,
)
_CGROUP_SKB: Final = _skb(
    ProgramType.CGROUP_SKB,
    ETHERNET_BYTES,
    _names(CgroupSkbVerdict),
    _fates(passed=(CgroupSkbVerdict.PASS, CgroupSkbVerdict.PASS_CN)),
    has_socket=True,
)
_FLOW_DISSECTOR: Final = PacketHook(
    ProgramType.FLOW_DISSECTOR.value.name,
    0,
    ETHERNET_BYTES,
    FLOW_MAX_TEST_BYTES,
    FLOW_MAX_BYTES,
    _names(FlowDissectorVerdict),
    _fates(passed=(FlowDissectorVerdict.OK, FlowDissectorVerdict.FLOW_DISSECTOR_CONTINUE)),
    gives_keys=True,
)
_HOOKS: Final = MappingProxyType(
    {
        ProgramType.XDP: _XDP,
        ProgramType.SCHED_CLS: _tc(ProgramType.SCHED_CLS),
        ProgramType.SCHED_ACT: _tc(ProgramType.SCHED_ACT),
        ProgramType.SOCKET_FILTER: _SOCKET_FILTER,
        ProgramType.CGROUP_SKB: _CGROUP_SKB,
        ProgramType.LWT_IN: _lwt(ProgramType.LWT_IN),
        ProgramType.LWT_OUT: _lwt(ProgramType.LWT_OUT),
        ProgramType.LWT_XMIT: _lwt(ProgramType.LWT_XMIT),
        ProgramType.LWT_SEG6LOCAL: _lwt(ProgramType.LWT_SEG6LOCAL),
        ProgramType.FLOW_DISSECTOR: _FLOW_DISSECTOR,
    }
)

HOOKED: Final = frozenset(_HOOKS)
"""Program types that have a packet hook."""


@cache
def taking_tags(hook: PacketHook) -> PacketHook:
    """The same hook behind a device that takes the outermost VLAN tag out of each frame.

    Only skb programs see that; others' hooks are given back.
    """
    if hook.name == _XDP.name or hook.gives_keys:
        return hook
    return replace(hook, takes_tags=True)


def hook_of(program_type: ProgramType) -> PacketHook:
    """The hook of a program type. Raises :exc:`NotSupportedError` where packets do not reach it."""
    hook = _HOOKS.get(program_type)
    if hook is None:
        raise NotSupportedError(f"{program_type.value.name} programs on packets")
    return hook
