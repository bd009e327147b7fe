"""Helpers over maps, per-CPU data, ring buffers, local storage and dynptrs."""

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
    LIRC_MODE2,
    LSM,
    SK_MSG,
    SOCK_OPS,
    STRUCT_OPS,
    TC,
    TRACING,
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
    fills,
    reads,
    size_or_0,
    u32,
    u64,
)
from beebox.tables.program_types import AttachType

MAP_HELPERS: Final = (
    Helper(
        1,
        "map_lookup_elem",
        RetKind.MAP_VALUE_OR_NULL,
        (MAP, KEY),
        ANY | LIRC_MODE2,
        packet_access=True,
    ),
    Helper(
        2,
        "map_update_elem",
        RetKind.INTEGER,
        (MAP, KEY, Arg("value", ArgKind.MAP_VALUE), u64("flags")),
        ANY | LIRC_MODE2,
        packet_access=True,
    ),
    Helper(3, "map_delete_elem", RetKind.INTEGER, (MAP, KEY), ANY | LIRC_MODE2, packet_access=True),
    Helper(
        12,
        "tail_call",
        RetKind.VOID,
        (CTX, Arg("prog_array_map", ArgKind.CONST_MAP_PTR), u32("index")),
        ANY | LIRC_MODE2,
        since="4.2",
        leaves=True,
    ),
    Helper(
        81,
        "get_local_storage",
        RetKind.MAP_VALUE,
        (MAP, u64("flags")),
        CGROUP_SKB
        | CGROUP_SOCK
        | SOCK_OPS
        | CGROUP_DEVICE
        | CGROUP_SOCK_ADDR
        | CGROUP_SYSCTL
        | CGROUP_SOCKOPT
        | LSM,
        since="4.19",
        attach_types=frozenset({AttachType.LSM_CGROUP}),
    ),
    Helper(
        87,
        "map_push_elem",
        RetKind.INTEGER,
        (MAP, Arg("value", ArgKind.MAP_VALUE), u64("flags")),
        ANY | LIRC_MODE2,
        since="4.20",
        packet_access=True,
    ),
    Helper(
        88,
        "map_pop_elem",
        RetKind.INTEGER,
        (MAP, Arg("value", ArgKind.MAP_VALUE, writes=True, uninit=True)),
        ANY | LIRC_MODE2,
        since="4.20",
    ),
    Helper(
        89,
        "map_peek_elem",
        RetKind.INTEGER,
        (MAP, Arg("value", ArgKind.MAP_VALUE, writes=True, uninit=True)),
        ANY | LIRC_MODE2,
        since="4.20",
    ),
    Helper(
        107,
        "sk_storage_get",
        RetKind.MAP_VALUE_OR_NULL,
        (
            MAP,
            Arg("sk", ArgKind.BTF_ID_SOCK_COMMON),
            Arg("value", ArgKind.MAP_VALUE, nullable=True),
            u64("flags"),
        ),
        TC
        | CGROUP_SKB
        | CGROUP_SOCK
        | SOCK_OPS
        | SK_MSG
        | CGROUP_SOCK_ADDR
        | CGROUP_SOCKOPT
        | TRACING
        | STRUCT_OPS
        | LSM,
        since="5.2",
        variants=(
            Prototype(
                CGROUP_SOCK,
                RetKind.MAP_VALUE_OR_NULL,
                (MAP, CTX, Arg("value", ArgKind.MAP_VALUE, nullable=True), u64("flags")),
            ),
            Prototype(
                TRACING,
                RetKind.MAP_VALUE_OR_NULL,
                (
                    MAP,
                    btf("sk", "sock", nullable=True),
                    Arg("value", ArgKind.MAP_VALUE, nullable=True),
                    u64("flags"),
                ),
            ),
        ),
    ),
    Helper(
        108,
        "sk_storage_delete",
        RetKind.INTEGER,
        (MAP, Arg("sk", ArgKind.BTF_ID_SOCK_COMMON)),
        TC
        | CGROUP_SKB
        | SOCK_OPS
        | SK_MSG
        | CGROUP_SOCK_ADDR
        | CGROUP_SOCKOPT
        | TRACING
        | STRUCT_OPS
        | LSM,
        since="5.2",
    ),
    Helper(
        130,
        "ringbuf_output",
        RetKind.INTEGER,
        (
            Arg("ringbuf", ArgKind.CONST_MAP_PTR),
            reads("data"),
            size_or_0("size", bits=64),
            u64("flags"),
        ),
        ANY,
        since="5.8",
    ),
    Helper(
        131,
        "ringbuf_reserve",
        RetKind.RINGBUF_MEM_OR_NULL,
        (
            Arg("ringbuf", ArgKind.CONST_MAP_PTR),
            Arg("size", ArgKind.CONST_ALLOC_SIZE_OR_ZERO),
            u64("flags"),
        ),
        ANY,
        since="5.8",
        acquires=True,
    ),
    Helper(
        132,
        "ringbuf_submit",
        RetKind.VOID,
        (Arg("data", ArgKind.RINGBUF_MEM, releases=True), u64("flags")),
        ANY,
        since="5.8",
    ),
    Helper(
        133,
        "ringbuf_discard",
        RetKind.VOID,
        (Arg("data", ArgKind.RINGBUF_MEM, releases=True), u64("flags")),
        ANY,
        since="5.8",
    ),
    Helper(
        134,
        "ringbuf_query",
        RetKind.INTEGER,
        (Arg("ringbuf", ArgKind.CONST_MAP_PTR), u64("flags")),
        ANY,
        since="5.8",
        ret_signed=False,
    ),
    Helper(
        145,
        "inode_storage_get",
        RetKind.MAP_VALUE_OR_NULL,
        (
            MAP,
            btf("inode", "inode", nullable=True),
            Arg("value", ArgKind.MAP_VALUE, nullable=True),
            u64("flags"),
        ),
        LSM,
        since="5.10",
    ),
    Helper(
        146,
        "inode_storage_delete",
        RetKind.INTEGER,
        (MAP, btf("inode", "inode", nullable=True)),
        LSM,
        since="5.10",
        ret_bits=32,
    ),
    Helper(
        153,
        "per_cpu_ptr",
        RetKind.MEM_OR_BTF_ID_OR_NULL,
        (Arg("percpu_ptr", ArgKind.PERCPU_BTF_ID), u32("cpu")),
        ANY,
        since="5.10",
    ),
    Helper(
        154,
        "this_cpu_ptr",
        RetKind.MEM_OR_BTF_ID,
        (Arg("percpu_ptr", ArgKind.PERCPU_BTF_ID),),
        ANY,
        since="5.10",
    ),
    Helper(
        156,
        "task_storage_get",
        RetKind.MAP_VALUE_OR_NULL,
        (
            MAP,
            btf("task", "task_struct", nullable=True),
            Arg("value", ArgKind.MAP_VALUE, nullable=True),
            u64("flags"),
        ),
        ANY,
        since="5.11",
    ),
    Helper(
        157,
        "task_storage_delete",
        RetKind.INTEGER,
        (MAP, btf("task", "task_struct", nullable=True)),
        ANY,
        since="5.11",
    ),
    Helper(
        164,
        "for_each_map_elem",
        RetKind.INTEGER,
        (
            MAP,
            Arg("callback_fn", ArgKind.FUNC),
            Arg("callback_ctx", ArgKind.STACK, nullable=True),
            u64("flags"),
        ),
        ANY,
        since="5.13",
    ),
    Helper(
        194,
        "kptr_xchg",
        RetKind.BTF_ID_OR_NULL,
        (Arg("map_value", ArgKind.KPTR_XCHG_DEST), btf("ptr", "", nullable=True, releases=True)),
        ANY,
        since="5.19",
        acquires=True,
    ),
    Helper(
        195,
        "map_lookup_percpu_elem",
        RetKind.MAP_VALUE_OR_NULL,
        (MAP, KEY, u32("cpu")),
        ANY,
        since="5.19",
        packet_access=True,
    ),
    Helper(
        197,
        "dynptr_from_mem",
        RetKind.INTEGER,
        (
            fills("data"),
            size_or_0("size"),
            u64("flags"),
            Arg("ptr", ArgKind.DYNPTR, writes=True, uninit=True, type_name="local"),
        ),
        ANY,
        since="5.19",
    ),
    Helper(
        198,
        "ringbuf_reserve_dynptr",
        RetKind.INTEGER,
        (
            Arg("ringbuf", ArgKind.CONST_MAP_PTR),
            u32("size"),
            u64("flags"),
            Arg("ptr", ArgKind.DYNPTR, writes=True, uninit=True, type_name="ringbuf"),
        ),
        ANY,
        since="5.19",
    ),
    Helper(
        199,
        "ringbuf_submit_dynptr",
        RetKind.VOID,
        (Arg("ptr", ArgKind.DYNPTR, releases=True, type_name="ringbuf"), u64("flags")),
        ANY,
        since="5.19",
    ),
    Helper(
        200,
        "ringbuf_discard_dynptr",
        RetKind.VOID,
        (Arg("ptr", ArgKind.DYNPTR, releases=True, type_name="ringbuf"), u64("flags")),
        ANY,
        since="5.19",
    ),
    Helper(
        201,
        "dynptr_read",
        RetKind.INTEGER,
        (fills("dst"), size_or_0("len"), Arg("src", ArgKind.DYNPTR), u32("offset"), u64("flags")),
        ANY,
        since="5.19",
    ),
    Helper(
        202,
        "dynptr_write",
        RetKind.INTEGER,
        (Arg("dst", ArgKind.DYNPTR), u32("offset"), reads("src"), size_or_0("len"), u64("flags")),
        ANY,
        since="5.19",
    ),
    Helper(
        203,
        "dynptr_data",
        RetKind.MEM_OR_NULL,
        (
            Arg("ptr", ArgKind.DYNPTR),
            u32("offset"),
            Arg("len", ArgKind.CONST_ALLOC_SIZE_OR_ZERO, bits=32),
        ),
        ANY,
        since="5.19",
    ),
    Helper(
        209,
        "user_ringbuf_drain",
        RetKind.INTEGER,
        (
            MAP,
            Arg("callback_fn", ArgKind.FUNC),
            Arg("ctx", ArgKind.STACK, nullable=True),
            u64("flags"),
        ),
        ANY,
        since="6.1",
    ),
    Helper(
        210,
        "cgrp_storage_get",
        RetKind.MAP_VALUE_OR_NULL,
        (
            MAP,
            btf("cgroup", "cgroup", nullable=True),
            Arg("value", ArgKind.MAP_VALUE, nullable=True),
            u64("flags"),
        ),
        ANY,
        since="6.2",
    ),
    Helper(
        211,
        "cgrp_storage_delete",
        RetKind.INTEGER,
        (MAP, btf("cgroup", "cgroup", nullable=True)),
        ANY,
        since="6.2",
    ),
)
