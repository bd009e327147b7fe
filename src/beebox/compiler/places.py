"""Names, fields and elements: what can be read, and what can be assigned."""

from __future__ import annotations

import ast

from beebox.compiler.context import FunctionContext, Literal, Nothing, Operand
from beebox.compiler.contexts import described
from beebox.compiler.diagnostics import words
from beebox.compiler.flow import Null
from beebox.compiler.ir import (
    ArrayType,
    Cast,
    Const,
    ContextArg,
    ContextType,
    DerefPlace,
    Expr,
    FieldPlace,
    GlobalPlace,
    IndexPlace,
    IntType,
    LocalPlace,
    MapRefType,
    OptionalType,
    Place,
    Read,
    RefTo,
    RefType,
    Space,
    StructType,
    Type,
)
from beebox.compiler.operators import number
from beebox.compiler.symbols import GlobalName, MapName
from beebox.compiler.types import BIG_ENDIAN, U32, U64, name_of


def space_of(place: Place) -> Space:
    """Where a place lives."""
    match place:
        case LocalPlace():
            return Space.LOCAL
        case GlobalPlace(constant=constant):
            return Space.KNOB if constant else Space.GLOBAL
        case DerefPlace(ref=ref):
            assert isinstance(ref.type, RefType)
            return ref.type.space
        case FieldPlace(base=base) | IndexPlace(base=base):
            return space_of(base)


def read(place: Place) -> Expr:
    """The value of a place: scalars are read, structs and arrays referred to."""
    if isinstance(place.type, StructType) and place.type in BIG_ENDIAN.values():
        place = converting(place)
    if isinstance(place.type, StructType | ArrayType):
        return RefTo(place, RefType(place.type, space_of(place)), place.span)
    return Read(place, place.type, place.span)


def converting(place: Place) -> Place:
    """A lone big-endian integer as its one field, which converts on load and store."""
    if isinstance(place.type, StructType) and place.type in BIG_ENDIAN.values():
        field = place.type.fields[0]
        return FieldPlace(place, field, field.type, place.span)
    return place


def raw_name(f: FunctionContext, node: ast.Name) -> Expr:
    """A local as it is stored: an optional reference stays optional whatever tests have shown."""
    type_ = f.type_of(node.id)
    fact = f.state.get(node.id) if f.state is not None else None
    if type_ is None or (fact is None and f.state is not None):
        hint = None
        if isinstance(f.scope.names.get(node.id), GlobalName | MapName):
            hint = "an assignment in this function makes the name local; globals have `.value`"
        raise f.error(node, f"'{node.id}' may be used before it is assigned", hint)
    if fact is not None and fact.stale:
        raise f.error(
            node,
            f"'{node.id}' points into a packet that {fact.stale} may have moved",
            "fetch it again: ctx.packet(...)",
        )
    span = f.span(node)
    if isinstance(type_, ContextType):
        return ContextArg(type_, span)
    place = LocalPlace(node.id, type_, span)
    if isinstance(type_, StructType | ArrayType):
        return RefTo(place, RefType(type_, Space.LOCAL), span)
    return Read(place, type_, span)


def name(f: FunctionContext, node: ast.Name) -> Expr:
    """A local's value; a tested optional is its reference, a reference to a scalar its value."""
    value = raw_name(f, node)
    if isinstance(value.type, OptionalType):
        fact = f.state.get(node.id) if f.state is not None else None
        if fact is not None and fact.null is not Null.NEVER:
            return value
        value = Cast(value, value.type.ref, value.span)
    if isinstance(value.type, RefType) and not isinstance(value.type.target, MapRefType):
        return scalar(value)
    return value


def is_inner_map(f: FunctionContext, node: ast.expr) -> bool:
    """Whether a name stands for an inner map, tested or not."""
    type_ = f.type_of(node.id) if isinstance(node, ast.Name) else None
    reference = type_.ref if isinstance(type_, OptionalType) else type_
    return isinstance(reference, RefType) and isinstance(reference.target, MapRefType)


def scalar(value: Expr) -> Expr:
    """A reference to a scalar as that scalar; any other reference as it is."""
    assert isinstance(value.type, RefType)
    place: Place = DerefPlace(value, value.type.target, value.span)
    place = converting(place)
    if isinstance(place.type, StructType | ArrayType):
        return value
    return Read(place, place.type, value.span)


def place(f: FunctionContext, node: ast.expr) -> Place:
    """What an expression denotes, as storage; CompileError for values without a place."""
    f.step(node)
    match node:
        case ast.Name(id=identifier) if isinstance(f.symbol(identifier), GlobalName):
            raise f.error(node, f"'{identifier}' is a global", f"its value: {identifier}.value")
        case ast.Name():
            return _named(f, node)
        case ast.Attribute(value=ast.Name(id=owner), attr="value"):
            symbol = f.symbol(owner)
            if isinstance(symbol, GlobalName):
                decl = symbol.decl
                return GlobalPlace(decl.name, decl.type, f.span(node), decl.constant)
            return _field(f, node)
        case ast.Attribute(value=ast.Name(id=owner)) if isinstance(f.type_of(owner), ContextType):
            return _pointed(f, node, f.operand(node))
        case ast.Attribute():
            return _field(f, node)
        case ast.Subscript() if f.map_of(node.value) is None and not is_inner_map(f, node.value):
            return _element(f, node)
        case _:
            return _pointed(f, node, f.operand(node))


def writable(f: FunctionContext, target: ast.expr) -> Place:
    """The place of an assignment, where what it lies in may be written."""
    where = place(f, target)
    if isinstance(where, LocalPlace):
        return where
    check_writable(f, target, space_of(where))
    return where


def check_writable(f: FunctionContext, node: ast.expr, space: Space) -> None:
    """Refuse read-only storage."""
    if space is Space.READ_ONLY_PACKET:
        problem = f"{described(f.section)} may not write to the packet"
        raise f.error(node, problem, "programs that may: xdp, tc, lwt_xmit")
    if space is Space.READ_ONLY_VALUE:
        problem = "this map's values are read-only for programs"
        raise f.error(node, problem, "it has MapFlags.RDONLY_PROG")
    if space is Space.KNOB:
        owner = words(node).split(".", maxsplit=1)[0]
        hint = f"write `{owner} = Global(...)` to change it"
        raise f.error(node, f"'{owner}' is a Constant", hint)


def _named(f: FunctionContext, node: ast.Name) -> Place:
    if f.symbol(node.id) is not None:
        raise f.error(node, f"'{node.id}' is not a variable")
    value = raw_name(f, node)
    if isinstance(value.type, RefType | OptionalType) and not isinstance(value, RefTo):
        return _pointed(f, node, name_or_optional(f, node))
    return LocalPlace(node.id, f.type_of(node.id) or value.type, value.span)


def name_or_optional(f: FunctionContext, node: ast.Name) -> Expr:
    """A local reference, tested or not, without reading a scalar behind it."""
    value = raw_name(f, node)
    if isinstance(value.type, OptionalType):
        fact = f.state.get(node.id) if f.state is not None else None
        if fact is None or fact.null is Null.NEVER:
            return Cast(value, value.type.ref, value.span)
    return value


def _pointed(f: FunctionContext, node: ast.expr, value: Operand) -> Place:
    if not isinstance(value, Literal | Nothing):
        if isinstance(value.type, RefType):
            return DerefPlace(value, value.type.target, value.span)
        if isinstance(value.type, OptionalType):
            raise unchecked(f, node)
    raise f.error(node, f"{words(node)} is a value without fields or elements")


def unchecked(f: FunctionContext, node: ast.expr) -> Exception:
    """The error for a use of what may be None."""
    if isinstance(node, ast.Name):
        hint = f"write `if {node.id} is None: return ...` first"
    else:
        hint = "give it a name and test that: `x = ...`, `if x is None: return ...`"
    return f.error(node, f"{words(node)} may be None here", hint)


def _field(f: FunctionContext, node: ast.Attribute) -> Place:
    base = place(f, node.value)
    if not isinstance(base.type, StructType) or base.type in BIG_ENDIAN.values():
        raise f.error(node, f"{words(node.value)} is {name_of(base.type)}: it has no fields")
    for field in base.type.fields:
        if field.name == node.attr:
            return FieldPlace(base, field, field.type, f.span(node))
    known = ", ".join(field.name for field in base.type.fields)
    raise f.error(node, f"struct {base.type.name} has no field '{node.attr}'", f"it has: {known}")


def _element(f: FunctionContext, node: ast.Subscript) -> Place:
    base = place(f, node.value)
    if not isinstance(base.type, ArrayType):
        raise f.error(node, f"{words(node.value)} is {name_of(base.type)}: it has no elements")
    if isinstance(node.slice, ast.Slice):
        raise f.error(node.slice, "there are no slices", "loop over the elements")
    index = number(f, f.operand(node.slice))
    known = index.value if isinstance(index, Literal | Const) else None
    if known is not None and not 0 <= known < base.type.count:
        problem = f"the index {known} is outside {name_of(base.type)}"
        raise f.error(node.slice, problem, f"indexes are 0 to {base.type.count - 1}")
    if isinstance(index, Literal):
        index = Const(index.value, U32, index.span)
    elif isinstance(index.type, IntType) and index.type.signed:
        raise f.error(node.slice, "an index is unsigned", "convert it: u32(...)")
    wide: Type = U64
    index = index if index.type == wide else Cast(index, wide, index.span)
    return IndexPlace(base, index, base.type.element, f.span(node))
