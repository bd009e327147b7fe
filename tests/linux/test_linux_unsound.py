"""Where the running kernel's verifier is wrong and ours is not, shown by a run that harms nothing.

A test that fails here says that the kernel was mended: then our verdict may follow it.
"""

from __future__ import annotations

import pytest

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.kernel import UserspaceKernel

pytestmark = pytest.mark.linux

_SIGN_EXTENDING_FILL = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 4
r0 = 0
if r4 > r3 goto out
r1 = *(u32 *)(r2 + 0)
*(u64 *)(r10 - 8) = r1
r4 = *(s32 *)(r10 - 8)
r0 = 2
if r4 s>= 0 goto out
if r1 s<= 0 goto out
r0 = 1
out:
exit
"""
"""R4 is negative where bit 31 of R1 is set, and R1 is positive then: the program returns 1."""


def test_a_sign_extending_fill_is_linked_with_what_was_spilled():
    """Linux holds R1 for R4, removes the branch that it excludes, and returns 2."""
    function = FunctionSpec("main", "xdp", assemble(_SIGN_EXTENDING_FILL), is_global=True)
    spec = ObjectSpec({"main": function}, {}, license="GPL")
    frame = b"\x01\0\0\x80" + bytes(60)
    with UserspaceKernel().load(spec) as live:
        assert live.programs["main"].test_run(frame).retval == 1
    with LinuxKernel().load(spec) as live:
        assert live.programs["main"].test_run(frame).retval == 2
