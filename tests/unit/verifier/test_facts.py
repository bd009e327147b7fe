"""What code generation is told: kinds of registers, edges, stack sizes, digests."""

from __future__ import annotations

from dataclasses import replace

from beebox.isa.assembler import assemble
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier import explore
from beebox.verifier.result import RegFact, RegKind
from beebox.verifier.verify import digest, verify

_TABLE = MapSpec("table", MapType.HASH, 4, 16, 8)


def verified(code):
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, assemble(code), {"table": _TABLE})
    return verify(spec).require_accepted()


def test_a_lookup_is_nullable_until_checked():
    facts = verified("""
    r2 = r10
    r2 += -4
    r1 = map[table] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto +1
    r0 = *(u64 *)(r0 + 0)
    exit
    """)
    assert facts.regs[4][1] == RegFact(RegKind.MAP, "table")
    assert facts.regs[4][2] == RegFact(RegKind.STACK, offset=-4)
    assert facts.regs[5][0] == RegFact(RegKind.MAP_VALUE, "table", nullable=True)
    assert facts.regs[6][0] == RegFact(RegKind.MAP_VALUE, "table")
    assert facts.regs[7][0] == RegFact(RegKind.SCALAR)
    assert facts.edges == {5: 3}
    assert facts.helpers == {1}
    assert facts.maps == {"table"}


def test_a_pointer_or_another_pointer_is_mixed():
    facts = verified("""
    r2 = *(u32 *)(r1 + 12)
    r3 = r1
    if r2 == 0 goto +1
    r3 = *(u32 *)(r1 + 4)
    r0 = r3
    exit
    """)
    assert facts.regs[4][3] == RegFact(RegKind.MIXED)


def test_edges_never_taken_and_code_never_reached():
    facts = verified("r0 = 0\nif r0 == 0 goto +1\nr0 = 5\nexit")
    assert facts.edges == {1: 2}
    assert facts.regs[2] is None


def test_stack_depth_counts_pruned_paths_and_reads():
    padding = "r0 = 0\n" * 8
    facts = verified(f"""
    r6 = *(u32 *)(r1 + 12)
    r7 = *(u32 *)(r1 + 16)
    if r6 == 0 goto +1
    goto +1
    r0 = *(u64 *)(r10 - 64)
    {padding}
    if r7 == 0 goto +1
    r0 = 1
    call inner
    exit
    inner:
    *(u32 *)(r10 - 12) = 0
    r0 = 0
    exit
    """)
    assert [function.stack_bytes for function in facts.subprograms] == [64, 16]


def test_frames_are_counted_from_the_inside():
    facts = verified("""
    r1 = r10
    r1 += -8
    call inner
    exit
    inner:
    *(u64 *)(r1 + 0) = 3
    r0 = 0
    exit
    """)
    assert facts.regs[4][1] == RegFact(RegKind.STACK, frames_up=1, offset=-8)
    assert facts.regs[4][10] == RegFact(RegKind.STACK, offset=0)


def test_digest_tells_programs_and_map_shapes_apart():
    spec = ProgramSpec(
        "p", "xdp", ProgramType.XDP, assemble("r1 = map[table] ll\nr0 = 0\nexit"),
        {"table": _TABLE},
    )  # fmt: skip
    assert digest(spec) == digest(replace(spec, name="another"))
    bigger = replace(spec, maps={"table": replace(_TABLE, value_size=24)})
    assert digest(bigger) != digest(spec)
    assert digest(replace(spec, insns=assemble("r0 = 0\nexit"))) != digest(spec)


def test_a_program_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(explore, "MAX_INSNS", 5000)  # the real limit takes seconds
    code = assemble("r0 = 0\nagain:\nr0 += 1\nif r0 != 0 goto again\nexit")
    report = verify(ProgramSpec("p", "xdp", ProgramType.XDP, code, {}))
    assert [finding.code for finding in report.findings] == ["too-complex"]
    assert report.insns_processed == 5001
