"""The rows for 6.1 against that kernel, running in a virtual machine: a minute, so on demand only.

``BEEBOX_OLD_KERNEL=1 pytest tests/linux/test_kernel_6_1.py``, or ``make old-kernel``, where qemu
and the kernel are (tests/support/old_kernel.py).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Final

import old_kernel
import pytest
from old_kernel import Answer
from profile_cases import every_case
from version_needs import NEEDS, program

from beebox.isa.assembler import assemble
from beebox.isa.instruction import Call, CallKind, Exit
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.callers_since import CALLERS_SINCE
from beebox.tables.helpers import HELPERS, Helper
from beebox.tables.map_types import Entries, MapType, Sizes
from beebox.tables.program_types import ProgramType
from beebox.tables.versions import release
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

_RELEASE: Final = "6.1"
_ASKED: Final = "BEEBOX_OLD_KERNEL"
_NO: Final = ("unknown func", "invalid func", "cannot use helper")
_BY_BTF: Final = frozenset(
    {
        ProgramType.TRACING,
        ProgramType.LSM,
        ProgramType.EXT,
        ProgramType.STRUCT_OPS,
        ProgramType.SYSCALL,  # only as sleepable ones
    }
)
_NOT_COMPILED_IN: Final = frozenset({ProgramType.LIRC_MODE2})
_CONFIGURED: Final = frozenset({"override_return"})
_BACKPORTED: Final = frozenset({"unwritten stack", "gotol"})
"""What 6.1 has by now though it came later: the first by a backport; of the second it takes the
opcode for another jump."""

_MAPS_BY_TYPE: Final = frozenset(
    {
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
        MapType.STRUCT_OPS,
    }
)
"""Map types that are made of BTF alone."""


def _helper_calls() -> dict[tuple[str, str, str], ProgramSpec]:
    found = {}
    for type_ in sorted(ProgramType, key=lambda row: row.name):
        if type_ in _BY_BTF | _NOT_COMPILED_IN or not _in(type_.value.since):
            continue
        attach = next(iter(type_.value.attach_types), None)
        for row in HELPERS.values():
            if row.allowed(type_, attach):
                insns = (Call(CallKind.HELPER, row.id), Exit())
                spec = ProgramSpec("asks", "asks", type_, insns, {}, attach)
                found["helper", type_.name, row.name] = spec
    return found


def _types() -> dict[tuple[str, str, str], ProgramSpec]:
    found = {}
    for type_ in sorted(set(ProgramType) - _BY_BTF, key=lambda row: row.name):
        attach = next(iter(type_.value.attach_types), None)
        for result in ("0", "1"):
            insns = assemble(f"r0 = {result}\nexit")
            spec = ProgramSpec("asks", "asks", type_, insns, {}, attach)
            found["type", type_.name, result] = spec
    return found


def _maps() -> dict[tuple[str, str, str], MapSpec]:
    entries = {Entries.ZERO: 0, Entries.PAGES: 4096}
    inner = MapSpec("inner", MapType.ARRAY, 4, 4, 1)
    return {
        ("map", row.name, ""): MapSpec(
            "asks",
            row,
            _legal(row.value.key),
            _legal(row.value.value),
            entries.get(row.value.entries, 1),
            row.value.required,
            inner=inner if row.value.has_inner else None,
        )
        for row in MapType
        if row not in _MAPS_BY_TYPE
    }


def _legal(sizes: Sizes) -> int:
    if sizes.choices:
        return sizes.choices[0]
    return max(sizes.least, sizes.step) if sizes.step > 1 else min(max(sizes.least, 4), sizes.most)


def _in(since: str) -> bool:
    return release(since) <= release(_RELEASE)


@pytest.fixture(scope="module")
def answers() -> Mapping[tuple[str, str, str], Answer]:
    """What the kernel says to every question, asked in one go."""
    reason = old_kernel.why_not(_RELEASE)
    if not os.environ.get(_ASKED):
        reason = f"boots a virtual machine for a minute: set {_ASKED}=1"
    if reason is not None:
        pytest.skip(reason)
    needs = {("needs", name, ""): program(code) for name, (_, code) in NEEDS.items()}
    cases = {("case", case.name, case.expected): case.spec for case in every_case()}
    questions = {**_helper_calls(), **_types(), **_maps(), **needs, **cases}
    found = old_kernel.ask(_RELEASE, list(questions.values()), seconds=500)
    return dict(zip(questions, found, strict=True))


def _came_in_time(row: Helper, type_: ProgramType) -> bool:
    return _in(row.since) and _in(CALLERS_SINCE.get((row.name, type_), row.since))


def test_helpers_by_type(answers) -> None:
    """Each helper is there for the types that have it in 6.18, but where the tables say later."""
    by_name = {row.name: row for row in HELPERS.values()}
    wrong = []
    asked = [key for key in answers if key[0] == "helper" and key[2] not in _CONFIGURED]
    for key in asked:
        there = not any(word in answers[key].log for word in _NO)
        if there != _came_in_time(by_name[key[2]], ProgramType[key[1]]):
            wrong.append((*key[1:], there, answers[key].log[:80]))
    assert len(asked) > 1000
    assert not wrong


def test_program_types(answers) -> None:
    for type_ in set(ProgramType) - _BY_BTF - _NOT_COMPILED_IN:
        loads = any(answers["type", type_.name, result].accepted for result in ("0", "1"))
        assert loads == _in(type_.value.since), type_.name


def test_map_types(answers) -> None:
    for row in set(MapType) - _MAPS_BY_TYPE:
        assert answers["map", row.name, ""].accepted == _in(row.value.since), row.name


@pytest.mark.parametrize("name", NEEDS)
def test_what_programs_need(answers, name: str) -> None:
    """We accept for 6.1 what it accepts, of programs that each need one thing."""
    ours = verify(program(NEEDS[name][1]), Options(version=_RELEASE))
    theirs = answers["needs", name, ""]
    assert theirs.accepted == (ours.accepted or name in _BACKPORTED), theirs.log


def test_cases(answers, record_property) -> None:
    """Its verifier sees less, and asks less; still, nine verdicts of ten are the same."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for case in every_case():
        ours = verify(case.spec, Options(version=_RELEASE))
        assert ours.accepted or ours.findings[0].code != "internal"
        counts[answers["case", case.name, case.expected].accepted, ours.accepted] += 1
    for (theirs, ours), count in counts.items():
        record_property(f"6.1 {theirs}, ours {ours}", count)
    same = counts[True, True] + counts[False, False]
    assert same >= 0.9 * counts.total()
