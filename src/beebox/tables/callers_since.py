"""Helpers that programs of some types got later than others did.

Asked of a running 6.1 and a running 6.18: the one refused them to programs of these types, the
other does not. In which version between they came is not known here, so the later one counts.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.program_types import ProgramType

_BY_TYPES: Final = (
    (
        {
            ProgramType.CGROUP_DEVICE,
            ProgramType.CGROUP_SKB,
            ProgramType.CGROUP_SOCK,
            ProgramType.CGROUP_SOCKOPT,
            ProgramType.CGROUP_SOCK_ADDR,
            ProgramType.CGROUP_SYSCTL,
            ProgramType.FLOW_DISSECTOR,
            ProgramType.LWT_IN,
            ProgramType.LWT_OUT,
            ProgramType.LWT_SEG6LOCAL,
            ProgramType.LWT_XMIT,
            ProgramType.SCHED_ACT,
            ProgramType.SCHED_CLS,
            ProgramType.SK_LOOKUP,
            ProgramType.SK_MSG,
            ProgramType.SK_REUSEPORT,
            ProgramType.SK_SKB,
            ProgramType.SOCKET_FILTER,
            ProgramType.SOCK_OPS,
            ProgramType.XDP,
        },
        (
            "copy_from_user",
            "copy_from_user_task",
            "current_task_under_cgroup",
            "find_vma",
            "get_branch_snapshot",
            "get_ns_current_pid_tgid",
            "get_task_stack",
            "perf_event_read",
            "perf_event_read_value",
            "send_signal",
            "send_signal_thread",
            "task_storage_delete",
            "task_storage_get",
        ),
    ),
    (
        {
            ProgramType.CGROUP_SKB,
            ProgramType.FLOW_DISSECTOR,
            ProgramType.LWT_IN,
            ProgramType.LWT_OUT,
            ProgramType.LWT_SEG6LOCAL,
            ProgramType.LWT_XMIT,
            ProgramType.SCHED_ACT,
            ProgramType.SCHED_CLS,
            ProgramType.SK_LOOKUP,
            ProgramType.SK_MSG,
            ProgramType.SK_REUSEPORT,
            ProgramType.SK_SKB,
            ProgramType.SOCKET_FILTER,
            ProgramType.SOCK_OPS,
            ProgramType.XDP,
        },
        ("get_current_comm",),
    ),
    (
        {
            ProgramType.CGROUP_SKB,
            ProgramType.FLOW_DISSECTOR,
            ProgramType.LWT_IN,
            ProgramType.LWT_OUT,
            ProgramType.LWT_SEG6LOCAL,
            ProgramType.LWT_XMIT,
            ProgramType.SCHED_ACT,
            ProgramType.SCHED_CLS,
            ProgramType.SK_LOOKUP,
            ProgramType.SK_REUSEPORT,
            ProgramType.SK_SKB,
            ProgramType.SOCKET_FILTER,
            ProgramType.SOCK_OPS,
            ProgramType.XDP,
        },
        (
            "get_current_ancestor_cgroup_id",
            "get_current_cgroup_id",
            "get_current_pid_tgid",
            "get_current_uid_gid",
        ),
    ),
    (
        {
            ProgramType.CGROUP_SKB,
            ProgramType.FLOW_DISSECTOR,
            ProgramType.KPROBE,
            ProgramType.PERF_EVENT,
            ProgramType.RAW_TRACEPOINT,
            ProgramType.RAW_TRACEPOINT_WRITABLE,
            ProgramType.SK_LOOKUP,
            ProgramType.SK_REUSEPORT,
            ProgramType.SK_SKB,
            ProgramType.SOCKET_FILTER,
            ProgramType.SOCK_OPS,
            ProgramType.TRACEPOINT,
            ProgramType.XDP,
        },
        ("get_cgroup_classid",),
    ),
    (
        {
            ProgramType.CGROUP_SKB,
            ProgramType.SCHED_ACT,
            ProgramType.SCHED_CLS,
            ProgramType.SOCKET_FILTER,
        },
        ("get_netns_cookie",),
    ),
    (
        {
            ProgramType.RAW_TRACEPOINT,
            ProgramType.RAW_TRACEPOINT_WRITABLE,
        },
        ("get_attach_cookie",),
    ),
    (
        {
            ProgramType.LWT_SEG6LOCAL,
        },
        ("skb_pull_data",),
    ),
)

CALLERS_SINCE: Final = {
    (name, type_): "6.18" for types, names in _BY_TYPES for name in names for type_ in types
}
"""By helper, without ``bpf_``, and program type: the first Linux known to have both."""
