"""One object from several, before any target is known: ``beebox gen object``.

Works on ELF, not on specs: names of static functions may repeat, externs may stay open for a later
link, and what no loader of ours knows is carried along. Sections of one name are put one behind
the other, aligned; code that lost to a stronger definition stays and is nobody's. Loaders and
either linker take the result as any other object. Source: libbpf's linker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from beebox.btf import codec, ext
from beebox.btf.strings import StringTable
from beebox.errors import LinkError, ObjectError
from beebox.obj import variables
from beebox.obj.code import VariableNames, decode_function, find_functions
from beebox.obj.elf import (
    ByteOrder,
    Elf,
    Relocation,
    RelocationType,
    Section,
    SectionType,
    SymbolType,
)
from beebox.obj.elf import write as write_elf
from beebox.obj.externs import EXTERN_SECTIONS
from beebox.obj.model import VarRange
from beebox.obj.relocations import Function
from beebox.obj.static_linker.inputs import Input, open_input
from beebox.obj.static_linker.symbols import Chunk, SymbolTable
from beebox.obj.static_linker.types import merged

_ONCE: Final = ("license", "version")
"""Sections that every object may bring, and that must then say the same."""

_CALL: Final = 0x85
_MOST_PADDING: Final = 1 << 24  # no program has a need for it, malformed sections have
_OF_CODE: Final[dict[int, int]] = {RelocationType.LDIMM64: 4, RelocationType.CALL32: 4}
_OF_DATA: Final[dict[int, int]] = {RelocationType.ABS64: 8, RelocationType.ABS32: 4}
"""Bytes of what a relocation completes; of an instruction, its immediate."""


@dataclass(frozen=True, slots=True)
class Linked:
    """The object that several make, and the externs that none of them defines."""

    data: bytes = field(repr=False)
    unresolved: tuple[str, ...]
    """Not among them: what ``.ksyms`` and ``.kconfig`` leave to the kernel."""


def link_objects(inputs: Sequence[tuple[str, bytes]]) -> Linked:
    """One object from the ELF objects ``inputs``: of each a name for errors and the bytes.

    Raises :exc:`LinkError` where two of them do not fit together, :exc:`ObjectError` or
    :exc:`BtfError` for one that is malformed.
    """
    if not inputs:
        raise ObjectError("there is nothing to link")
    linker = _Linker()
    for file, data in inputs:
        linker.add(open_input(data, file=file))
    return linker.finish()


@dataclass
class _Output:
    """A section being put together."""

    name: str
    type: int
    flags: int
    entry_size: int
    first: Input
    align: int = 1
    size: int = 0
    data: bytearray = field(default_factory=bytearray)


class _Linker:
    def __init__(self) -> None:
        self._sections: list[_Output] = []
        self._by_name: dict[str, int] = {}
        self._symbols = SymbolTable()
        self._chunks: dict[Input, dict[int, Chunk]] = {}
        self._relocations: dict[int, list[Relocation]] = {}
        self._order: ByteOrder = "little"
        self._padding = 0

    def add(self, given: Input) -> None:
        """Put ``given`` behind what is there."""
        if self._chunks and given.elf.byte_order != self._order:
            problem = f"the byte orders differ: {self._order} and {given.elf.byte_order}"
            first = next(iter(self._chunks))
            raise LinkError(problem, name="byte order", files=(first.file, given.file))
        self._order = given.elf.byte_order
        chunks: dict[int, Chunk] = {}
        for index, section in given.kept_sections().items():
            if section.name == variables.SECTION:
                continue
            chunk = self._place(given, section)
            if chunk is not None:
                chunks[index] = chunk
        self._chunks[given] = chunks
        symbols = self._symbols.add(given, chunks)
        for index, rows in given.elf.relocations.items():
            if index in chunks:
                self._relocate(given, chunks, index, rows, symbols)

    def _place(self, given: Input, section: Section) -> Chunk | None:
        """Where ``section`` goes; None when the same one is already there."""
        at = self._by_name.get(section.name)
        if at is None:
            row = _Output(section.name, section.type, section.flags, section.entry_size, given)
            self._sections.append(row)
            at = self._by_name[section.name] = len(self._sections)
        row = self._sections[at - 1]
        if row.first is not given:
            self._check_same(row, given, section)
            if section.name in _ONCE:
                return None
        if section.align > 1 and section.align & section.align - 1:
            problem = f"an alignment of {section.align}"
            raise ObjectError(problem, file=given.file, section=section.name)
        row.align = max(row.align, section.align)
        start = row.size + -row.size % row.align
        self._padding += start - row.size + section.align
        if self._padding > _MOST_PADDING:
            problem = f"an alignment of {section.align} takes too much room"
            raise ObjectError(problem, file=given.file, section=section.name)
        if section.type != SectionType.NOBITS:
            row.data += bytes(start - len(row.data)) + section.contents
        row.size = start + section.size
        return Chunk(at, start)

    def _check_same(self, row: _Output, given: Input, section: Section) -> None:
        """Sections of one name are of one kind; a license is also of one text."""
        files = (row.first.file, given.file)
        for what in ("type", "flags", "entry_size"):
            ours, theirs = getattr(row, what), getattr(section, what)
            if ours != theirs:
                problem = f"the {what} of the sections differ: {ours:#x} and {theirs:#x}"
                raise LinkError(problem, name=section.name, files=files)
        if section.name in _ONCE and bytes(row.data) != section.contents:
            texts = [bytes(data).rstrip(b"\0") for data in (row.data, section.contents)]
            shown = " and ".join(repr(text.decode(errors="backslashreplace")) for text in texts)
            raise LinkError(f"the sections differ: {shown}", name=section.name, files=files)

    def _relocate(
        self,
        given: Input,
        chunks: Mapping[int, Chunk],
        index: int,
        rows: Sequence[Relocation],
        symbols: Mapping[int, int],
    ) -> None:
        chunk = chunks[index]
        section = given.elf.sections[index]
        out = self._relocations.setdefault(chunk.section, [])
        for row in rows:
            symbol = given.elf.symbols[row.symbol]
            width = (_OF_CODE if section.is_code else _OF_DATA).get(row.type, 0)
            start = row.offset + (4 if section.is_code else 0)
            is_aligned = not section.is_code or row.offset % 8 == 0
            if not width or not is_aligned or start + width > len(section.data):
                problem = f"relocation of type {row.type} does not link here"
                raise ObjectError(problem, file=given.file, section=section.name, offset=row.offset)
            if row.symbol not in symbols:
                problem = f"{symbol.name!r} is in a section that is not linked"
                raise ObjectError(problem, file=given.file, section=section.name, offset=row.offset)
            if symbol.type == SymbolType.SECTION:
                self._move(
                    chunk, start, width, chunks[symbol.section].start, is_code=section.is_code
                )
            out.append(Relocation(chunk.start + row.offset, row.type, symbols[row.symbol]))

    def _move(self, chunk: Chunk, start: int, width: int, by: int, *, is_code: bool) -> None:
        """A reference by section and offset: the section's part begins later now."""
        data = self._sections[chunk.section - 1].data
        at = chunk.start + start
        if is_code and data[at - 4] == _CALL:
            by //= 8
        value = int.from_bytes(data[at : at + width], self._order) + by
        data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, self._order)

    def finish(self) -> Linked:
        """The object so far."""
        sections = self._finished()
        if any(given.btf for given in self._chunks):
            sections += self._types()
        if encoded := variables.encode(self._variables()):
            sections.append(Section(variables.SECTION, SectionType.PROGBITS, data=encoded))
        data = write_elf(sections, self._symbols.symbols, self._relocations, byte_order=self._order)
        unresolved = tuple(
            name
            for name, row in self._symbols.globals.items()
            if not row.is_defined and row.section not in EXTERN_SECTIONS
        )
        return Linked(data, unresolved)

    def _finished(self) -> list[Section]:
        return [
            Section(
                row.name,
                row.type,
                row.flags,
                bytes(row.data),
                row.size,
                align=row.align,
                entry_size=row.entry_size,
            )
            for row in self._sections
        ]

    def _types(self) -> list[Section]:
        by_name = {
            given: {given.elf.sections[at].name: chunk for at, chunk in chunks.items()}
            for given, chunks in self._chunks.items()
        }
        sizes = {row.name: row.size for row in self._sections}
        btf, records = merged(by_name, self._symbols.globals, sizes)
        strings = StringTable()
        encoded = ext.encode(records, strings, self._order)
        types = codec.encode(btf, strings, self._order)
        found = [Section(".BTF", SectionType.PROGBITS, data=types, align=4)]
        if records.functions or records.lines or records.core:
            found.append(Section(".BTF.ext", SectionType.PROGBITS, data=encoded, align=4))
        return found

    def _variables(self) -> dict[str, tuple[VarRange, ...]]:
        """Names of variables, by the names that readers of the output give its functions."""
        sections = [Section("", SectionType.NULL), *self._finished()]
        output = Elf(tuple(sections), tuple(self._symbols.symbols), {}, self._order)
        places = {
            (row.section, row.start): row.name for row in _functions(output, "the linked object")
        }
        found: dict[str, tuple[VarRange, ...]] = {}
        for given, chunks in self._chunks.items():
            functions = [row for row in _functions(given.elf, given.file) if row.section in chunks]
            named = VariableNames(given.elf, functions, partial(decode_function, given.elf))
            for row in functions:
                chunk = chunks[row.section]
                name = places.get((chunk.section, chunk.start + row.start))
                rows = named.of(row) if name is not None else ()
                if name is not None and rows:
                    found[name] = rows
        return found


def _functions(elf: Elf, file: str) -> tuple[Function, ...]:
    """None of code that no reader takes: what it is called is nobody's concern."""
    try:
        return find_functions(elf, file=file)
    except ObjectError:
        return ()
