"""Contexts of programs on sockets and control groups, and the structs that their pointers reach."""

from __future__ import annotations

from typing import Final

from beebox.tables.contexts import Context, ContextField, FieldKind

_NARROW: Final = (1, 2, 4)
_WIDE: Final = (1, 2, 4, 8)
_OF_CREATED: Final = ("cgroup_inet_sock_create", "cgroup_inet_sock_release")
_OF_BOUND_4: Final = ("cgroup_inet4_post_bind",)
_OF_BOUND_6: Final = ("cgroup_inet6_post_bind",)

_SOCK_FIELDS: Final = (
    ContextField("bound_dev_if", 0, 4, attach_types=_OF_CREATED, writes=(4,), since="4.10"),
    ContextField("family", 4, 4, reads=_NARROW, from_start=True, since="4.10"),
    ContextField("type", 8, 4, reads=_NARROW, from_start=True, since="4.10"),
    ContextField("protocol", 12, 4, reads=_NARROW, from_start=True, since="4.10"),
    ContextField("mark", 16, 4, attach_types=_OF_CREATED, writes=(4,), since="4.14"),
    ContextField("priority", 20, 4, attach_types=_OF_CREATED, writes=(4,), since="4.14"),
    ContextField("src_ip4", 24, 4, reads=_NARROW, attach_types=_OF_BOUND_4, since="4.17"),
    ContextField("src_ip6", 28, 16, reads=_NARROW, attach_types=_OF_BOUND_6, since="4.17"),
    ContextField(
        "src_port",
        44,
        4,
        reads=_NARROW,
        from_start=True,
        attach_types=(*_OF_BOUND_4, *_OF_BOUND_6),
        since="4.17",
    ),
    ContextField("dst_port", 48, 2, reads=(1, 2), since="5.1"),
    # as programs were compiled when the field had 32 bits
    ContextField("dst_port", 48, 4, reads=(4,), since="5.1"),
    ContextField("dst_ip4", 52, 4, reads=_NARROW, since="5.1"),
    ContextField("dst_ip6", 56, 16, reads=_NARROW, since="5.1"),
    ContextField("state", 72, 4, reads=_NARROW, from_start=True, since="5.1"),
    ContextField("rx_queue_mapping", 76, 4, reads=_NARROW, from_start=True, since="5.8"),
)
BPF_SOCK: Final = Context("bpf_sock", 80, _SOCK_FIELDS)

BPF_SOCK_OPS: Final = Context(
    "bpf_sock_ops",
    224,
    (
        ContextField("op", 0, 4, since="4.13"),
        ContextField("args", 4, 16, since="4.16"),
        ContextField("reply", 4, 4, writes=(4,), since="4.13"),
        ContextField("family", 20, 4, since="4.13"),
        ContextField("remote_ip4", 24, 4, since="4.13"),
        ContextField("local_ip4", 28, 4, since="4.13"),
        ContextField("remote_ip6", 32, 16, since="4.13"),
        ContextField("local_ip6", 48, 16, since="4.13"),
        ContextField("remote_port", 64, 4, since="4.13"),
        ContextField("local_port", 68, 4, since="4.13"),
        ContextField("is_fullsock", 72, 4, since="4.16"),
        ContextField("snd_cwnd", 76, 4, since="4.16"),
        ContextField("srtt_us", 80, 4, since="4.16"),
        ContextField("bpf_sock_ops_cb_flags", 84, 4, since="4.16"),
        ContextField("state", 88, 4, since="4.16"),
        ContextField("rtt_min", 92, 4, since="4.16"),
        ContextField("snd_ssthresh", 96, 4, since="4.16"),
        ContextField("rcv_nxt", 100, 4, since="4.16"),
        ContextField("snd_nxt", 104, 4, since="4.16"),
        ContextField("snd_una", 108, 4, since="4.16"),
        ContextField("mss_cache", 112, 4, since="4.16"),
        ContextField("ecn_flags", 116, 4, since="4.16"),
        ContextField("rate_delivered", 120, 4, since="4.16"),
        ContextField("rate_interval_us", 124, 4, since="4.16"),
        ContextField("packets_out", 128, 4, since="4.16"),
        ContextField("retrans_out", 132, 4, since="4.16"),
        ContextField("total_retrans", 136, 4, since="4.16"),
        ContextField("segs_in", 140, 4, since="4.16"),
        ContextField("data_segs_in", 144, 4, since="4.16"),
        ContextField("segs_out", 148, 4, since="4.16"),
        ContextField("data_segs_out", 152, 4, since="4.16"),
        ContextField("lost_out", 156, 4, since="4.16"),
        ContextField("sacked_out", 160, 4, since="4.16"),
        ContextField("sk_txhash", 164, 4, writes=(4,), since="4.16"),
        ContextField("bytes_received", 168, 8, reads=(8,), since="4.16"),
        ContextField("bytes_acked", 176, 8, reads=(8,), since="4.16"),
        ContextField("sk", 184, 8, FieldKind.SOCKET_OR_NULL, reads=(8,), since="5.3"),
        ContextField("skb_data", 192, 8, FieldKind.PACKET, reads=(8,), since="5.10"),
        ContextField("skb_data_end", 200, 8, FieldKind.PACKET_END, reads=(8,), since="5.10"),
        ContextField("skb_len", 208, 4, since="5.10"),
        ContextField("skb_tcp_flags", 212, 4, reads=_NARROW, from_start=True, since="5.10"),
        ContextField("skb_hwtstamp", 216, 8, reads=(8,), since="6.2"),
    ),
)

_IP4: Final = (
    "cgroup_inet4_bind",
    "cgroup_inet4_connect",
    "cgroup_inet4_getpeername",
    "cgroup_inet4_getsockname",
    "cgroup_udp4_sendmsg",
    "cgroup_udp4_recvmsg",
)
_IP6: Final = (
    "cgroup_inet6_bind",
    "cgroup_inet6_connect",
    "cgroup_inet6_getpeername",
    "cgroup_inet6_getsockname",
    "cgroup_udp6_sendmsg",
    "cgroup_udp6_recvmsg",
)
BPF_SOCK_ADDR: Final = Context(
    "bpf_sock_addr",
    72,
    (
        ContextField("user_family", 0, 4, since="4.17"),
        ContextField("user_ip4", 4, 4, reads=_NARROW, writes=(4,), attach_types=_IP4, since="4.17"),
        ContextField(
            "user_ip6", 8, 16, reads=_WIDE, writes=(4, 8), attach_types=_IP6, since="4.17"
        ),
        ContextField("user_port", 24, 4, reads=_NARROW, writes=(4,), since="4.17"),
        ContextField("family", 28, 4, since="4.17"),
        ContextField("type", 32, 4, since="4.17"),
        ContextField("protocol", 36, 4, since="4.17"),
        ContextField(
            "msg_src_ip4",
            40,
            4,
            reads=_NARROW,
            writes=(4,),
            attach_types=("cgroup_udp4_sendmsg",),
            since="4.18",
        ),
        ContextField(
            "msg_src_ip6",
            44,
            16,
            reads=_WIDE,
            writes=(4, 8),
            attach_types=("cgroup_udp6_sendmsg",),
            since="4.18",
        ),
        ContextField("sk", 64, 8, FieldKind.SOCKET, reads=(8,), since="5.3"),
    ),
)
SK_MSG_MD: Final = Context(
    "sk_msg_md",
    80,
    (
        ContextField("data", 0, 8, FieldKind.PACKET, reads=(8,), since="4.17"),
        ContextField("data_end", 8, 8, FieldKind.PACKET_END, reads=(8,), since="4.17"),
        ContextField("family", 16, 4, since="4.18"),
        ContextField("remote_ip4", 20, 4, since="4.18"),
        ContextField("local_ip4", 24, 4, since="4.18"),
        ContextField("remote_ip6", 28, 16, since="4.18"),
        ContextField("local_ip6", 44, 16, since="4.18"),
        ContextField("remote_port", 60, 4, since="4.18"),
        ContextField("local_port", 64, 4, since="4.18"),
        ContextField("size", 68, 4, since="5.0"),
        ContextField("sk", 72, 8, FieldKind.SOCKET, reads=(8,), since="5.8"),
    ),
)
SK_REUSEPORT_MD: Final = Context(
    "sk_reuseport_md",
    56,
    (
        ContextField("data", 0, 8, FieldKind.PACKET, reads=(8,), since="4.19"),
        ContextField("data_end", 8, 8, FieldKind.PACKET_END, reads=(8,), since="4.19"),
        ContextField("len", 16, 4, reads=_NARROW, since="4.19"),
        ContextField("eth_protocol", 20, 4, reads=(2, 4), since="4.19"),
        ContextField("ip_protocol", 24, 4, reads=_NARROW, since="4.19"),
        ContextField("bind_inany", 28, 4, reads=_NARROW, since="4.19"),
        ContextField("hash", 32, 4, since="4.19"),
        ContextField("sk", 40, 8, FieldKind.SOCKET, reads=(8,), since="5.14"),
        ContextField(
            "migrating_sk", 48, 8, FieldKind.SOCK_COMMON_OR_NULL, reads=(8,), since="5.14"
        ),
    ),
)
BPF_SK_LOOKUP: Final = Context(
    "bpf_sk_lookup",
    72,
    (
        ContextField("sk", 0, 8, FieldKind.SOCKET_OR_NULL, reads=(8,), since="5.9"),
        ContextField("family", 8, 4, reads=_NARROW, since="5.9"),
        ContextField("protocol", 12, 4, reads=_NARROW, since="5.9"),
        ContextField("remote_ip4", 16, 4, reads=_NARROW, since="5.9"),
        ContextField("remote_ip6", 20, 16, reads=_NARROW, since="5.9"),
        ContextField("remote_port", 36, 4, reads=_NARROW, since="5.9"),  # the upper half is zero
        ContextField("local_ip4", 40, 4, reads=_NARROW, since="5.9"),
        ContextField("local_ip6", 44, 16, reads=_NARROW, since="5.9"),
        ContextField("local_port", 60, 4, reads=_NARROW, since="5.9"),
        ContextField("ingress_ifindex", 64, 4, reads=_NARROW, since="5.17"),
    ),
)
BPF_CGROUP_DEV_CTX: Final = Context(
    "bpf_cgroup_dev_ctx",
    12,
    (
        ContextField("access_type", 0, 4, reads=_NARROW, since="4.15"),
        ContextField("major", 4, 4, since="4.15"),
        ContextField("minor", 8, 4, since="4.15"),
    ),
)
BPF_SYSCTL: Final = Context(
    "bpf_sysctl",
    8,
    (
        ContextField("write", 0, 4, reads=_NARROW, since="5.2"),
        ContextField("file_pos", 4, 4, reads=_NARROW, writes=(4,), since="5.2"),
    ),
)
_SETS: Final = ("cgroup_setsockopt",)
_GETS: Final = ("cgroup_getsockopt",)
BPF_SOCKOPT: Final = Context(
    "bpf_sockopt",
    40,
    (
        ContextField("sk", 0, 8, FieldKind.SOCKET, reads=(8,), since="5.3"),
        ContextField("optval", 8, 8, FieldKind.PACKET, reads=(8,), since="5.3"),
        ContextField("optval_end", 16, 8, FieldKind.PACKET_END, reads=(8,), since="5.3"),
        ContextField("level", 24, 4, writes=(4,), store_types=_SETS, since="5.3"),
        ContextField("optname", 28, 4, writes=(4,), store_types=_SETS, since="5.3"),
        ContextField("optlen", 32, 4, writes=(4,), since="5.3"),
        ContextField("retval", 36, 4, writes=(4,), attach_types=_GETS, since="5.3"),
    ),
)
