"""Scalars: the tightening in ``make`` loses no number; inclusion, constants, sizes.

``make`` is proved statement by statement. The invariant is that a number which was in all views is
still in all views; behind each statement the views are forgotten but for the invariant, loops
included, so the proof holds for any number of rounds and in whatever order the rules are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import z3

from beebox.verifier.numbers import scalar, tnum
from evaluator import Evaluator, Frame
from ledger import Obligation, Proof
from members import (
    VIEWS,
    contains,
    evaluator_with,
    fresh_scalar,
    fresh_views,
    in_views,
    interned,
    is_member,
    lemma_of_make,
    number,
    signed_of,
    views_of,
)
from merging import TRUE, cases, formula, merge, truth
from sources import Mutant, source_of
from terms import Flag, Term, as_term, unsigned
from tnums import in_tnum

_MODULE = "beebox.verifier.numbers.scalar"


class _Cut(Evaluator):
    """Runs ``make``, forgetting everything but the invariant wherever it can."""

    def __init__(self, member: Term, mutants: Sequence[Mutant]) -> None:
        contracts = {
            scalar.make: lemma_of_make([member]),  # the recursion has fewer views: induction
            scalar._intern: interned,
            scalar._new: interned,
            tnum.single: _lemma_of_single(member),
        }
        super().__init__(contracts=contracts, mutants=mutants)
        self.member = member
        self.found: list[Obligation] = []
        self.top = Frame({}, dict(vars(scalar)))
        self.force = Flag(z3.Bool("force"))

    def prove(self) -> list[Obligation]:
        node = source_of(scalar.make, self.mutants)
        self._forget()
        self._cut(node.body)
        return self.found

    def _forget(self) -> None:
        kept = {name: self.top.names[name] for name in ("last",) if name in self.top.names}
        self.top.names = {**kept, **fresh_views("v"), "force": self.force}
        self.top.done = z3.BoolVal(False)
        self.guard = TRUE
        self.facts = list(in_views(self._views(), self.member).values())

    def _views(self) -> dict[str, Any]:
        return {view: self.top.names[view] for view in VIEWS}

    def _cut(self, body: Sequence[ast.stmt]) -> None:
        for index, statement in enumerate(body):
            if isinstance(statement, ast.For):  # its body runs from any state of the invariant
                self._keeps(statement)
                self._forget()
                self.assign(statement.target, Flag(z3.FreshBool("round")), self.top)
                self._cut(statement.body)
                self._forget()
                continue
            if self.statement(statement, self.top):
                return
            temporary = set(self.top.names) - {*VIEWS, "force", "last", "_"}
            if not temporary & _read(body[index + 1 :]):
                self._keeps(statement)
                self._forget()

    def _keeps(self, statement: ast.stmt) -> None:
        where = f"line {statement.lineno}"
        here = z3.And(self.guard, z3.Not(self.top.done))
        for view, goal in in_views(self._views(), self.member).items():
            self.found.append(
                Obligation(f"{where} keeps {view}", list(self.facts), z3.Implies(here, goal))
            )

    def statement(self, node: ast.stmt, frame: Frame) -> bool:
        if isinstance(node, ast.Break):  # out of a loop: what follows it assumes the invariant
            self._keeps(node)
            self.ended(frame)
            return True
        return super().statement(node, frame)

    def returned(self, frame: Frame, value: Any) -> None:
        if frame is self.top:
            here = z3.And(self.guard, z3.Not(frame.done))
            goal = z3.Implies(here, is_member(value, self.member))
            self.found.append(Obligation("what it returns", list(self.facts), goal))
        super().returned(frame, value)


def _lemma_of_single(member: Term) -> Callable[..., Any]:
    """Instead of ``tnum.single``: by its proof, None or the member in the range."""

    def contract(evaluator: Evaluator, value: Any, mask: Any, low: Any, high: Any) -> Any:
        found, number_found = z3.FreshBool("found"), unsigned("single", 64)
        inside = [
            in_tnum(value, mask, member, scalar.U64),
            as_term(low).compare("__le__", member).is_true,
            member.compare("__le__", high).is_true,
        ]
        same = number_found.compare("__eq__", member).is_true
        evaluator.facts.append(z3.Implies(z3.And(inside), same))
        return merge(found, number_found, None)

    return contract


def _read(body: Sequence[ast.stmt]) -> set[str]:
    """Names that statements read and do not set on top level before."""
    found: set[str] = set()
    known: set[str] = set()
    for statement in body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        loaded = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        if isinstance(statement, ast.Assign):
            found |= loaded - known
            known |= stored
        else:
            found |= loaded - stored - known
    return found


def _make(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    yield from _Cut(number("c"), mutants).prove()


def _tight(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    """Where the low half's bits are known, its ranges are that number: 32-bit shifts rely on it.

    Of a scalar with members. The last round and what follows it, from any views.
    """
    node = source_of(scalar.make, mutants)
    (at,) = (index for index, part in enumerate(node.body) if isinstance(part, ast.For))
    evaluator = evaluator_with([], mutants)
    evaluator.contracts[scalar.make] = _tight_by_induction
    evaluator.undecided = True
    names = {**fresh_views("v"), "force": Flag(z3.Bool("force")), "last": True}
    frame = Frame(names, dict(vars(scalar)))
    parts = [*node.body[:at], *node.body[at].body, *node.body[at + 1 :]]
    first_after = len(node.body[:at]) + len(node.body[at].body)
    leaving = False
    for index, part in enumerate(parts):
        leaving = leaving or (isinstance(part, ast.If) and isinstance(part.body[0], ast.Break))
        if (index >= first_after or not leaving) and evaluator.statement(part, frame):
            break
    for condition, value in frame.returns:
        for when, one in cases(value):
            if one is not scalar.EMPTY:
                goal = z3.Implies(z3.And(condition, when), _is_tight(one))
                yield Obligation("the ranges of the low half", evaluator.facts, goal)


def _tight_by_induction(evaluator: Evaluator, *_args: Any, **_options: Any) -> Any:
    made = fresh_scalar("made")
    evaluator.facts.append(_is_tight(made))
    return made


def _is_tight(value: Any) -> z3.BoolRef:
    views = {name: as_term(view) for name, view in views_of(value).items()}
    low = views["value"] & scalar.U32
    known = (views["mask"] & scalar.U32).compare("__eq__", 0).is_true
    same = [views[view].compare("__eq__", low).is_true for view in ("u32_min", "u32_max")]
    signed_low = signed_of(low, 32)
    same += [views[view].compare("__eq__", signed_low).is_true for view in ("s32_min", "s32_max")]
    return z3.Implies(known, z3.And(same))


def _subset(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = evaluator_with([], mutants)
    inner, outer, z = fresh_scalar("inner"), fresh_scalar("outer"), number("c")
    evaluator.facts.append(is_member(inner, z))
    evaluator.facts.append(formula(truth(evaluator.call(scalar.subset, inner, outer))))
    for view, goal in contains(outer, z).items():
        yield Obligation(f"members of the inner: {view}", evaluator.facts, goal)


def _const(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = evaluator_with([], mutants)
    z = number("c")
    for view, goal in contains(evaluator.call(scalar.const, z), z).items():
        yield Obligation(view, evaluator.facts, goal)


def _unsigned_range(mutants: Sequence[Mutant]) -> Iterator[Obligation]:
    evaluator = evaluator_with([], mutants)
    low, high, z = number("low"), number("high"), number("c")
    evaluator.facts += [low.compare("__le__", z).is_true, z.compare("__le__", high).is_true]
    result = evaluator.call(scalar.unsigned_range, low, high)
    for view, goal in contains(result, z).items():
        yield Obligation(view, evaluator.facts, goal)


PROOFS = (
    Proof(
        "make is tight",
        _tight,
        (
            Mutant(
                _MODULE,
                "        u32_max = min(u32_max, low_value | low_mask)",
                "        u32_max = min(u32_max, umax & U32)",
            ),
        ),
    ),
    Proof(
        "subset",
        _subset,
        (
            Mutant(_MODULE, "and inner.smax <= outer.smax", "and inner.smin <= outer.smax"),
            Mutant(_MODULE, "not inner.mask & ~outer.mask", "not outer.mask & ~inner.mask"),
        ),
        quick=True,
    ),
    Proof(
        "const",
        _const,
        (Mutant(_MODULE, "signed32 = low if low < _SIGN32", "signed32 = low if low > _SIGN32"),),
        quick=True,
    ),
    Proof(
        "unsigned_range",
        _unsigned_range,
        (Mutant(_MODULE, "return make(0, U64, low, high)", "return make(0, U64, high, low)"),),
        quick=True,
    ),
    Proof(
        "make",
        _make,
        (
            Mutant(_MODULE, "if s32_min >= 0 and smin >= S32_MIN and", "if smin >= S32_MIN and"),
            Mutant(_MODULE, "if (umin >> 32) + 1 == umax >> 32:", "if umin >> 32 <= umax >> 32:"),
            Mutant(_MODULE, "elif umax < low:", "elif umax > low:"),
        ),
    ),
)
