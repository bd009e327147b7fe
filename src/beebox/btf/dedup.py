"""One table from several, and every type in it once.

Objects of one program each carry the types of the same headers. :func:`concatenate` puts tables
behind each other, :func:`dedup` keeps one of every set of equivalent types, in the order of first
appearance, in the effect of libbpf's ``btf__dedup``:

1. types that name no other are equal when they say the same; an enum without values is a
   declaration of any enum of its name;
2. two structs are equal when the graphs behind them are: walked side by side, with every type of
   the earlier graph standing for one type of the later. A declaration (FWD) stands for a
   definition of its name, and is that definition from then on;
3. a declaration that is left belongs to the only definition of its name, if there is one;
4. what refers to others is equal when it refers to equal types.

Variables, sections and the types of a base stay as they are. Different definitions of one name
stay apart. Walks are bounded together, so that no graph takes more than seconds per MB.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from beebox.btf.decode import references
from beebox.btf.remap import remapped
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

_STEPS_PER_REFERENCE: Final = 4
_STEPS: Final = 200_000
"""The bound of all walks together; two copies of a kernel's table need 3 per reference."""

_UNMAPPED: Final = -1
_IN_WORK: Final = -2


def concatenate(btfs: Sequence[Btf]) -> tuple[Btf, tuple[int, ...]]:
    """All types of all tables, and what to add to each table's own ids.

    The tables continue the same base, or none. Raises :exc:`BtfError` where they do not.
    """
    base = btfs[0].base if btfs else None
    types: list[Type] = []
    offsets: list[int] = []
    for btf in btfs:
        if btf.base is not base and btf.base != base:
            raise BtfError("tables on different bases do not go together")
        first, offset = btf.first_id, len(types)
        offsets.append(offset)

        def moved(type_id: int, first: int = first, offset: int = offset) -> int:
            return type_id + offset if type_id >= first else type_id

        types += (remapped(row, moved) for row in btf.types) if offset else btf.types
    return Btf(tuple(types), base), tuple(offsets)


def dedup(btf: Btf) -> tuple[Btf, tuple[int, ...]]:
    """``btf`` without duplicates, and the new id of every old one (item 0 is 0, ``void``).

    Raises :exc:`BtfError` for types that no C source can give: a loop without a struct in it, or
    a graph too tangled to compare in reasonable time.
    """
    work = _Dedup.of(btf)
    for type_id in work.own():
        work.plain(type_id)
    for type_id in work.own():
        work.struct(type_id)
    work.declarations()
    for type_id in work.own():
        work.referring(type_id)
    return work.compacted(btf)


@dataclass
class _Dedup:
    """``map[id]`` leads to the type that stands for ``id``: itself, or a step on the way there.

    ``shapes[id]`` numbers what a type says apart from its references: equal numbers, equal text.
    ``kinds[id]`` is the same where declarations are not told from what they declare.
    """

    rows: list[Type | None]
    shapes: list[int]
    kinds: list[int]
    refs: list[tuple[int, ...]]
    first: int
    map: list[int]
    steps: int
    enums: dict[Hashable, list[int]] = field(default_factory=dict)
    structs: dict[Hashable, list[int]] = field(default_factory=dict)
    known: dict[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)

    @staticmethod
    def of(btf: Btf) -> _Dedup:
        rows: list[Type | None] = [None]
        if btf.base is not None:
            rows += [btf.base.type(type_id) for type_id in range(1, btf.first_id)]
        rows += btf.types
        numbers: dict[Hashable, int] = {}
        shapes = [numbers.setdefault(_shape(row), len(numbers)) for row in rows]
        refs = [references(row) if row is not None else () for row in rows]
        for type_id, targets in enumerate(refs):
            if any(not 0 <= target < len(rows) for target in targets):
                raise BtfError("refers to a type that is not there", type_id=type_id)
        mapped = [
            type_id if type_id < btf.first_id or isinstance(row, Var | Datasec) else _UNMAPPED
            for type_id, row in enumerate(rows)
        ]
        steps = _STEPS + _STEPS_PER_REFERENCE * (len(rows) + sum(map(len, refs)))
        kinds = [numbers.setdefault(_declared(row), len(numbers)) for row in rows]
        work = _Dedup(rows, shapes, kinds, refs, btf.first_id, mapped, steps)
        for type_id in range(1, btf.first_id):
            work.offer(type_id)
        return work

    def own(self) -> range:
        return range(self.first, len(self.rows))

    def offer(self, type_id: int) -> None:
        """Let later types be found equal to this one."""
        row = self.rows[type_id]
        if isinstance(row, Enum):
            self.enums.setdefault(_enum_key(row), []).append(type_id)
        if isinstance(row, Struct):
            self.structs.setdefault(self.look(type_id), []).append(type_id)
        elif not isinstance(row, Var | Datasec | None):
            self.known.setdefault((self.shapes[type_id], self.refs[type_id]), type_id)

    def look(self, type_id: int) -> Hashable:
        """What equal structs agree in, as far as two steps away: spares most comparisons."""
        kinds = self.kinds
        near = tuple(
            (kinds[target], *(kinds[far] for far in self.refs[target]))
            if isinstance(self.rows[target], Ptr | Modifier | Typedef | Array)
            else kinds[target]
            for target in self.refs[type_id]
        )
        return self.shapes[type_id], near

    def resolve(self, type_id: int) -> int:
        """What stands for ``type_id`` by now; ways are shortened as they are walked."""
        at = type_id
        while self.map[at] >= 0 and self.map[at] != at:
            at = self.map[at]
        while self.map[type_id] >= 0 and self.map[type_id] != at:
            self.map[type_id], type_id = at, self.map[type_id]
        return at

    def plain(self, type_id: int) -> None:
        """Types that name no other."""
        row = self.rows[type_id]
        if not isinstance(row, Int | Float | Enum | Fwd):
            return
        found = self.known.get((self.shapes[type_id], ()), type_id)
        if isinstance(row, Enum) and found == type_id:
            others = self.enums.get(_enum_key(row), [])
            if not row.values and others:
                found = others[-1]
            elif row.values:
                for declaration in others[:1]:
                    if not _values(self.rows[declaration]):
                        self.map[declaration] = type_id
        self.map[type_id] = found
        if found == type_id:
            self.offer(type_id)

    def struct(self, type_id: int) -> None:
        """Structs and unions, by the graphs behind them; where several fit, the latest.

        Several fit where one name has two definitions and a third table only declares it.
        """
        if self.map[type_id] != _UNMAPPED or not isinstance(self.rows[type_id], Struct):
            return
        for known in reversed(self.structs.get(self.look(type_id), ())):
            walk = _Walk(self)
            if walk.equal(type_id, known):
                walk.note()
                if not walk.touches_base:
                    self.map[type_id] = known
                    return
        self.map[type_id] = type_id
        self.offer(type_id)

    def declarations(self) -> None:
        """A declaration whose name one type alone defines is that type."""
        defined: dict[str, int] = {}
        for type_id, row in enumerate(self.rows):
            if isinstance(row, Struct) and self.map[type_id] == type_id:
                defined[row.name] = 0 if row.name in defined else type_id
        for type_id in self.own():
            row = self.rows[type_id]
            if isinstance(row, Fwd) and self.map[type_id] == type_id:
                found = self.rows[defined.get(row.name, 0)]
                if isinstance(found, Struct) and found.union == row.union:
                    self.map[type_id] = defined[row.name]

    def referring(self, start: int) -> None:
        """Types that refer to others, those that they refer to first."""
        todo = [start]
        while todo:
            type_id = todo[-1]
            if self.map[type_id] >= 0:
                todo.pop()
                continue
            waiting = [target for target in self.refs[type_id] if self.map[target] < 0]
            if waiting and self.map[type_id] == _IN_WORK:
                raise BtfError("refers to itself without a struct between", type_id=type_id)
            if waiting:
                self.map[type_id] = _IN_WORK
                if any(self.map[target] == _IN_WORK for target in waiting):
                    raise BtfError("refers to itself without a struct between", type_id=type_id)
                todo += waiting
                continue
            todo.pop()
            self.refs[type_id] = tuple(map(self.resolve, self.refs[type_id]))
            key = (self.shapes[type_id], self.refs[type_id])
            self.map[type_id] = self.known.setdefault(key, type_id)

    def compacted(self, btf: Btf) -> tuple[Btf, tuple[int, ...]]:
        """The types that stand for themselves, numbered anew."""
        new = list(range(len(self.rows)))
        kept = [type_id for type_id in self.own() if self.map[type_id] == type_id]
        for number, type_id in enumerate(kept, self.first):
            new[type_id] = number
        ids = tuple(new[self.resolve(type_id)] for type_id in range(len(self.rows)))
        types = [self.rows[type_id] for type_id in kept]
        return Btf(
            tuple(remapped(row, ids.__getitem__) for row in types if row is not None), btf.base
        ), ids


@dataclass
class _Walk:
    """One comparison of two graphs: ``stands[known]`` is the type of the later graph it is."""

    work: _Dedup
    stands: dict[int, int] = field(default_factory=dict)
    same: set[tuple[int, int]] = field(default_factory=set)
    touches_base: bool = False
    """Equal only if a declaration of the base were a definition; the base stays as it is."""

    def equal(self, type_id: int, known: int) -> bool:
        """Whether the graphs from these two types on can be the same."""
        work = self.work
        todo: list[Iterator[tuple[int, int]]] = [iter(((type_id, known),))]
        while todo:
            pair = next(todo[-1], None)
            if pair is None:
                todo.pop()
                continue
            later, earlier = pair
            self._count()
            if work.resolve(later) == work.resolve(earlier):
                continue
            earlier = self._defined(earlier)
            other = self.stands.get(earlier)
            if other is not None:
                if not self._identical(other, later):
                    return False
                continue
            self.stands[earlier] = later
            if work.shapes[later] != work.shapes[earlier]:
                if not self._declares(later, earlier):
                    return False
                continue
            todo.append(zip(work.refs[later], work.refs[earlier], strict=True))
        return True

    def _count(self) -> None:
        self.work.steps -= 1
        if self.work.steps < 0:
            raise BtfError("the graph of types is too tangled to find duplicates in it")

    def _defined(self, type_id: int) -> int:
        """What a declaration is known to declare."""
        work = self.work
        if not isinstance(work.rows[type_id], Fwd):
            return type_id
        found = work.resolve(type_id)
        return type_id if isinstance(work.rows[found], Fwd) else found

    def _identical(self, one: int, other: int) -> bool:
        """Two types of the later graph that mean the same: compilers write some twice."""
        work = self.work
        todo = [(one, other)]
        while todo:
            pair = todo.pop()
            if pair[0] == pair[1] or pair in self.same:
                continue
            self._count()
            self.same.add(pair)  # kept on a No, too: that ends the whole walk
            if work.shapes[pair[0]] != work.shapes[pair[1]]:
                return False
            todo += zip(work.refs[pair[0]], work.refs[pair[1]], strict=True)
        return True

    def _declares(self, later: int, earlier: int) -> bool:
        """Whether one of the two declares the other: a FWD a struct, an empty enum an enum."""
        work = self.work
        match work.rows[later], work.rows[earlier]:
            case (Fwd() as fwd, Struct() as struct):
                return fwd.name == struct.name and fwd.union == struct.union
            case (Struct() as struct, Fwd() as fwd):
                if fwd.name != struct.name or fwd.union != struct.union:
                    return False
                self.touches_base |= earlier < work.first
                return True
            case (Enum() as one, Enum() as other):
                return _enum_key(one) == _enum_key(other) and not (one.values and other.values)
            case _:
                return False

    def note(self) -> None:
        """Keep what an equal pair of graphs showed: what declarations declare, equal structs."""
        work = self.work
        for known, later in self.stands.items():
            one, other = work.resolve(known), work.resolve(later)
            declares = isinstance(work.rows[one], Fwd)
            declared = isinstance(work.rows[other], Fwd)
            if declares and not declared:
                work.map[one] = other
            elif self.touches_base or declares:
                continue
            elif declared or (
                isinstance(work.rows[other], Struct)
                and work.map[other] == _UNMAPPED
                and work.map[one] >= 0
            ):
                work.map[other] = one


def _values(row: Type | None) -> bool:
    return isinstance(row, Enum) and bool(row.values)


def _enum_key(row: Enum) -> Hashable:
    """Declarations have no size: of either kind, any sign and size."""
    return "enum", row.name


def _declared(row: Type | None) -> Hashable:
    """:func:`_shape`, alike for a declaration and for what it may declare."""
    match row:
        case Struct() | Fwd():
            return "struct", row.name, row.union
        case Enum():
            return _enum_key(row)
        case _:
            return _shape(row)


def _shape(row: Type | None) -> Hashable:
    """What ``row`` says apart from the ids in it."""
    match row:
        case None:
            return None
        case Int() | Float() | Enum() | Fwd():
            return row
        case Ptr():
            return Ptr
        case Typedef():
            return Typedef, row.name
        case Modifier():
            return row.kind, row.name, row.attribute
        case Func():
            return Func, row.name, row.linkage
        case Var():
            return Var, row.name, row.linkage
        case DeclTag():
            return DeclTag, row.name, row.component, row.attribute
        case Array():
            return Array, row.count
        case Struct():
            members = tuple((m.name, m.bit_offset, m.bitfield_size) for m in row.members)
            return Struct, row.name, row.size, row.union, members
        case FuncProto():
            return FuncProto, tuple(param.name for param in row.params)
        case Datasec():
            return Datasec, row.name, row.size, tuple((v.offset, v.size) for v in row.vars)
        case _ as unreachable:
            assert_never(unreachable)
