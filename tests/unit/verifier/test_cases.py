"""tests/data/verifier/*.case: programs, and what the verifier must say of each.

``cases`` is also what tests/linux/test_verifier_cases.py shows to the kernel.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Func, FuncProto, Linkage, Member
from beebox.isa.assembler import assemble
from beebox.isa.instruction import Call, CallKind, GlobalRef, LoadImm64, MapRef
from beebox.obj.model import FuncInfo, MapSpec, ProgramSpec
from beebox.tables.findings import FINDINGS
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.reports.report import findings_data, render
from beebox.verifier.verify import verify

_FOLDER = Path(__file__).parents[2] / "data" / "verifier"
_STRINGS = b"%d of %u\0%s%p\0%q\0100%%\0".ljust(32, b"!")
_RDONLY, _WRONLY = MapFlags.RDONLY_PROG, MapFlags.WRONLY_PROG


def _fields() -> tuple[Btf, int, int, int]:
    """Types of values with a lock and with a timer: ``(table, the key's id, theirs)``."""
    builder = Builder()
    number, word = builder.unsigned(4), builder.unsigned(8)
    lock = builder.struct("bpf_spin_lock", 4, (Member("val", number, 0),))
    opaque = builder.array(word, 2)
    timer = builder.struct("bpf_timer", 16, (Member("__opaque", opaque, 0),))
    members = (Member("count", word, 0), Member("lock", lock, 64), Member("rest", number, 96))
    locked = builder.struct("locked", 16, members)
    timed = builder.struct("timed", 24, (Member("count", word, 0), Member("timer", timer, 64)))
    return builder.build(), number, locked, timed


FIELDS, _KEY, _LOCKED, _TIMED = _fields()
MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 4),
    "table": MapSpec("table", MapType.HASH, 4, 16, 8),
    "percpu": MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 8, 1),
    "readonly": MapSpec("readonly", MapType.ARRAY, 4, 8, 1, _RDONLY),
    "writeonly": MapSpec("writeonly", MapType.ARRAY, 4, 8, 1, _WRONLY),
    "programs": MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 4),
    "queue": MapSpec("queue", MapType.QUEUE, 0, 8, 4),
    "bloom": MapSpec("bloom", MapType.BLOOM_FILTER, 0, 8, 4),
    "lpm": MapSpec("lpm", MapType.LPM_TRIE, 8, 8, 4, MapFlags.NO_PREALLOC),
    "lru": MapSpec("lru", MapType.LRU_HASH, 4, 8, 4),
    "devmap": MapSpec("devmap", MapType.DEVMAP, 4, 8, 4),
    "cpumap": MapSpec("cpumap", MapType.CPUMAP, 4, 4, 4),
    "xskmap": MapSpec("xskmap", MapType.XSKMAP, 4, 4, 4),
    "ring": MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    "sockets": MapSpec("sockets", MapType.SOCKMAP, 4, 4, 4),
    "storage": MapSpec("storage", MapType.CGROUP_STORAGE, 16, 8, 0),
    "events": MapSpec("events", MapType.PERF_EVENT_ARRAY, 4, 4, 4),
    "arrays": MapSpec(
        "arrays", MapType.ARRAY_OF_MAPS, 4, 4, 4, inner=MapSpec("inner", MapType.ARRAY, 4, 16, 4)
    ),
    "tables": MapSpec(
        "tables", MapType.HASH_OF_MAPS, 4, 4, 4, inner=MapSpec("inner", MapType.HASH, 4, 16, 4)
    ),
    "loose": MapSpec(
        "loose",
        MapType.ARRAY_OF_MAPS,
        4,
        4,
        4,
        inner=MapSpec("inner", MapType.ARRAY, 4, 16, 4, MapFlags.INNER_MAP),
    ),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 16, 1, contents=bytes(16)),
    ".rodata": MapSpec(
        ".rodata", MapType.ARRAY, 4, 4, 1, _RDONLY, contents=b"\3\0\0\0", frozen=True
    ),
    ".data.frozen": MapSpec(
        ".data.frozen", MapType.ARRAY, 4, 4, 1, contents=b"\3\0\0\0", frozen=True
    ),
    ".rodata.many": MapSpec(
        ".rodata.many", MapType.ARRAY, 4, 4, 2, _RDONLY, contents=b"\3\0\0\0", frozen=True
    ),
    "locked": MapSpec("locked", MapType.ARRAY, 4, 16, 4, key_type_id=_KEY, value_type_id=_LOCKED),
    "timed": MapSpec("timed", MapType.ARRAY, 4, 24, 4, key_type_id=_KEY, value_type_id=_TIMED),
    "constants": MapSpec(
        "constants",
        MapType.ARRAY_OF_MAPS,
        4,
        4,
        4,
        inner=MapSpec("inner", MapType.ARRAY, 4, 4, 1, _RDONLY, contents=b"\3\0\0\0", frozen=True),
    ),
    ".strings": MapSpec(
        ".strings", MapType.ARRAY, 4, 32, 1, _RDONLY, contents=_STRINGS, frozen=True
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
            found += [Case(label, expected, spec) for label, spec in programs(name, code)]
    return found


def programs(name: str, code: str) -> list[tuple[str, ProgramSpec]]:
    """The programs of one section, by their labels: one for each program type that it lists."""
    words = ["xdp"]
    if name.startswith("["):
        listed, _, name = name[1:].partition("] ")
        words = listed.split()
    result = words.pop() if words[-1] in ("int", "void") else None
    out = []
    for word in words:
        type_, _, attach = word.partition("/")
        insns = assemble(code, file=name)
        named = {
            insn.value.name if isinstance(insn.value, MapRef) else insn.value.map_name
            for insn in insns
            if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef)
        }
        spec = ProgramSpec(
            "case",
            type_,
            ProgramType[type_.upper()],
            insns,
            {map_name: MAPS[map_name] for map_name in sorted(named)},
            AttachType[attach.upper()] if attach else None,
            btf=FIELDS if any(MAPS[map_name].value_type_id for map_name in named) else None,
        )
        label = f"{word}: {name}" if len(words) > 1 else name
        out.append((label, spec if result is None else with_btf(spec, result)))
    return out


def with_btf(spec: ProgramSpec, result: str) -> ProgramSpec:
    """``spec`` with functions that are described by BTF: subprograms return ``int`` or nothing."""
    builder = Builder(spec.btf)
    number = builder.signed_int()
    returns = {0: number}
    for pc, insn in enumerate(spec.slots):
        if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG:
            returns[pc + 1 + insn.target] = number if result == "int" else 0
    functions = tuple(
        FuncInfo(
            pc,
            f"f{pc}",
            builder.add(Func(f"f{pc}", builder.add(FuncProto(type_, ())), Linkage.STATIC)),
        )
        for pc, type_ in sorted(returns.items())
    )
    return replace(spec, functions=functions, btf=builder.build())


CASES = cases()


def test_there_are_many_and_names_are_unique():
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.expected for case in CASES} <= {"accepted", *FINDINGS}


_NO_CASE = {
    "kfunc-not-allowed": "cases have no kernel functions: see tests/unit/verifier/test_kfuncs.py",
    "section": "as above",
    "exception": "as above; tests/data/c/verdicts/exceptions.c",
    "iterator": "as above",
    "untrusted-pointer": "as above",
    "callback": "cases have one function with its address: tests/unit/verifier/test_callbacks.py",
    "function-prototype": "cases have static functions: tests/support/verifier_globals.py",
    "function-argument": "the same",
    "function-context": "the same; tests/data/c/verdicts/global_context.c",
    "internal": "a bug",
    "timeout": "cases have no deadline: see tests/unit/verifier/test_facts.py",
    "too-complex": "takes seconds: tests/unit/verifier/test_facts.py lowers the limit",
    "program-size": "an empty program is no case, and a long one no reading",
    "missing-in-target": "cases have no target: tests/unit/obj/test_resolution.py",
    "attach-type": "tests/unit/verifier/test_facts.py: the object reader never asks for one",
    "attach-target": "cases have no target: tests/unit/verifier/btf_pointers/test_attach.py",
    "struct-access": "cases have no target: tests/unit/verifier/btf_pointers/test_access.py",
    "helper-gpl": "cases have a GPL-compatible license: see tests/unit/verifier/test_facts.py",
    "pointer-leak": "privileged programs may show pointers",
    "pointer-comparison": "privileged programs may compare pointers with numbers",
    "stack-uninitialised": "privileged programs may read what was never written",
    "speculation": "privileged programs may mispredict: tests/unit/verifier/test_profiles.py",
    "cost-bound": "privileged programs may take their time: profiles/test_strict.py",
    "since": "cases ask for no version: tests/unit/verifier/profiles/test_versions.py",
    "loader": "privileged loaders have every right: tests/unit/verifier/test_profiles.py",
}


def test_every_finding_has_a_case():
    refused = {case.expected for case in CASES}
    assert set(FINDINGS) - refused == set(_NO_CASE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case):
    report = verify(case.spec)
    verdict = "accepted" if report.accepted else report.findings[0].code
    assert verdict == case.expected, render(report)
    if not report.accepted:
        assert findings_data(report)[0]["code"] == case.expected
        assert report.findings[0].message
        assert report.findings[0].code != "internal"
