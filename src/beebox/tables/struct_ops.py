"""Structs of functions that programs can stand for (struct_ops), beside what BTF says of them.

Rows are what each of these kernel structs allows; the tests hold them against a running kernel.
Source: ``struct bpf_struct_ops`` of each in the kernel, and the functions it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class StructOps:
    """What programs for the members of one struct may do.

    ``unsupported`` are members that no program can stand for. ``sleepable`` are those whose
    programs may be loaded as sleepable, None: any. ``becomes``: what a pointer to a struct in the context is taken for.
    ``calls_helpers``: whether they may call helpers at all; ``own_helpers`` are theirs alone.
    ``writable``: by struct, the members that programs may store to (empty: all of it).
    """

    unsupported: frozenset[str] = frozenset()
    sleepable: frozenset[str] | None = frozenset()
    calls_helpers: bool = False
    own_helpers: frozenset[str] = frozenset()
    becomes: Mapping[str, str] = field(default_factory=dict)
    writable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


STRUCT_OPS: Final[Mapping[str, StructOps]] = {
    "bpf_dummy_ops": StructOps(
        sleepable=frozenset({"test_sleepable"}),
        writable={"bpf_dummy_ops_state": ()},
    ),
    "tcp_congestion_ops": StructOps(
        unsupported=frozenset({"get_info"}),
        sleepable=None,
        calls_helpers=True,
        own_helpers=frozenset({"tcp_send_ack"}),
        becomes={"sock": "tcp_sock"},
        writable={
            "tcp_sock": (
                "inet_conn.icsk_inet.sk.sk_pacing_rate",
                "inet_conn.icsk_inet.sk.sk_pacing_status",
                "inet_conn.icsk_ca_priv",
                "inet_conn.icsk_ack.pending",
                "snd_cwnd",
                "snd_cwnd_cnt",
                "snd_cwnd_stamp",
                "snd_ssthresh",
                "ecn_flags",
                "app_limited",
            )
        },
    ),
}
