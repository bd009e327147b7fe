"""Assembly sources (``.s``) to objects and back: functions, maps, globals, license.

Directives are LLVM's where LLVM has them, the rest reads like a map's or a program's declaration::

    .license "GPL"
    .map counts percpu_array key=4 value=8 max_entries=256
    .map flows array_of_maps max_entries=2
    .inner flows hash key=4 value=8 max_entries=64
    .map next prog_array max_entries=4
    .slot next 1 second
    .data .rodata frozen flags=0x80 contents=2a000000
    .section "xdp"
    .globl first
    first:
        r1 = map[counts] ll
        call add_one
        exit
    .text
    add_one:
        ...

The first label of a section, every ``.globl``, called and slotted name start a function; other
labels belong to the function they stand in. Every instruction gets its line as line info. Types
(BTF) and variable names have no notation: they are left out.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from beebox.isa.assembler import assemble_lines, take_label
from beebox.isa.disassembler import name_text, string_text, text, text_to
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    Jump,
    JumpIf,
    LoadImm64,
    MapRef,
    MayGoto,
    PseudoImm64,
    SubprogRef,
    slot_count,
)
from beebox.isa.tokens import Statement, statements
from beebox.obj.assembly_maps import attributes, map_spec, map_text
from beebox.obj.model import INNER, FunctionSpec, LineInfo, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType

_TEXT: Final = ".text"
_SLOT_NAME: Final = 3  # tokens before the name in `.slot MAP INDEX NAME`
_SLOTTED: Final = frozenset({MapType.PROG_ARRAY, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS})
_IGNORED: Final = (".p2align", ".align", ".size", ".type", ".ident", ".file", ".addrsig")
_MOST_DATA_BYTES: Final = 64 << 20


@dataclass(slots=True)
class _Function:
    name: str
    section: str
    start: Statement
    lines: list[Statement] = field(default_factory=list)


@dataclass(slots=True)
class _Source:
    """What is known of the file so far."""

    called: frozenset[str]
    section: str = ""
    fresh: bool = True  # the next label starts a function, whatever its name
    license: str = ""
    globals: set[str] = field(default_factory=set)
    maps: dict[str, MapSpec] = field(default_factory=dict)
    places: dict[str, Statement] = field(default_factory=dict)  # of .map lines
    functions: dict[str, _Function] = field(default_factory=dict)
    current: _Function | None = None


def read_assembly(text: str, *, file: str = "<asm>") -> ObjectSpec:
    """The object that ``text`` describes; raises :exc:`beebox.errors.AssemblyError`."""
    lines = list(statements(text, file=file))
    source = _Source(_called(lines))
    for line in lines:
        if line.peek().text in (".globl", ".global"):
            source.globals.add(_peeked_name(line, 1))
    for line in lines:
        if line.peek().kind == "name" and line.peek().text.startswith(".") and not _labelled(line):
            _directive(source, line)
        else:
            _code(source, line)
    names = frozenset(source.functions)
    _check_maps(source, names)
    functions = {
        function.name: _function(function, names, source) for function in source.functions.values()
    }
    return ObjectSpec(functions, source.maps, license=source.license, file=file)


def write_assembly(spec: ObjectSpec) -> str:
    """``spec`` as a source that :func:`read_assembly` reads: jumps by label, lines as comments."""
    out = _heading(spec.license, spec.maps)
    section = ""
    for function in spec.functions.values():
        if function.section != section:
            section = function.section
            out += ["", _TEXT if section == _TEXT else f".section {string_text(section)}"]
        out.append("")
        if function.is_global:
            out.append(f".globl {name_text(function.name)}")
        out.append(f"{name_text(function.name)}:")
        out += _body(function.insns, function.lines, {}, numbered=False)
    return "\n".join(out).lstrip("\n") + "\n"


def write_program(spec: ProgramSpec) -> str:
    """A linked program as ``prog dump xlated`` shows it: with pcs, source lines, maps in use.

    It reads back as an object: the numbers in front mean nothing to :func:`read_assembly`, and
    slots of maps that hold what is not in the text are comments.
    """
    starts = {info.pc: info.name for info in spec.functions}
    starts.setdefault(0, spec.name)
    starts |= {pc: f"sub_{pc}" for pc in _called_pcs(spec) if pc not in starts}
    out = _heading(spec.license, spec.maps, {spec.name, *spec.maps, *starts.values()})
    out += ["", f".section {string_text(spec.section)}"]
    for pc, insns in _split(spec.insns, starts):
        out += ["", *([_TEXT, ""] if pc else []), f"{name_text(starts[pc])}:"]
        out += _body(insns, spec.lines, starts, numbered=True, first_pc=pc)
    return "\n".join(out).lstrip("\n") + "\n"


def _called(lines: list[Statement]) -> frozenset[str]:
    """Every name after ``call``, in ``func[name]`` and ``.slot``, as far as the tokens show."""
    found: set[str] = set()
    for line in lines:
        if line.tokens[0].text == ".slot" and len(line.tokens) > _SLOT_NAME:
            found.add(_peeked_name(line, _SLOT_NAME))
        for at, token in enumerate(line.tokens[:-1]):
            following = line.tokens[at + 1]
            if token.text == "call" and following.kind in ("name", "string"):
                found.add(_peeked_name(line, at + 1))
            if token.text == "func" and following.text == "[" and at + 2 < len(line.tokens):
                found.add(_peeked_name(line, at + 2))
    return frozenset(found)


def _peeked_name(line: Statement, at: int) -> str:
    line.at = at
    name = line.name()
    line.at = 0
    return name


def _labelled(line: Statement) -> bool:
    return line.peek(1).text == ":"


def _directive(source: _Source, line: Statement) -> None:
    token = line.take()
    match token.text:
        case ".license":
            source.license = line.name()
        case ".map":
            _map(source, line)
        case ".inner":
            _inner(source, line)
        case ".slot":
            _slot(source, line)
        case ".data" if line.peek().kind in ("name", "string"):
            _data(source, line)
        case ".text":
            _enter(source, _TEXT)
        case ".section":
            name_token = line.peek()
            name = line.name()
            line.at = len(line.tokens)  # the flags that LLVM prints behind the name
            if name != _TEXT and name.startswith("."):
                hint = 'programs stand in sections like "xdp", subprograms in .text'
                line.fail(f"no section `{name}`", token=name_token, hint=hint)
            _enter(source, name)
        case ".globl" | ".global":
            line.name()
        case word if word in _IGNORED:
            line.at = len(line.tokens)
        case word:
            hint = "data goes in `.data NAME contents=HEX`, a map in `.map NAME TYPE key=4 ...`"
            line.fail(f"no directive `{word}`", token=token, hint=hint)
    line.end()


def _enter(source: _Source, section: str) -> None:
    source.section, source.fresh, source.current = section, True, None


def _code(source: _Source, line: Statement) -> None:
    start = line.tokens[0]
    name = take_label(line)
    if name is not None:
        starts = source.fresh or name in source.called or name in source.globals
        if starts and source.section:
            if name in source.functions:
                line.fail(f"a second function `{name}`", token=start)
            source.current = _Function(name, source.section, line)
            source.functions[name] = source.current
            source.fresh = False
            if line.at == len(line.tokens):
                return
        else:
            line.at = 0
    if source.current is None:
        line.fail("outside of a function", token=start, hint='first `.section "xdp"`, then `name:`')
    source.current.lines.append(line)


def _function(function: _Function, names: frozenset[str], source: _Source) -> FunctionSpec:
    placed = assemble_lines(function.lines, functions=names)
    if not placed:
        function.start.fail(f"function `{function.name}` is empty", token=function.start.tokens[0])
    for item in placed:
        _known_operands(item.insn, item.line, names, source)
    return FunctionSpec(
        function.name,
        function.section,
        tuple(item.insn for item in placed),
        tuple(_line_info(item.pc, item.line) for item in placed),
        is_global=function.section != _TEXT or function.name in source.globals,
    )


def _line_info(pc: int, line: Statement) -> LineInfo:
    return LineInfo(pc, line.file, line.line, line.tokens[0].column, line.source.strip())


def _known_operands(
    insn: Instruction, line: Statement, names: frozenset[str], source: _Source
) -> None:
    """Refuse what this object cannot hold or does not have."""
    first = line.tokens[0]
    match insn:
        case LoadImm64(_, PseudoImm64()):
            hint = "name the map: `r1 = map[name] ll`"
            line.fail("a number that only a running kernel gives", token=first, hint=hint)
        case Call(CallKind.SUBPROG, int()):
            hint = "call a function by its name"
            line.fail("a call by distance", token=first, hint=hint)
        case Call(CallKind.SUBPROG, SubprogRef(name)) if name not in names:
            line.fail(f"no function `{name}`", token=first)
        case LoadImm64(_, SubprogRef(name)) if name not in names:
            line.fail(f"no function `{name}`", token=first)
        case LoadImm64(_, MapRef(name) | GlobalRef(name)) if name not in source.maps:
            line.fail(f"no map `{name}`", token=first, hint="declare it with `.map` or `.data`")
        case _:
            return


def _map(source: _Source, line: Statement) -> None:
    token = line.peek()
    name = _new_map_name(source, line)
    source.maps[name] = map_spec(line, name, token)
    source.places[name] = line


def _inner(source: _Source, line: Statement) -> None:
    token = line.peek()
    outer = _declared(source, line)
    if not outer.type.value.has_inner or outer.inner is not None:
        line.fail(f"map `{outer.name}` takes no inner map here", token=token)
    inner = map_spec(line, outer.name + INNER, token)
    source.maps[outer.name] = replace(outer, inner=inner)


def _slot(source: _Source, line: Statement) -> None:
    outer = _declared(source, line)
    token = line.peek()
    index = line.number()
    held = line.name()
    free = all(index != other for other, _ in outer.slots)
    if outer.type not in _SLOTTED or not 0 <= index < outer.max_entries or not free:
        line.fail(f"map `{outer.name}` has no such slot", token=token)
    slots = tuple(sorted((*outer.slots, (index, held))))
    source.maps[outer.name] = replace(outer, slots=slots)


def _declared(source: _Source, line: Statement) -> MapSpec:
    token = line.peek()
    name = line.name()
    if name not in source.maps:
        line.fail(f"no map `{name}`", token=token, hint="declare it with `.map` first")
    return source.maps[name]


def _check_maps(source: _Source, functions: frozenset[str]) -> None:
    """What can only be said of the whole file: templates, and what first values name."""
    for name, line in source.places.items():
        spec = source.maps[name]
        first = line.tokens[0]
        if spec.type.value.has_inner and spec.inner is None:
            hint = f"`.inner {name} hash key=4 value=8 max_entries=1`"
            line.fail(f"map `{name}` needs its inner map", token=first, hint=hint)
        known = source.maps if spec.inner is not None else functions
        for _, held in spec.slots:
            if held not in known:
                line.fail(f"`{held}` in map `{name}` is not there", token=first)


def _data(source: _Source, line: Statement) -> None:
    token = line.peek()
    name = _new_map_name(source, line)
    frozen = line.accept("frozen")
    sizes = attributes(line, ("size", "flags"))
    contents = b""
    if line.accept("contents"):
        line.expect("=")
        digits = line.take()
        try:
            contents = bytes.fromhex(digits.text)
        except ValueError:
            line.fail("expected an even number of hexadecimal digits", token=digits)
    size = sizes.get("size", len(contents))
    if not max(1, len(contents)) <= size <= _MOST_DATA_BYTES:
        line.fail(f"`{name}` cannot have {size} bytes", token=token)
    source.maps[name] = MapSpec(
        name,
        MapType.ARRAY,
        4,
        size,
        1,
        MapFlags(sizes.get("flags", 0)),
        contents=contents.ljust(size, b"\0"),
        frozen=frozen,
    )


def _new_map_name(source: _Source, line: Statement) -> str:
    token = line.peek()
    name = line.name()
    if name in source.maps:
        line.fail(f"a second map `{name}`", token=token)
    return name


def _heading(
    license_name: str, maps: Mapping[str, MapSpec], present: Container[str] | None = None
) -> list[str]:
    out = [f".license {string_text(license_name)}"] if license_name else []
    for row in maps.values():
        name = name_text(row.name)
        flags = f" flags={int(row.flags):#x}" if row.flags else ""
        if row.contents is not None:
            used = row.contents.rstrip(b"\0")
            contents = f" contents={used.hex()}" if used else ""
            frozen = " frozen" if row.frozen else ""
            out.append(f".data {name}{frozen} size={len(row.contents)}{flags}{contents}")
        else:
            out.append(f".map {name} {map_text(row)}")
            if row.inner is not None:
                out.append(f".inner {name} {map_text(row.inner)}")
    for row in maps.values():
        for index, held in row.slots:
            absent = "; " if present is not None and held not in present else ""
            out.append(f"{absent}.slot {name_text(row.name)} {index} {name_text(held)}")
    return out


def _body(
    insns: tuple[Instruction, ...],
    lines: tuple[LineInfo, ...],
    starts: Mapping[int, str],
    *,
    numbered: bool,
    first_pc: int = 0,
) -> list[str]:
    """The lines of one function; ``starts`` names the functions that calls by distance reach."""
    placed: list[tuple[int, Instruction]] = []
    pc = first_pc
    for insn in insns:
        placed.append((pc, insn))
        pc += slot_count(insn)
    places = {at for at, _ in placed} | {pc}
    targets = {_target(at, insn) for at, insn in placed} & places
    comments = {info.pc: info for info in lines}
    place = ("", 0)
    out: list[str] = []
    for at, insn in placed:
        if at in targets:
            out.append(f".L{at}:")
        shown = _insn_text(at, insn, targets, starts)
        info = comments.get(at)
        if info is not None and (info.file, info.line) != place:
            place = (info.file, info.line)
            if info.text != shown:
                out.append(f"    ; {_comment(info)}")
        out.append((f"{at:>5}: " if numbered else "    ") + shown)
    if pc in targets:
        out.append(f".L{pc}:")
    return out


def _insn_text(
    pc: int, insn: Instruction, targets: set[int | None], starts: Mapping[int, str]
) -> str:
    match insn:
        case Jump() | JumpIf() | MayGoto() if _target(pc, insn) in targets:
            return text_to(insn, f".L{_target(pc, insn)}")
        case Call(CallKind.SUBPROG, int(distance)) if pc + 1 + distance in starts:
            return text(Call(CallKind.SUBPROG, SubprogRef(starts[pc + 1 + distance])))
        case _:
            return text(insn)


def _target(pc: int, insn: Instruction) -> int | None:
    match insn:
        case Jump(offset) | MayGoto(offset) | JumpIf(_, _, _, offset):
            return pc + 1 + offset
        case _:
            return None


def _comment(info: LineInfo) -> str:
    shown = "".join(char if char.isprintable() else " " for char in f"{info.file}:{info.line}")
    source = "".join(char if char.isprintable() else " " for char in info.text)
    return f"{shown}: {source.strip()}"


def _called_pcs(spec: ProgramSpec) -> set[int]:
    found: set[int] = set()
    for pc, insn in enumerate(spec.slots):
        match insn:
            case Call(CallKind.SUBPROG, int(distance)):
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
