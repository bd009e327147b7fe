"""Conditional jumps: a side that a pair of members takes is not excluded, and keeps both."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import z3

from beebox.isa import semantics
from beebox.tables.opcodes import JmpOp
from beebox.verifier import branch
from evaluator import Evaluator, Mutant, cases, formula, truth
from ledger import Obligation, Proof
from members import contains, evaluator_with, fresh_scalar, is_member, number

_MODULE = "beebox.verifier.branch"


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
        JmpOp.LT,
        _wrong("min(a.umax, b.umax - 1), max(b.umin, a.umin + 1)", "min(a.umax, b.umax - 2), max(b.umin, a.umin + 1)"),
        _wrong("return _ordered(a.umax < b.umin, a.umin >= b.umax)", "return _ordered(a.umax <= b.umin, a.umin >= b.umax)"),
        quick=True,
    ),
)  # fmt: skip
