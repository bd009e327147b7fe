"""Expressions and conditions: from syntax to typed IR, with what each test shows about None."""

from __future__ import annotations

import ast

from beebox.compiler.calls import call
from beebox.compiler.constants import enum_member
from beebox.compiler.context import FunctionContext, Literal, Nothing, Operand
from beebox.compiler.context_access import context_of, read_element, read_field
from beebox.compiler.diagnostics import words
from beebox.compiler.flow import Null, State, join, narrowed
from beebox.compiler.ir import (
    BoolType,
    Compare,
    CompareOp,
    Const,
    Expr,
    IntType,
    IsNone,
    Logic,
    Not,
    OptionalType,
    PointerType,
    RefType,
    Select,
    Span,
)
from beebox.compiler.map_access import contains, handle, is_map, lookup
from beebox.compiler.operators import (
    binary,
    compare,
    convert,
    describe,
    negative,
    number,
    unify,
)
from beebox.compiler.places import name, name_or_optional, place, raw_name, read, unchecked
from beebox.compiler.refusals import refusal
from beebox.compiler.symbols import EnumName, GlobalName, MapName, Number, Text
from beebox.compiler.types import BOOL, name_of


def operand(f: FunctionContext, node: ast.expr) -> Operand:
    """The typed form of an expression; literals and None still adapt."""
    match node:
        case ast.Constant(value=None):
            return Nothing(f.span(node))
        case ast.Constant(value=bool() as flag):
            return Const(int(flag), BOOL, f.span(node))
        case ast.Constant(value=int() as value):
            if value.bit_length() > 64:
                raise f.error(node, "this integer needs more than 64 bits")
            return Literal(value, f.span(node))
        case ast.Name(id=identifier):
            if identifier in f.assigned_names:
                return name(f, node)
            return _module_name(f, node)
        case ast.Attribute():
            return _attribute(f, node)
        case ast.Subscript():
            target = handle(f, node.value)
            inside = node.value.value if isinstance(node.value, ast.Attribute) else None
            context = context_of(f, inside) if inside is not None else None
            if context is not None:
                return read_element(f, node, context)
            return read(place(f, node)) if target is None else lookup(f, node, target)
        case ast.BinOp():
            return binary(f, node, f.operand(node.left), f.operand(node.right))
        case ast.UnaryOp(op=ast.Not()) | ast.Compare() | ast.BoolOp():
            return _condition_value(f, node)
        case ast.UnaryOp():
            return negative(f, node.op, f.operand(node.operand), f.span(node))
        case ast.IfExp():
            return select(f, node)
        case ast.Call():
            return call(f, node)
        case _:
            raise refusal(f.scope.source, node)


def _module_name(f: FunctionContext, node: ast.Name) -> Operand:
    symbol = f.symbol(node.id)
    span = f.span(node)
    match symbol:
        case Number(value=value, type=None, default=default):
            return Literal(value, span, default)
        case Number(value=value, type=IntType() as type_):
            return Const(value, type_, span)
        case GlobalName():
            raise f.error(node, f"'{node.id}' is a global", f"its value: {node.id}.value")
        case MapName():
            raise f.error(node, f"'{node.id}' is a map", f"look up an element: {node.id}[key]")
        case Text():
            raise f.error(node, "a string has no place in an expression")
        case None:
            raise f.error(node, f"'{node.id}' is not defined", _undefined_hint(node.id))
        case _:
            raise f.error(node, f"'{node.id}' is not a value")


def _undefined_hint(identifier: str) -> str | None:
    if identifier == "print":
        return 'write trace_printk("x = %u", x)'
    return None


def _attribute(f: FunctionContext, node: ast.Attribute) -> Operand:
    if isinstance(node.value, ast.Name):
        symbol = f.symbol(node.value.id)
        if isinstance(symbol, EnumName):
            member = enum_member(node, symbol, node.attr, f.scope.source)
            return Literal(member.value, f.span(node), member.default)
        if isinstance(symbol, GlobalName) and node.attr != "value":
            hint = f"its value: {node.value.id}.value"
            raise f.error(node, f"'{node.value.id}' is a global", hint)
        context = context_of(f, node.value)
        if context is not None and symbol is None:
            return read_field(f, node, context)
    return read(place(f, node))


def select(f: FunctionContext, node: ast.IfExp, wanted: IntType | None = None) -> Operand:
    """``yes if test else no``; two literals take the type that is wanted of them."""
    test, when_true, when_false = condition(f, node.test)
    if isinstance(test, Const):
        f.state = when_true if test.value else when_false
        return f.operand(node.body if test.value else node.orelse)
    f.state = when_true
    yes = f.operand(node.body)
    after_yes = f.state
    f.state = when_false
    no = f.operand(node.orelse)
    f.state = join(after_yes, f.state)
    span = f.span(node)
    if (
        not isinstance(yes, Literal | Nothing)
        and not isinstance(no, Literal | Nothing)
        and yes.type == no.type
        and isinstance(yes.type, BoolType | PointerType)
    ):
        return Select(test, yes, no, yes.type, span)
    if wanted and isinstance(yes, Literal) and isinstance(no, Literal):
        first, second = (convert(f, side, wanted, "the result") for side in (yes, no))
        return Select(test, first, second, wanted, span)
    if isinstance(yes, Literal) and isinstance(no, Literal) and not (yes.default or no.default):
        raise f.error(node, "this choice has no width", "write u32(...) around one side")
    first, second, type_ = unify(f, number(f, yes), number(f, no), span)
    return Select(test, first, second, type_, span)


def _condition_value(f: FunctionContext, node: ast.expr) -> Expr:
    """A test where its truth is wanted as a value: a bool."""
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            if not isinstance(part, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Call | ast.Name):
                raise f.error(part, "`and` and `or` give one of their sides in Python", "compare")
    test, when_true, when_false = condition(f, node)
    f.state = join(when_true, when_false)
    return test


def condition(f: FunctionContext, node: ast.expr) -> tuple[Expr, State, State]:
    """A test, and the flow states where it holds and where it does not."""
    f.step(node)
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            test, when_true, when_false = condition(f, inner)
            if isinstance(test, Const):
                return Const(1 - test.value, BOOL, test.span), when_false, when_true
            return Not(test, BOOL, f.span(node)), when_false, when_true
        case ast.BoolOp():
            return _logic(f, node)
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op], comparators=[right]):
            return _is_none(f, node, left, op, right)
        case ast.Compare():
            test = _comparison(f, node)
        case _:
            return _truth(f, node)
    return _decided(test, f.state)


def _decided(test: Expr, state: State) -> tuple[Expr, State, State]:
    if isinstance(test, Const):
        return test, (state if test.value else None), (None if test.value else state)
    return test, state, state


def _logic(f: FunctionContext, node: ast.BoolOp) -> tuple[Expr, State, State]:
    conjunction = isinstance(node.op, ast.And)
    parts: list[Expr] = []
    left: State = None  # where an early operand decides
    for item in node.values:
        test, when_true, when_false = condition(f, item)
        goes_on, leaves = (when_true, when_false) if conjunction else (when_false, when_true)
        left = join(left, leaves)
        f.state = goes_on
        if isinstance(test, Const):
            if bool(test.value) == conjunction:
                continue
            parts.append(test)
            break
        parts.append(test)
    goes_on = f.state
    when_true, when_false = (goes_on, left) if conjunction else (left, goes_on)
    span = f.span(node)
    if not parts:
        return Const(int(conjunction), BOOL, span), when_true, when_false
    test = parts[0] if len(parts) == 1 else Logic(conjunction, tuple(parts), BOOL, span)
    return test, when_true, when_false


def _is_none(
    f: FunctionContext, node: ast.expr, left: ast.expr, op: ast.cmpop, right: ast.expr
) -> tuple[Expr, State, State]:
    negated = isinstance(op, ast.IsNot)
    if not (isinstance(right, ast.Constant) and right.value is None):
        raise f.error(node, "`is` compares with None only", "write == or !=")
    return _none_test(f, node, left, negated=negated)


def _none_test(
    f: FunctionContext, node: ast.expr, tested: ast.expr, *, negated: bool
) -> tuple[Expr, State, State]:
    local = tested.id if isinstance(tested, ast.Name) and tested.id in f.assigned_names else None
    if isinstance(tested, ast.Name) and local is not None:
        value: Operand = raw_name(f, tested)
    else:
        value = f.operand(tested)
    if isinstance(value, Literal | Nothing) or not isinstance(
        value.type, OptionalType | PointerType
    ):
        raise f.error(tested, f"{words(tested)} is {describe(value)}: it is never None")
    test = IsNone(value, negated, BOOL, f.span(node))
    if local is None or isinstance(value.type, PointerType):
        return test, f.state, f.state
    is_none = narrowed(f.state, local, Null.ALWAYS)
    is_there = narrowed(f.state, local, Null.NEVER)
    # An impossible side would make later code unreachable: keep it, as Python would run it.
    is_none, is_there = is_none if is_none is not None else f.state, is_there or f.state
    return (test, is_there, is_none) if negated else (test, is_none, is_there)


def _truth(f: FunctionContext, node: ast.expr) -> tuple[Expr, State, State]:
    """A value as a condition: an integer is true unless 0, an optional struct unless None."""
    if isinstance(node, ast.Name) and node.id in f.assigned_names:
        value: Operand = name_or_optional(f, node)
        if not isinstance(value, Literal | Nothing) and isinstance(value.type, RefType):
            value = name(f, node)
    else:
        value = f.operand(node)
    span = f.span(node)
    if isinstance(value, Literal):
        return _decided(Const(int(value.value != 0), BOOL, span), f.state)
    if isinstance(value, Nothing):
        return _decided(Const(0, BOOL, span), f.state)
    match value.type:
        case BoolType():
            return _decided(value, f.state)
        case IntType() as type_:
            if isinstance(value, Const):
                return _decided(Const(int(value.value != 0), BOOL, span), f.state)
            zero = Const(0, type_, span)
            return _decided(Compare(CompareOp.NE, value, zero, BOOL, span), f.state)
        case OptionalType(ref=reference):
            if isinstance(reference.target, IntType):
                problem = f"{words(node)} may be None or 0, and both would be false"
                raise f.error(node, problem, "write `is None` or `is not None`")
            return _none_test(f, node, node, negated=True)
        case PointerType():
            return _none_test(f, node, node, negated=True)
        case _:
            raise f.error(node, f"{name_of(value.type)} is not a condition", "compare it")


def repeatable(f: FunctionContext, node: ast.expr) -> bool:
    """Whether evaluating an expression twice is the same as once: it calls nothing."""
    return not any(isinstance(part, ast.Call) for part in ast.walk(node)) and not any(
        isinstance(part, ast.Subscript) and is_map(f, part.value) for part in ast.walk(node)
    )


def _comparison(f: FunctionContext, node: ast.Compare) -> Expr:
    """``a < b``, chains of them, and ``in``."""
    span = f.span(node)
    if len(node.ops) == 1:
        return _one(f, node.ops[0], node.left, node.comparators[0], span)
    for middle in node.comparators[:-1]:
        if not repeatable(f, middle):
            raise f.error(middle, "the middle of a chain is computed once", "give it a name")
    sides = [node.left, *node.comparators]
    tests: list[Expr] = []
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        test = _one(f, op, left, right, span)
        if isinstance(test, Const):
            if not test.value:
                return test if not tests else Logic(True, (*tests, test), BOOL, span)
            continue
        tests.append(test)
    if len(tests) <= 1:
        return tests[0] if tests else Const(1, BOOL, span)
    return Logic(True, tuple(tests), BOOL, span)


def _one(f: FunctionContext, op: ast.cmpop, left: ast.expr, right: ast.expr, span: Span) -> Expr:
    if isinstance(op, ast.In | ast.NotIn):
        return _membership(f, left, right, span, negated=isinstance(op, ast.NotIn))
    if isinstance(op, ast.Is | ast.IsNot):
        raise f.error(span, "`is` stands alone", "write `x is None and ...`")
    first = _compared(f, left)
    return compare(f, op, first, _compared(f, right), span)


def _compared(f: FunctionContext, node: ast.expr) -> Operand:
    value = f.operand(node)
    if not isinstance(value, Literal | Nothing) and isinstance(value.type, OptionalType):
        raise unchecked(f, node)
    return value


def _membership(
    f: FunctionContext, left: ast.expr, right: ast.expr, span: Span, *, negated: bool
) -> Expr:
    """``key in m``, and ``x in (A, B, C)`` as comparisons."""
    target = handle(f, right)
    if target is not None:
        return contains(f, left, target, span, negated=negated)
    if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
        raise f.error(right, "`in` looks in a map, or in a tuple of numbers")
    if not repeatable(f, left):
        raise f.error(left, "this is compared several times", "give it a name first")
    tests = []
    for item in right.elts:
        test = compare(f, ast.Eq(), _compared(f, left), _compared(f, item), span)
        tests.append(test)
    test = tests[0] if len(tests) == 1 else Logic(False, tuple(tests), BOOL, span)
    return Not(test, BOOL, span) if negated else test
