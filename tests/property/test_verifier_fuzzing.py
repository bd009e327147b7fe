"""The fuzzer's own parts: edits, mutations, the minimiser, what its generators are made of."""

from __future__ import annotations

from collections import Counter

import pytest
from verifier_fuzz import coverage, edits
from verifier_fuzz.campaign import OFFLINE, code_of, program, verdict
from verifier_fuzz.minimise import minimised
from verifier_fuzz.mutations import mutated

from beebox.isa.codec import decode, encode
from beebox.isa.instruction import GlobalRef, LoadImm64, MapRef

_SEEDS = range(120)


@pytest.mark.parametrize("kind", OFFLINE)
def test_taking_apart_and_putting_together_changes_nothing(kind):
    for seed in _SEEDS:
        spec = program(kind, seed, 0)
        assert edits.put_together(spec, edits.take_apart(spec)) == spec


@pytest.mark.parametrize("kind", OFFLINE)
def test_mutants_are_programs(kind):
    changed = 0
    for seed in _SEEDS:
        spec = program(kind, seed, 0)
        other = mutated(spec, seed)
        plain = [
            insn
            for insn in other.insns
            if not (isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef))
        ]
        assert tuple(decode(encode(plain))) == tuple(plain)
        changed += other != spec
    assert changed > 0.8 * len(_SEEDS)


def test_removed_instructions_take_no_jump_with_them():
    spec = program("values", 3, 0)
    parts = edits.take_apart(spec)
    for index in range(len(parts.insns)):
        less = edits.take_apart(edits.put_together(spec, edits.without(parts, (index,))))
        assert len(less.insns) == len(parts.insns) - 1
        kept = [insn for at, insn in enumerate(parts.insns) if at != index]
        assert [type(insn) for insn in less.insns] == [type(insn) for insn in kept]


def test_minimised_programs_still_show_it_and_are_small():
    sizes = {}
    for seed in range(40):
        spec = program("values", seed, 0)
        code = code_of(verdict(spec))
        if code in {"accepted", "too-complex"}:
            continue
        small = minimised(spec, lambda other, code=code: code_of(verdict(other)) == code)
        assert code_of(verdict(small)) == code
        sizes[seed] = len(small.insns)
    assert len(sizes) > 10
    assert max(sizes.values()) <= 20
    assert sum(sizes.values()) <= 13 * len(sizes)


def test_every_operation_is_generated():
    seen = Counter()
    for kind in OFFLINE:
        for seed in range(800):
            spec = program(kind, seed, 10)
            seen.update(filter(None, map(coverage.form, spec.insns)))
    assert [name for name in coverage.FORMS if not seen[name]] == []
