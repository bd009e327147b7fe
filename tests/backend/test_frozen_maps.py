"""What verifiers take for constant stays so, whichever way programs reach it."""

from __future__ import annotations

import pytest

from beebox.backend import Backend
from beebox.errors import MapError
from beebox.linux.kernel import LinuxKernel
from beebox.obj.assembly.source import read_assembly
from beebox.userspace.kernel import UserspaceKernel

KERNELS = [
    pytest.param(UserspaceKernel("jit"), id="jit"),
    pytest.param(UserspaceKernel("interpreter"), id="interpreter"),
    pytest.param(LinuxKernel(), id="linux", marks=pytest.mark.linux),
]
SOURCE = """
.data .data.x frozen size=8 {flags}
.map outer array_of_maps max_entries=1
.inner outer array key=4 value=8 max_entries=1
.slot outer 0 .data.x
.section "xdp"
main:
    *(u32 *)(r10 - 4) = 0
    r1 = map[outer] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto .out
    r1 = r0
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto .out
    *(u64 *)(r0 + 0) = 77
    r1 = global[.data.x] ll
    r0 = *(u64 *)(r1 + 0)
    if r0 == 0 goto .out
    r0 = 3
    exit
.out:
    r0 = 1
    exit
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_programs_write_to_a_frozen_map_through_another(kernel: Backend) -> None:
    with kernel.load(read_assembly(SOURCE.format(flags=""))) as loaded:
        assert loaded.programs["main"].test_run(bytes(64)).retval == 3
        assert loaded.maps[".data.x"].lookup(bytes(4)) == (77).to_bytes(8, "little")


@pytest.mark.parametrize("kernel", KERNELS)
def test_constants_are_no_inner_map_that_programs_write_to(kernel: Backend) -> None:
    with pytest.raises(MapError):
        kernel.load(read_assembly(SOURCE.format(flags="flags=rdonly_prog")))
