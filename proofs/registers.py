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
from beebox.verifier import arithmetic, path
from beebox.verifier.accesses import stack
from beebox.verifier.numbers import scalar, transfer
from beebox.verifier.numbers.scalar import U32, U64
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import Frame as CallFrame
from beebox.verifier.states.state import State
from beebox.verifier.states.value import Reg
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

    def linked(value: Any, _p1: Any, _p2: Any, *, root: int, off: Any, range_: int) -> Reg:
        assert range_ == 0
        return _register(value, next(serial), link=root, off=off)

    def followed(reg: Reg, was: Reg, new: Reg) -> Any:
        return evaluator.call(path.Path._followed, stand_in, reg, was, new)

    stand_in = SimpleNamespace(linked=linked, number=None, _followed=followed)
    path.Path.refine(stand_in, state, old, learned, None)  # type: ignore[arg-type]  # a stand-in
    regs = state.frames[0].regs
    kept = regs[3] is stranger and all(reg is not None and reg.root == 5 for reg in regs[:3])
    yield Obligation("the links stay", [], z3.BoolVal(kept))
    yield Obligation("itself", [], z3.BoolVal(regs[0] is not None and regs[0].scalar is learned))
    for reg, off, name in zip(regs[1:3], (0, there), ("base", "another"), strict=True):
        moved: Any = reg and reg.scalar
        yield from _moved(name, moved, learned, base + here & U64, base + off & U64)


class _CutOf:
    """What ``truncate`` gives, by its proof: the low bytes of members."""

    def __init__(self, value: Any, size: int) -> None:
        self.value, self.size = value, size


def _follow_short(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """The same for sums of 32 bits, of a base that has no more: they wrap."""
    base = number("base")
    learned = fresh_scalar("learned")
    offs = {"base": 0, "here": signed("here", 32), "there": signed("there", 32)}
    for was, now in (("base", "here"), ("here", "base"), ("here", "there")):
        evaluator = evaluator_with([], mutants)
        evaluator.contracts[transfer.alu] = _lemma_of_alu
        evaluator.contracts[transfer.truncate] = lambda _, value, size: _CutOf(value, size)
        stand_in = SimpleNamespace(
            linked=lambda value, *_, root, off, range_: SimpleNamespace(
                scalar=value, link=(root, off, range_)
            )
        )
        old, reg = (
            Reg(
                RegKind.SCALAR, fresh_scalar(name), 5 if name == "base" else 7, 0, off=offs[name],
                id_=0 if name == "base" else 5, range_=0 if name == "base" else 32,
            )
            for name in (was, now)
        )  # fmt: skip
        new = SimpleNamespace(scalar=learned, id=5)
        followed = evaluator.call(path.Path._followed, stand_in, reg, old, new)
        values = [base + offs[name] & scalar.U32 for name in (was, now)]
        fits = base.compare("__le__", scalar.U32).is_true
        for when, one in cases(followed):
            for inner, moved in cases(one.scalar):
                given = [fits, when, inner, evaluator.guard]
                if moved is learned:
                    same = values[1].compare("__eq__", values[0]).is_true
                    yield Obligation(f"{was} to {now}: the same", given, same)
                    continue
                cut = isinstance(moved, _CutOf) and moved.size == 4
                total = moved.value if cut else moved
                shape = cut and total.op is AluOp.ADD and total.wide and total.x is learned
                yield Obligation(f"{was} to {now}: a short sum", given, z3.BoolVal(shape))
                distance = number("distance")
                known = (values[0] + distance & scalar.U32).compare("__eq__", values[1]).is_true
                exact = (offs[now] - offs[was] & U64).compare("__eq__", distance).is_true
                yield Obligation(f"{was} to {now}: low bits", [*given, exact], known)
                for view, goal in contains(total.y, distance).items():
                    yield Obligation(f"{was} to {now}: distance, {view}", [*given, exact], goal)


def _moved(name: str, moved: Any, learned: Any, old: Term, new: Term) -> Iterator[Obligation]:
    """``moved`` holds ``new`` where ``learned`` holds ``old``: it is that, or a sum with it."""
    for when, one in cases(moved):
        if one is learned:
            same = new.compare("__eq__", old).is_true
            yield Obligation(f"{name}: the same", [], z3.Implies(when, same))
            continue
        shape = isinstance(one, _AluOf) and one.op is AluOp.ADD and one.wide
        yield Obligation(f"{name}: a sum", [], z3.BoolVal(shape and one.x is learned))
        distance = number("distance")
        known = (old + distance & U64).compare("__eq__", new).is_true
        for view, goal in contains(one.y, distance).items():
            yield Obligation(f"{name}: distance, {view}", [known, when], goal)


def _link(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """A sum with a constant is linked only where base + off is its value.

    One of 32 bits only where base + off is, cut to 32 bits, and the base has no more.
    """
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

    def linked(result: Any, _p1: Any, _p2: Any, *, root: int, off: Any, range_: int) -> Any:
        guarded = [*evaluator.facts, evaluator.guard, is_member(left.scalar, value)]
        same = (base + off & (U32 if range_ else U64)).compare("__eq__", concrete).is_true
        short = base.compare("__le__", U32).is_true if range_ else z3.BoolVal(True)
        root_is = z3.BoolVal(root == (link or 7) and range_ == (0 if wide else 32))
        found.append(Obligation(f"{name}: base + off", guarded, z3.And(same, short, root_is)))
        return SimpleNamespace(scalar=result)

    concrete = Evaluator().call(semantics.alu, op, value, amount, 64 if wide else 32)
    written: list[Any] = []
    stand_in = SimpleNamespace(
        speculation=None,
        shared={7},
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
        stand_in = SimpleNamespace(
            number=lambda value, *_: SimpleNamespace(scalar=value),
            copied=lambda value: SimpleNamespace(scalar=value.scalar),
        )
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
                copied=lambda value: SimpleNamespace(scalar=value.scalar),
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
        "follow short sums",
        _follow_short,
        (
            Mutant("beebox.verifier.path", "if reg.range or old.range:", "if old.range:"),
            Mutant("beebox.verifier.path", "moved = truncate(moved, 4)", "moved = truncate(moved, 8)"),
        ),
    ),
    Proof(
        "link sums",
        _link,
        (
            Mutant(_ARITHMETIC, "distance = amount if op is _ADD else -amount", "distance = amount"),
            Mutant(_ARITHMETIC, "if left.scalar.is_const or (left.id and left.off):", "if left.scalar.is_const:"),
            Mutant(_ARITHMETIC, "    return left.scalar.umax <= U32 and right", "    return right"),
            Mutant(_ARITHMETIC, "width = 0 if insn.wide else 32", "width = 0"),
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
            Mutant("beebox.verifier.accesses.stack", "if value.scalar.umax >> 8 * size == 0:", "if value.scalar.umin >> 8 * size == 0:"),
            Mutant(_ARITHMETIC, "value.scalar.umax < 1 << (bits - 1):", "value.scalar.umax < 1 << bits:"),
        ),
    ),
)  # fmt: skip
