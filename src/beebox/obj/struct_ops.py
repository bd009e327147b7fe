"""struct_ops maps: a struct of functions of the object, brought to the target's layout of it.

The object lays the struct out as its source declares it; the kernel wants its own struct, found by
name, inside a value of type ``struct bpf_struct_ops_NAME`` with a descriptor of a program for each
function. Members are matched by name, and one that only the object knows may be nothing but zeros.
Source: libbpf's treatment of ``.struct_ops`` sections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from beebox.btf.types import Array, Btf, Enum, Float, FuncProto, Int, Member, Ptr, Struct, Type
from beebox.errors import NotSupportedError, ObjectError
from beebox.obj.model import KernelSymbol, MapSpec
from beebox.obj.targets.target import Target

_VALUE_PREFIX: Final = "bpf_struct_ops_"
_DATA: Final = "data"
_FLAVOUR: Final = "___"


@dataclass(frozen=True, slots=True)
class Slot:
    """A function pointer: byte ``offset`` in the value, the program, its index in the struct."""

    offset: int
    program: str
    member: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A struct_ops map as the target has it. Type ids are those of the BTF of ``module``.

    ``value`` is the map's one value with the functions still 0: whoever loads the programs puts
    their descriptors in, 8 bytes each.
    """

    value_type_id: int
    struct_type_id: int
    value: bytes
    slots: tuple[Slot, ...]
    module: str = ""  # "" is the kernel itself


def layout(spec: MapSpec, btf: Btf | None, target: Target) -> Layout:
    """Where everything of the struct_ops map ``spec`` lies in ``target``.

    ``btf`` are the object's types. Raises :exc:`NotSupportedError` for a struct or member that
    the target does not have, :exc:`ObjectError` for a map that does not say what it is.
    """
    local = btf.resolve(spec.value_type_id)[1] if btf and spec.value_type_id else None
    if btf is None or not isinstance(local, Struct) or spec.contents is None:
        raise ObjectError(f"struct_ops map {spec.name} has no struct")
    name = local.name.partition(_FLAVOUR)[0]
    module, types = _home(target, name)
    struct_id, struct = _struct(types, name)
    value_id, value = _struct(types, _VALUE_PREFIX + name)
    data = next((row for row in value.members if row.name == _DATA), None)
    if data is None or types.resolve(data.type)[0] != struct_id:
        raise NotSupportedError(f"struct_ops of struct {name} in {target.name}")
    start = data.bit_offset // 8
    filled = bytearray(value.size)
    by_name = {row.name: (index, row) for index, row in enumerate(struct.members)}
    functions = dict(spec.slots)
    slots: list[Slot] = []
    for member in local.members:
        where = f"member {member.name!r} of struct {name} (map {spec.name})"
        at, rest = divmod(member.bit_offset, 8)
        if rest or member.bitfield_size:
            raise NotSupportedError(f"the bit field {where}")
        size = btf.size_of(member.type)
        contents = spec.contents[at : at + size]
        program = functions.pop(at, None)
        if member.name not in by_name or not member.name:
            if program is not None or any(contents):
                raise NotSupportedError(f"{where} in {target.name}")
            continue
        index, theirs = by_name[member.name]
        _check(btf, member, types, theirs, where)
        offset = start + theirs.bit_offset // 8
        if program is not None:
            _check_function(types, theirs, where)
            slots.append(Slot(offset, program, index))
        elif not isinstance(btf.resolve(member.type)[1], Ptr):
            filled[offset : offset + size] = contents
        elif any(contents):
            raise NotSupportedError(f"a pointer other than to a function in {where}")
    if functions:
        offset, program = next(iter(functions.items()))
        raise ObjectError(f"map {spec.name}: {program} stands at {offset:#x}, where no member is")
    return Layout(value_id, struct_id, bytes(filled), tuple(slots), module)


def program_symbols(layouts: Mapping[str, Layout]) -> dict[str, KernelSymbol]:
    """What each program of the maps stands for: the struct and the index of its function.

    Raises :exc:`ObjectError` when a program stands for two different functions.
    """
    found: dict[str, KernelSymbol] = {}
    for row in layouts.values():
        for slot in row.slots:
            symbol = KernelSymbol(row.struct_type_id, row.module, slot.member)
            if found.setdefault(slot.program, symbol) != symbol:
                raise ObjectError(f"struct_ops program {slot.program} stands for two functions")
    return found


def _home(target: Target, name: str) -> tuple[str, Btf]:
    """The module ("" for the kernel) whose types have the struct and the value around it."""
    for module, types in _tables(target):
        if types.named(name) and types.named(_VALUE_PREFIX + name):
            return module, types
    raise NotSupportedError(f"struct_ops of struct {name} in {target.name}")


def _tables(target: Target) -> Iterator[tuple[str, Btf]]:
    if target.btf is not None:
        yield "", target.btf
    yield from target.modules.items()


def _struct(types: Btf, name: str) -> tuple[int, Struct]:
    for type_id in types.named(name):
        row = types.type(type_id)
        if isinstance(row, Struct) and not row.union:
            return type_id, row
    raise NotSupportedError(f"struct_ops: {name}, which is no struct")


def _check(btf: Btf, member: Member, types: Btf, theirs: Member, where: str) -> None:
    """Both members are of one kind and size; what a pointer points to does not matter."""
    ours_row, theirs_row = btf.resolve(member.type)[1], types.resolve(theirs.type)[1]
    if theirs.bit_offset % 8 or theirs.bitfield_size or _kind(ours_row) != _kind(theirs_row):
        raise NotSupportedError(f"another type than the kernel's of {where}")
    if not isinstance(ours_row, Ptr) and btf.size_of(member.type) != types.size_of(theirs.type):
        raise NotSupportedError(f"another size than the kernel's of {where}")


def _kind(row: Type | None) -> str:
    match row:
        case Struct(union=True):
            return "union"
        case Enum(is64=True):
            return "enum64"
        case Int() | Float() | Ptr() | Array() | Struct() | Enum():
            return type(row).__name__.lower()
        case _:
            return ""


def _check_function(types: Btf, member: Member, where: str) -> None:
    pointer = types.resolve(member.type)[1]
    if isinstance(pointer, Ptr) and isinstance(types.resolve(pointer.type)[1], FuncProto):
        return
    raise NotSupportedError(f"a function in {where}")
