"""Live kernel objects: maps and programs, each owning a file descriptor.

They implement the protocols of ``beebox.backend``; a value of a per-CPU map is one slot for each
*possible* CPU, padded to 8 bytes, as bpf(2) has it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

from beebox import backend
from beebox.backend import TestRun
from beebox.errors import InputError, KeyExists, KeyNotFound, MapError, MapFull, SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import UpdateFlags
from beebox.tables.program_types import ProgramType

_POSSIBLE_CPUS: Final = Path("/sys/devices/system/cpu/possible")
_ENOTSUPP: Final = 524  # the kernel's own; not an errno of POSIX
_NO_BATCH: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, _ENOTSUPP})
_BATCH_START: Final = 1024
_CHECKSUM_COMPLETE: Final = 1 << 2  # BPF_F_TEST_SKB_CHECKSUM_COMPLETE
_GROWTH_BYTES: Final = 1 << 17  # that programs may add to a packet in a test run
_POSITION_BYTES_MIN: Final = 8
_WITHOUT_PACKET: Final = frozenset(
    {ProgramType.SYSCALL, ProgramType.STRUCT_OPS, ProgramType.RAW_TRACEPOINT, ProgramType.TRACING}
)
_INFO_ID: Final = slice(4, 8)  # in struct bpf_map_info and bpf_prog_info


def possible_cpus(text: str | None = None) -> int:
    """How many CPUs the kernel keeps room for; ``text`` is the list as sysfs writes it (0-3,8)."""
    listed = _POSSIBLE_CPUS.read_text(encoding="ascii") if text is None else text
    count = 0
    for part in listed.strip().split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def _object_id(fd: int, door: Bpf) -> int:
    """The id of a map or program."""
    attr = attrs.obj_get_info(fd, _INFO_ID.stop)
    door(Command.OBJ_GET_INFO_BY_FD, attr)
    return int.from_bytes(attr.buffers[8][_INFO_ID], "little")


class LinuxMap:
    """A map in the kernel."""

    def __init__(self, spec: MapSpec, fd: Fd, door: Bpf = bpf) -> None:
        self._spec = spec
        self._fd = fd
        self._door = door
        self._value_bytes = spec.value_size
        if spec.type.value.per_cpu:
            self._value_bytes = (spec.value_size + 7) // 8 * 8 * possible_cpus()

    def __repr__(self) -> str:
        return f"<LinuxMap {self._spec.name}: {self._spec.type.value.name}>"

    @property
    def spec(self) -> MapSpec:
        """What the map was made from."""
        return self._spec

    @property
    def value_bytes(self) -> int:
        """The bytes of a value here: of a per-CPU map all CPUs', each padded to 8."""
        return self._value_bytes

    @property
    def fd(self) -> int:
        """The descriptor. Raises :exc:`InputError` when the map is closed."""
        return self._fd.number

    @property
    def id(self) -> int:
        """The kernel's number for it: what a map of maps gives."""
        return _object_id(self.fd, self._door)

    def lookup(self, key: bytes) -> bytes:
        """The value; the id of a map or program. Raises :exc:`KeyNotFound`."""
        return self._get(Command.MAP_LOOKUP_ELEM, key)

    def lookup_and_delete(self, key: bytes) -> bytes:
        """The value of an element that is gone then. Raises :exc:`KeyNotFound`."""
        return self._get(Command.MAP_LOOKUP_AND_DELETE_ELEM, key)

    def update(
        self,
        key: bytes,
        value: bytes | backend.Map | backend.Program,
        flags: UpdateFlags = UpdateFlags.ANY,
    ) -> None:
        """Set the value; of a map of maps or programs a live object of this kernel.

        Raises :exc:`MapFull`, :exc:`KeyExists`, :exc:`KeyNotFound`.
        """
        if isinstance(value, LinuxMap | LinuxProgram):
            value = value.fd.to_bytes(4, "little")
        elif not isinstance(value, bytes | bytearray | memoryview):
            name = self._spec.name
            raise InputError(f"map {name} of Linux cannot hold a {type(value).__name__}")
        key = self._check("key", key, self._spec.key_size)
        value = self._check("value", value, self._value_bytes)
        if not 0 <= flags < 1 << 64:
            self._refuse(SyscallError("bpf(MAP_UPDATE_ELEM)", errno.EINVAL), key)
        attr = attrs.map_elem(self.fd, key or None, value, int(flags))
        try:
            self._door(Command.MAP_UPDATE_ELEM, attr)
        except SyscallError as error:
            self._refuse(error, key)

    def delete(self, key: bytes) -> None:
        """Remove the element. Raises :exc:`KeyNotFound`."""
        key = self._check("key", key, self._spec.key_size)
        try:
            self._door(Command.MAP_DELETE_ELEM, attrs.map_elem(self.fd, key or None))
        except SyscallError as error:
            self._refuse(error, key)

    def next_key(self, key: bytes | None) -> bytes:
        """The key after ``key``, the first for None. Raises :exc:`KeyNotFound` after the last."""
        if key is not None:
            key = self._check("key", key, self._spec.key_size)
        attr = attrs.map_elem(self.fd, key, bytes(self._spec.key_size))
        try:
            self._door(Command.MAP_GET_NEXT_KEY, attr)
        except SyscallError as error:
            self._refuse(error, key or b"")
        return attrs.map_elem_value(attr)

    def push(self, value: bytes, flags: UpdateFlags = UpdateFlags.ANY) -> None:
        """Put a value into a queue, stack or bloom filter. Raises :exc:`MapFull`."""
        self._keyless(errno.EOPNOTSUPP)
        self.update(b"", value, flags)

    def pop(self) -> bytes:
        """Take the next value out of a queue or stack. Raises :exc:`KeyNotFound`."""
        self._keyless(_ENOTSUPP)
        return self.lookup_and_delete(b"")

    def peek(self) -> bytes:
        """The next value of a queue or stack. Raises :exc:`KeyNotFound`."""
        self._keyless(errno.EOPNOTSUPP)
        return self.lookup(b"")

    def contains(self, value: bytes) -> bool:
        """Whether a bloom filter may have the value: never False for one that was pushed."""
        value = self._check("value", value, self._value_bytes)
        try:
            self._door(Command.MAP_LOOKUP_ELEM, attrs.map_elem(self.fd, None, value))
        except SyscallError as error:
            if error.errno == errno.ENOENT:
                return False
            self._refuse(error, b"")
        return True

    def _get(self, command: Command, key: bytes) -> bytes:
        key = self._check("key", key, self._spec.key_size)
        attr = attrs.map_elem(self.fd, key or None, bytes(self._value_bytes))
        try:
            self._door(command, attr)
        except SyscallError as error:
            self._refuse(error, key)
        return attrs.map_elem_value(attr)

    def keys(self) -> Iterator[bytes]:
        """Every key, one call each. Under concurrent writers, keys may repeat or be missing."""
        key: bytes | None = None
        while True:
            try:
                key = self.next_key(key)
            except KeyNotFound:
                return
            yield key

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element; one that vanishes while we look is left out."""
        for key in self.keys():
            try:
                yield key, self.lookup(key)
            except KeyNotFound:
                continue

    def lookup_batch(self) -> list[tuple[bytes, bytes]]:
        """Every element in few calls; one by one where the kernel has no batches for this type."""
        try:
            return self._lookup_batch()
        except SyscallError as error:
            if error.errno not in _NO_BATCH:
                raise
        return list(self.items())

    def _lookup_batch(self) -> list[tuple[bytes, bytes]]:
        key_size, value_size = self._spec.key_size, self._value_bytes
        count = max(1, min(_BATCH_START, self._spec.max_entries))
        start: bytearray | None = None
        found: list[tuple[bytes, bytes]] = []
        while True:
            keys, values = bytearray(count * key_size), bytearray(count * value_size)
            position = bytearray(max(key_size, _POSITION_BYTES_MIN))
            attr = attrs.map_batch(self.fd, count, keys, values, start=start, position=position)
            done = False
            try:
                self._door(Command.MAP_LOOKUP_BATCH, attr)
            except SyscallError as error:
                if error.errno == errno.ENOSPC:  # one bucket is longer than our room
                    count *= 2
                    continue
                if error.errno != errno.ENOENT:
                    raise
                done = True
            for i in range(attrs.map_batch_count(attr)):
                key = keys[i * key_size : (i + 1) * key_size]
                found.append((bytes(key), bytes(values[i * value_size : (i + 1) * value_size])))
            if done:
                return found
            start = position

    def update_batch(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Set all of them; on an error those before it are set."""
        for key, value in items:
            self._check("key", key, self._spec.key_size)
            self._check("value", value, self._value_bytes)
        if not items:
            return
        keys = bytearray(b"".join(key for key, _ in items))
        values = bytearray(b"".join(value for _, value in items))
        attr = attrs.map_batch(self.fd, len(items), keys, values)
        try:
            self._door(Command.MAP_UPDATE_BATCH, attr)
        except SyscallError as error:
            if error.errno not in _NO_BATCH:
                done = attrs.map_batch_count(attr)
                self._refuse(error, items[min(done, len(items) - 1)][0])
            for key, value in items:
                self.update(key, value)

    def freeze(self) -> None:
        """Forbid user space to write from now on."""
        self._door(Command.MAP_FREEZE, attrs.map_freeze(self.fd))

    def close(self) -> None:
        """Let go of the map; the kernel keeps it while a program uses it."""
        self._fd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keyless(self, code: int) -> None:
        """bpf(2) cannot ask this of a map with keys: refused as the kernel's own functions do."""
        if self._spec.key_size:
            problem = f"not an operation of a {self._spec.type.value.name}"
            raise MapError(problem, map_name=self._spec.name, errno=code)

    def _check(self, what: str, data: bytes | bytearray | memoryview, size: int) -> bytes:
        if type(data) is not bytes:  # what else holds bytes; a str or a number raises TypeError
            data = memoryview(data).tobytes()
        if len(data) != size:
            raise InputError(
                f"map {self._spec.name}: a {what} has {size} bytes (given {len(data)})"
            )
        return data

    def _refuse(self, error: SyscallError, key: bytes) -> NoReturn:
        name, code = self._spec.name, error.errno or 0
        match code:
            case errno.ENOENT:
                raise KeyNotFound(f"no such key {key.hex()}", map_name=name, errno=code) from None
            case errno.EEXIST:
                raise KeyExists(f"key {key.hex()} exists", map_name=name, errno=code) from None
            case errno.E2BIG | errno.ENOSPC:
                raise MapFull(
                    f"no room for key {key.hex()} ({self._spec.max_entries} entries)",
                    map_name=name,
                    errno=code,
                ) from None
            case _:
                raise MapError(str(error), map_name=name, errno=code) from None


class LinuxProgram:
    """A program in the kernel."""

    def __init__(self, spec: ProgramSpec, fd: Fd, door: Bpf = bpf) -> None:
        self._spec = spec
        self._fd = fd
        self._door = door

    def __repr__(self) -> str:
        return f"<LinuxProgram {self._spec.name}: {self._spec.section}>"

    @property
    def spec(self) -> ProgramSpec:
        """What the program was made from."""
        return self._spec

    @property
    def fd(self) -> int:
        """The descriptor. Raises :exc:`InputError` when the program is closed."""
        return self._fd.number

    @property
    def id(self) -> int:
        """The kernel's number for it: what a prog array gives."""
        return _object_id(self.fd, self._door)

    def test_run(
        self,
        data: bytes,
        *,
        repeat: int = 1,
        context: bytes | None = None,
        checksum_complete: bool = False,
    ) -> TestRun:
        """Run over one packet with BPF_PROG_TEST_RUN.

        ``data_out`` is as the kernel gives it: of XDP it starts at data_meta, of an skb program
        with the Ethernet header (zeros where the program did not see it). Programs that get no
        packet (syscall, struct_ops, raw tracepoints) want none here and run once. Frames that Linux
        refuses, below 14 bytes or above about a page, raise :exc:`SyscallError`, as does a
        checksum that is wrong after the run.
        """
        repeat, data = index(repeat), memoryview(data).tobytes()
        if not 1 <= repeat < 1 << 31:
            raise InputError(f"repeat {repeat} is out of range")
        if self._spec.type in _WITHOUT_PACKET:
            return self._run_alone(data, repeat, context or b"")
        room = len(data) + _GROWTH_BYTES
        attr = attrs.prog_test_run(
            self.fd,
            data,
            room_bytes=room,
            repeat=repeat,
            context=context,
            flags=_CHECKSUM_COMPLETE if checksum_complete else 0,
        )
        self._door(Command.PROG_TEST_RUN, attr)
        retval, packet, duration, after = attrs.prog_test_run_result(attr)
        return TestRun(retval, packet, duration, repeat, "linux", after)

    def _run_alone(self, data: bytes, repeat: int, context: bytes) -> TestRun:
        kind = self._spec.type.value.name
        if data or repeat != 1:
            raise InputError(f"a {kind} program runs once, without a packet")
        attr = attrs.prog_test_run_alone(self.fd, context)
        self._door(Command.PROG_TEST_RUN, attr)
        retval, _, _, _ = attrs.prog_test_run_result(attr)
        after = bytes(attr.buffers.get(48, b""))
        return TestRun(retval, b"", 0, 1, "linux", after)

    def close(self) -> None:
        """Unload the program, unless something else holds it."""
        self._fd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
