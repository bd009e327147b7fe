"""What a call counts for in a cost bound, in instructions: conventions of ours, not measurements.

They order calls by how much they do; the bytes of memory that a helper is given count besides.
"""

from __future__ import annotations

from typing import Final

INSN: Final = 1
HELPER: Final = 20
"""A helper that the table does not name, and a round of one that calls back."""

KFUNC: Final = 50
BYTES_PER_INSN: Final = 8
"""How many bytes of memory that a helper is given count as one instruction."""

HELPERS: Final = {
    "bind": 1000,
    "check_mtu": 100,
    "clone_redirect": 1000,
    "copy_from_user": 1000,
    "copy_from_user_task": 2000,
    "csum_diff": 50,
    "d_path": 1000,
    "fib_lookup": 500,
    "find_vma": 200,
    "get_current_comm": 50,
    "get_ns_current_pid_tgid": 100,
    "get_stack": 2000,
    "get_stackid": 2000,
    "get_task_stack": 2000,
    "map_delete_elem": 200,
    "map_lookup_elem": 30,
    "map_lookup_percpu_elem": 30,
    "map_peek_elem": 50,
    "map_pop_elem": 100,
    "map_push_elem": 100,
    "map_update_elem": 200,
    "perf_event_output": 500,
    "perf_event_read": 200,
    "perf_event_read_value": 200,
    "probe_read": 50,
    "probe_read_kernel": 50,
    "probe_read_kernel_str": 50,
    "probe_read_str": 50,
    "probe_read_user": 50,
    "probe_read_user_str": 50,
    "ringbuf_output": 200,
    "ringbuf_reserve": 100,
    "ringbuf_reserve_dynptr": 100,
    "send_signal": 1000,
    "send_signal_thread": 1000,
    "seq_printf": 1000,
    "sk_lookup_tcp": 500,
    "sk_lookup_udp": 500,
    "skb_adjust_room": 500,
    "skb_change_head": 500,
    "skb_change_proto": 500,
    "skb_change_tail": 500,
    "skb_load_bytes": 50,
    "skb_output": 500,
    "skb_pull_data": 200,
    "skb_store_bytes": 100,
    "skc_lookup_tcp": 500,
    "snprintf": 1000,
    "snprintf_btf": 5000,
    "spin_lock": 100,
    "strtol": 50,
    "strtoul": 50,
    "trace_printk": 1000,
    "trace_vprintk": 1000,
    "xdp_output": 500,
}
"""By helper, without ``bpf_``."""

MOST_MAY_GOTO: Final = 1 << 31
"""Rounds of ``may_goto`` in one call of a function.

Where Linux's JIT watches the clock (x86-64 and arm64), they go on for 250 ms: longer than its
8,388,608 rounds elsewhere. No CPU goes round so often in that time.
"""

MOST_TREE_DEPTH: Final = 128
"""Comparisons of one insertion into a red-black tree: twice the logarithm of what memory holds."""

MOST_SAMPLES: Final = 128 << 10
"""BPF_MAX_USER_RINGBUF_SAMPLES: calls back of one user_ringbuf_drain."""

MOST_BITS: Final = 511 * 64
"""Rounds over bpf_iter_bits, which takes 511 words."""
