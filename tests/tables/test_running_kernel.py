"""Ids, flags and layouts in the tables against the BTF of the running kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.btf.codec import parse
from beebox.btf.types import Btf, Enum, Struct
from beebox.tables.contexts import XDP_MD
from beebox.tables.helpers import HELPERS
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags
from beebox.tables.program_types import AttachType, ProgramType, XdpAction
from beebox.tables.sections import ProgramFlags

VMLINUX = Path("/sys/kernel/btf/vmlinux")


@pytest.fixture(scope="module")
def kernel() -> Btf:
    if not VMLINUX.exists():
        pytest.skip(f"no {VMLINUX}")
    return parse(VMLINUX.read_bytes())


@pytest.fixture(scope="module")
def constants(kernel: Btf) -> dict[str, int]:
    """Every enumerator that starts with BPF_ or XDP_."""
    return {
        name: value
        for _, row in kernel.items()
        if isinstance(row, Enum)
        for name, value in row.values
        if name.startswith(("BPF_", "XDP_"))
    }


def test_helper_ids(constants: dict[str, int]):
    for row in HELPERS.values():
        assert constants[f"BPF_FUNC_{row.name}"] == row.id


def test_type_ids(constants: dict[str, int]):
    for map_type in MapType:
        assert constants[f"BPF_MAP_TYPE_{map_type.name}"] == map_type.value.id
    for program_type in ProgramType:
        assert constants[f"BPF_PROG_TYPE_{program_type.name}"] == program_type.value.id
    for attach_type in AttachType:
        assert constants[f"BPF_{attach_type.name}"] == attach_type.value


def test_flags(constants: dict[str, int]):
    for flag in MapFlags:
        assert constants[f"BPF_F_{flag.name}"] == flag
    for update in UpdateFlags:
        name = "BPF_F_LOCK" if update is UpdateFlags.LOCK else f"BPF_{update.name}"
        assert constants[name] == update
    # BPF_F_XDP_HAS_FRAGS is a macro, which BTF does not have
    assert [flag.name for flag in ProgramFlags] == ["XDP_HAS_FRAGS"]


def test_verdicts(constants: dict[str, int]):
    for action in XdpAction:
        assert constants[f"XDP_{action.name}"] == action


def test_the_xdp_context(kernel: Btf):
    (struct,) = [
        row
        for type_id in kernel.named(XDP_MD.name)
        if isinstance(row := kernel.type(type_id), Struct)
    ]
    assert struct.size == XDP_MD.size
    assert [(member.name, member.bit_offset // 8) for member in struct.members] == [
        (field.name, field.offset) for field in XDP_MD.fields
    ]
    assert {kernel.size_of(member.type) for member in struct.members} == {4}
