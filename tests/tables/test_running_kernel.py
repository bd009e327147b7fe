"""Ids, flags and layouts in the tables against the BTF of the running kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from beebox.btf.codec import parse
from beebox.btf.types import Btf, Enum, Struct
from beebox.tables.helpers import HELPERS
from beebox.tables.links import ATTACH_SINCE, LinkType
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


def of(constants: dict[str, int], prefix: str) -> dict[str, int]:
    """The enumerators of one kind, without the ends of the enumeration."""
    return {
        name.removeprefix(prefix): value
        for name, value in constants.items()
        if name.startswith(prefix) and not name.lower().endswith("unspec")
    }


def test_helper_ids(constants: dict[str, int]):
    assert of(constants, "BPF_FUNC_") == {row.name: row.id for row in HELPERS.values()}


def test_program_type_ids(constants: dict[str, int]):
    assert of(constants, "BPF_PROG_TYPE_") == {row.name: row.value.id for row in ProgramType}


def test_link_type_ids(constants: dict[str, int]):
    assert of(constants, "BPF_LINK_TYPE_") == {row.name: row.value for row in LinkType}


def test_attach_type_ids(kernel: Btf):
    (values,) = [
        dict(row.values)
        for _, row in kernel.items()
        if isinstance(row, Enum) and row.name == "bpf_attach_type"
    ]
    count = values.pop("__MAX_BPF_ATTACH_TYPE")
    assert values == {f"BPF_{row.name}": row.value for row in AttachType}
    assert len(ATTACH_SINCE) == count


def test_map_type_ids(constants: dict[str, int]):
    for map_type in MapType:
        assert constants[f"BPF_MAP_TYPE_{map_type.name}"] == map_type.value.id


def test_flags(constants: dict[str, int]):
    for flag in MapFlags:
        assert constants[f"BPF_F_{flag.name}"] == flag
    for update in UpdateFlags:
        name = "BPF_F_LOCK" if update is UpdateFlags.LOCK else f"BPF_{update.name}"
        assert constants[name] == update
    # BPF_F_SLEEPABLE and BPF_F_XDP_HAS_FRAGS are macros, which BTF does not have
    assert [(flag.name, flag.value) for flag in ProgramFlags] == [
        ("SLEEPABLE", 1 << 4),
        ("XDP_HAS_FRAGS", 1 << 5),
    ]


def test_verdicts(constants: dict[str, int]):
    for action in XdpAction:
        assert constants[f"XDP_{action.name}"] == action


def members(kernel: Btf, type_id: int, base: int = 0) -> Iterator[tuple[str, int, int]]:
    """``(name, offset, bytes)`` of a struct's members, those of anonymous ones among them."""
    _, row = kernel.resolve(type_id)
    assert isinstance(row, Struct)
    for member in row.members:
        offset = base + member.bit_offset // 8
        if member.name:
            yield member.name, offset, kernel.size_of(member.type) or 0
        elif isinstance(kernel.resolve(member.type)[1], Struct):
            yield from members(kernel, member.type, offset)


CONTEXTS = {
    row.value.context.name: row.value.context
    for row in ProgramType
    if row.value.context is not None
}
NO_STRUCT = {
    "tracepoint": "each tracepoint has a record of its own",
    "syscall": "the caller decides",
    "lirc_mode2": "a number",
    "bpf_raw_tracepoint_args": "an array without a length",
}
NAMED_OTHERWISE = {
    ("pt_regs", "cs"): "in a union with csx",
    ("pt_regs", "ss"): "in a union with ssx",
    ("bpf_sock", "dst_port"): "16 bits since 5.18, but 32 may still be loaded",
    ("bpf_sk_lookup", "remote_port"): "16 bits since 5.18, but 32 may still be loaded",
}
"""Fields that are not as wide as the struct's member of that name."""


@pytest.mark.parametrize("name", sorted(CONTEXTS.keys() - NO_STRUCT.keys()))
def test_contexts(kernel: Btf, name: str):
    context = CONTEXTS[name]
    (type_id,) = [
        type_id for type_id in kernel.named(name) if isinstance(kernel.type(type_id), Struct)
    ]
    assert kernel.size_of(type_id) == context.size
    theirs = {member: (offset, size) for member, offset, size in members(kernel, type_id)}
    for field in context.fields:
        offset, size = theirs[field.name]
        assert field.offset == offset
        assert field.size == size or (name, field.name) in NAMED_OTHERWISE


def test_every_field_of_a_packet_is_named(kernel: Btf):
    """What programs of one type may not touch, programs of another may."""
    for name in ("__sk_buff", "xdp_md"):
        (type_id,) = [
            type_id for type_id in kernel.named(name) if isinstance(kernel.type(type_id), Struct)
        ]
        named = {
            field.name
            for row in ProgramType
            if row.value.context and row.value.context.name == name
            for field in row.value.context.fields
        }
        assert named == {member for member, _, _ in members(kernel, type_id)}
