"""5,000 random programs over the instruction table: interpreter, native code and Linux agree.

Native code is made without optimisation, where it is quick, and for one chunk in ten as for users;
``fuzz/engines.py`` draws more, all optimised.
"""

from __future__ import annotations

import struct

import coverage_of
import engines
import pytest
from agreement import Linux, Userspace, accepted, packets_of, spec_of
from opcode_programs import OpcodeProgram

from beebox.tables.program_types import ProgramType

PROGRAMS = 5000
CHUNK = 100
STARTS = range(0, PROGRAMS, CHUNK)
NOT_DRAWN = {
    "call kfunc": "kernel functions are refused as not-supported",
    "addr_space_cast": "arenas are refused as not-supported",
}


def kind_of(seed: int) -> ProgramType:
    """One chunk in five holds tc programs, which have packet loads."""
    return ProgramType.SCHED_CLS if seed // CHUNK % 5 == 4 else ProgramType.XDP


def drawn_by(seed: int) -> OpcodeProgram:
    return OpcodeProgram(seed, kind_of(seed))


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_interpreter_and_native_code_agree(start: int):
    kind, seeds = kind_of(start), range(start, start + CHUNK)
    programs = [accepted(drawn_by(seed).insns, kind) for seed in seeds]
    packets = [packets_of(seed) for seed in seeds]
    userspace = Userspace(kind)
    native = userspace.execute(programs, packets, opt=2 if start % (9 * CHUNK) == 0 else 0)
    for at, program in enumerate(programs):
        assert userspace.interpret(program, packets[at]) == native[at], start + at


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_linux_agrees(start: int):
    kind = kind_of(start)
    userspace = Userspace(kind)
    with Linux() as linux:
        for seed in range(start, start + CHUNK):
            spec, packets = spec_of(drawn_by(seed).insns, kind), packets_of(seed)
            assert userspace.interpret(spec, packets) == linux.run(spec, packets), seed


def test_every_row_is_drawn():
    drawn: set[str] = set()
    for seed in range(PROGRAMS):
        drawn |= coverage_of.rows(drawn_by(seed).insns)
    assert drawn | set(NOT_DRAWN) == coverage_of.all_rows()
    assert not drawn & set(NOT_DRAWN)


def test_runs_are_not_trivial():
    """Programs get past their checks, write their packets, many also the array."""
    userspace = Userspace()
    packet_changed = values_changed = 0
    for seed in range(100):
        packets = packets_of(seed)
        outcome = userspace.interpret(spec_of(OpcodeProgram(seed).insns), packets)
        packet_changed += outcome[0][1] != packets[0]
        values_changed += outcome[2][1] != bytes(64)
    assert packet_changed == 100
    assert values_changed > 25


# What the random programs found in Linux 6.18, and no longer draw.

PRUNED_CMPXCHG = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 64
r0 = 1
if r2 > r7 goto leave
r0 = *(u64 *)(r6 + 0)
r3 = *(u64 *)(r6 + 8)
r4 = *(u64 *)(r6 + 16)
r5 = 5
*(u64 *)(r10 - 8) = r5
if r4 == 0 goto exchange
r0 = r3
goto store
exchange:
w0 = cmpxchg32_32(r10 - 8, w0, w3)
store:
r0 >>= 32
leave:
exit
"""
SPILLED_FETCH = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 64
r0 = 7
if r2 > r7 goto leave
r4 = *(u64 *)(r6 + 24)
r3 = *(u64 *)(r6 + 8)
if r3 > 64 goto store
r4 = -6
goto store
store:
*(u64 *)(r10 - 8) = r4
r4 = 1
r4 = atomic_fetch_and((u64 *)(r10 - 8), r4)
r0 = 2
if r4 s> -5 goto positive
leave:
exit
positive:
r0 = 0
exit
"""
FOUND = {
    # R0 keeps its upper half after a 32-bit cmpxchg that succeeds (x86)
    "cmpxchg": (PRUNED_CMPXCHG, "no zero extension where the path behind a cmpxchg was pruned"),
    # so a path with another value is pruned, and a branch that it takes is removed
    "fetch": (SPILLED_FETCH, "precision does not follow an atomic fetch to the stack slot"),
}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("engine", [engines.interpret, engines.execute])
def test_found_in_linux_not_here(engine, name: str):
    assert _run(engine, FOUND[name][0]) == 0


@pytest.mark.linux
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=name, marks=pytest.mark.xfail(strict=True, reason=reason))
        for name, (text, reason) in FOUND.items()
    ],
)
def test_found_in_linux(text: str):
    assert _run(lambda verified, packets: engines.linux(verified.spec, packets), text) == 0


def _run(engine, text: str) -> int:
    packet = struct.pack("<4Q", 0xBBAA00000005, 100, 0, 1 << 62) + bytes(32)
    ((verdict, _),) = engine(engines.accepted(text), [packet]).runs
    return verdict
