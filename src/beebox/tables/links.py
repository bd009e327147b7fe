"""How programs are attached: links, and since when each attach type exists."""

from __future__ import annotations

from enum import Enum
from typing import Final

from beebox.tables.program_types import AttachType


class LinkType(Enum):
    """``bpf_link_type``: what BPF_LINK_CREATE makes."""

    RAW_TRACEPOINT = 1
    TRACING = 2
    CGROUP = 3
    ITER = 4
    NETNS = 5
    XDP = 6
    PERF_EVENT = 7
    KPROBE_MULTI = 8
    STRUCT_OPS = 9
    NETFILTER = 10
    TCX = 11
    UPROBE_MULTI = 12
    NETKIT = 13
    SOCKMAP = 14


LINK_SINCE: Final = {
    LinkType.RAW_TRACEPOINT: "5.8",
    LinkType.TRACING: "5.8",
    LinkType.CGROUP: "5.8",
    LinkType.ITER: "5.8",
    LinkType.NETNS: "5.8",
    LinkType.XDP: "5.9",
    LinkType.PERF_EVENT: "5.15",
    LinkType.KPROBE_MULTI: "5.18",
    LinkType.STRUCT_OPS: "6.4",
    LinkType.NETFILTER: "6.4",
    LinkType.TCX: "6.6",
    LinkType.UPROBE_MULTI: "6.6",
    LinkType.NETKIT: "6.7",
    LinkType.SOCKMAP: "6.10",
}
ATTACH_SINCE: Final = {
    AttachType.CGROUP_INET_INGRESS: "4.10",
    AttachType.CGROUP_INET_EGRESS: "4.10",
    AttachType.CGROUP_INET_SOCK_CREATE: "4.10",
    AttachType.CGROUP_SOCK_OPS: "4.13",
    AttachType.SK_SKB_STREAM_PARSER: "4.14",
    AttachType.SK_SKB_STREAM_VERDICT: "4.14",
    AttachType.CGROUP_DEVICE: "4.15",
    AttachType.SK_MSG_VERDICT: "4.17",
    AttachType.CGROUP_INET4_BIND: "4.17",
    AttachType.CGROUP_INET6_BIND: "4.17",
    AttachType.CGROUP_INET4_CONNECT: "4.17",
    AttachType.CGROUP_INET6_CONNECT: "4.17",
    AttachType.CGROUP_INET4_POST_BIND: "4.17",
    AttachType.CGROUP_INET6_POST_BIND: "4.17",
    AttachType.CGROUP_UDP4_SENDMSG: "4.18",
    AttachType.CGROUP_UDP6_SENDMSG: "4.18",
    AttachType.LIRC_MODE2: "4.18",
    AttachType.FLOW_DISSECTOR: "4.20",
    AttachType.CGROUP_SYSCTL: "5.2",
    AttachType.CGROUP_UDP4_RECVMSG: "5.2",
    AttachType.CGROUP_UDP6_RECVMSG: "5.2",
    AttachType.CGROUP_GETSOCKOPT: "5.3",
    AttachType.CGROUP_SETSOCKOPT: "5.3",
    AttachType.TRACE_RAW_TP: "5.5",
    AttachType.TRACE_FENTRY: "5.5",
    AttachType.TRACE_FEXIT: "5.5",
    AttachType.MODIFY_RETURN: "5.7",
    AttachType.LSM_MAC: "5.7",
    AttachType.TRACE_ITER: "5.8",
    AttachType.CGROUP_INET4_GETPEERNAME: "5.8",
    AttachType.CGROUP_INET6_GETPEERNAME: "5.8",
    AttachType.CGROUP_INET4_GETSOCKNAME: "5.8",
    AttachType.CGROUP_INET6_GETSOCKNAME: "5.8",
    AttachType.XDP_DEVMAP: "5.8",
    AttachType.CGROUP_INET_SOCK_RELEASE: "5.9",
    AttachType.XDP_CPUMAP: "5.9",
    AttachType.SK_LOOKUP: "5.9",
    AttachType.XDP: "5.9",
    AttachType.SK_SKB_VERDICT: "5.13",
    AttachType.SK_REUSEPORT_SELECT: "5.14",
    AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE: "5.14",
    AttachType.PERF_EVENT: "5.15",
    AttachType.TRACE_KPROBE_MULTI: "5.18",
    AttachType.LSM_CGROUP: "6.0",
    AttachType.STRUCT_OPS: "6.4",
    AttachType.NETFILTER: "6.4",
    AttachType.TCX_INGRESS: "6.6",
    AttachType.TCX_EGRESS: "6.6",
    AttachType.TRACE_UPROBE_MULTI: "6.6",
    AttachType.CGROUP_UNIX_CONNECT: "6.7",
    AttachType.CGROUP_UNIX_SENDMSG: "6.7",
    AttachType.CGROUP_UNIX_RECVMSG: "6.7",
    AttachType.CGROUP_UNIX_GETPEERNAME: "6.7",
    AttachType.CGROUP_UNIX_GETSOCKNAME: "6.7",
    AttachType.NETKIT_PRIMARY: "6.7",
    AttachType.NETKIT_PEER: "6.7",
    AttachType.TRACE_KPROBE_SESSION: "6.10",
    AttachType.TRACE_UPROBE_SESSION: "6.13",
}

ATTACHED_BEFORE: Final = frozenset(
    {
        AttachType.CGROUP_INET_SOCK_CREATE,
        AttachType.PERF_EVENT,
        AttachType.SK_REUSEPORT_SELECT,
        AttachType.XDP,
    }
)
"""Attach types that name what programs were attached to before there was such a name."""
