"""The .BTF.ext section: the three tables both ways, and malformed input."""

from __future__ import annotations

import struct

import pytest

from beebox.btf import ext
from beebox.btf.strings import Strings, StringTable
from beebox.btf.wire import swapped
from beebox.errors import BtfError

TABLES = ext.Ext(
    functions={
        "xdp": (ext.FuncRecord(0, 4),),
        ".text": (ext.FuncRecord(0, 5), ext.FuncRecord(24, 6)),
    },
    lines={"xdp": (ext.LineRecord(8, "a.py", 3, 5, "  return PASS"),)},
    core={"xdp": (ext.CoreRecord(16, 2, "0:1", 0),)},
)


def written(tables: ext.Ext) -> tuple[bytes, Strings]:
    strings = StringTable()
    data = ext.encode(tables, strings)
    return data, Strings(strings.data())


def test_both_ways() -> None:
    assert ext.parse(*written(TABLES)) == TABLES


def test_layout_of_a_line() -> None:
    """A bpf_line_info as Documentation/bpf/btf.rst draws it."""
    record = ext.LineRecord(0, "f", 3, 5, "t")
    assert ext.pack_line(record, 7, StringTable()) == struct.pack("<IIII", 7, 1, 3, 3 << 10 | 5)


def test_places_too_large_are_unknown() -> None:
    record = ext.LineRecord(0, "f", 1 << 22, 1 << 10, "t")
    assert ext.pack_line(record, 0, StringTable())[12:] == bytes(4)


def test_records_may_grow_by_zeros_only() -> None:
    strings = Strings(b"\0xdp\0")
    for tail, ok in ((bytes(4), True), (b"\1\0\0\0", False)):
        table = struct.pack("<IIIII", 12, 1, 1, 0, 4) + tail
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(table), len(table), 0)
        if ok:
            parsed = ext.parse(head + table, strings)
            assert parsed.functions == {"xdp": (ext.FuncRecord(0, 4),)}
        else:
            with pytest.raises(BtfError):
                ext.parse(head + table, strings)


@pytest.mark.parametrize("cut", range(0, 120, 3))
def test_cut_short(cut: int) -> None:
    data, strings = written(TABLES)
    with pytest.raises(BtfError):
        ext.parse(data[:cut], strings)


def test_big_endian_gives_the_same_values() -> None:
    data, strings = written(TABLES)
    big = data[1::-1] + data[2:4] + swapped(data[4:])
    assert ext.parse(big, strings) == TABLES
    with pytest.raises(BtfError):
        ext.parse(big + b"\0", strings)


@pytest.mark.parametrize(
    "tables",
    [
        ext.Ext(functions={"xdp": (ext.FuncRecord(1 << 32, 4),)}),
        ext.Ext(lines={"xdp": (ext.LineRecord(1 << 32, "a.c", 1, 1, ""),)}),
        ext.Ext(core={"xdp": (ext.CoreRecord(8, 1 << 32, "0", 0),)}),
    ],
)
def test_numbers_that_do_not_fit(tables: ext.Ext) -> None:
    with pytest.raises(BtfError):
        written(tables)
