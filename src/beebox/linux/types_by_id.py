"""BTF that lives in the kernel, by its id: of programs and maps, of the kernel and its modules."""

from __future__ import annotations

import struct

from beebox.btf import codec, kernel
from beebox.btf.types import Btf
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf


def open_id(number: int, base: Btf | None = None, door: Bpf = bpf) -> Btf:
    """The types with this id; a module's stand on ``base`` or, without one, on the kernel's.

    Raises :exc:`SyscallError` (ENOENT: no such id), :exc:`BtfError`.
    """
    fd = Fd(door(Command.BTF_GET_FD_BY_ID, attrs.get_fd_by_id(number)), f"BTF {number}")
    try:
        name_of_it = attrs.btf_get_info(fd.number)
        door(Command.OBJ_GET_INFO_BY_FD, name_of_it)
        name, of_the_kernel = attrs.btf_info(name_of_it)
        (size,) = struct.unpack_from("=I", name_of_it.buffers[8], 8)
        whole = attrs.btf_get_data(fd.number, size)
        door(Command.OBJ_GET_INFO_BY_FD, whole)
        data = bytes(whole.nested[8, 0])
    finally:
        fd.close()
    if base is None and of_the_kernel and name != "vmlinux":
        base = kernel.open_running()
    return codec.view(data, base)
