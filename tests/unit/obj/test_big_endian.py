"""Objects for big-endian machines: the same spec as the little-endian one, but for data's bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from c_objects import compile_c

from beebox.errors import NotSupportedError
from beebox.obj import reader, writer
from beebox.obj.globals import get_global, set_global
from beebox.obj.linker import link

SOURCE = """
struct task { int pid; __u64 cookie; } __attribute__((preserve_access_index));
extern const int runqueues __ksym;
extern int LINUX_KERNEL_VERSION __kconfig;
struct pair { __u32 a; __u64 b; };
struct { __uint(type, 1); __uint(max_entries, 9); __type(key, __u32); __type(value, struct pair);
} m SEC(".maps");
int first(void *c);
struct { __uint(type, 3); __uint(max_entries, 3); __uint(key_size, 4);
         __array(values, int (void *));
} jumps SEC(".maps") = { .values = { [2] = (void *)&first } };
struct { __u32 type, key, value, max, flags; } old SEC("maps") = { 2, 4, 8, 3 };
struct ops { int (*run)(void); int number; };
SEC("struct_ops") int run(void *c) { return 0; }
SEC(".struct_ops.link") struct ops ops = { (void *)run, 7 };
const volatile __u32 limit = 0x01020304;
__u64 total = 5;
struct pair pairs[2] = { { 1, 2 }, { 3, 4 } };
static __noinline int sub(int x) { asm volatile(""); return x + 70000; }
SEC("xdp") int first(void *c)
{
    __u32 key = 0x0a0b0c0d;
    struct pair *found = bpf_map_lookup_elem(&m, &key);
    struct task *task = *(void **)c;
    total += limit + pairs[key & 1].b;
    return found ? sub(found->b) : sub(task->cookie + runqueues + LINUX_KERNEL_VERSION)
        + (bpf_map_lookup_elem(&old, &key) != 0);
}
__u32 build = 6;
__u32 kernel SEC("version") = 0x050a00;
"""


@pytest.fixture(scope="module")
def big():
    return reader.read(compile_c(SOURCE, target="bpfeb"))


@pytest.fixture(scope="module")
def little():
    return reader.read(compile_c(SOURCE, target="bpfel"))


def test_the_same_spec(big, little):
    assert (big.byte_order, little.byte_order) == ("big", "little")
    assert big.externs == little.externs
    assert big.version == little.version == 0x050A00
    assert big.license == little.license
    assert list(big.functions) == list(little.functions)
    for name, function in little.functions.items():
        assert replace(big.functions[name], variables=()) == replace(function, variables=())
    for name, row in little.maps.items():
        assert replace(big.maps[name], contents=None) == replace(row, contents=None)
    assert big.btf.types == little.btf.types


def test_values_are_those_of_the_source(big, little):
    changed = set_global(big, "limit", 0x11223344)
    assert changed.maps[".rodata"].contents == b"\x11\x22\x33\x44"
    for spec in (big, little):
        assert get_global(spec, "limit") == 0x01020304
        assert get_global(spec, "total") == 5
        assert get_global(spec, "pairs") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert get_global(changed, "limit") == 0x11223344


def test_what_little_endian_kernels_cannot_run(big):
    with pytest.raises(NotSupportedError):
        link(big, "first")


def test_written_and_read_back(big):
    data = writer.write(big)
    again = reader.read(data)
    assert again.maps == big.maps
    assert again.functions == big.functions
    assert again.externs == big.externs
    assert reader.read(writer.write(again)) == again
    assert writer.write(again) == data
