"""What code generation is told: kinds of registers, edges, stack sizes, digests."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage
from beebox.isa.assembler import assemble
from beebox.isa.instruction import Atomic
from beebox.obj.model import FuncInfo, MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import Size
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier import explore
from beebox.verifier.options import Options
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


_INNER = MapSpec("inner", MapType.ARRAY, 4, 16, 4)
_MAPS = {
    "table": _TABLE,
    "arrays": MapSpec("arrays", MapType.ARRAY_OF_MAPS, 4, 4, 4, inner=_INNER),
    "ring": MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    "sockets": MapSpec("sockets", MapType.XSKMAP, 4, 4, 4),
}


def facts_of(code, type_=ProgramType.SCHED_CLS):
    spec = ProgramSpec("p", type_.value.name, type_, assemble(code), _MAPS)
    return verify(spec).require_accepted()


def test_an_inner_map_is_named_by_its_outer_one():
    facts = facts_of("""
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[arrays] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r1 = r0
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    r0 = *(u64 *)(r0 + 8)
    out:
    exit
    """)
    assert facts.regs[6][0] == RegFact(RegKind.MAP, "arrays[]", nullable=True)
    assert facts.regs[10][1] == RegFact(RegKind.MAP, "arrays[]")
    assert facts.regs[11][0] == RegFact(RegKind.MAP_VALUE, "arrays[]")
    assert facts.maps == {"arrays"}


def test_records_sockets_and_flow_keys_have_kinds_of_their_own():
    record = facts_of("""
    r1 = map[ring] ll
    r2 = 8
    r3 = 0
    call bpf_ringbuf_reserve
    if r0 == 0 goto out
    r1 = r0
    r2 = 0
    call bpf_ringbuf_submit
    out:
    r0 = 0
    exit
    """)
    assert record.regs[5][0] == RegFact(RegKind.MEM, nullable=True)
    assert record.regs[6][0] == RegFact(RegKind.MEM)
    socket = facts_of("""
    r1 = *(u64 *)(r1 + 168)
    r0 = 0
    if r1 == 0 goto out
    call bpf_sk_fullsock
    out:
    exit
    """)
    assert socket.regs[1][1] == RegFact(RegKind.SOCK_COMMON, nullable=True)
    assert socket.regs[3][1] == RegFact(RegKind.SOCK_COMMON)
    assert socket.regs[4][0] == RegFact(RegKind.SOCKET, nullable=True)
    keys = facts_of(
        "r1 = *(u64 *)(r1 + 144)\nr0 = *(u8 *)(r1 + 3)\nexit", ProgramType.FLOW_DISSECTOR
    )
    assert keys.regs[1][1] == RegFact(RegKind.FLOW_KEYS)
    queue = facts_of(
        """
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[sockets] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r0 = *(u32 *)(r0 + 0)
    out:
    exit
    """,
        ProgramType.XDP,
    )
    assert queue.regs[7][0] == RegFact(RegKind.XDP_SOCK)


def test_a_pointer_that_a_call_voids_is_mixed_with_what_it_was():
    facts = facts_of(
        """
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 12)
    if r8 == 0 goto +3
    r1 = r6
    r2 = 4
    call bpf_xdp_adjust_head
    r0 = r7
    exit
    """,
        ProgramType.XDP,
    )
    assert facts.regs[7][7] == RegFact(RegKind.MIXED)


def test_both_ways_of_may_goto_are_edges():
    facts = facts_of("r0 = 0\nagain:\nmay_goto out\nr0 += 1\ngoto again\nout:\nexit")
    assert facts.edges == {1: 3}


def test_digest_tells_attach_types_and_inner_maps_apart():
    code = assemble("r1 = map[arrays] ll\nr0 = 0\nexit")
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, code, _MAPS)
    assert digest(replace(spec, attach_type=AttachType.XDP_DEVMAP)) != digest(spec)
    assert digest(replace(spec, type=ProgramType.SCHED_CLS)) != digest(spec)
    longer = replace(_MAPS["arrays"], inner=replace(_INNER, max_entries=8))
    assert digest(replace(spec, maps={**_MAPS, "arrays": longer})) != digest(spec)


def test_digest_counts_cpus_where_the_program_asks_for_one():
    asks = ProgramSpec(
        "p", "xdp", ProgramType.XDP, assemble("call bpf_get_smp_processor_id\nexit"), {}
    )
    other = replace(asks, insns=assemble("call bpf_get_prandom_u32\nexit"))
    assert digest(asks, cpus=1000) != digest(asks)
    assert digest(other, cpus=1000) == digest(other)
    many = verify(asks, Options(cpus=1000)).require_accepted()
    assert many.digest == digest(asks, cpus=1000)


def test_global_functions_that_may_move_the_packet_void_pointers_always():
    code = """
    r7 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r7
    r4 += 14
    r0 = 1
    if r4 > r3 goto out
    r2 = 0
    call move
    r0 = *(u8 *)(r7 + 0)
    out:
    exit
    move:
    r0 = 0
    if r2 == 0 goto done
    r2 = 4
    call bpf_xdp_adjust_head
    done:
    exit
    """
    builder = Builder()
    proto = builder.add(FuncProto(builder.signed_int(), ()))
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, assemble(code), {})
    for linkage, codes in ((Linkage.STATIC, []), (Linkage.GLOBAL, ["not-a-pointer"])):
        functions = tuple(
            FuncInfo(pc, f"f{pc}", builder.add(Func(f"f{pc}", proto, linkage))) for pc in (0, 10)
        )
        described = replace(spec, functions=functions, btf=builder.build())
        assert [finding.code for finding in verify(described).findings] == codes


def test_an_attach_type_of_another_program_type_is_refused():
    spec = ProgramSpec(
        "p", "xdp", ProgramType.XDP, assemble("r0 = 1\nexit"), {}, AttachType.CGROUP_INET_EGRESS
    )
    assert [finding.code for finding in verify(spec).findings] == ["attach-type"]


def test_a_helper_for_gpl_programs_needs_such_a_license():
    code = assemble("r1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk\nexit")
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, code, {}, license="Dual BSD/GPL")
    assert verify(spec).accepted
    closed = replace(spec, license="Proprietary")
    assert [finding.code for finding in verify(closed).findings] == ["helper-gpl"]


@pytest.mark.parametrize("size", [Size.B, Size.H])
def test_narrow_atomics_are_refused(size):
    """No object file holds one, but relocating an instruction may make one."""
    code = assemble("""
    *(u64 *)(r10 - 8) = 0
    r1 = 1
    lock *(u64 *)(r10 - 8) += r1
    r0 = 1
    exit
    """)
    narrow = tuple(replace(row, size=size) if isinstance(row, Atomic) else row for row in code)
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, narrow, {})
    assert [found.code for found in verify(spec).findings] == ["atomic"]


def test_no_verdict_in_time_is_a_refusal():
    rounds = assemble("r1 = 0\nr1 += 1\nif r1 < 100000 goto -2\nr0 = 0\nexit")
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, rounds, {})
    assert verify(spec).accepted
    report = verify(spec, Options(deadline_ns=time.monotonic_ns() - 1))
    assert [finding.code for finding in report.findings] == ["timeout"]
    assert report.insns_processed < 10_000


def test_maps_are_checked_where_no_path_leads():
    devmap = MapSpec("devmap", MapType.DEVMAP, 4, 4, 4)
    code = assemble("r0 = 0\nif r0 == 0 goto +3\nr1 = map[devmap] ll\nr0 = 0\nexit")
    asleep = ProgramSpec(
        "p", "syscall", ProgramType.SYSCALL, code, {"devmap": devmap},
        flags=ProgramFlags.SLEEPABLE,
    )  # fmt: skip
    assert [finding.code for finding in verify(asleep).findings] == ["map-type"]
    awake = ProgramSpec("p", "xdp", ProgramType.XDP, code, {"devmap": devmap})
    assert verify(awake).accepted
