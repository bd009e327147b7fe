"""When a type of the target may stand for one of the object's: CO-RE's three notions.

:func:`fields_compatible` is asked of a field's type, :func:`types_compatible` of a whole type (and
of a kernel function's prototype), :func:`types_match` is the strictest, for TYPE_MATCHES. Names of
roots were compared before. Flavours (``___suffix``) never count. Source: libbpf's documentation of
these relations.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.core_access import core_kind, essential_name, name_at
from beebox.btf.types import Array, Btf, Enum, Float, FuncProto, Fwd, Int, Ptr, Struct
from beebox.errors import BtfError

_MAX_LEVEL: Final = 32


def fields_compatible(local: Btf, local_id: int, target: Btf, target_id: int) -> bool:
    """Whether a field may be read as one of the object's type.

    Structs and unions go with one another, as do all pointers and all integers; enums of one name
    or none; arrays by their elements.
    """
    for _ in range(_MAX_LEVEL):
        local_id, mine = local.resolve(local_id)
        target_id, theirs = target.resolve(target_id)
        match mine, theirs:
            case Struct(), Struct():
                return True
            case (Ptr(), Ptr()) | (Float(), Float()):
                return True
            case (Enum(), Enum()) | (Fwd(), Fwd()):
                one = essential_name(name_at(local, local_id))
                other = essential_name(name_at(target, target_id))
                return not one or not other or one == other
            case Int(), Int():
                return mine.offset == 0 and theirs.offset == 0
            case Array(), Array():
                local_id, target_id = mine.type, theirs.type
            case _:
                return False
    raise BtfError("arrays nest too deeply", type_id=local_id)


def types_compatible(
    local: Btf, local_id: int, target: Btf, target_id: int, level: int = _MAX_LEVEL
) -> bool:
    """The same kind, also behind pointers, in arrays and of a function's parameters and result.

    Raises :exc:`BtfError` for types that nest too deeply to say.
    """
    if core_kind(local.type(local_id)) != core_kind(target.type(target_id)):
        return False
    for _ in range(_MAX_LEVEL):
        local_id, mine = local.resolve(local_id)
        target_id, theirs = target.resolve(target_id)
        if core_kind(mine) != core_kind(theirs):
            return False
        match mine, theirs:
            case (None, None) | (Struct(), Struct()) | (Enum(), Enum()) | (Fwd(), Fwd()):
                return True
            case Int(), Int():
                return mine.offset == 0 and theirs.offset == 0
            case Ptr(), Ptr():
                local_id, target_id = mine.type, theirs.type
            case Array(), Array():
                local_id, target_id = mine.type, theirs.type
            case FuncProto(), FuncProto():
                if len(mine.params) != len(theirs.params):
                    return False
                for one, other in zip(mine.params, theirs.params, strict=True):
                    if level <= 0:
                        raise BtfError("function types nest too deeply", type_id=local_id)
                    inner, _ = local.resolve(one.type)
                    outer, _ = target.resolve(other.type)
                    if not types_compatible(local, inner, target, outer, level - 1):
                        return False
                local_id, target_id = mine.type, theirs.type
            case _:
                return False
    raise BtfError("types nest too deeply", type_id=local_id)


def types_match(
    local: Btf,
    local_id: int,
    target: Btf,
    target_id: int,
    *,
    behind_pointer: bool = False,
    level: int = _MAX_LEVEL,
) -> bool:
    """Whether everything in the object's type has its like in the target's.

    That is: members by name and type (a struct behind a pointer by its name alone), enumerators
    by name, integers by size and sign.

    Raises :exc:`BtfError` for types that nest too deeply to say.
    """
    if level <= 0:
        raise BtfError("types nest too deeply", type_id=local_id)
    for _ in range(_MAX_LEVEL):
        local_id, mine = local.resolve(local_id)
        target_id, theirs = target.resolve(target_id)
        if not _same_name(name_at(local, local_id), name_at(target, target_id)):
            return False
        match mine, theirs:
            case None, None:
                return True
            case Fwd(), Fwd():
                return mine.union == theirs.union
            case Fwd(), Struct():
                return behind_pointer and mine.union == theirs.union
            case Struct(), Fwd():
                return behind_pointer and mine.union == theirs.union
            case Enum(), Enum():
                return _enums_match(mine, theirs)
            case Struct(), Struct():
                if mine.union != theirs.union:
                    return False
                return behind_pointer or _members_match(local, mine, target, theirs, level)
            case Int(), Int():
                return mine.size == theirs.size and mine.signed == theirs.signed
            case Ptr(), Ptr():
                behind_pointer = True
                local_id, target_id = mine.type, theirs.type
            case Array(), Array():
                if mine.count != theirs.count:
                    return False
                local_id, target_id = mine.type, theirs.type
            case FuncProto(), FuncProto():
                if len(mine.params) != len(theirs.params):
                    return False
                for one, other in zip(mine.params, theirs.params, strict=True):
                    if not types_match(
                        local,
                        one.type,
                        target,
                        other.type,
                        behind_pointer=behind_pointer,
                        level=level - 1,
                    ):
                        return False
                local_id, target_id = mine.type, theirs.type
            case _:
                return False
    raise BtfError("types nest too deeply", type_id=local_id)


def _same_name(mine: str, theirs: str) -> bool:
    return essential_name(mine) == essential_name(theirs)


def _enums_match(mine: Enum, theirs: Enum) -> bool:
    if mine.size != theirs.size or len(mine.values) > len(theirs.values):
        return False
    there = {essential_name(name) for name, _ in theirs.values}
    return all(essential_name(name) in there for name, _ in mine.values)


def _members_match(local: Btf, mine: Struct, target: Btf, theirs: Struct, level: int) -> bool:
    if len(mine.members) > len(theirs.members):
        return False
    return all(
        any(
            _same_name(one.name, other.name)
            and types_match(local, one.type, target, other.type, level=level - 1)
            for other in theirs.members
        )
        for one in mine.members
    )
