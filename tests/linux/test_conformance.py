"""The conformance vectors on the running kernel: the same R0, by BPF_PROG_TEST_RUN."""

from __future__ import annotations

import struct

import pytest
import vectors

from beebox.isa.assembler import assemble
from beebox.isa.codec import encode
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf

pytestmark = pytest.mark.linux

SCHED_CLS, XDP = 3, 6
ROOM = 64  # of the packet are the vector's memory, then 8 bytes for R0
AROUND = """
r6 = r1
r1 = *(u32 *)(r6 + 0)
r3 = *(u32 *)(r6 + 4)
r2 = r1
r2 += {end}
r0 = 0
if r2 > r3 goto out
{arguments}
call vector
r1 = *(u32 *)(r6 + 0)
r3 = *(u32 *)(r6 + 4)
r2 = r1
r2 += {end}
if r2 > r3 goto out
*(u64 *)(r1 + {room}) = r0
r0 = 2
out:
exit
vector:
"""


@pytest.mark.parametrize("vector", vectors.read(), ids=str)
def test_vector(vector: vectors.Vector):
    if vector.group == "packet":
        retval, _ = run(SCHED_CLS, encode(vector.insns), vector.memory)
        assert retval == vector.result
        return
    size = len(vector.memory)
    arguments = f"r2 = {size}" if size else "r1 = 0\nr2 = 0"
    head = AROUND.format(end=ROOM + 8, room=ROOM, arguments=arguments)
    code = encode(assemble(head + "exit"))[:-8] + encode(vector.insns)
    retval, out = run(XDP, code, vector.memory.ljust(ROOM + 8, b"\0"))
    assert retval == 2
    assert struct.unpack_from("<Q", out, ROOM) == (vector.result,)


def test_an_endless_loop_under_may_goto_ends():
    """By time here, by a count in userspace: both go round many times."""
    code = encode(assemble("r0 = 0\ntop:\nmay_goto out\nr0 += 1\ngoto top\nout:\nexit"))
    retval, _ = run(XDP, code, bytes(64))
    assert retval > 1000


def run(kind: int, code: bytes, data: bytes) -> tuple[int, bytes]:
    fd = Fd(bpf(Command.PROG_LOAD, attrs.prog_load(kind, code)), "program")
    try:
        attr = attrs.prog_test_run(fd.number, data, room_bytes=len(data) + 64)
        bpf(Command.PROG_TEST_RUN, attr)
        retval, out, *_ = attrs.prog_test_run_result(attr)
        return retval, out
    finally:
        fd.close()
