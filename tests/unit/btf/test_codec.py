"""The .BTF section against hand-made bytes, every kind both ways, and malformed input."""

from __future__ import annotations

import struct

import pytest
from c_objects import compile_c

from beebox.btf import codec, ext, wire
from beebox.btf.builder import Builder
from beebox.btf.strings import Strings, StringTable
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError
from beebox.obj.elf import read as read_elf

EVERY_KIND: tuple[Type, ...] = (
    Int("int", 4, 32, signed=True),
    Int("bool", 1, 8, boolean=True),
    Int("part", 4, 5, char=True, offset=3),
    Ptr(0),
    Ptr(5),
    Array(1, 3, 7),
    Struct("plain", 8, (Member("a", 1, 0), Member("b", 1, 32))),
    Struct("bits", 4, (Member("a", 1, 0, 3), Member("b", 1, 3, 29))),
    Struct("either", 4, (Member("a", 1, 0),), union=True),
    Enum("small", 4, (("A", 0), ("B", 0xFFFFFFFF))),
    Enum("signed", 4, (("A", -1),), signed=True),
    Enum("wide", 8, (("A", 1 << 40), ("B", (1 << 64) - 1)), is64=True),
    Enum("wide_signed", 8, (("A", -(1 << 40)),), signed=True, is64=True),
    Fwd("later"),
    Fwd("later", union=True),
    Typedef("number", 1),
    Modifier("volatile", 1),
    Modifier("const", 17),
    Modifier("restrict", 4),
    Modifier("type_tag", 1, "user"),
    Modifier("type_tag", 1, "address_space(1)", attribute=True),
    FuncProto(0, (Param("a", 1), Param("", 0))),
    Func("f", 22, Linkage.STATIC),
    Func("g", 22, Linkage.EXTERN),
    Var("v", 1, Linkage.STATIC),
    Datasec(".data", 4, (SectionVar(25, 0, 4),)),
    Float("double", 8),
    DeclTag("tag", 7, 1),
    DeclTag("attribute", 7, attribute=True),
)


def header(types: bytes, strings: bytes, **changes: int) -> bytes:
    fields = {
        "magic": 0xEB9F,
        "version": 1,
        "flags": 0,
        "hdr_len": 24,
        "type_off": 0,
        "type_len": len(types),
        "str_off": len(types),
        "str_len": len(strings),
    } | changes
    return struct.pack("<HBBIIIII", *fields.values()) + types + strings


def one(info: int, extra: int = 0, tail: bytes = b"", name: int = 0) -> bytes:
    return header(struct.pack("<III", name, info, extra) + tail, b"\0a\0")


def test_bytes_of_an_int() -> None:
    """Spelt out from Documentation/bpf/btf.rst, so that both directions cannot err together."""
    row = struct.pack("<IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    data = header(row, b"\0int\0")
    assert codec.parse(data).types == (Int("int", 4, 32, signed=True),)
    assert codec.encode(Btf((Int("int", 4, 32, signed=True),))) == data


def test_bytes_of_a_bitfield_struct() -> None:
    btf = Btf((Int("", 4, 32), Struct("", 4, (Member("a", 1, 3, 5),))))
    data = codec.encode(btf)
    assert data[40:64] == struct.pack("<IIIIII", 0, 1 << 31 | 4 << 24 | 1, 4, 1, 1, 5 << 24 | 3)


@pytest.mark.parametrize("at", range(len(EVERY_KIND)))
def test_every_kind_comes_back(at: int) -> None:
    table = Btf(EVERY_KIND)
    assert codec.parse(codec.encode(table)).types[at] == EVERY_KIND[at]


def test_known_strings_keep_their_places() -> None:
    data = header(struct.pack("<IIII", 7, 1 << 24, 4, 32), b"\0other\0int\0")
    _, strings = wire.sections(data)
    assert codec.encode(codec.parse(data), StringTable(strings.data)) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9f\xeb\x01",
        header(b"", b"\0", magic=0x9FEB),
        header(b"", b"\0", version=2),
        header(b"", b"\0", flags=1),
        header(b"", b"\0", hdr_len=16),
        header(b"", b"\0", hdr_len=1 << 31),
        header(b"", b"\0", type_len=9),
        header(b"", b"\0", str_len=0xFFFFFFFF),
        header(b"", b"a\0"),
        header(b"", b"\0a"),
        one(0),
        one(20 << 24),
        one(1 << 24),
        one(1 << 24, 3, struct.pack("<I", 24)),
        one(1 << 24, 4, struct.pack("<I", 33)),
        one(1 << 24, 4, struct.pack("<I", 1 << 28)),
        one(2 << 24, 2),
        one(2 << 24 | 1 << 16, 0),
        one(2 << 24 | 1 << 31, 0),
        one(4 << 24 | 0xFFFF, 0),
        one(8 << 24, 0, name=99),
        one(12 << 24 | 3, 0),
        one(14 << 24, 0, struct.pack("<I", 3)),
        one(2 << 24, 0, b"\0\0\0"),
    ],
)
def test_malformed_input_is_refused(data: bytes) -> None:
    with pytest.raises(BtfError):
        codec.parse(data)


def test_the_error_names_the_type() -> None:
    good = struct.pack("<III", 0, 2 << 24, 0)
    with pytest.raises(BtfError) as caught:
        codec.parse(header(good + struct.pack("<III", 0, 2 << 24, 7), b"\0"))
    assert caught.value.type_id == 2


@pytest.mark.parametrize(
    "row",
    [
        Array(0, 0, 1 << 32),
        Int("int", 4, 1 << 32),
        Struct("s", 4, (Member("a", 0, 1 << 24, 1),)),
        Fwd("a\0b"),
        Modifier("atomic", 0),
        Enum("many", 4, (("a", 0),) * 0x10000),
    ],
)
def test_what_does_not_fit_is_not_written(row: Type) -> None:
    with pytest.raises(BtfError):
        codec.encode(Btf((row,)))


def test_overlapping_strings_are_bounded() -> None:
    strings = Strings(b"\0" + b"a" * 100_000 + b"\0")
    with pytest.raises(BtfError):
        list(map(strings.name, range(1, 100_000)))


def test_builder_shares_equal_rows() -> None:
    builder = Builder()
    assert builder.unsigned(4) == builder.unsigned(4)
    assert builder.array(builder.unsigned(1), 6) == builder.bytes(6)
    first = builder.section(".maps", 8, ())
    assert builder.section(".maps", 16, ()) == first
    assert builder.build().type(first) == Datasec(".maps", 16, ())


def test_builder_refuses_unknown_references() -> None:
    with pytest.raises(BtfError):
        Builder().pointer(5)
    with pytest.raises(BtfError):
        Builder().unsigned(3)


def test_clang_writes_the_same_types_in_both_byte_orders() -> None:
    """Types, and what .BTF.ext says of functions, CO-RE and lines (of code that differs)."""
    text = """
    struct s { int a : 3; long b[4]; enum { A, B = -2 } e; struct s *next; };
    struct s global __tag("x");
    SEC("tc") int prog(struct s *s) { return __builtin_preserve_access_index(s->next->a); }
    """
    found = []
    for target in ("bpfel", "bpfeb"):
        sections = {
            s.name: bytes(s.contents) for s in read_elf(compile_c(text, target=target)).sections
        }
        btf = codec.parse(sections[".BTF"])
        assert btf.strings is not None
        assert codec.view(sections[".BTF"]) == btf
        found.append((btf, ext.parse(sections[".BTF.ext"], btf.strings)))
    (little, one), (big, other) = found
    assert little == big
    assert (one.functions, one.core) == (other.functions, other.core)
    assert one.core
    assert {line.line for line in other.lines["tc"]} == {line.line for line in one.lines["tc"]}
