"""Whole maps copied with numpy: keys and values of one moment, as byte arrays (elements, bytes)."""

from __future__ import annotations

from typing import TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from beebox.errors import MapError
from beebox.maps import layout
from beebox.maps.layout import (
    ArrayLayout,
    BloomLayout,
    HashLayout,
    Layout,
    LpmLayout,
    RingLayout,
    SlotLayout,
)
from beebox.maps.objects import Objects
from beebox.maps.storage import Operations, Storage
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

EOPNOTSUPP = 95

Bytes: TypeAlias = npt.NDArray[np.uint8]


def snapshot(
    spec: MapSpec, where: Layout, operations: Operations, value_bytes: int
) -> tuple[Bytes, Bytes]:
    """Copies of all keys and values, ``value_bytes`` of each; writers are held out.

    An LPM trie's are in the order of Linux's BPF_MAP_GET_NEXT_KEY, a queue's or stack's in the
    order in which they would be popped. Raises :exc:`MapError` for a bloom filter.
    """
    storage = operations.storage
    match where:
        case HashLayout():
            with operations.held():
                rows = _elements(storage, where)
            return _columns(rows, where, spec.key_size, value_bytes)
        case LpmLayout():
            with operations.held():
                rows = _elements(storage, where)
            return _columns(rows[_prefix_order(rows, spec)], where, spec.key_size, value_bytes)
        case ArrayLayout():
            rows = storage.rows(where.elements, spec.max_entries, where.stride)
            return _indexes(np.arange(spec.max_entries)), rows[:, :value_bytes].copy()
        case SlotLayout():
            rows = storage.rows(where.elements, spec.max_entries, where.stride).copy()
            filled = np.flatnonzero(rows[:, : layout.SLOT_VALUE].any(axis=1))
            start = layout.SLOT_VALUE
            return _indexes(filled), rows[filled, start : start + value_bytes]
        case RingLayout():
            with operations.held():
                values = _ring(spec, where, storage)
            return np.zeros((len(values), 0), dtype=np.uint8), values[:, :value_bytes]
        case BloomLayout():
            problem = "a bloom filter does not know its values"
            raise MapError(problem, map_name=spec.name, errno=EOPNOTSUPP)
        case _:
            assert_never(where)


def ids(spec: MapSpec, objects: Objects) -> tuple[Bytes, Bytes]:
    """The same of a map of maps or programs, whose values are ids, in the order of keys."""
    held = sorted(objects.by_key.items())
    keys = b"".join(key for key, _ in held)
    values = np.array([each.id for _, each in held], dtype="<u4")
    return (
        np.frombuffer(keys, dtype=np.uint8).reshape(len(held), spec.key_size),
        values.view(np.uint8).reshape(len(held), 4),
    )


def count(spec: MapSpec, where: Layout, storage: Storage) -> int:
    """The number of elements; of a bloom filter the number of set bits."""
    match where:
        case HashLayout() | LpmLayout() | RingLayout():
            return int(storage.words(layout.COUNT, 1)[0])
        case ArrayLayout():
            return spec.max_entries
        case SlotLayout():
            rows = storage.rows(where.elements, spec.max_entries, where.stride)
            return int(rows[:, : layout.SLOT_VALUE].any(axis=1).sum())
        case BloomLayout():
            bits = storage.data[where.elements : where.elements + where.bits // 8]
            return int(np.bitwise_count(bits).sum())
        case _:
            assert_never(where)


def equal_keys(spec: MapSpec, keys: Bytes, key: bytes) -> npt.NDArray[np.bool_]:
    """For each of ``keys`` whether it is ``key``; of an LPM trie only a prefix's bits count."""
    wanted = np.frombuffer(key, dtype=np.uint8)
    if spec.type is not MapType.LPM_TRIE:
        return np.asarray((keys == wanted).all(axis=1))
    length = int.from_bytes(key[:4], "little")
    same_length = (keys[:, :4] == wanted[:4]).all(axis=1)
    bits = np.unpackbits(keys[:, 4:] ^ wanted[4:], axis=1)
    return np.asarray(same_length & ~bits[:, :length].any(axis=1))


def _indexes(numbers: npt.NDArray[np.int64]) -> Bytes:
    return numbers.astype("<u4").view(np.uint8).reshape(len(numbers), 4)


def _elements(storage: Storage, where: HashLayout | LpmLayout) -> Bytes:
    """A copy of the elements in use."""
    used = int(storage.words(layout.HIGH_WATER, 1)[0])
    free = int(storage.words(layout.FREE_COUNT, 1)[0])
    live = np.ones(used, dtype=bool)
    live[storage.words(where.free_stack, free).astype(np.int64) - 1] = False
    return storage.rows(where.elements, used, where.stride)[live]


def _columns(
    rows: Bytes, where: HashLayout | LpmLayout, key_size: int, value_bytes: int
) -> tuple[Bytes, Bytes]:
    return (
        rows[:, where.key : where.key + key_size],
        rows[:, where.value : where.value + value_bytes],
    )


def _prefix_order(rows: Bytes, spec: MapSpec) -> npt.NDArray[np.int64]:
    """What lies inside a prefix comes before it; otherwise in the order of addresses."""
    lengths = rows[:, :4].copy().view("<u4")[:, 0].astype(np.int64)
    bits = np.unpackbits(rows[:, 4 : spec.key_size], axis=1)
    last = np.where(np.arange(bits.shape[1]) < lengths[:, None], bits, 1)
    addresses = np.packbits(last, axis=1)
    return np.lexsort((-lengths, *addresses.T[::-1]))


def _ring(spec: MapSpec, where: RingLayout, storage: Storage) -> Bytes:
    first, number = (int(storage.words(at, 1)[0]) for at in (layout.FIRST, layout.COUNT))
    order = (first + np.arange(number)) % spec.max_entries
    rows = storage.rows(where.elements, spec.max_entries, where.stride)[order]
    return rows[::-1] if spec.type is MapType.STACK else rows
