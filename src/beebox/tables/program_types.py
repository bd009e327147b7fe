"""Program types: identity, context, verdicts and what a program of each type may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Final

from beebox.tables.contexts import (
    SK_BUFF_CGROUP,
    SK_BUFF_FLOW_DISSECTOR,
    SK_BUFF_LWT,
    SK_BUFF_SK_SKB,
    SK_BUFF_SOCKET_FILTER,
    SK_BUFF_TC,
    XDP_MD,
    Context,
)
from beebox.tables.contexts_sockets import (
    BPF_CGROUP_DEV_CTX,
    BPF_SK_LOOKUP,
    BPF_SOCK,
    BPF_SOCK_ADDR,
    BPF_SOCK_OPS,
    BPF_SOCKOPT,
    BPF_SYSCTL,
    SK_MSG_MD,
    SK_REUSEPORT_MD,
)
from beebox.tables.contexts_tracing import (
    BPF_NF_CTX,
    BPF_PERF_EVENT_DATA,
    BPF_RAW_TRACEPOINT_ARGS,
    LIRC_SAMPLE,
    PT_REGS,
    RAW_TRACEPOINT_WRITABLE_ARGS,
    SYSCALL_ARGS,
    TRACEPOINT_RECORD,
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


class SkAction(IntEnum):
    """Verdicts of programs that pass messages, streams and connections on (``enum sk_action``)."""

    DROP = 0
    PASS = 1


class NetfilterVerdict(IntEnum):
    """Verdicts of a netfilter program (``NF_*``)."""

    DROP = 0
    ACCEPT = 1


class PacketAccess(Enum):
    """Whether programs load and store packet bytes directly; ``may_access_direct_pkt_data``."""

    NONE = auto()
    READ = auto()
    WRITE = auto()


class PacketArguments(Enum):
    """Whether helpers take pointers into the packet."""

    AS_HELPER = auto()  # as the helper's ``packet_access`` says
    NEVER = auto()
    ALWAYS = auto()


class AttachType(Enum):
    """``bpf_attach_type``."""

    CGROUP_INET_INGRESS = 0
    CGROUP_INET_EGRESS = 1
    CGROUP_INET_SOCK_CREATE = 2
    CGROUP_SOCK_OPS = 3
    SK_SKB_STREAM_PARSER = 4
    SK_SKB_STREAM_VERDICT = 5
    CGROUP_DEVICE = 6
    SK_MSG_VERDICT = 7
    CGROUP_INET4_BIND = 8
    CGROUP_INET6_BIND = 9
    CGROUP_INET4_CONNECT = 10
    CGROUP_INET6_CONNECT = 11
    CGROUP_INET4_POST_BIND = 12
    CGROUP_INET6_POST_BIND = 13
    CGROUP_UDP4_SENDMSG = 14
    CGROUP_UDP6_SENDMSG = 15
    LIRC_MODE2 = 16
    FLOW_DISSECTOR = 17
    CGROUP_SYSCTL = 18
    CGROUP_UDP4_RECVMSG = 19
    CGROUP_UDP6_RECVMSG = 20
    CGROUP_GETSOCKOPT = 21
    CGROUP_SETSOCKOPT = 22
    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    TRACE_FEXIT = 25
    MODIFY_RETURN = 26
    LSM_MAC = 27
    TRACE_ITER = 28
    CGROUP_INET4_GETPEERNAME = 29
    CGROUP_INET6_GETPEERNAME = 30
    CGROUP_INET4_GETSOCKNAME = 31
    CGROUP_INET6_GETSOCKNAME = 32
    XDP_DEVMAP = 33
    CGROUP_INET_SOCK_RELEASE = 34
    XDP_CPUMAP = 35
    SK_LOOKUP = 36
    XDP = 37
    SK_SKB_VERDICT = 38
    SK_REUSEPORT_SELECT = 39
    SK_REUSEPORT_SELECT_OR_MIGRATE = 40
    PERF_EVENT = 41
    TRACE_KPROBE_MULTI = 42
    LSM_CGROUP = 43
    STRUCT_OPS = 44
    NETFILTER = 45
    TCX_INGRESS = 46
    TCX_EGRESS = 47
    TRACE_UPROBE_MULTI = 48
    CGROUP_UNIX_CONNECT = 49
    CGROUP_UNIX_SENDMSG = 50
    CGROUP_UNIX_RECVMSG = 51
    CGROUP_UNIX_GETPEERNAME = 52
    CGROUP_UNIX_GETSOCKNAME = 53
    NETKIT_PRIMARY = 54
    NETKIT_PEER = 55
    TRACE_KPROBE_SESSION = 56
    TRACE_UPROBE_SESSION = 57


class Sleeps(Enum):
    """Whether programs may be loaded with BPF_F_SLEEPABLE."""

    NEVER = auto()
    MAY = auto()
    MUST = auto()


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
    packet_arguments: PacketArguments = PacketArguments.AS_HELPER
    legacy_loads: bool = False  # LD_ABS and LD_IND
    attach_types: tuple[AttachType, ...] = ()  # that BPF_PROG_LOAD takes as expected_attach_type
    needs_attach_type: bool = False  # it refuses to load without one
    needs_btf_id: bool = False  # attach_btf_id names a function, a hook or a struct of the kernel
    sleeps: Sleeps = Sleeps.NEVER
    meaning: str = ""  # of the result, where no verdicts name it
    since: str = "3.19"


BINDS: Final = (AttachType.CGROUP_INET4_BIND, AttachType.CGROUP_INET6_BIND)
REQUESTS: Final = (
    AttachType.CGROUP_INET4_CONNECT,
    AttachType.CGROUP_INET6_CONNECT,
    AttachType.CGROUP_UDP4_SENDMSG,
    AttachType.CGROUP_UDP6_SENDMSG,
    AttachType.CGROUP_UNIX_CONNECT,
    AttachType.CGROUP_UNIX_SENDMSG,
)
ANSWERS: Final = (
    AttachType.CGROUP_UDP4_RECVMSG,
    AttachType.CGROUP_UDP6_RECVMSG,
    AttachType.CGROUP_INET4_GETPEERNAME,
    AttachType.CGROUP_INET6_GETPEERNAME,
    AttachType.CGROUP_INET4_GETSOCKNAME,
    AttachType.CGROUP_INET6_GETSOCKNAME,
    AttachType.CGROUP_UNIX_RECVMSG,
    AttachType.CGROUP_UNIX_GETPEERNAME,
    AttachType.CGROUP_UNIX_GETSOCKNAME,
)
"""Attach types whose programs change an address that is on its way out, and cannot refuse."""


class ProgramType(Enum):
    """``bpf_prog_type``; the member's value is its row."""

    SOCKET_FILTER = ProgramTypeRow(
        1,
        "socket_filter",
        SK_BUFF_SOCKET_FILTER,
        legacy_loads=True,
        meaning="bytes of the packet to keep; 0 drops it",
    )
    KPROBE = ProgramTypeRow(
        2,
        "kprobe",
        PT_REGS,
        returns=(
            ReturnRange(
                0,
                1,
                (
                    AttachType.TRACE_KPROBE_SESSION,
                    AttachType.TRACE_UPROBE_SESSION,
                ),
            ),
        ),
        attach_types=(
            AttachType.TRACE_KPROBE_MULTI,
            AttachType.TRACE_UPROBE_MULTI,
            AttachType.TRACE_KPROBE_SESSION,
            AttachType.TRACE_UPROBE_SESSION,
        ),
        sleeps=Sleeps.MAY,
        meaning="session programs: 1 skips the probe at the return",
        since="4.1",
    )
    SCHED_CLS = ProgramTypeRow(
        3,
        "sched_cls",
        SK_BUFF_TC,
        TcAction,
        PacketAccess.WRITE,
        legacy_loads=True,
        attach_types=(
            AttachType.TCX_INGRESS,
            AttachType.TCX_EGRESS,
            AttachType.NETKIT_PRIMARY,
            AttachType.NETKIT_PEER,
        ),
        since="4.1",
    )
    SCHED_ACT = ProgramTypeRow(
        4, "sched_act", SK_BUFF_TC, TcAction, PacketAccess.WRITE, legacy_loads=True, since="4.1"
    )
    TRACEPOINT = ProgramTypeRow(
        5, "tracepoint", TRACEPOINT_RECORD, meaning="0 keeps the event from perf", since="4.7"
    )
    XDP = ProgramTypeRow(
        6,
        "xdp",
        XDP_MD,
        XdpAction,
        PacketAccess.WRITE,
        attach_types=(
            AttachType.XDP,
            AttachType.XDP_DEVMAP,
            AttachType.XDP_CPUMAP,
        ),
        since="4.8",
    )
    PERF_EVENT = ProgramTypeRow(
        7,
        "perf_event",
        BPF_PERF_EVENT_DATA,
        attach_types=(AttachType.PERF_EVENT,),
        meaning="0 keeps the sample from perf",
        since="4.9",
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
        attach_types=(
            AttachType.CGROUP_INET_INGRESS,
            AttachType.CGROUP_INET_EGRESS,
        ),
        since="4.10",
    )
    CGROUP_SOCK = ProgramTypeRow(
        9,
        "cgroup_sock",
        BPF_SOCK,
        returns=(ReturnRange(0, 1),),
        attach_types=(
            AttachType.CGROUP_INET_SOCK_CREATE,
            AttachType.CGROUP_INET_SOCK_RELEASE,
            AttachType.CGROUP_INET4_POST_BIND,
            AttachType.CGROUP_INET6_POST_BIND,
        ),
        meaning="0 refuses, 1 allows",
        since="4.10",
    )
    LWT_IN = ProgramTypeRow(10, "lwt_in", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.10")
    LWT_OUT = ProgramTypeRow(
        11, "lwt_out", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.10"
    )
    LWT_XMIT = ProgramTypeRow(
        12, "lwt_xmit", SK_BUFF_LWT, LwtVerdict, PacketAccess.WRITE, since="4.10"
    )
    SOCK_OPS = ProgramTypeRow(
        13,
        "sock_ops",
        BPF_SOCK_OPS,
        packet=PacketAccess.READ,
        returns=(ReturnRange(0, 1),),
        packet_arguments=PacketArguments.NEVER,
        attach_types=(AttachType.CGROUP_SOCK_OPS,),
        meaning="always 1; the answer to an event goes into reply",
        since="4.13",
    )
    SK_SKB = ProgramTypeRow(
        14,
        "sk_skb",
        SK_BUFF_SK_SKB,
        SkAction,
        PacketAccess.WRITE,
        attach_types=(
            AttachType.SK_SKB_STREAM_PARSER,
            AttachType.SK_SKB_STREAM_VERDICT,
            AttachType.SK_SKB_VERDICT,
        ),
        meaning="stream parsers: bytes of the message; 0: more are needed",
        since="4.14",
    )
    CGROUP_DEVICE = ProgramTypeRow(
        15,
        "cgroup_device",
        BPF_CGROUP_DEV_CTX,
        returns=(ReturnRange(0, 1),),
        attach_types=(AttachType.CGROUP_DEVICE,),
        meaning="0 refuses, 1 allows",
        since="4.15",
    )
    SK_MSG = ProgramTypeRow(
        16,
        "sk_msg",
        SK_MSG_MD,
        SkAction,
        PacketAccess.WRITE,
        attach_types=(AttachType.SK_MSG_VERDICT,),
        since="4.17",
    )
    RAW_TRACEPOINT = ProgramTypeRow(
        17,
        "raw_tracepoint",
        BPF_RAW_TRACEPOINT_ARGS,
        attach_types=(AttachType.TRACE_RAW_TP,),
        since="4.17",
    )
    CGROUP_SOCK_ADDR = ProgramTypeRow(
        18,
        "cgroup_sock_addr",
        BPF_SOCK_ADDR,
        returns=(ReturnRange(0, 3, BINDS), ReturnRange(1, 1, ANSWERS), ReturnRange(0, 1, REQUESTS)),
        attach_types=(
            AttachType.CGROUP_INET4_BIND,
            AttachType.CGROUP_INET6_BIND,
            AttachType.CGROUP_INET4_CONNECT,
            AttachType.CGROUP_INET6_CONNECT,
            AttachType.CGROUP_UDP4_SENDMSG,
            AttachType.CGROUP_UDP6_SENDMSG,
            AttachType.CGROUP_UDP4_RECVMSG,
            AttachType.CGROUP_UDP6_RECVMSG,
            AttachType.CGROUP_INET4_GETPEERNAME,
            AttachType.CGROUP_INET6_GETPEERNAME,
            AttachType.CGROUP_INET4_GETSOCKNAME,
            AttachType.CGROUP_INET6_GETSOCKNAME,
            AttachType.CGROUP_UNIX_CONNECT,
            AttachType.CGROUP_UNIX_SENDMSG,
            AttachType.CGROUP_UNIX_RECVMSG,
            AttachType.CGROUP_UNIX_GETPEERNAME,
            AttachType.CGROUP_UNIX_GETSOCKNAME,
        ),
        needs_attach_type=True,
        meaning="0 refuses, 1 allows; bind: 3 also allows privileged ports",
        since="4.17",
    )
    LWT_SEG6LOCAL = ProgramTypeRow(
        19, "lwt_seg6local", SK_BUFF_LWT, LwtVerdict, PacketAccess.READ, since="4.18"
    )
    LIRC_MODE2 = ProgramTypeRow(
        20,
        "lirc_mode2",
        LIRC_SAMPLE,
        attach_types=(AttachType.LIRC_MODE2,),
        needs_attach_type=True,
        meaning="not used",
        since="4.18",
    )
    SK_REUSEPORT = ProgramTypeRow(
        21,
        "sk_reuseport",
        SK_REUSEPORT_MD,
        SkAction,
        PacketAccess.READ,
        attach_types=(
            AttachType.SK_REUSEPORT_SELECT,
            AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE,
        ),
        since="4.19",
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
    CGROUP_SYSCTL = ProgramTypeRow(
        23,
        "cgroup_sysctl",
        BPF_SYSCTL,
        returns=(ReturnRange(0, 1),),
        attach_types=(AttachType.CGROUP_SYSCTL,),
        meaning="0 refuses, 1 allows",
        since="5.2",
    )
    RAW_TRACEPOINT_WRITABLE = ProgramTypeRow(
        24,
        "raw_tracepoint_writable",
        RAW_TRACEPOINT_WRITABLE_ARGS,
        attach_types=(AttachType.TRACE_RAW_TP,),
        since="5.2",
    )
    CGROUP_SOCKOPT = ProgramTypeRow(
        25,
        "cgroup_sockopt",
        BPF_SOCKOPT,
        packet=PacketAccess.WRITE,
        returns=(ReturnRange(0, 1),),
        packet_arguments=PacketArguments.ALWAYS,
        attach_types=(
            AttachType.CGROUP_GETSOCKOPT,
            AttachType.CGROUP_SETSOCKOPT,
        ),
        needs_attach_type=True,
        meaning="0 refuses, 1 allows",
        since="5.3",
    )
    TRACING = ProgramTypeRow(
        26,
        "tracing",
        returns=(
            ReturnRange(
                0,
                0,
                (
                    AttachType.TRACE_FENTRY,
                    AttachType.TRACE_FEXIT,
                ),
            ),
            ReturnRange(0, 1, (AttachType.TRACE_ITER,)),
        ),
        attach_types=(
            AttachType.TRACE_RAW_TP,
            AttachType.TRACE_FENTRY,
            AttachType.TRACE_FEXIT,
            AttachType.MODIFY_RETURN,
            AttachType.TRACE_ITER,
        ),
        needs_attach_type=True,
        needs_btf_id=True,
        sleeps=Sleeps.MAY,
        meaning="modify_return: not 0 skips the function; iterators: 1 calls again for the same element",
        since="5.5",
    )
    STRUCT_OPS = ProgramTypeRow(
        27,
        "struct_ops",
        needs_btf_id=True,
        sleeps=Sleeps.MAY,
        meaning="what the member function returns",
        since="5.6",
    )
    EXT = ProgramTypeRow(
        28, "ext", needs_btf_id=True, meaning="what the replaced function returns", since="5.6"
    )
    LSM = ProgramTypeRow(
        29,
        "lsm",
        returns=(
            ReturnRange(0, 1, (AttachType.LSM_CGROUP,)),
            ReturnRange(-4095, 0, (AttachType.LSM_MAC,)),
        ),
        attach_types=(
            AttachType.LSM_MAC,
            AttachType.LSM_CGROUP,
        ),
        needs_attach_type=True,
        needs_btf_id=True,
        sleeps=Sleeps.MAY,
        meaning="0 allows, a negative errno refuses; cgroup: 1 allows, 0 refuses",
        since="5.7",
    )
    SK_LOOKUP = ProgramTypeRow(
        30,
        "sk_lookup",
        BPF_SK_LOOKUP,
        SkAction,
        returns=(ReturnRange(0, 1),),
        attach_types=(AttachType.SK_LOOKUP,),
        needs_attach_type=True,
        since="5.9",
    )
    SYSCALL = ProgramTypeRow(
        31,
        "syscall",
        SYSCALL_ARGS,
        sleeps=Sleeps.MUST,
        meaning="the result of BPF_PROG_TEST_RUN",
        since="5.14",
    )
    NETFILTER = ProgramTypeRow(
        32,
        "netfilter",
        BPF_NF_CTX,
        NetfilterVerdict,
        returns=(ReturnRange(0, 1),),
        attach_types=(AttachType.NETFILTER,),
        needs_attach_type=True,
        since="6.4",
    )

    def __repr__(self) -> str:
        return f"ProgramType.{self.name}"  # its row fills a screen


PROGRAM_TYPE_BY_ID: Final = {row.value.id: row for row in ProgramType}
