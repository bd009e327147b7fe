"""The language in CPython: integers, structs and maps behave as the compiled program does."""

from __future__ import annotations

import inspect

import pytest

import beebox
from beebox.compiler import dialect, stubs, stubs_kernel, stubs_skb
from beebox.compiler.contexts import whole
from beebox.compiler.helper_names import MAP_SYNTAX, PACKET_PROGRAMS, SPELLED, WITHOUT, expressible
from beebox.compiler.integers import i32, u8, u16, u32, u64
from beebox.compiler.intrinsics import INTRINSICS, Operation
from beebox.compiler.resolver import DIALECT, LANGUAGE
from beebox.lib.checksum import csum_replace16, csum_replace32
from beebox.lib.net import ethhdr, iphdr, ipv6hdr, lpm_ipv4, tcphdr, udphdr
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, ArgKind


def test_arithmetic_wraps_to_the_wider_side():
    assert u8(250) + 10 == 4
    assert type(u8(1) + u32(1)) is u32
    assert u32(0) - 1 == 0xFFFFFFFF
    assert u64(1) << 65 == 2  # counts are masked
    assert u32(7) // 0 == 0
    assert u32(7) % 0 == 7
    assert i32(-8) >> 1 == -4
    assert ~u16(0) == 0xFFFF


def test_what_the_compiler_refuses_fails_here_too():
    with pytest.raises(TypeError, match="mix signs"):
        u32(1) + i32(1)
    with pytest.raises(TypeError, match="//"):
        u32(1) / 2
    with pytest.raises(TypeError, match="signed"):
        i32(-7) // 2


def test_header_sizes_are_those_on_the_wire():
    sizes = [beebox.sizeof(header) for header in (ethhdr, iphdr, ipv6hdr, tcphdr, udphdr)]
    assert sizes == [14, 20, 40, 20, 8]


def test_structs_view_the_packet_in_network_order():
    ctx = beebox.XdpContext(bytes(12) + b"\x08\x00" + bytes([0x45] + [0] * 19))
    eth, ip = ctx.packet(ethhdr), ctx.packet(iphdr, 14)
    assert eth.h_proto == 0x0800
    ip.saddr = 0x0A000001
    assert ctx.data[26:30] == b"\x0a\x00\x00\x01"
    assert ctx.packet(iphdr, 15) is None


def test_maps_copy_and_arrays_have_every_key():
    table = beebox.Array[beebox.u64](max_entries=2)
    assert (table[1], table[2]) == (0, None)
    hits = beebox.Hash[beebox.u32, beebox.u64](max_entries=1)
    hits[5] = 1
    hits[6] = 1  # full: as in BPF, nothing happens
    beebox.atomic(hits)[5] += 2
    beebox.atomic(hits)[6] += 2
    assert {key: hits[key] for key in hits} == {5: 3}


def test_every_helper_of_packet_programs_is_a_function_or_listed():
    own = {
        name
        for module in (stubs, stubs_kernel, stubs_skb)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name in SPELLED
    }
    assert own == SPELLED.keys()
    packet = {row.name for row in HELPERS.values() if row.program_types & PACKET_PROGRAMS}
    left_out = {name for name in packet if not expressible(HELPER_BY_NAME[name])}
    assert packet == own | MAP_SYNTAX | WITHOUT.keys() | left_out
    assert not (own & (MAP_SYNTAX | WITHOUT.keys()))


def test_stubs_take_what_the_table_says():
    for name, helper in SPELLED.items():
        if helper.variadic or name == "get_cgroup_classid":  # with ctx in some programs only
            continue
        wanted = [
            arg.name
            for arg in helper.args
            if arg.kind not in {ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO}
        ]
        assert list(inspect.signature(getattr(beebox, name)).parameters) == wanted, name


def test_what_only_a_kernel_can_do_says_so():
    with pytest.raises(NotImplementedError, match="fib_lookup"):
        beebox.fib_lookup(beebox.XdpContext(b""), beebox.zeroed(beebox.bpf_fib_lookup), 0)


def test_every_language_name_can_be_imported_from_beebox():
    assert {name for name in LANGUAGE if not hasattr(beebox, name)} == set()


def test_the_dialect_declares_every_intrinsic():
    spelled = {Operation.OFFSET, Operation.DISTANCE}  # p + n, p - q
    named = {name for name, row in INTRINSICS.items() if row.operation not in spelled}
    assert {name for name in named if not hasattr(dialect, name)} == set()
    assert {name for name in DIALECT if not hasattr(dialect, name)} == {"offset", "distance"}


def test_maps_give_the_errno_of_the_kernel():
    table = beebox.Hash[beebox.u32, beebox.u64](max_entries=1)
    flags = beebox.UpdateFlags
    assert table.update(1, 5, flags.EXIST) == -2
    assert table.update(1, 5, flags.NOEXIST) == 0
    assert table.update(1, 6, flags.NOEXIST) == -17
    assert table.update(2, 6) == -7
    assert (table.delete(1), table.delete(1)) == (0, -2)
    assert beebox.Array[beebox.u64](max_entries=1).update(1, 1) == -7


def test_an_lru_forgets_what_was_not_used():
    table = beebox.LruHash[beebox.u32, beebox.u64](max_entries=2)
    table[1] = table[2] = 5
    assert table[1] == 5
    table[3] = 5
    assert sorted(table) == [1, 3]


def test_the_longest_prefix_answers():
    table = beebox.LpmTrie[lpm_ipv4, beebox.u32](max_entries=8)
    for prefix, bits in (("10.0.0.0", 8), ("10.1.0.0", 16), ("10.1.0.77", 16)):
        table[lpm_ipv4(prefixlen=bits, addr=beebox.ipv4(prefix))] = bits + len(table)
    answers = [
        table[lpm_ipv4(prefixlen=32, addr=beebox.ipv4(address))]
        for address in ("10.1.2.3", "10.2.0.0", "11.0.0.0")
    ]
    assert answers == [18, 8, None]
    assert table.update(lpm_ipv4(prefixlen=33), 1) == -22


def test_queues_and_stacks():
    queue, stack = (kind[beebox.u32](max_entries=2) for kind in (beebox.Queue, beebox.Stack))
    for held in (queue, stack):
        assert [held.push(1), held.push(2), held.push(3)] == [0, 0, -7]
        assert held.push(4, beebox.UpdateFlags.EXIST) == 0
    assert [queue.peek(), queue.pop(), queue.pop(), queue.pop()] == [2, 2, 4, None]
    assert [stack.peek(), stack.pop(), stack.pop(), stack.pop()] == [4, 4, 2, None]


def test_atomics_give_the_old_value():
    total = beebox.Global(beebox.u32(6))
    cell = beebox.atomic(total).value
    assert [cell.fetch_or(1), cell.fetch_and(5), cell.fetch_xor(1), cell.exchange(9)] == [
        6,
        7,
        5,
        4,
    ]
    assert [cell.compare_exchange(1, 2), cell.compare_exchange(9, 2), cell.fetch_sub(3)] == [
        9,
        9,
        2,
    ]
    assert total.value == 0xFFFFFFFF


def test_an_skb_has_the_fields_of_its_struct():
    ctx = beebox.SkbContext(bytes(40), protocol=0x0800, mark=1 << 40)
    assert (ctx.protocol, ctx.mark, ctx.len, ctx.cb[4]) == (0x0800, 0, 40, 0)
    ctx.cb[4] = 1 << 33 | 5
    assert ctx.cb[4] == 5
    shown = {field.name for field in whole("__sk_buff").fields if field.kind is FieldKind.SCALAR}
    assert {name for name in shown if not hasattr(ctx, name)} == set()
    with pytest.raises(TypeError, match="colour"):
        beebox.SkbContext(b"", colour=1)


@beebox.struct
class Extent:
    start: u32
    size: u32
    memory: u16
    offsets: u8
    align: u8 = 3


def test_a_field_may_have_any_name():
    extent = Extent(start=1, size=2, memory=3, offsets=4)
    extent.size += 5
    held = beebox.Hash[Extent, Extent](max_entries=4)
    held[extent] = extent
    found = held[beebox.copied(extent)]
    assert found == extent
    assert (found.start, found.size, found.memory, found.offsets, found.align) == (1, 7, 3, 4, 3)
    assert bytes(found) == bytes.fromhex("01000000 07000000 0300 04 03")
    assert repr(found).startswith("Extent(start=")
    ctx = beebox.XdpContext(bytes(range(12)))
    assert stubs.xdp_load_bytes(ctx, 0, extent) == 0
    assert bytes(extent) == bytes(range(12))


def test_checksums_take_plain_numbers():
    for check, old, new in ((0xCDB6, 0x0800, 0), (0, 0xFFFF, 1), (0xFFFF, 0, 0xFFFF)):
        wide = csum_replace16(u16(check), u16(old), u16(new))
        assert csum_replace16(check, old, new) == wide
        assert csum_replace32(check, old, new) == csum_replace32(u16(check), u32(old), u32(new))
    assert csum_replace16(0xCDB6, 0x0800, 0) == 0xD5B6
