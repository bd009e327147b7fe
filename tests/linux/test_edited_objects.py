"""Edited specs in the running kernel: what was changed is what it has, and code runs by it."""

from __future__ import annotations

import pytest
from c_objects import compile_c

import beebox
from beebox.api import KernelName
from beebox.errors import RejectedError
from beebox.linux.kernel import LinuxKernel
from beebox.obj import edit, reader, writer
from beebox.obj.assembly.source import read_assembly
from beebox.tables.map_types import MapType

pytestmark = pytest.mark.linux

SOURCE = """
struct { __uint(type, 1); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); }
    table SEC(".maps");
static long (*bpf_map_update_elem)(void *, const void *, const void *, __u64) = (void *)2;
const volatile __u32 limit = 1;
static __noinline int sub(int x) { asm volatile(""); return x + limit; }
SEC("?socket") int first(void *c)
{
    __u32 key = limit;
    __u64 value = 7;
    bpf_map_update_elem(&table, &key, &value, 0);
    return sub(2);
}
SEC("xdp") int second(void *c) { return sub(100000); }
"""


@pytest.mark.parametrize("written", [False, True])
def test_the_kernel_runs_what_was_edited(written):
    spec = reader.read(compile_c(SOURCE))
    spec = edit.rename_program(edit.rename_map(spec, "table", "flows"), "first", "main")
    spec = edit.change_map(edit.resize_map(spec, "flows", 3), "flows", type=MapType.LRU_HASH)
    spec = edit.rewrite_constants(spec, {"limit": 40})
    spec = edit.set_autoload(edit.set_section(spec, "main", "?tc"), "main", True)
    spec = edit.drop_program(spec, "second")
    if written:
        spec = reader.read(writer.write(spec))
    with LinuxKernel().load(spec) as loaded:
        assert set(loaded.programs) == {"main"}
        assert loaded.programs["main"].test_run(bytes(64)).retval == 42
        flows = loaded.maps["flows"]
        assert flows.lookup((40).to_bytes(4, "little")) == (7).to_bytes(8, "little")
        assert flows.spec.type is MapType.LRU_HASH


@pytest.mark.parametrize("kernel", ["userspace", "linux"])
def test_maps_that_are_not_made(kernel: KernelName) -> None:
    """Their first elements neither, and code that is never reached may name them."""
    source = """
.map jumps prog_array max_entries=2 autocreate=0
.slot jumps 0 second
.data .rodata frozen flags=rdonly_prog size=4
.section "xdp"
first:
    r1 = global[.rodata] ll
    r1 = *(u32 *)(r1 + 0)
    r0 = 2
    if r1 == 0 goto .out
    r1 = map[jumps] ll
.out:
    exit
.section "?xdp"
second:
    r0 = 1
    exit
"""
    with beebox.load(read_assembly(source), kernel=kernel) as loaded:
        assert set(loaded.maps) == {".rodata"}
        assert set(loaded.programs) == {"first"}
        assert loaded.programs["first"].test_run(bytes(64)).retval == 2
    reached = source.replace("if r1 == 0", "if r1 != 0")
    with pytest.raises(RejectedError):
        beebox.load(read_assembly(reached), kernel=kernel)
