"""Which fields the values of a map have, and the objects that a pointer points to."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf
from beebox.btf.wire import Kind
from beebox.obj.model import INNER, MapSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.fields.record import (
    DEFERRED,
    IN_VALUES,
    KPTRS,
    LOCKS,
    ROOTS,
    BadRecordError,
    FieldKind,
    Record,
    UnknownTypesError,
    check_ownership,
    mentions_fields,
    of_object,
    parse,
)
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

_STORAGES: Final = frozenset(
    {
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    }
)
_TABLES: Final = frozenset({MapType.HASH, MapType.LRU_HASH, MapType.ARRAY})
_PER_CPU: Final = frozenset({MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH, MapType.PERCPU_ARRAY})
_HOLDERS: Final = {
    **dict.fromkeys(
        LOCKS, frozenset({MapType.HASH, MapType.ARRAY, MapType.CGROUP_STORAGE}) | _STORAGES
    ),
    **dict.fromkeys((*DEFERRED, *ROOTS), _TABLES),
    **dict.fromkeys((*KPTRS, FieldKind.REFCOUNT), _TABLES | _PER_CPU | _STORAGES),
    FieldKind.UPTR: frozenset({MapType.TASK_STORAGE}),
}
"""The types of map whose values may hold a field. Nodes are in objects alone."""

_ON_PROBES: Final = frozenset(
    {
        ProgramType.KPROBE,
        ProgramType.TRACEPOINT,
        ProgramType.PERF_EVENT,
        ProgramType.RAW_TRACEPOINT,
        ProgramType.RAW_TRACEPOINT_WRITABLE,
    }
)
_NOT_ON_PROBES: Final = (
    (ROOTS, "bpf_{list_head,rb_root}"),
    (LOCKS, "bpf_spin_lock"),
    ((FieldKind.TIMER,), "bpf_timer"),
    ((FieldKind.WORKQUEUE,), "bpf_wq"),
)


def note(path: Path, name: str, spec: MapSpec) -> None:
    """The program uses the map: its fields, and those of its inner maps, are known from now on.

    Refuses maps that the program may not use.
    """
    for name_, row in ((name, spec), (name + INNER, spec.inner)):
        record = _of_values(path, row) if row is not None else None
        if record is None or row is None:
            continue
        if not _may_hold(path, row, record):
            path.untyped.add(name_)
            continue
        _check_user(path, record)
        path.fields[name_] = record


def of(path: Path, value: Reg) -> Record | None:
    """The fields of what ``value`` points to: a map's value, or an object of the program."""
    if value.kind is RegKind.MAP_VALUE:
        return path.fields.get(value.map)
    if value.kind is RegKind.BTF_ID and value.type is not None and is_object(value):
        return of_type(path, value.type)
    return None


def has_types(path: Path, name: str) -> bool:
    """Whether Linux knows the types of the map's values."""
    known = path.spec.btf is not None and bool(path.map_spec(name).value_type_id)
    return known and name not in path.untyped


def is_object(value: Reg) -> bool:
    """Whether it points to an object that a program made, on all CPUs alike."""
    return bool(value.flags & PtrFlag.ALLOC) and not value.flags & PtrFlag.PERCPU


def of_type(path: Path, type_: TypeRef) -> Record | None:
    """The fields of an object of this type, which is one of the program's own."""
    key = (id(type_.btf), type_.id)
    if key not in path.records:
        path.records[key] = _of_objects(path, type_)
    return path.records[key]


def may_have_lock(path: Path, value: Reg) -> bool:
    """Whether the pointer must stay told apart from others, as there may be a lock behind it."""
    record = of(path, value)
    return record is not None and record.has(*LOCKS)


def identity(path: Path, value: Reg) -> int:
    """What tells an inner map apart from others of its kind, once it is known to be one.

    That counts where its values hold timers and the like, which are bound to their map.
    """
    record = path.fields.get(value.map)
    return value.id if record is not None and record.has(*DEFERRED) else 0


def _of_values(path: Path, spec: MapSpec) -> Record | None:
    btf = path.spec.btf
    if btf is None or not 0 < spec.value_type_id <= len(btf):
        return None

    def kernel() -> Btf | None:
        return path.options.kernel

    try:
        record = parse(btf, spec.value_type_id, IN_VALUES, spec.value_size, kernel)
    except BadRecordError:
        check_objects(path, btf)
        return None  # Linux makes the map, and knows nothing of its fields
    except UnknownTypesError as why:
        raise _unknown(path, f"values of map {spec.name}", why) from why
    if record is None:
        return None
    check_objects(path, btf)
    return record


def _of_objects(path: Path, type_: TypeRef) -> Record | None:
    check_objects(path, type_.btf)
    try:
        return of_object(type_.btf, type_.id, lambda: path.options.kernel)
    except UnknownTypesError as why:
        raise _unknown(path, f"struct {type_.name}", why) from why


def check_program(path: Path) -> None:
    """Whether Linux accepts the types of the program, as far as they have fields."""
    btf = path.spec.btf
    if btf is not None and mentions_fields(btf):
        check_objects(path, btf)


def check_objects(path: Path, btf: Btf) -> None:
    """Whether Linux accepts the program's types: those with fields, all of them.

    Structs whose pointers cannot be judged without the kernel's types are left to those who use
    them.
    """
    key = (id(btf), 0)
    if key in path.records:
        return
    path.records[key] = None
    for type_id in btf.of_kind(Kind.STRUCT):
        try:
            record = of_object(btf, type_id, lambda: path.options.kernel)
            if record is not None:
                check_ownership(btf, record, lambda: path.options.kernel)
        except UnknownTypesError:
            pass
        except BadRecordError as why:
            name = getattr(btf.type(type_id), "name", "")
            raise Refusal(
                "kernel-fields", path.pc, f"Linux does not accept struct {name}: {why}"
            ) from why


def _unknown(path: Path, what: str, why: UnknownTypesError) -> Refusal:
    return Refusal(
        "not-supported", path.pc,
        f"{what} hold a pointer to struct {why}, and the types of the kernel are not known",
    )  # fmt: skip


def _may_hold(path: Path, spec: MapSpec, record: Record) -> bool:
    """Whether maps of this type hold such fields: else the map is made without its types."""
    if path.spec.btf is not None:
        try:
            check_ownership(path.spec.btf, record, lambda: path.options.kernel)
        except BadRecordError:
            return False
    closed = spec.flags & (MapFlags.RDONLY_PROG | MapFlags.WRONLY_PROG)
    return not closed and all(
        spec.type in _HOLDERS.get(field.kind, ()) for field in record.fields
    )  # fmt: skip


def _check_user(path: Path, record: Record) -> None:
    """Whether programs of this type may use a map with such fields at all."""
    type_ = path.spec.type
    for kinds, what in _NOT_ON_PROBES:
        if not record.has(*kinds):
            continue
        who = "tracing" if type_ in _ON_PROBES else ""
        if type_ is ProgramType.SOCKET_FILTER and kinds == LOCKS:
            who = "socket filter"
        if who:
            raise Refusal(
                "kernel-fields", path.pc,
                f"{type_.value.name} programs may not use maps with a {what} in their values",
                kernel=f"{who} progs cannot use {what} yet",
            )  # fmt: skip
