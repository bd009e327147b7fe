"""Proofs: named, each a list of obligations for z3, each with mutants that must be refuted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import z3

from sources import Mutant

_BRIEF_SECONDS = 2.0  # for what is worth a try


class Obligation(NamedTuple):
    """``goal`` follows from ``facts``. ``logic``: z3's name of the theory, "" for any."""

    name: str
    facts: Sequence[z3.BoolRef]
    goal: z3.BoolRef
    logic: str = "QF_BV"


@dataclass(frozen=True, slots=True)
class Proof:
    """``build`` makes the obligations from the source, or from a mutated one.

    ``quick`` proofs are part of `make test`.
    """

    name: str
    build: Callable[[Sequence[Mutant]], Iterable[Obligation]]
    mutants: tuple[Mutant, ...]
    quick: bool = False


class Outcome(NamedTuple):
    """What became of a proof: ``problems`` is empty when it holds and its mutants do not."""

    name: str
    obligations: int
    seconds: float
    slowest: str
    problems: list[str]


def check(obligation: Obligation, seconds: float) -> tuple[z3.CheckSatResult, str]:
    """Whether a counterexample exists, and which."""
    facts = [part for fact in obligation.facts for part in _conjuncts(fact)]
    if z3.is_implies(obligation.goal):  # the conclusion may hold whatever the condition
        stronger = obligation._replace(goal=obligation.goal.arg(1))
        about = _unknowns(stronger.goal)
        near = [fact for fact in facts if _unknowns(fact) <= about]
        verdict, solver = _refute(stronger, near, min(seconds, _BRIEF_SECONDS))
        if verdict == z3.unsat:
            return verdict, ""
    about = _unknowns(obligation.goal)
    near = [fact for fact in facts if _unknowns(fact) <= about]  # mostly enough, and much faster
    verdict, solver = _refute(obligation, near, seconds)
    if verdict != z3.unsat and len(near) < len(facts):
        verdict, solver = _refute(obligation, facts, seconds)
    if verdict != z3.sat:
        return verdict, ""
    model = solver.model()
    shown = sorted((str(name), str(model[name])) for name in model.decls())
    return verdict, ", ".join(f"{name}={value}" for name, value in shown)


def _is_refuted(proof: Proof, mutant: Mutant, seconds: float) -> bool:
    return any(check(one, seconds)[0] == z3.sat for one in proof.build((mutant,)))


def _refute(
    obligation: Obligation, facts: Sequence[z3.BoolRef], seconds: float
) -> tuple[z3.CheckSatResult, z3.Solver]:
    solver = z3.SolverFor(obligation.logic) if obligation.logic else z3.Solver()
    solver.set("timeout", int(seconds * 1000))
    solver.add(*facts, z3.Not(obligation.goal))
    return solver.check(), solver


def _conjuncts(fact: z3.BoolRef) -> Iterable[z3.BoolRef]:
    if z3.is_and(fact):
        for part in fact.children():
            yield from _conjuncts(part)
    else:
        yield fact


def _unknowns(term: z3.ExprRef) -> set[str]:
    """The names of the constants in a term."""
    found: set[str] = set()
    seen: set[int] = set()
    todo = [term]
    while todo:
        one = todo.pop()
        if one.get_id() in seen:
            continue
        seen.add(one.get_id())
        if z3.is_const(one) and one.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found.add(one.decl().name())
        todo += one.children()
    return found


def run(proof: Proof, limit_seconds: float) -> Outcome:
    """Prove it, and refute its mutants."""
    begin = time.monotonic()
    count, slowest, longest = 0, "", 0.0
    problems: list[str] = []
    for obligation in proof.build(()):
        count += 1
        started = time.monotonic()
        verdict, example = check(obligation, limit_seconds)
        took = time.monotonic() - started
        if took > longest:
            longest, slowest = took, f"{obligation.name} {took:.1f} s"
        if verdict == z3.sat:
            problems.append(f"{obligation.name} is false: {example}")
        elif verdict == z3.unknown:
            problems.append(f"{obligation.name} is not decided in {limit_seconds:.0f} s")
    if not count:
        problems.append("there is nothing to prove")
    if not proof.mutants:
        problems.append("it has no mutant")
    problems += [
        f"the mutant {mutant.new.strip()!r} survives"
        for mutant in proof.mutants
        if not _is_refuted(proof, mutant, _BRIEF_SECONDS)
        and not _is_refuted(proof, mutant, limit_seconds)
    ]
    return Outcome(proof.name, count, time.monotonic() - begin, slowest, problems)
