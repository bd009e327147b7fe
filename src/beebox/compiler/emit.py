"""Functions and statements to LLVM IR: what both lowerings share.

Every variable gets memory, which LLVM turns into registers; structured control flow becomes
blocks; one exit block returns. That shape is what the kernel's verifier and LLVM's own passes were
tuned on.
"""

from __future__ import annotations

from typing import Final, Protocol, assert_never

from beebox.compiler import emit_text as text
from beebox.compiler import ir
from beebox.compiler.emit_expr import Address, Expressions, Target
from beebox.compiler.emit_text import Body

CONTEXT_PARAMETER: Final = "%ctx"


class StatementTarget(Target, Protocol):
    """What the walk over statements leaves to a lowering."""

    def write_context(self, expressions: Expressions, stmt: ir.WriteContext) -> None:
        """``ctx.field = value``."""
        ...

    def update(self, expressions: Expressions, stmt: ir.MapUpdate) -> None:
        """``map[key] = value``."""
        ...

    def delete(self, expressions: Expressions, stmt: ir.MapDelete) -> None:
        """``del map[key]``."""
        ...

    def prologue(self, expressions: Expressions) -> None:
        """What the function needs at its entry."""
        ...

    def declare_variable(
        self, body: Body, item: ir.Param | ir.Local, address: str, position: int
    ) -> None:
        """A variable lives at ``address``; parameters have positions from 1, locals 0."""
        ...


def parameter(param: ir.Param) -> str:
    """A parameter's register."""
    if isinstance(param.type, ir.ContextType):
        return CONTEXT_PARAMETER
    return f'%"{text.quoted(param.name.encode())}"'


def signature(function: ir.Function) -> str:
    """The parameters with their types, as in a definition."""
    return ", ".join(f"{text.signature_type(p.type)} {parameter(p)}" for p in function.params)


def function_body(function: ir.Function, target: StatementTarget) -> str:
    """The blocks of a function, from ``entry:`` on."""
    return _Statements(function, target).text()


class _Statements:
    def __init__(self, function: ir.Function, target: StatementTarget) -> None:
        self._function = function
        self._target = target
        self._body = Body()
        self._variables: dict[str, Address] = {}
        self._expressions = Expressions(self._body, target, self._variables)
        self._loops: list[tuple[str, str]] = []  # the labels for continue and break
        self._exit = "exit"
        self._result: str | None = None

    def text(self) -> str:
        function, body = self._function, self._body
        with self._expressions.at(function.span):
            self._declare()
            self._target.prologue(self._expressions)
            self._block(function.body)
            body.label(self._exit)
            if self._result is None:
                body.end("ret void")
            else:
                result = self._expressions.load(self._address_of_result(), function.result)
                body.end(f"ret {text.value_type(function.result)} {result}")
        return body.text()

    def _declare(self) -> None:
        function, body = self._function, self._body
        if not isinstance(function.result, ir.VoidType):
            type_ = text.memory_type(function.result)
            self._result = body.variable(type_, text.align_of(function.result), "return")
            body.do(f"store {type_} zeroinitializer, ptr {self._result}")
        for position, param in enumerate(function.params, 1):
            address = self._variable(param, position)
            self._expressions.store(address, parameter(param), param.type)
        for local in function.locals:
            self._variable(local, 0)

    def _address_of_result(self) -> Address:
        assert self._result is not None
        return Address(self._result, text.align_of(self._function.result))

    def _variable(self, item: ir.Param | ir.Local, position: int) -> Address:
        align = text.align_of(item.type)
        if text.is_aggregate(item.type):
            align = max(align, 8) if text.size_of(item.type) >= 8 else align
        register = self._body.variable(text.memory_type(item.type), align, item.name)
        self._target.declare_variable(self._body, item, register, position)
        address = self._variables[item.name] = Address(register, align)
        return address

    # ---- statements

    def _block(self, statements: tuple[ir.Stmt, ...]) -> None:
        for statement in statements:
            with self._expressions.at(statement.span):
                self._statement(statement)

    def _statement(self, stmt: ir.Stmt) -> None:
        expressions, body = self._expressions, self._body
        match stmt:
            case ir.Assign():
                self._assign(stmt)
            case ir.WriteContext():
                self._target.write_context(expressions, stmt)
            case ir.AtomicUpdate():
                self._atomic_update(stmt)
            case ir.MapUpdate():
                self._target.update(expressions, stmt)
            case ir.MapDelete():
                self._target.delete(expressions, stmt)
            case ir.Evaluate():
                expressions.value(stmt.value)
            case ir.If():
                self._if(stmt)
            case ir.While():
                self._while(stmt)
            case ir.ForRange():
                self._for_range(stmt)
            case ir.Break():
                body.branch(self._loops[-1][1])
            case ir.Continue():
                body.branch(self._loops[-1][0])
            case ir.Return():
                if stmt.value is not None:
                    value = expressions.value(stmt.value)
                    expressions.store(self._address_of_result(), value, self._function.result)
                body.branch(self._exit)
            case _:
                assert_never(stmt)

    def _assign(self, stmt: ir.Assign) -> None:
        expressions = self._expressions
        if text.is_aggregate(stmt.value.type):
            with expressions.in_memory(stmt.value) as copy:  # the value may read the place
                size = text.size_of(stmt.value.type)
                to = expressions.address(stmt.place)
                self._target.declare(
                    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1 immarg)"
                )
                align = text.align_of(stmt.value.type)
                self._body.do(
                    f"call void @llvm.memcpy.p0.p0.i64(ptr align {to.align} {to.operand},"
                    f" ptr align {align} {copy}, i64 {size}, i1 false)"
                )
            return
        value = expressions.value(stmt.value)
        expressions.store(expressions.address(stmt.place), value, stmt.value.type)

    def _atomic_update(self, stmt: ir.AtomicUpdate) -> None:
        # monotonic: with an unused result LLVM then picks the form that does not fetch
        self._body.do(self._expressions.atomic(stmt.op, stmt.place, stmt.value, "monotonic"))

    def _if(self, stmt: ir.If) -> None:
        body = self._body
        then, join = body.fresh_label("then"), body.fresh_label("endif")
        otherwise = body.fresh_label("else") if stmt.orelse else join
        self._expressions.condition(stmt.test, then, otherwise)
        body.label(then)
        self._block(stmt.body)
        body.branch(join)
        if stmt.orelse:
            body.label(otherwise)
            self._block(stmt.orelse)
        body.label(join)

    def _while(self, stmt: ir.While) -> None:
        body = self._body
        head, inside, after = (body.fresh_label(what) for what in ("while", "do", "endwhile"))
        body.label(head)
        self._expressions.condition(stmt.test, inside, after)
        body.label(inside)
        self._loop(stmt.body, head, after)
        body.branch(head)
        body.label(after)

    def _loop(self, statements: tuple[ir.Stmt, ...], again: str, after: str) -> None:
        self._loops.append((again, after))
        self._block(statements)
        self._loops.pop()

    def _for_range(self, stmt: ir.ForRange) -> None:
        """Count in a variable of our own, so that the body may assign the loop variable."""
        body, expressions = self._body, self._expressions
        type_, align = text.memory_type(stmt.type), text.align_of(stmt.type)
        sign = "s" if stmt.type.signed else "u"
        counter = Address(body.variable(type_, align), align)
        expressions.store(counter, expressions.value(stmt.start), stmt.type)
        stop = expressions.value(stmt.stop)
        labels = ("for", "each", "next", "step", "endfor")
        head, inside, following, step, after = (body.fresh_label(what) for what in labels)
        body.label(head)
        current = expressions.load(counter, stmt.type)
        order = f"{sign}lt" if stmt.step > 0 else f"{sign}gt"
        more = body.value(f"icmp {order} {type_} {current}, {stop}")
        body.end(f"br i1 {more}, label %{inside}, label %{after}")
        body.label(inside)
        place = ir.LocalPlace(stmt.name, stmt.type, stmt.span)
        expressions.store(expressions.address(place), current, stmt.type)
        self._loop(stmt.body, following, after)
        body.label(following)
        if abs(stmt.step) > 1 and not _counts_exactly(stmt):
            # the next step could leave the type's range and wrap to before the stop
            ends = (stop, current) if stmt.step > 0 else (current, stop)
            left = body.value(f"sub {type_} {ends[0]}, {ends[1]}")
            last = body.value(f"icmp ule {type_} {left}, {min(abs(stmt.step), _top(stmt.type))}")
            body.end(f"br i1 {last}, label %{after}, label %{step}")
            body.label(step)
        expressions.store(counter, body.value(f"add {type_} {current}, {stmt.step}"), stmt.type)
        body.branch(head)
        body.label(after)


def _top(type_: ir.IntType) -> int:
    return int((1 << type_.bits) - 1)


def _counts_exactly(stmt: ir.ForRange) -> bool:
    """Whether constant bounds show that the counter stays in its type's range."""
    if not (isinstance(stmt.start, ir.Const) and isinstance(stmt.stop, ir.Const)):
        return False
    half = 1 << (stmt.type.bits - 1)
    low, high = (-half, half - 1) if stmt.type.signed else (0, 2 * half - 1)
    past = len(range(stmt.start.value, stmt.stop.value, stmt.step)) * stmt.step
    return low <= stmt.start.value + past <= high
