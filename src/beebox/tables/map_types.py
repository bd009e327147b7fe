"""Map types of Linux 6.18: which sizes, entries and flags are legal, which operations exist.

Sizes are bytes as bpf(2) has them. Rules are those of BPF_MAP_CREATE (``map_alloc_check`` of each
type in kernel/bpf and net); which helpers may be given a map is ``check_map_func_compatibility``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, IntFlag, auto
from typing import Final


class MapOp(Flag):
    """Operations a map type offers, from programs (``ops``) or from user space (``user_ops``)."""

    LOOKUP = auto()
    UPDATE = auto()
    DELETE = auto()
    ITERATE = auto()  # user space: BPF_MAP_GET_NEXT_KEY; programs: for_each_map_elem
    LOOKUP_AND_DELETE = auto()
    PUSH = auto()
    POP = auto()
    PEEK = auto()
    LOOKUP_PERCPU = auto()  # any CPU's value: map_lookup_percpu_elem
    REDIRECT = auto()  # a target of redirect_map, sk_redirect_map, ...
    TAIL_CALL = auto()


class MapFlags(IntFlag):
    """``BPF_F_*`` flags of BPF_MAP_CREATE."""

    NONE = 0
    NO_PREALLOC = 1 << 0
    NO_COMMON_LRU = 1 << 1
    NUMA_NODE = 1 << 2
    RDONLY = 1 << 3
    WRONLY = 1 << 4
    STACK_BUILD_ID = 1 << 5
    ZERO_SEED = 1 << 6
    RDONLY_PROG = 1 << 7
    WRONLY_PROG = 1 << 8
    CLONE = 1 << 9
    MMAPABLE = 1 << 10
    PRESERVE_ELEMS = 1 << 11
    INNER_MAP = 1 << 12
    LINK = 1 << 13
    PATH_FD = 1 << 14
    VTYPE_BTF_OBJ_FD = 1 << 15
    TOKEN_FD = 1 << 16
    SEGV_ON_FAULT = 1 << 17
    NO_USER_CONV = 1 << 18


class UpdateFlags(IntFlag):
    """Flags of BPF_MAP_UPDATE_ELEM and ``bpf_map_update_elem``."""

    ANY = 0
    NOEXIST = 1
    EXIST = 2
    LOCK = 4


class RedirectFlags(IntFlag):
    """Flags of ``bpf_redirect_map``; the two lowest bits are the verdict of a failed lookup."""

    BROADCAST = 1 << 3
    EXCLUDE_INGRESS = 1 << 4


class Entries(Enum):
    """What ``max_entries`` may be."""

    POSITIVE = auto()
    ZERO = auto()
    PAGES = auto()  # bytes: a power of two, and whole pages
    PER_PAGE = auto()  # a number of pages


@dataclass(frozen=True, slots=True)
class Sizes:
    """Legal sizes in bytes: from ``least`` to ``most`` in steps, or one of ``choices``."""

    least: int = 1
    most: int = (1 << 32) - 1
    step: int = 1
    choices: tuple[int, ...] = ()

    def takes(self, size: int) -> bool:
        """Whether ``size`` is legal."""
        if self.choices:
            return size in self.choices
        return self.least <= size <= self.most and (size - self.least) % self.step == 0


ANY_SIZE: Final = Sizes()
NO_BYTES: Final = Sizes(0, 0)
FOUR: Final = Sizes(4, 4)

_KEYED: Final = MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE
_TABLE: Final = _KEYED & ~MapOp.DELETE  # of arrays: elements stay
_PROGRAM_ACCESS: Final = MapFlags.RDONLY_PROG | MapFlags.WRONLY_PROG
_USER_ACCESS: Final = MapFlags.RDONLY | MapFlags.WRONLY
_ACCESS: Final = _USER_ACCESS | _PROGRAM_ACCESS
_HASH: Final = _ACCESS | MapFlags.NO_PREALLOC | MapFlags.ZERO_SEED
_STORAGE: Final = MapFlags.NO_PREALLOC | MapFlags.CLONE

_ELEMENT: Final = ("map_lookup_elem", "map_update_elem", "map_delete_elem", "for_each_map_elem")
_QUEUE: Final = ("map_push_elem", "map_pop_elem", "map_peek_elem")
_SOCKETS: Final = (
    "sk_select_reuseport",
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
)


@dataclass(frozen=True, slots=True)
class MapTypeRow:
    """``helpers`` are those that programs may give such a map to, without ``bpf_``."""

    id: int
    name: str
    ops: MapOp  # from programs
    user_ops: MapOp  # from user space
    flags: MapFlags  # every flag that map_create accepts
    helpers: tuple[str, ...]
    key: Sizes = ANY_SIZE
    value: Sizes = ANY_SIZE
    entries: Entries = Entries.POSITIVE
    required: MapFlags = MapFlags.NONE  # flags without which map_create refuses
    per_cpu: bool = False
    lru: bool = False
    has_inner: bool = False  # values are maps: map_create needs a template
    needs_btf: bool = False  # map_create needs the types of key and value
    no_btf: bool = False  # map_create refuses them (ENOTSUPP), or has no type to give
    most_extra: int = 0  # of map_extra
    most_value_bytes: int = (1 << 31) - 1  # of one value, padded per CPU; more is E2BIG
    most_entries: int = (1 << 32) - 1  # more is E2BIG
    since: str = "3.19"

    @property
    def key_size(self) -> int | None:
        """The one legal size of keys; None: the user chooses."""
        return self.key.least if self.key.least == self.key.most else None

    @property
    def value_size(self) -> int | None:
        """The one legal size of values; None: the user chooses."""
        return self.value.least if self.value.least == self.value.most else None


_PER_CPU_BYTES: Final = 32 << 10  # PCPU_MIN_UNIT_SIZE
_KMALLOC_BYTES: Final = 4 << 20  # KMALLOC_MAX_SIZE
_STORAGE_VALUE_BYTES: Final = (64 << 10) - 129  # U16_MAX less struct bpf_local_storage_elem
_BUCKETS: Final = 1 << 31


class MapType(Enum):
    """``bpf_map_type``; the member's value is its row."""

    HASH = MapTypeRow(
        1,
        "hash",
        _KEYED,
        _KEYED | MapOp.LOOKUP_AND_DELETE,
        _HASH | MapFlags.NUMA_NODE,
        _ELEMENT,
        most_entries=_BUCKETS,
    )
    ARRAY = MapTypeRow(
        2,
        "array",
        _TABLE,
        _TABLE,
        _ACCESS | MapFlags.NUMA_NODE | MapFlags.MMAPABLE | MapFlags.INNER_MAP,
        _ELEMENT,
        key=FOUR,
    )
    PROG_ARRAY = MapTypeRow(
        3,
        "prog_array",
        MapOp.TAIL_CALL,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("tail_call",),
        key=FOUR,
        value=FOUR,
        since="4.2",
    )
    PERF_EVENT_ARRAY = MapTypeRow(
        4,
        "perf_event_array",
        MapOp(0),
        MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE,
        _USER_ACCESS | MapFlags.NUMA_NODE | MapFlags.PRESERVE_ELEMS,
        (
            "perf_event_read",
            "perf_event_output",
            "skb_output",
            "perf_event_read_value",
            "xdp_output",
        ),
        key=FOUR,
        value=FOUR,
        no_btf=True,
        since="4.3",
    )
    PERCPU_HASH = MapTypeRow(
        5,
        "percpu_hash",
        _KEYED | MapOp.LOOKUP_PERCPU,
        _KEYED | MapOp.LOOKUP_AND_DELETE,
        _HASH,
        (*_ELEMENT, "map_lookup_percpu_elem"),
        per_cpu=True,
        most_value_bytes=_PER_CPU_BYTES,
        most_entries=_BUCKETS,
        since="4.6",
    )
    PERCPU_ARRAY = MapTypeRow(
        6,
        "percpu_array",
        _TABLE | MapOp.LOOKUP_PERCPU,
        _TABLE,
        _ACCESS,
        (*_ELEMENT, "map_lookup_percpu_elem"),
        key=FOUR,
        per_cpu=True,
        most_value_bytes=_PER_CPU_BYTES,
        since="4.6",
    )
    STACK_TRACE = MapTypeRow(
        7,
        "stack_trace",
        MapOp(0),
        MapOp.LOOKUP | MapOp.DELETE | MapOp.ITERATE | MapOp.LOOKUP_AND_DELETE,
        _USER_ACCESS | MapFlags.NUMA_NODE | MapFlags.STACK_BUILD_ID,
        ("get_stackid",),
        key=FOUR,
        value=Sizes(8, 8 * 127, 8),
        most_entries=_BUCKETS,
        no_btf=True,
        since="4.6",
    )
    CGROUP_ARRAY = MapTypeRow(
        8,
        "cgroup_array",
        MapOp(0),
        MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("skb_under_cgroup", "current_task_under_cgroup"),
        key=FOUR,
        value=FOUR,
        no_btf=True,
        since="4.8",
    )
    LRU_HASH = MapTypeRow(
        9,
        "lru_hash",
        _KEYED,
        _KEYED | MapOp.LOOKUP_AND_DELETE,
        _HASH | MapFlags.NUMA_NODE | MapFlags.NO_COMMON_LRU,
        _ELEMENT,
        lru=True,
        most_entries=_BUCKETS,
        since="4.10",
    )
    LRU_PERCPU_HASH = MapTypeRow(
        10,
        "lru_percpu_hash",
        _KEYED | MapOp.LOOKUP_PERCPU,
        _KEYED | MapOp.LOOKUP_AND_DELETE,
        _HASH | MapFlags.NO_COMMON_LRU,
        (*_ELEMENT, "map_lookup_percpu_elem"),
        per_cpu=True,
        lru=True,
        most_value_bytes=_PER_CPU_BYTES,
        most_entries=_BUCKETS,
        since="4.10",
    )
    LPM_TRIE = MapTypeRow(
        11,
        "lpm_trie",
        _KEYED & ~MapOp.ITERATE,
        _KEYED,
        _ACCESS | MapFlags.NO_PREALLOC | MapFlags.NUMA_NODE,
        ("map_lookup_elem", "map_update_elem", "map_delete_elem"),
        key=Sizes(5, 4 + 256),
        value=Sizes(1, _KMALLOC_BYTES - 256 - 24),
        required=MapFlags.NO_PREALLOC,
        since="4.11",
    )
    ARRAY_OF_MAPS = MapTypeRow(
        12,
        "array_of_maps",
        MapOp.LOOKUP,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("map_lookup_elem",),
        key=FOUR,
        value=FOUR,
        has_inner=True,
        no_btf=True,
        since="4.12",
    )
    HASH_OF_MAPS = MapTypeRow(
        13,
        "hash_of_maps",
        MapOp.LOOKUP,
        _KEYED,
        _HASH | MapFlags.NUMA_NODE,
        ("map_lookup_elem",),
        value=FOUR,
        has_inner=True,
        most_entries=_BUCKETS,
        no_btf=True,
        since="4.12",
    )
    DEVMAP = MapTypeRow(
        14,
        "devmap",
        MapOp.LOOKUP | MapOp.REDIRECT,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("redirect_map", "map_lookup_elem"),
        key=FOUR,
        value=Sizes(choices=(4, 8)),
        no_btf=True,
        since="4.14",
    )
    SOCKMAP = MapTypeRow(
        15,
        "sockmap",
        _KEYED & ~MapOp.ITERATE | MapOp.REDIRECT,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("sk_redirect_map", "sock_map_update", "msg_redirect_map", *_SOCKETS),
        key=FOUR,
        value=Sizes(choices=(4, 8)),
        no_btf=True,
        since="4.14",
    )
    CPUMAP = MapTypeRow(
        16,
        "cpumap",
        MapOp.REDIRECT,
        _KEYED,
        MapFlags.NUMA_NODE,
        ("redirect_map",),
        key=FOUR,
        value=Sizes(choices=(4, 8)),
        no_btf=True,
        since="4.15",
    )
    XSKMAP = MapTypeRow(
        17,
        "xskmap",
        MapOp.LOOKUP | MapOp.REDIRECT,
        MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("redirect_map", "map_lookup_elem"),
        key=FOUR,
        value=FOUR,
        no_btf=True,
        since="4.18",
    )
    SOCKHASH = MapTypeRow(
        18,
        "sockhash",
        _KEYED & ~MapOp.ITERATE | MapOp.REDIRECT,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("sk_redirect_hash", "sock_hash_update", "msg_redirect_hash", *_SOCKETS),
        key=ANY_SIZE,
        value=Sizes(choices=(4, 8)),
        no_btf=True,
        since="4.18",
    )
    CGROUP_STORAGE = MapTypeRow(
        19,
        "cgroup_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.ITERATE,
        _ACCESS | MapFlags.NUMA_NODE,
        ("get_local_storage",),
        key=Sizes(choices=(8, 16)),
        entries=Entries.ZERO,
        most_value_bytes=_STORAGE_VALUE_BYTES,
        since="4.19",
    )
    REUSEPORT_SOCKARRAY = MapTypeRow(
        20,
        "reuseport_sockarray",
        MapOp.LOOKUP,
        _KEYED,
        _ACCESS | MapFlags.NUMA_NODE,
        ("sk_select_reuseport",),
        key=FOUR,
        value=Sizes(choices=(4, 8)),
        since="4.19",
    )
    PERCPU_CGROUP_STORAGE = MapTypeRow(
        21,
        "percpu_cgroup_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.ITERATE,
        _ACCESS | MapFlags.NUMA_NODE,
        ("get_local_storage",),
        key=Sizes(choices=(8, 16)),
        entries=Entries.ZERO,
        per_cpu=True,
        most_value_bytes=_PER_CPU_BYTES,
        since="4.20",
    )
    QUEUE = MapTypeRow(
        22,
        "queue",
        MapOp.PUSH | MapOp.POP | MapOp.PEEK,
        MapOp.PUSH | MapOp.POP | MapOp.PEEK,
        _ACCESS | MapFlags.NUMA_NODE,
        _QUEUE,
        key=NO_BYTES,
        most_value_bytes=_KMALLOC_BYTES,
        no_btf=True,
        since="4.20",
    )
    STACK = MapTypeRow(
        23,
        "stack",
        MapOp.PUSH | MapOp.POP | MapOp.PEEK,
        MapOp.PUSH | MapOp.POP | MapOp.PEEK,
        _ACCESS | MapFlags.NUMA_NODE,
        _QUEUE,
        key=NO_BYTES,
        most_value_bytes=_KMALLOC_BYTES,
        no_btf=True,
        since="4.20",
    )
    SK_STORAGE = MapTypeRow(
        24,
        "sk_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE,
        _STORAGE,
        ("sk_storage_get", "sk_storage_delete", "kptr_xchg"),
        key=FOUR,
        entries=Entries.ZERO,
        required=MapFlags.NO_PREALLOC,
        needs_btf=True,
        most_value_bytes=_STORAGE_VALUE_BYTES,
        since="5.2",
    )
    DEVMAP_HASH = MapTypeRow(
        25,
        "devmap_hash",
        MapOp.LOOKUP | MapOp.REDIRECT,
        _KEYED,
        _USER_ACCESS | MapFlags.NUMA_NODE,
        ("redirect_map", "map_lookup_elem"),
        key=FOUR,
        value=Sizes(choices=(4, 8)),
        no_btf=True,
        since="5.4",
    )
    STRUCT_OPS = MapTypeRow(
        26,
        "struct_ops",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE,
        MapFlags.LINK | MapFlags.VTYPE_BTF_OBJ_FD,
        (),
        key=FOUR,
        needs_btf=True,
        since="5.6",
    )
    RINGBUF = MapTypeRow(
        27,
        "ringbuf",
        MapOp(0),
        MapOp(0),
        MapFlags.NUMA_NODE,
        (
            "ringbuf_output",
            "ringbuf_reserve",
            "ringbuf_query",
            "ringbuf_reserve_dynptr",
            "ringbuf_submit_dynptr",
            "ringbuf_discard_dynptr",
        ),
        key=NO_BYTES,
        value=NO_BYTES,
        entries=Entries.PAGES,
        no_btf=True,
        since="5.8",
    )
    INODE_STORAGE = MapTypeRow(
        28,
        "inode_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE,
        _STORAGE,
        ("inode_storage_get", "inode_storage_delete", "kptr_xchg"),
        key=FOUR,
        entries=Entries.ZERO,
        required=MapFlags.NO_PREALLOC,
        needs_btf=True,
        most_value_bytes=_STORAGE_VALUE_BYTES,
        since="5.10",
    )
    TASK_STORAGE = MapTypeRow(
        29,
        "task_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE,
        _STORAGE,
        ("task_storage_get", "task_storage_delete", "kptr_xchg"),
        key=FOUR,
        entries=Entries.ZERO,
        required=MapFlags.NO_PREALLOC,
        needs_btf=True,
        most_value_bytes=_STORAGE_VALUE_BYTES,
        since="5.11",
    )
    BLOOM_FILTER = MapTypeRow(
        30,
        "bloom_filter",
        MapOp.PUSH | MapOp.PEEK,
        MapOp.PUSH | MapOp.PEEK,
        _ACCESS | MapFlags.NUMA_NODE | MapFlags.ZERO_SEED,
        ("map_peek_elem", "map_push_elem"),
        key=NO_BYTES,
        most_extra=15,
        most_value_bytes=_KMALLOC_BYTES,
        since="5.16",
    )
    USER_RINGBUF = MapTypeRow(
        31,
        "user_ringbuf",
        MapOp(0),
        MapOp(0),
        MapFlags.NUMA_NODE,
        ("user_ringbuf_drain",),
        key=NO_BYTES,
        value=NO_BYTES,
        entries=Entries.PAGES,
        no_btf=True,
        since="6.1",
    )
    CGRP_STORAGE = MapTypeRow(
        32,
        "cgrp_storage",
        MapOp(0),
        MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE,
        _STORAGE,
        ("cgrp_storage_get", "cgrp_storage_delete", "kptr_xchg"),
        key=FOUR,
        entries=Entries.ZERO,
        required=MapFlags.NO_PREALLOC,
        needs_btf=True,
        most_value_bytes=_STORAGE_VALUE_BYTES,
        since="6.2",
    )
    ARENA = MapTypeRow(
        33,
        "arena",
        MapOp(0),
        MapOp(0),
        MapFlags.MMAPABLE | MapFlags.SEGV_ON_FAULT | MapFlags.NO_USER_CONV,
        (),
        key=NO_BYTES,
        value=NO_BYTES,
        entries=Entries.PER_PAGE,
        required=MapFlags.MMAPABLE,
        most_extra=(1 << 64) - 1,
        no_btf=True,
        since="6.9",
    )

    def __repr__(self) -> str:
        return f"MapType.{self.name}"  # its row fills a screen


MAP_TYPE_BY_ID: Final = {row.value.id: row for row in MapType}
