"""Limits against the running kernel: the largest that it takes, and one more."""

from __future__ import annotations

import errno
import struct

import pytest
from probing import EXIT, Hook, ask, insn, map_fd, mov, store

from beebox.errors import SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf
from beebox.tables import versions
from beebox.tables.limits import (
    MAX_CALL_FRAMES,
    MAX_INSNS,
    MAX_STACK_BYTES,
    MAX_SUBPROGRAMS,
    MAX_USED_MAPS,
)
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType

linux = pytest.mark.linux
XDP = Hook(ProgramType.XDP)
LIMIT = {row.name: row for row in versions.LIMITS}


@linux
def test_program_length():
    def program(count: int) -> bytes:
        return mov(0, 1) * (count - 1) + EXIT

    assert ask(XDP, program(MAX_INSNS), log_level=0).errno == 0
    assert ask(XDP, program(MAX_INSNS + 1), log_level=0).errno == errno.E2BIG


@linux
def test_stack():
    def program(size: int) -> bytes:
        return mov(0, 1) + store(8, 10, -size, 0) + EXIT

    assert ask(XDP, program(MAX_STACK_BYTES)).errno == 0
    assert "invalid write to stack" in ask(XDP, program(MAX_STACK_BYTES + 8)).log


@linux
def test_call_frames():
    def program(frames: int) -> bytes:
        # each function calls the next: three instructions per function
        return (insn(0x85, 0, 1, 0, 2) + mov(0, 1) + EXIT) * (frames - 1) + mov(0, 1) + EXIT

    assert ask(XDP, program(MAX_CALL_FRAMES)).errno == 0
    assert (
        f"the call stack of {MAX_CALL_FRAMES + 1} frames"
        in ask(XDP, program(MAX_CALL_FRAMES + 1)).log
    )


@linux
def test_subprograms():
    def program(count: int) -> bytes:
        calls = count - 1
        main = b"".join(insn(0x85, 0, 1, 0, calls - at + 1 + 2 * at) for at in range(calls))
        return main + mov(0, 1) + EXIT + (mov(0, 1) + EXIT) * calls

    assert ask(XDP, program(MAX_SUBPROGRAMS), log_level=0).errno == 0
    assert "too many subprograms" in ask(XDP, program(MAX_SUBPROGRAMS + 1)).log


@linux
def test_used_maps():
    fds = [
        Fd(bpf(Command.MAP_CREATE, attrs.map_create(MapType.ARRAY.value.id, 4, 4, 1)), "map")
        for _ in range(MAX_USED_MAPS + 1)
    ]

    def program(count: int) -> bytes:
        return b"".join(map_fd(1, fd.number) for fd in fds[:count]) + mov(0, 1) + EXIT

    assert ask(XDP, program(MAX_USED_MAPS)).errno == 0
    assert ask(XDP, program(MAX_USED_MAPS + 1)).errno == errno.E2BIG


@linux
@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, errno.EINVAL)])
def test_log(more: int, code: int):
    attr = attrs.prog_load(ProgramType.XDP.value.id, mov(0, 1) + EXIT, log_level=1, log_bytes=4096)
    size = LIMIT["log_bytes"].at(versions.NEWEST)
    assert size is not None
    struct.pack_into("=I", attr.data, 28, size + more)  # the kernel writes no more than there is
    found = 0
    try:
        Fd(bpf(Command.PROG_LOAD, attr), "probe").close()
    except SyscallError as error:
        found = error.errno or 0
    assert found == code


def test_releases_are_in_order():
    for row in versions.LIMITS:
        since = [versions.release(version) for version, _ in row.values]
        assert since == sorted(since)
        assert all(values > 0 for _, values in row.values)
    since = [versions.release(row.since) for row in versions.FEATURES]
    assert since == sorted(since)
    assert max(since) <= versions.release(versions.NEWEST)


def test_limits_by_version():
    assert LIMIT["processed_insns"].at("4.10") == 65_536
    assert LIMIT["processed_insns"].at("6.18") == MAX_INSNS
    assert LIMIT["subprograms"].at("4.15") is None
