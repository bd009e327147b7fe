"""Multiplication, in parts that z3 can decide at 64 bits.

- The tnum: the loop of ``tnum.mul`` keeps ``sum + multiplier * multiplicand`` and the membership of
  all three. Its body is run once on any state, so this is an induction over the rounds. That the
  body keeps the concrete product is an identity of integers.
- The ranges: ``_ranges`` over z3's unbounded integers, where products of bounds are polynomials.
- Signs: the signed and the unsigned product agree modulo a power of two, an identity again.
- Then ``alu`` as a whole, with these three as lemmas.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import z3

from arithmetic import operation
from beebox.tables.opcodes import AluOp
from beebox.verifier.numbers import tnum, transfer
from beebox.verifier.numbers.scalar import S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32, U64
from evaluator import Evaluator, Frame
from ledger import Obligation, Proof
from merging import Instance, formula, truth
from sources import Mutant, source_of
from terms import Term, Whole, as_term, signed, unsigned
from tnums import in_tnum

_LIMITS = {64: (U64, S64_MIN, S64_MAX), 32: (U32, S32_MIN, S32_MAX)}


def _loop(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """``while av or am``: one round, from any state, and what holds at the end."""
    node = source_of(tnum.mul, mutants)
    start, loop, end = node.body[-3:]
    if not isinstance(loop, ast.While) or not isinstance(end, ast.Return):
        yield Obligation("tnum.mul has another shape", [], z3.BoolVal(False))
        return
    for bits in (64, 32):
        yield from _round(start, loop, end, bits, mutants)


def _round(
    start: ast.stmt, loop: ast.While, end: ast.Return, bits: int, mutants: Sequence[Mutant]
) -> Iterator[Obligation]:
    full = (1 << bits) - 1
    names: dict[str, Any] = {
        name: unsigned(name, bits) for name in ("av", "am", "bv", "bm", "value", "mask")
    }
    a, b, total = unsigned("a", bits), unsigned("b", bits), unsigned("total", bits)
    facts = [
        in_tnum(names["av"], names["am"], a, full),
        in_tnum(names["bv"], names["bm"], b, full),
        in_tnum(names["value"], names["mask"], total, full),
    ]
    evaluator = Evaluator(mutants=mutants)
    begin = Frame({}, dict(vars(tnum)))
    evaluator.statement(start, begin)
    nothing = in_tnum(begin.names["value"], begin.names["mask"], 0, full)
    yield Obligation(f"{bits} bits: begins with 0", [], nothing)

    evaluator = Evaluator(mutants=mutants)
    evaluator.facts = list(facts)
    frame = Frame({**names, "full": full}, dict(vars(tnum)))
    goes_on = formula(truth(evaluator.eval(loop.test, frame)))
    ended = as_term(a).compare("__eq__", 0).is_true
    yield Obligation(f"{bits} bits: ends at 0", [*facts, z3.Not(goes_on)], ended)
    result = evaluator.eval(end.value, frame) if end.value else None
    gives_total = in_tnum(result[0], result[1], total, full) if result else z3.BoolVal(False)
    yield Obligation(f"{bits} bits: gives the sum", facts, gives_total)

    evaluator.block(loop.body, frame)
    odd = z3.Extract(0, 0, a.bits) == 1
    added = (total + b) & full
    new_total = Term(z3.If(odd, added.bits, total.bits), 0, full)
    after = frame.names
    goals = {
        "sum": in_tnum(after["value"], after["mask"], new_total, full),
        "multiplier": in_tnum(after["av"], after["am"], a >> 1, full),
        "multiplicand": in_tnum(after["bv"], after["bm"], b << 1 & full, full),
    }
    for name, goal in goals.items():
        yield Obligation(f"{bits} bits: keeps the {name}", [*facts, goes_on], goal)


def _product_is_kept(_mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """``total + a * b`` in a round: a = 2 * half + bit. ``& full`` takes a multiple away."""
    half, bit, b, total, cut = z3.Ints("half bit b total cut")
    before = total + (2 * half + bit) * b
    after = (total + bit * b) + half * (2 * b - cut)
    yield Obligation("a round keeps the product", [], before - after == half * cut, "")


def _bounds(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    yield from _product_is_kept(())
    for bits in (64, 32):
        yield from _bounds_of(bits, mutants)


def _bounds_of(bits: int, mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    full, least, most = _LIMITS[bits]
    c, d, cs, ds = z3.Ints("c d cs ds")
    facts: list[z3.BoolRef] = []
    halves = []
    for name, one, with_sign in (("a", c, cs), ("b", d, ds)):
        fields = {view: z3.Int(f"{name}.{view}") for view in ("umin", "umax", "smin", "smax")}
        facts += [fields["umin"] >= 0, fields["umin"] <= one, one <= fields["umax"]]
        facts += [fields["umax"] <= full, least <= fields["smin"], fields["smin"] <= with_sign]
        facts += [with_sign <= fields["smax"], fields["smax"] <= most]
        halves.append(Instance(transfer._Half, {view: Whole(z) for view, z in fields.items()}))
    evaluator = Evaluator(mutants=mutants)
    evaluator.undecided = True
    umin, umax, smin, smax = evaluator.call(
        transfer._ranges, AluOp.MUL, halves[0], halves[1], 0, 0, bits
    )
    umin, umax, smin, smax = (Whole.lifted(one).number for one in (umin, umax, smin, smax))
    p, q = c * d, cs * ds
    unknown = z3.And(umin == 0, umax == full)
    goal = z3.Or(unknown, z3.And(umin >= 0, umin <= p, p <= umax, umax <= full))
    yield Obligation(f"{bits} bits: unsigned", facts, goal, "")
    unknown = z3.And(smin == least, smax == most)
    goal = z3.Or(unknown, z3.And(least <= smin, smin <= q, q <= smax, smax <= most))
    yield Obligation(f"{bits} bits: signed", facts, goal, "")
    # c and cs differ by a multiple of 2**bits, so their products do
    turn, s, t = 1 << bits, z3.Int("s"), z3.Int("t")
    multiple = t * c + s * d - turn * s * t
    same = c * d - (c - turn * s) * (d - turn * t) == turn * multiple
    yield Obligation(f"{bits} bits: products agree modulo 2**{bits}", [], same, "")


def _whole(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """``alu`` with the lemmas: which product is meant is told by the operands' width."""

    def bits_lemma(evaluator: Evaluator, *args: Any) -> Any:
        full: int = args[-1]
        value, mask = unsigned("product.value", 64), unsigned("product.mask", 64)
        product = evaluator.products[64 if full == U64 else 32]
        evaluator.facts.append(in_tnum(value, mask, product, full))
        return value, mask

    def ranges_lemma(evaluator: Evaluator, *args: Any) -> Any:
        bits: int = args[-1]
        name = f"product{bits}"
        product = evaluator.products[bits]
        umin, umax = unsigned(f"{name}.umin", bits), unsigned(f"{name}.umax", bits)
        smin, smax = signed(f"{name}.smin", bits), signed(f"{name}.smax", bits)
        half = 1 << (bits - 1)
        read = Term(z3.Extract(bits - 1, 0, product.at(bits)), -half, half - 1)
        for low, one, high in ((umin, product, umax), (smin, read, smax)):
            evaluator.facts.append(low.compare("__le__", one).is_true)
            evaluator.facts.append(one.compare("__le__", high).is_true)
        return umin, umax, smin, smax

    contracts = {tnum.mul: bits_lemma, transfer._ranges: ranges_lemma}
    for wide in (True, False):
        yield from operation(AluOp.MUL, wide, mutants, contracts)


PROOFS = (
    Proof(
        "tnum.mul",
        _loop,
        (
            Mutant(
                "beebox.verifier.numbers.tnum",
                "mask |= other_mask | (other_value ^ value)",
                "mask |= other_mask",
            ),
            Mutant("beebox.verifier.numbers.tnum", "bm = bm << 1 & full", "bm = bm << 2 & full"),
        ),
    ),
    Proof(
        "ranges of mul",
        _bounds,
        (
            Mutant(
                "beebox.verifier.numbers.transfer",
                "if a.umax * b.umax <= full:",
                "if a.umin * b.umin <= full:",
            ),
            Mutant(
                "beebox.verifier.numbers.transfer",
                "for p in (a.smin, a.smax) for q in (b.smin, b.smax)]",
                "for p in (a.smin, a.smax) for q in (b.smax, b.smax)]",
            ),
        ),
    ),
    Proof(
        "alu mul",
        _whole,
        (
            Mutant(
                "beebox.verifier.numbers.transfer",
                "low = _ranges(op, low_a, low_b, value & U32, mask & U32, 32)",
                "low = (umin & U32, umax & U32, S32_MIN, S32_MAX)",
            ),
        ),
    ),
)
