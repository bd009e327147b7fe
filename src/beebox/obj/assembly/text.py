"""Objects and linked programs to assembly text: the inverse of :mod:`beebox.obj.assembly.source`.

:func:`write_assembly` writes all that an object holds; what it leaves out no loader acts on: the
names of array index types, the variables behind ``license`` and ``version``, how BTF defines maps
(the text has maps instead) and types without a name that nothing uses. :func:`write_program` is
for people first: pcs in front, source lines as comments, only what the program uses.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from beebox.btf.types import Btf, Datasec, Func, Linkage
from beebox.errors import BtfError, NotSupportedError
from beebox.isa.disassembler import name_text, string_text, text, text_to
from beebox.isa.instruction import (
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    LoadImm64,
    MayGoto,
    PseudoImm64,
    SubprogRef,
    slot_count,
)
from beebox.obj.assembly.layout import up
from beebox.obj.assembly.maps import data_text, is_plain_data, map_text, slot_text
from beebox.obj.assembly.paths import path_text
from beebox.obj.assembly.source import TEXT
from beebox.obj.assembly.type_text import TypeText, named_types
from beebox.obj.assembly.values import value_text
from beebox.obj.model import (
    CoreRelocation,
    ExternKind,
    ExternSpec,
    FunctionSpec,
    LineInfo,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    VarRange,
)
from beebox.tables.core_relocations import CoreKind
from beebox.tables.map_types import MapType

_PSEUDO_FUNC: Final = 4  # BPF_PSEUDO_FUNC: a function's address by its distance
_EXTERNS: Final = {
    ExternKind.VARIABLE: ".ksym",
    ExternKind.FUNCTION: ".kfunc",
    ExternKind.KCONFIG: ".kconfig",
}


def write_assembly(spec: ObjectSpec) -> str:
    """``spec`` as a source that :func:`read_assembly` reads, source places as ``.loc``.

    Raises :exc:`BtfError` where the object's types make no sense, :exc:`NotSupportedError` for a
    big-endian object, whose values would read wrong.
    """
    if spec.byte_order != "little":
        raise NotSupportedError(f"assembly text of a {spec.byte_order}-endian object")
    types = TypeText(spec.btf) if spec.btf is not None else None
    out = [f".license {string_text(spec.license)}"] if spec.license else []
    out += [f".version {spec.version}"] if spec.version else []
    out += _maps(spec.maps, spec.btf, types)
    out += _externs(spec.externs.values(), types)
    section = ""
    for function in spec.functions.values():
        if function.section != section:
            section = function.section
            out += ["", TEXT if section == TEXT else f".section {string_text(section)}"]
        out += ["", *_head(function, types), f"{name_text(function.name)}:"]
        out += _body(_Code(function.insns, types=types, btf=spec.btf), marks=_Marks.of(function))
    return _joined(out, types, named_types(spec.btf) if spec.btf is not None else ())


def write_program(
    spec: ProgramSpec, local_ids: Mapping[int, CoreRelocation] = MappingProxyType({})
) -> str:
    """A linked program as ``prog dump xlated`` shows it: with pcs, source lines, maps in use.

    It reads back as an object: the numbers in front mean nothing to :func:`read_assembly`, and
    slots of maps that hold what is not in the text are comments. ``local_ids`` are what
    :func:`local_type_ids` finds: numbers that another text numbers anew.
    """
    starts = {info.pc: info.name for info in spec.functions}
    starts.setdefault(0, spec.name)
    starts |= {pc: f"sub_{pc}" for pc in _called_pcs(spec) if pc not in starts}
    types = TypeText(spec.btf) if spec.btf is not None else None
    type_ids = {info.pc: info.type_id for info in spec.functions}
    out = [f".license {string_text(spec.license)}"] if spec.license else []
    present = {spec.name, *spec.maps, *starts.values()}
    out += _maps(spec.maps, spec.btf, types, present)
    out += _externs(spec.externs.values(), types)
    out += ["", f".section {string_text(spec.section)}"]
    whys = {row.pc: f"poisoned: {row.why}" for row in spec.poisoned}
    for pc, insns in _split(spec.insns, starts):
        out += ["", *([TEXT, ""] if pc else [])]
        out += _linked_head(starts[pc], type_ids.get(pc, 0), types, spec.btf, is_entry=pc == 0)
        out.append(f"{name_text(starts[pc])}:")
        code = _Code(insns, starts, pc, numbered=True, types=types, btf=spec.btf, whys=whys)
        marks = _Marks(core=local_ids)
        out += _body(code, marks=marks, comments={info.pc: info for info in spec.lines})
    return _joined(out, types, ())


def local_type_ids(program: ProgramSpec, spec: ObjectSpec) -> dict[int, CoreRelocation]:
    """Where ``program``, linked of ``spec``, holds ids of its own types, by pc."""
    return {
        info.pc + row.pc: row
        for info in program.functions
        if info.name in spec.functions
        for row in spec.functions[info.name].core
        if row.kind is CoreKind.TYPE_ID_LOCAL
    }


def with_its_maps(program: ProgramSpec, spec: ObjectSpec) -> ProgramSpec:
    """With the maps in its maps of maps and the structs it implements: the text stands alone."""
    held = {name for row in program.maps.values() for _, name in row.slots if name in spec.maps}
    for name, row in spec.maps.items():
        if row.type is MapType.STRUCT_OPS and program.name in dict(row.slots).values():
            held.add(name)
    return replace(
        program, maps={**program.maps, **{name: spec.maps[name] for name in sorted(held)}}
    )


def _joined(out: list[str], types: TypeText | None, roots: Iterable[int]) -> str:
    declared = types.rows(roots) if types is not None else []
    if declared:
        out += ["", ".types", *declared]
    return "\n".join(out).lstrip("\n") + "\n"


def _head(function: FunctionSpec, types: TypeText | None) -> list[str]:
    """What stands in front of a function's label: its binding and its prototype."""
    name = name_text(function.name)
    if function.is_weak:
        out = [f".weak {name}"]
    elif function.is_global:
        out = [f".globl {name}"]
    else:
        out = [f".local {name}"]
    return [*out, *_proto(function.type_id, types, is_global=function.is_global)]


def _linked_head(
    name: str, type_id: int, types: TypeText | None, btf: Btf | None, *, is_entry: bool
) -> list[str]:
    row = btf.type(type_id) if btf is not None else None
    is_global = is_entry or (isinstance(row, Func) and row.linkage is Linkage.GLOBAL)
    out = [f".globl {name_text(name)}"] if is_global and not is_entry else []
    return [*out, *_proto(type_id, types, is_global=is_global)]


def _proto(type_id: int, types: TypeText | None, *, is_global: bool) -> list[str]:
    if not type_id or types is None:
        return []
    usual = Linkage.GLOBAL if is_global else Linkage.STATIC
    linkage = types.linkage(type_id)
    word = "" if linkage is usual else f"{linkage.name.lower()} "
    return [f".proto {word}{types.prototype(type_id)}"]


def _externs(rows: Iterable[ExternSpec], types: TypeText | None) -> list[str]:
    out: list[str] = []
    for row in rows:
        weak = " weak" if row.is_weak else ""
        if row.kind is not ExternKind.FUNCTION:
            shown = f"void {name_text(row.name)}"
            if row.type_id and types is not None:
                shown = types.declaration(row.type_id, name_text(row.name))
        elif row.type_id and types is not None:
            shown = types.prototype(row.type_id)
        else:
            shown = name_text(row.name)
        out.append(f"{_EXTERNS[row.kind]}{weak} {shown}")
    return out


def _maps(
    maps: Mapping[str, MapSpec],
    btf: Btf | None,
    types: TypeText | None,
    present: Container[str] | None = None,
) -> list[str]:
    out: list[str] = []
    for row in maps.values():
        name = name_text(row.name)
        if is_plain_data(row):
            variables, rest = _variables(row, btf, types)
            out.append(f".data {name} {data_text(row, rest)}")
            out += variables
            continue
        line = f".map {name} {map_text(row, types)}"
        if row.contents is not None and row.type is MapType.STRUCT_OPS:
            line += f" = {value_text(btf, row.value_type_id, row.contents)}"
        elif row.contents is not None:
            used = row.contents.rstrip(b"\0")
            line += f" size={len(row.contents)}" + (f" contents={used.hex()}" if used else "")
        out.append(line)
        if row.inner is not None:
            out.append(f".inner {name} {map_text(row.inner, types)}")
    for row in maps.values():
        for index, held in row.slots:
            absent = "; " if present is not None and held not in present else ""
            out.append(absent + slot_text(row, index, held, btf))
    return out


def _variables(row: MapSpec, btf: Btf | None, types: TypeText | None) -> tuple[list[str], bytes]:
    """The ``.var`` lines of a data map, and its bytes without what they say."""
    contents = row.contents or b""
    section = btf.type(row.value_type_id) if btf is not None and row.value_type_id else None
    if btf is None or types is None or not isinstance(section, Datasec):
        return [], contents
    rest = bytearray(contents)
    out: list[str] = []
    after = 0
    for placed in section.vars:
        value_type = types.variable_type(placed.type)
        shown = f".var {types.variable(placed.type)}"
        if placed.offset != up(after, types.measures.align(value_type)):
            shown += f" @at({placed.offset})"
        if placed.size != types.measures.size(value_type):
            shown += f" @size({placed.size})"
        after = placed.offset + placed.size
        data = contents[placed.offset : after]
        if any(data):
            shown += f" = {value_text(btf, placed.type, data)}"
            rest[placed.offset : after] = bytes(len(data))
        out.append(shown)
    return out, bytes(rest)


@dataclass(frozen=True, slots=True)
class _Code:
    """The instructions of one function; ``starts`` names those that calls by distance reach."""

    insns: tuple[Instruction, ...]
    starts: Mapping[int, str] = field(default_factory=dict)
    first_pc: int = 0
    numbered: bool = False
    types: TypeText | None = None
    btf: Btf | None = None
    whys: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Marks:
    """What stands in front of instructions, by pc, and behind them."""

    before: Mapping[int, list[str]] = field(default_factory=dict)
    core: Mapping[int, CoreRelocation] = field(default_factory=dict)

    @classmethod
    def of(cls, function: FunctionSpec) -> _Marks:
        """Source places, variables, CO-RE relocations."""
        before: dict[int, list[str]] = {}
        starts: set[int] = set()  # a range of DWARF may begin within a 16-byte instruction
        pc = 0
        for insn in function.insns:
            starts.add(pc)
            pc += slot_count(insn)
        for row in function.variables:
            if row.start < row.end < pc:
                end = row.end if row.end in starts else row.end + 1
                before.setdefault(end, []).append(f".unlet {_home(row)}")
        for row in function.variables:
            if row.start < row.end:
                start = row.start if row.start in starts else row.start + 1
                before.setdefault(start, []).append(f".let {_home(row)}")
        file: str | None = None
        for info in function.lines:
            if info.pc not in starts:
                continue
            named = "" if info.file == file else f"{string_text(info.file)} "
            shown = f" {string_text(info.text)}" if info.text else ""
            place = f".loc {named}{info.line} {info.column}{shown}"
            before.setdefault(info.pc, []).append(place)
            file = info.file
        return cls(before, {row.pc: row for row in function.core})


def _home(row: VarRange) -> str:
    place = f"r{row.reg}" if row.reg is not None else f"r10 - {-(row.stack_offset or 0)}"
    return f"{name_text(row.name)} = {place}"


def _body(
    code: _Code, *, marks: _Marks | None = None, comments: Mapping[int, LineInfo] | None = None
) -> list[str]:
    """The lines of one function."""
    marks = marks or _Marks()
    placed: list[tuple[int, Instruction]] = []
    pc = code.first_pc
    for insn in code.insns:
        placed.append((pc, insn))
        pc += slot_count(insn)
    places = {at for at, _ in placed} | {pc}
    targets = {_target(at, insn) for at, insn in placed} & places
    place = ("", 0)
    out: list[str] = []
    for at, insn in placed:
        if at in targets:
            out.append(f".L{at}:")
        out += [f"    {line}" for line in marks.before.get(at, ())]
        shown = _insn_text(at, insn, targets, code.starts)
        info = (comments or {}).get(at)
        if info is not None and (info.file, info.line) != place:
            place = (info.file, info.line)
            if info.text != shown:
                out.append(f"    ; {_comment(info)}")
        if at in marks.core:
            shown += _core_text(marks.core[at], code)
        if at in code.whys:
            shown += f"    ; {_printable(code.whys[at])}"
        out.append((f"{at:>5}: " if code.numbered else "    ") + shown)
    if pc in targets:
        out.append(f".L{pc}:")
    return out


def _core_text(row: CoreRelocation, code: _Code) -> str:
    if code.types is None or code.btf is None:
        raise BtfError("a CO-RE relocation of an object without types")
    declared = code.types.declaration(row.type_id)
    shown = f" @core({row.kind.name.lower()}, {declared}, {string_text(row.access)})"
    path = path_text(code.btf, row)
    return f"{shown}    ; {_printable(path)}" if path else shown


def _insn_text(
    pc: int, insn: Instruction, targets: set[int | None], starts: Mapping[int, str]
) -> str:
    match insn:
        case Jump() | JumpIf() | MayGoto() if _target(pc, insn) in targets:
            return text_to(insn, f".L{_target(pc, insn)}")
        case Call(CallKind.SUBPROG, int(distance)) if pc + 1 + distance in starts:
            return text(Call(CallKind.SUBPROG, SubprogRef(starts[pc + 1 + distance])))
        case LoadImm64(dst, PseudoImm64(pseudo, distance)) if (
            pseudo == _PSEUDO_FUNC and pc + 1 + distance in starts
        ):
            return text(LoadImm64(dst, SubprogRef(starts[pc + 1 + distance])))
        case _:
            return text(insn)


def _target(pc: int, insn: Instruction) -> int | None:
    match insn:
        case Jump(offset) | MayGoto(offset) | JumpIf(_, _, _, offset):
            return pc + 1 + offset
        case _:
            return None


def _comment(info: LineInfo) -> str:
    return _printable(f"{info.file}:{info.line}: {info.text.strip()}")


def _printable(shown: str) -> str:
    return "".join(char if char.isprintable() else " " for char in shown)


def _called_pcs(spec: ProgramSpec) -> set[int]:
    found: set[int] = set()
    for pc, insn in enumerate(spec.slots):
        match insn:
            case Call(CallKind.SUBPROG, int(distance)):
                found.add(pc + 1 + distance)
            case LoadImm64(_, PseudoImm64(pseudo, distance)) if pseudo == _PSEUDO_FUNC:
                found.add(pc + 1 + distance)
            case _:
                pass
    return {pc for pc in found if 0 <= pc < len(spec.slots) and spec.slots[pc] is not None}


def _split(
    insns: tuple[Instruction, ...], starts: Mapping[int, str]
) -> list[tuple[int, tuple[Instruction, ...]]]:
    """The instructions of each function with the pc it starts at."""
    parts: list[tuple[int, list[Instruction]]] = []
    pc = 0
    for insn in insns:
        if pc in starts:
            parts.append((pc, []))
        parts[-1][1].append(insn)
        pc += slot_count(insn)
    return [(start, tuple(part)) for start, part in parts]
