"""What a program may be, before any of its instructions: its type, attach type, flags and maps.

Refuses what Linux's ``bpf_prog_load_check_attach``, the sleepable rules and
``check_map_prog_compatibility`` refuse.
"""

from __future__ import annotations

from typing import Final

from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.privileges import PERFMON_TYPES
from beebox.tables.program_types import AttachType, ProgramType, Sleeps
from beebox.tables.sections import ProgramFlags
from beebox.verifier.findings import Refusal

PROGRAM_TYPES: Final = frozenset(ProgramType) - {ProgramType.EXT}
"""Those that are verified as what they are; ext programs are as those that they extend."""

_ASSUMED: Final = {
    ProgramType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
    ProgramType.CGROUP_SKB: AttachType.CGROUP_INET_INGRESS,
    ProgramType.SK_REUSEPORT: AttachType.SK_REUSEPORT_SELECT,
    ProgramType.RAW_TRACEPOINT: AttachType.TRACE_RAW_TP,
    ProgramType.RAW_TRACEPOINT_WRITABLE: AttachType.TRACE_RAW_TP,
}
"""What Linux takes a program for that was loaded without an attach type."""

_AWAKE_MAPS: Final = frozenset(
    {
        MapType.HASH,
        MapType.LRU_HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_PERCPU_HASH,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.INODE_STORAGE,
        MapType.SK_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
        MapType.QUEUE,
        MapType.STACK,
        MapType.ARENA,
    }
)
"""Maps that programs may use that sleep."""

_NOT_VERIFIED: Final = (MapType.STRUCT_OPS,)


def attach_type(spec: ProgramSpec) -> AttachType | None:
    """The attach type that the program is verified for."""
    return spec.attach_type if spec.attach_type is not None else _ASSUMED.get(spec.type)


def sleepable(spec: ProgramSpec) -> bool:
    """Whether the program may sleep."""
    return bool(spec.flags & ProgramFlags.SLEEPABLE)


def check_program(spec: ProgramSpec) -> None:
    """Whether Linux loads programs of this type, attach type and flags at all."""
    row = spec.type.value
    if spec.type not in PROGRAM_TYPES:
        raise Refusal("not-supported", 0, f"{spec.type.name} programs are not verified yet")
    attach = spec.attach_type
    if attach is not None and attach not in row.attach_types:
        raise Refusal(
            "attach-type", 0, f"{row.name} programs do not attach as {attach.name.lower()}"
        )
    if attach is None and row.needs_attach_type:
        raise Refusal("attach-type", 0, f"{row.name} programs need an attach type")
    allowed = Sleeps.MUST if not sleepable(spec) else Sleeps.NEVER
    if row.sleeps is allowed:
        raise Refusal(
            "attach-type", 0, f"{row.name} programs "
            + ("must be loaded as sleepable" if not sleepable(spec) else "may not sleep"),
        )  # fmt: skip


def check_loader(spec: ProgramSpec) -> None:
    """Whether Linux loads such programs for who has CAP_BPF and CAP_NET_ADMIN alone."""
    if spec.type in PERFMON_TYPES:
        raise Refusal(
            "loader", 0, f"{spec.type.value.name} programs are loaded with CAP_PERFMON alone"
        )


def check_map(spec: ProgramSpec, used: MapSpec, pc: int) -> None:
    """Whether the program may use the map."""
    if used.type in _NOT_VERIFIED:
        raise Refusal("not-supported", pc, f"{used.type.value.name} maps are not verified yet")
    if sleepable(spec) and used.type not in _AWAKE_MAPS:
        raise Refusal(
            "map-type", pc, f"programs that may sleep may not use {used.type.value.name} maps",
            kernel="Sleepable programs can only use array, hash, ringbuf and local storage maps",
        )  # fmt: skip
