"""Which maps can be: BPF_MAP_CREATE's checks of a :class:`MapSpec`, in Linux's order.

What depends on the machine (memory, the number of CPUs a kernel was built for) is not asked here.
"""

from __future__ import annotations

from typing import Final, assert_never

from beebox.errors import MapError
from beebox.obj.model import MapSpec
from beebox.tables.limits import PAGE_BYTES
from beebox.tables.map_types import Entries, MapFlags, MapType

EINVAL: Final = 22
E2BIG: Final = 7
ENOTSUPP: Final = 524  # the kernel's own; not an errno of POSIX

RINGS: Final = frozenset({MapType.RINGBUF, MapType.USER_RINGBUF})

_ACCESS: Final = (
    (MapFlags.RDONLY, MapFlags.WRONLY),
    (MapFlags.RDONLY_PROG, MapFlags.WRONLY_PROG),
)
_HASHES: Final = frozenset(
    {
        MapType.HASH,
        MapType.PERCPU_HASH,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.HASH_OF_MAPS,
    }
)
_LIMITS_FIRST: Final = frozenset({MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE})
_MAX_DEVICES: Final = 1 << 31
_MAX_HASH_ELEMENT_BYTES: Final = (4 << 20) - 48  # KMALLOC_MAX_SIZE less struct htab_elem
_MAX_SOCKHASH_KEY_BYTES: Final = 512  # MAX_BPF_STACK


def ring_bytes(wanted: int) -> int:
    """The bytes of a ring that has at least ``wanted``: whole pages, a power of two.

    0 stays 0, and what has no such number stays: both are errors of whoever makes the map.
    """
    pages = -(-wanted // PAGE_BYTES)
    size = PAGE_BYTES << (pages - 1).bit_length() if wanted > 0 else 0
    return size if size < 1 << 32 else wanted


def check_spec(spec: MapSpec) -> None:
    """Refuse what BPF_MAP_CREATE refuses. Raises :exc:`MapError` with its errno."""
    row = spec.type.value
    if spec.type in _LIMITS_FIRST and row.key.takes(spec.key_size):
        _check_limits(spec)
    if spec.type is MapType.BLOOM_FILTER:
        _check_limits(spec)
    _check_flags(spec)
    _check_sizes(spec)
    if row.needs_btf and not spec.value_type_id:
        raise _refusal(spec, f"a {row.name} needs the types of its key and value")
    if row.has_inner and spec.inner is None:
        raise _refusal(spec, f"a {row.name} needs an inner map")
    if spec.inner is not None:
        _check_inner(spec, spec.inner)
    _check_limits(spec)


def _refusal(spec: MapSpec, problem: str, errno: int = EINVAL) -> MapError:
    return MapError(problem, map_name=spec.name, errno=errno)


def _check_flags(spec: MapSpec) -> None:
    """Flags and map_extra."""
    row = spec.type.value
    if not 0 <= spec.extra <= row.most_extra:
        most = row.most_extra
        raise _refusal(spec, f"map_extra is {spec.extra}; a {row.name} takes at most {most}")
    unknown = int(spec.flags) & ~int(row.flags)
    for read, write in _ACCESS:
        if spec.flags & read and spec.flags & write:
            raise _refusal(spec, f"{read.name} and {write.name} exclude each other")
    if row.lru and spec.flags & MapFlags.NO_PREALLOC and not unknown & ~int(MapFlags.NUMA_NODE):
        raise _refusal(spec, f"a {row.name} is always preallocated", ENOTSUPP)
    if unknown:
        raise _refusal(spec, f"flags {MapFlags(unknown)!r} do not apply to a {row.name}")
    if row.required & ~spec.flags:
        raise _refusal(spec, f"a {row.name} needs the flags {row.required!r}")
    if row.lru and spec.flags & MapFlags.NO_COMMON_LRU and spec.flags & MapFlags.NUMA_NODE:
        raise _refusal(spec, "NO_COMMON_LRU and NUMA_NODE exclude each other")


def _check_sizes(spec: MapSpec) -> None:
    """Sizes and entries that no map of this type has."""
    row = spec.type.value
    if not row.key.takes(spec.key_size):
        wanted = f"; a {row.name} takes {row.key_size}" if row.key_size is not None else ""
        raise _refusal(spec, f"key_size is {spec.key_size}{wanted}")
    whole = spec.value_size % 32 == 0 or not spec.flags & MapFlags.STACK_BUILD_ID
    if not row.value.takes(spec.value_size) or not whole:
        wanted = f"; a {row.name} takes {row.value_size}" if row.value_size is not None else ""
        raise _refusal(spec, f"value_size is {spec.value_size}{wanted}")
    entries = spec.max_entries
    match row.entries:
        case Entries.POSITIVE | Entries.PER_PAGE:
            legal, wanted = entries > 0, "positive"
        case Entries.ZERO:
            legal, wanted = entries == 0, "0"
        case Entries.PAGES:
            legal = entries > 0 and entries % PAGE_BYTES == 0 and entries & (entries - 1) == 0
            wanted = "a power of two and whole pages"
        case _:
            assert_never(row.entries)
    if spec.type is MapType.DEVMAP_HASH and entries > _MAX_DEVICES:
        legal, wanted = False, f"{_MAX_DEVICES} at most"
    if not legal:
        raise _refusal(spec, f"max_entries is {entries}; of a {row.name} it is {wanted}")


def _check_limits(spec: MapSpec) -> None:
    """Maps that would be too large."""
    row = spec.type.value
    value_bytes = (spec.value_size + 7) // 8 * 8 if row.per_cpu else spec.value_size
    too_large = value_bytes > row.most_value_bytes or spec.max_entries > row.most_entries
    if spec.type in _HASHES:
        too_large |= spec.key_size + spec.value_size >= _MAX_HASH_ELEMENT_BYTES
    elif spec.type is MapType.SOCKHASH:
        too_large |= spec.key_size > _MAX_SOCKHASH_KEY_BYTES
    if too_large:
        problem = f"{spec.max_entries} entries of {spec.key_size} and {spec.value_size} bytes"
        raise _refusal(spec, f"{problem} are too large", E2BIG)


_WITHOUT_EQUALS: Final = frozenset(
    {
        MapType.PROG_ARRAY,
        MapType.CGROUP_STORAGE,
        MapType.PERCPU_CGROUP_STORAGE,
        MapType.STRUCT_OPS,
        MapType.ARENA,
    }
)
"""Types without ``map_meta_equal``: no map of them can be an inner one."""


def _check_inner(spec: MapSpec, inner: MapSpec) -> None:
    if not spec.type.value.has_inner:
        problem = f"a {spec.type.value.name} has no inner maps"
        raise _refusal(spec, problem)
    if inner.inner is not None:
        raise _refusal(spec, "maps nest two deep at most")
    if inner.type in _WITHOUT_EQUALS:
        problem = f"a {inner.type.value.name} cannot be an inner map"
        raise _refusal(spec, problem, ENOTSUPP)
    check_spec(inner)


def fits_template(template: MapSpec, inner: MapSpec) -> bool:
    """Whether ``inner`` may be put in a map made for ``template`` (``map_meta_equal``)."""
    same = (
        template.type is inner.type
        and template.key_size == inner.key_size
        and template.value_size == inner.value_size
        and template.flags == inner.flags
    )
    if template.type is MapType.ARRAY and not template.flags & MapFlags.INNER_MAP:
        return same and template.max_entries == inner.max_entries
    return same
