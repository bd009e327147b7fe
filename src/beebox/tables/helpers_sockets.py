"""Helpers over sockets, socket options, socket messages and sysctls."""

from __future__ import annotations

from typing import Final

from beebox.tables.callers import (
    ANY,
    CGROUP_DEVICE,
    CGROUP_SKB,
    CGROUP_SOCK,
    CGROUP_SOCK_ADDR,
    CGROUP_SOCKOPT,
    CGROUP_SYSCTL,
    KPROBE,
    LSM,
    NETFILTER,
    PERF_EVENT,
    RAW_TRACEPOINT,
    RAW_TRACEPOINT_WRITABLE,
    SK_LOOKUP,
    SK_MSG,
    SK_REUSEPORT,
    SK_SKB,
    SOCK_OPS,
    SOCKET_FILTER,
    STRUCT_OPS,
    SYSCALL,
    TC,
    TRACEPOINT,
    TRACING,
    XDP,
)
from beebox.tables.helper_rows import (
    CTX,
    KEY,
    MAP,
    Arg,
    ArgKind,
    Helper,
    Prototype,
    RetKind,
    btf,
    edits,
    fills,
    i32,
    reads,
    size,
    size_or_0,
    u32,
    u64,
)
from beebox.tables.program_types import AttachType

RETVAL_ATTACH_TYPES: Final = frozenset(
    {
        AttachType.CGROUP_DEVICE,
        AttachType.CGROUP_SYSCTL,
        AttachType.CGROUP_INET4_BIND,
        AttachType.CGROUP_INET6_BIND,
        AttachType.CGROUP_INET4_CONNECT,
        AttachType.CGROUP_INET6_CONNECT,
        AttachType.CGROUP_UDP4_SENDMSG,
        AttachType.CGROUP_UDP6_SENDMSG,
        AttachType.CGROUP_UNIX_CONNECT,
        AttachType.CGROUP_UNIX_SENDMSG,
        AttachType.LSM_CGROUP,
    }
)
"""Attach types of cgroups that turn a refusal into an errno."""

SOCKET_HELPERS: Final = (
    Helper(
        46,
        "get_socket_cookie",
        RetKind.INTEGER,
        (CTX,),
        TC
        | SOCKET_FILTER
        | CGROUP_SKB
        | CGROUP_SOCK
        | SOCK_OPS
        | SK_SKB
        | CGROUP_SOCK_ADDR
        | SK_REUSEPORT
        | TRACING
        | LSM
        | SYSCALL,
        since="4.12",
        ret_signed=False,
        variants=(
            Prototype(
                SK_REUSEPORT | TRACING | LSM | SYSCALL,
                RetKind.INTEGER,
                (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON, nullable=True),),
            ),
        ),
    ),
    Helper(
        47,
        "get_socket_uid",
        RetKind.INTEGER,
        (CTX,),
        TC | SOCKET_FILTER | CGROUP_SKB | SK_SKB,
        since="4.12",
        ret_bits=32,
        ret_signed=False,
    ),
    Helper(
        49,
        "setsockopt",
        RetKind.INTEGER,
        (CTX, i32("level"), i32("optname"), reads("optval"), size("optlen", signed=True)),
        SOCK_OPS | CGROUP_SOCK_ADDR | CGROUP_SOCKOPT | TRACING | STRUCT_OPS | LSM,
        since="4.13",
        attach_types=frozenset(
            {AttachType.CGROUP_SETSOCKOPT, AttachType.TRACE_ITER, AttachType.LSM_CGROUP}
        ),
        restriction="struct_ops: tcp_congestion_ops except release; iterators: tcp only; LSM: a few listed hooks",
        variants=(
            Prototype(
                CGROUP_SOCKOPT | TRACING | STRUCT_OPS | LSM,
                RetKind.INTEGER,
                (
                    Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),
                    i32("level"),
                    i32("optname"),
                    reads("optval"),
                    size("optlen", signed=True),
                ),
            ),
        ),
    ),
    Helper(
        52,
        "sk_redirect_map",
        RetKind.INTEGER,
        (CTX, MAP, u32("key"), u64("flags")),
        SK_SKB,
        since="4.14",
    ),
    Helper(
        53,
        "sock_map_update",
        RetKind.INTEGER,
        (CTX, MAP, KEY, u64("flags")),
        SOCK_OPS,
        since="4.14",
        packet_access=True,
    ),
    Helper(
        57,
        "getsockopt",
        RetKind.INTEGER,
        (CTX, i32("level"), i32("optname"), fills("optval"), size("optlen", signed=True)),
        SOCK_OPS | CGROUP_SOCK_ADDR | CGROUP_SOCKOPT | TRACING | STRUCT_OPS | LSM,
        since="4.15",
        attach_types=frozenset(
            {AttachType.CGROUP_SETSOCKOPT, AttachType.TRACE_ITER, AttachType.LSM_CGROUP}
        ),
        restriction="struct_ops: tcp_congestion_ops except release; iterators: tcp only; LSM: a few listed hooks",
        variants=(
            Prototype(
                CGROUP_SOCKOPT | TRACING | STRUCT_OPS | LSM,
                RetKind.INTEGER,
                (
                    Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),
                    i32("level"),
                    i32("optname"),
                    fills("optval"),
                    size("optlen", signed=True),
                ),
            ),
        ),
    ),
    Helper(
        59, "sock_ops_cb_flags_set", RetKind.INTEGER, (CTX, i32("argval")), SOCK_OPS, since="4.16"
    ),
    Helper(
        60,
        "msg_redirect_map",
        RetKind.INTEGER,
        (CTX, MAP, u32("key"), u64("flags")),
        SK_MSG,
        since="4.17",
    ),
    Helper(61, "msg_apply_bytes", RetKind.INTEGER, (CTX, u32("bytes")), SK_MSG, since="4.17"),
    Helper(62, "msg_cork_bytes", RetKind.INTEGER, (CTX, u32("bytes")), SK_MSG, since="4.17"),
    Helper(
        63,
        "msg_pull_data",
        RetKind.INTEGER,
        (CTX, u32("start"), u32("end"), u64("flags")),
        SK_MSG,
        since="4.17",
        changes_packet=True,
    ),
    Helper(
        64,
        "bind",
        RetKind.INTEGER,
        (CTX, reads("addr"), size("addr_len", signed=True)),
        CGROUP_SOCK_ADDR,
        since="4.17",
        attach_types=frozenset({AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET6_CONNECT}),
    ),
    Helper(
        70,
        "sock_hash_update",
        RetKind.INTEGER,
        (CTX, MAP, KEY, u64("flags")),
        SOCK_OPS,
        since="4.18",
        packet_access=True,
    ),
    Helper(
        71,
        "msg_redirect_hash",
        RetKind.INTEGER,
        (CTX, MAP, KEY, u64("flags")),
        SK_MSG,
        since="4.18",
    ),
    Helper(
        72, "sk_redirect_hash", RetKind.INTEGER, (CTX, MAP, KEY, u64("flags")), SK_SKB, since="4.18"
    ),
    Helper(
        82,
        "sk_select_reuseport",
        RetKind.INTEGER,
        (CTX, MAP, KEY, u64("flags")),
        SK_REUSEPORT,
        since="4.19",
    ),
    Helper(
        84,
        "sk_lookup_tcp",
        RetKind.SOCKET_OR_NULL,
        (CTX, reads("tuple"), size_or_0("tuple_size"), u64("netns"), u64("flags")),
        TC | XDP | CGROUP_SKB | SK_SKB | CGROUP_SOCK_ADDR,
        since="4.20",
        packet_access=True,
        acquires=True,
    ),
    Helper(
        85,
        "sk_lookup_udp",
        RetKind.SOCKET_OR_NULL,
        (CTX, reads("tuple"), size_or_0("tuple_size"), u64("netns"), u64("flags")),
        TC | XDP | CGROUP_SKB | SK_SKB | CGROUP_SOCK_ADDR,
        since="4.20",
        packet_access=True,
        acquires=True,
    ),
    Helper(
        86,
        "sk_release",
        RetKind.INTEGER,
        (Arg("sock", ArgKind.BTF_ID_SOCK_COMMON, releases=True),),
        TC | XDP | CGROUP_SKB | SK_SKB | CGROUP_SOCK_ADDR | SK_LOOKUP,
        since="4.20",
    ),
    Helper(
        90,
        "msg_push_data",
        RetKind.INTEGER,
        (CTX, u32("start"), u32("len"), u64("flags")),
        SK_MSG,
        since="4.20",
        changes_packet=True,
    ),
    Helper(
        91,
        "msg_pop_data",
        RetKind.INTEGER,
        (CTX, u32("start"), u32("len"), u64("flags")),
        SK_MSG,
        since="5.0",
        changes_packet=True,
    ),
    Helper(
        95,
        "sk_fullsock",
        RetKind.SOCKET_OR_NULL,
        (Arg("sk", ArgKind.SOCK_COMMON),),
        TC | CGROUP_SKB,
        since="5.1",
        casts=True,
    ),
    Helper(
        96,
        "tcp_sock",
        RetKind.TCP_SOCK_OR_NULL,
        (Arg("sk", ArgKind.SOCK_COMMON),),
        TC | CGROUP_SKB | SOCK_OPS | CGROUP_SOCKOPT,
        since="5.1",
        casts=True,
    ),
    Helper(
        98,
        "get_listener_sock",
        RetKind.SOCKET_OR_NULL,
        (Arg("sk", ArgKind.SOCK_COMMON),),
        TC | CGROUP_SKB,
        since="5.1",
    ),
    Helper(
        99,
        "skc_lookup_tcp",
        RetKind.SOCK_COMMON_OR_NULL,
        (CTX, reads("tuple"), size_or_0("tuple_size"), u64("netns"), u64("flags")),
        TC | XDP | CGROUP_SKB | SK_SKB | CGROUP_SOCK_ADDR,
        since="5.2",
        packet_access=True,
        acquires=True,
    ),
    Helper(
        100,
        "tcp_check_syncookie",
        RetKind.INTEGER,
        (
            Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),
            reads("iph"),
            size("iph_len"),
            reads("th"),
            size("th_len"),
        ),
        TC | XDP,
        since="5.2",
        gpl_only=True,
        packet_access=True,
    ),
    Helper(
        101,
        "sysctl_get_name",
        RetKind.INTEGER,
        (CTX, edits("buf"), size("buf_len", bits=64), u64("flags")),
        CGROUP_SYSCTL,
        since="5.2",
    ),
    Helper(
        102,
        "sysctl_get_current_value",
        RetKind.INTEGER,
        (CTX, fills("buf"), size("buf_len", bits=64)),
        CGROUP_SYSCTL,
        since="5.2",
    ),
    Helper(
        103,
        "sysctl_get_new_value",
        RetKind.INTEGER,
        (CTX, fills("buf"), size("buf_len", bits=64)),
        CGROUP_SYSCTL,
        since="5.2",
    ),
    Helper(
        104,
        "sysctl_set_new_value",
        RetKind.INTEGER,
        (CTX, reads("buf"), size("buf_len", bits=64)),
        CGROUP_SYSCTL,
        since="5.2",
    ),
    Helper(
        110,
        "tcp_gen_syncookie",
        RetKind.INTEGER,
        (
            Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),
            reads("iph"),
            size("iph_len"),
            reads("th"),
            size("th_len"),
        ),
        TC | XDP,
        since="5.4",
        gpl_only=True,
        packet_access=True,
    ),
    Helper(
        116,
        "tcp_send_ack",
        RetKind.INTEGER,
        (btf("tp", "tcp_sock"), u32("rcv_nxt")),
        STRUCT_OPS,
        since="5.6",
        restriction="from tcp_congestion_ops only",
    ),
    Helper(
        122,
        "get_netns_cookie",
        RetKind.INTEGER,
        (Arg("ctx", ArgKind.CTX, nullable=True),),
        TC
        | SOCKET_FILTER
        | CGROUP_SKB
        | CGROUP_SOCK
        | SOCK_OPS
        | SK_MSG
        | CGROUP_SOCK_ADDR
        | CGROUP_SOCKOPT,
        since="5.7",
        ret_signed=False,
    ),
    Helper(
        124,
        "sk_assign",
        RetKind.INTEGER,
        (CTX, Arg("sk", ArgKind.BTF_ID_SOCK_COMMON), u64("flags")),
        TC | SK_LOOKUP,
        since="5.7",
        variants=(
            Prototype(
                SK_LOOKUP,
                RetKind.INTEGER,
                (CTX, Arg("sk", ArgKind.SOCKET, nullable=True), u64("flags")),
            ),
        ),
    ),
    Helper(
        128,
        "sk_cgroup_id",
        RetKind.INTEGER,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        CGROUP_SKB,
        since="5.8",
        ret_signed=False,
    ),
    Helper(
        129,
        "sk_ancestor_cgroup_id",
        RetKind.INTEGER,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON), i32("ancestor_level")),
        CGROUP_SKB,
        since="5.8",
        ret_signed=False,
    ),
    Helper(
        136,
        "skc_to_tcp6_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.9",
        ret_type_name="tcp6_sock",
        casts=True,
    ),
    Helper(
        137,
        "skc_to_tcp_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.9",
        ret_type_name="tcp_sock",
        casts=True,
    ),
    Helper(
        138,
        "skc_to_tcp_timewait_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.9",
        ret_type_name="tcp_timewait_sock",
        casts=True,
    ),
    Helper(
        139,
        "skc_to_tcp_request_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.9",
        ret_type_name="tcp_request_sock",
        casts=True,
    ),
    Helper(
        140,
        "skc_to_udp6_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.9",
        ret_type_name="udp6_sock",
        casts=True,
    ),
    Helper(
        142,
        "load_hdr_opt",
        RetKind.INTEGER,
        (CTX, edits("searchby_res"), size("len"), u64("flags")),
        SOCK_OPS,
        since="5.10",
    ),
    Helper(
        143,
        "store_hdr_opt",
        RetKind.INTEGER,
        (CTX, reads("from_"), size("len"), u64("flags")),
        SOCK_OPS,
        since="5.10",
        changes_packet=True,
    ),
    Helper(
        144,
        "reserve_hdr_opt",
        RetKind.INTEGER,
        (CTX, u32("len"), u64("flags")),
        SOCK_OPS,
        since="5.10",
    ),
    Helper(
        162,
        "sock_from_file",
        RetKind.BTF_ID_OR_NULL,
        (btf("file", "file"),),
        TRACING | LSM | SYSCALL,
        since="5.11",
        ret_type_name="socket",
    ),
    Helper(
        178,
        "skc_to_unix_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.16",
        ret_type_name="unix_sock",
    ),
    Helper(
        186,
        "get_retval",
        RetKind.INTEGER,
        (),
        CGROUP_SOCK | CGROUP_DEVICE | CGROUP_SOCK_ADDR | CGROUP_SYSCTL | CGROUP_SOCKOPT | LSM,
        since="5.18",
        ret_bits=32,
        attach_types=RETVAL_ATTACH_TYPES,
    ),
    Helper(
        187,
        "set_retval",
        RetKind.INTEGER,
        (i32("retval"),),
        CGROUP_SOCK | CGROUP_DEVICE | CGROUP_SOCK_ADDR | CGROUP_SYSCTL | CGROUP_SOCKOPT | LSM,
        since="5.18",
        ret_bits=32,
        attach_types=RETVAL_ATTACH_TYPES,
    ),
    Helper(
        196,
        "skc_to_mptcp_sock",
        RetKind.BTF_ID_OR_NULL,
        (Arg("sk", ArgKind.SOCK_COMMON),),
        ANY
        - (
            KPROBE
            | TRACEPOINT
            | PERF_EVENT
            | CGROUP_SOCK
            | CGROUP_DEVICE
            | RAW_TRACEPOINT
            | SK_REUSEPORT
            | CGROUP_SYSCTL
            | RAW_TRACEPOINT_WRITABLE
            | CGROUP_SOCKOPT
            | STRUCT_OPS
            | NETFILTER
        ),
        since="5.19",
        ret_type_name="mptcp_sock",
        casts=True,
    ),
    Helper(
        204,
        "tcp_raw_gen_syncookie_ipv4",
        RetKind.INTEGER,
        (reads("iph", 20), reads("th"), size_or_0("th_len")),
        TC | XDP,
        since="6.0",
        gpl_only=True,
        packet_access=True,
    ),
    Helper(
        205,
        "tcp_raw_gen_syncookie_ipv6",
        RetKind.INTEGER,
        (reads("iph", 40), reads("th"), size_or_0("th_len")),
        TC | XDP,
        since="6.0",
        gpl_only=True,
        packet_access=True,
    ),
    Helper(
        206,
        "tcp_raw_check_syncookie_ipv4",
        RetKind.INTEGER,
        (reads("iph", 20), reads("th", 20)),
        TC | XDP,
        since="6.0",
        gpl_only=True,
        packet_access=True,
    ),
    Helper(
        207,
        "tcp_raw_check_syncookie_ipv6",
        RetKind.INTEGER,
        (reads("iph", 40), reads("th", 20)),
        TC | XDP,
        since="6.0",
        gpl_only=True,
        packet_access=True,
    ),
)
