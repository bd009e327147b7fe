"""The part of a kernel's types that relocations touch: small enough to ship with an object.

Relocating against the part gives what relocating against the whole gives: types that a relocation
matched are there with the members on its paths, and what it did not match is absent in both.
"""

from __future__ import annotations

from dataclasses import replace

from beebox.btf.core_access import ENUM_KINDS, FIELD_KINDS, Access
from beebox.btf.core_relocations import Relocated
from beebox.btf.decode import references
from beebox.btf.remap import remapped
from beebox.btf.types import Array, Btf, FuncProto, Modifier, Ptr, Struct, Type, Typedef
from beebox.errors import BtfError, InternalError
from beebox.tables.core_relocations import CoreKind


class Kept:
    """Which types of ``whole``, and which members of its structs, have been touched."""

    def __init__(self, whole: Btf) -> None:
        self._whole = whole
        self._types: set[int] = set()
        self._members: dict[int, set[int]] = {}
        self._seen: set[tuple[int, bool]] = set()
        self._matched: set[tuple[int, bool]] = set()

    def add(self, kind: CoreKind, outcome: Relocated) -> None:
        """Keep what this relocation found in the target: every candidate that it matched."""
        for match in outcome.matches:
            if match.candidate.btf is not self._whole:
                raise InternalError("a match outside of the table that is made small")
            if kind in FIELD_KINDS:
                self._add_path(match.access)
            elif kind is CoreKind.TYPE_MATCHES:
                self._add_match(match.access.root)
            else:
                self._add_type(match.access.root, through_pointers=kind not in ENUM_KINDS)

    def build(self) -> Btf:
        """A table of what was kept, in its old order; pointers to the rest are ``void *``."""
        new_ids = {old: new for new, old in enumerate(sorted(self._types), 1)}
        rows = []
        for old in new_ids:
            row = self._row(old)
            if isinstance(row, Struct):
                kept = sorted(self._members.get(old, ()))
                row = replace(row, members=tuple(row.members[index] for index in kept))
            rows.append(remapped(row, lambda type_id: new_ids.get(type_id, 0)))
        return Btf(tuple(rows))

    def _row(self, type_id: int) -> Type:
        row = self._whole.type(type_id)
        if row is None:
            raise InternalError("void is no row")
        return row

    def _add_path(self, access: Access) -> None:
        """The members on a path, and the types of each without their own members."""
        type_id = access.root
        self._add_type(type_id, through_pointers=False)
        for index in access.raw[1:]:
            type_id, row = self._whole.resolve(type_id)
            match row:
                case Struct():
                    self._add_member(type_id, row, index)
                    type_id = row.members[index].type
                    self._add_type(type_id, through_pointers=False)
                case Array():
                    type_id = row.type
                case _:
                    raise BtfError("a path through what has no parts", type_id=type_id)

    def _add_member(self, type_id: int, row: Struct, index: int) -> None:
        kept = self._members.setdefault(type_id, set())
        kept.add(index)
        last = len(row.members) - 1
        if index == last or last in kept:
            return
        _, inner = self._whole.resolve(row.members[index].type)
        if isinstance(inner, Array) and not inner.count:
            # As the last member it would be a flexible array, of which every element exists.
            kept.add(last)
            self._add_type(row.members[last].type, through_pointers=False)

    def _add_type(self, type_id: int, *, through_pointers: bool) -> None:
        """A type and what it is made of, but no members."""
        queue = [type_id]
        while queue:
            type_id = queue.pop()
            if not type_id or (type_id, through_pointers) in self._seen:
                continue
            self._seen.add((type_id, through_pointers))
            self._types.add(type_id)
            row = self._row(type_id)
            match row:
                case Typedef() | Modifier() | Array() | FuncProto():
                    queue += references(row)
                case Ptr() if through_pointers:
                    queue.append(row.type)
                case _:
                    pass

    def _add_match(self, type_id: int) -> None:
        """A type with all its members and theirs, structs behind pointers without."""
        queue = [(type_id, False)]
        while queue:
            type_id, behind_pointer = queue.pop()
            if not type_id or (type_id, behind_pointer) in self._matched:
                continue
            self._matched.add((type_id, behind_pointer))
            self._types.add(type_id)
            row = self._row(type_id)
            match row:
                case Struct() if not behind_pointer:
                    self._members[type_id] = set(range(len(row.members)))
                    queue += ((member.type, False) for member in row.members)
                case Typedef() | Modifier() | FuncProto():
                    queue += ((part, behind_pointer) for part in references(row))
                case Array():
                    queue += ((part, False) for part in references(row))
                case Ptr():
                    queue.append((row.type, True))
                case _:
                    pass
