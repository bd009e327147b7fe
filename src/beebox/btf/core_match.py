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
_MOST_PAIRS: Final = 1 << 18


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


def types_compatible(local: Btf, local_id: int, target: Btf, target_id: int) -> bool:
    """The same kind, also behind pointers, in arrays and of a function's parameters and result.

    Raises :exc:`BtfError` for types that nest too deeply to say.
    """
    if core_kind(local.type(local_id)) != core_kind(target.type(target_id)):
        return False
    return _Comparison(local, target).compatible(local_id, target_id, _MAX_LEVEL)


def types_match(local: Btf, local_id: int, target: Btf, target_id: int) -> bool:
    """Whether everything in the object's type has its like in the target's.

    That is: members by name and type (a struct behind a pointer by its name alone), enumerators
    by name, integers by size and sign.

    Raises :exc:`BtfError` for types that nest too deeply to say.
    """
    return _Comparison(local, target).match(local_id, target_id, _MAX_LEVEL, behind_pointer=False)


class _Comparison:
    """One comparison of two types, which asks about each pair of types in them once."""

    def __init__(self, local: Btf, target: Btf) -> None:
        self._local = local
        self._target = target
        self._known: dict[tuple[int, int, bool], bool | None] = {}  # None: not finished
        self._left = _MOST_PAIRS

    def compatible(self, local_id: int, target_id: int, level: int) -> bool:
        """Of types whose own kinds, typedefs included, are not compared."""
        for _ in range(_MAX_LEVEL):
            local_id, mine = self._local.resolve(local_id)
            target_id, theirs = self._target.resolve(target_id)
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
                        if not self._compatible_once(one.type, other.type, level - 1):
                            return False
                    local_id, target_id = mine.type, theirs.type
                case _:
                    return False
        raise BtfError("types nest too deeply", type_id=local_id)

    def _compatible_once(self, local_id: int, target_id: int, level: int) -> bool:
        local_id, _ = self._local.resolve(local_id)
        target_id, _ = self._target.resolve(target_id)
        key = (local_id, target_id, False)
        self._begin(key, level + 1)
        if self._known[key] is None:
            self._known[key] = self.compatible(local_id, target_id, level)
        return bool(self._known[key])

    def match(self, local_id: int, target_id: int, level: int, *, behind_pointer: bool) -> bool:
        """As :func:`types_match`; behind a pointer a struct is known by its name."""
        key = (local_id, target_id, behind_pointer)
        self._begin(key, level)
        if self._known[key] is None:
            self._known[key] = self._match(local_id, target_id, level, behind=behind_pointer)
        return bool(self._known[key])

    def _begin(self, key: tuple[int, int, bool], level: int) -> None:
        """Note the pair; one that is not finished leads back to itself without end."""
        self._left -= 1
        if level <= 0 or self._left < 0 or self._known.get(key, False) is None:
            raise BtfError("types nest too deeply", type_id=key[0])
        self._known.setdefault(key, None)

    def _match(self, local_id: int, target_id: int, level: int, *, behind: bool) -> bool:
        for _ in range(_MAX_LEVEL):
            local_id, mine = self._local.resolve(local_id)
            target_id, theirs = self._target.resolve(target_id)
            if not _same_name(name_at(self._local, local_id), name_at(self._target, target_id)):
                return False
            match mine, theirs:
                case None, None:
                    return True
                case Fwd(), Fwd():
                    return mine.union == theirs.union
                case Fwd(), Struct():
                    return behind and mine.union == theirs.union
                case Struct(), Fwd():
                    return behind and mine.union == theirs.union
                case Enum(), Enum():
                    return _enums_match(mine, theirs)
                case Struct(), Struct():
                    if mine.union != theirs.union:
                        return False
                    return behind or self._members_match(mine, theirs, level)
                case Int(), Int():
                    return mine.size == theirs.size and mine.signed == theirs.signed
                case Ptr(), Ptr():
                    behind = True
                    local_id, target_id = mine.type, theirs.type
                case Array(), Array():
                    if mine.count != theirs.count:
                        return False
                    local_id, target_id = mine.type, theirs.type
                case FuncProto(), FuncProto():
                    if len(mine.params) != len(theirs.params):
                        return False
                    for one, other in zip(mine.params, theirs.params, strict=True):
                        if not self.match(one.type, other.type, level - 1, behind_pointer=behind):
                            return False
                    local_id, target_id = mine.type, theirs.type
                case _:
                    return False
        raise BtfError("types nest too deeply", type_id=local_id)

    def _members_match(self, mine: Struct, theirs: Struct, level: int) -> bool:
        if len(mine.members) > len(theirs.members):
            return False
        there: dict[str, list[int]] = {}
        for member in theirs.members:
            there.setdefault(essential_name(member.name), []).append(member.type)
        return all(
            any(
                self.match(one.type, other, level - 1, behind_pointer=False)
                for other in there.get(essential_name(one.name), ())
            )
            for one in mine.members
        )


def _same_name(mine: str, theirs: str) -> bool:
    return essential_name(mine) == essential_name(theirs)


def _enums_match(mine: Enum, theirs: Enum) -> bool:
    if mine.size != theirs.size or len(mine.values) > len(theirs.values):
        return False
    there = {essential_name(name) for name, _ in theirs.values}
    return all(essential_name(name) in there for name, _ in mine.values)
