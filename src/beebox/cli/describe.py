"""Rows of the tables as plain values for JSON, and as words for tables and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, Flag
from typing import Any

from beebox.errors import InternalError
from beebox.tables.helpers import Arg, ArgKind, Helper, RetKind
from beebox.tables.map_types import MapType, MapTypeRow, Sizes
from beebox.tables.program_types import ProgramType


def plain(value: object) -> Any:
    """A row, or what is in it, as JSON has it: kernel names in lower case, sets sorted."""
    match value:
        case None | bool() | str():
            return value
        case Flag():
            return [(flag.name or "").lower() for flag in type(value) if flag and flag in value]
        case ProgramType() | MapType():
            return value.value.name
        case Enum():
            return value.name.lower()
        case int():
            return value
        case frozenset():
            return sorted(plain(each) for each in value)
        case tuple() | list():
            return [plain(each) for each in value]
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case type() if issubclass(value, Enum):
            return {member.name: member.value for member in value}
        case _ if is_dataclass(value):
            return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            raise InternalError(f"{type(value).__name__} has no plain form")


_KINDS = {
    ArgKind.CONST_MAP_PTR: "a map",
    ArgKind.MAP_KEY: "a key of the map",
    ArgKind.MAP_VALUE: "a value of the map",
    ArgKind.CONST_SIZE: "bytes of the memory before it, at least 1",
    ArgKind.CONST_SIZE_OR_ZERO: "bytes of the memory before it",
    ArgKind.CONST_ALLOC_SIZE_OR_ZERO: "a constant size",
    ArgKind.CTX: "the context",
    ArgKind.STACK: "the stack",
    ArgKind.CONST_STR: "a constant string",
    ArgKind.FUNC: "a callback",
    ArgKind.SOCK_COMMON: "a socket of any kind",
    ArgKind.SOCKET: "a full socket",
    ArgKind.BTF_ID_SOCK_COMMON: "a socket of any kind",
    ArgKind.PERCPU_BTF_ID: "a per-CPU variable of the kernel",
    ArgKind.SPIN_LOCK: "a spin lock in a map value",
    ArgKind.TIMER: "a timer in a map value",
    ArgKind.RINGBUF_MEM: "a ring buffer's record",
    ArgKind.KPTR_XCHG_DEST: "a kptr in a map value",
}


def number(*, signed: bool, bits: int) -> str:
    """An integer type, as the language writes it."""
    return f"{'i' if signed else 'u'}{bits}"


def argument_kind(arg: Arg) -> str:
    """What a helper wants of one argument, in words."""
    match arg.kind:
        case ArgKind.ANYTHING:
            text = number(signed=arg.signed, bits=arg.bits)
        case ArgKind.MEM:
            text = f"{arg.fixed_size} bytes" if arg.fixed_size else "memory"
            text = f"aligned {text}" if arg.aligned else text
        case ArgKind.BTF_ID:
            text = f"struct {arg.type_name}" if arg.type_name else "a kernel struct"
        case ArgKind.DYNPTR:
            text = f"a {arg.type_name} dynptr" if arg.type_name else "a dynptr"
        case _:
            text = _KINDS[arg.kind]
    marks = {
        " or null": arg.nullable,
        ", filled": arg.writes and arg.uninit,
        ", changed": arg.writes and not arg.uninit,
        ", released": arg.releases,
    }
    return text + "".join(mark for mark, holds in marks.items() if holds)


def result_kind(row: Helper) -> str:
    """What a helper gives, in words."""
    if row.ret is RetKind.INTEGER:
        return number(signed=row.ret_signed, bits=row.ret_bits)
    if row.ret_type_name:
        null = " or null" if row.ret is RetKind.BTF_ID_OR_NULL else ""
        return f"struct {row.ret_type_name}{null}"
    return row.ret.name.lower().replace("_or_null", " or null").replace("_", " ")


def notes(row: Helper) -> str:
    """What else a caller must know of a helper."""
    said = {
        "GPL only": row.gpl_only,
        "may sleep": row.sleepable,
        "takes packet pointers": row.packet_access,
        "voids packet pointers": row.changes_packet,
        "more arguments may follow": row.variadic,
        "gives a reference": row.acquires,
        "may not return": row.leaves,
        row.restriction: bool(row.restriction),
    }
    return "; ".join(note for note, holds in said.items() if holds)


def callers(types: frozenset[ProgramType]) -> str:
    """Program types by name; those left out, when they are fewer."""
    missing = frozenset(ProgramType) - types
    if len(missing) < len(types) // 2:
        names = ", ".join(sorted(each.value.name for each in missing))
        return f"all but {names}" if names else "all"
    return ", ".join(sorted(each.value.name for each in types))


def sizes(row: Sizes) -> str:
    """Legal sizes of keys and values."""
    if row.choices:
        return " or ".join(map(str, row.choices))
    if row.least == row.most:
        return str(row.least)
    steps = f" in steps of {row.step}" if row.step > 1 else ""
    if row.most >= (1 << 31) - 1:
        return "any" if row.least <= 1 and not steps else f"from {row.least}{steps}"
    return f"{row.least} to {row.most}{steps}"


def operations(row: MapTypeRow) -> str:
    """What programs and user space do with a map."""
    return ", ".join(plain(row.ops)) or "none"
