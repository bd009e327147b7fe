"""Assembly sources (``.s``) to objects: functions, maps, variables, types, kernel symbols.

Directives are LLVM's where LLVM has them, the rest reads like a C declaration::

    .license "GPL"
    .map counts percpu_array key=unsigned int value=struct count max_entries=256
    .map flows array_of_maps max_entries=2
    .inner flows hash key=4 value=8 max_entries=64
    .map next prog_array max_entries=4
    .slot next 1 second
    .data .rodata frozen flags=rdonly_prog
    .var const volatile int limit = 42
    .kfunc weak struct task_struct *bpf_task_from_pid(int pid)
    .section "xdp"
    .proto int first(struct xdp_md *ctx)
    first:
        r1 = map[counts] ll
        r2 = *(u32 *)(r1 + 16) @core(field_byte_offset, struct sk_buff, "0:3")
        call add_one
        exit
    .text
    add_one:
        ...
    .types
    struct count {
        unsigned long long packets;
    }

The first label of a section and every name that is called, slotted, declared by ``.globl``,
``.local`` or ``.weak`` or stands below a ``.proto`` starts a function; other labels belong to the
function they stand in. Without ``.loc``, every instruction gets its line as line info. What clang
prints (``clang -S``) is read by :mod:`beebox.obj.assembly.llvm`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from beebox.btf.types import Btf, Datasec, Linkage, SectionVar
from beebox.isa.assembler import take_label
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    PseudoImm64,
    SubprogRef,
)
from beebox.isa.tokens import Statement, Token, statements
from beebox.obj.assembly.functions import MARKS, Function, body_of
from beebox.obj.assembly.layout import up
from beebox.obj.assembly.llvm import is_llvm, read_llvm
from beebox.obj.assembly.maps import data_spec, map_spec, member_offsets
from beebox.obj.assembly.type_blocks import read_types
from beebox.obj.assembly.type_table import Place
from beebox.obj.assembly.types import Types
from beebox.obj.assembly.values import Initial, take_value
from beebox.obj.model import INNER, ExternKind, ExternSpec, FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType

TEXT: Final = ".text"
_SLOT_NAME: Final = 3  # tokens before the name in `.slot MAP INDEX NAME`
_SLOTTED: Final = frozenset(
    {MapType.PROG_ARRAY, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.STRUCT_OPS}
)
_IGNORED: Final = (".p2align", ".align", ".size", ".type", ".ident", ".file", ".addrsig")
_BINDINGS: Final = (".globl", ".global", ".local", ".weak")
_EXTERNS: Final = {
    ".ksym": ExternKind.VARIABLE,
    ".kfunc": ExternKind.FUNCTION,
    ".kconfig": ExternKind.KCONFIG,
}
_MOST_DATA_BYTES: Final = 64 << 20
_MOST_U32: Final = (1 << 32) - 1


@dataclass(slots=True)
class _Map:
    """A map's line, and what later lines say of it."""

    spec: MapSpec
    line: Statement
    token: Token
    value: Initial | None = None
    slots: list[tuple[Statement, Token, int | str, str]] = field(default_factory=list)
    variables: list[tuple[SectionVar, Initial | None]] = field(default_factory=list)
    is_data: bool = False


@dataclass(slots=True)
class _Source:
    """What is known of the file so far."""

    called: frozenset[str]
    types: Types = field(default_factory=Types)
    section: str = ""
    fresh: bool = True  # the next label starts a function, whatever its name
    license: str = ""
    version: int = 0
    bindings: dict[str, set[str]] = field(default_factory=dict)  # names by directive
    maps: dict[str, _Map] = field(default_factory=dict)
    externs: dict[str, ExternSpec] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    current: Function | None = None
    data: _Map | None = None  # what .var lines go into
    proto: Statement | None = None  # of the next function

    def is_bound(self, name: str, *words: str) -> bool:
        """Whether ``name`` stands behind one of these directives."""
        return any(name in self.bindings.get(word, ()) for word in words)

    def is_global(self, function: Function) -> bool:
        """Whether other objects see the function."""
        name = function.name
        if self.is_bound(name, ".globl", ".global", ".weak"):
            return True
        return function.section != TEXT and not self.is_bound(name, ".local")


def read_assembly(text: str, *, file: str = "<asm>") -> ObjectSpec:
    """The object that ``text`` describes; raises :exc:`beebox.errors.AssemblyError`.

    Of clang's text the lines may each be right and the object still malformed:
    :exc:`beebox.errors.ObjectError` or :exc:`beebox.errors.BtfError`.
    """
    everything = list(statements(text, file=file))
    if is_llvm(everything):
        return read_llvm(everything, file=file)
    types, lines = _split(everything)
    source = _Source(_called(lines))
    read_types(source.types, types)
    for line in lines:
        if line.peek().text in _BINDINGS:
            source.bindings.setdefault(line.peek().text, set()).add(_peeked_name(line, 1))
    for line in lines:
        if line.peek().kind == "name" and line.peek().text.startswith(".") and not _labelled(line):
            _directive(source, line)
        else:
            _code(source, line)
    if source.proto is not None:
        source.proto.fail("no function follows", token=source.proto.tokens[0])
    return _object(source, file)


def _object(source: _Source, file: str) -> ObjectSpec:
    names = frozenset(source.functions)
    functions = {
        function.name: _function(function, names, source) for function in source.functions.values()
    }
    sections = {name: _section(source, row) for name, row in source.maps.items() if row.variables}
    btf = source.types.table.build()
    maps = {
        name: _finished(source, row, sections.get(name, 0), btf, names)
        for name, row in source.maps.items()
    }
    return ObjectSpec(
        functions,
        maps,
        license=source.license,
        btf=btf,
        file=file,
        version=source.version,
        externs=source.externs,
    )


def _split(lines: Iterable[Statement]) -> tuple[list[Statement], list[Statement]]:
    """The lines below ``.types``, up to the next directive, and all others."""
    types: list[Statement] = []
    others: list[Statement] = []
    inside = False
    for line in lines:
        first = line.peek()
        if first.kind == "name" and first.text.startswith("."):
            inside = first.text == ".types"
            if inside:
                line.take()
                line.end()
                continue
        (types if inside else others).append(line)
    return types, others


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
        case ".version":
            source.version = _u32(line)
        case ".map":
            _map(source, line)
        case ".inner":
            _inner(source, line)
        case ".slot":
            _slot(source, line)
        case ".data" if line.peek().kind in ("name", "string"):
            _data(source, line)
        case ".var":
            _variable(source, line)
        case ".ksym" | ".kfunc" | ".kconfig":
            _extern(source, line, _EXTERNS[token.text])
        case ".proto":
            if source.proto is not None:
                source.proto.fail("no function follows", token=source.proto.tokens[0])
            source.proto = line
            line.at = len(line.tokens)
        case ".text":
            _enter(source, TEXT)
        case ".section":
            name_token = line.peek()
            name = line.name()
            line.at = len(line.tokens)  # the flags that LLVM prints behind the name
            if name != TEXT and name.startswith("."):
                hint = 'programs stand in sections like "xdp", subprograms in .text'
                line.fail(f"no section `{name}`", token=name_token, hint=hint)
            _enter(source, name)
        case word if word in _BINDINGS:
            line.name()
        case word if word in MARKS:
            line.at = 0
            if source.current is None:
                line.fail("outside of a function", token=token)
            source.current.mark(line)
            return
        case word if word in _IGNORED:
            line.at = len(line.tokens)
        case word:
            hint = "variables go below `.data NAME` as `.var int x = 5`, maps in `.map NAME TYPE`"
            line.fail(f"no directive `{word}`", token=token, hint=hint)
    line.end()


def _enter(source: _Source, section: str) -> None:
    source.section, source.fresh, source.current = section, True, None


def _code(source: _Source, line: Statement) -> None:
    start = line.tokens[0]
    name = take_label(line)
    if name is not None:
        starts = source.fresh or source.proto is not None or name in source.called
        if (starts or source.is_bound(name, *_BINDINGS)) and source.section:
            if name in source.functions:
                line.fail(f"a second function `{name}`", token=start)
            source.current = Function(name, source.section, line, source.proto)
            source.functions[name] = source.current
            source.fresh, source.proto = False, None
            if line.at == len(line.tokens):
                return
            line = Statement(line.file, line.line, line.source, line.tokens[line.at :])
        else:
            line.at = 0
    if source.current is None:
        line.fail("outside of a function", token=start, hint='first `.section "xdp"`, then `name:`')
    source.current.add(line)


def _function(function: Function, names: frozenset[str], source: _Source) -> FunctionSpec:
    type_id = _prototype(function, source) if function.proto is not None else 0
    body = body_of(function, names, source.types)
    for item in body.placed:
        _known_operands(item.insn, item.line, names, source)
    return FunctionSpec(
        function.name,
        function.section,
        tuple(item.insn for item in body.placed),
        body.lines,
        type_id=type_id,
        variables=body.variables,
        is_global=source.is_global(function),
        is_weak=source.is_bound(function.name, ".weak"),
        core=body.core,
    )


def _prototype(function: Function, source: _Source) -> int:
    line = function.proto
    if line is None:
        return 0
    line.at = 1
    linkage = Linkage.GLOBAL if source.is_global(function) else Linkage.STATIC
    for word in Linkage:
        if line.peek().text == word.name.lower() and line.accept(word.name.lower()):
            linkage = word
    type_id = source.types.prototype(line, linkage)
    line.end()
    return type_id


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
        case LoadImm64(_, KsymRef(name)) | Call(_, KfuncRef(name)) if name not in source.externs:
            hint = "declare it: `.ksym const int NAME`, `.kfunc int NAME(void)`, `.kconfig`"
            line.fail(f"no kernel symbol `{name}`", token=first, hint=hint)
        case _:
            return


def _extern(source: _Source, line: Statement, kind: ExternKind) -> None:
    """``.ksym [weak] TYPE NAME``; a kfunc has a prototype, or only its name."""
    is_weak = line.accept("weak")
    token = line.peek()
    if kind is ExternKind.FUNCTION and line.peek(1).kind == "end of line":
        type_id, name = 0, line.name()
    elif kind is ExternKind.FUNCTION:
        type_id = source.types.prototype(line, Linkage.EXTERN)
        name = source.types.table.function_name(type_id)
    else:
        type_id, name = source.types.declaration(line)
    if not name:
        line.fail("a kernel symbol needs a name", token=token)
    if name in source.externs:
        line.fail(f"a second `{name}`", token=token)
    source.externs[name] = ExternSpec(name, kind, type_id, is_weak)


def _map(source: _Source, line: Statement) -> None:
    token = line.peek()
    name = _new_map_name(source, line)
    row = _Map(map_spec(line, source.types, name, token), line, token)
    if line.accept("="):
        row.value = take_value(line)
    source.maps[name] = row
    source.data = None


def _inner(source: _Source, line: Statement) -> None:
    token = line.peek()
    outer = _declared(source, line)
    if not outer.spec.type.value.has_inner or outer.spec.inner is not None:
        line.fail(f"map `{outer.spec.name}` takes no inner map here", token=token)
    inner = map_spec(line, source.types, outer.spec.name + INNER, token)
    outer.spec = replace(outer.spec, inner=inner)


def _slot(source: _Source, line: Statement) -> None:
    outer = _declared(source, line)
    token = line.peek()
    index: int | str = line.name()[1:] if token.text.startswith(".") else line.number()
    held = line.name()
    outer.slots.append((line, token, index, held))


def _declared(source: _Source, line: Statement) -> _Map:
    token = line.peek()
    name = line.name()
    if name not in source.maps:
        line.fail(f"no map `{name}`", token=token, hint="declare it with `.map` first")
    return source.maps[name]


def _data(source: _Source, line: Statement) -> None:
    token = line.peek()
    name = _new_map_name(source, line)
    spec = data_spec(line, source.types, name, token)
    source.data = source.maps[name] = _Map(spec, line, token, is_data=True)


def _variable(source: _Source, line: Statement) -> None:
    """``.var static int hits @at(8) = 5``, in the data map above."""
    if source.data is None:
        line.fail("a variable outside of a data map", token=line.peek(), hint="first `.data NAME`")
    types, data = source.types, source.data
    token = line.peek()
    type_id, value_type = types.variable(line)
    notes = types.notes(line, ("at", "size"))
    types.table.tag(type_id, notes)
    size = notes.numbers.get("size")
    size = types.table.size(value_type, Place(line, token)) if size is None else size
    last = data.variables[-1][0] if data.variables else SectionVar(0, 0, 0)
    offset = up(last.offset + last.size, types.table.measures.align(value_type))
    offset = notes.numbers.get("at", offset)
    if offset + size > _MOST_DATA_BYTES:
        line.fail(f"a variable of {size} bytes at {offset}", token=token)
    value = take_value(line) if line.accept("=") else None
    data.variables.append((SectionVar(type_id, offset, size), value))


def _section(source: _Source, row: _Map) -> int:
    """The DATASEC of a data map, whose contents grow to hold its variables."""
    contents = row.spec.contents or b""
    size = max(len(contents), *(placed.offset + placed.size for placed, _ in row.variables))
    row.spec = replace(row.spec, contents=contents.ljust(size, b"\0"), value_size=size)
    placed = tuple(sorted((var for var, _ in row.variables), key=lambda var: var.offset))
    return source.types.table.add(Datasec(row.spec.name, size, placed))


def _finished(
    source: _Source, row: _Map, section: int, btf: Btf | None, functions: frozenset[str]
) -> MapSpec:
    """What can only be said of the whole file: values, templates, and what slots name."""
    spec = row.spec
    if row.is_data:
        if not spec.contents:
            row.line.fail(f"`{spec.name}` cannot have 0 bytes", token=row.token)
        contents = bytearray(spec.contents)
        for placed, value in row.variables:
            if value is not None:
                data = value.encode(btf, placed.type, placed.size)
                contents[placed.offset : placed.offset + placed.size] = data
        spec = replace(spec, contents=bytes(contents), value_type_id=section)
    elif row.value is not None:
        given = row.value.encode(btf, spec.value_type_id, spec.value_size)
        spec = replace(spec, contents=given)
    first = row.line.tokens[0]
    if spec.type.value.has_inner and spec.inner is None:
        hint = f"`.inner {spec.name} hash key=4 value=8 max_entries=1`"
        row.line.fail(f"map `{spec.name}` needs its inner map", token=first, hint=hint)
    known = source.maps if spec.inner is not None else functions
    slots = _slots(row, spec, btf)
    for held in slots.values():
        if held not in known:
            row.line.fail(f"`{held}` in map `{spec.name}` is not there", token=first)
    return replace(spec, slots=tuple(sorted(slots.items())))


def _slots(row: _Map, spec: MapSpec, btf: Btf | None) -> dict[int, str]:
    found: dict[int, str] = {}
    is_struct = spec.type is MapType.STRUCT_OPS
    members = member_offsets(btf, spec.value_type_id) if btf and is_struct and row.slots else {}
    most = spec.value_size if is_struct else spec.max_entries
    for line, token, index, held in row.slots:
        at = members.get(index) if isinstance(index, str) else index
        if spec.type not in _SLOTTED or at is None or not 0 <= at < most or at in found:
            line.fail(f"map `{spec.name}` has no such slot", token=token)
        found[at] = held
    return found


def _new_map_name(source: _Source, line: Statement) -> str:
    token = line.peek()
    name = line.name()
    if name in source.maps:
        line.fail(f"a second map `{name}`", token=token)
    return name


def _u32(line: Statement) -> int:
    token = line.peek()
    value = line.number()
    if not 0 <= value <= _MOST_U32:
        line.fail(f"{value} does not fit 32 bits", token=token)
    return value
