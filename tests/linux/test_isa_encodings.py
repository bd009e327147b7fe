"""The codec against the running kernel: the same encodings accepted, the same refused.

Every opcode, with registers, offsets and immediates at their edges, stands in a program where it
is reachable, its jumps stay inside and, as far as possible, it means something. The kernel's log
tells refused encodings from programs that are unsafe for another reason.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import pytest

from beebox.errors import DecodeError, SyscallError
from beebox.isa.assembler import assemble
from beebox.isa.codec import decode, encode
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf

pytestmark = [pytest.mark.linux, pytest.mark.slow]

SOCKET_FILTER = 1  # the one program type with packet loads
LDDW = 0x18
REGISTERS = ((0, 0), (1, 0), (0, 1), (2, 3), (10, 1), (1, 10), (11, 0), (0, 11), (15, 15))
OFFSETS = (0, 1, -1, 8, -8, 16, 32)
JUMP_OFFSETS = (0, 1, 2, -1)
IMMEDIATES = (
    *(0, 1, 2, -1, 8, 16, 17, 32, 64, 0x10000, 0x110, 0x100, 0x101),
    *(0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE0, 0xE1, 0xF1),
)
SECOND_HALVES = (
    *((0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 0, 0, -1)),
    *((0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (LDDW, 0, 0, 0, 0)),
)

REFUSED_ENCODING = re.compile(
    r"unknown opcode"
    r"|uses reserved fields"
    r"|^R\d+ is invalid"
    r"|invalid may_goto imm"
    r"|BPF_ATOMIC uses invalid atomic opcode"
    r"|invalid atomic operand size"
    r"|(invalid|unrecognized) bpf_ld_imm64 insn"
    r"|addr_space_cast insn can only convert"
)
UNSAFE = re.compile(
    r"pointer arithmetic|bitwise operator|tried to subtract pointer|frame pointer is read only"
    r"|invalid (read from|write to) stack|invalid size of register spill|misaligned"
    r"|R\d+ type=scalar expected|div by zero|invalid shift|invalid func|cannot use helper"
    r"|not pointing to valid bpf_map|fd_idx without fd_array|associated arena|pseudo btf_id"
    r"|invalid mem access"
    r"|module BTF object|jump out of range|call to invalid destination|last insn is not"
    r"|BTF for kernel function|is not a function|kernel function|old state:"
)


def test_the_codec_accepts_what_linux_accepts():
    loaded: set[int] = set()
    wrong: dict[str, list[str]] = defaultdict(list)
    for wire in candidates():
        verdict, problem = kernel_judges(program_around(wire))
        ours = accepts(wire)
        loaded |= {wire[0]} if verdict == "accepted" else set()
        known_exception = wire[0] == 0x95 and wire[2:4] != b"\0\0"  # Linux never reads it
        if verdict == "unknown":
            wrong[f"unclassified: {problem}"].append(wire.hex(" "))
        elif (verdict == "accepted" and not ours and not known_exception) or (
            verdict == "refused" and ours
        ):
            wrong[f"Linux {verdict}, ours {ours}: {problem}"].append(wire.hex(" "))
    assert {reason: wires[:3] for reason, wires in wrong.items()} == {}
    # every opcode of ours did run in the kernel: the test programs reach the candidate
    assert loaded >= {opcode for opcode in range(256) if any_accepted(opcode)}


def test_exit_with_an_offset_is_the_one_exception():
    wire = struct.pack("<BBhi", 0x95, 0, 1, 0)
    assert kernel_judges(encode(assemble("r0 = 0")) + wire)[0] == "accepted"
    assert not accepts(wire)


def candidates() -> Iterator[bytes]:
    for opcode in range(256):
        if opcode == LDDW:
            continue
        known = any_accepted(opcode)
        immediates = IMMEDIATES if opcode & 7 in (3, 4, 7) else (0, 1, 2, 5, -1, 16)
        offsets = JUMP_OFFSETS if opcode & 7 in (5, 6) else OFFSETS
        for (dst, src), offset, imm in itertools.product(
            REGISTERS if known else REGISTERS[:3], offsets, immediates
        ):
            if opcode == 0x06 and imm not in (0, 1, 2):
                continue  # the immediate is a distance
            yield struct.pack("<BBhi", opcode, src << 4 | dst, offset, imm)
    for dst, src, offset, second in itertools.product(
        (0, 1, 10, 11), range(8), (0, 1), SECOND_HALVES
    ):
        opcode, second_dst, second_src, second_offset, imm = second
        tail = struct.pack("<BBhi", opcode, second_src << 4 | second_dst, second_offset, imm)
        yield struct.pack("<BBhi", LDDW, src << 4 | dst, offset, 5) + tail


def program_around(wire: bytes) -> bytes:
    """``wire`` with initialised registers before it and every slot behind it reachable."""
    before, after = surroundings(wire[0] & 7, len(wire) // 8)
    return before + wire + after


@cache
def surroundings(cls: int, slots: int) -> tuple[bytes, bytes]:
    if cls in (1, 2, 3):  # memory: even registers point to an initialised stack
        before = [f"*(u64 *)(r10 - {at}) = 0" for at in range(8, 72, 8)]
        before += [f"r{reg} = {8 if reg % 2 else 'r10'}" for reg in range(10)]
    elif cls == 0:  # packet loads: R6 is the context
        before = ["r6 = r1", *(f"r{reg} = 8" for reg in range(10) if reg != 6)]
    else:
        before = [f"r{reg} = 8" for reg in range(10)]
    branches = [f"if r0 == 77 goto +{3 + slots}"] * 4  # to the four slots behind the candidate
    after = ["r0 = 0"] * 4 + ["exit"]
    return encode(assemble("\n".join(before + branches))), encode(assemble("\n".join(after)))


def kernel_judges(code: bytes) -> tuple[str, str]:
    attr = attrs.prog_load(SOCKET_FILTER, code, log_level=1, log_bytes=1 << 14)
    try:
        Fd(bpf(Command.PROG_LOAD, attr), "program").close()
    except SyscallError:
        log = attrs.prog_load_log(attr).splitlines()
        lines = [line for line in log if line and not line.startswith("processed ")]
        problem = lines[-1] if lines else "no reason"
    else:
        return "accepted", ""
    if REFUSED_ENCODING.search(problem):
        return "refused", problem
    return ("unsafe" if UNSAFE.search(problem) else "unknown"), problem


def accepts(wire: bytes) -> bool:
    try:
        insns = decode(wire)
    except DecodeError:
        return False
    assert encode(insns) == wire
    return True


def any_accepted(opcode: int) -> bool:
    if opcode == LDDW:
        return True
    return any(accepts(struct.pack("<BBhi", opcode, 0, 0, imm)) for imm in (0, 16, 0x100))
