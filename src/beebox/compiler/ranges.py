"""How large an unsigned expression can be, as far as the kernel's verifier can follow its shape.

Not ``x % n``: LLVM multiplies instead of dividing, and the verifier loses the range.
"""

from __future__ import annotations

from beebox.compiler.ir import Binary, BinaryOp, BoolType, Cast, Const, Expr, IntType


def most(expr: Expr) -> int:
    """An upper bound of an unsigned integer's value."""
    if isinstance(expr, Const):
        return expr.value
    if isinstance(expr.type, BoolType):
        return 1
    assert isinstance(expr.type, IntType)
    limit = (1 << expr.type.bits) - 1
    match expr:
        case Cast(value=inner) if isinstance(inner.type, BoolType):
            return 1
        case Cast(value=inner) if isinstance(inner.type, IntType) and not inner.type.signed:
            bound = most(inner)
        case Binary(op=BinaryOp.ADD):
            bound = most(expr.left) + most(expr.right)
        case Binary(op=BinaryOp.MUL):
            bound = most(expr.left) * most(expr.right)
        case Binary(op=BinaryOp.AND):
            bound = min(most(expr.left), most(expr.right))
        case Binary(op=BinaryOp.SHL, right=Const(value=count)):
            bound = most(expr.left) << count
        case Binary(op=BinaryOp.SHR, right=Const(value=count)):
            bound = most(expr.left) >> count
        case _:
            bound = limit
    return min(bound, limit)  # what wraps may be anything
