"""CO-RE: what a relocation's instruction must hold on a target, and why it cannot.

For each candidate type the path is followed by name; every candidate that has it must give the
same answer. Source: libbpf's documentation of BPF_CORE_*; the results are compared with libbpf's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from beebox.btf.core_access import (
    ENUM_KINDS,
    FIELD_KINDS,
    MAX_STEPS,
    Access,
    Step,
    describe,
    essential_name,
    is_flexible,
    name_at,
    parse_access,
    size_of,
)
from beebox.btf.core_candidates import Candidate, Candidates
from beebox.btf.core_match import fields_compatible, types_compatible, types_match
from beebox.btf.types import Array, Btf, Enum, Int, Member, Ptr, Struct, Type
from beebox.btf.wire import ByteOrder
from beebox.errors import BtfError
from beebox.tables.core_relocations import CoreKind

_U32: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Match:
    """A type of the target that has what is asked for, and where in it."""

    candidate: Candidate
    access: Access


@dataclass(frozen=True, slots=True)
class Value:
    """The instruction holds ``old`` (checked unless ``any_old``) and must hold ``new``.

    A load or store of ``old_size`` bytes becomes one of ``new_size`` where both are set; where
    ``resize`` says why not, it can only be refused.
    """

    old: int
    new: int
    any_old: bool = False
    old_size: int = 0
    new_size: int = 0
    resize: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The target does not have it, and ``why``: executing the instruction is an error."""

    why: str


@dataclass(frozen=True, slots=True)
class Relocated:
    """A relocation's outcome.

    ``local`` is the path in the object, ``matches`` those in the target: none where the answer is
    that there is none.
    """

    local: Access
    result: Value | Absent
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Undecided:
    """No answer: candidates disagree, or a type cannot be walked. The object cannot be used."""

    why: str


Outcome: TypeAlias = Relocated | Undecided


def calculate(candidates: Candidates, kind: CoreKind, type_id: int, access: str) -> Outcome:
    """The outcome of a relocation of the object with the types ``candidates.local``.

    Raises :exc:`BtfError` for a relocation that makes no sense in the object itself.
    """
    local = parse_access(candidates.local, kind, type_id, access)
    if kind is CoreKind.TYPE_ID_LOCAL:
        return Relocated(local, Value(type_id, type_id, any_old=True))
    if not name_at(candidates.local, type_id):
        raise BtfError("a relocation of a type without a name", type_id=type_id)
    matches: list[Match] = []
    results: list[Value | Absent] = []
    misses: list[str] = []
    try:
        for candidate in candidates.of(type_id):
            found = _matched(local, kind, candidate, candidates)
            if isinstance(found, str):
                misses.append(found)
                continue
            matches.append(Match(candidate, found))
            results.append(_result(kind, local, found, candidates.byte_order))
            if found.bit_offset != matches[0].access.bit_offset:
                first = matches[0].access.bit_offset
                return Undecided(f"{local} is at bit {first} or {found.bit_offset}")
            if _decision(results[-1]) != _decision(results[0]):
                return Undecided(f"{local} has several definitions that disagree")
    except BtfError as error:
        return Undecided(str(error))
    if matches:
        candidates.keep(type_id, tuple(match.candidate for match in matches))
        return Relocated(local, results[0], tuple(matches))
    return Relocated(local, _missing(kind, local, misses))


def _decision(result: Value | Absent) -> int | None:
    return result.new if isinstance(result, Value) else None


def _matched(
    local: Access, kind: CoreKind, candidate: Candidate, candidates: Candidates
) -> Access | str:
    """The same path in the candidate, or why it has none."""
    target, type_id = candidate.btf, candidate.type_id
    if kind in FIELD_KINDS:
        return _Walk(local, candidate, candidates).walked()
    if kind in ENUM_KINDS:
        return _enumerator(local, candidate)
    same = types_match if kind is CoreKind.TYPE_MATCHES else types_compatible
    if same(local.btf, local.root, target, type_id):
        return Access(target, type_id)
    return f"{describe(target, type_id)} is another kind of type"


def _enumerator(local: Access, candidate: Candidate) -> Access | str:
    root, row = candidate.btf.resolve(candidate.type_id)
    if isinstance(row, Enum):
        wanted = essential_name(local.steps[0].name)
        for index, (name, _) in enumerate(row.values):
            if essential_name(name) == wanted:
                step = Step(root, index, name)
                return Access(candidate.btf, candidate.type_id, (step,), (index,))
    there = describe(candidate.btf, candidate.type_id)
    return f"{there} has no value {local.steps[0].name}"


class _Walk:
    """The search of one path in one candidate."""

    def __init__(self, local: Access, candidate: Candidate, candidates: Candidates) -> None:
        self._local = local
        self._candidate = candidate
        self._candidates = candidates
        self._btf = candidate.btf
        self._root = candidate.type_id
        self._steps: list[Step] = []
        self._raw: list[int] = []
        self._bits = 0

    def walked(self) -> Access | str:
        at = self._root
        for number, step in enumerate(self._local.steps):
            at, row = self._btf.resolve(at)
            if step.name:
                member = self._member(step, at)
                if isinstance(member, str):
                    return member
                at = member
                continue
            if number:
                if not isinstance(row, Array):
                    return f"{self._last()} is no array"
                if step.index >= row.count and not is_flexible(self._btf, self._steps[-1], row):
                    return f"{self._last()} has {row.count} elements"
                at, _ = self._btf.resolve(row.type)
            self._push(step.index)
            self._steps.append(Step(at, step.index))
            self._bits += 8 * step.index * size_of(self._btf, at)
        return Access(self._btf, self._root, tuple(self._steps), tuple(self._raw), self._bits)

    def _last(self) -> str:
        return str(Access(self._btf, self._root, tuple(self._steps)))

    def _push(self, index: int) -> None:
        if len(self._raw) == MAX_STEPS:
            raise BtfError("types nest too deeply", type_id=self._root)
        self._raw.append(index)

    def _member(self, step: Step, holder: int) -> int | str:
        """Go to the member of the step's name, through anonymous ones: its type."""
        path = self._candidates.paths(self._candidate, holder).get(step.name)
        if path is None:
            return f"{self._last()} has no field {step.name}"
        for type_id, index in path:
            self._push(index)
            self._bits += _member(self._btf, type_id, index).bit_offset
        type_id, index = path[-1]
        member = _member(self._btf, type_id, index)
        wanted = _member(self._local.btf, step.type_id, step.index).type
        if not fields_compatible(self._local.btf, wanted, self._btf, member.type):
            there, _ = self._btf.resolve(member.type)
            kind = describe(self._btf, there)
            return f"field {step.name} of {self._last()} is of another kind ({kind})"
        self._steps.append(Step(type_id, index, step.name))
        return member.type


def _member(btf: Btf, holder: int, index: int) -> Member:
    row = btf.type(holder)
    if not isinstance(row, Struct):
        raise BtfError("a member of no struct", type_id=holder)
    return row.members[index]


def _missing(kind: CoreKind, local: Access, misses: list[str]) -> Value | Absent:
    """The answer where no candidate has it: 0 to most questions."""
    match kind:
        case CoreKind.FIELD_EXISTS | CoreKind.TYPE_EXISTS | CoreKind.TYPE_MATCHES:
            return Value(1, 0)
        case CoreKind.ENUMVAL_EXISTS:
            return Value(1, 0)
        case CoreKind.TYPE_ID_TARGET:
            return Value(local.root, 0, any_old=True)
        case CoreKind.TYPE_SIZE:
            return Value(size_of(local.btf, local.root), 0)
        case (
            CoreKind.FIELD_BYTE_OFFSET
            | CoreKind.FIELD_BYTE_SIZE
            | CoreKind.FIELD_SIGNED
            | CoreKind.FIELD_LSHIFT_U64
            | CoreKind.FIELD_RSHIFT_U64
            | CoreKind.ENUMVAL_VALUE
        ):
            if kind in FIELD_KINDS:
                _checked(kind, _field(local))
            return Absent(misses[0] if misses else f"there is no {_plain(local)}")
        case CoreKind.TYPE_ID_LOCAL:
            return Value(local.root, local.root, any_old=True)
        case _ as unreachable:
            assert_never(unreachable)


def _plain(local: Access) -> str:
    name = name_at(local.btf, local.root)
    return describe(local.btf, local.root).replace(name, essential_name(name))


def _result(kind: CoreKind, local: Access, found: Access, order: ByteOrder) -> Value | Absent:
    match kind:
        case CoreKind.FIELD_EXISTS | CoreKind.TYPE_EXISTS | CoreKind.TYPE_MATCHES:
            return Value(1, 1)
        case CoreKind.ENUMVAL_EXISTS:
            return Value(1, 1)
        case CoreKind.TYPE_ID_LOCAL | CoreKind.TYPE_ID_TARGET:
            return Value(local.root, found.root, any_old=True)
        case CoreKind.TYPE_SIZE:
            return Value(size_of(local.btf, local.root), size_of(found.btf, found.root))
        case CoreKind.ENUMVAL_VALUE:
            return Value(_enum_value(local), _enum_value(found))
        case (
            CoreKind.FIELD_BYTE_OFFSET
            | CoreKind.FIELD_BYTE_SIZE
            | CoreKind.FIELD_SIGNED
            | CoreKind.FIELD_LSHIFT_U64
            | CoreKind.FIELD_RSHIFT_U64
        ):
            return _field_result(kind, _field(local), _field(found), found, order)
        case _ as unreachable:
            assert_never(unreachable)


def _enum_value(access: Access) -> int:
    """The value as 64 bits; one of 32 bits is sign-extended even where its enum is unsigned."""
    step = access.steps[0]
    row = access.btf.type(step.type_id)
    if not isinstance(row, Enum):
        raise BtfError("no enum", type_id=step.type_id)
    value = row.values[step.index][1]
    if not row.is64 and value >> 31 & 1:
        value |= -1 << 32
    return value & (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Field:
    """A field as loads see it: the bytes to load, and its bits in them. ``row`` is its type."""

    byte_offset: int
    byte_size: int
    bit_offset: int
    bit_size: int
    row: Type | None
    is_bitfield: bool
    is_element: bool = False

    @property
    def signed(self) -> bool:
        return isinstance(self.row, Int | Enum) and self.row.signed


def _field(access: Access) -> _Field:
    step = access.steps[-1]
    bits = access.bit_offset
    if not step.name:
        _, row = access.btf.resolve(step.type_id)
        size = size_of(access.btf, step.type_id)
        return _Field(bits // 8, size, bits, 8 * size, row, is_bitfield=False, is_element=True)
    member = _member(access.btf, step.type_id, step.index)
    field_id, row = access.btf.resolve(member.type)
    if not member.bitfield_size:
        size = size_of(access.btf, field_id)
        return _Field(bits // 8, size, bits, 8 * size, row, is_bitfield=False)
    if not isinstance(row, Int | Enum):
        raise BtfError(f"bitfield {member.name} is no integer", type_id=step.type_id)
    size = row.size
    if not size:
        raise BtfError(f"bitfield {member.name} is of no size", type_id=step.type_id)
    while bits + member.bitfield_size > (bits // 8 // size * size + size) * 8:
        if size >= 8:
            raise BtfError(f"bitfield {member.name} cannot be loaded", type_id=step.type_id)
        size *= 2  # the smallest aligned integer that holds all of it
    start = bits // 8 // size * size
    return _Field(start, size, bits, member.bitfield_size, row, is_bitfield=True)


def _field_result(
    kind: CoreKind, old: _Field, new: _Field, found: Access, order: ByteOrder
) -> Value:
    """What is asked of the field, in the object and in the target.

    Which bytes to load for a bitfield is the compiler's choice, so that is not checked.
    """
    _checked(kind, old)
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET:
            old_size = 0 if old.is_bitfield else old.byte_size
            new_size = 0 if new.is_bitfield else new.byte_size
            resize = _resize(old, new, found) if old_size != new_size else ""
            return Value(
                old.byte_offset, new.byte_offset, old.is_bitfield, old_size, new_size, resize
            )
        case CoreKind.FIELD_BYTE_SIZE:
            return Value(old.byte_size, new.byte_size, old.is_bitfield)
        case CoreKind.FIELD_SIGNED:
            return Value(old.signed, new.signed)
        case CoreKind.FIELD_LSHIFT_U64:
            return Value(_left(old, order), _left(new, order), old.is_bitfield)
        case _:
            return Value((64 - old.bit_size) & _U32, (64 - new.bit_size) & _U32)


def _checked(kind: CoreKind, field: _Field) -> None:
    if field.is_element and kind not in {CoreKind.FIELD_BYTE_OFFSET, CoreKind.FIELD_BYTE_SIZE}:
        raise BtfError("an array's element has neither sign nor shifts in CO-RE")


def _left(field: _Field, order: ByteOrder) -> int:
    """How far to shift the loaded bytes so that the field's first bit is the highest."""
    before = field.bit_offset - 8 * field.byte_offset
    if order == "big":
        return 8 * (8 - field.byte_size) + before & _U32
    return 64 - (before + field.bit_size) & _U32


def _resize(old: _Field, new: _Field, found: Access) -> str:
    """Why a load of the field may not just change its size; "" where it may."""
    match old.row, new.row:
        case Ptr(), Ptr():
            return ""
        case Int(), Int() if _is_unsigned(old) and _is_unsigned(new):
            return ""
        case _:
            there = "that of a bitfield" if new.is_bitfield else str(new.byte_size)
            return (
                f"the size of {found} ({old.byte_size} bytes in the object, and no unsigned "
                f"integer or pointer in both) is {there}"
            )


def _is_unsigned(field: _Field) -> bool:
    """A whole integer that is not plainly signed: chars and bools have encodings of their own."""
    row = field.row
    plain = isinstance(row, Int) and (not row.signed or row.char or row.boolean)
    return plain and not field.is_bitfield
