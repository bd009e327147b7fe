"""Native-only operations: one row each; the front end types them, ``compiler.native`` lowers them.

``compiler.dialect`` declares the same names for mypy and for readers; a test keeps both equal.
Programs (XDP and friends) cannot reach them: only the map runtime and helper bodies are native.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from beebox.compiler.ir import BoolType, IntType, PointerType, Type, VoidType

U8: Final = IntType(8, signed=False)
U16: Final = IntType(16, signed=False)
U32: Final = IntType(32, signed=False)
U64: Final = IntType(64, signed=False)
I64: Final = IntType(64, signed=True)
BOOL: Final = BoolType()
VOID: Final = VoidType()
PTR: Final = PointerType()

UNSIGNED: Final = {8: U8, 16: U16, 32: U32, 64: U64}


class Operation(Enum):
    """What an intrinsic does; ``row.bits`` and ``row.order`` say on what and how."""

    OFFSET = auto()  # p + n: address arithmetic inside one object
    DISTANCE = auto()  # p - q in bytes
    STORAGE = auto()  # first byte of the map's storage
    LOAD = auto()
    STORE = auto()
    XCHG = auto()  # the old value
    ADD = auto()  # the old value
    CMPXCHG = auto()  # the old value; stored ``new`` only where it equalled ``expected``
    COPY = auto()  # n bytes, no overlap
    ZERO = auto()  # n bytes
    MOVE = auto()  # n bytes, which may overlap; n may vary
    CLEAR = auto()  # n bytes; n may vary
    FENCE = auto()
    PAUSE = auto()  # a spin-wait hint
    PREFETCH = auto()
    LIKELY = auto()  # the condition itself
    UNLIKELY = auto()


class Order(Enum):
    """Memory orders, with LLVM's meaning; ``RELAXED`` is LLVM's ``monotonic``."""

    PLAIN = auto()  # not atomic, any alignment
    RELAXED = auto()
    ACQUIRE = auto()
    RELEASE = auto()
    ACQ_REL = auto()


@dataclass(frozen=True, slots=True)
class IntrinsicRow:
    """``constants`` are the argument positions that must be known at compile time.

    Atomic accesses (any order but PLAIN) need natural alignment; plain ones need none.
    """

    name: str
    operation: Operation
    params: tuple[Type, ...]
    result: Type
    bits: int = 0
    order: Order = Order.PLAIN
    constants: frozenset[int] = frozenset()


def _loads_and_stores() -> list[IntrinsicRow]:
    """``load_u32(p)``, ``store_u32(p, value)``; atomic ones end in their order."""
    rows = []
    for bits, type_ in UNSIGNED.items():
        orders = [("", Order.PLAIN, Order.PLAIN)]
        if bits >= 32:
            orders.append(("_relaxed", Order.RELAXED, Order.RELAXED))
        for suffix, load, store in orders:
            rows += [
                IntrinsicRow(f"load_u{bits}{suffix}", Operation.LOAD, (PTR,), type_, bits, load),
                IntrinsicRow(
                    f"store_u{bits}{suffix}", Operation.STORE, (PTR, type_), VOID, bits, store
                ),
            ]
        if bits >= 32:
            rows += [
                IntrinsicRow(
                    f"load_u{bits}_acquire", Operation.LOAD, (PTR,), type_, bits, Order.ACQUIRE
                ),
                IntrinsicRow(
                    f"store_u{bits}_release",
                    Operation.STORE,
                    (PTR, type_),
                    VOID,
                    bits,
                    Order.RELEASE,
                ),
            ]
    return rows


def _read_modify_write() -> list[IntrinsicRow]:
    """``xchg_u32_acquire(p, new)``, ``add_...(p, n)``, ``cmpxchg_...(p, expected, new)``."""
    orders = (Order.RELAXED, Order.ACQUIRE, Order.RELEASE, Order.ACQ_REL)
    rows = []
    for bits in (32, 64):
        type_ = UNSIGNED[bits]
        for order in orders:
            end = f"_u{bits}_{order.name.lower()}"
            rows += [
                IntrinsicRow(f"xchg{end}", Operation.XCHG, (PTR, type_), type_, bits, order),
                IntrinsicRow(f"add{end}", Operation.ADD, (PTR, type_), type_, bits, order),
                IntrinsicRow(
                    f"cmpxchg{end}", Operation.CMPXCHG, (PTR, type_, type_), type_, bits, order
                ),
            ]
    return rows


_ROWS: Final = (
    IntrinsicRow("offset", Operation.OFFSET, (PTR, U64), PTR),  # spelled ``p + n``
    IntrinsicRow("distance", Operation.DISTANCE, (PTR, PTR), U64),  # spelled ``p - q``
    IntrinsicRow("storage", Operation.STORAGE, (), PTR),
    IntrinsicRow("copy", Operation.COPY, (PTR, PTR, U64), VOID, constants=frozenset({2})),
    IntrinsicRow("zero", Operation.ZERO, (PTR, U64), VOID, constants=frozenset({1})),
    IntrinsicRow("move", Operation.MOVE, (PTR, PTR, U64), VOID),
    IntrinsicRow("clear", Operation.CLEAR, (PTR, U64), VOID),
    IntrinsicRow("fence_acquire", Operation.FENCE, (), VOID, order=Order.ACQUIRE),
    IntrinsicRow("fence_release", Operation.FENCE, (), VOID, order=Order.RELEASE),
    IntrinsicRow("pause", Operation.PAUSE, (), VOID),
    IntrinsicRow("prefetch", Operation.PREFETCH, (PTR,), VOID),
    IntrinsicRow("likely", Operation.LIKELY, (BOOL,), BOOL),
    IntrinsicRow("unlikely", Operation.UNLIKELY, (BOOL,), BOOL),
    IntrinsicRow("load_ptr", Operation.LOAD, (PTR,), PTR, 64),
    IntrinsicRow("store_ptr", Operation.STORE, (PTR, PTR), VOID, 64),
    *_loads_and_stores(),
    *_read_modify_write(),
)

INTRINSICS: Final = {row.name: row for row in _ROWS}
