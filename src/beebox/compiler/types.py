"""The language's types: their names, the rules between integers, and C layout."""

from __future__ import annotations

from typing import Final

from beebox.compiler.contexts import class_of
from beebox.compiler.ir import (
    ArrayType,
    BoolType,
    ContextType,
    Field,
    IntType,
    MapRefType,
    OptionalType,
    PointerType,
    RefType,
    StructType,
    Type,
    VoidType,
)

U8: Final = IntType(8, signed=False)
U16: Final = IntType(16, signed=False)
U32: Final = IntType(32, signed=False)
U64: Final = IntType(64, signed=False)
I32: Final = IntType(32, signed=True)
I64: Final = IntType(64, signed=True)
BOOL: Final = BoolType()
VOID: Final = VoidType()
POINTER: Final = PointerType()

INTEGERS: Final = {
    f"{'i' if signed else 'u'}{bits}": IntType(bits, signed)
    for signed in (False, True)
    for bits in (8, 16, 32, 64)
}
BIG_ENDIAN: Final = {
    f"be{type_.bits}": StructType(
        f"be{type_.bits}",
        (Field("value", type_, 0, big_endian=True),),
        type_.bits // 8,
        type_.bits // 8,
    )
    for type_ in (U16, U32, U64)
}
"""Integers in network byte order, where they are not a struct's field: one field that converts."""


def name_of(type_: Type) -> str:
    """A type as the user writes it."""
    match type_:
        case IntType():
            return f"{'i' if type_.signed else 'u'}{type_.bits}"
        case BoolType():
            return "bool"
        case VoidType():
            return "None"
        case ArrayType():
            return f"array[{name_of(type_.element)}, {type_.count}]"
        case StructType():
            return type_.name
        case RefType():
            return name_of(type_.target)
        case OptionalType():
            return f"{name_of(type_.ref.target)} | None"
        case MapRefType():
            return type_.decl.map_type.value.name
        case ContextType():
            return class_of(type_.name)
        case PointerType():
            return "ptr"


def size_of(type_: Type) -> int:
    """Bytes of storage; references and pointers take eight."""
    match type_:
        case IntType():
            return type_.bits // 8
        case BoolType():
            return 1
        case VoidType():
            return 0
        case ArrayType():
            return size_of(type_.element) * type_.count
        case StructType():
            return type_.size
        case RefType() | OptionalType() | ContextType() | MapRefType() | PointerType():
            return 8


def align_of(type_: Type) -> int:
    """C alignment in bytes."""
    match type_:
        case ArrayType():
            return align_of(type_.element)
        case StructType():
            return type_.align
        case _:
            return max(1, size_of(type_))


def layout(name: str, fields: list[tuple[str, Type, bool, str | None]]) -> StructType:
    """A struct in C layout from (name, type, big-endian, over) in order; padded to its alignment.

    A field ``over`` another starts where that one does, as the members of a C union.
    """
    placed: dict[str, Field] = {}
    end, align = 0, 1
    for field, type_, big_endian, over in fields:
        offset = -(-end // align_of(type_)) * align_of(type_)
        if over is not None:
            offset = placed[over].offset
        placed[field] = Field(field, type_, offset, big_endian)
        end = max(end, offset + size_of(type_))
        align = max(align, align_of(type_))
    return StructType(name, tuple(placed.values()), -(-end // align) * align, align)


def fits(value: int, type_: IntType) -> bool:
    """Whether a compile-time integer is one of the type's values."""
    low = -(1 << (type_.bits - 1)) if type_.signed else 0
    return low <= value <= low + (1 << type_.bits) - 1


def wrap(value: int, type_: IntType) -> int:
    """A compile-time integer as the type holds it after conversion."""
    value &= (1 << type_.bits) - 1
    if type_.signed and value >> (type_.bits - 1):
        value -= 1 << type_.bits
    return value


def wider(left: IntType, right: IntType) -> IntType:
    """The common type of two integers of one sign."""
    return left if left.bits >= right.bits else right
