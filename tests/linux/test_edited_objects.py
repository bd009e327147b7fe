"""Edited specs in the running kernel: what was changed is what it has, and code runs by it."""

from __future__ import annotations

import pytest
from c_objects import compile_c

from beebox.linux.kernel import LinuxKernel
from beebox.obj import edit, reader, writer
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
