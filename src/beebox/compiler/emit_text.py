"""LLVM IR as text: types, constants and the body of one function while it grows."""

from __future__ import annotations

import re
from typing import Final

from beebox.compiler.ir import (
    ArrayType,
    BoolType,
    ContextType,
    IntType,
    MapRefType,
    OptionalType,
    PointerType,
    RefType,
    StructType,
    Type,
    VoidType,
)
from beebox.errors import InternalError

POINTER_BYTES: Final = 8
_UNQUOTABLE: Final = re.compile(r"[^ !#-\[\]-~]")


def size_of(type_: Type) -> int:
    """Bytes of a value in memory."""
    match type_:
        case IntType():
            return type_.bits // 8
        case BoolType():
            return 1
        case ArrayType():
            return size_of(type_.element) * type_.count
        case StructType():
            return type_.size
        case RefType() | OptionalType() | ContextType() | MapRefType() | PointerType():
            return POINTER_BYTES
        case VoidType():
            return 0


def align_of(type_: Type) -> int:
    """Natural alignment in bytes."""
    match type_:
        case ArrayType():
            return align_of(type_.element)
        case StructType():
            return type_.align
        case _:
            return size_of(type_) or 1


def is_aggregate(type_: Type) -> bool:
    """Whether values are handled by address: structs and arrays."""
    return isinstance(type_, StructType | ArrayType)


def memory_type(type_: Type) -> str:
    """The LLVM type in memory. Aggregates are bytes, so that padding is copied like any field."""
    match type_:
        case IntType():
            return f"i{type_.bits}"
        case BoolType():
            return "i8"
        case ArrayType() | StructType():
            return f"[{size_of(type_)} x i8]"
        case RefType() | OptionalType() | ContextType() | MapRefType() | PointerType():
            return "ptr"
        case VoidType():
            return "void"


def value_type(type_: Type) -> str:
    """The LLVM type of a value in a register."""
    if is_aggregate(type_):
        raise InternalError(f"an aggregate {type_} as a value")
    return "i1" if isinstance(type_, BoolType) else memory_type(type_)


def signature_type(type_: Type) -> str:
    """The type with its attributes as a parameter or result."""
    return "i1 zeroext" if isinstance(type_, BoolType) else value_type(type_)


def result_type(type_: Type) -> str:
    """The type with its attributes before a function's name."""
    return "zeroext i1" if isinstance(type_, BoolType) else value_type(type_)


def constant(value: int, type_: Type) -> str:
    """An integer or boolean operand."""
    if isinstance(type_, BoolType):
        return "true" if value else "false"
    return str(value)


def quoted(data: bytes) -> str:
    """Bytes inside LLVM's double quotes."""
    return _UNQUOTABLE.sub(lambda found: f"\\{ord(found[0]):02X}", data.decode("latin-1"))


def symbol(name: str) -> str:
    """A global's name as an operand."""
    return f'@"{quoted(name.encode())}"'


class Body:
    """The text of one function: variables first, then blocks, each ended exactly once.

    What is written after a block's end and before the next label is unreachable; it goes to a
    block of its own, which LLVM removes.
    """

    def __init__(self) -> None:
        self._variables: list[str] = []
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._open = True
        self.block = "entry"
        self.location = ""  # ``, !dbg !N`` for what is written next

    @property
    def is_open(self) -> bool:
        """Whether control reaches what is written next."""
        return self._open

    def fresh(self) -> str:
        """A new register name."""
        self._count += 1
        return f"%t{self._count}"

    def fresh_label(self, what: str) -> str:
        """A new label that tells what it is for."""
        self._count += 1
        return f"{what}.{self._count}"

    def variable(self, type_: str, align: int, name: str = "") -> str:
        """Memory of this function, ``align`` bytes aligned; its address."""
        self._count += 1
        register = f'%"{quoted(name.encode())}.{self._count}"' if name else f"%s{self._count}"
        self._variables.append(f"  {register} = alloca {type_}, align {align}")
        return register

    def declare_debug(self, record: str) -> None:
        """A debug record at the function's start."""
        self._entry.append(f"    {record}")

    def value(self, text: str) -> str:
        """Write an instruction that has a result; its register."""
        register = self.fresh()
        self.do(f"{register} = {text}")
        return register

    def do(self, text: str) -> None:
        """Write an instruction."""
        if not self._open:
            self.label(self.fresh_label("dead"))
        self._lines.append(f"  {text}{self.location}")

    def end(self, text: str) -> None:
        """Write a block's last instruction."""
        self.do(text)
        self._open = False

    def branch(self, label: str) -> None:
        """Go to a label, unless control does not get here."""
        if self._open:
            self.end(f"br label %{label}")

    def label(self, label: str) -> None:
        """Start a block; an open one falls through to it."""
        self.branch(label)
        self._lines.append(f"{label}:")
        self.block = label
        self._open = True

    def text(self) -> str:
        """The whole, from ``entry:`` on."""
        return "\n".join(["entry:", *self._variables, *self._entry, *self._lines])
