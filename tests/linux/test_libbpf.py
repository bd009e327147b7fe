"""libbpf loads the objects that we write: maps with their first slots, programs."""

import ctypes
import ctypes.util

import pytest

from beebox.linux import attrs
from beebox.linux.syscall import Command, bpf
from beebox.obj.assembly.source import read_assembly
from beebox.obj.writer import write

SOURCE = """
.license "GPL"
.map first hash key=4 value=8 max_entries=16
.map flows array_of_maps max_entries=4
.inner flows hash key=4 value=8 max_entries=16
.map tenants hash_of_maps key=6 max_entries=4
.inner tenants array value=8 max_entries=2 flags=0x1000
.map jumps prog_array max_entries=5
.map routes lpm_trie key=8 value=4 max_entries=9 flags=1
.map seen bloom_filter value=16 max_entries=100 extra=3
.map work queue value=8 max_entries=4
.map ports devmap value=8 max_entries=4
.map recent lru_hash key=4 value=8 max_entries=4 flags=2
.map events ringbuf max_entries=4096
.slot flows 2 first
.slot jumps 0 second
.slot jumps 3 main
.section "xdp"
main:
    r2 = map[jumps] ll
    r3 = 0
    call 12
    r0 = 2
    exit
second:
    r0 = 1
    exit
"""


@pytest.fixture(scope="module")
def libbpf():
    name = ctypes.util.find_library("bpf")
    if name is None:
        pytest.skip("libbpf not found")
    library = ctypes.CDLL(name, use_errno=True)
    library.bpf_object__open_mem.restype = ctypes.c_void_p
    library.bpf_object__open_mem.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    library.bpf_object__load.argtypes = [ctypes.c_void_p]
    library.bpf_object__close.argtypes = [ctypes.c_void_p]
    library.bpf_object__find_map_fd_by_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.libbpf_set_print(None)
    return library


@pytest.mark.linux
def test_libbpf_makes_our_maps(libbpf):
    data = write(read_assembly(SOURCE))
    loaded = libbpf.bpf_object__open_mem(data, len(data), None)
    assert loaded
    try:
        assert libbpf.bpf_object__load(loaded) == 0
        fds = {
            name: libbpf.bpf_object__find_map_fd_by_name(loaded, name.encode())
            for name in ("flows", "jumps", "seen", "work", "routes", "tenants")
        }
        assert min(fds.values()) > 0
        for name, index in (("flows", 2), ("jumps", 0), ("jumps", 3)):
            attr = attrs.map_elem(fds[name], index.to_bytes(4, "little"), bytes(4))
            bpf(Command.MAP_LOOKUP_ELEM, attr)
            assert int.from_bytes(attrs.map_elem_value(attr), "little") > 0
    finally:
        libbpf.bpf_object__close(loaded)
