"""Arithmetic of constants in a filter: done while it is read, on 32 bits as the filter would."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, assert_never

_U32: Final = (1 << 32) - 1

Operator: TypeAlias = Literal["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"]


def folded(operator: Operator, left: int, right: int) -> int:
    """``left operator right``; neither a division by 0 nor a shift of 32 or more."""
    match operator:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "/":
            result = left // right
        case "%":
            result = left % right
        case "&":
            result = left & right
        case "|":
            result = left | right
        case "^":
            result = left ^ right
        case "<<":
            result = left << right
        case ">>":
            result = left >> right
        case _:
            assert_never(operator)
    return result & _U32
