"""Program types: identity, context, verdicts and what a program of each type may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Final

from beebox.tables.contexts import (
    SK_BUFF_CGROUP,
    SK_BUFF_FLOW_DISSECTOR,
    SK_BUFF_LWT,
    SK_BUFF_SOCKET_FILTER,
    SK_BUFF_TC,
    XDP_MD,
    Context,
)


class XdpAction(IntEnum):
    """Verdicts of an XDP program."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


class TcAction(IntEnum):
    """Verdicts of a tc program (``TC_ACT_*``)."""

    UNSPEC = -1
    OK = 0
    RECLASSIFY = 1
    SHOT = 2
    PIPE = 3
    STOLEN = 4
    QUEUED = 5
    REPEAT = 6
    REDIRECT = 7
    TRAP = 8


class CgroupSkbVerdict(IntEnum):
    """Verdicts of a cgroup_skb program; egress programs may add congestion notification."""

    DROP = 0
    PASS = 1
    DROP_CN = 2
    PASS_CN = 3


class LwtVerdict(IntEnum):
    """Verdicts of a lightweight tunnel program (``BPF_*`` of ``enum bpf_ret_code``)."""

    OK = 0
    DROP = 2
    REDIRECT = 7
    LWT_REROUTE = 128


class FlowDissectorVerdict(IntEnum):
    """Verdicts of a flow dissector."""

    OK = 0
    DROP = 2
    FLOW_DISSECTOR_CONTINUE = 129


class PacketAccess(Enum):
    """Whether programs load and store packet bytes directly; ``may_access_direct_pkt_data``."""

    NONE = auto()
    READ = auto()
    WRITE = auto()


class AttachType(Enum):
    """``bpf_attach_type``; only those that an object can ask for by its section."""

    CGROUP_INET_INGRESS = 0
    CGROUP_INET_EGRESS = 1
    FLOW_DISSECTOR = 17
    XDP_DEVMAP = 33
    XDP_CPUMAP = 35
    XDP = 37
    TCX_INGRESS = 46
    TCX_EGRESS = 47


@dataclass(frozen=True, slots=True)
class ReturnRange:
    """The values a program may return, enforced by the verifier; ``attach_types`` empty: any."""

    low: int
    high: int
    attach_types: tuple[AttachType, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramTypeRow:
    id: int
    name: str
    context: Context | None = None  # None: not a fixed struct, or not known here yet
    verdicts: type[IntEnum] | None = None  # None: return values have no names
    packet: PacketAccess = PacketAccess.NONE
    returns: tuple[ReturnRange, ...] = ()  # empty: any value
    legacy_loads: bool = False  # LD_ABS and LD_IND
    attach_types: tuple[AttachType, ...] = ()  # that BPF_PROG_LOAD takes as expected_attach_type
    since: str = "3.19"


class ProgramType(Enum):
    """``bpf_prog_type``; the member's value is its row."""

    SOCKET_FILTER = ProgramTypeRow(1, "socket_filter", SK_BUFF_SOCKET_FILTER, legacy_loads=True)
    SCHED_CLS = ProgramTypeRow(
        3,
        "sched_cls",
        SK_BUFF_TC,
        TcAction,
        PacketAccess.WRITE,
        legacy_loads=True,
        attach_types=(AttachType.TCX_INGRESS, AttachType.TCX_EGRESS),
        since="4.1",
    )
    SCHED_ACT = ProgramTypeRow(
        4, "sched_act", SK_BUFF_TC, TcAction, PacketAccess.WRITE, legacy_loads=True, since="4.1"
    )
    XDP = ProgramTypeRow(
        6,
        "xdp",
        XDP_MD,
        XdpAction,
        PacketAccess.WRITE,
        attach_types=(AttachType.XDP, AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP),
        since="4.8",
    )
    CGROUP_SKB = ProgramTypeRow(
        8,
        "cgroup_skb",
        SK_BUFF_CGROUP,
        CgroupSkbVerdict,
        PacketAccess.READ,
        returns=(
            ReturnRange(0, 1, (AttachType.CGROUP_INET_INGRESS,)),
            ReturnRange(0, 3, (AttachType.CGROUP_INET_EGRESS,)),
        ),
        legacy_loads=True,
        attach_types=(AttachType.CGROUP_INET_INGRESS, AttachType.CGROUP_INET_EGRESS),
        since="4.10",
    )
    LWT_IN = ProgramTypeRow(10, "lwt_in", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.10")
    LWT_OUT = ProgramTypeRow(
        11, "lwt_out", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.10"
    )
    LWT_XMIT = ProgramTypeRow(
        12, "lwt_xmit", SK_BUFF_LWT, LwtVerdict, PacketAccess.WRITE, since="4.10"
    )
    LWT_SEG6LOCAL = ProgramTypeRow(
        19, "lwt_seg6local", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.18"
    )
    FLOW_DISSECTOR = ProgramTypeRow(
        22,
        "flow_dissector",
        SK_BUFF_FLOW_DISSECTOR,
        FlowDissectorVerdict,
        PacketAccess.READ,
        attach_types=(AttachType.FLOW_DISSECTOR,),
        since="4.20",
    )


PROGRAM_TYPE_BY_ID: Final = {row.value.id: row for row in ProgramType}
