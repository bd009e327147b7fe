"""Reports: the fields of findings, and that the text carries them."""

from __future__ import annotations

import pytest

from beebox.compiler.source import compile_file
from beebox.errors import RejectedError
from beebox.isa.assembler import assemble
from beebox.obj.linker import link
from beebox.obj.model import LineInfo, ProgramSpec, VarRange
from beebox.tables.finding_needs import NEEDS
from beebox.tables.findings import FINDINGS
from beebox.tables.program_types import ProgramType
from beebox.verifier import verify as verify_module
from beebox.verifier.reports.report import findings_data, render
from beebox.verifier.result import Evidence, RegKind
from beebox.verifier.verify import verify

_CODE = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
r0 = 1
if r4 > r3 goto out
r0 = *(u16 *)(r2 + 13)
out:
exit
"""


def unsafe_packet():
    lines = (
        LineInfo(0, "p.py", 3, 5, "packet = ctx.data"),
        LineInfo(2, "p.py", 4, 8, "if packet + 14 > end:"),
        LineInfo(6, "p.py", 6, 12, "return packet[13]"),
    )
    insns = assemble(_CODE)
    return ProgramSpec(
        "peek", "xdp", ProgramType.XDP, insns, {}, lines=lines,
        variables=(VarRange(1, 7, "packet", reg=2),),
    )  # fmt: skip


def test_finding_has_place_evidence_and_the_kernels_line():
    report = verify(unsafe_packet())
    (finding,) = findings_data(report)
    assert finding["code"] == "packet-bounds"
    assert (finding["insn"], finding["file"], finding["line"], finding["column"]) == (
        6,
        "p.py",
        6,
        12,
    )
    assert finding["kernel_message"] == "R2 offset is outside of the packet"
    assert finding["category"] == "memory"
    assert finding["hint"]
    assert finding["missing"]
    evidence = report.findings[0].evidence
    assert evidence == Evidence(2, RegKind.PACKET, 0, 0, 5, start=13, size=2, limit=14)
    assert [pc for pc, _ in report.findings[0].path] == [0, 5]


def test_text_names_line_variable_and_steps():
    text = render(verify(unsafe_packet()))
    lines = text.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[0].endswith("[packet-bounds]")
    assert lines[1] == "  --> p.py:6:12  (packet)"
    assert "13..15" in lines[0]
    assert "14 are proven" in lines[0]
    assert [line.split("|")[0].strip() for line in lines[2:-3]] == ["3", "4", "6"]
    assert lines[-3].startswith("  missing: ")
    assert (
        lines[-2] == "  help: before line 6: take a view of 15 bytes or more from the context, "
        "and test it for None"
    )
    assert lines[-1] == "  kernel: R2 offset is outside of the packet"
    assert "\x1b[" not in text
    assert "\x1b[31m" in render(verify(unsafe_packet()), color=True)


def test_python_program_is_explained_in_python(repository):
    path = repository / "examples/unsafe.py"
    spec = link(compile_file(path), "classify")
    report = verify(spec)
    (finding,) = report.findings
    source = path.read_text().splitlines()
    assert finding.code == "map-value-bounds"
    assert "histogram.slots[ip.tos]" in source[finding.line - 1]
    assert finding.kernel_message == "R0 max value is outside of the allowed memory range"
    text = render(report)
    assert "(histogram)" in text
    assert "histogram = service_classes[0]" in text
    with pytest.raises(RejectedError) as caught:
        report.require_accepted()
    assert caught.value.findings[0]["code"] == "map-value-bounds"


def test_a_fault_of_the_verifier_refuses_the_program(monkeypatch):
    def broken(*_: object) -> None:
        raise AttributeError("no such field")

    monkeypatch.setattr(verify_module.Exploration, "run", broken)
    report = verify(ProgramSpec("p", "xdp", ProgramType.XDP, assemble("r0 = 0\nexit"), {}))
    assert [finding.code for finding in report.findings] == ["internal"]
    assert report.verified is None


def test_every_finding_says_what_is_missing():
    assert set(NEEDS) == set(FINDINGS)
    report = verify(ProgramSpec("p", "xdp", ProgramType.XDP, assemble("r10 = 0\nexit"), {}))
    (finding,) = findings_data(report)
    assert finding["code"] == "frame-pointer-write"
    assert finding["missing"] == NEEDS["frame-pointer-write"]
    assert f"missing: {finding['missing']}" in render(report)
