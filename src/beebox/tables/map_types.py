"""Map types: which sizes and flags are legal, which operations exist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, IntFlag, auto
from typing import Final


class MapOp(Flag):
    """Operations a map type offers, from programs or from user space."""

    LOOKUP = auto()
    UPDATE = auto()
    DELETE = auto()
    ITERATE = auto()


class MapFlags(IntFlag):
    """``BPF_F_*`` flags of BPF_MAP_CREATE."""

    NONE = 0
    NO_PREALLOC = 1 << 0
    NUMA_NODE = 1 << 2
    RDONLY = 1 << 3
    WRONLY = 1 << 4
    ZERO_SEED = 1 << 6
    RDONLY_PROG = 1 << 7
    WRONLY_PROG = 1 << 8
    MMAPABLE = 1 << 10
    INNER_MAP = 1 << 12


class UpdateFlags(IntFlag):
    """Flags of BPF_MAP_UPDATE_ELEM and ``bpf_map_update_elem``."""

    ANY = 0
    NOEXIST = 1
    EXIST = 2
    LOCK = 4


_KEYED: Final = MapOp.LOOKUP | MapOp.UPDATE | MapOp.DELETE | MapOp.ITERATE
_ACCESS: Final = MapFlags.RDONLY | MapFlags.WRONLY | MapFlags.RDONLY_PROG | MapFlags.WRONLY_PROG


@dataclass(frozen=True, slots=True)
class MapTypeRow:
    id: int
    name: str
    ops: MapOp
    flags: MapFlags  # every flag that map_create accepts
    key_size: int | None = None  # None: the user chooses
    value_size: int | None = None
    per_cpu: bool = False
    since: str = "3.19"


class MapType(Enum):
    """``bpf_map_type``; the member's value is its row."""

    HASH = MapTypeRow(
        1, "hash", _KEYED, _ACCESS | MapFlags.NO_PREALLOC | MapFlags.NUMA_NODE | MapFlags.ZERO_SEED
    )
    ARRAY = MapTypeRow(
        2,
        "array",
        _KEYED & ~MapOp.DELETE,
        _ACCESS | MapFlags.NUMA_NODE | MapFlags.MMAPABLE | MapFlags.INNER_MAP,
        key_size=4,
    )
    PERCPU_HASH = MapTypeRow(
        5,
        "percpu_hash",
        _KEYED,
        _ACCESS | MapFlags.NO_PREALLOC | MapFlags.ZERO_SEED,
        per_cpu=True,
        since="4.6",
    )
    PERCPU_ARRAY = MapTypeRow(
        6,
        "percpu_array",
        _KEYED & ~MapOp.DELETE,
        _ACCESS,
        key_size=4,
        per_cpu=True,
        since="4.6",
    )


MAP_TYPE_BY_ID: Final = {row.value.id: row for row in MapType}
