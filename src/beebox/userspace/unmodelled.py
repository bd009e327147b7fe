"""Helpers that packet programs may call in Linux and not here, each with its reason.

Admission refuses them by name. A test holds this list and the bodies against ``tables.helpers``:
together they are the table.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_ROWS: Final = (
    (
        "segment routing works on a packet's route, and packets here have none",
        ("lwt_seg6_store_bytes", "lwt_seg6_adjust_srh", "lwt_seg6_action"),
    ),
    (
        "the cookies of a running kernel come from a secret of its own",
        (
            "tcp_gen_syncookie",
            "tcp_check_syncookie",
            "tcp_raw_gen_syncookie_ipv4",
            "tcp_raw_gen_syncookie_ipv6",
            "tcp_raw_check_syncookie_ipv4",
            "tcp_raw_check_syncookie_ipv6",
        ),
    ),
    (
        "its result is an object of the kernel, read by BTF, and there is no kernel memory here",
        (
            "get_current_task",
            "get_current_task_btf",
            "task_pt_regs",
            "find_vma",
            "skc_to_tcp6_sock",
            "skc_to_tcp_sock",
            "skc_to_tcp_timewait_sock",
            "skc_to_tcp_request_sock",
            "skc_to_udp6_sock",
            "skc_to_unix_sock",
            "skc_to_mptcp_sock",
            "per_cpu_ptr",
            "this_cpu_ptr",
        ),
    ),
    (
        "it reads memory of a kernel or a process, and a run here has neither",
        (
            "probe_read_user",
            "probe_read_kernel",
            "probe_read_user_str",
            "probe_read_kernel_str",
            "copy_from_user",
            "copy_from_user_task",
            "get_task_stack",
            "get_branch_snapshot",
            "snprintf_btf",
        ),
    ),
    (
        "it acts on processes, and a run here has none but its own",
        ("send_signal", "send_signal_thread", "get_ns_current_pid_tgid"),
    ),
    (
        "its map holds cgroups, and there is none here but the root",
        ("skb_under_cgroup", "current_task_under_cgroup"),
    ),
    (
        "its map belongs to a socket, a task or a cgroup",
        (
            "sk_storage_get",
            "sk_storage_delete",
            "task_storage_get",
            "task_storage_delete",
            "cgrp_storage_get",
            "cgrp_storage_delete",
            "get_local_storage",
        ),
    ),
    (
        "its map holds perf events",
        ("perf_event_read", "perf_event_read_value", "perf_event_output"),
    ),
    (
        "ring buffers are not modelled yet",
        (
            "ringbuf_output",
            "ringbuf_reserve",
            "ringbuf_submit",
            "ringbuf_discard",
            "ringbuf_query",
            "ringbuf_reserve_dynptr",
            "ringbuf_submit_dynptr",
            "ringbuf_discard_dynptr",
            "user_ringbuf_drain",
        ),
    ),
    (
        "dynamic pointers are not modelled yet",
        ("dynptr_from_mem", "dynptr_read", "dynptr_write", "dynptr_data"),
    ),
    (
        "calls back into the program are not modelled yet",
        ("loop", "for_each_map_elem", "timer_init", "timer_set_callback"),
    ),
    ("timers are not modelled yet", ("timer_start", "timer_cancel")),
    ("locks in map values are not modelled yet", ("spin_lock", "spin_unlock")),
    ("pointers in map values are not modelled yet", ("kptr_xchg",)),
    ("formats with arguments in memory are not modelled yet", ("snprintf", "trace_vprintk")),
)

REASONS: Final = MappingProxyType({name: reason for reason, names in _ROWS for name in names})
"""Why some helpers are not modelled, by name."""
