"""What Linux asks of who loads a program, beyond CAP_BPF: by program type and by helper."""

from __future__ import annotations

from typing import Final

from beebox.tables.program_types import ProgramType

PERFMON_TYPES: Final = frozenset(
    {
        ProgramType.KPROBE,
        ProgramType.TRACEPOINT,
        ProgramType.PERF_EVENT,
        ProgramType.RAW_TRACEPOINT,
        ProgramType.RAW_TRACEPOINT_WRITABLE,
        ProgramType.TRACING,
        ProgramType.LSM,
        ProgramType.STRUCT_OPS,
        ProgramType.EXT,
    }
)
"""Types that only who has CAP_PERFMON may load (``is_perfmon_prog_type``)."""

PERFMON_HELPERS: Final = frozenset(
    {
        "copy_from_user",
        "copy_from_user_task",
        "find_vma",
        "get_branch_snapshot",
        "get_current_comm",
        "get_current_task",
        "get_current_task_btf",
        "get_task_stack",
        "perf_event_read",
        "perf_event_read_value",
        "probe_read_kernel",
        "probe_read_kernel_str",
        "probe_read_user",
        "probe_read_user_str",
        "send_signal",
        "send_signal_thread",
        "skc_to_mptcp_sock",
        "skc_to_tcp6_sock",
        "skc_to_tcp_request_sock",
        "skc_to_tcp_sock",
        "skc_to_tcp_timewait_sock",
        "skc_to_udp6_sock",
        "skc_to_unix_sock",
        "snprintf",
        "snprintf_btf",
        "task_pt_regs",
        "trace_printk",
        "trace_vprintk",
    }
)
"""Helpers for such loads alone, whatever the type; but SYSCALL programs always have them."""


def needs_perfmon(helper: str, program_type: ProgramType) -> bool:
    """Whether programs of the type call the helper only when loaded with CAP_PERFMON."""
    return helper in PERFMON_HELPERS and program_type is not ProgramType.SYSCALL
