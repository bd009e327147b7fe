"""Live maps: ``backend.Map`` over storage that programs use at the same time.

One element at a time goes through the map's own native operations, the very code that programs
run, so that there is one definition of insertion. Whole maps are copied with numpy, writers held
out. Readers are never held out: a program may see a value longer than 8 bytes half written, as in
Linux without ``bpf_spin_lock``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Final, NoReturn, Self, assert_never

import numpy as np
import numpy.typing as npt

from beebox.errors import InputError, KeyExists, KeyNotFound, MapError, MapFull
from beebox.llvm import native, worker
from beebox.maps import layout
from beebox.maps.layout import ArrayLayout, HashLayout, layout_of, shape_of, user_value_size
from beebox.maps.storage import Operations, Storage
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapOp, UpdateFlags

EPERM: Final = 1
ENOENT: Final = 2
E2BIG: Final = 7
EEXIST: Final = 17
EINVAL: Final = 22

_SYMBOL: Final = "map"
_BATCH_BYTES: Final = 1 << 22  # of keys and values joined for one native call


class LiveMap:
    """A map of the userspace kernel; a context manager.

    Its storage lives until the last program linked with it is closed too. ``cpus`` is the number
    of possible CPUs, which only per-CPU maps show.
    """

    def __init__(self, spec: MapSpec, *, cpus: int = 1) -> None:
        """Make the map. Raises :exc:`MapError` with BPF_MAP_CREATE's errno."""
        self._spec = spec
        self._cpus = cpus
        self._layout = layout_of(spec, cpus=cpus)
        self._value_bytes = user_value_size(spec, cpus=cpus)
        self._storage: Storage | None = Storage(self._layout.size, map_name=spec.name)
        self._operations: Operations | None = None
        if isinstance(self._layout, HashLayout) and not spec.flags & MapFlags.ZERO_SEED:
            seed = np.frombuffer(os.urandom(8), dtype=np.uint8)
            self.storage.data[layout.HASH_SEED : layout.HASH_SEED + 8] = seed
        if spec.contents is not None:
            self._fill(spec.contents)

    @property
    def spec(self) -> MapSpec:
        """What the map was made from."""
        return self._spec

    @property
    def storage(self) -> Storage:
        """The memory. Raises :exc:`InputError` when the map is closed."""
        if self._storage is None:
            raise InputError(f"map {self._spec.name} is closed")
        return self._storage

    @property
    def layout(self) -> HashLayout | ArrayLayout:
        """Where everything lies in :attr:`storage`."""
        return self._layout

    @property
    def value_address(self) -> int:
        """The address of an array's first value: what a GlobalRef counts from."""
        return self.storage.address + layout.ARRAY_ELEMENTS

    @property
    def operations(self) -> Operations:
        """The native operations, linked at first use."""
        storage = self.storage
        if self._operations is None:
            code = native.link(
                _compiled(shape_of(self._spec), self._cpus),
                imports={f"{_SYMBOL}_storage": storage.address},
                exports=[f"{_SYMBOL}_{name}" for name in Operations.EXPORTS],
            )
            self._operations = Operations(code, _SYMBOL, storage)
        return self._operations

    def lookup(self, key: bytes) -> bytes:
        """The value. Raises :exc:`KeyNotFound`."""
        self._check("key", key, self._spec.key_size)
        self._permit(MapFlags.WRONLY)
        address = self.operations.lookup(key)
        if not address:
            self._refuse(-ENOENT, key)
        start = address - self.storage.address
        return self.storage.data[start : start + self._value_bytes].tobytes()

    def update(self, key: bytes, value: bytes, flags: UpdateFlags = UpdateFlags.ANY) -> None:
        """Set the value. Raises :exc:`MapFull`, :exc:`KeyExists`, :exc:`KeyNotFound`."""
        self._check("key", key, self._spec.key_size)
        self._check("value", value, self._value_bytes)
        self._permit(MapFlags.RDONLY, writes=True)
        self._require(self.operations.update_all(key, value, 1, int(flags)), key)

    def delete(self, key: bytes) -> None:
        """Remove the element. Raises :exc:`KeyNotFound`, :exc:`MapError` for an array."""
        self._check("key", key, self._spec.key_size)
        self._permit(MapFlags.RDONLY, writes=True)
        if not self._spec.type.value.ops & MapOp.DELETE:
            self._refuse(-EINVAL, key)
        self._require(self.operations.delete(key), key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element of one moment: a hash in the order of its slots, an array ascending."""
        return iter(self.lookup_batch())

    def lookup_batch(self) -> list[tuple[bytes, bytes]]:
        """Every element at once."""
        keys, values = self.snapshot()
        return [(key.tobytes(), value.tobytes()) for key, value in zip(keys, values, strict=True)]

    def snapshot(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Copies of all keys and values: two byte arrays, (elements, bytes of each)."""
        self._permit(MapFlags.WRONLY)
        match self._layout:
            case HashLayout() as where:
                with self.operations.held():
                    return self._hash_snapshot(where)
            case ArrayLayout() as where:
                count = self._spec.max_entries
                rows = self.storage.rows(where.elements, count, where.stride)
                keys = np.arange(count, dtype="<u4").view(np.uint8).reshape(count, 4)
                return keys, rows[:, : self._value_bytes].copy()
            case _:
                assert_never(self._layout)

    def update_batch(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Set all of them; on an error those before it are set."""
        self._permit(MapFlags.RDONLY, writes=True)
        for key, value in items:
            self._check("key", key, self._spec.key_size)
            self._check("value", value, self._value_bytes)
        step = max(1, _BATCH_BYTES // (self._spec.key_size + self._value_bytes))
        for start in range(0, len(items), step):
            part = items[start : start + step]
            keys = b"".join(key for key, _ in part)
            values = b"".join(value for _, value in part)
            self._require(self.operations.update_all(keys, values, len(part), 0), keys)

    def close(self) -> None:
        """Let go of the map; programs linked with it keep its storage."""
        self._operations = None
        self._storage = None

    def __len__(self) -> int:
        """The number of elements."""
        if isinstance(self._layout, HashLayout):
            return int(self.storage.words(layout.HASH_COUNT, 1)[0])
        return self._spec.max_entries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fill(self, contents: bytes) -> None:
        self._check("value", contents, self._value_bytes)
        start = layout.ARRAY_ELEMENTS
        self.storage.data[start : start + len(contents)] = np.frombuffer(contents, dtype=np.uint8)

    def _hash_snapshot(
        self, where: HashLayout
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        storage = self.storage
        used = int(storage.words(layout.HASH_HIGH_WATER, 1)[0])
        free = int(storage.words(layout.HASH_FREE_COUNT, 1)[0])
        live = np.ones(used, dtype=bool)
        live[storage.words(where.free_stack, free).astype(np.int64) - 1] = False
        rows = storage.rows(where.elements, used, where.stride)
        keys = rows[live, where.key : where.key + self._spec.key_size]
        return keys, rows[live, where.value : where.value + self._value_bytes]

    def _check(self, what: str, data: bytes, size: int) -> None:
        if len(data) != size:
            problem = f"map {self._spec.name}: a {what} has {size} bytes (given {len(data)})"
            raise InputError(problem)

    def _permit(self, forbidden: MapFlags, *, writes: bool = False) -> None:
        if self._spec.flags & forbidden or (writes and self._spec.frozen):
            verb = "write" if writes else "read"
            problem = f"user space may not {verb} this map"
            raise MapError(problem, map_name=self._spec.name, errno=EPERM)

    def _require(self, result: int, key: bytes) -> None:
        if result != 0:
            self._refuse(result, key)

    def _refuse(self, result: int, key: bytes) -> NoReturn:
        name, shown = self._spec.name, key[: self._spec.key_size].hex()
        match -result:
            case 2:
                raise KeyNotFound(f"no such key {shown}", map_name=name, errno=ENOENT)
            case 17:
                raise KeyExists(f"key {shown} exists", map_name=name, errno=EEXIST)
            case 7:
                entries = self._spec.max_entries
                problem = f"no room for key {shown} ({entries} entries)"
                raise MapFull(problem, map_name=name, errno=E2BIG)
            case code:
                raise MapError(os.strerror(code), map_name=name, errno=code)


@lru_cache(maxsize=64)
def _compiled(shape: MapSpec, cpus: int) -> bytes:
    def make_ir() -> str:
        from beebox.maps.code import operations  # noqa: PLC0415 -- the compiler, on a miss only

        return operations(shape, _SYMBOL, cpus=cpus)

    return worker.compile_native_for(f"map {shape!r} {cpus}".encode(), make_ir)
