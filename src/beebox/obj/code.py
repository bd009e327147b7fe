"""The code of an object: where its functions are, and each as a spec when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Final

from beebox.errors import ObjectError
from beebox.isa.codec import decode
from beebox.isa.instruction import Instruction
from beebox.obj import variables
from beebox.obj.byte_order import reordered
from beebox.obj.elf import Elf, Symbol, SymbolBind, SymbolType
from beebox.obj.model import CoreRelocation, FunctionSpec, VarRange
from beebox.obj.relocations import Function, Targets
from beebox.obj.typeinfo import Lines, TypeInfo, core_of, type_ids_of
from beebox.tables.limits import MAX_INSNS

if TYPE_CHECKING:
    from beebox.obj.dwarf import Variables


_MAX_ALIASES: Final = 64
"""In a section: each costs as much as a function of its own."""


def find_functions(elf: Elf, *, file: str) -> tuple[Function, ...]:
    """The function symbols of code sections.

    Code outside of them is dead: linkers leave the weak functions that others replaced. Two
    symbols may name the same function, but functions do not overlap otherwise. Raises
    :exc:`ObjectError`.
    """
    by_section: dict[int, list[Symbol]] = {}
    for symbol in elf.symbols:
        if symbol.type == SymbolType.FUNC:
            by_section.setdefault(symbol.section, []).append(symbol)
    found: list[Function] = []
    for index, section in enumerate(elf.sections):
        if not section.is_code or not section.size:
            continue
        if section.size > 8 * MAX_INSNS or elf.find(section.name) != index:
            raise ObjectError("too much code", file=file, section=section.name)
        if not section.name:
            raise ObjectError(f"section {index} has code and no name", file=file)
        start = end = aliases = 0
        for symbol in sorted(by_section.get(index, ()), key=lambda symbol: symbol.value):
            is_alias = (symbol.value, symbol.value + symbol.size) == (start, end)
            aliases += is_alias
            if aliases > _MAX_ALIASES:
                raise ObjectError("too many names of one function", section=section.name)
            start, begins_at = symbol.value, end
            end = symbol.value + symbol.size
            if (start < begins_at and not is_alias) or end > section.size or end == start:
                problem = f"function {symbol.name} is empty, overlaps another or lies outside"
                raise ObjectError(problem, file=file, section=section.name, offset=symbol.value)
            if start % 8 or symbol.size % 8:
                problem = f"function {symbol.name} is not made of whole instructions"
                raise ObjectError(problem, file=file, section=section.name, offset=symbol.value)
            is_global = symbol.bind != SymbolBind.LOCAL
            is_weak = symbol.bind == SymbolBind.WEAK
            found.append(
                Function(symbol.name, index, start, symbol.size, is_global, is_weak=is_weak)
            )
    found = _with_own_names(found, file)
    return tuple(found)


def _with_own_names(functions: Sequence[Function], file: str) -> list[Function]:
    """Linked objects have static functions of one name: the later ones get a number behind it."""
    if any(not row.name for row in functions):
        raise ObjectError("a function has no name", file=file)
    shared = Counter(row.name for row in functions if row.is_global)
    for name, times in shared.items():
        if times > 1:
            raise ObjectError(f"two functions are called {name}", file=file)
    taken = {row.name for row in functions}
    seen = set(shared)
    numbers: dict[str, Iterator[int]] = {}
    out: list[Function] = []
    for row in functions:
        name = row.name
        if name in seen and not row.is_global:
            free = numbers.setdefault(row.name, count(1))
            name = next(f"{name}.{n}" for n in free if f"{name}.{n}" not in taken)
            taken.add(name)
        seen.add(name)
        out.append(replace(row, name=name))
    return out


def decode_function(elf: Elf, function: Function) -> tuple[Instruction, ...]:
    """The instructions as they stand in the section. Raises :exc:`DecodeError`."""
    code = bytes(elf.sections[function.section].data[function.start : function.end])
    return decode(code if elf.byte_order == "little" else reordered(code))


@dataclass(frozen=True)
class VariableNames:
    """Source variables of functions, from ``.beebox.vars`` or else DWARF, one by one."""

    elf: Elf
    functions: Sequence[Function]
    insns_of: Callable[[Function], Sequence[Instruction]]

    def of(self, function: Function) -> tuple[VarRange, ...]:
        """The variables of ``function``. Raises :exc:`ObjectError` for a malformed own table."""
        size = function.size // 8
        own = self._own
        rows = self._dwarf.of(function) if own is None else own.get(function.name, ())
        if any(row.start >= size for row in rows):
            return ()
        return tuple(replace(row, end=min(row.end, size)) for row in rows)

    @cached_property
    def _own(self) -> Mapping[str, tuple[VarRange, ...]] | None:
        at = self.elf.find(variables.SECTION)
        if at is None or not self.elf.sections[at].size:
            return None
        return variables.parse(self.elf.sections[at].contents)

    @cached_property
    def _dwarf(self) -> Variables:
        from beebox.obj.dwarf import read_variables  # noqa: PLC0415 -- without our own table

        return read_variables(self.elf, self.functions, self.insns_of)


@dataclass(frozen=True)
class Code:
    """What makes the specs of functions. The object's tables are read with the first."""

    targets: Targets
    types: TypeInfo

    def make(self, name: str) -> FunctionSpec:
        """The function ``name``, which is there.

        Raises :exc:`ObjectError`, :exc:`BtfError` or :exc:`DecodeError`. Variable names come from
        ``.beebox.vars``, else from DWARF, which is never an error: without them reports show
        registers.
        """
        function = self._functions[name]
        return FunctionSpec(
            name,
            self.targets.elf.sections[function.section].name,
            self.targets.relocate(self._insns(function), function),
            lines=self._lines.of(function),
            type_id=self._type_ids.get(name, 0),
            variables=self._variables.of(function),
            is_global=function.is_global,
            is_weak=function.is_weak,
            core=self._core.get(name, ()),
        )

    def _insns(self, function: Function) -> tuple[Instruction, ...]:
        """The instructions as they stand in the section."""
        place = (function.section, function.start)
        if place not in self._decoded:
            self._decoded[place] = decode_function(self.targets.elf, function)
        return self._decoded[place]

    @cached_property
    def _decoded(self) -> dict[tuple[int, int], tuple[Instruction, ...]]:
        """By place, as asked for: DWARF's reader looks at them, too."""
        return {}

    @cached_property
    def _functions(self) -> Mapping[str, Function]:
        return {row.name: row for row in self.targets.functions}

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self.targets.functions, self.types)

    @cached_property
    def _type_ids(self) -> Mapping[str, int]:
        return type_ids_of(self.targets.functions, self.types)

    @cached_property
    def _core(self) -> Mapping[str, tuple[CoreRelocation, ...]]:
        return core_of(self.targets.functions, self.types)

    @cached_property
    def _variables(self) -> VariableNames:
        return VariableNames(self.targets.elf, self.targets.functions, self._insns)
