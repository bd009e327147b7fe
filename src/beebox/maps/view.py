"""Live maps: ``backend.Map`` over storage that programs use at the same time.

One element at a time goes through the map's own native operations, the very code that programs
run, so that there is one definition of insertion. Whole maps are copied with numpy, writers held
out. Readers are never held out: a program may see a value longer than 8 bytes half written, as in
Linux without ``bpf_spin_lock``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Final, NoReturn, Self

import numpy as np
import numpy.typing as npt

from beebox import backend
from beebox.errors import InputError, KeyExists, KeyNotFound, MapError, MapFull
from beebox.llvm import native, worker
from beebox.maps import abi, contents, layout, slots
from beebox.maps.layout import (
    BloomLayout,
    HashLayout,
    Layout,
    SlotLayout,
    layout_of,
    shape_of,
    user_value_size,
)
from beebox.maps.objects import Callee, Inner, Objects, Program
from beebox.maps.storage import Operations, Storage
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapOp, MapType, UpdateFlags

EPERM: Final = 1
ENOENT: Final = 2
E2BIG: Final = 7
EBADF: Final = 9
EEXIST: Final = 17
EINVAL: Final = 22
ENOSPC: Final = 28
EOPNOTSUPP: Final = 95
ENOTSUPP: Final = 524

_SYMBOL: Final = "map"
_BATCH_BYTES: Final = 1 << 22  # of keys and values joined for one native call
_IDS: Final = itertools.count(1)


class LiveMap:
    """A map of the userspace kernel; a context manager.

    Its storage lives until the last program linked with it is closed too. ``cpus`` is the number
    of possible CPUs, which only per-CPU maps and cpumaps show.
    """

    def __init__(self, spec: MapSpec, *, cpus: int = 1) -> None:
        """Make the map. Raises :exc:`MapError` with BPF_MAP_CREATE's errno."""
        self._spec = spec
        self._cpus = cpus
        self._id = next(_IDS)
        self._layout = layout_of(spec, cpus=cpus)
        if spec.contents is not None and spec.type is not MapType.ARRAY:
            problem = f"a {spec.type.value.name} does not begin with contents"
            raise MapError(problem, map_name=spec.name, errno=EINVAL)
        self._value_bytes = user_value_size(spec, cpus=cpus)
        self._storage: Storage | None = Storage(self._layout.size, map_name=spec.name)
        self._operations: Operations | None = None
        self._objects = Objects()
        # Asked at every operation, and flags are slow to ask.
        user_ops = spec.type.value.user_ops
        self._reads = not spec.flags & MapFlags.WRONLY
        self._writes = not (spec.flags & MapFlags.RDONLY or spec.frozen)
        self._plain = bool(user_ops & MapOp.LOOKUP) and not (
            slots.holds_objects(spec.type) or slots.is_target(spec.type)
        )
        hashes = isinstance(self._layout, HashLayout | BloomLayout)
        if hashes and not spec.flags & MapFlags.ZERO_SEED:
            seed = np.frombuffer(os.urandom(8), dtype=np.uint8)
            self.storage.data[layout.SEED : layout.SEED + 8] = seed
        if spec.contents is not None:
            self._fill(spec.contents)

    def __repr__(self) -> str:
        return f"<LiveMap {self._spec.name}: {self._spec.type.value.name}>"

    @property
    def spec(self) -> MapSpec:
        """What the map was made from."""
        return self._spec

    @property
    def id(self) -> int:
        """The number that a map of maps gives for it."""
        return self._id

    @property
    def value_bytes(self) -> int:
        """The bytes of a value here: of a per-CPU map all CPUs', each padded to 8."""
        return self._value_bytes

    @property
    def storage(self) -> Storage:
        """The memory. Raises :exc:`InputError` when the map is closed."""
        if self._storage is None:
            raise InputError(f"map {self._spec.name} is closed")
        return self._storage

    @property
    def layout(self) -> Layout:
        """Where everything lies in :attr:`storage`."""
        return self._layout

    @property
    def value_address(self) -> int:
        """The address of an array's first value: what a GlobalRef counts from."""
        return self.storage.address + layout.ARRAY_ELEMENTS

    @property
    def objects(self) -> Objects:
        """The maps or programs in the map. Whoever links the storage keeps these, too."""
        return self._objects

    @property
    def operations(self) -> Operations:
        """The native operations, linked at first use."""
        storage = self.storage
        if self._operations is None:
            exports = abi.exports(self._layout)
            code = native.link(
                _compiled(shape_of(self._spec), self._cpus),
                imports={f"{_SYMBOL}_storage": storage.address},
                exports=[f"{_SYMBOL}_{name}" for name in exports],
            )
            self._operations = Operations(code, _SYMBOL, storage, exports)
        return self._operations

    def lookup(self, key: bytes) -> bytes:
        """The value; the id of a map or program. Raises :exc:`KeyNotFound`."""
        key = self._check("key", key, self._spec.key_size)
        self._permit(self._reads, "read")
        if not self._plain:
            return self._lookup_special(key)
        address = self.operations.call("lookup_unmarked", key)
        if not address:
            self._refuse(-ENOENT, key)
        start = address - self.storage.address
        return bytes(self.storage.data[start : start + self._value_bytes])

    def _lookup_special(self, key: bytes) -> bytes:
        """The value where it is more than bytes at an address."""
        kind = self._spec.type
        if kind.value.user_ops & MapOp.PEEK:
            return self.peek()
        if not kind.value.user_ops & MapOp.LOOKUP:
            self._refuse(-EOPNOTSUPP, key)
        if slots.is_target(kind):
            address = self.operations.call("lookup", key)
            if not address:
                self._refuse(-ENOENT, key)
            start = address - self.storage.address
            return bytes(self.storage.data[start : start + self._value_bytes])
        held = self._objects.by_key.get(key)
        if held is None:
            self._refuse(-ENOENT, key)
        return bytes(held.id.to_bytes(4, "little"))

    def update(
        self,
        key: bytes,
        value: bytes | backend.Map | backend.Program,
        flags: UpdateFlags = UpdateFlags.ANY,
    ) -> None:
        """Set the value: bytes, or of a map of maps or programs such an object.

        Raises :exc:`MapFull`, :exc:`KeyExists`, :exc:`KeyNotFound`.
        """
        key = self._check("key", key, self._spec.key_size)
        self._permit(self._writes, "write")
        if not 0 <= flags < 1 << 64:
            self._refuse(-EINVAL, key)
        if isinstance(value, bytes | bytearray | memoryview):
            value = self._check("value", value, self._value_bytes)
            if self._plain:
                self._require(self.operations.call("update_all", key, value, 1, int(flags)), key)
                return
        if slots.holds_objects(self._spec.type):
            self._put_object(key, value, int(flags))
        elif not isinstance(value, bytes):
            raise InputError(f"map {self._spec.name} holds bytes, not {type(value).__name__}")
        elif slots.is_target(self._spec.type):
            self._put_target(key, value, int(flags))
        else:
            self.push(value, flags)

    def delete(self, key: bytes) -> None:
        """Remove the element. Raises :exc:`KeyNotFound`, :exc:`MapError` for an array."""
        key = self._check("key", key, self._spec.key_size)
        self._permit(self._writes, "write")
        kind = self._spec.type
        if not kind.value.user_ops & MapOp.DELETE:
            self._refuse(-EOPNOTSUPP if kind is MapType.BLOOM_FILTER else -EINVAL, key)
        if isinstance(self._layout, SlotLayout):
            self._empty_slot(key)
            return
        self._require(self.operations.call("delete", key), key)
        self._objects.by_key.pop(key, None)

    def lookup_and_delete(self, key: bytes) -> bytes:
        """The value of an element that is gone then. Raises :exc:`KeyNotFound`."""
        key = self._check("key", key, self._spec.key_size)
        self._permit(self._reads, "read")
        self._permit(self._writes, "write")
        if self._spec.type.value.user_ops & MapOp.POP:
            return self.pop()
        if not self._spec.type.value.user_ops & MapOp.LOOKUP_AND_DELETE:
            self._refuse(-ENOTSUPP, key)
        result, value = self.operations.get("take", self._value_bytes, key)
        self._require(result, key)
        return value

    def next_key(self, key: bytes | None) -> bytes:
        """The key after ``key``, the first for None or a key that is not there.

        Raises :exc:`KeyNotFound` after the last. Costs a copy of the whole map, except for arrays.
        """
        if key is not None:
            key = self._check("key", key, self._spec.key_size)
        self._permit(self._reads, "read")
        kind = self._spec.type
        if not kind.value.user_ops & MapOp.ITERATE:
            self._refuse(-EOPNOTSUPP if kind is MapType.BLOOM_FILTER else -EINVAL, b"")
        if not isinstance(self._layout, HashLayout | layout.LpmLayout):
            index = -1 if key is None else int.from_bytes(key, "little")
            index = index if index < self._spec.max_entries else -1
            if index + 1 == self._spec.max_entries:
                self._refuse(-ENOENT, key or b"")
            return (index + 1).to_bytes(4, "little")
        keys, _ = self.snapshot()
        at = 0
        if key is not None:
            same = np.flatnonzero(contents.equal_keys(self._spec, keys, key))
            at = int(same[0]) + 1 if len(same) else 0
        if at == len(keys):
            self._refuse(-ENOENT, key or b"")
        return bytes(keys[at])

    def push(self, value: bytes, flags: UpdateFlags = UpdateFlags.ANY) -> None:
        """Put a value into a queue, stack or bloom filter. Raises :exc:`MapFull`."""
        value = self._check("value", value, self._value_bytes)
        if not 0 <= flags < 1 << 64:
            self._refuse(-EINVAL, b"")
        self._permit(self._writes, "write")
        self._offer(MapOp.PUSH)
        self._require(self.operations.call("push", value, int(flags)), b"")

    def pop(self) -> bytes:
        """Take the next value out of a queue or stack. Raises :exc:`KeyNotFound`."""
        self._permit(self._reads, "read")
        self._permit(self._writes, "write")
        self._offer(MapOp.POP, ENOTSUPP)
        result, value = self.operations.get("pop", self._value_bytes)
        self._require(result, b"")
        return value

    def peek(self) -> bytes:
        """The next value of a queue or stack. Raises :exc:`KeyNotFound`."""
        self._permit(self._reads, "read")
        self._offer(MapOp.POP)
        result, value = self.operations.get("peek", self._value_bytes)
        self._require(result, b"")
        return value

    def contains(self, value: bytes) -> bool:
        """Whether a bloom filter may have the value: never False for one that was pushed."""
        value = self._check("value", value, self._value_bytes)
        self._permit(self._reads, "read")
        if self._spec.type is not MapType.BLOOM_FILTER:
            self._refuse(-EOPNOTSUPP, b"")
        return self.operations.call("peek", value) == 0

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element of one moment: a hash in the order of its slots, others in Linux's."""
        return iter(self.lookup_batch())

    def lookup_batch(self) -> list[tuple[bytes, bytes]]:
        """Every element at once."""
        keys, values = self.snapshot()
        return [(key.tobytes(), value.tobytes()) for key, value in zip(keys, values, strict=True)]

    def snapshot(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Copies of all keys and values: two byte arrays, (elements, bytes of each)."""
        self._permit(self._reads, "read")
        if slots.holds_objects(self._spec.type):
            return contents.ids(self._spec, self._objects)
        return contents.snapshot(self._spec, self._layout, self.operations, self._value_bytes)

    def update_batch(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Set all of them; on an error those before it are set."""
        if not self._plain:
            for key, value in items:
                self.update(key, value)
            return
        self._permit(self._writes, "write")
        for key, value in items:
            self._check("key", key, self._spec.key_size)
            self._check("value", value, self._value_bytes)
        step = max(1, _BATCH_BYTES // (self._spec.key_size + self._value_bytes))
        for start in range(0, len(items), step):
            part = items[start : start + step]
            keys = b"".join(key for key, _ in part)
            values = b"".join(value for _, value in part)
            self._require(self.operations.call("update_all", keys, values, len(part), 0), keys)

    def close(self) -> None:
        """Let go of the map; programs linked with it keep its storage."""
        self._operations = None
        self._storage = None
        self._objects = Objects()

    def __len__(self) -> int:
        """The number of elements; of a bloom filter the number of set bits."""
        return contents.count(self._spec, self._layout, self.storage)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- maps, programs and targets of redirections as values

    def used_by(self, compatibility: tuple[str, ...]) -> None:
        """A program jumps through this prog array. Raises :exc:`MapError` where it may not."""
        if not slots.owns(self._objects, compatibility):
            problem = f"programs {self._objects.owner} are here, not {compatibility}"
            raise MapError(problem, map_name=self._spec.name, errno=EINVAL)

    def _put_object(self, key: bytes, value: object, flags: int) -> None:
        spec = self._spec
        if isinstance(self._layout, SlotLayout):
            if flags:
                self._refuse(-EINVAL, key)
            if int.from_bytes(key, "little") >= spec.max_entries:
                self._refuse(-E2BIG, key)
        if isinstance(value, bytes):
            self._refuse(-EBADF, key)  # this kernel has no descriptors
        held: Inner | Callee
        if isinstance(value, LiveMap):
            if value.spec.type.value.per_cpu and value._cpus < self._cpus:  # noqa: SLF001 -- its own
                problem = f"map {spec.name} of {self._cpus} CPUs cannot hold a map of {value._cpus}"  # noqa: SLF001 -- its own
                raise InputError(problem)
            held = Inner(value.id, value.spec, value.operations)
            address = value.operations.handle
        elif isinstance(value, Program):
            held = value.callee()
            address = held.entry
        else:
            raise InputError(f"map {spec.name} of this kernel cannot hold a {type(value).__name__}")
        if not slots.accepts(spec, held, self._objects):
            self._refuse(-EINVAL, key)
        word = address.to_bytes(8, "little")
        if isinstance(self._layout, SlotLayout):
            self.operations.assign(int.from_bytes(key, "little"), address, bytes(8))
        else:
            self._require(self.operations.call("update_all", key, word, 1, flags), key)
        self._objects.put(key, address, held)

    def _put_target(self, key: bytes, value: bytes, flags: int) -> None:
        number = int.from_bytes(key, "little")
        refused = slots.target_refusal(self._spec, number, value, flags, self._cpus)
        if refused:
            self._refuse(-refused, key)
        if isinstance(self._layout, SlotLayout):
            present = slots.is_present(self._spec.type, value)
            self.operations.assign(number, int(present), value.ljust(8, b"\0"))
        else:
            self._require(self.operations.call("update_all", key, value, 1, flags), key)

    def _empty_slot(self, key: bytes) -> None:
        index = int.from_bytes(key, "little")
        objects = slots.holds_objects(self._spec.type)
        if index >= self._spec.max_entries:
            self._refuse(-E2BIG if objects else -EINVAL, key)
        before = self.operations.assign(index, 0, bytes(8))
        self._objects.by_key.pop(key, None)
        if objects and not before:
            self._refuse(-ENOENT, key)

    # ---- checks

    def _fill(self, data: bytes) -> None:
        self._check("value", data, self._value_bytes)
        start = layout.ARRAY_ELEMENTS
        self.storage.data[start : start + len(data)] = np.frombuffer(data, dtype=np.uint8)

    def _check(self, what: str, data: bytes | bytearray | memoryview, size: int) -> bytes:
        if type(data) is not bytes:  # what else holds bytes; a str or a number raises TypeError
            data = memoryview(data).tobytes()
        if len(data) != size:
            problem = f"map {self._spec.name}: a {what} has {size} bytes (given {len(data)})"
            raise InputError(problem)
        return data

    def _permit(self, allowed: bool, verb: str) -> None:
        if not allowed:
            problem = f"user space may not {verb} this map"
            raise MapError(problem, map_name=self._spec.name, errno=EPERM)

    def _offer(self, operation: MapOp, errno: int = EOPNOTSUPP) -> None:
        if not self._spec.type.value.user_ops & operation:
            self._refuse(-errno, b"")

    def _require(self, result: int, key: bytes) -> None:
        if result != 0:
            self._refuse(result, key)

    def _refuse(self, result: int, key: bytes) -> NoReturn:
        name, shown = self._spec.name, key[: self._spec.key_size].hex()
        entries = self._spec.max_entries
        what = f"key {shown}" if shown else "value"
        match -result:
            case 2:
                raise KeyNotFound(f"no such {what}", map_name=name, errno=ENOENT)
            case 17:
                raise KeyExists(f"{what} exists", map_name=name, errno=EEXIST)
            case 7 | 28 as code:
                problem = f"no room for {what} ({entries} entries)"
                raise MapFull(problem, map_name=name, errno=code)
            case 524:
                problem = f"not an operation of a {self._spec.type.value.name}"
                raise MapError(problem, map_name=name, errno=ENOTSUPP)
            case code:
                raise MapError(os.strerror(code), map_name=name, errno=code)


@lru_cache(maxsize=64)
def _compiled(shape: MapSpec, cpus: int) -> bytes:
    def make_ir() -> str:
        from beebox.maps.code import operations  # noqa: PLC0415 -- the compiler, on a miss only

        return operations(shape, _SYMBOL, cpus=cpus)

    return worker.compile_native_for(f"map {shape!r} {cpus}".encode(), make_ir)
