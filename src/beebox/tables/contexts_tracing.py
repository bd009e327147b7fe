"""Contexts of programs on probes, events, netfilter and infrared, and of syscall programs."""

from __future__ import annotations

from typing import Final

from beebox.tables.contexts import Context, ContextField, FieldKind

_WIDE: Final = (1, 2, 4, 8)
_REGISTERS: Final = (
    *("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si"),
    *("di", "orig_ax", "ip", "cs", "flags", "sp", "ss"),
)

PT_REGS: Final = Context(
    "pt_regs",
    168,
    tuple(
        ContextField(name, 8 * at, 8, reads=_WIDE, since="4.1")
        for at, name in enumerate(_REGISTERS)
    ),
)
"""The registers of x86-64, where a probe stopped; other machines have others."""

BPF_PERF_EVENT_DATA: Final = Context(
    "bpf_perf_event_data",
    184,
    (
        ContextField("regs", 0, 168, reads=(8,), since="4.9"),
        ContextField("sample_period", 168, 8, reads=_WIDE, since="4.9"),
        ContextField("addr", 176, 8, reads=_WIDE, since="4.17"),
    ),
)
TRACEPOINT_RECORD: Final = Context(
    "tracepoint",
    8192,  # PERF_MAX_TRACE_SIZE
    (ContextField("record", 8, 8184, reads=_WIDE, since="4.7"),),
)
"""What the tracepoint records, by its ``format`` file; the first 8 bytes are hidden."""

BPF_RAW_TRACEPOINT_ARGS: Final = Context(
    "bpf_raw_tracepoint_args",
    96,  # MAX_BPF_FUNC_ARGS words
    (ContextField("args", 0, 96, reads=_WIDE, since="4.17"),),
)
RAW_TRACEPOINT_WRITABLE_ARGS: Final = Context(
    "bpf_raw_tracepoint_args",
    96,
    (
        ContextField("buffer", 0, 8, FieldKind.TRACEPOINT_BUFFER, reads=(8,), since="5.2"),
        ContextField("address", 1, 7, reads=(1, 2, 4), since="5.2"),  # parts of it are numbers
        ContextField("args", 8, 88, reads=_WIDE, since="5.2"),
    ),
)
BPF_NF_CTX: Final = Context(
    "bpf_nf_ctx",
    16,
    (
        ContextField(
            "state",
            0,
            8,
            FieldKind.TRUSTED_BTF_ID,
            reads=(8,),
            since="6.4",
            type_name="nf_hook_state",
        ),
        ContextField(
            "skb", 8, 8, FieldKind.TRUSTED_BTF_ID, reads=(8,), since="6.4", type_name="sk_buff"
        ),
    ),
)
LIRC_SAMPLE: Final = Context(
    "lirc_mode2",
    4,
    (ContextField("sample", 0, 4, since="4.18"),),  # LIRC_PULSE(n), LIRC_SPACE(n), ...
)
SYSCALL_ARGS: Final = Context(
    "syscall",
    65535,  # U16_MAX: the memory that BPF_PROG_TEST_RUN passes may be shorter
    (ContextField("args", 0, 65535, reads=_WIDE, writes=_WIDE, since="5.14"),),
)
"""Whatever the caller passes, read and written."""
