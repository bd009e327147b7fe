"""The door to bpf(2): the only module of this room that knows addresses.

An :class:`Attr` is ``union bpf_attr`` without pointers: bytes, and which buffer's address belongs
at which offset. :func:`bpf` puts the addresses in, keeps every buffer alive during the call and
leaves the kernel's output in the same buffers. Tests replace the whole door by a function of the
same type (:data:`Bpf`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from beebox.errors import InputError, NotSupportedError, SyscallError


class Command(IntEnum):
    """``enum bpf_cmd``; the lower-case member name is how errors call it."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    OBJ_GET_INFO_BY_FD = 15
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    MAP_LOOKUP_AND_DELETE_ELEM = 21
    MAP_FREEZE = 22
    BTF_GET_NEXT_ID = 23
    MAP_LOOKUP_BATCH = 24
    MAP_UPDATE_BATCH = 26


@dataclass(frozen=True, slots=True)
class Attr:
    """``union bpf_attr``: its bytes and, by offset, the buffers it points to.

    The kernel writes its outputs into ``data`` and the buffers, which is why both are bytearrays.
    ``nested`` are buffers that a buffer points to, by (offset of that buffer, offset in it).
    """

    data: bytearray
    buffers: dict[int, bytearray] = field(default_factory=dict)
    nested: dict[tuple[int, int], bytearray] = field(default_factory=dict)


Bpf: TypeAlias = Callable[[Command, Attr], int]
"""The door's type: returns the call's result, raises :exc:`SyscallError`."""

_NUMBER_BY_MACHINE: Final = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "s390x": 351,
    "ppc64le": 361,
}
"""``__NR_bpf`` by machine, as in the kernel's syscall tables; 64-bit machines only."""

_INTERRUPTED: Final = frozenset({errno.EINTR, errno.EAGAIN})
_ATTEMPTS: Final = 10


def bpf(command: Command, attr: Attr) -> int:
    """One call, given its result. Raises :exc:`SyscallError`, :exc:`NotSupportedError`.

    A call that a signal interrupts is repeated, so that Python's signal handlers get to run.
    """
    number = _NUMBER_BY_MACHINE.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        raise NotSupportedError(
            f"bpf(2) on {sys.platform} {platform.machine()}",
            hint="the userspace kernel works everywhere",
        )
    pinned = []
    for (outer, offset), buffer in attr.nested.items():
        view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        pinned.append(view)
        struct.pack_into("=Q", attr.buffers[outer], offset, ctypes.addressof(view))
    for offset, buffer in attr.buffers.items():
        view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        pinned.append(view)
        struct.pack_into("=Q", attr.data, offset, ctypes.addressof(view) if buffer else 0)
    block = (ctypes.c_char * len(attr.data)).from_buffer(attr.data)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    code = 0
    for _ in range(_ATTEMPTS):
        result = int(libc.syscall(ctypes.c_long(number), command.value, block, len(attr.data)))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code not in _INTERRUPTED:
            break
    raise SyscallError(f"bpf({command.name})", code)


class Fd:
    """A file descriptor of a kernel object, owned: :meth:`close`, or losing it, closes it."""

    __slots__ = ("_number", "_what")

    def __init__(self, number: int, what: str) -> None:
        self._number = number
        self._what = what

    @property
    def number(self) -> int:
        """The descriptor. Raises :exc:`InputError` after :meth:`close`."""
        if self._number < 0:
            raise InputError(f"{self._what} is closed")
        return self._number

    def close(self) -> None:
        """Close; twice is harmless."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


_PROT_READ_WRITE: Final = 3
_MAP_SHARED: Final = 1
_MAP_FIXED_NOREPLACE: Final = 0x100000


def write_mapped(fd: int, size: int, data: bytes, *, address: int = 0) -> None:
    """Put ``data`` at the start of a map that is written through memory: an arena.

    All ``size`` bytes are mapped, at ``address`` if that is not 0 (Python's ``mmap`` cannot ask for
    one), and unmapped again: the pages stay the map's. Raises :exc:`SyscallError`, E2BIG for data
    that would not end within the map.
    """
    if len(data) > size:
        raise SyscallError(f"mmap of {size} bytes for {len(data)}", errno.E2BIG)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    flags = _MAP_SHARED | (_MAP_FIXED_NOREPLACE if address else 0)
    place = libc.mmap(address, size, _PROT_READ_WRITE, flags, fd, 0)
    if place in {None, ctypes.c_void_p(-1).value}:
        raise SyscallError("mmap", ctypes.get_errno())
    ctypes.memmove(place, data, len(data))
    libc.munmap(place, size)
