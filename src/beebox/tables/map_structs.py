"""What a map is in the kernel: the struct that a map's pointer points to, by type.

Programs may read it. Each begins with a ``struct bpf_map``. The tests hold the rows against a
running kernel. Source: ``map_btf_id`` of each type's ``bpf_map_ops``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from beebox.tables.map_types import MapType

MAP_STRUCTS: Final[Mapping[MapType, str]] = {
    MapType.HASH: "bpf_htab",
    MapType.ARRAY: "bpf_array",
    MapType.PROG_ARRAY: "bpf_array",
    MapType.PERF_EVENT_ARRAY: "bpf_array",
    MapType.PERCPU_HASH: "bpf_htab",
    MapType.PERCPU_ARRAY: "bpf_array",
    MapType.STACK_TRACE: "bpf_stack_map",
    MapType.CGROUP_ARRAY: "bpf_array",
    MapType.LRU_HASH: "bpf_htab",
    MapType.LRU_PERCPU_HASH: "bpf_htab",
    MapType.LPM_TRIE: "lpm_trie",
    MapType.ARRAY_OF_MAPS: "bpf_array",
    MapType.HASH_OF_MAPS: "bpf_htab",
    MapType.DEVMAP: "bpf_dtab",
    MapType.SOCKMAP: "bpf_stab",
    MapType.CPUMAP: "bpf_cpu_map",
    MapType.XSKMAP: "xsk_map",
    MapType.SOCKHASH: "bpf_shtab",
    MapType.CGROUP_STORAGE: "bpf_cgroup_storage_map",
    MapType.REUSEPORT_SOCKARRAY: "reuseport_array",
    MapType.PERCPU_CGROUP_STORAGE: "bpf_cgroup_storage_map",
    MapType.QUEUE: "bpf_queue_stack",
    MapType.STACK: "bpf_queue_stack",
    MapType.SK_STORAGE: "bpf_local_storage_map",
    MapType.DEVMAP_HASH: "bpf_dtab",
    MapType.STRUCT_OPS: "bpf_struct_ops_map",
    MapType.RINGBUF: "bpf_ringbuf_map",
    MapType.INODE_STORAGE: "bpf_local_storage_map",
    MapType.TASK_STORAGE: "bpf_local_storage_map",
    MapType.BLOOM_FILTER: "bpf_bloom_filter",
    MapType.USER_RINGBUF: "bpf_ringbuf_map",
    MapType.CGRP_STORAGE: "bpf_local_storage_map",
    MapType.ARENA: "bpf_arena",
}
