"""Where everything lies in a map's storage: sizes and offsets, from the spec alone.

All multi-byte fields are little-endian words of the host; offsets count bytes from the storage's
first one. Links are element numbers, not addresses, so that storage may lie anywhere. **All-zero
storage is an empty map**: a fresh anonymous mapping needs no initialisation and costs memory only
where it is touched.

A hash::

    0 lock | 4 hand | 8 seed (u64) | 16 high_water | 20 free_count | 24 count
    64              bucket heads, u32 each: 0, an element number, or an end mark
    elements        {u32 next, u32 tag, key, value} each; numbers start at 1
    free stack      u32 each: numbers of deleted elements

An LRU's elements have a word "used" before their key. An LPM trie has tables instead of buckets
(``maps.source.lpm``), and elements {u32 length, address, value}. A queue or stack is a ring,
a bloom filter an array of bits, a map of maps, programs or devices an array of slots {u64 word,
value}. An array: its elements from :data:`ARRAY_ELEMENTS` on, so that a global-data map's value
starts at a constant distance. A per-CPU value is one slot per possible CPU, each padded to 8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from beebox.errors import MapError, NotSupportedError
from beebox.obj.map_rules import check_spec
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType

E2BIG: Final = 7
ENOMEM: Final = 12

LOCK: Final = 0
HAND: Final = 4  # of an LRU
SEQUENCE: Final = 4  # of an LPM trie
SEED: Final = 8
HIGH_WATER: Final = 16
FREE_COUNT: Final = 20
COUNT: Final = 24
FIRST: Final = 28  # of a queue
NODES_USED: Final = 28  # of an LPM trie
NODES_FREE: Final = 32
HEADER: Final = 64  # a cache line: writers do not disturb readers

BUCKETS_PER_ENTRY: Final = 4  # of 4 bytes: with few chains of two, branches are predictable
ARRAY_ELEMENTS: Final = 64
SLOT_VALUE: Final = 8  # inside a slot, behind its word
HANDLE_BYTES: Final = 8  # of an inner map or a program in storage
DEFAULT_HASHES: Final = 5  # of a bloom filter without map_extra

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
    has_tag: bool  # whether elements carry hash bits: not for keys as cheap to compare as a tag
    used: int  # inside an element of an LRU


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """An array; element ``n`` (from 0) starts at ``elements + n * stride``."""

    elements: int
    stride: int
    value_stride: int
    cpus: int
    size: int


@dataclass(frozen=True, slots=True)
class SlotLayout:
    """An array of slots; slot ``n`` (from 0) starts at ``elements + n * stride``."""

    elements: int
    stride: int
    value_stride: int
    size: int
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class LpmLayout:
    """An LPM trie: the first table at ``root``, others at ``nodes``, elements as in a hash."""

    root_bits: int
    root: int
    root_exact: int
    nodes: int
    meta: int
    meta_stride: int
    depth_bits: int  # of a link to a table: its depth in steps of 4 bits
    elements: int
    stride: int
    masks: int
    value: int
    value_stride: int
    free_stack: int
    size: int
    key: int = 0
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class RingLayout:
    """A queue or stack: a ring of values."""

    elements: int
    stride: int
    value_stride: int
    size: int
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class BloomLayout:
    """A bloom filter: ``bits``, a power of two, from ``elements`` on."""

    elements: int
    stride: int
    value_stride: int
    bits: int
    hashes: int
    size: int
    cpus: int = 1


Layout: TypeAlias = HashLayout | ArrayLayout | SlotLayout | LpmLayout | RingLayout | BloomLayout


def padded(size: int, align: int = 8) -> int:
    """``size`` rounded up to a multiple of ``align``, a power of two."""
    return (size + align - 1) & -align


def layout_of(spec: MapSpec, *, cpus: int = 1) -> Layout:
    """The layout of a map on a kernel with ``cpus`` possible CPUs.

    Raises :exc:`MapError` with BPF_MAP_CREATE's errno: EINVAL for sizes and flags that the type
    does not take, E2BIG for a key and value too large together, ENOMEM past
    :data:`MAX_STORAGE_BYTES`; :exc:`NotSupportedError` for a type that this kernel lacks.
    """
    check_spec(spec)
    if spec.max_entries > MAX_ELEMENTS:
        raise MapError(f"max_entries is {spec.max_entries}", map_name=spec.name, errno=E2BIG)
    layout = placed(spec, cpus=cpus)
    if layout.size > MAX_STORAGE_BYTES:
        problem = f"{layout.size} bytes are more than {MAX_STORAGE_BYTES} for one map"
        raise MapError(problem, map_name=spec.name, errno=ENOMEM)
    return layout


def placed(spec: MapSpec, *, cpus: int) -> Layout:
    """The same for a spec that was checked, or for its :func:`shape_of`."""
    slots = cpus if spec.type.value.per_cpu else 1
    match spec.type:
        case (
            MapType.HASH
            | MapType.PERCPU_HASH
            | MapType.LRU_HASH
            | MapType.LRU_PERCPU_HASH
            | MapType.HASH_OF_MAPS
            | MapType.DEVMAP_HASH
        ):
            return _hash_layout(spec, slots)
        case MapType.ARRAY | MapType.PERCPU_ARRAY:
            return _array_layout(spec, slots)
        case (
            MapType.ARRAY_OF_MAPS
            | MapType.PROG_ARRAY
            | MapType.DEVMAP
            | MapType.CPUMAP
            | MapType.XSKMAP
        ):
            return _slot_layout(spec)
        case MapType.LPM_TRIE:
            return _lpm_layout(spec)
        case MapType.QUEUE | MapType.STACK:
            return _ring_layout(spec)
        case MapType.BLOOM_FILTER:
            return _bloom_layout(spec)
        case _:
            raise NotSupportedError(f"map {spec.name}: {spec.type.value.name} in userspace")


def _hash_layout(spec: MapSpec, cpus: int) -> HashLayout:
    buckets = 1 << (BUCKETS_PER_ENTRY * spec.max_entries - 1).bit_length()
    elements = padded(HEADER + buckets * 4, 64)
    # Keys of one word need no tag: they move up beside the link.
    has_tag = spec.key_size > 4
    used = 8 if has_tag else 4
    key = used + 4 if spec.type.value.lru else used
    value = padded(key + spec.key_size)
    value_stride = padded(HANDLE_BYTES if spec.type.value.has_inner else spec.value_size)
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
        has_tag=has_tag,
        used=used,
    )


def _slot_layout(spec: MapSpec) -> SlotLayout:
    stride = SLOT_VALUE + 8
    size = HEADER + stride * spec.max_entries
    return SlotLayout(elements=HEADER, stride=stride, value_stride=8, size=size)


LPM_SLOT: Final = 8
LPM_PREFIXES: Final = 32 * 4  # behind the heap of what a table has for writers
LPM_FOLLOWING: Final = LPM_PREFIXES + 4
LPM_PATH: Final = LPM_PREFIXES + 8


def _lpm_layout(spec: MapSpec) -> LpmLayout:
    address = spec.key_size - 4
    root_bits = 12 if address > 1 else 8
    root_exact = HEADER + (LPM_SLOT << root_bits)
    nodes = padded(root_exact + (8 << root_bits), 64)
    # In each table two prefixes end or follow at least, so there are fewer tables than prefixes.
    meta = nodes + 16 * LPM_SLOT * spec.max_entries
    meta_stride = padded(LPM_PATH + address)
    masks = meta + meta_stride * spec.max_entries
    elements = padded(masks + address * (8 * address + 1), 64)
    value = padded(spec.key_size)
    value_stride = padded(spec.value_size)
    stride = value + value_stride
    free_stack = elements + stride * spec.max_entries
    return LpmLayout(
        root_bits=root_bits,
        root=HEADER,
        root_exact=root_exact,
        nodes=nodes,
        meta=meta,
        meta_stride=meta_stride,
        depth_bits=(address * 2).bit_length(),
        elements=elements,
        stride=stride,
        masks=masks,
        value=value,
        value_stride=value_stride,
        free_stack=free_stack,
        size=free_stack + 4 * spec.max_entries,
    )


def _ring_layout(spec: MapSpec) -> RingLayout:
    stride = padded(spec.value_size)
    size = HEADER + stride * spec.max_entries
    return RingLayout(elements=HEADER, stride=stride, value_stride=stride, size=size)


def _bloom_layout(spec: MapSpec) -> BloomLayout:
    """Linux's size: 7/5 bits for each entry and hash, that is n * hashes / ln 2, rounded up."""
    hashes = spec.extra or DEFAULT_HASHES
    wanted = spec.max_entries * hashes * 7 // 5
    bits = max(64, 1 << (wanted - 1).bit_length())
    value_stride = padded(spec.value_size)
    return BloomLayout(
        elements=HEADER,
        stride=8,
        value_stride=value_stride,
        bits=bits,
        hashes=hashes,
        size=HEADER + bits // 8,
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
        slots=(),
        inner=None,
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


def stored_value_size(spec: MapSpec, *, cpus: int) -> int:
    """The bytes of one value as operations take it: a handle where bpf(2) has a descriptor."""
    return HANDLE_BYTES if spec.type.value.has_inner else user_value_size(spec, cpus=cpus)
