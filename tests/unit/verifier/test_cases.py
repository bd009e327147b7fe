"""tests/data/verifier/*.case: programs, and what the verifier must say of each.

``cases`` is also what tests/linux/test_verifier_cases.py shows to the kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from beebox.isa.assembler import assemble
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.findings import FINDINGS
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.report import findings_data, render
from beebox.verifier.verify import verify

_FOLDER = Path(__file__).parents[2] / "data" / "verifier"
_RDONLY, _WRONLY = MapFlags.RDONLY_PROG, MapFlags.WRONLY_PROG
MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 4),
    "table": MapSpec("table", MapType.HASH, 4, 16, 8),
    "percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 8, 1),
    "readonly": MapSpec("readonly", MapType.ARRAY, 4, 8, 1, _RDONLY),
    "writeonly": MapSpec("writeonly", MapType.ARRAY, 4, 8, 1, _WRONLY),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 16, 1, contents=bytes(16)),
    ".rodata": MapSpec(
        ".rodata", MapType.ARRAY, 4, 4, 1, _RDONLY, contents=b"\3\0\0\0", frozen=True
    ),
}


class Case(NamedTuple):
    name: str
    expected: str  # "accepted" or a finding's code
    spec: ProgramSpec


def cases() -> list[Case]:
    """Every section of every case file."""
    found = []
    for path in sorted(_FOLDER.glob("*.case")):
        for section in path.read_text().split("\n=== ")[1:]:
            head, _, code = section.partition("\n")
            name, _, expected = head.rpartition(": ")
            types, name = _types(name)
            insns = assemble(code, file=name)
            for type_, attach in types:
                spec = ProgramSpec("case", type_.value.name, type_, insns, MAPS, attach)
                of = type_.value.name + (f"/{attach.name.lower()}" if attach is not None else "")
                label = f"{of}: {name}" if len(types) > 1 else name
                found.append(Case(label, expected, spec))
    return found


def _types(name: str) -> tuple[list[tuple[ProgramType, AttachType | None]], str]:
    """The program types of a section's name, and the name without them."""
    if not name.startswith("["):
        return [(ProgramType.XDP, None)], name
    listed, _, name = name[1:].partition("] ")
    types: list[tuple[ProgramType, AttachType | None]] = []
    for word in listed.split():
        type_, _, attach = word.partition("/")
        types.append((ProgramType[type_.upper()], AttachType[attach.upper()] if attach else None))
    return types, name


CASES = cases()


def test_there_are_many_and_names_are_unique():
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.expected for case in CASES} <= {"accepted", *FINDINGS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case):
    report = verify(case.spec)
    verdict = "accepted" if report.accepted else report.findings[0].code
    assert verdict == case.expected, render(report)
    if not report.accepted:
        assert findings_data(report)[0]["code"] == case.expected
        assert report.findings[0].message
        assert report.findings[0].code != "internal"
