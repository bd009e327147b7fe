"""Conditional jumps: a side that a pair of members takes is not excluded, and keeps both."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import z3

from beebox.isa import semantics
from beebox.tables.opcodes import JmpOp
from beebox.verifier.numbers import branch
from evaluator import Evaluator
from ledger import Obligation, Proof
from members import contains, evaluator_with, fresh_scalar, is_member, number
from merging import cases, formula, truth
from sources import Mutant

_MODULE = "beebox.verifier.numbers.branch"


def _jump(op: JmpOp, wide: bool, itself: bool, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    x, c = fresh_scalar("x"), number("c")
    y, d = (x, c) if itself else (fresh_scalar("y"), number("d"))
    concrete = Evaluator().call(semantics.compare, op, c, d, 64 if wide else 32)
    holds = formula(truth(concrete))
    evaluator = evaluator_with([], mutants)
    evaluator.facts += [is_member(x, c)] if itself else [is_member(x, c), is_member(y, d)]
    found = evaluator.call(branch.branch, op, x, y, wide=wide, itself=itself)
    name = f"{op.name} {64 if wide else 32}{' of itself' if itself else ''}"
    for reached, outcome in cases(found):
        for when, taken in cases(outcome.taken):
            here = z3.And(reached, when)
            if taken is not None:
                goal = z3.Implies(here, formula(truth(taken)) == holds)
                yield Obligation(f"{name}: decided", evaluator.facts, goal)
        sides = [
            (holds, outcome.x_jump, c, "jump, left"),
            (holds, outcome.y_jump, d, "jump, right"),
        ]
        falls = z3.Not(holds)
        sides += [
            (falls, outcome.x_fall, c, "fall, left"),
            (falls, outcome.y_fall, d, "fall, right"),
        ]
        for side, value, z, what in sides:
            for view, goal in contains(value, z).items():
                implied = z3.Implies(z3.And(reached, side), goal)
                yield Obligation(f"{name}: {what}, {view}", evaluator.facts, implied)


def _operator(op: JmpOp, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for wide in (True, False):
        for itself in (False, True):
            yield from _jump(op, wide, itself, mutants)


def _proof(op: JmpOp, *mutants: Mutant, quick: bool = False) -> Proof:
    return Proof(f"jump {op.name.lower()}", functools.partial(_operator, op), mutants, quick)


def _wrong(old: str, new: str) -> Mutant:
    return Mutant(_MODULE, old, new)


PROOFS = (
    _proof(
        JmpOp.EQ,
        _wrong("a.umax = b.umax = min(a.umax, b.umax)", "a.umax = b.umax = min(a.umax, b.umin)"),
        _wrong("a.value = b.value = (a.value | b.value) & ~mask", "a.value = b.value = (a.value & b.value) & ~mask"),
        _wrong("a.umin > b.umax or a.umax < b.umin or a.smin > b.smax or a.smax < b.smin\n            ):", "a.umin >= b.umax or a.umax < b.umin or a.smin > b.smax or a.smax < b.smin\n            ):"),
        _wrong("        or x.s32_max < y.s32_min", "        or x.s32_max <= y.s32_min"),
    ),
    _proof(
        JmpOp.NE,
        _wrong("self.umax -= self.umax == number", "self.umax -= self.umax >= number"),
        _wrong("signed = s64(number) if wide else s32(number)", "signed = s64(number + 1) if wide else s32(number + 1)"),
        _wrong("return equal is (op is JmpOp.EQ)", "return equal"),
    ),
    _proof(
        JmpOp.SET,
        _wrong("if b.mask == 0 and b.value and not b.value & (b.value - 1):", "if b.mask == 0 and b.value:"),
        _wrong("return make(x.value & ~b.value, x.mask & ~b.value)", "return make(x.value, x.mask & b.value)"),
        _wrong("return None if (a.value | a.mask) & b.value else False", "return None if a.mask & b.value else True"),
        _wrong("same.y_jump, same.x_jump, same.y_fall, same.x_fall)", "same.x_jump, same.y_jump, same.x_fall, same.y_fall)"),
    ),
    _proof(
        JmpOp.GT,
        _wrong("max(a.umin, b.umin + 1), min(b.umax, a.umax - 1)", "max(a.umin, b.umin + 2), min(b.umax, a.umax - 1)"),
        _wrong("return _ordered(a.umin > b.umax, a.umax <= b.umin)", "return _ordered(a.umin >= b.umax, a.umax <= b.umin)"),
    ),
    _proof(
        JmpOp.GE,
        _wrong("max(a.umin, b.umin), min(b.umax, a.umax)", "max(a.umin, b.umin), min(b.umax, a.umax - 1)"),
        _wrong("return _ordered(a.umin >= b.umax, a.umax < b.umin)", "return _ordered(a.umin >= b.umax, a.umax <= b.umin)"),
    ),
    _proof(
        JmpOp.LT,
        _wrong("min(a.umax, b.umax - 1), max(b.umin, a.umin + 1)", "min(a.umax, b.umax - 2), max(b.umin, a.umin + 1)"),
        _wrong("return _ordered(a.umax < b.umin, a.umin >= b.umax)", "return _ordered(a.umax <= b.umin, a.umin >= b.umax)"),
        quick=True,
    ),
    _proof(
        JmpOp.LE,
        _wrong("a.umax, b.umin = min(a.umax, b.umax), max(b.umin, a.umin)", "a.umax, b.umin = min(a.umax, b.umax - 1), max(b.umin, a.umin)"),
        _wrong("return _ordered(a.umax <= b.umin, a.umin > b.umax)", "return _ordered(a.umax <= b.umin, a.umin >= b.umax)"),
        _wrong("_possible(value, mask, x.umin, x.umax, x.smin, x.smax, *mine[2:])", "_possible(value, mask, *mine[2:], *mine[2:])"),
    ),
    _proof(
        JmpOp.SGT,
        _wrong("max(a.smin, b.smin + 1), min(b.smax, a.smax - 1)", "max(a.smin, b.smin + 1), min(b.smax, a.smin - 1)"),
        _wrong("return _ordered(a.smin > b.smax, a.smax <= b.smin)", "return _ordered(a.smin > b.smax, a.smax <= b.smax)"),
    ),
    _proof(
        JmpOp.SGE,
        _wrong("max(a.smin, b.smin), min(b.smax, a.smax)", "max(a.smin, b.smin), min(b.smin, a.smax)"),
        _wrong("return _ordered(a.smin >= b.smax, a.smax < b.smin)", "return _ordered(a.smin >= b.smin, a.smax < b.smin)"),
    ),
    _proof(
        JmpOp.SLT,
        _wrong("min(a.smax, b.smax - 1), max(b.smin, a.smin + 1)", "min(a.smax, b.smax - 1), max(b.smin, a.smin + 2)"),
        _wrong("return _ordered(a.smax < b.smin, a.smin >= b.smax)", "return _ordered(a.smin < b.smin, a.smin >= b.smax)"),
    ),
    _proof(
        JmpOp.SLE,
        _wrong("a.smax, b.smin = min(a.smax, b.smax), max(b.smin, a.smin)", "a.smax, b.smin = min(a.smax, b.smax), max(b.smin, a.smax)"),
        _wrong("return _ordered(a.smax <= b.smin, a.smin > b.smax)", "return _ordered(a.smax <= b.smin, a.smin >= b.smax)"),
    ),
)  # fmt: skip
