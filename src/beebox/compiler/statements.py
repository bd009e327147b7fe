"""Statements: assignments, branches and loops, with the flow facts that they leave behind."""

from __future__ import annotations

import ast

from beebox.compiler.annotations import annotation
from beebox.compiler.atomics import atomic_target, update
from beebox.compiler.calls import returns_nothing
from beebox.compiler.context import FunctionContext, Literal, Loop, Nothing, Operand
from beebox.compiler.context_access import context_of
from beebox.compiler.context_access import write as write_context
from beebox.compiler.contexts import described
from beebox.compiler.diagnostics import words
from beebox.compiler.expressions import condition, repeatable, select
from beebox.compiler.flow import Fact, Null, State, assigned, join
from beebox.compiler.ir import (
    ArrayType,
    Assign,
    Break,
    Cast,
    Const,
    ContextArg,
    ContextType,
    Continue,
    DerefPlace,
    Evaluate,
    Expr,
    FieldPlace,
    ForRange,
    If,
    IntType,
    IsNone,
    Local,
    LocalPlace,
    MapDelete,
    MapUpdate,
    OptionalType,
    PointerType,
    Read,
    RefType,
    Return,
    Space,
    Stmt,
    StructType,
    Type,
    VoidType,
    While,
)
from beebox.compiler.map_access import check_map_writable, handle, is_map, lookup, map_key
from beebox.compiler.operators import binary, convert, number
from beebox.compiler.places import converting, name_or_optional, raw_name, read, writable
from beebox.compiler.refusals import refusal
from beebox.compiler.types import BOOL, U32, U64, fits, name_of, wider
from beebox.tables.map_types import MapOp


def block(f: FunctionContext, body: list[ast.stmt]) -> tuple[Stmt, ...]:
    """The statements of a body, until control cannot reach the next."""
    outer, f.out = f.out, []
    for node in body:
        if f.state is None:
            break
        statement(f, node)
    made, f.out = f.out, outer
    return tuple(made)


def statement(f: FunctionContext, node: ast.stmt) -> None:
    """One statement: appends to ``f.out`` and moves ``f.state``."""
    f.step(node)
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant(value=str())):
            pass
        case ast.Expr(value=value):
            _expression(f, node, value)
        case ast.Assign(targets=[target], value=value):
            _assign(f, node, target, value)
        case ast.Assign():
            raise f.error(node, "one assignment, one name", "assign each name on its own line")
        case ast.AnnAssign():
            _annotated(f, node)
        case ast.AugAssign():
            _augmented(f, node)
        case ast.Delete(targets=targets):
            for target in targets:
                _delete(f, target)
        case ast.If():
            _if(f, node)
        case ast.While():
            _while(f, node)
        case ast.For():
            _for(f, node)
        case ast.Break() | ast.Continue():
            _jump(f, node)
        case ast.Return():
            _return(f, node)
        case _:
            raise refusal(f.scope.source, node)


def _expression(f: FunctionContext, node: ast.Expr, value: ast.expr) -> None:
    if not isinstance(value, ast.Call):
        if isinstance(value, ast.Compare | ast.BinOp | ast.Name | ast.Attribute | ast.Subscript):
            raise f.error(node, "this statement has no effect", "did you mean an assignment?")
        f.operand(value)
        raise f.error(node, "this statement has no effect")
    result = f.operand(value)
    if not isinstance(result, Literal | Nothing):
        f.out.append(Evaluate(result, f.span(node)))


def _assign(f: FunctionContext, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
    match target:
        case ast.Name():
            _bind(f, node, target, f.operand(value), value)
        case ast.Subscript() if is_map(f, target.value):
            _store(f, node, target, value)
        case ast.Attribute() | ast.Subscript():
            context = _context_behind(f, target)
            if context is not None:
                write_context(f, node, target, value, context)
                return
            where = converting(writable(f, target))
            stored = convert(f, f.operand(value), where.type, words(target))
            f.out.append(Assign(where, stored, f.span(node)))
        case ast.Tuple() | ast.List():
            raise f.error(target, "there are no tuples in BPF", "assign one name per line")
        case _:
            raise f.error(target, "this cannot be assigned to")


def _store(f: FunctionContext, node: ast.stmt, target: ast.Subscript, value: ast.expr) -> None:
    """``m[key] = value``."""
    named = handle(f, target.value)
    assert named is not None
    if not named.offers(MapOp.UPDATE):
        raise f.error(target, f"programs do not store into {named.name} by key")
    check_map_writable(f, target, named)
    key = map_key(f, target.slice, named)
    stored = convert(f, f.operand(value), named.decl.value, "this value")
    f.out.append(MapUpdate(named.value, key, stored, 0, f.span(node)))


def _context_behind(f: FunctionContext, target: ast.expr) -> ContextType | None:
    """The context whose field, or element of a field, is the target."""
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute):
        target = target.value
    return context_of(f, target.value) if isinstance(target, ast.Attribute) else None


def _bind(
    f: FunctionContext, node: ast.stmt, target: ast.Name, value: Operand, source: ast.expr
) -> None:
    """``name = value``: the first assignment gives a name its type."""
    if returns_nothing(value):
        raise f.error(source, f"{words(source)} returns nothing")
    if isinstance(value, ContextArg):
        raise f.error(source, "the context has one name")
    type_ = f.type_of(target.id)
    if type_ is None:
        type_ = _first_type(f, target, value, source)
        f.locals[target.id] = Local(target.id, type_, f.span(target))
    if isinstance(type_, RefType) and isinstance(value, Literal):
        raise f.error(
            node, f"'{target.id}' refers to storage", "assign to the element or field instead"
        )
    given = None if isinstance(value, Literal | Nothing) else value.type
    if isinstance(type_, StructType | ArrayType) and isinstance(given, RefType):
        hint = f"copy it: {target.id} = copied({words(source)})"
        raise f.error(node, f"'{target.id}' would be bound anew in Python", hint)
    value = _reference(f, value, source, type_)
    made = convert(f, value, type_, f"'{target.id}'")
    if isinstance(made.type, RefType) and made.type.space is Space.LOCAL:
        raise f.error(source, "a struct variable has one name", "build another: Struct(field=...)")
    optional = made.type if isinstance(made.type, OptionalType) else None
    if isinstance(source, ast.Name) and optional and optional.ref.space is Space.LOCAL:
        raise f.error(source, "what a queue gave has one name", "use that name")
    null = Null.NEVER
    if isinstance(type_, OptionalType):
        null = Null.NEVER if isinstance(made, Cast) else Null.MAYBE
        null = Null.ALWAYS if isinstance(value, Nothing) else null
        if isinstance(source, ast.Name) and f.state and source.id in f.state:
            null = f.state[source.id].null
    f.out.append(Assign(LocalPlace(target.id, type_, f.span(target)), made, f.span(node)))
    f.state = assigned(f.state, target.id, Fact(null))


def _reference(f: FunctionContext, value: Operand, source: ast.expr, type_: Type) -> Operand:
    """``a = b`` between names of references copies the reference, not a scalar behind it."""
    if isinstance(source, ast.Name) and isinstance(type_, RefType | OptionalType):
        raw = raw_name(f, source) if source.id in f.assigned_names else value
        if not isinstance(raw, Literal | Nothing) and raw.type == type_:
            return raw
    return value


def _first_type(f: FunctionContext, target: ast.Name, value: Operand, source: ast.expr) -> Type:
    match value:
        case Literal(default=None):
            raise f.error(
                source,
                f"'{target.id}' needs a width",
                f"write {target.id} = u32({words(source)})",
            )
        case Literal(default=IntType() as default):
            return default
        case Nothing():
            raise f.error(source, f"None alone gives '{target.id}' no type", "assign it first")
        case Literal():
            raise AssertionError
        case _:
            return value.type


def _annotated(f: FunctionContext, node: ast.AnnAssign) -> None:
    target = node.target
    if not isinstance(target, ast.Name):
        raise f.error(target, "only a name takes an annotation")
    if node.value is None:
        raise f.error(node, f"'{target.id}' has no value yet", "assign it where it gets one")
    wanted = annotation(node.annotation, f.scope)
    value = f.operand(node.value)
    if isinstance(wanted, IntType | PointerType) or wanted == BOOL:
        value = convert(f, value, wanted, f"'{target.id}'")
    elif isinstance(value, Nothing):
        raise f.error(node.value, f"None alone gives '{target.id}' no storage")
    elif isinstance(value, Literal) or name_of(value.type) not in {
        name_of(wanted),
        name_of(wanted).removesuffix(" | None"),
    }:
        have = "an integer" if isinstance(value, Literal) else name_of(value.type)
        raise f.error(node.value, f"'{target.id}' is {name_of(wanted)}, and the value {have}")
    known = f.type_of(target.id)
    if known is not None and isinstance(wanted, IntType) and known != wanted:
        raise f.error(node.annotation, f"'{target.id}' is {name_of(known)} already")
    _bind(f, node, target, value, node.value)


def _augmented(f: FunctionContext, node: ast.AugAssign) -> None:
    inner = atomic_target(f, node.target)
    if inner is not None:
        _atomic(f, node, inner)
        return
    target = node.target
    if isinstance(target, ast.Subscript) and is_map(f, target.value):
        name = words(target.value)
        raise f.error(
            node,
            f"{words(target)} may be None here",
            f"write atomic({name})[...] += ..., or look it up and test it",
        )
    context = _context_behind(f, target)
    if context is not None:
        operation = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
        write_context(f, node, target, operation, context)
        return
    where = converting(writable(f, target))
    if not repeatable(f, target):
        raise f.error(target, "this place is computed twice", "give its index a name first")
    if isinstance(target, ast.Name) and isinstance(where, DerefPlace | FieldPlace):
        raise f.error(
            target,
            f"'{target.id}' would be bound anew in Python, and the element not changed",
            "store it: m[key] = value + ..., or use atomic(m)[key] += ...",
        )
    operation = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
    result = binary(f, operation, read(where), f.operand(node.value))
    stored = convert(f, result, where.type, words(target))
    f.out.append(Assign(where, stored, f.span(node)))


def _atomic(f: FunctionContext, node: ast.AugAssign, target: ast.expr) -> None:
    """``atomic(x).field += n``, and ``atomic(m)[key] += n`` where the key has an element."""
    named = handle(f, target.value) if isinstance(target, ast.Subscript) else None
    if named is None or not isinstance(target, ast.Subscript):
        f.out.append(update(f, node, writable(f, target)))
        return
    found = lookup(f, target, named)
    assert isinstance(found.type, OptionalType)
    held = f.temporary(found.type, f.span(target))
    element = Read(held, held.type, held.span)
    f.out.append(Assign(held, found, f.span(node)))
    there = Cast(element, found.type.ref, held.span)
    change = update(f, node, DerefPlace(there, named.decl.value, held.span))
    f.out.append(If(IsNone(element, True, BOOL, held.span), (change,), (), f.span(node)))


def _delete(f: FunctionContext, target: ast.expr) -> None:
    named = handle(f, target.value) if isinstance(target, ast.Subscript) else None
    if named is None or not isinstance(target, ast.Subscript):
        raise f.error(target, "only a map's element can be deleted", "del m[key]")
    if not named.offers(MapOp.DELETE):
        hint = "store a zero" if named.offers(MapOp.UPDATE) else None
        raise f.error(target, f"elements of {named.name} cannot be deleted", hint)
    check_map_writable(f, target, named)
    key = map_key(f, target.slice, named)
    f.out.append(MapDelete(named.value, key, f.span(target)))


def _if(f: FunctionContext, node: ast.If) -> None:
    test, when_true, when_false = condition(f, node.test)
    if isinstance(test, Const):
        f.state = when_true if test.value else when_false
        f.out.extend(block(f, node.body if test.value else node.orelse))
        return
    f.state = when_true
    body = block(f, node.body)
    after_body = f.state
    f.state = when_false
    orelse = block(f, node.orelse)
    f.state = join(after_body, f.state)
    f.out.append(If(test, body, orelse, f.span(node.test)))


def _while(f: FunctionContext, node: ast.While) -> None:
    if node.orelse:
        raise f.error(node.orelse[0], "a loop has no else", "use a bool variable")
    entry = head = f.state
    while True:
        f.state = head
        test, when_true, when_false = condition(f, node.test)
        if isinstance(test, Const) and not test.value:
            f.state = when_false
            return
        f.state = when_true
        body, loop = _loop_body(f, node.body)
        again = join(entry, _all(f.state, loop.continues))
        if again == head:
            break
        head = again
    f.state = _all(when_false, loop.breaks)
    f.out.append(While(test, body, f.span(node.test)))


def _all(first: State, others: list[State]) -> State:
    for other in others:
        first = join(first, other)
    return first


def _loop_body(f: FunctionContext, body: list[ast.stmt]) -> tuple[tuple[Stmt, ...], Loop]:
    loop = Loop()
    f.loops.append(loop)
    made = block(f, body)
    f.loops.pop()
    return made, loop


def _for(f: FunctionContext, node: ast.For) -> None:
    """``for i in range(...)``: bounds are evaluated once; ``i`` is at least a u32."""
    target, span = node.target, f.span(node)
    if node.orelse:
        raise f.error(node.orelse[0], "a loop has no else", "use a bool variable")
    if not isinstance(target, ast.Name):
        raise f.error(target, "a loop counts in one name", "for i in range(n): ...")
    counted = node.iter
    if not (isinstance(counted, ast.Call) and f.keyword(counted.func) == "range"):
        raise f.error(counted, "a for loop counts with range()", "for i in range(n): ...")
    start, stop, step, type_ = _range(f, counted)
    known = f.type_of(target.id)
    if known is None:
        f.locals[target.id] = Local(target.id, type_, f.span(target))
    elif known != type_:
        problem = f"'{target.id}' is {name_of(known)}, and this loop counts in {name_of(type_)}"
        raise f.error(target, problem, "count in another name")
    entry = head = f.state
    while True:
        f.state = assigned(head, target.id, Fact())
        body, loop = _loop_body(f, node.body)
        again = join(entry, _all(f.state, loop.continues))
        if again == head:
            break
        head = again
    f.state = _all(head, loop.breaks)
    f.out.append(ForRange(target.id, type_, start, stop, step, body, span))


def _range(f: FunctionContext, node: ast.Call) -> tuple[Expr, Expr, int, IntType]:
    if node.keywords or not 1 <= len(node.args) <= 3:
        raise f.error(node, "range() takes a start, a stop and a step")
    step = 1
    if len(node.args) == 3:
        given = f.operand(node.args[2])
        if not isinstance(given, Literal) or given.value == 0 or not fits(given.value, _I32):
            raise f.error(node.args[2], "a step is a constant, and not 0")
        step = given.value
    bounds = [number(f, f.operand(bound)) for bound in node.args[:2]]
    if len(bounds) == 1:
        bounds = [Literal(0, f.span(node)), bounds[0]]
    typed = [bound.type for bound in bounds if not isinstance(bound, Literal)]
    type_ = U64 if f.native else U32
    for bound_type in typed:
        assert isinstance(bound_type, IntType)
        smallest = IntType(32, bound_type.signed)
        type_ = (
            wider(bound_type, smallest)
            if type_.signed != bound_type.signed
            else wider(bound_type, type_)
        )
    if all(isinstance(bound, Literal) for bound in bounds) and any(
        isinstance(bound, Literal) and bound.value < 0 for bound in bounds
    ):
        raise f.error(node, "an unsigned count stops at 0", "count up, and index n - 1 - i")
    start, stop = (convert(f, bound, type_, "this bound") for bound in bounds)
    return start, stop, step, type_


_I32 = IntType(32, signed=True)


def _jump(f: FunctionContext, node: ast.Break | ast.Continue) -> None:
    if not f.loops:
        raise f.error(node, "this stands outside of a loop")
    if isinstance(node, ast.Break):
        f.loops[-1].breaks.append(f.state)
        f.out.append(Break(f.span(node)))
    else:
        f.loops[-1].continues.append(f.state)
        f.out.append(Continue(f.span(node)))
    f.state = None


def _return(f: FunctionContext, node: ast.Return) -> None:
    span = f.span(node)
    if isinstance(f.result, VoidType):
        if node.value is not None and not _is_none(node.value):
            raise f.error(node.value, f"{f.node.name}() returns nothing", "name a result: -> u32")
        f.out.append(Return(None, span))
    elif node.value is None:
        raise f.error(node, f"{f.node.name}() returns {name_of(f.result)}", "return a value")
    elif isinstance(f.result, RefType | OptionalType):
        f.out.append(Return(_returned(f, node.value, f.result), span))
    else:
        value = convert(f, _chosen(f, node.value, f.result), f.result, "the result")
        _check_verdict(f, node.value, value)
        f.out.append(Return(value, span))
    f.state = None


def _chosen(f: FunctionContext, node: ast.expr, wanted: Type) -> Operand:
    """The operand of a result; a choice of literals takes the result's type."""
    match node:
        case ast.IfExp(body=ast.expr(), orelse=ast.expr()) if isinstance(wanted, IntType):
            return select(f, node, wanted)
        case _:
            return f.operand(node)


def _returned(f: FunctionContext, node: ast.expr, result: RefType | OptionalType) -> Expr:
    """A reference as the result; the first return decides in which storage all results are."""
    known = isinstance(node, ast.Name) and node.id in f.assigned_names
    value = name_or_optional(f, node) if known and isinstance(node, ast.Name) else f.operand(node)
    if isinstance(value, Literal | Nothing):
        return convert(f, value, result, "the result")
    have = value.type.ref if isinstance(value.type, OptionalType) else value.type
    wanted = result.ref if isinstance(result, OptionalType) else result
    if not isinstance(have, RefType) or have.target != wanted.target:
        return convert(f, value, result, "the result")
    if have.space is Space.LOCAL:
        raise f.error(node, "this is gone when the function returns", "return its fields")
    if wanted.space is Space.LOCAL:
        f.result = result = OptionalType(have) if isinstance(result, OptionalType) else have
    return convert(f, value, result, "the result")


def _check_verdict(f: FunctionContext, node: ast.expr, value: Expr) -> None:
    """A constant result of a program must be one that its type may give."""
    section = f.section
    if section is None or not f.is_program or not isinstance(value, Const):
        return
    for row in section.program_type.value.returns:
        if row.attach_types and section.attach_type not in row.attach_types:
            continue
        if not row.low <= value.value <= row.high:
            problem = f"{described(section)} returns {row.low} to {row.high}"
            raise f.error(node, f"{problem}, and not {value.value}")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
