"""Damaged objects, through every step before a kernel: a result or a refusal, in bounds.

The mutants are the same in every run, unless BEEBOX_FUZZ_SEED chooses others; ``fuzz/objects.py``
runs as many as there is time for.
"""

from __future__ import annotations

import os
import random

import pytest
from object_mutants import Memory, Steps, TooMuchError, bombard, kernel, others, seeds

MUTANTS = 1500


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


def test_too_much_memory_is_noticed() -> None:
    memory = Memory()
    memory.check(0)
    taken = [bytearray(1 << 20) for _ in range(70)]
    assert taken[-1][:1] == b"\0"
    del taken
    with pytest.raises(TooMuchError):
        memory.check(1 << 20)
    memory.check(0)
