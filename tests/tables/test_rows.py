"""The tables against themselves: names, order, and what must be there for every row."""

from __future__ import annotations

import pytest

from beebox.tables.helper_texts import SUMMARIES
from beebox.tables.helpers import FAMILIES, HELPERS
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import SECTIONS, ProgramFlags, section_row


def test_every_helper_has_a_summary_and_one_family():
    assert {row.name for row in HELPERS.values()} == SUMMARIES.keys()
    assert all(text[-1] == "." and len(text) < 100 for text in SUMMARIES.values())
    assert sum(map(len, FAMILIES.values())) == len(HELPERS)
    assert list(HELPERS) == list(range(1, len(HELPERS) + 1))


@pytest.mark.parametrize("row", SECTIONS, ids=lambda row: row.name)
def test_a_section_is_found_by_its_name(row):
    assert section_row(row.name) is row
    assert section_row(f"?{row.name}") is row
    found = section_row(f"{row.name}/anything")
    assert (found is row) == row.prefix
    if row.attach_type is not None:
        assert row.attach_type in row.program_type.value.attach_types


def test_sections_name_every_program_type():
    named = {row.program_type for row in SECTIONS}
    assert set(ProgramType) == named
    sleeping = {row.name for row in SECTIONS if row.flags & ProgramFlags.SLEEPABLE}
    assert all(name.endswith(".s") or name == "syscall" for name in sleeping)


@pytest.mark.parametrize(
    ("section", "program_type", "attach_type"),
    [
        ("xdp.frags/devmap", ProgramType.XDP, AttachType.XDP_DEVMAP),
        ("xdp/mine", ProgramType.XDP, AttachType.XDP),
        ("tc", ProgramType.SCHED_CLS, None),
        ("tc/egress", ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
        ("fentry.s/do_unlinkat", ProgramType.TRACING, AttachType.TRACE_FENTRY),
        ("sk_reuseport", ProgramType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT),
        ("cgroup/connect_unix", ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_CONNECT),
    ],
)
def test_sections(section: str, program_type: ProgramType, attach_type: AttachType | None):
    row = section_row(section)
    assert row is not None
    assert (row.program_type, row.attach_type) == (program_type, attach_type)


@pytest.mark.parametrize("section", ["", "?", "xdpx", "tc/", "tc/ingress/x", "maps", ".text"])
def test_no_section(section: str):
    assert section_row(section) is None


def test_attach_types_belong_to_program_types():
    """Two more are how links and maps are attached, not what a program is loaded for."""
    used = [each for row in ProgramType for each in row.value.attach_types]
    assert set(AttachType) - set(used) == {AttachType.STRUCT_OPS}
    shared = {each for each in used if used.count(each) > 1}
    assert shared == {AttachType.TRACE_RAW_TP}
