"""A BTF table under construction: what assembly and edited maps need to describe themselves.

Equal rows get one id, so ``int`` is there once however often it is asked for. Rows that may
refer to themselves (a list node) are not built here: they come from compilers.
"""

from __future__ import annotations

from beebox.btf.decode import references
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    Func,
    FuncProto,
    Int,
    Linkage,
    Member,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Var,
)
from beebox.errors import BtfError

_UNSIGNED = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}


class Builder:
    """Adds rows to a copy of ``btf``; :meth:`build` gives the result."""

    def __init__(self, btf: Btf | None = None) -> None:
        self._types: list[Type] = list(btf.types) if btf else []
        self._ids: dict[Type, int] = {}
        for type_id, row in enumerate(self._types, 1):
            self._ids.setdefault(row, type_id)

    def add(self, row: Type) -> int:
        """The id of ``row``: an equal row's, else a new one. What it names must be there."""
        if any(target > len(self._types) for target in references(row)):
            raise BtfError("a row refers to types that are not built yet")
        known = self._ids.get(row)
        if known is None:
            self._types.append(row)
            known = self._ids[row] = len(self._types)
        return known

    def replace(self, type_id: int, row: Type) -> None:
        """Put ``row`` in the place of the existing ``type_id``."""
        if not 0 < type_id <= len(self._types):
            raise BtfError("no such type", type_id=type_id)
        old = self._types[type_id - 1]
        self._types[type_id - 1] = row
        if self._ids.get(old) == type_id:
            del self._ids[old]
        self._ids.setdefault(row, type_id)

    def unsigned(self, size: int) -> int:
        """An unsigned integer of 1, 2, 4 or 8 bytes."""
        if size not in _UNSIGNED:
            raise BtfError(f"no integer of {size} bytes")
        return self.add(Int(_UNSIGNED[size], size, 8 * size))

    def signed_int(self) -> int:
        """C's ``int``."""
        return self.add(Int("int", 4, 32, signed=True))

    def array(self, element: int, count: int) -> int:
        """``element[count]``."""
        index = self.add(Int("__ARRAY_SIZE_TYPE__", 4, 32))
        return self.add(Array(element, index, count))

    def bytes(self, size: int) -> int:
        """A value of ``size`` bytes: an integer where there is one, else an array of bytes."""
        return self.unsigned(size) if size in _UNSIGNED else self.array(self.unsigned(1), size)

    def pointer(self, target: int) -> int:
        """``target *``."""
        return self.add(Ptr(target))

    def struct(self, name: str, size: int, members: tuple[Member, ...]) -> int:
        """A struct; member offsets are in bits."""
        return self.add(Struct(name, size, members))

    def function(self, name: str, result: int, params: tuple[Param, ...], linkage: Linkage) -> int:
        """A function and its prototype."""
        return self.add(Func(name, self.add(FuncProto(result, params)), linkage))

    def variable(self, name: str, type_id: int, linkage: Linkage = Linkage.GLOBAL) -> int:
        """A variable, to be placed by a :meth:`section`."""
        return self.add(Var(name, type_id, linkage))

    def section(self, name: str, size: int, variables: tuple[SectionVar, ...]) -> int:
        """A data section and where its variables lie; an existing one of that name is replaced."""
        row = Datasec(name, size, variables)
        for type_id, existing in enumerate(self._types, 1):
            if isinstance(existing, Datasec) and existing.name == name:
                self.replace(type_id, row)
                return type_id
        return self.add(row)

    def build(self) -> Btf:
        """The table so far."""
        return Btf(tuple(self._types))
