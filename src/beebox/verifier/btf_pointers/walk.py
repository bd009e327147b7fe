"""Structs of BTF, walked to what lies at an offset: a number, a pointer to a struct, or memory.

Linux's ``btf_struct_walk``: nested structs are entered, arrays are as many members, a bit field is
read by the bytes around it, and what is found inside a union of several members is not trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from beebox.btf.types import (
    MAX_DEPTH,
    Array,
    Btf,
    Enum,
    Float,
    Int,
    Member,
    Modifier,
    Ptr,
    Struct,
    Type,
)
from beebox.errors import BtfError
from beebox.verifier.states.value import PtrFlag

_TAGS: Final = {"user": PtrFlag.USER, "percpu": PtrFlag.PERCPU, "rcu": PtrFlag.RCU}


@dataclass(frozen=True, slots=True)
class Number:
    """Bytes that mean nothing to the verifier."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The member called ``field``: a pointer to the struct with this id."""

    type_id: int
    flags: int
    field: str


@dataclass(frozen=True, slots=True)
class Memory:
    """A pointer to something else than a struct: it is only probed."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing that may be read lies there; ``kernel`` is what Linux logs."""

    kernel: str


Found: TypeAlias = Number | Pointer | Memory | Denied


@dataclass(frozen=True, slots=True)
class _Inside:
    """A nested struct begins exactly there."""

    type_id: int


@dataclass(frozen=True, slots=True)
class _Enter:
    """The offset lies within a nested struct, ``off`` bytes behind its start."""

    row: Type | None
    off: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """A member's type behind modifiers and arrays: ``count`` elements of ``size`` bytes."""

    is_array: bool
    count: int
    size: int
    type_id: int
    row: Type


def access(btf: Btf, type_id: int, off: int, size: int) -> Found:
    """What a load of ``size`` bytes at ``off`` of the struct finds. Both count bytes.

    Raises :exc:`BtfError` for types that are malformed.
    """
    flags = PtrFlag.NONE
    for _ in range(MAX_DEPTH):
        found, flags = _walk(btf, type_id, off, size, flags)
        if not isinstance(found, _Inside):
            return found
        type_id, off = found.type_id, 0
    raise BtfError("structs nest too deeply", type_id=type_id)


def reaches(btf: Btf, type_id: int, off: int, wanted: int, *, strict: bool = False) -> bool:
    """Whether a struct ``wanted`` lies at ``off`` of ``type_id``: is it, or begins there.

    ``strict``: it must be all of it. Linux's ``btf_struct_ids_match``.
    """
    if off == 0 and type_id == wanted:
        return True
    if strict:
        return False
    for _ in range(MAX_DEPTH):
        found, _flags = _walk(btf, type_id, off, 1, PtrFlag.NONE)
        if not isinstance(found, _Inside):
            return False
        if found.type_id == wanted:
            return True
        type_id, off = found.type_id, 0
    return False


def pointed(btf: Btf, pointer: Ptr) -> tuple[int, Type | None, int]:
    """What a pointer points to, behind modifiers, and what its own type tag says."""
    flags = PtrFlag.NONE
    tag = btf.type(pointer.type)
    if isinstance(tag, Modifier) and tag.kind == "type_tag" and not tag.attribute:
        flags = _TAGS.get(tag.name, PtrFlag.NONE)
    return (*btf.resolve(pointer.type), flags)


def _walk(btf: Btf, type_id: int, off: int, size: int, flags: int) -> tuple[Found | _Inside, int]:
    """Down to the member at ``off``; ``flags`` grow on the way."""
    row = btf.resolve(type_id)[1]
    for _ in range(MAX_DEPTH):
        if not isinstance(row, Struct):
            return Denied(f"Type '{_called(getattr(row, 'name', ''))}' is not a struct"), flags
        if row.union and len(row.members) != 1:
            flags |= PtrFlag.UNTRUSTED
        found: Found | _Inside | _Enter
        if off + size > row.size:
            found = _behind(btf, row, off, size)
        else:
            found = _member(btf, row, off, size, free=bool(flags & PtrFlag.UNTRUSTED))
        match found:
            case _Enter(row=inner, off=inner_off):
                row, off = inner, inner_off
            case Pointer():
                flags |= found.flags
                return Pointer(found.type_id, flags, found.field), flags
            case _:
                return found, flags
    raise BtfError("structs nest too deeply", type_id=type_id)


def _called(name: str) -> str:
    """As the kernel's log has it."""
    return name or "(anon)"


def _behind(btf: Btf, row: Struct, off: int, size: int) -> Number | Denied | _Enter:
    """An access that ends behind the struct: its last member may be an array without a length."""
    denied = Denied(f"access beyond struct {_called(row.name)} at off {off} size {size}")
    if not row.members:
        return denied
    last = row.members[-1]
    array = btf.resolve(last.type)[1]
    start = last.bit_offset // 8
    if not isinstance(array, Array) or array.count or off < start:
        return denied
    element = btf.resolve(array.type)[1]
    if isinstance(element, Int):
        return Number()
    if not isinstance(element, Struct) or not element.size:
        return denied
    return _Enter(element, (off - start) % element.size)


def _member(btf: Btf, row: Struct, off: int, size: int, *, free: bool) -> Found | _Inside | _Enter:
    """``free``: numbers may be read past their member's end, too."""
    for member in row.members:
        start = member.bit_offset // 8
        if off + size <= start:
            break
        if member.bitfield_size:
            end = (member.bit_offset + member.bitfield_size + 7) // 8
            if off <= start and end <= off + size:
                return Number()
            continue
        if off < start:
            break
        shape = _shape(btf, member.type)
        if shape is None:
            return Denied(f"field {_called(member.name)} doesn't have size")
        end = start + shape.count * shape.size
        if off >= end:
            continue
        if shape.is_array:
            start += (off - start) // shape.size * shape.size
        if isinstance(shape.row, Struct):
            return _Inside(shape.type_id) if off == start else _Enter(shape.row, off - start)
        if isinstance(shape.row, Ptr):
            return _pointer(btf, row, member, shape.row, start, off, size)
        if off + size > end and not free:
            return Denied(
                f"access beyond the end of member {_called(member.name)} (mend:{end}) in struct "
                f"{_called(row.name)} with off {off} size {size}"
            )
        return Number()
    return Denied(f"struct {_called(row.name)} doesn't have field at offset {off}")


def _pointer(
    btf: Btf, row: Struct, member: Member, pointer: Ptr, start: int, off: int, size: int
) -> Pointer | Memory | Denied:
    if size != 8 or off != start:
        return Denied(
            f"cannot access ptr member {_called(member.name)} with moff {start} in struct "
            f"{_called(row.name)} with off {off} size {size}"
        )
    type_id, target, flags = pointed(btf, pointer)
    return Pointer(type_id, flags, member.name) if isinstance(target, Struct) else Memory()


def _shape(btf: Btf, type_id: int) -> _Shape | None:
    """None for what has no size."""
    count, is_array = 1, False
    for _ in range(MAX_DEPTH):
        type_id, row = btf.resolve(type_id)
        match row:
            case Array(element, _, length):
                count, is_array, type_id = count * length, True, element
            case Int() | Float() | Struct() | Enum():
                return _Shape(is_array, count, row.size, type_id, row)
            case Ptr():
                return _Shape(is_array, count, 8, type_id, row)
            case _:
                return None
    raise BtfError("arrays nest too deeply", type_id=type_id)
