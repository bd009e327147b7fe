"""``union bpf_attr`` as include/uapi/linux/bpf.h lays it out: offsets written out by hand."""

from __future__ import annotations

import struct

import pytest

from beebox.linux import attrs
from beebox.linux.objects import possible_cpus


def u32(data: bytes | bytearray, offset: int) -> int:
    return struct.unpack_from("=I", data, offset)[0]


def test_map_create_puts_every_field_at_its_offset() -> None:
    data = attrs.map_create(5, 4, 12, 100, 1, name="counts", btf=(7, 8, 9)).data
    assert struct.unpack_from("=5I", data) == (5, 4, 12, 100, 1)
    assert bytes(data[28:44]) == b"counts".ljust(16, b"\0")
    assert [u32(data, at) for at in (48, 52, 56)] == [7, 8, 9]
    assert not any(data[20:28])
    assert not any(data[60:])


def test_map_create_of_a_kernel_type() -> None:
    data = attrs.map_create(
        26, 4, 128, 1, 0x8000, inner_fd=5, numa_node=6, extra=7, kernel_value_type=(8, 9)
    ).data
    assert [u32(data, at) for at in (16, 20, 24, 60, 72)] == [0x8000, 5, 6, 8, 9]
    assert struct.unpack_from("=Q", data, 64) == (7,)


def test_prog_load_names_what_it_attaches_to() -> None:
    attr = attrs.prog_load(
        26, bytes(8), attach_btf_id=3, attach_btf_fd=4, fd_array=(0, 7), version=0x61200
    )
    assert [u32(attr.data, at) for at in (40, 108, 112)] == [0x61200, 3, 4]
    assert attr.buffers[120] == struct.pack("=2i", 0, 7)
    assert 120 not in attrs.prog_load(6, bytes(8)).buffers


def test_pins_have_a_path_and_a_descriptor() -> None:
    attr = attrs.obj_pin("/bpf/m", 5)
    assert (attr.buffers[0], u32(attr.data, 8)) == (b"/bpf/m\0", 5)
    attr = attrs.obj_get("/bpf/m")
    assert (attr.buffers[0], bytes(attr.data)) == (b"/bpf/m\0", bytes(16))


def test_ids_are_walked() -> None:
    attr = attrs.get_next_id(4)
    struct.pack_into("=I", attr.data, 4, 9)
    assert (u32(attr.data, 0), attrs.next_id(attr)) == (4, 9)
    assert u32(attrs.get_fd_by_id(9).data, 0) == 9


def test_btf_info_has_a_name_of_its_own() -> None:
    attr = attrs.btf_get_info(3)
    assert (u32(attr.data, 0), u32(attr.data, 4), u32(attr.buffers[8], 24)) == (3, 32, 64)
    attr.nested[8, 16][:4] = b"mod\0"
    struct.pack_into("=I", attr.buffers[8], 28, 1)
    assert attrs.btf_info(attr) == ("mod", True)


def test_a_run_without_a_packet_has_a_context_alone() -> None:
    attr = attrs.prog_test_run_alone(3, b"12345678")
    assert (u32(attr.data, 0), u32(attr.data, 40), attr.buffers) == (3, 8, {48: b"12345678"})
    assert attrs.prog_test_run_alone(3, b"").buffers == {}
    struct.pack_into("=I", attr.data, 4, 42)
    assert attrs.prog_test_run_result(attr)[:2] == (42, b"")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("count", b"count"),
        (".rodata", b".rodata"),
        ("a" * 40, b"a" * 15),
        ("sp ace-é", b"sp_ace__"),
        ("", b""),
    ],
)
def test_object_names_are_what_the_kernel_takes(name: str, expected: bytes) -> None:
    assert attrs.object_name(name) == expected


def test_elem_points_to_key_and_value_and_leaves_a_null_key_null() -> None:
    attr = attrs.map_elem(3, b"key!", b"value", 2)
    assert u32(attr.data, 0) == 3
    assert struct.unpack_from("=Q", attr.data, 24) == (2,)
    assert attr.buffers == {8: b"key!", 16: b"value"}
    assert 8 not in attrs.map_elem(3, None, bytes(4)).buffers


def test_batch_counts_in_and_out() -> None:
    attr = attrs.map_batch(9, 64, bytearray(256), bytearray(512), position=bytearray(8))
    assert (u32(attr.data, 32), u32(attr.data, 36)) == (64, 9)
    assert sorted(attr.buffers) == [8, 16, 24]
    struct.pack_into("=I", attr.data, 32, 12)
    assert attrs.map_batch_count(attr) == 12


def test_prog_load_without_a_log_asks_for_none() -> None:
    attr = attrs.prog_load(6, bytes(16), name="p", attach_type=37, flags=32)
    assert struct.unpack_from("=II", attr.data) == (6, 2)
    assert (u32(attr.data, 24), u32(attr.data, 28), 32 in attr.buffers) == (0, 0, False)
    assert (u32(attr.data, 44), u32(attr.data, 68)) == (32, 37)
    assert attr.buffers[16] == b"GPL\0"
    assert attrs.prog_load_log(attr) == ""


def test_prog_load_with_log_and_debug_info() -> None:
    debug = attrs.DebugInfo(5, functions=bytes(24), lines=bytes(32))
    attr = attrs.prog_load(6, bytes(8), log_level=4, log_bytes=64, debug=debug)
    assert (u32(attr.data, 24), u32(attr.data, 28)) == (4, 64)
    assert [u32(attr.data, at) for at in (72, 76, 88, 92, 104)] == [5, 8, 3, 16, 2]
    assert sorted(attr.buffers) == [8, 16, 32, 80, 96]
    attr.buffers[32][:9] = b"processed"
    assert attrs.prog_load_log(attr) == "processed"


def test_test_run_gives_what_the_kernel_wrote_back() -> None:
    attr = attrs.prog_test_run(4, b"packet", room_bytes=32, repeat=3)
    assert (u32(attr.data, 8), u32(attr.data, 12), u32(attr.data, 32)) == (6, 32, 3)
    struct.pack_into("=I", attr.data, 4, 2)
    struct.pack_into("=I", attr.data, 12, 3)
    struct.pack_into("=I", attr.data, 36, 99)
    attr.buffers[24][:3] = b"pac"
    assert attrs.prog_test_run_result(attr) == (2, b"pac", 99, b"")


@pytest.mark.parametrize(
    ("text", "count"), [("0\n", 1), ("0-3\n", 4), ("0-1,4-7\n", 6), ("0,2,5", 3)]
)
def test_possible_cpus_reads_sysfs_lists(text: str, count: int) -> None:
    assert possible_cpus(text) == count
