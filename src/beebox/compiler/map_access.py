"""Maps in expressions and statements: elements, methods, inner maps."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final

from beebox.compiler.context import FunctionContext
from beebox.compiler.contexts import with_article
from beebox.compiler.diagnostics import words
from beebox.compiler.helper_calls import as_called, in_memory, made_call
from beebox.compiler.ir import (
    CallHelper,
    Cast,
    Compare,
    CompareOp,
    Const,
    Expr,
    IsNone,
    MapDecl,
    MapHandle,
    MapLookup,
    MapRefType,
    NoneConst,
    OptionalType,
    RefTo,
    RefType,
    Select,
    Space,
    Span,
)
from beebox.compiler.operators import convert, number
from beebox.compiler.places import is_inner_map, name_or_optional, unchecked
from beebox.compiler.types import BOOL, I64, POINTER, U32, U64
from beebox.tables.helpers import HELPER_BY_NAME, Helper
from beebox.tables.map_types import MapFlags, MapOp

METHODS: Final = {
    "update": MapOp.UPDATE,
    "delete": MapOp.DELETE,
    "push": MapOp.PUSH,
    "add": MapOp.PUSH,
    "pop": MapOp.POP,
    "peek": MapOp.PEEK,
    "redirect": MapOp.REDIRECT,
}
_CHANGES: Final = frozenset({"update", "delete", "push", "add", "pop"})
_SPELLED: Final = {"redirect": "redirect_map", "add": "map_push_elem"}


@dataclass(frozen=True, slots=True)
class Handle:
    """A map that an expression names: its declaration, and itself as an argument."""

    decl: MapDecl
    value: Expr

    @property
    def name(self) -> str:
        """The kind with its article, for messages."""
        return with_article(self.decl.map_type.value.name)

    def offers(self, op: MapOp) -> bool:
        """Whether programs may do this."""
        return op in self.decl.map_type.value.ops


def handle(f: FunctionContext, node: ast.expr) -> Handle | None:
    """The map that a name stands for: a declared one, or an inner one that has been tested."""
    declared = f.map_of(node)
    if declared is not None:
        return Handle(declared, MapHandle(declared.name, POINTER, f.span(node)))
    type_ = f.type_of(node.id) if isinstance(node, ast.Name) else None
    reference = type_.ref if isinstance(type_, OptionalType) else type_
    if not (isinstance(reference, RefType) and isinstance(reference.target, MapRefType)):
        return None
    assert isinstance(node, ast.Name)
    value = name_or_optional(f, node)
    if isinstance(value.type, OptionalType):
        raise unchecked(f, node)
    return Handle(reference.target.decl, value)


def is_map(f: FunctionContext, node: ast.expr) -> bool:
    """Whether a name stands for a map, tested or not."""
    return f.map_of(node) is not None or is_inner_map(f, node)


def lookup(f: FunctionContext, node: ast.Subscript, target: Handle) -> Expr:
    """``m[key]``: an optional reference to the element, or to the inner map."""
    _check_keyed(f, node, target)
    if target.offers(MapOp.REDIRECT):
        hint = f"ask `key in {words(node.value)}`, or {words(node.value)}.redirect(key)"
        raise f.error(node, f"the elements of {target.name} are targets, not values", hint)
    return _found(f, node.slice, target, f.span(node))


def _found(f: FunctionContext, key: ast.expr, target: Handle, span: Span) -> MapLookup:
    decl = target.decl
    element = MapRefType(decl.inner) if decl.inner is not None else decl.value
    if MapFlags.WRONLY_PROG in decl.flags:
        raise f.error(key, "programs only write to this map", "it has MapFlags.WRONLY_PROG")
    read_only = MapFlags.RDONLY_PROG in decl.flags
    space = Space.READ_ONLY_VALUE if read_only else Space.MAP_VALUE
    type_ = OptionalType(RefType(element, space))
    return MapLookup(target.value, map_key(f, key, target), type_, span)


def _check_keyed(f: FunctionContext, node: ast.expr, target: Handle) -> None:
    if target.offers(MapOp.LOOKUP):
        return
    known = methods_of(target)
    hint = f"it has: {', '.join(known)}" if known else "give it to tail_call(ctx, m, index)"
    raise f.error(node, f"programs do not look into {target.name}", hint)


def check_map_writable(f: FunctionContext, node: ast.expr, target: Handle) -> None:
    """Refuse changes of a map that only user space writes."""
    if MapFlags.RDONLY_PROG in target.decl.flags:
        raise f.error(node, "programs do not write to this map", "it has MapFlags.RDONLY_PROG")


def map_key(f: FunctionContext, node: ast.expr, target: Handle) -> Expr:
    """A key in the map's key type."""
    return convert(f, f.operand(node), target.decl.key, "this key")


def contains(
    f: FunctionContext, key: ast.expr, target: Handle, span: Span, *, negated: bool
) -> Expr:
    """``key in m``; for a bloom filter, ``value in m``."""
    if target.offers(MapOp.PEEK) and not target.offers(MapOp.POP):
        value = in_memory(convert(f, f.operand(key), target.decl.value, "this value"))
        peek = CallHelper(HELPER_BY_NAME["map_peek_elem"], (target.value, value), I64, span)
        how = CompareOp.NE if negated else CompareOp.EQ
        return Compare(how, peek, Const(0, I64, span), BOOL, span)
    _check_keyed(f, key, target)
    return IsNone(_found(f, key, target, span), not negated, BOOL, span)


def methods_of(target: Handle) -> list[str]:
    """The methods that a map has, as they are called."""
    bloom = target.offers(MapOp.PEEK) and not target.offers(MapOp.POP)
    hidden = {"push", "peek"} if bloom else {"add"}
    return [f"{name}()" for name, op in METHODS.items() if target.offers(op) and name not in hidden]


def method(f: FunctionContext, node: ast.Call, name: str, target: Handle) -> Expr:
    """``m.update(k, v, flags)``, ``q.push(v)``, ``q.pop()``, ``devices.redirect(key)``."""
    if f"{name}()" not in methods_of(target):
        assert isinstance(node.func, ast.Attribute)
        owner = node.func.value
        known = methods_of(target)
        if target.offers(MapOp.LOOKUP) and not target.offers(MapOp.REDIRECT):
            known = [f"{words(owner)}[key]", *known]
        hint = f"it has: {', '.join(known)}" if known else "give it to tail_call(ctx, m, index)"
        raise f.error(node, f"{target.name} has no method '{name}'", hint)
    if name in _CHANGES:
        check_map_writable(f, node, target)
    helper = as_called(f, node, HELPER_BY_NAME[_SPELLED.get(name, f"map_{name}_elem")])
    if name in {"pop", "peek"}:
        _given(f, node, name, 0)
        return _taken(f, node, helper, target)
    operands = {"update": 2}.get(name, 1)
    given = _given(f, node, name, operands, flags=name in {"update", "push", "redirect"})
    args: list[Expr] = [target.value]
    if name == "redirect":
        args.append(convert(f, number(f, f.operand(given[0])), U32, "this key"))
    elif name in {"update", "delete"}:
        args.append(in_memory(map_key(f, given[0], target)))
    if name in {"update", "push", "add"}:
        stored = f.operand(given[operands - 1])
        args.append(in_memory(convert(f, stored, target.decl.value, "this value")))
    if name != "delete":
        args.append(_flags(f, node, given[operands:]))
    called = made_call(f, node, helper, tuple(args), I64)
    return Cast(called, U32, called.span) if name == "redirect" else called


def _given(
    f: FunctionContext, node: ast.Call, name: str, operands: int, *, flags: bool = False
) -> list[ast.expr]:
    most = operands + flags
    if node.keywords or not operands <= len(node.args) <= most:
        count = f"{operands} to {most}" if flags else f"{operands}"
        raise f.error(node, f"{name}() takes {count} arguments, by position")
    return node.args


def _flags(f: FunctionContext, node: ast.Call, given: list[ast.expr]) -> Expr:
    if not given:
        return Const(0, U64, f.span(node))
    return convert(f, number(f, f.operand(given[0])), U64, "the flags")


def _taken(f: FunctionContext, node: ast.Call, helper: Helper, target: Handle) -> Expr:
    """``pop()`` and ``peek()``: a copy on the stack, or None where the helper fails."""
    span = f.span(node)
    value = target.decl.value
    reference = RefType(value, Space.LOCAL)
    slot = RefTo(f.temporary(value, span), reference, span)
    called = made_call(f, node, helper, (target.value, slot), I64)
    test = Compare(CompareOp.EQ, called, Const(0, I64, span), BOOL, span)
    type_ = OptionalType(reference)
    return Select(test, Cast(slot, type_, span), NoneConst(type_, span), type_, span)
