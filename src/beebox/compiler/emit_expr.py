"""Expressions and places to LLVM IR: what both lowerings share.

What a target does its own way (the context, packets, maps, helper functions, intrinsics) it does
behind :class:`Target`. Aggregates live in memory and are written to an address
(:meth:`Expressions.store_into`); everything else is a value in a register.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias, assert_never

from beebox.compiler import emit_text as text
from beebox.compiler import ir
from beebox.compiler.emit_text import Body
from beebox.errors import InternalError

TargetExpr: TypeAlias = (
    ir.ReadContext
    | ir.PacketLength
    | ir.PacketAccess
    | ir.MapHandle
    | ir.MapLookup
    | ir.CallHelper
    | ir.Budget
    | ir.Bytes
    | ir.Intrinsic
)

_ARITHMETIC: Final = {
    ir.BinaryOp.ADD: "add",
    ir.BinaryOp.SUB: "sub",
    ir.BinaryOp.MUL: "mul",
    ir.BinaryOp.AND: "and",
    ir.BinaryOp.OR: "or",
    ir.BinaryOp.XOR: "xor",
}
_ATOMICS: Final = {
    ir.AtomicOp.ADD: "add",
    ir.AtomicOp.AND: "and",
    ir.AtomicOp.OR: "or",
    ir.AtomicOp.XOR: "xor",
    ir.AtomicOp.EXCHANGE: "xchg",
}
_MAX_ZEROED_BY_STORES: Final = 64  # bytes
_PREDICATES: Final = {
    ir.CompareOp.LT: "lt",
    ir.CompareOp.LE: "le",
    ir.CompareOp.GT: "gt",
    ir.CompareOp.GE: "ge",
}


class Target(Protocol):
    """What the walk leaves to a lowering."""

    def value(self, expressions: Expressions, expr: TargetExpr) -> str:
        """The operand of an expression that the targets treat differently."""
        ...

    def global_address(self, name: str) -> Address:
        """Where a global variable lives."""
        ...

    def function_symbol(self, name: str) -> str:
        """A source function as an operand."""
        ...

    def after_call(self, expressions: Expressions, name: str) -> None:
        """A source function was called."""
        ...

    def location(self, span: ir.Span) -> str:
        """The debug location to append to instructions from ``span``."""
        ...

    def declare(self, declaration: str) -> None:
        """An LLVM intrinsic is in use."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Memory that a place stands for; ``align`` is its type's, in bytes.

    Packets are taken as aligned although they start anywhere, as C does: where misaligned access is
    cheap it works, and telling LLVM the truth would make ten instructions of each load.
    """

    operand: str
    align: int
    big_endian: bool = False
    volatile: bool = False


class Expressions:
    """Writes the expressions of one function to its body."""

    def __init__(self, body: Body, target: Target, variables: Mapping[str, Address]) -> None:
        self.body = body
        self.target = target
        self._variables = variables
        self._idle: dict[tuple[int, int], list[str]] = {}

    # ---- debug locations and temporaries

    @contextmanager
    def at(self, span: ir.Span) -> Iterator[None]:
        """Instructions inside come from ``span``."""
        before, self.body.location = self.body.location, self.target.location(span)
        yield
        self.body.location = before

    @contextmanager
    def temporary(self, type_: ir.Type) -> Iterator[str]:
        """Stack memory for one value, shared with temporaries whose time is over."""
        shape = text.size_of(type_), text.align_of(type_)
        idle = self._idle.setdefault(shape, [])
        slot = idle.pop() if idle else self.body.variable(f"[{shape[0]} x i8]", shape[1])
        for edge in ("start", "end"):
            self.target.declare(f"declare void @llvm.lifetime.{edge}.p0(ptr captures(none))")
        self.body.do(f"call void @llvm.lifetime.start.p0(ptr {slot})")
        yield slot
        self.body.do(f"call void @llvm.lifetime.end.p0(ptr {slot})")
        idle.append(slot)

    @contextmanager
    def in_memory(self, expr: ir.Expr) -> Iterator[str]:
        """The address of a copy of a value, for the time of a call."""
        with self.temporary(expr.type) as slot:
            self.store_into(Address(slot, text.align_of(expr.type)), expr)
            yield slot

    # ---- places

    def address(self, place: ir.Place) -> Address:
        """Where a place is."""
        match place:
            case ir.LocalPlace():
                return self._variables[place.name]
            case ir.GlobalPlace():
                return self.target.global_address(place.name)
            case ir.DerefPlace():
                return Address(self.value(place.ref), text.align_of(place.type))
            case ir.FieldPlace():
                base = self.address(place.base)
                return replace(
                    self._step(base, place.field.offset), big_endian=place.field.big_endian
                )
            case ir.IndexPlace():
                return self._element(place)
            case _:
                assert_never(place)

    def _step(self, base: Address, offset: int) -> Address:
        if not offset:
            return base
        operand = self.body.value(f"getelementptr inbounds i8, ptr {base.operand}, i64 {offset}")
        return replace(base, operand=operand, align=math.gcd(base.align, offset))

    def _element(self, place: ir.IndexPlace) -> Address:
        base, size = self.address(place.base), text.size_of(place.type)
        if isinstance(place.index, ir.Const):
            return self._step(base, place.index.value * size)
        index = self.widened(place.index)
        element = text.memory_type(place.type)
        operand = self.body.value(
            f"getelementptr inbounds {element}, ptr {base.operand}, i64 {index}"
        )
        return replace(base, operand=operand, align=math.gcd(base.align, size))

    def load(self, address: Address, type_: ir.Type) -> str:
        """Read a scalar from memory, in the host's byte order."""
        volatile = "volatile " if address.volatile else ""
        where = f"ptr {address.operand}, align {min(address.align, text.align_of(type_))}"
        value = self.body.value(f"load {volatile}{text.memory_type(type_)}, {where}")
        if isinstance(type_, ir.BoolType):
            return self.body.value(f"icmp ne i8 {value}, 0")
        return self._swap_if(address, value, type_)

    def store(self, address: Address, value: str, type_: ir.Type) -> None:
        """Write a scalar to memory, from the host's byte order."""
        if isinstance(type_, ir.BoolType):
            value = self.body.value(f"zext i1 {value} to i8")
        value = self._swap_if(address, value, type_)
        align = min(address.align, text.align_of(type_))
        self.body.do(
            f"store {text.memory_type(type_)} {value}, ptr {address.operand}, align {align}"
        )

    def _swap_if(self, address: Address, value: str, type_: ir.Type) -> str:
        if address.big_endian and isinstance(type_, ir.IntType):
            return self._bswap(value, type_.bits)
        return value

    def _bswap(self, value: str, bits: int) -> str:
        if bits == 8:
            return value
        self.target.declare(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})")
        return self.body.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")

    def store_into(self, address: Address, expr: ir.Expr) -> None:
        """Write any value to memory; a struct's padding becomes zero or is copied."""
        match expr:
            case ir.StructValue():
                self._build(address, expr)
            case ir.Read() if text.is_aggregate(expr.type):
                source = self.address(expr.place)
                self.target.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1 immarg)")
                self.body.do(
                    f"call void @llvm.memcpy.p0.p0.i64(ptr align {address.align} {address.operand},"
                    f" ptr align {source.align} {source.operand}, i64 {text.size_of(expr.type)},"
                    f" i1 {'true' if source.volatile else 'false'})"
                )
            case _:
                self.store(address, self.value(expr), expr.type)

    def _build(self, address: Address, expr: ir.StructValue) -> None:
        """Write each byte once: LLVM would trim a whole memset to a misaligned one."""
        done = 0
        for field, value in sorted(expr.fields, key=lambda pair: pair[0].offset):
            self._zero(address, done, field.offset)
            place = replace(self._step(address, field.offset), big_endian=field.big_endian)
            self.store_into(place, value)
            done = field.offset + text.size_of(field.type)
        self._zero(address, done, text.size_of(expr.type))

    def _zero(self, address: Address, start: int, end: int) -> None:
        """Zero the bytes from ``start`` to ``end``, with aligned stores while they are few."""
        if end - start > _MAX_ZEROED_BY_STORES:
            self.target.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1 immarg)")
            place = self._step(address, start)
            self.body.do(
                f"call void @llvm.memset.p0.i64(ptr align {place.align} {place.operand}, i8 0,"
                f" i64 {end - start}, i1 false)"
            )
            return
        while start < end:
            place = self._step(address, start)
            size = min(8, place.align, 1 << ((end - start).bit_length() - 1))
            self.body.do(f"store i{size * 8} 0, ptr {place.operand}, align {size}")
            start += size

    # ---- values

    def value(self, expr: ir.Expr) -> str:
        """The operand of a scalar expression; empty for a call without a result."""
        with self.at(expr.span):
            return self._value(expr)

    def widened(self, expr: ir.Expr) -> str:
        """An unsigned integer as an i64."""
        assert isinstance(expr.type, ir.IntType)
        return self._extend(self.value(expr), expr.type, 64)

    def _extend(self, value: str, type_: ir.IntType, bits: int) -> str:
        if type_.bits == bits:
            return value
        if type_.bits > bits:
            return self.body.value(f"trunc i{type_.bits} {value} to i{bits}")
        how = "sext" if type_.signed else "zext"
        return self.body.value(f"{how} i{type_.bits} {value} to i{bits}")

    def _value(self, expr: ir.Expr) -> str:
        match expr:
            case ir.Const():
                return text.constant(expr.value, expr.type)
            case ir.NoneConst():
                return "null"
            case ir.Read():
                return self.load(self.address(expr.place), expr.type)
            case ir.RefTo():
                return self.address(expr.place).operand
            case ir.ContextArg():
                return "%ctx"
            case ir.Binary():
                return self._binary(expr)
            case ir.Unary():
                return self._unary(expr)
            case ir.Compare():
                return self._compare(expr)
            case ir.IsNone():
                how = "ne" if expr.negated else "eq"
                return self.body.value(f"icmp {how} ptr {self.value(expr.value)}, null")
            case ir.Not():
                return self.body.value(f"xor i1 {self.value(expr.operand)}, true")
            case ir.Logic():
                return self._choose(expr, lambda: "true", lambda: "false", expr.type)
            case ir.Select():
                return self._choose(
                    expr.test,
                    lambda: self.value(expr.yes),
                    lambda: self.value(expr.no),
                    expr.type,
                )
            case ir.Cast():
                return self._cast(expr)
            case ir.CallFunction():
                return self._call(expr)
            case ir.StructValue():
                raise InternalError("a struct value outside a place, key or value")
            case ir.AtomicFetch():
                return self._fetch(expr)
            case ir.Temporary():
                raise InternalError("a temporary outside a helper's arguments")
            case (
                ir.ReadContext()
                | ir.PacketLength()
                | ir.PacketAccess()
                | ir.MapHandle()
                | ir.MapLookup()
                | ir.CallHelper()
                | ir.Budget()
                | ir.Bytes()
                | ir.Intrinsic()
            ):
                return self.target.value(self, expr)
            case _:
                assert_never(expr)

    def _binary(self, expr: ir.Binary) -> str:
        assert isinstance(expr.type, ir.IntType)
        left, right = self.value(expr.left), self.value(expr.right)
        type_ = f"i{expr.type.bits}"
        if expr.op in _ARITHMETIC:
            return self.body.value(f"{_ARITHMETIC[expr.op]} {type_} {left}, {right}")
        if expr.op in {ir.BinaryOp.DIV, ir.BinaryOp.MOD}:
            if expr.type.signed:
                raise InternalError("a signed division reached the lowering")
            return self._divide(expr, type_, left, right)
        count = right
        if not (isinstance(expr.right, ir.Const) and 0 <= expr.right.value < expr.type.bits):
            count = self.body.value(f"and {type_} {right}, {expr.type.bits - 1}")
        shr = "ashr" if expr.type.signed else "lshr"
        how = "shl" if expr.op is ir.BinaryOp.SHL else shr
        return self.body.value(f"{how} {type_} {left}, {count}")

    def _divide(self, expr: ir.Binary, type_: str, left: str, right: str) -> str:
        """BPF's division: x // 0 is 0, x % 0 is x."""
        how = "udiv" if expr.op is ir.BinaryOp.DIV else "urem"
        if isinstance(expr.right, ir.Const) and expr.right.value:
            return self.body.value(f"{how} {type_} {left}, {right}")
        by_zero = self.body.value(f"icmp eq {type_} {right}, 0")
        divisor = self.body.value(f"select i1 {by_zero}, {type_} 1, {type_} {right}")
        quotient = self.body.value(f"{how} {type_} {left}, {divisor}")
        otherwise = "0" if expr.op is ir.BinaryOp.DIV else left
        return self.body.value(f"select i1 {by_zero}, {type_} {otherwise}, {type_} {quotient}")

    def _unary(self, expr: ir.Unary) -> str:
        assert isinstance(expr.type, ir.IntType)
        operand, type_ = self.value(expr.operand), f"i{expr.type.bits}"
        match expr.op:
            case ir.UnaryOp.NEG:
                return self.body.value(f"sub {type_} 0, {operand}")
            case ir.UnaryOp.INVERT:
                return self.body.value(f"xor {type_} {operand}, -1")
            case ir.UnaryOp.BSWAP:
                return self._bswap(operand, expr.type.bits)

    def _compare(self, expr: ir.Compare) -> str:
        left, right = self.value(expr.left), self.value(expr.right)
        if expr.op in _PREDICATES:
            of = expr.left.type
            signed = isinstance(of, ir.IntType) and of.signed
            how = ("s" if signed else "u") + _PREDICATES[expr.op]
        else:
            how = "eq" if expr.op is ir.CompareOp.EQ else "ne"
        return self.body.value(f"icmp {how} {text.value_type(expr.left.type)} {left}, {right}")

    def _cast(self, expr: ir.Cast) -> str:
        value, source, to = self.value(expr.value), expr.value.type, expr.type
        match source, to:
            case ir.IntType(), ir.IntType():
                return self._extend(value, source, to.bits)
            case ir.BoolType(), ir.IntType():
                return self.body.value(f"zext i1 {value} to i{to.bits}")
            case ir.IntType(), ir.BoolType():
                return self.body.value(f"icmp ne i{source.bits} {value}, 0")
            case _ if text.value_type(source) == text.value_type(to):
                return value
            case _:
                raise InternalError(f"a cast from {source} to {to}")

    def atomic(self, op: ir.AtomicOp, place: ir.Place, value: ir.Expr, order: str) -> str:
        """A read-modify-write instruction."""
        operand, address = self.value(value), self.address(place)
        if address.big_endian:
            raise InternalError("an atomic operation in network byte order")
        type_ = text.value_type(place.type)
        return (
            f"atomicrmw {_ATOMICS[op]} ptr {address.operand}, {type_} {operand}"
            f" {order}, align {text.align_of(place.type)}"
        )

    def _fetch(self, expr: ir.AtomicFetch) -> str:
        if expr.expected is None:
            return self.body.value(self.atomic(expr.op, expr.place, expr.value, "seq_cst"))
        expected, new = self.value(expr.expected), self.value(expr.value)
        type_ = text.value_type(expr.type)
        pair = self.body.value(
            f"cmpxchg ptr {self.address(expr.place).operand}, {type_} {expected}, {type_} {new}"
            f" seq_cst seq_cst, align {text.align_of(expr.type)}"
        )
        return self.body.value(f"extractvalue {{ {type_}, i1 }} {pair}, 0")

    def _call(self, expr: ir.CallFunction) -> str:
        args = ", ".join(f"{text.signature_type(arg.type)} {self.value(arg)}" for arg in expr.args)
        call = (
            f"call {text.result_type(expr.type)} {self.target.function_symbol(expr.name)}({args})"
        )
        result = ""
        if isinstance(expr.type, ir.VoidType):
            self.body.do(call)
        else:
            result = self.body.value(call)
        self.target.after_call(self, expr.name)
        return result

    # ---- conditions

    def condition(self, expr: ir.Expr, yes: str, no: str) -> None:
        """Go to the label ``yes`` or ``no``."""
        match expr:
            case ir.Const():
                self.body.branch(yes if expr.value else no)
            case ir.Not():
                self.condition(expr.operand, no, yes)
            case ir.Logic():
                for operand in expr.operands[:-1]:
                    more = self.body.fresh_label("and" if expr.conjunction else "or")
                    self.condition(
                        operand,
                        more if expr.conjunction else yes,
                        no if expr.conjunction else more,
                    )
                    self.body.label(more)
                self.condition(expr.operands[-1], yes, no)
            case _:
                value = self.value(expr)
                with self.at(expr.span):
                    self.body.end(f"br i1 {value}, label %{yes}, label %{no}")

    def _choose(
        self, test: ir.Expr, yes: Callable[[], str], no: Callable[[], str], type_: ir.Type
    ) -> str:
        """One of two values; only the chosen one is computed."""
        then, otherwise, join = (self.body.fresh_label(what) for what in ("yes", "no", "join"))
        self.condition(test, then, otherwise)
        incoming = []
        for label, side in ((then, yes), (otherwise, no)):
            self.body.label(label)
            incoming.append(f"[{side()}, %{self.body.block}]")
            self.body.branch(join)
        self.body.label(join)
        return self.body.value(f"phi {text.value_type(type_)} {', '.join(incoming)}")
