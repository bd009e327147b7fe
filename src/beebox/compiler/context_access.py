"""The context in expressions: its fields, and checked references into the packet."""

from __future__ import annotations

import ast

from beebox.compiler.annotations import annotation
from beebox.compiler.context import FunctionContext, Literal
from beebox.compiler.contexts import (
    ANY_CONTEXT,
    attached_as,
    count_of,
    described,
    element_bytes,
    fields_of,
    packet_access,
    reads_as,
    seeing,
    whole,
)
from beebox.compiler.diagnostics import words
from beebox.compiler.ir import (
    ArrayType,
    Cast,
    Const,
    ContextType,
    Expr,
    IntType,
    OptionalType,
    PacketAccess,
    PacketLength,
    ReadContext,
    RefType,
    Space,
    StructType,
    Unary,
    UnaryOp,
    WriteContext,
)
from beebox.compiler.operators import convert, number
from beebox.compiler.resolver import kernel_structs
from beebox.compiler.types import U32, U64, name_of
from beebox.tables.contexts import ContextField, FieldKind
from beebox.tables.program_types import PacketAccess as Allowed

MAX_PACKET_OFFSET = 0xFFFF
_POINTERS = {FieldKind.PACKET, FieldKind.PACKET_END, FieldKind.PACKET_META}


def context_of(f: FunctionContext, node: ast.expr) -> ContextType | None:
    """The context type of a name that is the context."""
    type_ = f.type_of(node.id) if isinstance(node, ast.Name) else None
    return type_ if isinstance(type_, ContextType) else None


def read_field(f: FunctionContext, node: ast.Attribute, context: ContextType) -> Expr:
    """``ctx.ingress_ifindex`` and friends; the packet's pointers have their own spelling."""
    known = fields_of(context.name, f.section)
    if node.attr == "length":
        if "data" not in known and context.name != ANY_CONTEXT:
            raise f.error(node, f"{described(f.section)} does not reach packet bytes", "ctx.len")
        return PacketLength(U32, f.span(node))
    field = _field(f, node, context)
    if field.kind is FieldKind.FLOW_KEYS:
        type_ = RefType(kernel_structs()["bpf_flow_keys"].type, Space.FLOW_KEYS)
        return ReadContext(field.name, type_, f.span(node))
    if count_of(field):
        raise f.error(node, f"'{field.name}' is an array", f"read one element: {words(node)}[0]")
    return _load(f, node, field, 0)


def read_element(f: FunctionContext, node: ast.Subscript, context: ContextType) -> Expr:
    """``ctx.cb[0]``: an array of the context has constant indexes."""
    field, index = _element(f, node, context)
    return _load(f, node, field, index)


def _load(f: FunctionContext, node: ast.expr, field: ContextField, element: int) -> Expr:
    span = f.span(node)
    if not field.reads:
        raise f.error(node, f"'{field.name}' cannot be read")
    stored = IntType(element_bytes(field) * 8, signed=False)
    value: Expr = ReadContext(field.name, stored, span, element)
    type_, swapped = reads_as(field)
    if type_ != stored:
        value = Cast(value, type_, span)
    return Unary(UnaryOp.BSWAP, value, type_, span) if swapped else value


def write(
    f: FunctionContext, node: ast.stmt, target: ast.expr, value: ast.expr, context: ContextType
) -> None:
    """``ctx.mark = ...`` and ``ctx.cb[0] = ...``, where programs of this type may."""
    index = 0
    if isinstance(target, ast.Subscript):
        field, index = _element(f, target, context)
    else:
        assert isinstance(target, ast.Attribute)
        field = _field(f, target, context)
        if count_of(field):
            raise f.error(target, f"'{field.name}' is an array", f"{words(target)}[0] = ...")
    if not field.writes:
        known = fields_of(context.name, f.section).values()
        writable = ", ".join(row.name for row in known if row.writes)
        raise f.error(
            target,
            f"{described(f.section)} cannot write '{field.name}'",
            f"it may write: {writable}" if writable else "its context is read-only",
        )
    stored = IntType(element_bytes(field) * 8, signed=False)
    made = convert(f, f.operand(value), stored, f"'{field.name}'")
    f.out.append(WriteContext(field.name, index, made, f.span(node)))


def _field(f: FunctionContext, node: ast.Attribute, context: ContextType) -> ContextField:
    known = fields_of(context.name, f.section)
    field = known.get(node.attr)
    if field is None:
        kinds = {FieldKind.SCALAR, FieldKind.FLOW_KEYS}
        listed = [name for name, row in known.items() if row.kind in kinds]
        listed += ["length", "packet(T, offset)"] if "data" in known else []
        hint = f"it has: {', '.join(listed)}"
        if context.name == ANY_CONTEXT:
            hint = "write XdpContext or SkbContext for the fields that only they have"
        if whole(context.name).field(node.attr) is not None:
            problem = f"{described(f.section)} does not see '{node.attr}'"
            others = ", ".join(seeing(context.name, node.attr))
            hint = f"programs that do: {others}; {hint}"
            attached = attached_as(f.section, node.attr)
            if attached:
                hint = f"programs attached as {', '.join(attached)} do"
            raise f.error(node, problem, hint)
        raise f.error(node, f"the context has no '{node.attr}'", hint)
    if field.kind in _POINTERS:
        hint = "ctx.packet(T, offset) gives checked access, ctx.length the packet's bytes"
        raise f.error(node, f"'{node.attr}' is a raw packet pointer", hint)
    if field.kind is FieldKind.SOCK_COMMON_OR_NULL:
        raise f.error(node, "sockets are not part of the language yet")
    return field


def _element(
    f: FunctionContext, node: ast.Subscript, context: ContextType
) -> tuple[ContextField, int]:
    assert isinstance(node.value, ast.Attribute)
    field = _field(f, node.value, context)
    count = count_of(field)
    if not count:
        raise f.error(node, f"'{field.name}' is an integer: it has no elements")
    index = f.operand(node.slice)
    if not isinstance(index, Literal | Const):
        raise f.error(node.slice, "the context is read at constant places", "choose with if")
    if not 0 <= index.value < count:
        problem = f"the index {index.value} is outside '{field.name}'"
        raise f.error(node.slice, problem, f"indexes are 0 to {count - 1}")
    return field, index.value


def method(f: FunctionContext, node: ast.Call, name: str, context: ContextType) -> Expr:
    """``ctx.packet(T, offset)`` and ``ctx.meta(T)``."""
    match name:
        case "packet":
            return _packet(f, node)
        case "meta":
            return _meta(f, node, context)
        case _:
            hint = "the context has packet(T, offset) and meta(T); helpers are functions"
            raise f.error(node, f"the context has no method '{name}'", hint)


def _target(f: FunctionContext, node: ast.expr) -> StructType | IntType | ArrayType:
    target = annotation(node, f.scope)
    if not isinstance(target, StructType | IntType | ArrayType):
        raise f.error(node, f"{name_of(target)} is not what packets hold")
    return target


def _packet(f: FunctionContext, node: ast.Call) -> Expr:
    """The offset is any unsigned integer, 0 when left out."""
    if node.keywords or not 1 <= len(node.args) <= 2:
        raise f.error(node, "packet() takes a type and an offset", "ctx.packet(iphdr, 14)")
    target = _target(f, node.args[0])
    if len(node.args) == 1:
        offset: Expr = Const(0, U64, f.span(node))
    else:
        given = number(f, f.operand(node.args[1]))
        type_ = U64 if isinstance(given, Literal) else given.type
        if isinstance(type_, IntType) and type_.signed:
            raise f.error(node.args[1], "an offset is unsigned", "convert it: u64(...)")
        offset = convert(f, given, U64, "the offset")
        if isinstance(offset, Const) and offset.value > MAX_PACKET_OFFSET:
            raise f.error(node.args[1], "no packet is longer than 65535 bytes")
    access = packet_access(f.section)
    if access is Allowed.NONE:
        hint = f"copy it: header = zeroed({name_of(target)}), skb_load_bytes(ctx, offset, header)"
        raise f.error(node, f"{described(f.section)} does not reach packet bytes", hint)
    space = Space.PACKET if access is Allowed.WRITE else Space.READ_ONLY_PACKET
    result = OptionalType(RefType(target, space))
    return PacketAccess(offset, result, f.span(node))


def _meta(f: FunctionContext, node: ast.Call, context: ContextType) -> Expr:
    """The bytes before the packet: what ``xdp_adjust_meta`` has made room for."""
    if node.keywords or len(node.args) != 1:
        raise f.error(node, "meta() takes a type", "ctx.meta(T)")
    if "data_meta" not in fields_of(context.name, f.section):
        others = ", ".join(seeing(context.name, "data_meta"))
        problem = f"{described(f.section)} has no metadata before the packet"
        raise f.error(node, problem, f"programs that do: {others}")
    result = OptionalType(RefType(_target(f, node.args[0]), Space.PACKET))
    return PacketAccess(Const(0, U64, f.span(node)), result, f.span(node), meta=True)
