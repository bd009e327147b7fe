"""Objects changed before load: maps, programs, where they attach. Each change gives a new spec.

References follow: code, first slots and BTF name what was renamed by its new name. What would
leave a reference to nothing is an :exc:`ObjectError` that says where it is. Values of variables
are :mod:`beebox.obj.globals`' business; :func:`rewrite_constants` sets several. Functions of a
spec that was read stay undecoded where a change does not need to look at them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from beebox.btf.types import Btf, Datasec, DeclTag, Func, Var
from beebox.errors import ObjectError
from beebox.isa.instruction import Call, GlobalRef, Instruction, LoadImm64, MapRef, SubprogRef
from beebox.obj.globals import constant_names, set_global
from beebox.obj.map_rules import RINGS, ring_bytes
from beebox.obj.maps import SECTION, section_id
from beebox.obj.model import INNER, FunctionSpec, FunctionTable, MapSpec, ObjectSpec, Pinning
from beebox.obj.section_descriptions import value_section
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import SECTIONS, SectionRow, section_row

_NAME: Final = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*")
_EXCEPTION_CALLBACK: Final = "exception_callback:"


def rename_map(spec: ObjectSpec, old: str, new: str) -> ObjectSpec:
    """The map ``old`` called ``new``. Maps of data sections are named by their section."""
    row = _map(spec, old)
    if row.is_global_data and row.type is not MapType.ARENA:
        raise ObjectError(f"map {old} has the name of its section", file=spec.file)
    _check_new_name(spec, new)
    inner = replace(row.inner, name=new + INNER) if row.inner is not None else None
    maps: dict[str, MapSpec] = {}
    for name, other in spec.maps.items():
        changed = replace(row, name=new, inner=inner) if name == old else other
        if changed.inner is not None:
            slots = tuple((at, new if held == old else held) for at, held in changed.slots)
            changed = replace(changed, slots=slots)
        maps[changed.name] = changed
    sections = {SECTION, value_section(row)}
    btf = _renamed(spec.btf, _variables(spec.btf, sections, old), new)

    def followed(insn: Instruction) -> Instruction:
        match insn:
            case LoadImm64(value=MapRef(name=name)) if name == old:
                return replace(insn, value=MapRef(new))
            case LoadImm64(value=GlobalRef(map_name=name, offset=offset)) if name == old:
                return replace(insn, value=GlobalRef(new, offset))
            case _:
                return insn

    functions = _mapped(spec, lambda row: _with_insns(row, followed))
    return replace(spec, maps=maps, btf=btf, functions=functions)


def resize_map(spec: ObjectSpec, name: str, max_entries: int) -> ObjectSpec:
    """The map with room for ``max_entries``; a ring's bytes become whole pages."""
    row = _map(spec, name)
    entries = ring_bytes(max_entries) if row.type in RINGS else max_entries
    if not 0 <= entries < 1 << 32:
        raise ObjectError(f"map {name} cannot have {max_entries} entries", file=spec.file)
    last = max((at for at, _ in row.slots), default=-1)
    if row.type is not MapType.STRUCT_OPS and last >= entries:
        problem = f"map {name} holds something in slot {last}"
        raise ObjectError(problem, file=spec.file)
    return replace_map(spec, replace(row, max_entries=entries))


def change_map(
    spec: ObjectSpec,
    name: str,
    *,
    type: MapType | None = None,  # noqa: A002 -- the attribute's name
    flags: MapFlags | None = None,
    key_size: int | None = None,
    value_size: int | None = None,
    pinning: Pinning | None = None,
    numa_node: int | None = None,
    extra: int | None = None,
    autocreate: bool | None = None,
) -> ObjectSpec:
    """The map with other attributes: what is None stays.

    A key or value of another size loses its BTF type. Whether kernels make such a map is said by
    them, or before by :func:`map_rules.check_spec`.
    """
    row = _map(spec, name)
    if row.contents is not None and (value_size is not None or type is not None):
        problem = f"map {name} holds the object's data: its type and size are fixed"
        raise ObjectError(problem, file=spec.file)
    if key_size is not None and key_size != row.key_size:
        row = replace(row, key_size=key_size, key_type_id=0)
    if value_size is not None and value_size != row.value_size:
        row = replace(row, value_size=value_size, value_type_id=0)
    given = {
        "type": type,
        "flags": flags,
        "pinning": pinning,
        "numa_node": numa_node,
        "extra": extra,
        "autocreate": autocreate,
    }
    return replace_map(spec, replace(row, **{k: v for k, v in given.items() if v is not None}))  # type: ignore[arg-type]  # each of its own type, above


def replace_map(spec: ObjectSpec, row: MapSpec) -> ObjectSpec:
    """``row`` in the place of the map of its name, to which all references now mean it."""
    old = _map(spec, row.name)
    if (old.contents is None) != (row.contents is None):
        problem = f"map {row.name} {'has' if old.contents is not None else 'has no'} contents"
        raise ObjectError(problem, file=spec.file)
    if len(row.contents or b"") < len(old.contents or b""):
        problem = f"the contents of map {row.name} are shorter than what code refers to"
        raise ObjectError(problem, file=spec.file)
    return replace(spec, maps={**spec.maps, row.name: row})


def drop_map(spec: ObjectSpec, name: str) -> ObjectSpec:
    """The object without the map, which nothing may refer to."""
    _map(spec, name)
    for other in spec.maps.values():
        if other.inner is not None and name in {held for _, held in other.slots}:
            raise ObjectError(f"map {other.name} holds {name}", file=spec.file)
    for function in spec.functions.values():
        for insn in function.insns:
            match insn:
                case LoadImm64(value=MapRef(name=used) | GlobalRef(map_name=used)) if used == name:
                    problem = f"function {function.name} uses map {name}"
                    raise ObjectError(problem, file=spec.file)
                case _:
                    pass
    return replace(spec, maps={key: row for key, row in spec.maps.items() if key != name})


def rewrite_constants(spec: ObjectSpec, values: Mapping[str, object]) -> ObjectSpec:
    """The object with constants (``const volatile`` in C) set, each encoded by its type.

    Raises :exc:`ObjectError` for a variable that programs may write, :exc:`BtfError` for a value
    that does not fit.
    """
    known = constant_names(spec)
    for name, value in values.items():
        if name not in known:
            raise ObjectError(f"{name!r} is no constant of the object", file=spec.file)
        spec = set_global(spec, name, value)
    return spec


def rename_program(spec: ObjectSpec, old: str, new: str) -> ObjectSpec:
    """The program or subprogram ``old`` called ``new``."""
    function = _function(spec, old)
    _check_new_name(spec, new)

    def followed(insn: Instruction) -> Instruction:
        match insn:
            case Call(target=SubprogRef(name=name)) if name == old:
                return replace(insn, target=SubprogRef(new))
            case LoadImm64(value=SubprogRef(name=name)) if name == old:
                return replace(insn, value=SubprogRef(new))
            case _:
                return insn

    earlier = spec.functions
    names = {new if name == old else name: name for name in spec.sections}
    functions = FunctionTable(
        {name: spec.sections[known] for name, known in names.items()},
        lambda name: replace(_with_insns(earlier[names[name]], followed), name=name),
    )
    maps = {
        name: replace(
            row, slots=tuple((at, new if held == old else held) for at, held in row.slots)
        )
        if row.inner is None and row.slots
        else row
        for name, row in spec.maps.items()
    }
    btf = spec.btf
    if btf is not None and function.type_id and isinstance(btf.type(function.type_id), Func):
        btf = _renamed(btf, [function.type_id], new)
    tags = [
        type_id
        for type_id in (btf.named(_EXCEPTION_CALLBACK + old) if btf else ())
        if btf and isinstance(btf.type(type_id), DeclTag)
    ]
    btf = _renamed(btf, tags, _EXCEPTION_CALLBACK + new)
    symbols = {new if name == old else name: row for name, row in spec.attach_symbols.items()}
    return replace(spec, functions=functions, maps=maps, btf=btf, attach_symbols=symbols)


def drop_program(spec: ObjectSpec, name: str) -> ObjectSpec:
    """The object without the program, and without what only it called.

    No slot of a map may hold it; :func:`replace_map` empties slots.
    """
    _program(spec, name)
    for row in spec.maps.values():
        for at, held in row.slots:
            if held == name and row.inner is None:
                raise ObjectError(f"map {row.name} holds {name} in slot {at}", file=spec.file)
    reached = _reached(spec, [other for other in spec.program_names if other != name])
    own = _reached(spec, [name])
    if name in reached:
        raise ObjectError(f"another program calls {name}", file=spec.file)
    functions, gone = spec.functions, own - reached
    kept = {known: section for known, section in spec.sections.items() if known not in gone}
    symbols = {known: row for known, row in spec.attach_symbols.items() if known not in gone}
    table = FunctionTable(kept, lambda known: functions[known])
    return replace(spec, functions=table, attach_symbols=symbols)


def set_autoload(spec: ObjectSpec, name: str, autoload: bool) -> ObjectSpec:
    """The program loaded, or not, by those who name no programs."""
    section = _program(spec, name).removeprefix("?")
    return _in_section(spec, name, section if autoload else f"?{section}")


def set_section(spec: ObjectSpec, name: str, section: str) -> ObjectSpec:
    """The program as if its source had said SEC("section"): type, attach type and target at once.

    A ``?`` says that it is not to be loaded unasked.
    """
    _program(spec, name)
    if section_row(section) is None:
        raise ObjectError(f"no program type has sections called {section!r}", file=spec.file)
    return _in_section(spec, name, section)


def set_attach_target(spec: ObjectSpec, name: str, target: str) -> ObjectSpec:
    """The program for another function, tracepoint or hook: "fentry/old" becomes "fentry/new"."""
    section = _program(spec, name)
    row = section_row(section)
    if row is None or not row.prefix:
        problem = f"program {name} of section {section!r} does not name what it attaches to"
        raise ObjectError(problem, file=spec.file)
    return _in_section(spec, name, _spelled(row, section, target))


def set_type(
    spec: ObjectSpec, name: str, kind: ProgramType, attach_type: AttachType | None = None
) -> ObjectSpec:
    """The program of another type; its target stays where the new type has one.

    Without ``attach_type``, the type's first one in libbpf's table of sections is meant.
    """
    section = _program(spec, name)
    old = section_row(section)
    _, _, target = section.removeprefix("?").removeprefix(old.name if old else "").partition("/")
    for row in SECTIONS:
        if row.program_type is kind and attach_type in {None, row.attach_type}:
            return _in_section(spec, name, _spelled(row, section, target if row.prefix else ""))
    problem = f"no section name stands for {kind.value.name} with this attach type"
    raise ObjectError(problem, file=spec.file)


def set_license(spec: ObjectSpec, text: str) -> ObjectSpec:
    """The object under another license: some helpers are for GPL programs alone."""
    if "\0" in text:
        raise ObjectError("a license without NUL, please", file=spec.file)
    return replace(spec, license=text)


def _spelled(row: SectionRow, old: str, target: str) -> str:
    optional = "?" if old.startswith("?") else ""
    return f"{optional}{row.name}/{target}" if target else f"{optional}{row.name}"


def _map(spec: ObjectSpec, name: str) -> MapSpec:
    if name not in spec.maps:
        known = ", ".join(spec.maps) or "none"
        raise ObjectError(f"no map {name!r} (there are: {known})", file=spec.file)
    return spec.maps[name]


def _function(spec: ObjectSpec, name: str) -> FunctionSpec:
    if name not in spec.sections:
        known = ", ".join(spec.sections) or "none"
        raise ObjectError(f"no function {name!r} (there are: {known})", file=spec.file)
    return spec.functions[name]


def _program(spec: ObjectSpec, name: str) -> str:
    """The section of the program."""
    if name not in spec.program_names:
        known = ", ".join(spec.program_names) or "none"
        raise ObjectError(f"no program {name!r} (there are: {known})", file=spec.file)
    return spec.sections[name]


def _check_new_name(spec: ObjectSpec, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ObjectError(f"{name!r} cannot be a name", file=spec.file)
    if name in spec.maps or name in spec.sections or name in spec.externs:
        raise ObjectError(f"there is a {name!r} already", file=spec.file)


def _mapped(spec: ObjectSpec, change: Callable[[FunctionSpec], FunctionSpec]) -> FunctionTable:
    functions = spec.functions
    return FunctionTable(spec.sections, lambda name: change(functions[name]))


def _with_insns(row: FunctionSpec, change: Callable[[Instruction], Instruction]) -> FunctionSpec:
    return replace(row, insns=tuple(map(change, row.insns)))


def _in_section(spec: ObjectSpec, name: str, section: str) -> ObjectSpec:
    functions = spec.functions

    def made(known: str) -> FunctionSpec:
        row = functions[known]
        return replace(row, section=section) if known == name else row

    return replace(spec, functions=FunctionTable({**spec.sections, name: section}, made))


def _reached(spec: ObjectSpec, names: list[str]) -> set[str]:
    """``names`` and what they call, directly or not."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in spec.sections:
            continue
        found.add(name)
        for insn in spec.functions[name].insns:
            match insn:
                case (
                    Call(target=SubprogRef(name=callee)) | LoadImm64(value=SubprogRef(name=callee))
                ):
                    waiting.append(callee)
                case _:
                    pass
    return found


def _variables(btf: Btf | None, sections: set[str], name: str) -> list[int]:
    """The variables of that name in these sections."""
    found: list[int] = []
    for section in sections if btf else ():
        row = btf.type(section_id(btf, section)) if btf and section else None
        for placed in row.vars if btf and isinstance(row, Datasec) else ():
            variable = btf.type(placed.type) if btf else None
            if isinstance(variable, Var) and variable.name == name:
                found.append(placed.type)
    return found


def _renamed(btf: Btf | None, type_ids: list[int], name: str) -> Btf | None:
    if btf is None or not type_ids:
        return btf
    types = list(btf.types)
    for type_id in type_ids:
        row = types[type_id - btf.first_id]
        if isinstance(row, Var | Func | DeclTag):
            types[type_id - btf.first_id] = replace(row, name=name)
    return Btf(tuple(types), btf.base)
