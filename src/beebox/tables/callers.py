"""Sets of program types, to write who may call a helper as a union: ``TC | LWT | XDP``."""

from __future__ import annotations

from typing import Final

from beebox.tables.program_types import ProgramType

SOCKET_FILTER: Final = frozenset({ProgramType.SOCKET_FILTER})
KPROBE: Final = frozenset({ProgramType.KPROBE})
SCHED_CLS: Final = frozenset({ProgramType.SCHED_CLS})
SCHED_ACT: Final = frozenset({ProgramType.SCHED_ACT})
TRACEPOINT: Final = frozenset({ProgramType.TRACEPOINT})
XDP: Final = frozenset({ProgramType.XDP})
PERF_EVENT: Final = frozenset({ProgramType.PERF_EVENT})
CGROUP_SKB: Final = frozenset({ProgramType.CGROUP_SKB})
CGROUP_SOCK: Final = frozenset({ProgramType.CGROUP_SOCK})
LWT_IN: Final = frozenset({ProgramType.LWT_IN})
LWT_OUT: Final = frozenset({ProgramType.LWT_OUT})
LWT_XMIT: Final = frozenset({ProgramType.LWT_XMIT})
SOCK_OPS: Final = frozenset({ProgramType.SOCK_OPS})
SK_SKB: Final = frozenset({ProgramType.SK_SKB})
CGROUP_DEVICE: Final = frozenset({ProgramType.CGROUP_DEVICE})
SK_MSG: Final = frozenset({ProgramType.SK_MSG})
RAW_TRACEPOINT: Final = frozenset({ProgramType.RAW_TRACEPOINT})
CGROUP_SOCK_ADDR: Final = frozenset({ProgramType.CGROUP_SOCK_ADDR})
LWT_SEG6LOCAL: Final = frozenset({ProgramType.LWT_SEG6LOCAL})
LIRC_MODE2: Final = frozenset({ProgramType.LIRC_MODE2})
SK_REUSEPORT: Final = frozenset({ProgramType.SK_REUSEPORT})
FLOW_DISSECTOR: Final = frozenset({ProgramType.FLOW_DISSECTOR})
CGROUP_SYSCTL: Final = frozenset({ProgramType.CGROUP_SYSCTL})
RAW_TRACEPOINT_WRITABLE: Final = frozenset({ProgramType.RAW_TRACEPOINT_WRITABLE})
CGROUP_SOCKOPT: Final = frozenset({ProgramType.CGROUP_SOCKOPT})
TRACING: Final = frozenset({ProgramType.TRACING})
STRUCT_OPS: Final = frozenset({ProgramType.STRUCT_OPS})
EXT: Final = frozenset({ProgramType.EXT})
LSM: Final = frozenset({ProgramType.LSM})
SK_LOOKUP: Final = frozenset({ProgramType.SK_LOOKUP})
SYSCALL: Final = frozenset({ProgramType.SYSCALL})
NETFILTER: Final = frozenset({ProgramType.NETFILTER})

TC: Final = SCHED_CLS | SCHED_ACT
LWT: Final = LWT_IN | LWT_OUT | LWT_XMIT | LWT_SEG6LOCAL
TRACERS: Final = (
    KPROBE | TRACEPOINT | PERF_EVENT | RAW_TRACEPOINT | RAW_TRACEPOINT_WRITABLE | TRACING | LSM
)
ANY: Final = frozenset(ProgramType) - EXT - LIRC_MODE2
"""Every type with the basic helpers. EXT programs call what the program they replace may call."""
