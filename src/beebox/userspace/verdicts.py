"""What replay must know of a hook: which frames reach a program there and what its verdict means.

The one place where replay depends on the type of a program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from beebox.hooks import xdp
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import (
    CgroupSkbVerdict,
    FlowDissectorVerdict,
    LwtVerdict,
    ProgramType,
    TcAction,
    XdpAction,
)

_TC: Final = frozenset({TcAction.SHOT, TcAction.STOLEN, TcAction.QUEUED, TcAction.TRAP})
_LWT: Final = frozenset({LwtVerdict.OK, LwtVerdict.REDIRECT, LwtVerdict.LWT_REROUTE})
_PASSES: Final[MappingProxyType[ProgramType, Callable[[int], bool]]] = MappingProxyType(
    {
        ProgramType.XDP: {XdpAction.PASS, XdpAction.TX, XdpAction.REDIRECT}.__contains__,
        ProgramType.SCHED_CLS: lambda value: value not in _TC,
        ProgramType.SCHED_ACT: lambda value: value not in _TC,
        ProgramType.SOCKET_FILTER: bool,
        ProgramType.CGROUP_SKB: {CgroupSkbVerdict.PASS, CgroupSkbVerdict.PASS_CN}.__contains__,
        ProgramType.LWT_IN: _LWT.__contains__,
        ProgramType.LWT_OUT: _LWT.__contains__,
        ProgramType.LWT_XMIT: _LWT.__contains__,
        ProgramType.LWT_SEG6LOCAL: _LWT.__contains__,
        ProgramType.FLOW_DISSECTOR: lambda value: value != FlowDissectorVerdict.DROP,
    }
)


@dataclass(frozen=True, slots=True)
class Hook:
    """Frames below ``min_bytes`` never reach a program; it sees ``linear_bytes`` at most."""

    type: ProgramType
    min_bytes: int
    linear_bytes: int

    def verdict_name(self, retval: int) -> str:
        """What the kernel calls a return value, ``UNKNOWN_n`` where it has no name for it."""
        verdicts = self.type.value.verdicts
        signed = retval - (1 << 32) if retval >> 31 else retval
        if verdicts is None:
            return str(retval)
        known = {row.value: row.name for row in verdicts}
        return known.get(signed, f"UNKNOWN_{retval}")

    def passes(self, retval: int) -> bool:
        """Whether a packet goes on somewhere, changed or not, with this return value."""
        signed = retval - (1 << 32) if retval >> 31 else retval
        return _PASSES[self.type](signed)


def hook_of(spec: ProgramSpec) -> Hook:
    """The hook of a program."""
    return Hook(spec.type, xdp.MIN_FRAME_BYTES, xdp.LINEAR_BYTES)
