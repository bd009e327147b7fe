"""Random programs: the same verdicts, packets and maps in every engine and in Linux."""

from __future__ import annotations

import random

import engines
import pytest
from generator import Generator

from beebox.verifier.verify import verify

PROGRAMS = 240
CHUNK = 20


def _packets(seed: int) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(source.choice((14, 40, 64, 64, 100, 1000))) for _ in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, PROGRAMS, CHUNK))
def test_interpreter_and_native_code_agree(start):
    for seed in range(start, start + CHUNK):
        verified = verify(engines.program(Generator(seed).program())).require_accepted()
        assert len(verified.spec.insns) >= 50
        packets = _packets(seed)
        assert engines.interpret(verified, packets) == engines.execute(verified, packets), seed


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, PROGRAMS, CHUNK))
def test_linux_agrees(start):
    for seed in range(start, start + CHUNK):
        verified = verify(engines.program(Generator(seed).program())).require_accepted()
        packets = _packets(seed)
        assert engines.linux(verified.spec, packets) == engines.execute(verified, packets), seed


def test_optimisation_changes_nothing():
    for seed in range(1000, 1005):
        verified = verify(engines.program(Generator(seed).program())).require_accepted()
        packets = _packets(seed)
        plain = engines.execute(verified, packets, opt=0)
        assert plain == engines.execute(verified, packets, opt=2), seed


def test_generator_covers_the_instruction_set():
    text = "\n".join(Generator(seed).program() for seed in range(40))
    for needle in ("s/=", "s%=", "s>>=", "(s8)", "(s32)", "bswap16", "be64", "cmpxchg_64"):
        assert needle in text
    for needle in ("xchg32_32", "atomic_fetch_xor", "lock *(u32", "call mix", "call 3", "*(s16 *)"):
        assert needle in text
