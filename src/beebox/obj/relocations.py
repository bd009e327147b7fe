"""Relocations of code: instructions as decoded become instructions with symbolic operands.

A map, global or extern loads through R_BPF_64_64 (addend: the instruction's own immediate), a call
goes through R_BPF_64_32 or, within one section, through its relative target alone. What is to be
done is the instruction's to say, as in libbpf: the number of the relocation's type says no more.
Source: LLVM's BPF backend and Documentation/bpf/llvm_reloc.rst.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from beebox.errors import ObjectError
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Imm64,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    PseudoImm64,
    SubprogRef,
    slot_count,
)
from beebox.obj.elf import SHN_UNDEF, Elf, Relocation, Symbol
from beebox.obj.model import ExternKind, ExternSpec, MapSpec

_PSEUDO_FUNC: Final = 4


@dataclass(frozen=True, slots=True)
class Function:
    """Where a function symbol lies: section index, first byte, bytes."""

    name: str
    section: int
    start: int
    size: int
    is_global: bool
    is_weak: bool = False

    @property
    def end(self) -> int:
        """The byte after its last one."""
        return self.start + self.size


@dataclass(frozen=True)
class Targets:
    """What relocations may point to.

    ``map_places`` names maps by the section index and offset of their definition, ``data`` those
    that hold a section's bytes by its index.
    """

    elf: Elf
    functions: Sequence[Function]
    maps: Mapping[str, MapSpec]
    map_places: Mapping[tuple[int, int], str]
    data: Mapping[int, str]
    externs: Mapping[str, ExternSpec]
    file: str

    @cached_property
    def _function_names(self) -> dict[tuple[int, int], str]:
        return {(row.section, row.start): row.name for row in self.functions}

    @cached_property
    def _sorted(self) -> dict[int, tuple[list[Relocation], list[int]]]:
        """By section, as asked for: its relocations in order, and their offsets."""
        return {}

    def relocations(self, function: Function) -> dict[int, Relocation]:
        """The relocations of one function, by byte offset in its section."""
        if function.section not in self._sorted:
            ordered = sorted(
                self.elf.relocations.get(function.section, ()), key=lambda row: row.offset
            )
            self._sorted[function.section] = (ordered, [row.offset for row in ordered])
        rows, offsets = self._sorted[function.section]
        first, last = bisect_left(offsets, function.start), bisect_left(offsets, function.end)
        found = {row.offset: row for row in rows[first:last]}
        if len(found) != last - first:
            raise self.error("two relocations of one place", function, function.start)
        return found

    def relocate(self, insns: Sequence[Instruction], function: Function) -> tuple[Instruction, ...]:
        """``insns`` of ``function`` with symbolic operands. Raises :exc:`ObjectError`."""
        rows = self.relocations(function)
        out: list[Instruction] = []
        at = function.start
        for insn in insns:
            out.append(self._one(insn, rows.pop(at, None), function, at))
            at += 8 * slot_count(insn)
        if rows:
            raise self.error("a relocation within an instruction", function, min(rows))
        return tuple(out)

    def _one(
        self, insn: Instruction, row: Relocation | None, function: Function, at: int
    ) -> Instruction:
        match insn:
            case LoadImm64(value=int(addend)) if row:
                return replace(insn, value=self._address(row, addend, function, at))
            case LoadImm64(value=PseudoImm64(pseudo=pseudo, low=low)) if (
                row and pseudo == _PSEUDO_FUNC
            ):
                return replace(insn, value=self._address(row, low, function, at))
            case LoadImm64(value=PseudoImm64()):
                raise self.error("a pseudo immediate without its symbol", function, at)
            case Call(kind=CallKind.SUBPROG | CallKind.KFUNC, target=int(distance)) if row:
                symbol = self.elf.symbols[row.symbol]
                if symbol.section == SHN_UNDEF:
                    self._check_extern(symbol, function, at, is_call=True)
                    return Call(CallKind.KFUNC, KfuncRef(symbol.name))
                section, start = self._defined(row, function, at)
                return self._call(insn, section, start + 8 * (distance + 1), function, at)
            case Call(kind=CallKind.SUBPROG, target=int(distance)):
                return self._call(insn, function.section, at + 8 * (distance + 1), function, at)
            case Call(kind=CallKind.KFUNC):
                raise self.error("a kernel function without its symbol", function, at)
            case _:
                pass
        if row is not None:
            raise self.error("a relocation of what has no address", function, at)
        return insn

    def _call(
        self, insn: Call, section: int, target: int, function: Function, at: int
    ) -> Instruction:
        name = self._function_names.get((section, target))
        if name is None:
            raise self.error("a call to where no function begins", function, at)
        return replace(insn, kind=CallKind.SUBPROG, target=SubprogRef(name))

    def _address(self, row: Relocation, addend: int, function: Function, at: int) -> Imm64:
        symbol = self.elf.symbols[row.symbol]
        if symbol.section == SHN_UNDEF:
            self._check_extern(symbol, function, at, is_call=False)
            return KsymRef(symbol.name)
        index, value = self._defined(row, function, at)
        place = (value + addend) % (1 << 64)
        section = self.elf.sections[index]
        if (index, place) in self.map_places:
            return MapRef(self.map_places[index, place])
        if (index, place) in self._function_names:
            return SubprogRef(self._function_names[index, place])
        name = self.data.get(index)
        if name is None:
            raise self.error(f"a reference into section {section.name}", function, at)
        if place >= len(self.maps[name].contents or b""):
            raise self.error(f"{section.name} has no offset {place:#x}", function, at)
        return GlobalRef(name, place)

    def _check_extern(self, symbol: Symbol, function: Function, at: int, *, is_call: bool) -> None:
        found = self.externs.get(symbol.name)
        if found is None:
            problem = (
                f"{symbol.name!r} is defined neither here nor, as far as BTF says, by the kernel;"
                " is another object to be linked with this one?"
            )
            raise self.error(problem, function, at)
        if is_call and found.kind is not ExternKind.FUNCTION:
            raise self.error(f"a call of {symbol.name!r}, which is a variable", function, at)

    def _defined(self, row: Relocation, function: Function, at: int) -> tuple[int, int]:
        """Section and offset of the symbol."""
        symbol = self.elf.symbols[row.symbol]
        if not 0 < symbol.section < len(self.elf.sections):
            raise self.error(f"{symbol.name!r} has no place", function, at)
        return symbol.section, symbol.value

    def error(self, problem: str, function: Function, at: int) -> ObjectError:
        """An error at byte ``at`` of the section of ``function``."""
        section = self.elf.sections[function.section].name
        return ObjectError(problem, file=self.file, section=section, offset=at)
