"""What registers share: numbers a constant apart, masked signs explored as two paths, copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import z3

from beebox.isa import semantics
from beebox.isa.instruction import Alu
from beebox.isa.instruction import Reg as RegNumber
from beebox.tables.opcodes import AluOp
from beebox.verifier import arithmetic, path, scalar, stack, transfer
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import U64
from beebox.verifier.state import Frame as CallFrame
from beebox.verifier.state import State
from beebox.verifier.value import Reg
from evaluator import Evaluator
from ledger import Obligation, Proof
from members import contains, evaluator_with, fresh_scalar, is_member, number
from merging import StandIn, cases
from sources import Mutant
from terms import Term, signed


def _register(value: Any, serial: int, *, link: int = 0, off: Any = 0) -> Reg:
    return Reg(RegKind.SCALAR, value, serial, 0, id_=link, off=off)


class _AluOf:
    """What ``alu`` gives, by its proof: a scalar that holds the result of members."""

    def __init__(self, op: AluOp, x: Any, y: Any, *, wide: bool) -> None:
        self.op, self.x, self.y, self.wide = op, x, y, wide


def _lemma_of_alu(_evaluator: Evaluator, op: AluOp, x: Any, y: Any, *, wide: bool) -> _AluOf:
    return _AluOf(op, x, y, wide=wide)


def _refine(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """What is learned of one is learned of each number a constant away: base + off."""
    base, here, there = number("base"), signed("here", 64), signed("there", 64)
    learned = fresh_scalar("learned")
    evaluator = evaluator_with([], mutants)
    evaluator.contracts[transfer.alu] = _lemma_of_alu
    old = _register(fresh_scalar("old"), 7, link=5, off=here)
    others = [
        _register(fresh_scalar("base"), 5),
        _register(fresh_scalar("there"), 8, link=5, off=there),
    ]
    stranger = _register(fresh_scalar("stranger"), 6)
    state = State([CallFrame([old, *others, stranger, *[None] * 7], [], -1, 0)], None, 0)
    serial = iter(range(100, 200))

    def linked(value: Any, _p1: Any, _p2: Any, *, root: int, off: Any) -> Reg:
        return _register(value, next(serial), link=root, off=off)

    stand_in = SimpleNamespace(linked=linked, number=None)
    evaluator.call(path.Path.refine, stand_in, state, old, learned, None)
    regs = state.frames[0].regs
    kept = regs[3] is stranger and all(reg is not None and reg.root == 5 for reg in regs[:3])
    yield Obligation("the links stay", [], z3.BoolVal(kept))
    yield Obligation("itself", [], z3.BoolVal(regs[0] is not None and regs[0].scalar is learned))
    for reg, off, name in zip(regs[1:3], (0, there), ("base", "another"), strict=True):
        moved: Any = reg and reg.scalar
        shape = isinstance(moved, _AluOf) and moved.op is AluOp.ADD and moved.wide
        yield Obligation(f"{name}: a sum", [], z3.BoolVal(shape and moved.x is learned))
        distance = number("distance")
        known = (base + here + distance & U64).compare("__eq__", base + off & U64).is_true
        for view, goal in contains(moved.y, distance).items():
            yield Obligation(f"{name}: distance, {view}", [known], goal)


def _link(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """A sum with a constant is linked only where base + off is its value."""
    for op in (AluOp.ADD, AluOp.SUB):
        for wide in (True, False):
            for link, off in ((0, 0), (5, 0), (5, signed("off", 64))):
                yield from _link_of(op, wide, link, off, mutants)


def _link_of(
    op: AluOp, wide: bool, link: int, off: Any, mutants: Sequence[Mutant]
) -> Iterator[Obligation]:
    base, amount = number("base"), number("amount")
    evaluator = evaluator_with([], mutants)
    value = base + off & U64
    left = _register(fresh_scalar("left"), 7, link=link, off=off)
    right = _register(evaluator.call(scalar.const, amount), 8)
    evaluator.contracts[transfer.alu] = _lemma_of_alu
    found: list[Obligation] = []
    name = f"{op.name} {64 if wide else 32}, {'linked' if link else 'not linked'}"

    def linked(result: Any, _p1: Any, _p2: Any, *, root: int, off: Any) -> Any:
        guarded = [*evaluator.facts, evaluator.guard]
        same = (base + off & U64).compare("__eq__", concrete).is_true
        root_is = z3.BoolVal(root == (link or 7))
        found.append(Obligation(f"{name}: base + off", guarded, z3.And(same, root_is)))
        return SimpleNamespace(scalar=result)

    concrete = Evaluator().call(semantics.alu, op, value, amount, 64 if wide else 32)
    written: list[Any] = []
    stand_in = SimpleNamespace(
        operand=lambda _src: right,
        read=lambda _dst: left,
        linked=linked,
        number=lambda result, *_: SimpleNamespace(scalar=result),
        write=lambda _dst, reg: written.append((evaluator.guard, reg)),
    )
    insn = Alu(op, RegNumber(1), RegNumber(2), wide=wide)
    evaluator.interpret(arithmetic.execute, stand_in, insn)
    yield from found
    for _condition, reg in written:
        for _, one in cases(reg):
            result = one.scalar
            same = (result.op, result.x, result.y, result.wide)
            is_result = same == (op, left.scalar, right.scalar, wide)
            yield Obligation(f"{name}: writes the result", [], z3.BoolVal(is_result))


def _fork(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """A number that is masked and is -1 or 0 is on one of the two paths."""
    x, c = fresh_scalar("x"), number("c")
    evaluator = evaluator_with([], mutants)
    evaluator.facts.append(is_member(x, c))
    regs = StandIn()
    other_state = SimpleNamespace(frames=[SimpleNamespace(regs=regs)])
    stand_in = SimpleNamespace(
        pc=0,
        state=SimpleNamespace(copy=lambda _pc: other_state),
        number=lambda value, *_: SimpleNamespace(scalar=value),
    )
    insn = Alu(AluOp.AND, RegNumber(1), 8, wide=True)
    value = SimpleNamespace(scalar=x)
    left, other = evaluator.call(arithmetic._forked, stand_in, insn, value)
    here = z3.And([z3.Implies(when, is_member(reg.scalar, c)) for when, reg in cases(left)])
    there = [
        z3.And(when, is_member(reg.scalar, c))
        for when, state in cases(other)
        if state is not None
        for _, reg in regs.stored
    ]
    yield Obligation("one of the paths", evaluator.facts, z3.Or(here, *there))


def _copies(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """A narrow load of a spilled number: the number itself only where it fits."""
    for size in (1, 2, 4, 8):
        x, c = fresh_scalar("x"), number("c")
        evaluator = evaluator_with([], mutants)
        evaluator.facts.append(is_member(x, c))
        stand_in = SimpleNamespace(number=lambda value, *_: SimpleNamespace(scalar=value))
        spilled = SimpleNamespace(scalar=x)
        loaded = evaluator.call(stack._narrowed, stand_in, spilled, size)
        yield from _loaded(f"load of {size}", evaluator, loaded, c & ((1 << 8 * size) - 1))
    for op in (AluOp.MOV, AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32):
        for wide in (True, False):
            x, c = fresh_scalar("x"), number("c")
            bits = op.value.sign_extends
            reader = Evaluator()
            ghosts = [reader.call(semantics.sign_extend, c, bits, 64)] if bits else []
            evaluator = evaluator_with(ghosts, mutants)
            evaluator.facts.append(is_member(x, c))
            stand_in = SimpleNamespace(
                number=lambda value, *_: SimpleNamespace(scalar=value),
                unlinked=lambda value: value,
                linked=lambda value, *_, root, off: SimpleNamespace(scalar=value, link=(root, off)),
            )
            insn = Alu(op, RegNumber(1), RegNumber(2), wide=wide)
            moved = evaluator.call(arithmetic._move, stand_in, insn, _register(x, 7))
            concrete = reader.call(semantics.alu, op, 0, c, 64 if wide else 32)
            yield from _loaded(f"{op.name} {64 if wide else 32}", evaluator, moved, concrete)
            for when, reg in cases(moved):
                if hasattr(reg, "link"):  # a copy, though another object
                    same = z3.Implies(when, c.compare("__eq__", concrete).is_true)
                    stays = z3.BoolVal(reg.link == (7, 0))
                    goal = z3.And(same, stays)
                    yield Obligation(f"{op.name} {wide}: linked", list(evaluator.facts), goal)


def _loaded(name: str, evaluator: Evaluator, value: Any, z: Term) -> Iterator[Obligation]:
    for condition, reg in cases(value):
        for view, goal in contains(reg.scalar, z).items():
            implied = z3.Implies(condition, goal)
            yield Obligation(f"{name}: {view}", list(evaluator.facts), implied)


_ARITHMETIC = "beebox.verifier.arithmetic"

PROOFS = (
    Proof(
        "refine linked",
        _refine,
        (Mutant("beebox.verifier.path", "const(reg.off - old.off)", "const(old.off - reg.off)"),),
    ),
    Proof(
        "link sums",
        _link,
        (
            Mutant(_ARITHMETIC, "else -right.scalar.smin\n            path", "else right.scalar.smin\n            path"),
            Mutant(_ARITHMETIC, "return not (left.id and left.off) and not", "return not"),
            Mutant(_ARITHMETIC, "if insn.wide and right.scalar.is_const and op in _SUMS", "if right.scalar.is_const and op in _SUMS"),
        ),
    ),
    Proof(
        "fork masked signs",
        _fork,
        (
            Mutant(_ARITHMETIC, "if scalar.smin == -1 and scalar.smax == 0:", "if scalar.smin == -1 and scalar.smax >= 0:"),
            Mutant(_ARITHMETIC, "make(high | U32, mask, *ranges), make(high, mask, *ranges)", "make(high | U32, mask, *ranges), make(high, 0, *ranges)"),
        ),
        quick=True,
    ),
    Proof(
        "copies",
        _copies,
        (
            Mutant("beebox.verifier.stack", "if value.scalar.umax >> 8 * size == 0 and", "if value.scalar.umin >> 8 * size == 0 and"),
            Mutant(_ARITHMETIC, "value.scalar.umax < 1 << (bits - 1):", "value.scalar.umax < 1 << bits:"),
        ),
    ),
)  # fmt: skip
