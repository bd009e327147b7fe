"""What a verification forgets on the way, and how much it holds at the limit of instructions."""

from __future__ import annotations

import subprocess
import sys

import pytest
import verifier_values
from profile_cases import every_case

from beebox.verifier import explore
from beebox.verifier.numbers.scalar import ANY, const, sweep
from beebox.verifier.pruning import compaction, prune
from beebox.verifier.states.state import Frame, mark_precise
from beebox.verifier.states.value import Reg, RegKind
from beebox.verifier.verify import verify

_AT_THE_LIMIT = """
from beebox.isa.assembler import assemble
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify
stores = [f"*(u64 *)(r10 - {8 * slot + 8}) = r2" for slot in range(64)]
body = [line for store in stores for line in ("r2 *= 3", store, "if r2 == 0 goto again")]
code = ["r0 = 0", "r2 = 1", *stores, "again:", *body, "r0 += 1", "if r0 < 5100 goto again"]
code += [f"r2 = *(u64 *)(r10 - {8 * slot + 8})" for slot in range(64)]
spec = ProgramSpec("m", "xdp", ProgramType.XDP, assemble("\\n".join((*code, "r0 = 0", "exit"))), {})
report = verify(spec)
print(report.accepted, report.insns_processed)
status = open("/proc/self/status").read()  # ru_maxrss may be that of the parent, from the fork
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


def test_memory_at_the_limit():
    """Every round stores 64 new numbers, and branches: few programs hold more."""
    done = subprocess.run(
        [sys.executable, "-c", _AT_THE_LIMIT], capture_output=True, check=True, text=True
    )
    accepted, processed, megabytes = done.stdout.split()
    assert accepted == "True"
    assert int(processed) > 980_000
    assert int(megabytes) < 300


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets at every checkpoint, and sweeps all the time."""
    monkeypatch.setattr(prune, "LONG", 0)
    monkeypatch.setattr(explore, "_LOOKS_AT_CLOCK", 0xFF)
    monkeypatch.setattr(explore, "has_grown", lambda: True)


def _outcome(spec) -> tuple[object, ...]:
    report = verify(spec)
    code = None if report.accepted else report.findings[0].code
    return code, report.insns_processed, report.states


_EXPECTED = {case.name: _outcome(case.spec) for case in every_case() if "loop" in case.name}
_RANDOM = {seed: _outcome(verifier_values.program(seed)) for seed in range(40)}


@pytest.mark.usefixtures("forgetful")
def test_what_is_forgotten_is_not_missed():
    """The same verdict, after as many instructions and states."""
    cases = {case.name: case.spec for case in every_case()}
    assert {name: _outcome(cases[name]) for name in _EXPECTED} == _EXPECTED
    assert {seed: _outcome(verifier_values.program(seed)) for seed in _RANDOM} == _RANDOM


def test_precision_finds_what_values_descend_from():
    """Of three old values, through values in between."""
    old = [Reg(RegKind.SCALAR, const(number), number, 0) for number in (1, 2, 3)]
    between = Reg(RegKind.SCALAR, ANY, 11, 0, p1=old[0], p2=old[1])
    other = Reg(RegKind.SCALAR, ANY, 12, 0, p1=between, p2=old[2])
    last = Reg(RegKind.SCALAR, ANY, 13, 0, p1=other, p2=between)
    frame = Frame([last, *[None] * 10], [], -1, 0)
    compaction.forget_between([frame], 10)
    seen, work = set(), [last]
    while work:
        reg = work.pop()
        seen.add(reg)
        work += [each for each in (reg.p1, reg.p2) if each is not None]
        assert all(each.serial <= reg.serial for each in (reg.p1, reg.p2) if each is not None)
    assert set(old) <= seen
    assert not {between, other} & seen
    assert mark_precise(last, None) is False


def test_numbers_that_somebody_has_stay_the_same():
    kept = const(123_456_789_123)
    sweep()
    assert const(123_456_789_123) is kept
