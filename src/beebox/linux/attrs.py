"""``union bpf_attr`` for each command, packed: pure functions, one per command.

Offsets are those of include/uapi/linux/bpf.h. What the kernel writes back is read by the
``*_result`` function beside the command's.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from beebox.linux.syscall import Attr
from beebox.tables.limits import OBJECT_NAME_BYTES

_MAP_NAME: Final = struct.Struct(f"={OBJECT_NAME_BYTES}s")


def object_name(name: str) -> bytes:
    """``name`` as the kernel takes it: 15 ASCII letters, digits, ``_`` and ``.`` at most."""
    legal = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name)
    return legal.encode()[: OBJECT_NAME_BYTES - 1]


def map_create(
    type_id: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    *,
    name: str = "",
    btf: tuple[int, int, int] = (0, 0, 0),
    inner_fd: int = 0,
    extra: int = 0,
    numa_node: int = 0,
    kernel_value_type: tuple[int, int] = (0, 0),
) -> Attr:
    """BPF_MAP_CREATE; ``btf`` is (fd, key type id, value type id), ``extra`` map_extra.

    ``kernel_value_type`` is, of a struct_ops map, (id in the kernel's BTF, fd of the module's BTF
    or 0): its flag VTYPE_BTF_OBJ_FD is the caller's to set.
    """
    data = bytearray(80)
    struct.pack_into(
        "=7I", data, 0, type_id, key_size, value_size, max_entries, flags, inner_fd, numa_node
    )
    _MAP_NAME.pack_into(data, 28, object_name(name))
    struct.pack_into("=4I", data, 48, *btf, kernel_value_type[0])
    struct.pack_into("=QI", data, 64, extra, kernel_value_type[1])
    return Attr(data)


def map_elem(fd: int, key: bytes | None, value: bytes | bytearray = b"", flags: int = 0) -> Attr:
    """BPF_MAP_{LOOKUP,UPDATE,DELETE}_ELEM and, with ``value`` as room, GET_NEXT_KEY.

    ``key`` None is the NULL that GET_NEXT_KEY starts from.
    """
    data = bytearray(32)
    struct.pack_into("=I", data, 0, fd)
    struct.pack_into("=Q", data, 24, flags)
    buffers = {} if key is None else {8: bytearray(key)}
    if value:
        buffers[16] = bytearray(value)
    return Attr(data, buffers)


def map_elem_value(attr: Attr) -> bytes:
    """The value (or next key) that the kernel wrote."""
    return bytes(attr.buffers[16])


def map_freeze(fd: int) -> Attr:
    """BPF_MAP_FREEZE: user space may write no more."""
    return Attr(bytearray(struct.pack("=I", fd)))


def map_batch(
    fd: int,
    count: int,
    keys: bytearray,
    values: bytearray,
    *,
    start: bytearray | None = None,
    position: bytearray | None = None,
) -> Attr:
    """BPF_MAP_{LOOKUP,UPDATE}_BATCH.

    A lookup reads from ``start`` (None: the beginning) and leaves in ``position`` where to go on;
    an update takes neither.
    """
    data = bytearray(56)
    struct.pack_into("=II", data, 32, count, fd)
    buffers = {16: keys, 24: values}
    if start is not None:
        buffers[0] = start
    if position is not None:
        buffers[8] = position
    return Attr(data, buffers)


def map_batch_count(attr: Attr) -> int:
    """How many elements the kernel went through, also when the call failed with ENOENT."""
    count: int = struct.unpack_from("=I", attr.data, 32)[0]
    return count


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """What explains a program to the kernel: a BTF's fd, func_info and line_info records."""

    btf_fd: int
    functions: bytes = b""
    lines: bytes = b""


_FUNC_INFO_BYTES: Final = 8
_LINE_INFO_BYTES: Final = 16


def prog_load(
    type_id: int,
    code: bytes,
    *,
    license_name: str = "GPL",
    name: str = "",
    attach_type: int = 0,
    flags: int = 0,
    log_level: int = 0,
    log_bytes: int = 0,
    debug: DebugInfo | None = None,
    attach_btf_id: int = 0,
    attach_btf_fd: int = 0,
    fd_array: Sequence[int] = (),
    version: int = 0,
) -> Attr:
    """BPF_PROG_LOAD; ``log_level`` 0 asks for no log.

    ``attach_btf_id`` is one of the kernel's BTF or, with ``attach_btf_fd``, of a module's.
    ``fd_array`` holds the BTFs that kfunc calls name by index, ``version`` is kern_version.
    """
    data = bytearray(128)
    struct.pack_into("=II", data, 0, type_id, len(code) // 8)
    struct.pack_into("=II", data, 24, log_level, log_bytes if log_level else 0)
    struct.pack_into("=II", data, 40, version, flags)
    _MAP_NAME.pack_into(data, 48, object_name(name))
    struct.pack_into("=I", data, 68, attach_type)
    struct.pack_into("=II", data, 108, attach_btf_id, attach_btf_fd)
    buffers = {8: bytearray(code), 16: bytearray(license_name.encode() + b"\0")}
    if log_level:
        buffers[32] = bytearray(log_bytes)
    if fd_array:
        buffers[120] = bytearray(struct.pack(f"={len(fd_array)}i", *fd_array))
    if debug is not None:
        struct.pack_into("=I", data, 72, debug.btf_fd)
        if debug.functions:
            struct.pack_into("=I", data, 76, _FUNC_INFO_BYTES)
            struct.pack_into("=I", data, 88, len(debug.functions) // _FUNC_INFO_BYTES)
            buffers[80] = bytearray(debug.functions)
        if debug.lines:
            struct.pack_into("=I", data, 92, _LINE_INFO_BYTES)
            struct.pack_into("=I", data, 104, len(debug.lines) // _LINE_INFO_BYTES)
            buffers[96] = bytearray(debug.lines)
    return Attr(data, buffers)


def prog_load_log(attr: Attr) -> str:
    """The verifier's log after BPF_PROG_LOAD, whatever its result."""
    return _text(attr.buffers.get(32, bytearray()))


def btf_load(btf: bytes, *, log_bytes: int = 0) -> Attr:
    """BPF_BTF_LOAD, with a log when ``log_bytes`` is not 0."""
    data = bytearray(28)
    struct.pack_into("=III", data, 16, len(btf), log_bytes, 1 if log_bytes else 0)
    buffers = {0: bytearray(btf)}
    if log_bytes:
        buffers[8] = bytearray(log_bytes)
    return Attr(data, buffers)


def btf_load_log(attr: Attr) -> str:
    """The BTF checker's log."""
    return _text(attr.buffers.get(8, bytearray()))


def prog_test_run(
    fd: int,
    packet: bytes,
    *,
    room_bytes: int,
    repeat: int = 1,
    context: bytes | None = None,
    flags: int = 0,
) -> Attr:
    """BPF_PROG_TEST_RUN over ``packet``; ``room_bytes`` is kept for the packet after it.

    ``context`` is the uapi context struct to start from, of which as many bytes come back.
    """
    data = bytearray(80)
    struct.pack_into("=IIII", data, 0, fd, 0, len(packet), room_bytes)
    struct.pack_into("=I", data, 32, repeat)
    buffers = {16: bytearray(packet), 24: bytearray(room_bytes)}
    if context is not None:
        struct.pack_into("=II", data, 40, len(context), len(context))
        buffers[48] = bytearray(context)
        buffers[56] = bytearray(len(context))
    struct.pack_into("=I", data, 64, flags)
    return Attr(data, buffers)


def prog_test_run_alone(fd: int, context: bytes) -> Attr:
    """BPF_PROG_TEST_RUN of a program that takes no packet; ``context`` is changed in place."""
    data = bytearray(80)
    struct.pack_into("=I", data, 0, fd)
    if not context:
        return Attr(data)
    struct.pack_into("=I", data, 40, len(context))
    return Attr(data, {48: bytearray(context)})


def prog_test_run_result(attr: Attr) -> tuple[int, bytes, int, bytes]:
    """``(retval, packet after the last run, mean ns per run, context after it)``."""
    retval, _, size = struct.unpack_from("=III", attr.data, 4)
    duration: int = struct.unpack_from("=I", attr.data, 36)[0]
    context_size: int = struct.unpack_from("=I", attr.data, 44)[0]
    context = bytes(attr.buffers.get(56, b"")[:context_size])
    return retval, bytes(attr.buffers.get(24, b"")[:size]), duration, context


def obj_pin(path: str, fd: int) -> Attr:
    """BPF_OBJ_PIN: give the object a name in a BPF file system."""
    data = bytearray(16)
    struct.pack_into("=I", data, 8, fd)
    return Attr(data, {0: bytearray(os.fsencode(path) + b"\0")})


def obj_get(path: str) -> Attr:
    """BPF_OBJ_GET: a descriptor of what is pinned at ``path``."""
    return Attr(bytearray(16), {0: bytearray(os.fsencode(path) + b"\0")})


def get_next_id(start: int) -> Attr:
    """BPF_{PROG,MAP,BTF}_GET_NEXT_ID: the first id above ``start``; see :func:`next_id`."""
    return Attr(bytearray(struct.pack("=III", start, 0, 0)))


def next_id(attr: Attr) -> int:
    """The id that the kernel found."""
    found: int = struct.unpack_from("=I", attr.data, 4)[0]
    return found


def get_fd_by_id(number: int) -> Attr:
    """BPF_{PROG,MAP,BTF}_GET_FD_BY_ID."""
    return Attr(bytearray(struct.pack("=III", number, 0, 0)))


def btf_get_info(fd: int, *, name_bytes: int = 64) -> Attr:
    """BPF_OBJ_GET_INFO_BY_FD of a BTF: its name comes back; see :func:`btf_info`."""
    info = bytearray(32)
    struct.pack_into("=I", info, 24, name_bytes)
    data = bytearray(16)
    struct.pack_into("=II", data, 0, fd, len(info))
    return Attr(data, {8: info}, {(8, 16): bytearray(name_bytes)})


def btf_get_data(fd: int, size: int) -> Attr:
    """BPF_OBJ_GET_INFO_BY_FD of a BTF: its ``size`` bytes come back in ``nested[8, 0]``."""
    info = bytearray(32)
    struct.pack_into("=I", info, 8, size)
    data = bytearray(16)
    struct.pack_into("=II", data, 0, fd, len(info))
    return Attr(data, {8: info}, {(8, 0): bytearray(size)})


def btf_info(attr: Attr) -> tuple[str, bool]:
    """``(name, whether it is the kernel's or a module's own)``; programs' BTF has no name."""
    kernel: int = struct.unpack_from("=I", attr.buffers[8], 28)[0]
    return _text(attr.nested[8, 16]), bool(kernel)


def obj_get_info(fd: int, size: int) -> Attr:
    """BPF_OBJ_GET_INFO_BY_FD with ``size`` bytes of room for the kind's info struct."""
    data = bytearray(16)
    struct.pack_into("=II", data, 0, fd, size)
    return Attr(data, {8: bytearray(size)})


def _text(log: bytearray) -> str:
    return bytes(log).partition(b"\0")[0].decode("utf-8", "replace")
