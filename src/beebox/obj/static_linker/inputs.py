"""What the static linker is given: an object's sections, symbols and types, as they lie in it.

Unlike :mod:`beebox.obj.reader` nothing is resolved: names of local symbols may repeat, externs may
be anyone's, and code is bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeGuard

from beebox.btf import codec, ext, wire
from beebox.btf.types import Btf, Datasec, Func, Linkage, SectionVar, Type, Var
from beebox.errors import LinkError, ObjectError
from beebox.obj.elf import SHN_LORESERVE, Elf, Section, SectionType, SymbolBind, SymbolType
from beebox.obj.elf import Visibility as Shown
from beebox.obj.elf import read as read_elf
from beebox.obj.typeinfo import patched

EXTERN: Final = ".extern"
"""Where clang puts externs without a section: BTF alone, and for this linker to resolve."""

_DROPPED: Final = (".debug_", ".llvm_addrsig", ".comment", ".note", ".eh_frame", ".BTF")
_DROPPED_TYPES: Final = {SectionType.NULL, SectionType.SYMTAB, SectionType.STRTAB, SectionType.REL}
_BINDS: Final = frozenset(SymbolBind)
_SHN_ABS: Final = 0xFFF1


@dataclass(frozen=True, slots=True)
class Declaration:
    """What BTF says of a global name: its VAR or FUNC, and the DATASEC that places it, or ""."""

    type_id: int
    section: str


@dataclass(frozen=True, eq=False)
class Input:
    """One object to be linked; two are never equal."""

    file: str
    elf: Elf
    btf: Btf | None
    ext: ext.Ext

    def kept_sections(self) -> dict[int, Section]:
        """What goes into the output, by index: neither debug information nor tables of ELF's."""
        found: dict[int, Section] = {}
        for index, section in enumerate(self.elf.sections):
            if section.type in _DROPPED_TYPES or section.name.startswith(_DROPPED):
                continue
            if section.name == ".text" and not section.size:
                continue
            if section.type not in {SectionType.PROGBITS, SectionType.NOBITS}:
                problem = f"sections of type {section.type:#x} do not link"
                raise ObjectError(problem, file=self.file, section=section.name)
            if not section.name:
                raise ObjectError(f"section {index} has no name", file=self.file)
            if self.elf.find(section.name) != index:
                raise ObjectError("two sections", file=self.file, section=section.name)
            found[index] = section
        return found

    @cached_property
    def declarations(self) -> Mapping[str, Declaration]:
        """The names that BTF gives other objects or wants of them. Raises :exc:`LinkError`."""
        found: dict[str, Declaration] = {}
        rows = dict(self.btf.items()) if self.btf else {}
        for type_id, row in rows.items():
            if self.is_shared(row):
                if row.name in found:
                    raise self._ambiguous(row.name)
                found[row.name] = Declaration(type_id, "")
        for row in rows.values():
            if isinstance(row, Datasec) and row.name != EXTERN:
                for placed in row.vars:
                    member = rows.get(placed.type)
                    if self.is_shared(member):
                        if found[member.name].section:
                            raise self._ambiguous(member.name)
                        found[member.name] = Declaration(placed.type, row.name)
        return found

    def is_shared(self, row: Type | None) -> TypeGuard[Var | Func]:
        """Whether ``row`` declares what other objects may name."""
        if not isinstance(row, Var | Func) or row.linkage is Linkage.STATIC:
            return False
        return row.name not in self._own_names

    @cached_property
    def _own_names(self) -> set[str]:
        """Local symbols, whatever BTF says of their linkage."""
        names: dict[bool, set[str]] = {False: set(), True: set()}
        for symbol in self.elf.symbols:
            names[symbol.bind == SymbolBind.LOCAL].add(symbol.name)
        return names[True] - names[False]

    def _ambiguous(self, name: str) -> LinkError:
        return LinkError("BTF describes it twice", name=name, files=(self.file,))

    def placed(self, row: Datasec) -> list[SectionVar]:
        """The variables of ``row`` where their symbols are. Raises :exc:`ObjectError`."""
        at = self.elf.find(row.name)
        out: list[SectionVar] = []
        for var in row.vars:
            member = self.btf.type(var.type) if self.btf else None
            if not isinstance(member, Var | Func):
                problem = f"BTF places type {var.type}, which is no variable"
                raise ObjectError(problem, file=self.file, section=row.name)
            if isinstance(member, Var) and member.linkage is Linkage.GLOBAL and at is not None:
                place = self._variable_places.get((at, member.name))
                if place is None:
                    problem = f"variable {member.name} has no symbol"
                    raise ObjectError(problem, file=self.file, section=row.name)
                out.append(replace(var, offset=place))
            else:
                out.append(var)
        return out

    @cached_property
    def _variable_places(self) -> dict[tuple[int, str], int]:
        return {
            (symbol.section, symbol.name): symbol.value
            for symbol in self.elf.symbols
            if symbol.type == SymbolType.OBJECT
        }


def open_input(data: bytes, *, file: str) -> Input:
    """The object in ``data``. Raises :exc:`ObjectError`, :exc:`BtfError` or :exc:`LinkError`."""
    elf = read_elf(data, file=file)
    _check_symbols(elf, file)
    at = elf.find(".BTF")
    if at is None or not elf.sections[at].size:
        return Input(file, elf, None, ext.Ext())
    raw = patched(elf, at, file=file)
    btf = codec.parse(raw)
    tables = elf.find(".BTF.ext")
    if tables is None or not elf.sections[tables].size:
        return Input(file, elf, btf, ext.Ext())
    _, strings = wire.sections(raw)
    return Input(file, elf, btf, ext.parse(patched(elf, tables, file=file), strings))


def _check_symbols(elf: Elf, file: str) -> None:
    for index, row in enumerate(elf.symbols[1:], 1):
        where = f"symbol {index} ({row.name})"
        if row.bind not in _BINDS or row.visibility not in {Shown.DEFAULT, Shown.HIDDEN}:
            problem = f"{where} has binding {row.bind} and visibility {row.visibility}"
            raise ObjectError(problem, file=file)
        if row.section == 0 and (row.type != SymbolType.NOTYPE or row.bind == SymbolBind.LOCAL):
            raise ObjectError(f"{where} is no extern and not defined", file=file)
        if row.section >= SHN_LORESERVE and row.section != _SHN_ABS:
            raise ObjectError(f"{where} is in a section of no object", file=file)
        if row.bind != SymbolBind.LOCAL and not row.name:
            raise ObjectError(f"{where} is global and has no name", file=file)
