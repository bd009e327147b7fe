"""The typed IR: what the front end proves about a source, and both lowerings read.

A tree, not a graph: control flow stays structured, so that a lowering is one walk. Every expression
has a ``type`` and a ``span``; every implicit conversion of the source is an explicit :class:`Cast`
here; byte order is explicit in :class:`Field`. The front end has refused everything that a lowering
cannot express, so a lowering raises only ``InternalError``.

One file of more than 500 lines: the closed unions below are read as a whole, and each refers to the
others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from beebox.tables.helpers import Helper
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.sections import SectionRow


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source: line from 1, columns from 1, ``end_column`` exclusive, on one line."""

    file: str
    line: int
    column: int
    end_column: int


# ---- types


@dataclass(frozen=True, slots=True)
class IntType:
    """``u8`` to ``u64``, ``i8`` to ``i64``."""

    bits: int
    signed: bool


@dataclass(frozen=True, slots=True)
class BoolType:
    """A condition; stored as one byte."""


@dataclass(frozen=True, slots=True)
class VoidType:
    """No value."""


@dataclass(frozen=True, slots=True)
class ArrayType:
    element: Type
    count: int


@dataclass(frozen=True, slots=True)
class Field:
    """A struct's field. ``big_endian`` integers convert on load and store."""

    name: str
    type: Type
    offset: int
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class StructType:
    """C layout: offsets and size with padding, in bytes."""

    name: str
    fields: tuple[Field, ...]
    size: int
    align: int


class Space(Enum):
    """Where a reference points."""

    CONTEXT = auto()
    PACKET = auto()
    READ_ONLY_PACKET = auto()  # of program types that may not write to it
    FLOW_KEYS = auto()
    MAP_VALUE = auto()
    READ_ONLY_VALUE = auto()  # of a map that programs may not write to
    LOCAL = auto()
    GLOBAL = auto()
    KNOB = auto()


@dataclass(frozen=True, slots=True)
class RefType:
    """A reference to storage, never None."""

    target: Type
    space: Space


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A reference or None: must be tested before use."""

    ref: RefType


@dataclass(frozen=True, slots=True)
class ContextType:
    """The program's argument; ``name`` is the row of ``tables.contexts``."""

    name: str


@dataclass(frozen=True, slots=True)
class MapRefType:
    """An inner map, as the lookup in a map of maps gives it."""

    decl: MapDecl


@dataclass(frozen=True, slots=True)
class PointerType:
    """An untyped address: the native dialect only."""


Type: TypeAlias = (
    IntType
    | BoolType
    | VoidType
    | ArrayType
    | StructType
    | RefType
    | OptionalType
    | ContextType
    | MapRefType
    | PointerType
)


# ---- places: what can be read or assigned


@dataclass(frozen=True, slots=True)
class LocalPlace:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class GlobalPlace:
    name: str
    type: Type
    span: Span
    constant: bool = False


@dataclass(frozen=True, slots=True)
class DerefPlace:
    """What the reference ``ref`` points to, whole."""

    ref: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class FieldPlace:
    base: Place
    field: Field
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """An array element. ``index`` is an unsigned integer; bounds are the verifier's to prove."""

    base: Place
    index: Expr
    type: Type
    span: Span


Place: TypeAlias = LocalPlace | GlobalPlace | DerefPlace | FieldPlace | IndexPlace


# ---- expressions


@dataclass(frozen=True, slots=True)
class Const:
    """An integer or boolean; signed types hold negative numbers as such."""

    value: int
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class NoneConst:
    """None, as an OptionalType or (native) a null PointerType."""

    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a place; the host's byte order.

    A struct or array only where it is copied whole: the value of Assign, MapUpdate, a map
    key, or a field of a StructValue.
    """

    place: Place
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ReadContext:
    """A field of the context, or an ``element`` of an array field, as it is stored.

    ``type`` is an integer of what is stored, or the reference that a pointer field holds.
    """

    field: str
    type: Type
    span: Span
    element: int = 0


@dataclass(frozen=True, slots=True)
class PacketLength:
    """``ctx.length``: data_end - data, in bytes; a u32."""

    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class RefTo:
    """A reference to a place: structs and arrays are passed so."""

    place: Place
    type: Type
    span: Span


class BinaryOp(Enum):
    """Both operands and the result have one integer type; shifts mask their count.

    As in BPF, x // 0 is 0 and x % 0 is x (LLVM leaves both undefined: a lowering selects).
    """

    ADD = auto()
    SUB = auto()
    MUL = auto()
    DIV = auto()  # unsigned only, or floor on signed by front-end expansion
    MOD = auto()
    AND = auto()
    OR = auto()
    XOR = auto()
    SHL = auto()
    SHR = auto()  # arithmetic when the type is signed


@dataclass(frozen=True, slots=True)
class Binary:
    op: BinaryOp
    left: Expr
    right: Expr
    type: Type
    span: Span


class UnaryOp(Enum):
    NEG = auto()
    INVERT = auto()
    BSWAP = auto()


@dataclass(frozen=True, slots=True)
class Unary:
    op: UnaryOp
    operand: Expr
    type: Type
    span: Span


class CompareOp(Enum):
    """On integers signedness is the operands'; on pointers only EQ, NE, and (native) the rest."""

    EQ = auto()
    NE = auto()
    LT = auto()
    LE = auto()
    GT = auto()
    GE = auto()


@dataclass(frozen=True, slots=True)
class Compare:
    op: CompareOp
    left: Expr
    right: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class IsNone:
    """Whether an OptionalType or PointerType value is None; ``negated`` for ``is not None``."""

    value: Expr
    negated: bool
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
    """Short-circuit ``and`` (``conjunction``) or ``or`` over conditions."""

    conjunction: bool
    operands: tuple[Expr, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Select:
    """``yes if test else no``; only the chosen side is evaluated."""

    test: Expr
    yes: Expr
    no: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion.

    Integer to integer (truncate, or extend by the operand's sign), bool to integer, or an
    OptionalType that was tested to its RefType.
    """

    value: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class StructValue:
    """A struct built field by field; fields not named are zero. ``type`` is a StructType."""

    fields: tuple[tuple[Field, Expr], ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class CallFunction:
    """A call of a source function, a subprogram in BPF."""

    name: str
    args: tuple[Expr, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class CallHelper:
    """A helper by its row. Map arguments are :class:`MapHandle`."""

    helper: Helper
    args: tuple[Expr, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MapHandle:
    """A declared map itself, as an argument."""

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MapLookup:
    """``type`` is OptionalType of the value. ``key`` has the key type of the map at ``map``."""

    map: Expr
    key: Expr
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class PacketAccess:
    """``ctx.packet(T, offset)``.

    A reference to a T at ``offset`` (u64), or None when it would end past the packet. With
    ``meta``, ``ctx.meta(T)``: from data_meta, and None when it would end past the packet's start.
    """

    offset: Expr
    type: Type
    span: Span
    meta: bool = False


@dataclass(frozen=True, slots=True)
class ContextArg:
    """The context itself, as an argument of a helper or function."""

    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Temporary:
    """A pointer to a copy of ``value`` that lives as long as the helper call it is given to."""

    value: Expr
    type: Type
    span: Span


class AtomicOp(Enum):
    """What an atomic instruction does to memory."""

    ADD = auto()
    AND = auto()
    OR = auto()
    XOR = auto()
    EXCHANGE = auto()
    COMPARE_EXCHANGE = auto()


@dataclass(frozen=True, slots=True)
class AtomicFetch:
    """The old value of a place that is changed at once, in sequential order with all others.

    ``expected`` is what COMPARE_EXCHANGE compares with. ``place`` is as for AtomicUpdate.
    """

    op: AtomicOp
    place: Place
    value: Expr
    expected: Expr | None
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Budget:
    """``bounded()``: true while the kernel lets this loop go on (may_goto); a condition only."""

    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Bytes:
    """Constant bytes in read-only memory (a format string); a pointer to them."""

    data: bytes
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A native-only operation by name: its row is in ``compiler.intrinsics``."""

    name: str
    args: tuple[Expr, ...]
    type: Type
    span: Span


Expr: TypeAlias = (
    Const
    | NoneConst
    | Read
    | ReadContext
    | PacketLength
    | RefTo
    | Binary
    | Unary
    | Compare
    | IsNone
    | Logic
    | Not
    | Select
    | Cast
    | StructValue
    | CallFunction
    | CallHelper
    | MapHandle
    | MapLookup
    | PacketAccess
    | ContextArg
    | Temporary
    | AtomicFetch
    | Budget
    | Bytes
    | Intrinsic
)


# ---- statements


@dataclass(frozen=True, slots=True)
class Assign:
    place: Place
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class WriteContext:
    """A store to a field of the context; ``value`` has the stored integer's type."""

    field: str
    element: int
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class AtomicUpdate:
    """``place`` is an aligned 4- or 8-byte integer in memory that others may see.

    ``op`` is ADD, AND, OR or XOR; nothing is known of the order with other accesses.
    """

    op: AtomicOp
    place: Place
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class MapUpdate:
    map: Expr
    key: Expr
    value: Expr
    flags: int
    span: Span


@dataclass(frozen=True, slots=True)
class MapDelete:
    map: Expr
    key: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression for its effect."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class While:
    test: Expr
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ForRange:
    """``for name in range(start, stop, step)``: bounds evaluated once, ``step`` a constant, not 0.

    Assigning the loop variable in the body does not change the iteration, as in Python.
    """

    name: str
    type: IntType
    start: Expr
    stop: Expr
    step: int
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Break:
    span: Span


@dataclass(frozen=True, slots=True)
class Continue:
    span: Span


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    span: Span


Stmt: TypeAlias = (
    Assign
    | WriteContext
    | AtomicUpdate
    | MapUpdate
    | MapDelete
    | Evaluate
    | If
    | While
    | ForRange
    | Break
    | Continue
    | Return
)


# ---- declarations


@dataclass(frozen=True, slots=True)
class Local:
    """A local variable; every name of a function has one type. ``span`` is its first assignment.

    A name that starts with "." is the front end's own: no debug information.
    """

    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """``section`` is None for subprograms. ``locals`` excludes the parameters."""

    name: str
    params: tuple[Param, ...]
    result: Type
    locals: tuple[Local, ...]
    body: tuple[Stmt, ...]
    span: Span
    section: SectionRow | None = None
    section_name: str = ""
    inline: bool | None = None  # native dialect: True alwaysinline, False noinline cold
    exported: bool = False  # native dialect: callable from outside the module


@dataclass(frozen=True, slots=True)
class MapDecl:
    """``key`` and ``value`` are VoidType where the map has none."""

    name: str
    map_type: MapType
    key: Type
    value: Type
    max_entries: int
    span: Span
    flags: MapFlags = MapFlags.NONE
    extra: int = 0  # a bloom filter's number of hashes
    inner: MapDecl | None = None  # of a map of maps: what its maps are like
    slots: tuple[tuple[int, str], ...] = ()  # first maps or programs by index, as symbols


@dataclass(frozen=True, slots=True)
class GlobalDecl:
    """A global variable (``.data``/``.bss``) or, ``constant``, a knob in ``.rodata``."""

    name: str
    type: Type
    initial: bytes
    constant: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Module:
    """One source, ready to lower. ``sources`` holds the text of every file, for line info."""

    file: str
    functions: tuple[Function, ...]
    maps: tuple[MapDecl, ...] = ()
    globals: tuple[GlobalDecl, ...] = ()
    structs: tuple[StructType, ...] = ()
    license: str = "GPL"
    sources: dict[str, str] = field(default_factory=dict)
