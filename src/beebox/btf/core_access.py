"""What a CO-RE relocation names: a path from a type to one of its fields, in C's terms and BTF's.

The path "0:1:2" is an index per step: an element of the pointer's target taken as an array, then a
member or an element each. Steps through anonymous members have no place in :attr:`Access.steps`,
which is what a target is searched for. Source: Documentation/bpf/llvm_reloc.rst; libbpf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Enum,
    Fwd,
    Ptr,
    Struct,
    Type,
    Var,
    kind_of,
    name_of,
)
from beebox.btf.wire import Kind
from beebox.errors import BtfError
from beebox.tables.core_relocations import CoreKind

MAX_STEPS: Final = 64
_MOST_BITS: Final = 1 << 32
FLAVOUR: Final = "___"
_MAX_NESTING: Final = 32

FIELD_KINDS: Final = frozenset(
    {
        CoreKind.FIELD_BYTE_OFFSET,
        CoreKind.FIELD_BYTE_SIZE,
        CoreKind.FIELD_EXISTS,
        CoreKind.FIELD_SIGNED,
        CoreKind.FIELD_LSHIFT_U64,
        CoreKind.FIELD_RSHIFT_U64,
    }
)
ENUM_KINDS: Final = frozenset({CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE})


@dataclass(frozen=True, slots=True)
class Step:
    """A named member ``index`` of the struct ``type_id``, or element ``index`` of that type."""

    type_id: int
    index: int
    name: str = ""  # "": an element


@dataclass(frozen=True, slots=True)
class Access:
    """A path in ``btf`` from the type ``root``.

    ``raw`` has every index, ``steps`` those with a meaning in C. Relocations of whole types have
    neither; of an enumerator, the only step is its place in the enum.
    """

    btf: Btf
    root: int
    steps: tuple[Step, ...] = ()
    raw: tuple[int, ...] = ()
    bit_offset: int = 0

    def __str__(self) -> str:
        """As C writes it: "struct task_struct.se.avg[1]"."""
        text = describe(self.btf, self.root)
        for number, step in enumerate(self.steps):
            if step.name:
                text += ("::" if isinstance(self.btf.type(step.type_id), Enum) else ".") + step.name
            elif number or step.index:
                text += f"[{step.index}]"
        return text


def parse_access(btf: Btf, kind: CoreKind, type_id: int, access: str) -> Access:
    """The path that a relocation of an object with the types ``btf`` takes.

    Raises :exc:`BtfError` where it leaves the types or is no path.
    """
    indices = _indices(access, type_id)
    if kind not in FIELD_KINDS | ENUM_KINDS:
        if access != "0":
            raise BtfError(f"a relocation of a whole type with the path {access!r}")
        btf.type(type_id)
        return Access(btf, type_id)
    root, row = btf.resolve(type_id)
    if kind in ENUM_KINDS:
        if not isinstance(row, Enum) or len(indices) > 1 or indices[0] >= len(row.values):
            raise BtfError(f"{access!r} is no value of an enum", type_id=type_id)
        step = Step(root, indices[0], row.values[indices[0]][0])
        return Access(btf, type_id, (step,), tuple(indices))
    steps = [Step(root, indices[0])]
    bits = 8 * indices[0] * size_of(btf, root)
    at = root
    for index in indices[1:]:
        at, row = btf.resolve(at)
        match row:
            case Struct(members=members) if index < len(members):
                member = members[index]
                bits += member.bit_offset
                if member.name:
                    steps.append(Step(at, index, member.name))
                at = member.type
            case Array(count=count) if index < count or is_flexible(btf, steps[-1], row):
                at, _ = btf.resolve(row.type)
                steps.append(Step(at, index))
                bits += 8 * index * size_of(btf, at)
            case _:
                raise BtfError(f"the path {access!r} leaves the type", type_id=type_id)
        if bits >= _MOST_BITS:
            raise BtfError(f"the path {access!r} goes too far", type_id=type_id)
    return Access(btf, type_id, tuple(steps), tuple(indices), bits)


def _indices(access: str, type_id: int) -> list[int]:
    words = access.split(":")
    if len(words) > MAX_STEPS:
        raise BtfError(f"a path of {len(words)} steps", type_id=type_id)
    if not all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words):
        raise BtfError(f"{access[:64]!r} is no path", type_id=type_id)
    return [int(word) for word in words]


def is_flexible(btf: Btf, before: Step, row: Array) -> bool:
    """Whether the array that ``before`` leads to is a struct's last member, without a length."""
    if not before.name or row.count:
        return False
    holder = btf.type(before.type_id)
    return isinstance(holder, Struct) and before.index == len(holder.members) - 1


def size_of(btf: Btf, type_id: int) -> int:
    """As :meth:`Btf.size_of`, with pointers as long as that BTF's ``long``: 4 of a 32-bit kernel.

    Raises :exc:`BtfError` where there is no size.
    """
    factor = 1
    for _ in range(_MAX_NESTING):
        type_id, row = btf.resolve(type_id)
        match row:
            case Ptr():
                return factor * btf.pointer_size
            case Array():
                factor *= row.count
                type_id = row.type
            case Var() | DeclTag():
                type_id = row.type
            case _:
                return factor * btf.size_of(type_id)
    raise BtfError("arrays nest too deeply", type_id=type_id)


def essential_name(name: str) -> str:
    """``name`` without its flavour: "task_struct" of "task_struct___old"."""
    at = len(name)
    while (at := name.rfind(FLAVOUR, 0, at)) >= 0:
        after = at + len(FLAVOUR)
        if at > 0 and after < len(name) and name[at - 1] != "_" and name[after] != "_":
            return name[:at]
        at += len(FLAVOUR) - 1
    return name


def name_at(btf: Btf, type_id: int) -> str:
    """The type's name; "" of those without, and of ``void``."""
    row = btf.type(type_id)
    return "" if row is None else name_of(row)


def core_kind(row: Type | None) -> Kind | None:
    """The BTF kind, where an ENUM64 counts as an ENUM: CO-RE takes either for the other."""
    if row is None:
        return None
    kind = kind_of(row)
    return Kind.ENUM if kind is Kind.ENUM64 else kind


def describe(btf: Btf, type_id: int) -> str:
    """A type for messages: "struct task_struct", "pid_t", "an array"."""
    row = btf.type(type_id)
    name = name_at(btf, type_id)
    match row:
        case None:
            return "void"
        case Struct() | Enum():
            word = "enum" if isinstance(row, Enum) else "union" if row.union else "struct"
            return f"{word} {name or '(anonymous)'}"
        case Fwd():
            return f"{'union' if row.union else 'struct'} {name}"
        case _:
            return name or f"type {type_id} ({kind_of(row).name.lower()})"
