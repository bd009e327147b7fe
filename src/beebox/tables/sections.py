"""SEC() names: which section of an object holds which kind of program, as libbpf 1.8 reads them.

What an object reader accepts of them is its own decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from beebox.tables.program_types import AttachType, ProgramType


class ProgramFlags(IntFlag):
    """``BPF_F_*`` flags of BPF_PROG_LOAD that a section name asks for."""

    NONE = 0
    SLEEPABLE = 1 << 4
    XDP_HAS_FRAGS = 1 << 5


@dataclass(frozen=True, slots=True)
class SectionRow:
    name: str
    program_type: ProgramType
    attach_type: AttachType | None = None
    flags: ProgramFlags = ProgramFlags.NONE
    prefix: bool = False  # True: ``name/anything`` matches too; it says what to attach to


SECTIONS: Final = (
    SectionRow("socket", ProgramType.SOCKET_FILTER),
    SectionRow(
        "sk_reuseport/migrate", ProgramType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE
    ),
    SectionRow("sk_reuseport", ProgramType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT),
    SectionRow("kprobe", ProgramType.KPROBE, prefix=True),
    SectionRow("uprobe", ProgramType.KPROBE, prefix=True),
    SectionRow("kretprobe", ProgramType.KPROBE, prefix=True),
    SectionRow("uretprobe", ProgramType.KPROBE, prefix=True),
    SectionRow("uprobe.s", ProgramType.KPROBE, flags=ProgramFlags.SLEEPABLE, prefix=True),
    SectionRow("uretprobe.s", ProgramType.KPROBE, flags=ProgramFlags.SLEEPABLE, prefix=True),
    SectionRow("kprobe.multi", ProgramType.KPROBE, AttachType.TRACE_KPROBE_MULTI, prefix=True),
    SectionRow("kretprobe.multi", ProgramType.KPROBE, AttachType.TRACE_KPROBE_MULTI, prefix=True),
    SectionRow("kprobe.session", ProgramType.KPROBE, AttachType.TRACE_KPROBE_SESSION, prefix=True),
    SectionRow("uprobe.multi", ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI, prefix=True),
    SectionRow("uretprobe.multi", ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI, prefix=True),
    SectionRow("uprobe.session", ProgramType.KPROBE, AttachType.TRACE_UPROBE_SESSION, prefix=True),
    SectionRow(
        "uprobe.multi.s",
        ProgramType.KPROBE,
        AttachType.TRACE_UPROBE_MULTI,
        ProgramFlags.SLEEPABLE,
        prefix=True,
    ),
    SectionRow(
        "uretprobe.multi.s",
        ProgramType.KPROBE,
        AttachType.TRACE_UPROBE_MULTI,
        ProgramFlags.SLEEPABLE,
        prefix=True,
    ),
    SectionRow(
        "uprobe.session.s",
        ProgramType.KPROBE,
        AttachType.TRACE_UPROBE_SESSION,
        ProgramFlags.SLEEPABLE,
        prefix=True,
    ),
    SectionRow("ksyscall", ProgramType.KPROBE, prefix=True),
    SectionRow("kretsyscall", ProgramType.KPROBE, prefix=True),
    SectionRow("usdt", ProgramType.KPROBE, prefix=True),
    SectionRow("usdt.s", ProgramType.KPROBE, flags=ProgramFlags.SLEEPABLE, prefix=True),
    SectionRow("tc/ingress", ProgramType.SCHED_CLS, AttachType.TCX_INGRESS),
    SectionRow("tc/egress", ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
    SectionRow("tcx/ingress", ProgramType.SCHED_CLS, AttachType.TCX_INGRESS),
    SectionRow("tcx/egress", ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
    SectionRow("tc", ProgramType.SCHED_CLS),
    SectionRow("classifier", ProgramType.SCHED_CLS),
    SectionRow("action", ProgramType.SCHED_ACT),
    SectionRow("netkit/primary", ProgramType.SCHED_CLS, AttachType.NETKIT_PRIMARY),
    SectionRow("netkit/peer", ProgramType.SCHED_CLS, AttachType.NETKIT_PEER),
    SectionRow("tracepoint", ProgramType.TRACEPOINT, prefix=True),
    SectionRow("tp", ProgramType.TRACEPOINT, prefix=True),
    SectionRow("raw_tracepoint", ProgramType.RAW_TRACEPOINT, prefix=True),
    SectionRow("raw_tp", ProgramType.RAW_TRACEPOINT, prefix=True),
    SectionRow("raw_tracepoint.w", ProgramType.RAW_TRACEPOINT_WRITABLE, prefix=True),
    SectionRow("raw_tp.w", ProgramType.RAW_TRACEPOINT_WRITABLE, prefix=True),
    SectionRow("tp_btf", ProgramType.TRACING, AttachType.TRACE_RAW_TP, prefix=True),
    SectionRow("fentry", ProgramType.TRACING, AttachType.TRACE_FENTRY, prefix=True),
    SectionRow("fmod_ret", ProgramType.TRACING, AttachType.MODIFY_RETURN, prefix=True),
    SectionRow("fexit", ProgramType.TRACING, AttachType.TRACE_FEXIT, prefix=True),
    SectionRow(
        "fentry.s",
        ProgramType.TRACING,
        AttachType.TRACE_FENTRY,
        ProgramFlags.SLEEPABLE,
        prefix=True,
    ),
    SectionRow(
        "fmod_ret.s",
        ProgramType.TRACING,
        AttachType.MODIFY_RETURN,
        ProgramFlags.SLEEPABLE,
        prefix=True,
    ),
    SectionRow(
        "fexit.s", ProgramType.TRACING, AttachType.TRACE_FEXIT, ProgramFlags.SLEEPABLE, prefix=True
    ),
    SectionRow("freplace", ProgramType.EXT, prefix=True),
    SectionRow("lsm", ProgramType.LSM, AttachType.LSM_MAC, prefix=True),
    SectionRow("lsm.s", ProgramType.LSM, AttachType.LSM_MAC, ProgramFlags.SLEEPABLE, prefix=True),
    SectionRow("lsm_cgroup", ProgramType.LSM, AttachType.LSM_CGROUP, prefix=True),
    SectionRow("iter", ProgramType.TRACING, AttachType.TRACE_ITER, prefix=True),
    SectionRow(
        "iter.s", ProgramType.TRACING, AttachType.TRACE_ITER, ProgramFlags.SLEEPABLE, prefix=True
    ),
    SectionRow("syscall", ProgramType.SYSCALL, flags=ProgramFlags.SLEEPABLE),
    SectionRow(
        "xdp.frags/devmap", ProgramType.XDP, AttachType.XDP_DEVMAP, ProgramFlags.XDP_HAS_FRAGS
    ),
    SectionRow("xdp/devmap", ProgramType.XDP, AttachType.XDP_DEVMAP),
    SectionRow(
        "xdp.frags/cpumap", ProgramType.XDP, AttachType.XDP_CPUMAP, ProgramFlags.XDP_HAS_FRAGS
    ),
    SectionRow("xdp/cpumap", ProgramType.XDP, AttachType.XDP_CPUMAP),
    SectionRow("xdp.frags", ProgramType.XDP, AttachType.XDP, ProgramFlags.XDP_HAS_FRAGS),
    SectionRow("xdp", ProgramType.XDP, AttachType.XDP, prefix=True),
    SectionRow("perf_event", ProgramType.PERF_EVENT),
    SectionRow("lwt_in", ProgramType.LWT_IN),
    SectionRow("lwt_out", ProgramType.LWT_OUT),
    SectionRow("lwt_xmit", ProgramType.LWT_XMIT),
    SectionRow("lwt_seg6local", ProgramType.LWT_SEG6LOCAL),
    SectionRow("sockops", ProgramType.SOCK_OPS, AttachType.CGROUP_SOCK_OPS),
    SectionRow("sk_skb/stream_parser", ProgramType.SK_SKB, AttachType.SK_SKB_STREAM_PARSER),
    SectionRow("sk_skb/stream_verdict", ProgramType.SK_SKB, AttachType.SK_SKB_STREAM_VERDICT),
    SectionRow("sk_skb/verdict", ProgramType.SK_SKB, AttachType.SK_SKB_VERDICT),
    SectionRow("sk_skb", ProgramType.SK_SKB),
    SectionRow("sk_msg", ProgramType.SK_MSG, AttachType.SK_MSG_VERDICT),
    SectionRow("lirc_mode2", ProgramType.LIRC_MODE2, AttachType.LIRC_MODE2),
    SectionRow("flow_dissector", ProgramType.FLOW_DISSECTOR, AttachType.FLOW_DISSECTOR),
    SectionRow("cgroup_skb/ingress", ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS),
    SectionRow("cgroup_skb/egress", ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS),
    SectionRow("cgroup/skb", ProgramType.CGROUP_SKB),
    SectionRow("cgroup/sock_create", ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_CREATE),
    SectionRow("cgroup/sock_release", ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE),
    SectionRow("cgroup/sock", ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_CREATE),
    SectionRow("cgroup/post_bind4", ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET4_POST_BIND),
    SectionRow("cgroup/post_bind6", ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET6_POST_BIND),
    SectionRow("cgroup/bind4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND),
    SectionRow("cgroup/bind6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_BIND),
    SectionRow("cgroup/connect4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT),
    SectionRow("cgroup/connect6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_CONNECT),
    SectionRow("cgroup/connect_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_CONNECT),
    SectionRow("cgroup/sendmsg4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_SENDMSG),
    SectionRow("cgroup/sendmsg6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP6_SENDMSG),
    SectionRow("cgroup/sendmsg_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_SENDMSG),
    SectionRow("cgroup/recvmsg4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG),
    SectionRow("cgroup/recvmsg6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP6_RECVMSG),
    SectionRow("cgroup/recvmsg_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_RECVMSG),
    SectionRow(
        "cgroup/getpeername4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_GETPEERNAME
    ),
    SectionRow(
        "cgroup/getpeername6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_GETPEERNAME
    ),
    SectionRow(
        "cgroup/getpeername_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_GETPEERNAME
    ),
    SectionRow(
        "cgroup/getsockname4", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_GETSOCKNAME
    ),
    SectionRow(
        "cgroup/getsockname6", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_GETSOCKNAME
    ),
    SectionRow(
        "cgroup/getsockname_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_GETSOCKNAME
    ),
    SectionRow("cgroup/sysctl", ProgramType.CGROUP_SYSCTL, AttachType.CGROUP_SYSCTL),
    SectionRow("cgroup/getsockopt", ProgramType.CGROUP_SOCKOPT, AttachType.CGROUP_GETSOCKOPT),
    SectionRow("cgroup/setsockopt", ProgramType.CGROUP_SOCKOPT, AttachType.CGROUP_SETSOCKOPT),
    SectionRow("cgroup/dev", ProgramType.CGROUP_DEVICE, AttachType.CGROUP_DEVICE),
    SectionRow("struct_ops", ProgramType.STRUCT_OPS, prefix=True),
    SectionRow("struct_ops.s", ProgramType.STRUCT_OPS, flags=ProgramFlags.SLEEPABLE, prefix=True),
    SectionRow("sk_lookup", ProgramType.SK_LOOKUP, AttachType.SK_LOOKUP),
    SectionRow("netfilter", ProgramType.NETFILTER, AttachType.NETFILTER),
)
"""Longer names before those that they start with; ``xdp/anything`` is an older libbpf's."""


def section_row(section: str) -> SectionRow | None:
    """The row for a section name, or None when no program type claims it.

    A leading ``?`` (libbpf: do not load by default) is not part of the name.
    """
    name = section.removeprefix("?")
    for row in SECTIONS:
        if name == row.name or (row.prefix and name.startswith(row.name + "/")):
            return row
    return None
