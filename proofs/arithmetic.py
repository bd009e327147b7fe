"""ALU operations: the concrete result of members is a member of the result."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import z3

from beebox.isa import semantics
from beebox.tables.opcodes import AluOp
from beebox.verifier.numbers import scalar, transfer
from beebox.verifier.numbers.scalar import U32
from evaluator import Evaluator
from ledger import Obligation, Proof
from members import (
    VIEWS,
    as_scalar,
    contains,
    evaluator_with,
    fresh_scalar,
    is_member,
    number,
)
from merging import Instance
from sources import Mutant
from terms import Term, as_term, unsigned

_MODULE = "beebox.verifier.numbers.transfer"
_TNUM = "beebox.verifier.numbers.tnum"
_SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
_BITS = {True: 64, False: 32}


def _result(name: str, evaluator: Evaluator, result: Any, concrete: Term) -> Iterator[Obligation]:
    for view, goal in contains(result, concrete).items():
        yield Obligation(f"{name}: {view}", list(evaluator.facts), goal)


def operation(
    op: AluOp, wide: bool, mutants: Sequence[Mutant], contracts: dict[Any, Any] | None = None
) -> Iterator[Obligation]:
    """``op`` on any two scalars."""
    x, y, c, d = fresh_scalar("x"), fresh_scalar("y"), number("c"), number("d")
    evaluator = Evaluator(mutants=mutants)
    concrete = evaluator.call(semantics.alu, op, c, d, _BITS[wide])
    evaluator = evaluator_with([], mutants)
    evaluator.contracts |= contracts or {}
    evaluator.products = {64: concrete, 32: concrete & U32}
    evaluator.facts += [is_member(x, c), is_member(y, d)]
    if op in _SHIFTS:
        evaluator.facts.append(_unknown_amount(y, wide))
    result = evaluator.call(transfer.alu, op, x, y, wide=wide)
    yield from _result(f"{op.name} {_BITS[wide]}", evaluator, result, concrete)


def _unknown_amount(y: Instance, wide: bool) -> z3.BoolRef:
    mask = y.fields["mask"] if wide else y.fields["mask"] & U32
    return z3.Not(as_term(mask).compare("__eq__", 0).is_true)


def _either(op: AluOp, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for wide in (True, False):
        yield from operation(op, wide, mutants)


def _shift(op: AluOp, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """By an unknown amount, and by each known one."""
    for wide in (True, False):
        yield from operation(op, wide, mutants)
        for amount in range(_BITS[wide]):
            yield from _shift_by(op, amount, wide, mutants)


def _shift_by(
    op: AluOp, amount: int, wide: bool, mutants: Sequence[Mutant]
) -> Iterator[Obligation]:
    x, c = fresh_scalar("x"), number("c")
    y: Any = scalar.const(amount)
    d: Any = amount
    if not wide:  # the upper half may be unknown: by the lemma "tight" the lower half is exact
        y = fresh_scalar("y")
        low = {"u32_min": amount, "u32_max": amount, "s32_min": amount, "s32_max": amount}
        high, unknown = unsigned("y.high", 32), unsigned("y.unknown", 32)
        low |= {"value": high << 32 | amount, "mask": unknown << 32}
        y = as_scalar({**{view: y.fields[view] for view in VIEWS}, **low})
        d = number("d")
    concrete = Evaluator(mutants=mutants).call(semantics.alu, op, c, amount, _BITS[wide])
    evaluator = evaluator_with([], mutants)
    evaluator.facts.append(is_member(x, c))
    if not wide:
        evaluator.facts.append(is_member(y, d))
    result = evaluator.call(transfer.alu, op, x, y, wide=wide)
    goal = is_member(result, concrete)
    yield Obligation(f"{op.name} {_BITS[wide]} by {amount}", list(evaluator.facts), goal)


def _proof(op: AluOp, *mutants: Mutant, quick: bool = False) -> Proof:
    build = functools.partial(_shift if op in _SHIFTS else _either, op)
    return Proof(f"alu {op.name.lower()}", build, mutants, quick)


def _wrong(old: str, new: str) -> Mutant:
    return Mutant(_MODULE, old, new)


_UNKNOWN_OPS = _wrong(
    "    if op in _UNKNOWN or (op in _SHIFTS and y.umax >= (64 if wide else 32)):\n        return ANY",
    "    if op in _UNKNOWN or (op in _SHIFTS and y.umax >= (64 if wide else 32)):\n        return y",
)

PROOFS = (
    _proof(
        AluOp.ADD,
        _wrong("return (0, full) if high > full else", "return (0, full) if low > full else"),
        _wrong("_within(a.smin + b.smin, a.smax + b.smax, least, most)", "_within(a.smin + b.smin, a.smax + b.smax, least, full)"),
    ),
    _proof(
        AluOp.SUB,
        _wrong("_wrap_low(a.umin - b.umax, a.umax - b.umin, full)", "_wrap_low(a.umin - b.umin, a.umax - b.umax, full)"),
        _wrong("return (0, full) if low < 0 else", "return (0, high) if low < 0 else"),
    ),
    _proof(AluOp.NEG, _wrong("_alu(AluOp.SUB, const(0), x, wide=wide)", "_alu(AluOp.SUB, const(1), x, wide=wide)"), quick=True),
    _proof(
        AluOp.AND,
        _wrong("return value, min(a.umax, b.umax), least, most", "return value, min(a.umin, b.umax), least, most"),
        _wrong("(a.value | a.mask) & (b.value | b.mask) & ~value", "(a.mask & b.mask) & ~value"),
        quick=True,
    ),
    _proof(
        AluOp.OR,
        _wrong("return max(a.umin, b.umin), value | mask, least", "return max(a.umin, b.umin), max(a.umax, b.umax), least"),
        quick=True,
    ),
    _proof(
        AluOp.XOR,
        _wrong("return value, value | mask, least, most", "return max(a.umin, b.umin), value | mask, least, most"),
        _wrong("return (a.value ^ b.value) & ~mask, mask", "return (a.value ^ b.value) & ~mask, a.mask"),
        quick=True,
    ),
    _proof(
        AluOp.LSH,
        _wrong("a.umax <= 1 << (bits - 1 - b.umax):", "a.umin <= 1 << (bits - 1 - b.umax):"),
        _wrong("if op is AluOp.LSH and b.value == 32:", "if op is AluOp.LSH and b.value >= 32:"),
        _wrong("if op in _SHIFTS and b.mask:\n        return ANY", "if op in _SHIFTS and b.mask:\n        return const(0)"),
    ),
    _proof(
        AluOp.RSH,
        _wrong("if op in (AluOp.RSH, AluOp.ARSH):  # other", "if op is AluOp.ARSH:  # other"),
        _wrong("return a.umin >> b.umax, a.umax >> b.umin, least", "return a.umin >> b.umax, a.umin >> b.umin, least"),
    ),
    _proof(
        AluOp.ARSH,
        _wrong("a.mask >> b.value | (ext if a.mask & sign else 0)", "a.mask >> b.value"),
        _wrong("full ^ (full >> 1), full ^ (full >> b.value)", "full ^ (full >> 1), full ^ (full >> b.value << 1)"),
    ),
    _proof(AluOp.DIV, _UNKNOWN_OPS, quick=True),
    _proof(AluOp.SDIV, _UNKNOWN_OPS),
    _proof(AluOp.MOD, _UNKNOWN_OPS),
    _proof(AluOp.SMOD, _UNKNOWN_OPS),
)  # fmt: skip
