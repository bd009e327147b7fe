"""The native lowering: a module in the native dialect to LLVM IR for the host.

The text has no target lines, so that it can be joined to a program's before both are optimised
together: functions and the storage symbol carry the caller's prefix, and declarations of
intrinsics are those that LLVM accepts twice.
"""

from __future__ import annotations

import platform
from typing import Final, assert_never

from beebox.compiler import emit, ir
from beebox.compiler import emit_text as text
from beebox.compiler.emit_expr import Address, Expressions, TargetExpr
from beebox.compiler.emit_text import Body
from beebox.compiler.intrinsics import INTRINSICS, IntrinsicRow, Operation, Order
from beebox.errors import InternalError

_ORDERS: Final = {
    Order.RELAXED: "monotonic",
    Order.ACQUIRE: "acquire",
    Order.RELEASE: "release",
    Order.ACQ_REL: "acq_rel",
}
_FAILURE_ORDERS: Final = {  # of a compare-exchange that did not store: a load's orders only
    Order.RELAXED: "monotonic",
    Order.ACQUIRE: "acquire",
    Order.RELEASE: "monotonic",
    Order.ACQ_REL: "acquire",
}
_PAUSES: Final = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": (
        "declare void @llvm.aarch64.hint(i32 immarg)",
        "call void @llvm.aarch64.hint(i32 1)",
    ),
}
_PAUSE: Final = _PAUSES.get(
    platform.machine().lower(), ("", 'call void asm sideeffect "", "~{memory}"()')
)


def lower(module: ir.Module, *, prefix: str) -> str:
    """LLVM IR text of the module's functions, named ``prefix`` and their name; deterministic.

    ``prefix + "storage"`` is declared, to be given when the object is linked. Only functions
    marked as exported are visible outside. Raises only :exc:`InternalError`.
    """
    target = _Native(prefix)
    functions = [_function(function, target) for function in module.functions]
    storage = f"{target.symbol('storage')} = external global i8"
    return "\n".join([storage, *functions, *sorted(target.declarations), ""])


def _function(function: ir.Function, target: _Native) -> str:
    body = emit.function_body(function, target)
    linkage = "" if function.exported else "internal "
    inline = {True: " alwaysinline", False: " noinline cold", None: ""}[function.inline]
    result, params = text.result_type(function.result), emit.signature(function)
    return (
        f"define {linkage}{result} {target.symbol(function.name)}({params})"
        f" nounwind{inline} {{\n{body}\n}}\n"
    )


class _Native:
    """The native side of the walk: an ``emit.StatementTarget``, the same for every function."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.declarations: set[str] = set()

    def symbol(self, name: str) -> str:
        """A function or the storage as an operand."""
        return text.symbol(self._prefix + name)

    def function_symbol(self, name: str) -> str:
        return self.symbol(name)

    def declare(self, declaration: str) -> None:
        self.declarations.add(declaration)

    def location(self, span: ir.Span) -> str:  # noqa: ARG002 -- native code carries no debug information
        return ""

    def prologue(self, expressions: Expressions) -> None:
        pass

    def after_call(self, expressions: Expressions, name: str) -> None:
        pass

    def declare_variable(
        self, body: Body, item: ir.Param | ir.Local, address: str, position: int
    ) -> None:
        pass

    def global_address(self, name: str) -> Address:
        raise InternalError(f"the global {name} in the native dialect")

    def write_context(self, expressions: Expressions, stmt: ir.WriteContext) -> None:  # noqa: ARG002 -- the protocol's shape
        raise InternalError(f"a store to the context's {stmt.field} in the native dialect")

    def update(self, expressions: Expressions, stmt: ir.MapUpdate) -> None:  # noqa: ARG002 -- the protocol's shape
        raise InternalError(f"a map update on line {stmt.span.line} in the native dialect")

    def delete(self, expressions: Expressions, stmt: ir.MapDelete) -> None:  # noqa: ARG002 -- the protocol's shape
        raise InternalError(f"a map delete on line {stmt.span.line} in the native dialect")

    def value(self, expressions: Expressions, expr: TargetExpr) -> str:
        if not isinstance(expr, ir.Intrinsic):
            raise InternalError(f"{type(expr).__name__} in the native dialect")
        row = INTRINSICS[expr.name]
        return self._intrinsic(expressions.body, row, [expressions.value(a) for a in expr.args])

    def _intrinsic(self, body: Body, row: IntrinsicRow, args: list[str]) -> str:
        type_ = "ptr" if row.name in {"load_ptr", "store_ptr"} else f"i{row.bits}"
        match row.operation:
            case Operation.OFFSET:
                return body.value(f"getelementptr inbounds i8, ptr {args[0]}, i64 {args[1]}")
            case Operation.DISTANCE:
                ends = [body.value(f"ptrtoint ptr {arg} to i64") for arg in args]
                return body.value(f"sub i64 {ends[0]}, {ends[1]}")
            case Operation.STORAGE:
                return self.symbol("storage")
            case Operation.LOAD:
                atomic, how = _access(row)
                return body.value(f"load {atomic}{type_}, ptr {args[0]}{how}")
            case Operation.STORE:
                atomic, how = _access(row)
                body.do(f"store {atomic}{type_} {args[1]}, ptr {args[0]}{how}")
            case Operation.XCHG | Operation.ADD:
                how = "xchg" if row.operation is Operation.XCHG else "add"
                return body.value(
                    f"atomicrmw {how} ptr {args[0]}, {type_} {args[1]} {_ORDERS[row.order]},"
                    f" align {row.bits // 8}"
                )
            case Operation.CMPXCHG:
                pair = body.value(
                    f"cmpxchg ptr {args[0]}, {type_} {args[1]}, {type_} {args[2]}"
                    f" {_ORDERS[row.order]} {_FAILURE_ORDERS[row.order]}, align {row.bits // 8}"
                )
                return body.value(f"extractvalue {{ {type_}, i1 }} {pair}, 0")
            case Operation.FENCE:
                body.do(f"fence {_ORDERS[row.order]}")
            case Operation.PAUSE:
                declaration, call = _PAUSE
                if declaration:
                    self.declare(declaration)
                body.do(call)
            case Operation.PREFETCH:
                self.declare(
                    "declare void @llvm.prefetch.p0(ptr, i32 immarg, i32 immarg, i32 immarg)"
                )
                body.do(f"call void @llvm.prefetch.p0(ptr {args[0]}, i32 0, i32 3, i32 1)")
            case Operation.LIKELY | Operation.UNLIKELY:
                self.declare("declare i1 @llvm.expect.i1(i1, i1)")
                expected = "true" if row.operation is Operation.LIKELY else "false"
                return body.value(f"call i1 @llvm.expect.i1(i1 {args[0]}, i1 {expected})")
            case Operation.COPY:  # the count is constant: LLVM writes the moves out
                self.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1 immarg)")
                to, source, count = args
                moved = f"ptr {to}, ptr {source}, i64 {count}, i1 false"
                body.do(f"call void @llvm.memcpy.p0.p0.i64({moved})")
            case Operation.ZERO:
                self.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1 immarg)")
                to, count = args
                body.do(f"call void @llvm.memset.p0.i64(ptr {to}, i8 0, i64 {count}, i1 false)")
            case Operation.MOVE:
                self.declare("declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1 immarg)")
                moved = f"ptr {args[0]}, ptr {args[1]}, i64 {args[2]}, i1 false"
                body.do(f"call void @llvm.memmove.p0.p0.i64({moved})")
            case Operation.CLEAR:
                self.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1 immarg)")
                body.do(
                    f"call void @llvm.memset.p0.i64(ptr {args[0]}, i8 0, i64 {args[1]}, i1 false)"
                )
            case _:
                assert_never(row.operation)
        return ""


def _access(row: IntrinsicRow) -> tuple[str, str]:
    """The words before the type and behind the address of a load or store."""
    if row.order is Order.PLAIN:
        return "", ", align 1"
    return "atomic ", f" {_ORDERS[row.order]}, align {row.bits // 8}"
