"""The fields of a type that belong to the kernel: locks, timers, pointers, lists, trees.

What Linux's ``btf_parse_fields`` finds in a map's value, and in a struct that programs allocate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from beebox.btf.types import Array, Btf, Datasec, Modifier, Ptr, Struct, Type, Var, name_of

MOST_FIELDS: Final = 11
_MOST_DEPTH: Final = 32
_CONTAINS: Final = "contains:"
_PAGE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class FieldRow:
    """``label``: what the kernel's log calls it. ``size`` and ``align`` are in bytes.

    ``tag`` is the type tag of a pointer. A struct has at most one ``unique`` one, besides those of
    the structs inside of it.
    """

    label: str
    size: int
    align: int = 8
    unique: bool = False
    tag: str = ""


class FieldKind(Enum):
    """``enum btf_field_type``."""

    SPIN_LOCK = FieldRow("bpf_spin_lock", 4, 4, unique=True)
    RES_SPIN_LOCK = FieldRow("bpf_res_spin_lock", 4, 4, unique=True)
    TIMER = FieldRow("bpf_timer", 16, unique=True)
    WORKQUEUE = FieldRow("bpf_wq", 16, unique=True)
    TASK_WORK = FieldRow("bpf_task_work", 8, unique=True)
    LIST_HEAD = FieldRow("bpf_list_head", 16)
    LIST_NODE = FieldRow("bpf_list_node", 24)
    RB_ROOT = FieldRow("bpf_rb_root", 16)
    RB_NODE = FieldRow("bpf_rb_node", 32)
    REFCOUNT = FieldRow("bpf_refcount", 4, 4)
    KPTR_UNREF = FieldRow("kptr", 8, tag="kptr_untrusted")  # holds no reference
    KPTR_REF = FieldRow("kptr", 8, tag="kptr")
    KPTR_PERCPU = FieldRow("percpu_kptr", 8, tag="percpu_kptr")
    UPTR = FieldRow("uptr", 8, tag="uptr")


KPTRS: Final = (FieldKind.KPTR_UNREF, FieldKind.KPTR_REF, FieldKind.KPTR_PERCPU)
POINTERS: Final = (*KPTRS, FieldKind.UPTR)
LOCKS: Final = (FieldKind.SPIN_LOCK, FieldKind.RES_SPIN_LOCK)
ROOTS: Final = (FieldKind.LIST_HEAD, FieldKind.RB_ROOT)
NODES: Final = (FieldKind.LIST_NODE, FieldKind.RB_NODE)
DEFERRED: Final = (FieldKind.TIMER, FieldKind.WORKQUEUE, FieldKind.TASK_WORK)

IN_VALUES: Final = frozenset(FieldKind) - {*NODES}
IN_OBJECTS: Final = frozenset(FieldKind) - {*DEFERRED, FieldKind.UPTR}
"""Those that Linux looks for in map values, and in structs that programs allocate."""

_TELLING: Final = IN_OBJECTS - {FieldKind.RES_SPIN_LOCK}
"""Those that make Linux look at a struct at all; with one of them the others count, too."""

_BY_STRUCT: Final = {kind.value.label: kind for kind in FieldKind if not kind.value.tag}
_BY_TAG: Final = {kind.value.tag: kind for kind in FieldKind if kind.value.tag}
_NODE_OF: Final = {
    FieldKind.LIST_HEAD: FieldKind.LIST_NODE,
    FieldKind.RB_ROOT: FieldKind.RB_NODE,
}
_REPEATED: Final = (*POINTERS, *ROOTS)

_DESTROYED: Final = frozenset({"task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx"})
"""Structs of the kernel that it can release itself, so that maps may hold references to them."""


KernelTypes: TypeAlias = Callable[[], Btf | None]
"""Gives the types of the kernel, where they are known; asked only when they are needed."""


class BadRecordError(Exception):
    """A type whose fields Linux cannot make sense of: to it, the type has none then."""


class UnknownTypesError(Exception):
    """The fields point to structs, and the kernel's own are not known."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field at ``offset`` bytes.

    ``btf`` and ``type_id``: of a pointer, the struct behind it; of a root, that of its nodes, which
    have theirs at ``node_offset``.
    """

    kind: FieldKind
    offset: int
    btf: Btf | None = None
    type_id: int = 0
    node_offset: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.kind.value.size


@dataclass(frozen=True)
class Record:
    """The fields of a type, by offset."""

    fields: tuple[Field, ...]
    kinds: frozenset[FieldKind]

    def has(self, *kinds: FieldKind) -> bool:
        """Whether there is a field of any of the kinds."""
        return not self.kinds.isdisjoint(kinds)

    def only(self, kind: FieldKind) -> Field | None:
        """The field of this kind; of several, which structs in structs can have, the last."""
        return next((field for field in reversed(self.fields) if field.kind is kind), None)

    def at(self, offset: int, *kinds: FieldKind) -> Field | None:
        """The field of one of these kinds that begins at ``offset``."""
        for field in self.fields:
            if field.offset == offset and field.kind in kinds:
                return field
        return None

    def touched(self, low: int, high: int) -> Iterable[Field]:
        """The fields with bytes in ``[low, high)``."""
        return (field for field in self.fields if field.offset < high and low < field.end)


def parse(
    btf: Btf, type_id: int, kinds: frozenset[FieldKind], size: int, kernel: KernelTypes
) -> Record | None:
    """The fields of a struct or data section of ``size`` bytes; None where it has none.

    Raises :exc:`BadRecordError`, :exc:`UnknownTypesError`.
    """
    row = _type(btf, type_id)
    match row:
        case Struct(union=False):
            found = _of_struct(btf, type_id, row, _Reading(kinds, {}), 0)
        case Datasec():
            found = _of_section(btf, row, _Reading(kinds, {}))
        case _:
            return None
    if not found:
        return None
    seen = 0
    fields = []
    for field in found:
        if field.offset < seen or field.end > size:
            raise BadRecordError("fields that overlap")
        seen = field.end
        fields.append(_settled(btf, field, kernel))
    record = Record(
        tuple(sorted(fields, key=lambda field: field.offset)),
        frozenset(field.kind for field in fields),
    )
    _check(record)
    return record


def check_ownership(btf: Btf, record: Record, kernel: KernelTypes) -> None:
    """Whether what the fields own makes sense: as Linux's ``btf_check_and_fixup_fields`` asks.

    Raises :exc:`BadRecordError`.
    """
    for field in record.fields:
        if field.kind is FieldKind.UPTR:
            pointee = field.btf.type(field.type_id) if field.btf is not None else None
            if field.btf is not btf or not isinstance(pointee, Struct):
                raise BadRecordError("a uptr to a struct of the kernel")
            if not 0 < pointee.size <= _PAGE_BYTES:
                raise BadRecordError(f"a uptr to {pointee.size} bytes")
        elif field.kind in ROOTS:
            node = btf.type(field.type_id)
            inner = of_object(btf, field.type_id, kernel)
            if inner is None or not isinstance(node, Struct):
                raise BadRecordError("a root of nodes without fields")
            if record.has(*NODES) and inner.has(*ROOTS):
                raise BadRecordError("a node that is a root of other roots")


def of_object(btf: Btf, type_id: int, kernel: KernelTypes) -> Record | None:
    """The fields of a struct that a program allocates, None for one without.

    As in Linux, those in structs inside of it, and resilient locks, count only beside one that is a
    member of the struct itself. Raises :exc:`BadRecordError`, :exc:`UnknownTypesError`.
    """
    row = _type(btf, type_id)
    if not isinstance(row, Struct) or row.union:
        return None
    if not any(_is_field(btf, member.type) for member in row.members):
        return None
    record = parse(btf, type_id, IN_OBJECTS, row.size, kernel)
    if record is None:
        raise BadRecordError("a field that is none")
    return record


def _is_field(btf: Btf, type_id: int) -> bool:
    row = _type(btf, type_id)
    if isinstance(row, Struct):
        return not row.union and _BY_STRUCT.get(row.name) in _TELLING
    try:
        return isinstance(row, Ptr) and _pointer_kind(btf, row) in KPTRS and bool(
            _pointee(btf, row)
        )  # fmt: skip
    except BadRecordError:
        return False  # what a struct with it keeps there is no concern of Linux


class _Reading(NamedTuple):
    """What is looked for; ``known``: what structs at a depth have, looked at once each."""

    kinds: frozenset[FieldKind]
    known: dict[tuple[int, int], list[Field]]


def _of_struct(btf: Btf, type_id: int, row: Struct, reading: _Reading, depth: int) -> list[Field]:
    if depth >= _MOST_DEPTH:
        raise BadRecordError("structs nested too deeply")
    known = reading.known.get((type_id, depth))
    if known is not None:
        return known
    seen: set[FieldKind] = set()
    found: list[Field] = []
    for index, member in enumerate(row.members):
        if member.bit_offset % 8:
            raise BadRecordError("a bit field that begins inside of a byte")
        at = member.bit_offset // 8
        found += _of_one(btf, (type_id, index), member.type, at, 0, reading, seen, depth)
        if len(found) > MOST_FIELDS:
            raise BadRecordError(f"more than {MOST_FIELDS} fields")
    reading.known[type_id, depth] = found
    return found


def _of_section(btf: Btf, row: Datasec, reading: _Reading) -> list[Field]:
    seen: set[FieldKind] = set()
    found: list[Field] = []
    for place in row.vars:
        variable = _type(btf, place.type)
        if isinstance(variable, Var):
            owner = (place.type, -1)
            at, size = place.offset, place.size
            found += _of_one(btf, owner, variable.type, at, size, reading, seen, 0)
        if len(found) > MOST_FIELDS:
            raise BadRecordError(f"more than {MOST_FIELDS} fields")
    return found


def _of_one(
    btf: Btf,
    owner: tuple[int, int],
    type_id: int,
    offset: int,
    expected: int,
    reading: _Reading,
    seen: set[FieldKind],
    depth: int,
) -> list[Field]:
    """The fields of a member, or of a variable of ``expected`` bytes, at ``offset``.

    ``owner`` is whose tags say what a root contains: the struct and the member's index, or the
    variable and -1.
    """
    count = 1
    row = _type(btf, type_id)
    for _ in range(_MOST_DEPTH):
        if not isinstance(row, Array):
            break
        count *= row.count
        type_id = row.type
        row = _type(btf, type_id)
    if row is None or not count:
        return []
    kind = _BY_STRUCT.get(name_of(row))
    if kind is None or kind not in reading.kinds:
        if isinstance(row, Struct):
            if row.union or (expected and expected != row.size * count):
                return []
            inner = _of_struct(btf, type_id, row, reading, depth + 1)
            moved = [replace(field, offset=field.offset + offset) for field in inner]
            return _repeated(moved, count, row.size)
        kind = _pointer_kind(btf, row)
        if kind is None or kind not in reading.kinds:
            return []
    elif kind.value.unique:
        if kind in seen:
            raise BadRecordError(f"more than one {kind.value.label}")
        seen.add(kind)
    size = kind.value.size
    if (expected and expected != size * count) or offset % kind.value.align:
        return []
    if kind in POINTERS:
        field = Field(kind, offset, btf, _pointee(btf, row))
    elif not isinstance(row, Struct) or row.union or row.size != size:
        return []
    elif kind in ROOTS:
        field = _root(btf, kind, owner, offset)
    else:
        field = Field(kind, offset)
    return _repeated([field], count, size)


def _repeated(fields: list[Field], count: int, size: int) -> list[Field]:
    """The fields of an array's element, for each of its ``count`` elements of ``size`` bytes."""
    if count == 1 or not fields:
        return fields
    if any(field.kind not in _REPEATED for field in fields):
        raise BadRecordError("an array of fields that have to be alone")
    if len(fields) * count > MOST_FIELDS:
        raise BadRecordError(f"more than {MOST_FIELDS} fields")
    return [
        replace(field, offset=field.offset + index * size)
        for index in range(count)
        for field in fields
    ]


def _pointer_kind(btf: Btf, row: Type) -> FieldKind | None:
    """Of a pointer, perhaps a volatile one: which kind of field its tag makes it."""
    if isinstance(row, Modifier) and row.kind == "volatile":
        row_ = _type(btf, row.type)
        if row_ is None:
            return None
        row = row_
    tag = _type(btf, row.type) if isinstance(row, Ptr) else None
    if not isinstance(tag, Modifier) or tag.kind != "type_tag" or tag.attribute:
        return None
    behind = _type(btf, tag.type)
    kind = _BY_TAG.get(tag.name)
    if kind is not None and isinstance(behind, Modifier) and behind.kind == "type_tag":
        raise BadRecordError("a pointer with two tags")
    return kind


def _pointee(btf: Btf, row: Type) -> int:
    if isinstance(row, Modifier):
        row = btf.type(row.type) or row
    type_id, behind = btf.resolve(row.type) if isinstance(row, Ptr) else (0, None)
    if not isinstance(behind, Struct) or behind.union:
        raise BadRecordError("a kernel pointer to something else than a struct")
    return type_id


def _root(btf: Btf, kind: FieldKind, owner: tuple[int, int], offset: int) -> Field:
    """A list's head or a tree's root: what it contains is told by a tag, ``contains:TYPE:NODE``."""
    tags = [name for name in btf.decl_tags.get(owner, ()) if name.startswith(_CONTAINS)]
    if len(tags) != 1:
        raise BadRecordError(f"a {kind.value.label} with {len(tags)} tags of what it contains")
    name, colon, node = tags[0].removeprefix(_CONTAINS).partition(":")
    structs = btf.kinded(name, Struct)
    for type_id in structs:
        row = btf.type(type_id)
        if isinstance(row, Struct) and not row.union and colon and node:
            return Field(kind, offset, btf, type_id, _node_offset(btf, row, kind, node))
    raise BadRecordError(f"a {kind.value.label} of {tags[0]!r}")


def _node_offset(btf: Btf, row: Struct, kind: FieldKind, name: str) -> int:
    members = [member for member in row.members if member.name == name]
    if len(members) == 1:
        node = _type(btf, members[0].type)
        offset, rest = divmod(members[0].bit_offset, 8)
        wanted = _NODE_OF[kind].value
        fits = isinstance(node, Struct) and not node.union and node.name == wanted.label
        if fits and not rest and not offset % wanted.align:
            return offset
    raise BadRecordError(f"struct {row.name} has no node {name!r}")


def _settled(btf: Btf, field: Field, kernel: KernelTypes) -> Field:
    """A pointer to a struct that the kernel has, too, by name, points to the kernel's."""
    if field.kind not in POINTERS:
        return field
    name = getattr(btf.type(field.type_id), "name", "")
    types = kernel()
    if types is None:
        raise UnknownTypesError(name)
    for type_id in types.kinded(name, Struct) if name else ():
        row = types.type(type_id)
        if isinstance(row, Struct) and not row.union:
            if field.kind is FieldKind.KPTR_REF and name not in _DESTROYED:
                raise BadRecordError(f"references to {name} cannot be kept")
            return replace(field, btf=types, type_id=type_id)
    return field


def mentions_fields(btf: Btf) -> bool:
    """Whether the types name any of the kernel's fields: a quick look, before all is read."""
    return any(btf.kinded(name, Struct) for name in _BY_STRUCT) or any(
        btf.kinded(tag, Modifier) for tag in _BY_TAG
    )


def _check(record: Record) -> None:
    if record.kinds.issuperset(LOCKS):
        raise BadRecordError("two kinds of lock")
    if record.has(*ROOTS) and not record.has(*LOCKS):
        raise BadRecordError("a list or tree without a lock")
    if record.kinds.issuperset(NODES) and not record.has(FieldKind.REFCOUNT):
        raise BadRecordError("nodes of two kinds of collection without a reference count")


def _type(btf: Btf, type_id: int) -> Type | None:
    """The type, None for void and for ids that BTF does not have."""
    return btf.type(type_id) if 0 < type_id <= len(btf) else None
