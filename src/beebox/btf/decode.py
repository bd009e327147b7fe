"""One type of a .BTF section: words to a value of :mod:`beebox.btf.types`.

``words`` are in the host's byte order, ``at`` is where the type begins, and the caller has checked
that all of it is there (:func:`beebox.btf.wire.words_of`). References are numbers here: the caller
knows how many types there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from beebox.btf.strings import Strings
from beebox.btf.types import (
    Array,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.btf.wire import Kind
from beebox.errors import BtfError

INT_SIGNED: Final = 1
INT_CHAR: Final = 2
INT_BOOL: Final = 4
_LINKAGES: Final = tuple(Linkage)

Words: TypeAlias = "memoryview[int]"
_Decoder: TypeAlias = Callable[[Words, int, Strings], Type]


def decode(words: Words, at: int, strings: Strings) -> Type:
    """The type that begins at word ``at``. Raises :exc:`BtfError`."""
    return _DECODERS[words[at + 1] >> 24 & 0x1F](words, at, strings)


def _int(words: Words, at: int, strings: Strings) -> Int:
    size, encoding = words[at + 2], words[at + 3]
    flags, offset, bits = encoding >> 24 & 0xF, encoding >> 16 & 0xFF, encoding & 0xFF
    if encoding & 0xF000FF00 or flags & ~(INT_SIGNED | INT_CHAR | INT_BOOL):
        raise BtfError(f"unknown integer encoding {encoding:#010x}")
    if size not in {1, 2, 4, 8, 16} or bits + offset > 8 * size:
        raise BtfError(f"an integer of {size} bytes with {bits} bits at bit {offset}")
    return Int(
        strings.name(words[at]),
        size,
        bits,
        signed=bool(flags & INT_SIGNED),
        char=bool(flags & INT_CHAR),
        boolean=bool(flags & INT_BOOL),
        offset=offset,
    )


def _ptr(words: Words, at: int, strings: Strings) -> Ptr:
    strings.name(words[at])
    return Ptr(words[at + 2])


def _array(words: Words, at: int, strings: Strings) -> Array:
    strings.name(words[at])
    return Array(words[at + 3], words[at + 4], words[at + 5])


def _struct(words: Words, at: int, strings: Strings) -> Struct:
    info = words[at + 1]
    row = words[at + 3 : at + 3 + 3 * (info & 0xFFFF)].tolist()
    names, types, places = map(strings.name, row[0::3]), row[1::3], row[2::3]
    if info >> 31:
        members = tuple(
            Member(name, type_id, place & 0xFFFFFF, place >> 24)
            for name, type_id, place in zip(names, types, places, strict=True)
        )
    else:
        members = tuple(map(Member, names, types, places))
    union = info >> 24 & 0x1F == Kind.UNION
    return Struct(strings.name(words[at]), words[at + 2], members, union)


def _enum(words: Words, at: int, strings: Strings) -> Enum:
    info = words[at + 1]
    row = words[at + 3 : at + 3 + 2 * (info & 0xFFFF)].tolist()
    numbers = row[1::2]
    if info >> 31:
        numbers = [value - (1 << 32) if value >> 31 else value for value in numbers]
    values = tuple(zip(map(strings.name, row[0::2]), numbers, strict=True))
    return Enum(strings.name(words[at]), words[at + 2], values, signed=bool(info >> 31))


def _enum64(words: Words, at: int, strings: Strings) -> Enum:
    info = words[at + 1]
    row = words[at + 3 : at + 3 + 3 * (info & 0xFFFF)].tolist()
    numbers = [low | high << 32 for low, high in zip(row[1::3], row[2::3], strict=True)]
    if info >> 31:
        numbers = [value - (1 << 64) if value >> 63 else value for value in numbers]
    values = tuple(zip(map(strings.name, row[0::3]), numbers, strict=True))
    name, size = strings.name(words[at]), words[at + 2]
    return Enum(name, size, values, signed=bool(info >> 31), is64=True)


def _fwd(words: Words, at: int, strings: Strings) -> Fwd:
    return Fwd(strings.name(words[at]), union=bool(words[at + 1] >> 31))


def _typedef(words: Words, at: int, strings: Strings) -> Typedef:
    return Typedef(strings.name(words[at]), words[at + 2])


def _volatile(words: Words, at: int, strings: Strings) -> Modifier:
    return Modifier("volatile", words[at + 2], strings.name(words[at]))


def _const(words: Words, at: int, strings: Strings) -> Modifier:
    return Modifier("const", words[at + 2], strings.name(words[at]))


def _restrict(words: Words, at: int, strings: Strings) -> Modifier:
    return Modifier("restrict", words[at + 2], strings.name(words[at]))


def _type_tag(words: Words, at: int, strings: Strings) -> Modifier:
    attribute = bool(words[at + 1] >> 31)
    return Modifier("type_tag", words[at + 2], strings.name(words[at]), attribute)


def _func(words: Words, at: int, strings: Strings) -> Func:
    return Func(strings.name(words[at]), words[at + 2], _linkage(words[at + 1] & 0xFFFF))


def _func_proto(words: Words, at: int, strings: Strings) -> FuncProto:
    strings.name(words[at])
    row = words[at + 3 : at + 3 + 2 * (words[at + 1] & 0xFFFF)].tolist()
    return FuncProto(words[at + 2], tuple(map(Param, map(strings.name, row[0::2]), row[1::2])))


def _var(words: Words, at: int, strings: Strings) -> Var:
    return Var(strings.name(words[at]), words[at + 2], _linkage(words[at + 3]))


def _datasec(words: Words, at: int, strings: Strings) -> Datasec:
    row = words[at + 3 : at + 3 + 3 * (words[at + 1] & 0xFFFF)].tolist()
    variables = tuple(map(SectionVar, row[0::3], row[1::3], row[2::3]))
    return Datasec(strings.name(words[at]), words[at + 2], variables)


def _float(words: Words, at: int, strings: Strings) -> Float:
    return Float(strings.name(words[at]), words[at + 2])


def _decl_tag(words: Words, at: int, strings: Strings) -> DeclTag:
    component = words[at + 3]
    return DeclTag(
        strings.name(words[at]),
        words[at + 2],
        component - (1 << 32) if component >> 31 else component,
        attribute=bool(words[at + 1] >> 31),
    )


def _linkage(value: int) -> Linkage:
    if value >= len(_LINKAGES):
        raise BtfError(f"unknown linkage {value}")
    return _LINKAGES[value]


_DECODERS: Final[dict[int, _Decoder]] = {
    Kind.INT: _int,
    Kind.PTR: _ptr,
    Kind.ARRAY: _array,
    Kind.STRUCT: _struct,
    Kind.UNION: _struct,
    Kind.ENUM: _enum,
    Kind.FWD: _fwd,
    Kind.TYPEDEF: _typedef,
    Kind.VOLATILE: _volatile,
    Kind.CONST: _const,
    Kind.RESTRICT: _restrict,
    Kind.FUNC: _func,
    Kind.FUNC_PROTO: _func_proto,
    Kind.VAR: _var,
    Kind.DATASEC: _datasec,
    Kind.FLOAT: _float,
    Kind.DECL_TAG: _decl_tag,
    Kind.TYPE_TAG: _type_tag,
    Kind.ENUM64: _enum64,
}


def references(row: Type) -> tuple[int, ...]:
    """The type ids that ``row`` names, in wire order; 0 is ``void``."""
    match row:
        case Int() | Float() | Enum() | Fwd():
            return ()
        case Ptr() | Typedef() | Modifier() | Func() | Var() | DeclTag():
            return (row.type,)
        case Array():
            return (row.type, row.index_type)
        case Struct():
            return tuple(member.type for member in row.members)
        case FuncProto():
            return (row.type, *(param.type for param in row.params))
        case Datasec():
            return tuple(var.type for var in row.vars)
        case _ as unreachable:
            assert_never(unreachable)
