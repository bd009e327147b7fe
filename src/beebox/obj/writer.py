""":class:`ObjectSpec` to ELF bytes that libbpf, cilium/ebpf, aya and ``obj.reader`` load.

Reading back gives an equal spec. Symbols and relocations follow clang's habits, because loaders
and static linkers do: maps, externs and what is global by its own symbol, the static by section
and offset. A global function whose BTF is static was a hidden one, and is again. What depends on
a target is not written: an object is what it was before resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from beebox.btf import codec, ext
from beebox.btf.strings import StringTable
from beebox.btf.types import Btf, Datasec, Func, Linkage, Var
from beebox.errors import ObjectError
from beebox.isa.codec import encode
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    SubprogRef,
    slot_count,
)
from beebox.obj import maps as map_definitions
from beebox.obj import variables
from beebox.obj.byte_order import reordered
from beebox.obj.elf import (
    SHN_UNDEF,
    Relocation,
    RelocationType,
    Section,
    SectionFlag,
    SectionType,
    Symbol,
    SymbolBind,
    SymbolType,
    Visibility,
)
from beebox.obj.elf import write as write_elf
from beebox.obj.externs import EXTERN_SECTIONS
from beebox.obj.map_descriptions import describe
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.obj.section_descriptions import (
    STRUCT_OPS_SECTIONS,
    TAKEN_OUT,
    describe_externs,
    describe_struct_ops,
    value_section,
)
from beebox.tables.map_types import MapType


def write(spec: ObjectSpec) -> bytes:
    """The object file of ``spec``, the same bytes for equal specs.

    Raises :exc:`ObjectError` for what ELF cannot carry, a spec resolved against a target included.
    """
    _check_unresolved(spec)
    _check_maps(spec)
    btf = describe_struct_ops(describe(spec.btf, spec.maps), spec.maps)
    return _Writer(spec, describe_externs(btf, spec.externs)).write()


def _check_unresolved(spec: ObjectSpec) -> None:
    """Write what was read: resolution replaces what other targets need."""
    resolved = [row.name for row in spec.externs.values() if row.resolved is not None]
    resolved += [row.name for row in spec.functions.values() if row.poisoned]
    resolved += spec.attach_symbols
    if resolved:
        problem = f"{resolved[0]!r} is resolved against a target: write the spec as it was before"
        raise ObjectError(problem, file=spec.file)


def _check_maps(spec: ObjectSpec) -> None:
    """A data section's name says all of its map; of others nothing says that they are frozen."""
    for row in spec.maps.values():
        match row:
            case MapSpec(type=MapType.STRUCT_OPS):
                continue
            case MapSpec(type=MapType.ARRAY, contents=bytes(data)):
                read = map_definitions.global_data_map(row.name, data, None)
                read = replace(read, value_type_id=row.value_type_id)
            case _:
                contents = row.contents if row.type is MapType.ARENA else None
                read = replace(row, frozen=False, autocreate=True, contents=contents)
        if read != row or (row.is_global_data and not _is_readable(row)):
            names = [field.name for field in fields(row)]
            lost = [name for name in names if getattr(row, name) != getattr(read, name)]
            what = ", ".join(lost) or "that it is data"
            problem = f"map {row.name}: an object file cannot say {what}"
            raise ObjectError(problem, file=spec.file)


def _is_readable(row: MapSpec) -> bool:
    return row.type is MapType.ARENA or map_definitions.is_data_section(row.name)


@dataclass(frozen=True, slots=True)
class _Place:
    section: int
    start: int


class _Writer:
    """One object under construction; indices count from the null section and symbol."""

    def __init__(self, spec: ObjectSpec, btf: Btf | None) -> None:
        self._spec = spec
        self._btf = btf
        self._sections: list[Section] = []
        self._symbols: list[Symbol] = []
        self._relocations: dict[int, list[Relocation]] = {}
        self._section_symbols: dict[int, int] = {}
        self._variable_symbols: dict[str, int] = {}
        """By name, where maps come before static variables of their names."""
        self._global_names: set[str] = set()
        self._globals: dict[str, list[tuple[int, int, int]]] = {}
        """By section, of each variable of global scope: first byte, byte after it, symbol."""
        self._extern_symbols: dict[str, int] = {}
        self._function_symbols: dict[str, int] = {}
        self._places: dict[str, _Place] = {}

    def write(self) -> bytes:
        by_section: dict[str, list[FunctionSpec]] = {}
        for function in self._spec.functions.values():
            by_section.setdefault(function.section, []).append(function)
        code = {name: self._place_functions(name, rows) for name, rows in by_section.items()}
        for row in self._spec.maps.values():
            if row.is_global_data:
                self._add_data(value_section(row), row)
        self._add_maps()
        for name in STRUCT_OPS_SECTIONS:
            self._add_struct_ops(name)
        if contents := self._license():
            self._add_placed("license", contents)
        if self._spec.version:
            self._add_placed("version", self._spec.version.to_bytes(4, self._spec.byte_order))
        for name, contents in self._spec.foreign.items():
            self._add_placed(name, contents)
        self._add_externs()
        for name, rows in by_section.items():
            self._fill_code(code[name], rows)
        self._add_types(by_section)
        named = {name: row.variables for name, row in self._spec.functions.items()}
        if encoded := variables.encode(named):
            self._add_section(Section(variables.SECTION, SectionType.PROGBITS, data=encoded))
        return write_elf(
            self._sections, self._symbols, self._relocations, byte_order=self._spec.byte_order
        )

    def _add_section(self, section: Section) -> int:
        self._sections.append(section)
        return len(self._sections)

    def _add_symbol(self, symbol: Symbol) -> int:
        self._symbols.append(symbol)
        return len(self._symbols)

    def _place_functions(self, name: str, functions: Sequence[FunctionSpec]) -> int:
        """Add the section, empty yet, and the symbols of its functions."""
        flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR
        index = self._add_section(Section(name, SectionType.PROGBITS, flags, align=8))
        at = 0
        for function in functions:
            size = 8 * sum(slot_count(insn) for insn in function.insns)
            bind = SymbolBind.GLOBAL if function.is_global else SymbolBind.LOCAL
            bind = SymbolBind.WEAK if function.is_weak else bind
            self._places[function.name] = _Place(index, at)
            is_hidden = function.is_global and _is_static(self._btf, function.type_id)
            visibility = Visibility.HIDDEN if is_hidden else Visibility.DEFAULT
            self._function_symbols[function.name] = self._add_symbol(
                Symbol(function.name, SymbolType.FUNC, bind, index, at, size, visibility)
            )
            at += size
        return index

    def _add_data(self, name: str, row: MapSpec) -> None:
        contents = row.contents or b""
        if name == ".bss" or name.startswith(".bss."):
            if any(contents):
                raise ObjectError("values other than zero do not fit here", section=name)
            flags = SectionFlag.ALLOC | SectionFlag.WRITE
            section = Section(name, SectionType.NOBITS, flags, size=len(contents), align=8)
            self._add_variables(self._add_section(section), name)
            return
        self._add_placed(name, contents, writable=not row.frozen)

    def _add_placed(self, name: str, contents: bytes, *, writable: bool = True) -> None:
        flags = SectionFlag.ALLOC | (SectionFlag.WRITE if writable else 0)
        section = Section(name, SectionType.PROGBITS, flags, contents, align=8)
        self._add_variables(self._add_section(section), name)

    def _add_variables(self, index: int, name: str) -> None:
        """The symbols of the variables that BTF places in a section."""
        is_map = name in {map_definitions.SECTION, *STRUCT_OPS_SECTIONS}
        for variable_name, placed in map_definitions.section_variables(self._btf, name).items():
            variable = self._btf.type(placed.type) if self._btf else None
            is_local = isinstance(variable, Var) and variable.linkage is Linkage.STATIC
            bind = SymbolBind.LOCAL if is_local else SymbolBind.GLOBAL
            symbol = self._add_symbol(
                Symbol(variable_name, SymbolType.OBJECT, bind, index, placed.offset, placed.size)
            )
            if not is_local and variable_name in self._global_names:
                raise ObjectError(f"two variables are called {variable_name!r}", section=name)
            if is_map or variable_name not in self._variable_symbols:
                self._variable_symbols[variable_name] = symbol
            if not is_local:
                self._global_names.add(variable_name)
                found = (placed.offset, placed.offset + placed.size, symbol)
                self._globals.setdefault(name, []).append(found)

    def _add_maps(self) -> None:
        name = map_definitions.SECTION
        row = self._btf.type(map_definitions.section_id(self._btf, name)) if self._btf else None
        if isinstance(row, Datasec):
            self._add_placed(name, bytes(row.size))
            self._fill_slots(len(self._sections))

    def _fill_slots(self, index: int) -> None:
        """The first elements of maps of maps and programs: a relocation each."""
        for name, placed in map_definitions.section_variables(
            self._btf, map_definitions.SECTION
        ).items():
            slots = self._spec.maps[name].slots
            start = map_definitions.slots_start(self._btf, placed) if slots and self._btf else None
            for slot, target in slots if start is not None else ():
                if target not in self._spec.maps and target not in self._function_symbols:
                    raise ObjectError(f"{name}[{slot}]: there is no {target!r}")
                symbol = self._function_symbols.get(target) or self._variable_symbols[target]
                at = placed.offset + (start or 0) + 8 * slot
                self._relocate(index, at, RelocationType.ABS64, symbol)

    def _add_struct_ops(self, name: str) -> None:
        """The structs of one section, with a relocation for each function that they name."""
        row = self._btf.type(map_definitions.section_id(self._btf, name)) if self._btf else None
        if not isinstance(row, Datasec):
            return
        data = bytearray(row.size)
        slots: dict[int, str] = {}
        for map_name, placed in map_definitions.section_variables(self._btf, name).items():
            spec = self._spec.maps[map_name]
            contents = spec.contents or b""
            if len(contents) != placed.size or placed.offset + placed.size > row.size:
                raise ObjectError(f"{map_name} has {len(contents)} bytes", section=name)
            data[placed.offset : placed.offset + placed.size] = contents
            slots |= {placed.offset + at: function for at, function in spec.slots}
        self._add_placed(name, bytes(data))
        index = len(self._sections)
        for at, function in slots.items():
            self._function(function)
            self._relocate(index, at, RelocationType.ABS64, self._function_symbols[function])

    def _add_externs(self) -> None:
        for name, row in self._spec.externs.items():
            if name in self._function_symbols or name in self._variable_symbols:
                raise ObjectError(f"{name!r} is both defined and extern", file=self._spec.file)
            bind = SymbolBind.WEAK if row.is_weak else SymbolBind.GLOBAL
            symbol = Symbol(name, SymbolType.NOTYPE, bind, SHN_UNDEF)
            self._extern_symbols[name] = self._add_symbol(symbol)

    def _license(self) -> bytes:
        """The license, with a NUL, in the size that BTF gives its section."""
        row = (
            self._btf.type(map_definitions.section_id(self._btf, "license")) if self._btf else None
        )
        size = row.size if isinstance(row, Datasec) else 0
        text = self._spec.license.encode()
        if text and len(text) != size:
            text += b"\0"
        return text.ljust(size, b"\0")

    def _section_symbol(self, section: int) -> int:
        if section not in self._section_symbols:
            self._section_symbols[section] = self._add_symbol(
                Symbol("", SymbolType.SECTION, SymbolBind.LOCAL, section)
            )
        return self._section_symbols[section]

    def _fill_code(self, index: int, functions: Sequence[FunctionSpec]) -> None:
        insns: list[Instruction] = []
        at = 0
        for function in functions:
            for insn in function.insns:
                insns.append(self._concrete(insn, index, at))
                at += 8 * slot_count(insn)
        code = encode(insns) if self._spec.byte_order == "little" else reordered(encode(insns))
        self._sections[index - 1] = replace(self._sections[index - 1], data=code)

    def _concrete(self, insn: Instruction, section: int, at: int) -> Instruction:
        """``insn`` with addends for symbols, and the relocation that goes with it."""
        match insn:
            case LoadImm64(value=MapRef(name=name)):
                self._relocate(section, at, RelocationType.LDIMM64, self._map_symbol(name))
                return replace(insn, value=0)
            case LoadImm64(value=GlobalRef(map_name=name, offset=offset)):
                symbol, start = self._variable_at(name, offset)
                self._relocate(section, at, RelocationType.LDIMM64, symbol)
                return replace(insn, value=offset - start)
            case LoadImm64(value=SubprogRef(name=name)):
                place = self._function(name)
                if self._spec.functions[name].is_global:
                    symbol, start = self._function_symbols[name], 0
                else:
                    symbol, start = self._section_symbol(place.section), place.start
                self._relocate(section, at, RelocationType.LDIMM64, symbol)
                return replace(insn, value=start)
            case LoadImm64(value=KsymRef(name=name)):
                self._relocate(section, at, RelocationType.LDIMM64, self._extern(name))
                return replace(insn, value=0)
            case Call(target=KfuncRef(name=name)):
                self._relocate(section, at, RelocationType.CALL32, self._extern(name))
                return Call(CallKind.SUBPROG, -1)
            case Call(target=SubprogRef(name=name)):
                return self._call(insn, name, section, at)
            case _:
                return insn

    def _call(self, insn: Call, name: str, section: int, at: int) -> Call:
        place = self._function(name)
        if self._spec.functions[name].is_global:
            self._relocate(section, at, RelocationType.CALL32, self._function_symbols[name])
            return replace(insn, kind=CallKind.SUBPROG, target=-1)
        if place.section == section:
            return replace(insn, kind=CallKind.SUBPROG, target=(place.start - at) // 8 - 1)
        symbol = self._section_symbol(place.section)
        self._relocate(section, at, RelocationType.CALL32, symbol)
        return replace(insn, kind=CallKind.SUBPROG, target=place.start // 8 - 1)

    def _relocate(self, section: int, at: int, kind: RelocationType, symbol: int) -> None:
        self._relocations.setdefault(section, []).append(Relocation(at, kind, symbol))

    def _function(self, name: str) -> _Place:
        if name not in self._places:
            raise ObjectError(f"function {name!r} is not there", file=self._spec.file)
        return self._places[name]

    def _map_symbol(self, name: str) -> int:
        if name not in self._spec.maps or name not in self._variable_symbols:
            raise ObjectError(f"map {name!r} is not there", file=self._spec.file)
        return self._variable_symbols[name]

    def _extern(self, name: str) -> int:
        if name not in self._extern_symbols:
            problem = f"the kernel symbol {name!r} is not declared"
            raise ObjectError(problem, file=self._spec.file)
        return self._extern_symbols[name]

    def _variable_at(self, map_name: str, offset: int) -> tuple[int, int]:
        """The symbol of byte ``offset`` of a data section, and where it begins."""
        spec = self._spec.maps.get(map_name)
        name = value_section(spec) if spec else ""
        for index, section in enumerate(self._sections, 1):
            if name and section.name == name:
                for start, end, symbol in self._globals.get(name, ()):
                    if start <= offset < end:
                        return symbol, start
                return self._section_symbol(index), 0
        raise ObjectError(f"data section {map_name!r} is not there", file=self._spec.file)

    def _add_types(self, by_section: dict[str, list[FunctionSpec]]) -> None:
        if self._btf is None:
            return
        strings = StringTable()
        tables = ext.Ext(
            functions={
                name: tuple(
                    ext.FuncRecord(self._places[row.name].start, row.type_id)
                    for row in rows
                    if row.type_id
                )
                for name, rows in by_section.items()
            },
            lines={
                name: tuple(
                    ext.LineRecord(
                        self._places[row.name].start + 8 * line.pc,
                        line.file,
                        line.line,
                        line.column,
                        line.text,
                    )
                    for row in rows
                    for line in row.lines
                )
                for name, rows in by_section.items()
            },
            core={
                name: tuple(
                    ext.CoreRecord(
                        self._places[row.name].start + 8 * core.pc,
                        core.type_id,
                        core.access,
                        core.kind,
                    )
                    for row in rows
                    for core in row.core
                )
                for name, rows in by_section.items()
            },
        )
        encoded = ext.encode(tables, strings, self._spec.byte_order)
        types = codec.encode(self._shown_types(self._btf), strings, self._spec.byte_order)
        self._add_section(Section(".BTF", SectionType.PROGBITS, data=types, align=4))
        if any(any(table.values()) for table in (tables.functions, tables.lines, tables.core)):
            # libbpf takes a .BTF.ext without any record as a sign of corrupt BTF.
            self._add_section(Section(".BTF.ext", SectionType.PROGBITS, data=encoded, align=4))

    def _shown_types(self, btf: Btf) -> Btf:
        """Types as compilers write them, of what is there.

        Hidden functions are global, and loaders' to restrict, which find them by name. Sections
        have the size that they have here; one that is not here would be malformed.
        """
        hidden = {
            row.type_id
            for row in self._spec.functions.values()
            if row.is_global and _is_static(btf, row.type_id, row.name)
        }
        sizes = {row.name: row.size or len(row.data) for row in self._sections}
        types = list(btf.types)
        for at, row in enumerate(types):
            match row:
                case Func() if at + 1 in hidden:
                    types[at] = replace(row, linkage=Linkage.GLOBAL)
                case Datasec() if row.name in EXTERN_SECTIONS:
                    pass
                case Datasec() if row.name not in sizes:
                    types[at] = TAKEN_OUT
                case Datasec() if row.size != sizes[row.name]:
                    types[at] = replace(row, size=sizes[row.name])
                case _:
                    pass
        return Btf(tuple(types))


def _is_static(btf: Btf | None, type_id: int, name: str | None = None) -> bool:
    """Whether the FUNC, called ``name`` if that is given, is static."""
    row = btf.type(type_id) if btf else None
    if not isinstance(row, Func) or name not in {None, row.name}:
        return False
    return row.linkage is Linkage.STATIC
