"""Where everything lies in a map's storage: sizes and offsets, from the spec alone.

All multi-byte fields are little-endian words of the host; offsets count bytes from the storage's
first one. Links are element numbers, not addresses, so that storage may lie anywhere. **All-zero
storage is an empty map**: a fresh anonymous mapping needs no initialisation and costs memory only
where it is touched.

A hash::

    0 lock | 4 seed (u64 at 8) | 16 high_water | 20 free_count | 24 count
    64              bucket heads, u32 each: 0, an element number, or an end mark
    elements        {u32 next, u32 tag, key, value} each; numbers start at 1
    free stack      u32 each: numbers of deleted elements

An array: its elements from :data:`ARRAY_ELEMENTS` on, so that a global-data map's value starts at
a constant distance. A per-CPU value is one slot per possible CPU, each padded to 8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from beebox.errors import MapError, NotSupportedError
from beebox.obj.map_rules import check_spec
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType

ENOMEM: Final = 12

HASH_LOCK: Final = 0
HASH_SEED: Final = 8
HASH_HIGH_WATER: Final = 16
HASH_FREE_COUNT: Final = 20
HASH_COUNT: Final = 24
HASH_BUCKETS: Final = 64  # a cache line behind the header: writers do not disturb readers

ARRAY_ELEMENTS: Final = 64

MAX_ELEMENTS: Final = (1 << 31) - 2  # the upper half of a link is end marks
MAX_STORAGE_BYTES: Final = 1 << 30  # of address space: only touched pages take memory


@dataclass(frozen=True, slots=True)
class HashLayout:
    """A hash; element ``n`` (from 1) starts at ``elements + (n - 1) * stride``."""

    buckets: int  # how many, a power of two
    elements: int
    stride: int
    key: int  # inside an element
    value: int  # inside an element
    value_stride: int  # from one CPU's slot to the next; the slot's size
    cpus: int
    free_stack: int
    size: int

    @property
    def has_tag(self) -> bool:
        """Whether elements carry hash bits: not for keys as cheap to compare as a tag."""
        return self.key == 8


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """An array; element ``n`` (from 0) starts at ``elements + n * stride``."""

    elements: int
    stride: int
    value_stride: int
    cpus: int
    size: int


Layout: TypeAlias = HashLayout | ArrayLayout


def padded(size: int, align: int = 8) -> int:
    """``size`` rounded up to a multiple of ``align``, a power of two."""
    return (size + align - 1) & -align


def layout_of(spec: MapSpec, *, cpus: int = 1) -> Layout:
    """The layout of a map on a kernel with ``cpus`` possible CPUs.

    Raises :exc:`MapError` with BPF_MAP_CREATE's errno: EINVAL for sizes and flags that the type
    does not take, E2BIG for a key and value too large together, ENOMEM past
    :data:`MAX_STORAGE_BYTES`.
    """
    check_spec(spec)
    slots = cpus if spec.type.value.per_cpu else 1
    layout: Layout
    match spec.type:
        case MapType.HASH | MapType.PERCPU_HASH:
            layout = _hash_layout(spec, slots)
        case MapType.ARRAY | MapType.PERCPU_ARRAY:
            layout = _array_layout(spec, slots)
        case _:
            raise NotSupportedError(f"{spec.type.value.name} maps in userspace")
    if layout.size > MAX_STORAGE_BYTES:
        problem = f"{layout.size} bytes are more than {MAX_STORAGE_BYTES} for one map"
        raise MapError(problem, map_name=spec.name, errno=ENOMEM)
    return layout


def _hash_layout(spec: MapSpec, cpus: int) -> HashLayout:
    buckets = 1 << (spec.max_entries - 1).bit_length()
    elements = padded(HASH_BUCKETS + buckets * 4, 64)
    # Keys of one word need no tag: they move up beside the link.
    key = 4 if spec.key_size <= 4 else 8
    value = padded(key + spec.key_size)
    value_stride = padded(spec.value_size)
    stride = value + value_stride * cpus
    free_stack = elements + stride * spec.max_entries
    return HashLayout(
        buckets=buckets,
        elements=elements,
        stride=stride,
        key=key,
        value=value,
        value_stride=value_stride,
        cpus=cpus,
        free_stack=free_stack,
        size=free_stack + 4 * spec.max_entries,
    )


def _array_layout(spec: MapSpec, cpus: int) -> ArrayLayout:
    value_stride = padded(spec.value_size)
    stride = value_stride * cpus
    return ArrayLayout(
        elements=ARRAY_ELEMENTS,
        stride=stride,
        value_stride=value_stride,
        cpus=cpus,
        size=ARRAY_ELEMENTS + stride * spec.max_entries,
    )


def shape_of(spec: MapSpec) -> MapSpec:
    """The spec without what the code does not depend on."""
    return replace(
        spec,
        name="",
        flags=MapFlags.NONE,
        key_type_id=0,
        value_type_id=0,
        contents=None,
        frozen=False,
    )


def user_value_size(spec: MapSpec, *, cpus: int) -> int:
    """The bytes of one value in bpf(2): per-CPU maps give all CPUs' slots, padded to 8 bytes."""
    if spec.type.value.per_cpu:
        return padded(spec.value_size) * cpus
    return spec.value_size
