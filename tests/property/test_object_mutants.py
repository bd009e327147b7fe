"""Damaged objects, through every step before a kernel: a result or a refusal, in bounds.

The mutants are the same in every run, unless BEEBOX_FUZZ_SEED chooses others; ``fuzz/objects.py``
runs as many as there is time for.
"""

from __future__ import annotations

import os
import random

import pytest
from object_giants import giants
from object_mutants import Memory, Steps, TooMuchError, bombard, kernel, others, seeds

MUTANTS = 900
PART = 8
"""Giants of an eighth; whole ones are part of the fuzzer."""


@pytest.mark.slow
def test_mutants_of_objects() -> None:
    steps = Steps(kernel(), others())
    seed = int(os.environ.get("BEEBOX_FUZZ_SEED", "0"))
    whole = seeds()
    assert {name for _, name in bombard(whole, seed, iter(range(MUTANTS)), steps)} == set(whole)
    for step, done in steps.done.items():
        if step in {"read", "resolve", "link", "types", "static link"}:  # neither weak nor strong
            assert 0 < steps.refused[step] < done, step
    unharmed = Steps(kernel(), others())
    for name, data in whole.items():
        unharmed.run(data, random.Random(name))
    assert set(unharmed.refused) <= {"static link", "resolve", "link"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(giants(PART)))
def test_giants(name: str) -> None:
    """Every step within its second, all within the memory that their size allows."""
    steps = Steps(kernel(), others())
    data = giants(PART)[name]
    memory = Memory()
    steps.all(data)
    memory.check(len(data))


def test_too_much_memory_is_noticed() -> None:
    memory = Memory()
    memory.check(0)
    taken = b"x" * (70 << 20)
    del taken
    with pytest.raises(TooMuchError):
        memory.check(1 << 20)
    memory.check(0)
