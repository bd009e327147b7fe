"""Tristate numbers, at 64 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import z3

from beebox.isa import semantics
from beebox.tables.opcodes import AluOp
from beebox.verifier.numbers import tnum
from beebox.verifier.numbers.scalar import U32, U64
from evaluator import Evaluator
from ledger import Obligation, Proof
from merging import cases
from sources import Mutant
from terms import Term, as_term, unsigned

_MODULE = "beebox.verifier.numbers.tnum"


def in_tnum(value: Any, mask: Any, z: Any, full: int) -> z3.BoolRef:
    """``z`` is a member, and both parts have the width."""
    value, mask, z = as_term(value), as_term(mask), as_term(z)
    same = (z & ~mask).compare("__eq__", value).is_true
    typed = [
        z3.And(one.compare("__ge__", 0).is_true, one.compare("__le__", full).is_true)
        for one in (value, mask, z)
    ]
    return z3.And(same, *typed)


def _operand(name: str, bits: int) -> tuple[Term, Term, Term, z3.BoolRef]:
    value, mask, z = (unsigned(f"{name}.{part}", bits) for part in ("value", "mask", "member"))
    return value, mask, z, in_tnum(value, mask, z, (1 << bits) - 1)


def _sum(op: AluOp, bits: int, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = Evaluator(mutants=mutants)
    full = (1 << bits) - 1
    av, am, c, a_holds = _operand("a", bits)
    bv, bm, d, b_holds = _operand("b", bits)
    function = tnum.add if op is AluOp.ADD else tnum.sub
    value, mask = evaluator.call(function, av, am, bv, bm, full)
    result = evaluator.call(semantics.alu, op, c, d, bits)
    goal = in_tnum(value, mask, result, full)
    yield Obligation(f"{op.name.lower()} {bits}", [a_holds, b_holds], goal)


def _add(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for bits in (64, 32):
        yield from _sum(AluOp.ADD, bits, mutants)


def _sub(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for bits in (64, 32):
        yield from _sum(AluOp.SUB, bits, mutants)


def _from_range(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for full in (U64, U32):
        evaluator = Evaluator(mutants=mutants)
        low, high, z = (unsigned(name, full.bit_length()) for name in ("low", "high", "z"))
        facts = [low.compare("__le__", z).is_true, z.compare("__le__", high).is_true]
        value, mask = evaluator.call(tnum.from_range, low, high, full)
        yield Obligation(f"{full:#x}", facts, in_tnum(value, mask, z, full))


def _single(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = Evaluator(mutants=mutants)
    value, mask, z, holds = _operand("t", 64)
    low, high = unsigned("low", 64), unsigned("high", 64)
    inside = [low.compare("__le__", z).is_true, z.compare("__le__", high).is_true]
    found = evaluator.call(tnum.single, value, mask, low, high)
    for condition, one in cases(found):
        if one is not None:
            goal = z3.Implies(condition, as_term(one).compare("__eq__", z).is_true)
            yield Obligation("the only member", [holds, *inside], goal)


PROOFS = (
    Proof(
        "tnum.add",
        _add,
        (Mutant(_MODULE, "value_sum) ^ value_sum | am | bm) & full", "value_sum) ^ value_sum) & full"),),
        quick=True,
    ),
    Proof(
        "tnum.sub",
        _sub,
        (Mutant(_MODULE, "(difference - bm)) | am", "(difference + bm)) | am"),),
    ),
    Proof(
        "tnum.from_range",
        _from_range,
        (Mutant(_MODULE, "(low ^ high).bit_length()", "(low & ~high).bit_length()"),),
        quick=True,
    ),
    Proof(
        "tnum.single",
        _single,
        (Mutant(_MODULE, "return low if following > high", "return low if following >= high"),),
    ),
)  # fmt: skip
