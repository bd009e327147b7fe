"""A loaded program's instructions as Linux rewrote them, without what differs between loads."""

from __future__ import annotations

import struct

from beebox.linux.objects import LinuxProgram
from beebox.linux.syscall import Attr, Command, bpf

_INFO_BYTES = 224
_LENGTH, _POINTER = 20, 32  # xlated_prog_len and xlated_prog_insns of struct bpf_prog_info
_LDDW = 0x18
_KERNEL_ADDRESSES = 0xFFFF  # the top of every pointer: verifiers put some into programs


def xlated(program: LinuxProgram, *, with_constants: bool = True) -> list[bytes]:
    """One entry for each slot, without addresses and the numbers of maps and BTFs.

    ``with_constants=False`` leaves out every 64-bit constant.
    """
    size = struct.unpack_from("=I", _info(program, bytearray()), _LENGTH)[0]
    code = bytearray(size)
    _info(program, code)
    slots = [bytes(code[at : at + 8]) for at in range(0, size, 8)]
    for at, slot in enumerate(slots):
        if slot[0] == _LDDW and (slot[1] >> 4 or not with_constants):
            slots[at] = slot[:4] + bytes(4)
        elif slot[0] == _LDDW and slots[at + 1][6:] == _KERNEL_ADDRESSES.to_bytes(2, "little"):
            slots[at : at + 2] = slot[:4] + bytes(4), bytes(8)
    return slots


def _info(program: LinuxProgram, code: bytearray) -> bytearray:
    info = bytearray(_INFO_BYTES)
    struct.pack_into("=I", info, _LENGTH, len(code))
    data = bytearray(16)
    struct.pack_into("=II", data, 0, program.fd, len(info))
    nested = {(8, _POINTER): code} if code else {}
    bpf(Command.OBJ_GET_INFO_BY_FD, Attr(data, {8: info}, nested))
    return info
