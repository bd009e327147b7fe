"""Socket structs: what programs may load through the pointers that socket helpers give.

Offsets and sizes are the uapi ones of ``bpf_sock``, ``bpf_tcp_sock`` and ``bpf_xdp_sock``; nothing
is writable. A pointer to a socket's common part (the context's ``sk``) shows less of ``bpf_sock``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from beebox.tables.contexts import Context, ContextField
from beebox.tables.contexts_sockets import BPF_SOCK

_OWN: Final = tuple(replace(field, writes=(), attach_types=()) for field in BPF_SOCK.fields)
_FULL_ONLY: Final = frozenset({"type", "protocol", "mark", "priority"})
SOCK: Final = Context("bpf_sock", 80, _OWN)
SOCK_COMMON: Final = Context(
    "bpf_sock", 80, tuple(field for field in _OWN if field.name not in _FULL_ONLY)
)

_TCP_WORDS: Final = (
    "snd_cwnd",
    "srtt_us",
    "rtt_min",
    "snd_ssthresh",
    "rcv_nxt",
    "snd_nxt",
    "snd_una",
    "mss_cache",
    "ecn_flags",
    "rate_delivered",
    "rate_interval_us",
    "packets_out",
    "retrans_out",
    "total_retrans",
    "segs_in",
    "data_segs_in",
    "segs_out",
    "data_segs_out",
    "lost_out",
    "sacked_out",
)
_TCP_LATE_WORDS: Final = ("dsack_dups", "delivered", "delivered_ce", "icsk_retransmits")
TCP_SOCK: Final = Context(
    "bpf_tcp_sock",
    112,
    (
        *(ContextField(name, 4 * at, 4, since="5.1") for at, name in enumerate(_TCP_WORDS)),
        ContextField("bytes_received", 80, 8, reads=(8,), since="5.1"),
        ContextField("bytes_acked", 88, 8, reads=(8,), since="5.1"),
        *(
            ContextField(name, 96 + 4 * at, 4, since="5.2")
            for at, name in enumerate(_TCP_LATE_WORDS)
        ),
    ),
)
XDP_SOCK: Final = Context("bpf_xdp_sock", 4, (ContextField("queue_id", 0, 4, since="5.3"),))
