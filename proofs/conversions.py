"""Sizes and signs: zero extension, truncation, sign extension, byte order, values of loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from beebox.isa import semantics
from beebox.tables.opcodes import SWAP_BITS, SWAPS, AluOp
from beebox.verifier.numbers import scalar, transfer
from evaluator import Evaluator
from ledger import Obligation, Proof
from members import contains, evaluator_with, fresh_scalar, is_member, number
from sources import Mutant
from terms import Term

_MODULE = "beebox.verifier.numbers.transfer"


def _goals(name: str, evaluator: Evaluator, result: Any, z: Term) -> Iterator[Obligation]:
    for view, goal in contains(result, z).items():
        yield Obligation(f"{name}: {view}", list(evaluator.facts), goal)


def _zero_extend(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = evaluator_with([], mutants)
    x, c = fresh_scalar("x"), number("c")
    evaluator.facts.append(is_member(x, c))
    result = evaluator.call(transfer.zero_extend, x)
    yield from _goals("zero_extend", evaluator, result, c & scalar.U32)


def _truncate(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for size in (1, 2, 4, 8):
        evaluator = evaluator_with([], mutants)
        x, c = fresh_scalar("x"), number("c")
        evaluator.facts.append(is_member(x, c))
        result = evaluator.call(transfer.truncate, x, size)
        yield from _goals(f"to {size} bytes", evaluator, result, c & ((1 << 8 * size) - 1))


def _sign_extend(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """Of moves and loads. The wide result is read again for the narrow one, so it is a ghost."""
    for bits in (8, 16, 32):
        for wide in (True, False):
            x, c = fresh_scalar("x"), number("c")
            reader = Evaluator(mutants=mutants)
            extended = reader.call(semantics.sign_extend, c, bits, 64)
            evaluator = evaluator_with([] if wide else [extended], mutants)
            evaluator.facts.append(is_member(x, c))
            result = evaluator.call(transfer.sign_extend, x, bits, wide=wide)
            concrete = reader.call(semantics.sign_extend, c, bits, 64 if wide else 32)
            yield from _goals(f"{bits} to {64 if wide else 32}", evaluator, result, concrete)


def _moves(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """``alu`` takes moves to :func:`sign_extend`: with its concrete meaning as an ALU operation."""
    ops = (AluOp.MOV, AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32)
    for op in ops:
        for wide in (True, False):
            x, y, c, d = fresh_scalar("x"), fresh_scalar("y"), number("c"), number("d")
            reader = Evaluator(mutants=mutants)
            bits = op.value.sign_extends
            ghosts = [reader.call(semantics.sign_extend, d, bits, 64)] if bits else []
            evaluator = evaluator_with([] if wide else ghosts, mutants)
            evaluator.facts += [is_member(x, c), is_member(y, d)]
            result = evaluator.call(transfer.alu, op, x, y, wide=wide)
            concrete = reader.call(semantics.alu, op, c, d, 64 if wide else 32)
            yield from _goals(f"{op.name} {64 if wide else 32}", evaluator, result, concrete)


def _swap(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    for to in SWAPS:
        for bits in SWAP_BITS:
            x, c = fresh_scalar("x"), number("c")
            evaluator = evaluator_with([], mutants)
            evaluator.facts.append(is_member(x, c))
            result = evaluator.call(transfer.swap, x, to, bits)
            concrete = Evaluator().call(semantics.swap, to, bits, c)
            yield from _goals(f"{to}{bits}", evaluator, result, concrete)


def _of_size(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """What a load gives is one of so many bytes. The scalars are made when the module loads."""
    for size in (1, 2, 4, 8):
        evaluator = evaluator_with([], mutants)
        c = number("c") & ((1 << 8 * size) - 1)
        yield from _goals(f"{size} bytes", evaluator, evaluator.call(scalar.of_size, size), c)


def _wrong(old: str, new: str) -> Mutant:
    return Mutant(_MODULE, old, new)


PROOFS = (
    Proof(
        "zero_extend",
        _zero_extend,
        (_wrong("x.u32_min, x.u32_max, S64_MIN, S64_MAX, *low", "x.umin, x.u32_max, S64_MIN, S64_MAX, *low"),),
        quick=True,
    ),
    Proof(
        "truncate",
        _truncate,
        (
            _wrong("if x.umin & ~full == x.umax & ~full:", "if x.umin & full <= x.umax & full:"),
            _wrong("    if x.umax <= full:", "    if x.umin <= full:"),
        ),
        quick=True,
    ),
    Proof(
        "sign_extend",
        _sign_extend,
        (
            _wrong("if not same_top or (low < 0) != (high < 0):", "if (low < 0) != (high < 0):"),
            _wrong("-(1 << (bits - 1)), (1 << (bits - 1)) - 1\n", "0, (1 << bits) - 1\n"),
        ),
    ),
    Proof("moves", _moves, (_wrong("return y if wide else zero_extend(y)", "return y"),)),
    Proof(
        "swap",
        _swap,
        (_wrong("concrete_swap(to, bits, x.mask))", "x.mask & ((1 << bits) - 1))"),),
        quick=True,
    ),
    Proof(
        "of_size",
        _of_size,
        (Mutant("beebox.verifier.numbers.scalar", "return _SIZED.get(size_bytes, ANY)", "return _SIZED.get(size_bytes >> 1, ANY)"),),
        quick=True,
    ),
)  # fmt: skip
