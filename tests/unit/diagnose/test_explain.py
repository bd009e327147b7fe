"""What diagnose adds to findings: branches, tried changes, counterexamples."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from beebox.diagnose.counterexample import SEARCHED, search
from beebox.diagnose.explain import explained
from beebox.diagnose.patch import insert
from beebox.diagnose.trace import trace
from beebox.isa.assembler import assemble
from beebox.obj.model import FuncInfo, LineInfo, MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.options import DEFAULT, Options, Profile
from beebox.verifier.reports.report import findings_data, render
from beebox.verifier.result import Counterexample, Finding, Search
from beebox.verifier.verify import verify

MAPS = {
    "table": MapSpec("table", MapType.HASH, 4, 32, 8),
    "values": MapSpec("values", MapType.ARRAY, 4, 32, 4),
    "records": MapSpec("records", MapType.RINGBUF, 0, 0, 4096),
}
LOOK_UP = """
r6 = r1
r1 = *(u32 *)(r6 + 12)
*(u32 *)(r10 - 4) = r1
r2 = r10
r2 += -4
r1 = map[table] ll
call bpf_map_lookup_elem
"""


def program(code: str, kind: ProgramType = ProgramType.XDP) -> ProgramSpec:
    return ProgramSpec("p", kind.value.name, kind, assemble(code), MAPS)


def finding_of(code: str, kind: ProgramType = ProgramType.XDP) -> Finding:
    report = explained(verify(program(code, kind)), DEFAULT)
    assert len(report.findings) == 1
    return report.findings[0]


def found_in(finding: Finding) -> Counterexample:
    assert finding.counterexample is not None
    assert finding.counterexample.outcome is Search.FOUND, finding.counterexample.text
    return finding.counterexample


def test_packet_check_is_tried_and_a_short_packet_found() -> None:
    finding = finding_of(
        """
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = r2
        r4 += 34
        r0 = 2
        if r4 > r3 goto out
        r5 = *(u8 *)(r2 + 12)
        if r5 != 8 goto out
        r0 = *(u8 *)(r2 + 54)
        out:
        exit
        """
    )
    assert finding.code == "packet-bounds"
    (suggestion,) = finding.suggestions
    assert suggestion.tried
    assert suggestion.accepted
    packet = found_in(finding).packet
    assert packet is not None
    assert 34 <= len(packet) <= 54
    assert packet[12] == 8


def test_index_is_bounded_and_the_first_bad_one_found() -> None:
    finding = finding_of(
        LOOK_UP
        + """
        if r0 == 0 goto out
        r2 = *(u32 *)(r6 + 16)
        if r2 > 4 goto out
        r2 <<= 3
        r0 += r2
        r1 = *(u64 *)(r0 + 0)
        out:
        r0 = 2
        exit
        """
    )
    assert finding.code == "map-value-bounds"
    assert [each.accepted for each in finding.suggestions] == [True, True]
    assert finding.suggestions[0].insns[0] == "if r2 <= 24 goto +2"
    found = found_in(finding)
    assert dict(found.context)["rx_queue_index"] == 4
    assert found.maps[0][0] == "table"


def test_what_cannot_happen_is_not_found() -> None:
    """The index is always 0, which no range shows: the rejection is too careful."""
    finding = finding_of(
        LOOK_UP
        + """
        if r0 == 0 goto out
        r2 = *(u32 *)(r6 + 16)
        r3 = r2
        r2 &= 31
        r3 &= 31
        r2 -= r3
        r2 &= 63
        r0 += r2
        r1 = *(u64 *)(r0 + 0)
        out:
        r0 = 2
        exit
        """
    )
    assert finding.code == "map-value-bounds"
    assert finding.counterexample is not None
    assert finding.counterexample.outcome is Search.NOT_FOUND
    assert "conservative" in finding.counterexample.text


def test_null_is_an_absent_key() -> None:
    finding = finding_of(LOOK_UP + "r1 = *(u64 *)(r0 + 0)\nr0 = 2\nexit")
    assert finding.code == "null-pointer"
    assert finding.suggestions[0].accepted
    assert found_in(finding).maps == (("table", "key 00 00 00 00", "absent"),)


def test_elements_of_an_array_are_absent_only_behind_its_end() -> None:
    code = LOOK_UP.replace("map[table]", "map[values]")
    found = found_in(finding_of(code + "r1 = *(u64 *)(r0 + 0)\nr0 = 2\nexit"))
    assert dict(found.context)["ingress_ifindex"] >= MAPS["values"].max_entries
    assert found.maps == ()


def test_a_change_that_does_not_do_names_what_comes_next() -> None:
    finding = finding_of(LOOK_UP + "r1 = *(u64 *)(r0 + 0)\nr1 = *(u64 *)(r0 + 48)\nr0 = 2\nexit")
    assert finding.code == "null-pointer"
    (suggestion,) = finding.suggestions
    assert suggestion.tried
    assert not suggestion.accepted
    assert suggestion.then == "map-value-bounds"
    report = replace(verify(program("r0 = 2\nexit")), findings=(finding,), verified=None)
    assert "then map-value-bounds is next" in render(report)


def test_result_out_of_range() -> None:
    finding = finding_of("r0 = *(u32 *)(r1 + 8)\nexit", ProgramType.SK_SKB)
    assert finding.code in ("return-range", "context-access")
    finding = finding_of("r0 = *(u32 *)(r1 + 0)\nexit", ProgramType.CGROUP_SKB)
    assert finding.code == "return-range"
    assert finding.suggestions[0].accepted
    assert "returns 14, of 0..=" in found_in(finding).text


def test_nothing_is_searched_where_it_cannot_run() -> None:
    """What a stack trace holds is nothing that inputs could choose."""
    finding = finding_of(
        """
        r2 = r10
        r2 += -16
        r3 = 16
        r4 = 0
        call bpf_get_stack
        r2 = r10
        r2 += -4
        r1 = map[table] ll
        call bpf_map_lookup_elem
        r1 = *(u64 *)(r0 + 0)
        r0 = 0
        exit
        """,
        ProgramType.KPROBE,
    )
    assert finding.code == "null-pointer"
    assert finding.counterexample is not None
    assert finding.counterexample.outcome is Search.NOT_SEARCHED
    assert "bpf_get_stack" in finding.counterexample.text


def test_contexts_without_pointers_are_plain_memory() -> None:
    code = """
    r2 = *(u64 *)(r1 + 8)
    *(u32 *)(r10 - 4) = 1
    if r2 > 4 goto out
    r2 <<= 3
    r6 = r2
    r2 = r10
    r2 += -4
    r1 = map[values] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r0 += r6
    r1 = *(u64 *)(r0 + 0)
    out:
    r0 = 0
    exit
    """
    found = found_in(finding_of(code, ProgramType.TRACEPOINT))
    assert found.packet is None
    assert found.context == (("bytes from 8", 4),)


def test_a_string_that_a_helper_read_is_chosen() -> None:
    finding = finding_of(
        """
        r1 = r10
        r1 += -8
        r2 = 8
        r3 = 0
        call bpf_probe_read_kernel_str
        r6 = *(u8 *)(r10 - 8)
        r6 &= 7
        r6 <<= 3
        *(u32 *)(r10 - 12) = 1
        r2 = r10
        r2 += -12
        r1 = map[values] ll
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        r0 += r6
        r1 = *(u64 *)(r0 + 0)
        out:
        r0 = 0
        exit
        """,
        ProgramType.KPROBE,
    )
    found = found_in(finding)
    assert found.maps[0][0] == "memory"
    assert int(found.maps[0][2].split()[0], 16) & 7 >= 4


def test_an_access_to_the_context_is_made_whole() -> None:
    finding = finding_of("r0 = *(u8 *)(r1 + 17)\nr0 &= 1\nexit")
    assert finding.code == "context-access"
    (suggestion,) = finding.suggestions
    assert suggestion.accepted
    assert suggestion.insns == ("r0 = *(u32 *)(r1 + 16)", "r0 >>= 8", "r0 &= 255")


def test_stack_bytes_are_written_before_they_are_read() -> None:
    """Of a key of 4 bytes, 2 are written."""
    options = Options(Profile.STRICT)
    code = LOOK_UP.replace("*(u32 *)(r10 - 4) = r1", "*(u16 *)(r10 - 4) = r1") + "r0 = 2\nexit"
    finding = explained(verify(program(code), options), options).findings[0]
    assert finding.code == "stack-uninitialised"
    assert "stack byte -2" in finding.missing
    (suggestion,) = finding.suggestions
    assert suggestion.accepted
    assert suggestion.insns == ("*(u8 *)(r10 - 2) = 0", "*(u8 *)(r10 - 1) = 0")


def test_a_packet_that_may_have_moved_is_loaded_again() -> None:
    finding = finding_of(
        """
        r6 = r1
        r7 = *(u32 *)(r1 + 0)
        r8 = *(u32 *)(r1 + 4)
        r2 = r7
        r2 += 14
        if r2 > r8 goto out
        r2 = 4
        call bpf_xdp_adjust_head
        r0 = *(u8 *)(r7 + 3)
        out:
        r0 = 2
        exit
        """
    )
    assert finding.code == "not-a-pointer"
    assert finding.suggestions[0].accepted


def test_branches_of_the_path_are_told_at_their_lines() -> None:
    spec = replace(
        program(
            """
            r0 = 2
            r2 = *(u32 *)(r1 + 16)
            if r2 == 7 goto out
            r3 = *(u32 *)(r1 + 12)
            if r3 == 9 goto bad
            out:
            exit
            bad:
            r0 = *(u64 *)(r2 + 0)
            exit
            """
        ),
        lines=tuple(LineInfo(pc, "a.c", pc + 1, 1, f"line {pc + 1}") for pc in range(8)),
    )
    finding = explained(verify(spec), DEFAULT).findings[0]
    assert finding.code == "not-a-pointer"
    steps = dict(finding.path)
    assert steps[2].endswith("goes on at line 4")
    assert steps[4] == "goes on at line 7"
    assert [pc for pc, _ in finding.path] == sorted(pc for pc, _ in finding.path)


def test_trace_ends_at_the_finding() -> None:
    report = verify(program("r0 = *(u64 *)(r1 + 3)\nexit"))
    found = trace(report, DEFAULT, [0])
    assert found is not None
    assert found.path is not None
    assert found.path.pc == 0
    assert 0 in found.held
    assert trace(verify(program("r0 = 2\nexit")), DEFAULT) is None


def test_inserting_moves_jumps_calls_and_lines() -> None:
    code = """
    if r1 == 0 goto out
    call pc+2
    out:
    r0 = 2
    exit
    r0 = 1
    exit
    """
    spec = replace(
        program(code),
        lines=(LineInfo(0, "a.c", 1, 1, ""), LineInfo(2, "a.c", 2, 1, "")),
        functions=(FuncInfo(0, "p"), FuncInfo(4, "f")),
    )
    changed = insert(spec, 2, assemble("r0 = 0\nr0 = 0"))
    assert [row.pc for row in changed.lines] == [0, 2]
    assert [row.pc for row in changed.functions] == [0, 6]
    assert changed.insns[0] == assemble("if r1 == 0 goto +1")[0]
    assert changed.insns[1] == assemble("call pc+4")[0]
    at_call = insert(spec, 1, assemble("r0 = 0"))
    assert at_call.insns[0] == assemble("if r1 == 0 goto +2")[0]
    assert at_call.insns[2] == assemble("call pc+2")[0]


def rejected_cases():
    path = Path(__file__).parents[1] / "verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # typing.NamedTuple looks there
    spec.loader.exec_module(module)
    return [case for case in module.CASES if case.expected != "accepted"]


@pytest.mark.parametrize("case", rejected_cases(), ids=lambda case: case.name)
def test_every_case_is_explained(case) -> None:
    """Whatever the finding: nothing breaks, and nothing is claimed that does not fit it."""
    report = verify(case.spec)
    after = explained(report, DEFAULT)
    (was, *_), (finding, *_) = report.findings, after.findings
    assert (finding.code, finding.pc, finding.message) == (was.code, was.pc, was.message)
    assert set(dict(was.path)) <= set(dict(finding.path))
    for suggestion in finding.suggestions:
        assert suggestion.tried
        assert suggestion.accepted != bool(suggestion.then)
    assert finding.counterexample is None or finding.code in SEARCHED
    text = render(after)
    assert text.startswith("error: ")
    assert f"[{finding.code}]" in text
    assert findings_data(after)[0]["code"] == finding.code


def test_function_that_is_verified_alone_is_not_searched_with_what_its_caller_gives() -> None:
    text = "r1 = 7\ncall inner\nr0 = 2\nexit\ninner:\nr0 = *(u8 *)(r1 + 0)\nexit"
    spec = replace(program(text), functions=(FuncInfo(0, "p"), FuncInfo(4, "inner")))
    finding = explained(verify(spec), DEFAULT).findings[0]
    shown = search(spec, replace(finding, code="null-pointer"), (), alone=True)
    assert shown is not None
    assert shown.outcome is Search.NOT_SEARCHED
    assert "alone" in shown.text


def test_release_that_does_not_fit_where_it_was_tried_is_not_shown() -> None:
    """Two paths meet at the exit, and on one of them there is nothing to release."""
    finding = finding_of(
        """
        r2 = 16
        r3 = 0
        r1 = map[records] ll
        call bpf_ringbuf_reserve
        r6 = r0
        if r0 == 0 goto out
        call bpf_get_prandom_u32
        if r0 == 1 goto out
        r1 = r6
        r2 = 0
        call bpf_ringbuf_submit
        out:
        r0 = 0
        exit
        """
    )
    assert finding.code == "reference-leak"
    assert not finding.suggestions


def test_map_values_are_no_part_of_a_context_that_is_plain_memory() -> None:
    finding = finding_of(
        """
        call bpf_get_current_pid_tgid
        r0 >>= 32
        *(u32 *)(r10 - 4) = r0
        r2 = r10
        r2 += -4
        r1 = map[table] ll
        call bpf_map_lookup_elem
        r1 = *(u64 *)(r0 + 0)
        r0 = 0
        exit
        """,
        ProgramType.TRACEPOINT,
    )
    assert finding.code == "null-pointer"
    assert found_in(finding).maps


def test_verification_that_took_too_long_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    report = verify(program("r0 = r6\nexit"))
    late = replace(report, findings=(replace(report.findings[0], code="timeout"),))
    module = sys.modules["beebox.diagnose.explain"]
    monkeypatch.setattr(module, "trace", lambda *_: pytest.fail("verified again"))
    assert explained(late, DEFAULT) is late
