"""Which helpers the language spells as functions: those that packet programs may call.

The rest is listed with what it would need, so that a test can hold both against the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from beebox.compiler.contexts import CONTEXT_CLASSES
from beebox.tables.helpers import HELPERS, ArgKind, Helper, RetKind
from beebox.tables.program_types import ProgramType

PACKET_PROGRAMS: Final = frozenset(
    row
    for row in ProgramType
    if row.value.context is not None
    and row.value.context.name in CONTEXT_CLASSES.values()
    and row is not ProgramType.SK_SKB  # on socket streams, which need socket maps
)
"""The program types that the language has."""

MAP_SYNTAX: Final = frozenset(
    {
        "map_lookup_elem",
        "map_update_elem",
        "map_delete_elem",
        "map_push_elem",
        "map_pop_elem",
        "map_peek_elem",
    }
)
"""Helpers that the language spells as subscripts and methods of maps."""

_ARGUMENTS: Final = frozenset(
    {
        ArgKind.ANYTHING,
        ArgKind.CONST_MAP_PTR,
        ArgKind.MAP_KEY,
        ArgKind.MAP_VALUE,
        ArgKind.MEM,
        ArgKind.CONST_SIZE,
        ArgKind.CONST_SIZE_OR_ZERO,
        ArgKind.CTX,
    }
)
_RESULTS: Final = frozenset({RetKind.INTEGER, RetKind.VOID, RetKind.MAP_VALUE_OR_NULL})

_TASKS: Final = "speaks of tasks and foreign memory, as tracing programs do"
_EVENTS: Final = "needs a perf event array or a ring buffer, for which there is no class yet"
_GROUPS: Final = "needs a cgroup array, for which there is no class yet"
_INTEGER: Final = "fills an integer variable, which has no address here"
WITHOUT: Final[Mapping[str, str]] = {
    "probe_read_user": _TASKS,
    "probe_read_kernel": _TASKS,
    "probe_read_user_str": _TASKS,
    "probe_read_kernel_str": _TASKS,
    "copy_from_user": _TASKS,
    "snprintf_btf": _TASKS,
    "get_current_task": _TASKS,
    "get_branch_snapshot": _TASKS,
    "send_signal": _TASKS,
    "send_signal_thread": _TASKS,
    "get_ns_current_pid_tgid": _TASKS,
    "get_current_comm": _TASKS,
    "get_current_pid_tgid": _TASKS,
    "get_current_uid_gid": _TASKS,
    "get_current_cgroup_id": _TASKS,
    "get_current_ancestor_cgroup_id": _TASKS,
    "perf_event_read": _EVENTS,
    "perf_event_read_value": _EVENTS,
    "perf_event_output": _EVENTS,
    "ringbuf_output": _EVENTS,
    "ringbuf_query": _EVENTS,
    "skb_under_cgroup": _GROUPS,
    "current_task_under_cgroup": _GROUPS,
    "strtol": _INTEGER,
    "strtoul": _INTEGER,
    "trace_vprintk": "trace_printk() prints up to three values",
}
"""Helpers of packet programs whose kinds the language has, and why it has not the helper."""


def expressible(helper: Helper) -> bool:
    """Whether the language has what the helper takes and gives."""
    return helper.ret in _RESULTS and all(arg.kind in _ARGUMENTS for arg in helper.args)


SPELLED: Final[Mapping[str, Helper]] = {
    row.name: row
    for row in HELPERS.values()
    if row.program_types & PACKET_PROGRAMS
    and expressible(row)
    and row.name not in MAP_SYNTAX
    and row.name not in WITHOUT
}
"""The functions of the language that are helpers."""
