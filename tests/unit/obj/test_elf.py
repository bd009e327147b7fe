"""ELF both ways without any compiler, and the bounds of reading."""

from __future__ import annotations

import struct

import pytest

from beebox.errors import ObjectError
from beebox.obj import elf
from beebox.obj.elf import Relocation, Section, SectionFlag, SectionType, Symbol, SymbolBind

CODE = Section("xdp", SectionType.PROGBITS, SectionFlag.EXECINSTR, bytes(16), align=8)
ZEROS = Section(".bss", SectionType.NOBITS, size=24, align=8)
SYMBOLS = (
    Symbol("prog", elf.SymbolType.FUNC, SymbolBind.GLOBAL, 1, 0, 16),
    Symbol("", elf.SymbolType.SECTION, SymbolBind.LOCAL, 2),
)


def small() -> bytes:
    return elf.write([CODE, ZEROS], SYMBOLS, {1: [Relocation(0, 1, 2), Relocation(8, 10, 1)]})


def test_both_ways() -> None:
    read = elf.read(small())
    assert [section.name for section in read.sections[:3]] == ["", "xdp", ".bss"]
    assert read.sections[1].contents == bytes(16)
    assert read.sections[2].contents == bytes(24)
    assert read.sections[1].is_code
    assert not read.sections[2].is_code
    names = [read.symbols[row.symbol].name for row in read.relocations[1]]
    assert names == [".bss", "prog"]


def test_local_symbols_come_first() -> None:
    """The table's sh_info is the first global symbol: ELF demands it, libbpf relies on it."""
    read = elf.read(small())
    binds = [symbol.bind for symbol in read.symbols]
    table = next(section for section in read.sections if section.type == SectionType.SYMTAB)
    assert binds == sorted(binds)
    assert table.info == 2


def test_two_sections_of_one_name() -> None:
    read = elf.read(elf.write([CODE, CODE], (), {}))
    with pytest.raises(ObjectError):
        read.find("xdp")


def patched(offset: int, fmt: str, *values: int) -> bytes:
    data = bytearray(small())
    struct.pack_into(fmt, data, offset, *values)
    return bytes(data)


def section_field(index: int, field: int, fmt: str, value: int) -> bytes:
    (table,) = struct.unpack_from("<Q", small(), 40)
    return patched(table + 64 * index + field, fmt, value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        b"MZ" + bytes(62),
        patched(4, "B", 1),  # 32-bit
        patched(5, "B", 2),  # big-endian
        patched(16, "<H", 2),  # executable
        patched(18, "<H", 62),  # x86-64
        patched(40, "<Q", 1 << 63),
        patched(58, "<H", 40),
        patched(60, "<H", 0xFFFF),
        patched(62, "<H", 99),
        section_field(1, 24, "<Q", 1 << 62),
        section_field(1, 32, "<Q", 1 << 62),
        section_field(1, 0, "<I", 1 << 31),
        section_field(2, 32, "<Q", elf.MAX_ZERO_BYTES + 1),
        section_field(3, 44, "<I", 77),
        section_field(4, 40, "<I", 77),
    ],
)
def test_malformed_files_are_refused(data: bytes) -> None:
    with pytest.raises(ObjectError):
        elf.read(data)


@pytest.mark.parametrize(
    ("magic", "word"),
    [(b"BC\xc0\xde", "bitcode"), (b"!<arch>\n", "archive"), (b"!<thin>\n", "archive")],
)
def test_what_else_compilers_call_an_object_is_named(magic: bytes, word: str) -> None:
    with pytest.raises(ObjectError, match=word):
        elf.read(magic + bytes(200))


@pytest.mark.parametrize("machine", [0, 247])
def test_old_llvm_named_no_machine(machine: int) -> None:
    assert elf.read(patched(18, "<H", machine)) == elf.read(small())


def test_sections_may_not_overlap() -> None:
    """Else a small file could stand for gigabytes."""
    rows = [Section(f"s{i}", SectionType.PROGBITS, data=bytes(64)) for i in range(64)]
    data = bytearray(elf.write(rows, (), {}))
    (table,) = struct.unpack_from("<Q", data, 40)
    for index in range(1, 65):
        struct.pack_into("<QQ", data, table + 64 * index + 24, 0, len(data) // 2)
    with pytest.raises(ObjectError):
        elf.read(bytes(data))


def test_a_null_section_has_no_size() -> None:
    """Its header may say anything; a size believed here became gigabytes when written."""
    (table,) = struct.unpack_from("<Q", small(), 40)
    data = bytearray(small())
    struct.pack_into("<I", data, table + 64 * 2 + 4, SectionType.NULL)
    struct.pack_into("<Q", data, table + 64 * 2 + 32, 1 << 63)
    assert elf.read(bytes(data)).sections[2].size == 0
