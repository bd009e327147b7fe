"""Symbolic scalars, and what it means that a number is among those that a scalar stands for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

import z3

from beebox.verifier.numbers import scalar
from beebox.verifier.numbers.scalar import S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32, U64, Scalar
from evaluator import Evaluator
from merging import Instance, cases
from sources import Mutant
from terms import Flag, Term, as_term, signed, unsigned

VIEWS: Final = (
    "value",
    "mask",
    "umin",
    "umax",
    "smin",
    "smax",
    "u32_min",
    "u32_max",
    "s32_min",
    "s32_max",
)
_fresh = itertools.count()

Goals = dict[str, z3.BoolRef]


def number(name: str) -> Term:
    """A fresh concrete number: 64 bits, unsigned."""
    return unsigned(name, 64)


def fresh_views(name: str) -> dict[str, Any]:
    """Views of which only the types are known."""
    name = f"{name}#{next(_fresh)}"
    views: dict[str, Any] = {}
    for view in VIEWS:
        make = signed if view.startswith("s") else unsigned
        views[view] = make(f"{name}.{view}", 32 if "32" in view else 64)
    return views


def as_scalar(views: dict[str, Any]) -> Instance:
    """A scalar with these views, whether or not they agree."""
    is_const = Flag(as_term(views["mask"]).compare("__eq__", 0).is_true)
    uid = unsigned(f"uid#{next(_fresh)}", 64)
    return Instance(Scalar, {**views, "is_const": is_const, "uid": uid})


def fresh_scalar(name: str) -> Instance:
    """Any scalar."""
    return as_scalar(fresh_views(name))


def signed_of(z: Term, bits: int) -> Term:
    """The low bits, read as two's complement."""
    half = 1 << (bits - 1)
    return Term(z3.Extract(bits - 1, 0, z.at(bits)), -half, half - 1)


def in_views(views: dict[str, Any], z: Term) -> Goals:
    """``z`` is inside of each view, and each view has its type."""
    v = {name: as_term(view) for name, view in views.items()}

    def ordered(*numbers: Any) -> z3.BoolRef:
        pairs = itertools.pairwise(map(as_term, numbers))
        return z3.And([low.compare("__le__", high).is_true for low, high in pairs])

    bits = (z & ~v["mask"]).compare("__eq__", v["value"]).is_true
    typed = [ordered(0, v["value"], U64), ordered(0, v["mask"], U64), ordered(0, z, U64)]
    low, wide, half = z & U32, signed_of(z, 64), signed_of(z, 32)
    return {
        "bits": z3.And(bits, *typed),
        "umin": ordered(0, v["umin"], z),
        "umax": ordered(z, v["umax"], U64),
        "smin": ordered(S64_MIN, v["smin"], wide),
        "smax": ordered(wide, v["smax"], S64_MAX),
        "u32_min": ordered(0, v["u32_min"], low),
        "u32_max": ordered(low, v["u32_max"], U32),
        "s32_min": ordered(S32_MIN, v["s32_min"], half),
        "s32_max": ordered(half, v["s32_max"], S32_MAX),
    }


def views_of(value: Any) -> dict[str, Any]:
    """The views of a symbolic or a real scalar."""
    if isinstance(value, Instance):
        return {view: value.fields[view] for view in VIEWS}
    if not isinstance(value, Scalar):
        raise TypeError(f"no scalar: {value!r}")
    return {view: getattr(value, view) for view in VIEWS}


def contains(value: Any, z: Term) -> Goals:
    """``z`` is a member of ``value``, view by view."""
    found: Goals = {}
    alternatives = cases(value)
    for index, (condition, one) in enumerate(alternatives):
        views = (isinstance(one, Instance) and one.made_from) or views_of(one)
        which = f" of result {index}" if len(alternatives) > 1 else ""
        for view, goal in in_views(views, z).items():
            found[view + which] = z3.Implies(condition, goal) if which else goal
    return found


def is_member(value: Any, z: Term) -> z3.BoolRef:
    """:func:`contains` as one formula."""
    return z3.And(list(contains(value, z).values()))


def interned(_evaluator: Evaluator, key: Sequence[Any]) -> Instance:
    """Instead of ``_intern``: the scalar of these ten views."""
    return as_scalar(dict(zip(VIEWS, key, strict=True)))


def lemma_of_make(ghosts: Sequence[Term]) -> Callable[..., Instance]:
    """Instead of ``make``: a scalar that holds whatever is in all the views given.

    :func:`contains` asks for these views; the result's own are known to hold the ``ghosts`` that
    are in them, for code that reads them.
    """

    def contract(evaluator: Evaluator, *args: Any, **options: Any) -> Instance:
        defaults = dict.fromkeys(VIEWS, 0)
        defaults |= {"umax": U64, "smin": S64_MIN, "smax": S64_MAX, "u32_max": U32}
        defaults |= {"s32_min": S32_MIN, "s32_max": S32_MAX}
        views = {**defaults, **dict(zip(VIEWS, args, strict=False)), **options}
        views.pop("force", None)
        result = fresh_scalar("made")
        result.made_from = views
        for z in ghosts:
            inside = z3.And(list(in_views(views, z).values()))
            own = z3.And(list(in_views(views_of(result), z).values()))
            evaluator.facts.append(z3.Implies(inside, own))
        return result

    return contract


def evaluator_with(ghosts: Sequence[Term], mutants: Sequence[Mutant]) -> Evaluator:
    """An evaluator that uses the lemma of ``make`` for the numbers ``ghosts``."""
    contracts = {
        scalar.make: lemma_of_make(ghosts),
        scalar._intern: interned,
        scalar._new: interned,
    }
    return Evaluator(contracts=contracts, mutants=mutants)
