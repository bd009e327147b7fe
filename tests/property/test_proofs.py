"""The quick proofs of `make prove`, and that what is proved is what Python computes.

The evaluator runs the verifier's functions on unknown numbers. Here its terms are given random
numbers, and CPython runs the same functions on them.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import z3

from beebox.isa import semantics
from beebox.tables.opcodes import AluOp, JmpOp
from beebox.verifier.numbers import branch, scalar, tnum, transfer
from beebox.verifier.numbers.scalar import U32, U64, Scalar
from evaluator import Evaluator
from members import VIEWS, as_scalar, interned
from merging import Choice, Instance, truth
from terms import Flag, Term, signed, unsigned

SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
EDGES = [0, 1, 2, 31, 32, 63, 0x7FFF_FFFF, 0x8000_0000, U32, U32 + 1, U64 >> 1, (U64 >> 1) + 1]
EDGES += [U64 - 1, U64, 0xFFFF_FFFF_0000_0000, 0x8000_0000_8000_0000]


def test_quick_proofs_hold_and_refute_their_mutants(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "proofs/run.py", "--quick", "--jobs", "1"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


class Unknowns:
    """Fresh numbers by name, and random values for them."""

    def __init__(self):
        self.terms = {}

    def take(self, name, bits, *, is_signed=False):
        self.terms[name] = (signed if is_signed else unsigned)(name, bits)
        return self.terms[name]

    def scalar(self, name):
        fields = {}
        for view in VIEWS:
            bits = 32 if "32" in view else 64
            fields[view] = self.take(f"{name}.{view}", bits, is_signed=view.startswith("s"))
        return as_scalar(fields)

    def draw(self, pick):
        """``(substitution for z3, {name: value})``."""
        values, pairs = {}, []
        for name, term in self.terms.items():
            bits = term.bits.size() - (term.low >= 0)
            number = pick.choice(EDGES) if pick.random() < 0.6 else pick.getrandbits(64)
            number &= (1 << bits) - 1
            values[name] = semantics.to_signed(number, bits) if term.low < 0 else number
            pairs.append((z3.BitVec(name, bits), z3.BitVecVal(number, bits)))
        return pairs, values


def concrete(value, pairs):
    """``value`` under a substitution, as Python's own."""
    if isinstance(value, Flag):
        return z3.is_true(z3.simplify(z3.substitute(value.is_true, *pairs)))
    if isinstance(value, Term):
        return z3.simplify(z3.substitute(value.bits, *pairs)).as_signed_long()
    if isinstance(value, Choice):
        for condition, one in value.cases:
            if concrete(Flag(condition), pairs):
                return concrete(one, pairs)
        pytest.fail("no alternative holds")
    if isinstance(value, Instance):
        views = value.made_from or value.fields
        return tuple(concrete(views[view], pairs) for view in VIEWS)
    if isinstance(value, Scalar):
        return tuple(getattr(value, view) for view in VIEWS)
    if isinstance(value, branch.Outcome):
        sides = (value.x_jump, value.y_jump, value.x_fall, value.y_fall)
        return concrete((value.taken, *sides), pairs)
    if isinstance(value, tuple):
        return tuple(concrete(one, pairs) for one in value)
    return value


def agree(unknowns, symbolic, native, *, rounds=12, seed=1):
    pick = random.Random(seed)
    for _ in range(rounds):
        pairs, values = unknowns.draw(pick)
        expected = concrete(native(values), [])
        assert concrete(symbolic, pairs) == expected, values


def given(values, name):
    """The scalar that the unknowns of this name were given, whether or not its views agree."""
    return Scalar(tuple(values[f"{name}.{view}"] for view in VIEWS), 0)


def as_given(*args, **options):
    """Instead of ``make``: the views, not tightened."""
    defaults = [0, U64, 0, U64, scalar.S64_MIN, scalar.S64_MAX, 0, U32]
    defaults += [scalar.S32_MIN, scalar.S32_MAX]
    views = dict(zip(VIEWS, defaults, strict=True)) | dict(zip(VIEWS, args, strict=False))
    views |= {name: value for name, value in options.items() if name != "force"}
    if any(isinstance(value, (Term, Flag)) for value in views.values()):
        return as_scalar(views)
    return Scalar(tuple(views[view] for view in VIEWS), 0)


def evaluator():
    contracts = {
        scalar.make: lambda _evaluator, *args, **options: as_given(*args, **options),
        scalar._intern: interned,
        scalar._new: interned,
    }
    made = Evaluator(contracts=contracts)
    made.undecided = True
    return made


@pytest.fixture
def untightened(monkeypatch):
    """The functions under test, with the same stand-in for ``make`` as the evaluator has."""
    for module in (scalar, transfer, branch):
        monkeypatch.setattr(module, "make", as_given)


@pytest.mark.parametrize("function", [tnum.add, tnum.sub], ids=["add", "sub"])
def test_tnums(function):
    unknowns = Unknowns()
    args = [unknowns.take(name, 64) for name in ("av", "am", "bv", "bm")]
    agree(unknowns, evaluator().call(function, *args, U64), lambda v: function(*v.values(), U64))


def test_members_of_tnums():
    unknowns = Unknowns()
    args = [unknowns.take(name, 64) for name in ("value", "mask", "low", "high")]
    found = evaluator().call(tnum.single, *args)
    agree(unknowns, found, lambda v: tnum.single(*v.values()), rounds=60)


def test_ranges_from_each_other():
    unknowns = Unknowns()
    args = [unknowns.take(name, 64) for name in ("umin", "umax")]
    args += [unknowns.take(name, 64, is_signed=True) for name in ("smin", "smax")]
    found = evaluator().call(scalar._cross, *args, U64, 1 << 63)
    agree(unknowns, found, lambda v: scalar._cross(*v.values(), U64, 1 << 63), rounds=60)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("op", list(AluOp), ids=lambda op: op.name)
def test_concrete_arithmetic(op, bits):
    unknowns = Unknowns()
    c, d = unknowns.take("c", 64), unknowns.take("d", 64)
    found = evaluator().call(semantics.alu, op, c, d, bits)
    agree(unknowns, found, lambda v: semantics.alu(op, v["c"], v["d"], bits))


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize(
    "op", [op for op in AluOp if op not in SHIFTS and op is not AluOp.MUL], ids=lambda op: op.name
)
@pytest.mark.usefixtures("untightened")
def test_abstract_arithmetic(op, wide):
    unknowns = Unknowns()
    found = evaluator().call(
        transfer.alu, op, unknowns.scalar("x"), unknowns.scalar("y"), wide=wide
    )

    def native(values):
        x, y = given(values, "x"), given(values, "y")
        transfer.forget()  # they have no uid of their own
        return transfer.alu(op, x, y, wide=wide)

    agree(unknowns, found, native)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("op", list(JmpOp), ids=lambda op: op.name)
@pytest.mark.usefixtures("untightened")
def test_abstract_comparison(op, wide):
    unknowns = Unknowns()
    x, y = unknowns.scalar("x"), unknowns.scalar("y")
    one = evaluator()
    one.undecided = op is not JmpOp.SET  # which exchanges its operands once, by what is known
    found = one.call(branch.branch, op, x, y, wide=wide)

    def native(values):
        branch.forget()
        return branch.branch(op, given(values, "x"), given(values, "y"), wide=wide)

    agree(unknowns, found, native)


def test_truth_is_that_of_python():
    assert truth(0) is False
    assert truth(Flag(z3.BoolVal(True))) is True
    assert z3.is_bool(truth(unsigned("any", 8)))
