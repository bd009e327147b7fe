"""Values of which z3 knows more than Python: what both sides of a symbolic condition leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any

import z3

from terms import Flag, Term, pick

TRUE = z3.BoolVal(True)


class Choice:
    """One of several values that have no common form (None or a bool, one object or another)."""

    __slots__ = ("cases",)

    def __init__(self, cases: Sequence[tuple[z3.BoolRef, Any]]) -> None:
        self.cases = cases


class Instance:
    """An object of one of beebox's classes, its fields symbolic.

    ``made_from``: of what a lemma gave, the arguments it was given.
    """

    def __init__(self, cls: type, fields: dict[str, Any]) -> None:
        self.cls = cls
        self.fields = fields
        self.made_from: dict[str, Any] | None = None


class StandIn:
    """A list of which a proof wants to know what was put in."""

    def __init__(self) -> None:
        self.stored: list[tuple[Any, Any]] = []

    def store(self, key: Any, value: Any) -> None:
        self.stored.append((key, value))


def cases(value: Any) -> Sequence[tuple[z3.BoolRef, Any]]:
    """Every alternative of ``value`` with its condition."""
    return value.cases if isinstance(value, Choice) else ((TRUE, value),)


def truth(value: Any) -> bool | z3.BoolRef:
    """What ``if value`` asks."""
    if isinstance(value, Flag):
        return _settled(value.is_true)
    if isinstance(value, Term):
        return _settled(value.compare("__ne__", 0).is_true)
    if isinstance(value, Choice):
        return _settled(z3.Or([z3.And(c, formula(truth(v))) for c, v in value.cases]))
    if isinstance(value, Instance):
        return True
    return bool(value)


def _settled(condition: z3.BoolRef) -> bool | z3.BoolRef:
    condition = z3.simplify(condition)
    return True if z3.is_true(condition) else False if z3.is_false(condition) else condition


def formula(condition: bool | z3.BoolRef) -> z3.BoolRef:
    """A settled condition as a z3 term again."""
    return z3.BoolVal(condition) if isinstance(condition, bool) else condition


def merge(condition: z3.BoolRef, a: Any, b: Any) -> Any:
    """``a if condition else b``."""
    if a is b or (type(a) is type(b) and isinstance(a, int) and a == b):
        return a
    if isinstance(a, (bool, Flag)) and isinstance(b, (bool, Flag)):
        return Flag(z3.If(condition, as_flag(a), as_flag(b)))
    if isinstance(a, (int, Term, Flag)) and isinstance(b, (int, Term, Flag)):
        return pick(condition, a, b)
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(merge(condition, x, y) for x, y in zip(a, b, strict=True))
    left = [(z3.And(condition, c), v) for c, v in cases(a)]
    return Choice(left + [(z3.And(z3.Not(condition), c), v) for c, v in cases(b)])


def as_flag(value: bool | Flag) -> z3.BoolRef:
    return value.is_true if isinstance(value, Flag) else z3.BoolVal(value)


def is_symbolic(value: Any) -> bool:
    if isinstance(value, (Term, Flag, Choice, Instance)):
        return True
    if isinstance(value, (tuple, list)):
        return any(map(is_symbolic, value))
    if isinstance(value, MethodType):
        return is_symbolic(value.__self__)
    return isinstance(getattr(value, "scalar", None), (Choice, Instance))  # a register
