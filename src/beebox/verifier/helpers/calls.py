"""Helper calls: whether the program may call it, and what the call does to what is known."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Final

from beebox.isa.instruction import Call
from beebox.obj.model import INNER
from beebox.tables.helpers import HELPERS, Helper, RetKind
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.privileges import needs_perfmon
from beebox.tables.program_types import ProgramType
from beebox.verifier.accesses import packet
from beebox.verifier.btf_pointers import arguments as structs
from beebox.verifier.btf_pointers import rights as attached
from beebox.verifier.dynptrs import helpers as dynptrs
from beebox.verifier.dynptrs import slots
from beebox.verifier.fields import kptrs
from beebox.verifier.fields.record import LOCKS
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers.arguments import ALWAYS_PRESENT, Arguments, check
from beebox.verifier.numbers.scalar import ANY, signed_range, unsigned_range
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape.license import GPL
from beebox.verifier.states import guards, references
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

_HOLDS_SOCKETS: Final = (MapType.SOCKMAP, MapType.SOCKHASH)
_BY_MACHINE: Final = ("probe_write_user", "override_return")
_AT_MOST_ASKED: Final = frozenset(
    {
        "get_stack",
        "get_task_stack",
        "probe_read_str",
        "probe_read_user_str",
        "probe_read_kernel_str",
    }
)
"""Their result is an errno, or no more than the size that they were given."""

_MAX_ERRNO: Final = 4095
_SOCKET: Final = {
    RetKind.SOCK_COMMON_OR_NULL: RegKind.SOCK_COMMON,
    RetKind.SOCKET_OR_NULL: RegKind.SOCKET,
    RetKind.TCP_SOCK_OR_NULL: RegKind.TCP_SOCK,
}


def helper(path: Path, insn: Call, called: Callable[[], None]) -> None:
    """Check the arguments, void R1-R5, set R0.

    ``called`` happens between: when the arguments are known to be right, and still there.
    """
    row = _row(insn.target, path.spec.type) if isinstance(insn.target, int) else None
    if row is None:
        _check_poison(path, insn)
        raise Refusal(
            "not-supported", path.pc, f"helper {insn.target} is not known here",
            kernel=f"invalid func unknown#{insn.target}",
        )  # fmt: skip
    _check_caller(path, row)
    if path.release is not None:
        path.release.check_helper(row, path.spec.type, path.pc)
    path.helpers.add(row.id)
    found = check(path, row)
    if row.name == "tail_call":
        index, programs = path.read(3), path.map_spec(found.map)
        if index.scalar.is_const and index.scalar.value < programs.max_entries:
            path.precise(index)  # which program is called is fixed when Linux compiles the call
        references.require_none(path, "a tail call", kernel="tail_call")
    if found.released and found.kptr is not None:
        kptrs.put(path, found.released)
    elif found.released:
        references.release(path, found.released)
    if found.ended:
        slots.release(path, path.read(found.ended), found.ended)
    called()
    for number in range(1, 6):
        path.regs[number] = None
    path.regs[0] = _result(path, row, found)
    changes = row.changes_packet or dynptrs.changes_packet(row.name, found.dynptr)
    if changes and row.name != "tail_call":  # a tail call that fails changes nothing
        packet.void_pointers(path)


def _check_poison(path: Path, insn: Call) -> None:
    """Whether the call stands where relocation left what the target does not have."""
    for poisoned in path.spec.poisoned:
        if poisoned.pc == path.pc:
            raise Refusal(
                "missing-in-target", path.pc, poisoned.why,
                kernel=f"invalid func unknown#{insn.target}",
            )  # fmt: skip


@cache
def possible_cpus() -> int:
    """How many CPUs this machine has."""
    return os.cpu_count() or 1


@cache
def _row(target: int, program_type: ProgramType) -> Helper | None:
    row = HELPERS.get(target)
    return row.called_by(program_type) if row is not None else None


def _check_caller(path: Path, row: Helper) -> None:
    type_ = path.spec.type
    if not row.allowed(type_, path.attach_type):
        raise Refusal(
            "helper-not-allowed", path.pc,
            f"{type_.value.name} programs may not call bpf_{row.name}",
            kernel=f"program of this type cannot use helper bpf_{row.name}#{row.id}",
        )  # fmt: skip
    if path.speculation is not None and needs_perfmon(row.name, type_):
        raise Refusal(
            "helper-not-allowed", path.pc,
            f"only who has CAP_PERFMON may load programs that call bpf_{row.name}",
            kernel=f"program of this type cannot use helper bpf_{row.name}#{row.id}",
        )  # fmt: skip
    attached.check_caller(path, row)
    row = row.called_by(path.spec.type)
    if row.gpl_only and path.spec.license not in GPL:
        raise Refusal(
            "helper-gpl", path.pc, f"bpf_{row.name} needs a GPL-compatible license, not "
            f"{path.spec.license!r}",
            kernel="cannot call GPL-restricted function from non-GPL compatible program",
        )  # fmt: skip
    if row.name in _BY_MACHINE:
        raise Refusal(
            "not-supported", path.pc,
            f"whether bpf_{row.name} may be called depends on how the kernel was built and locked",
        )  # fmt: skip
    if row.sleepable and not path.sleepable:
        raise Refusal(
            "helper-sleeps", path.pc,
            f"bpf_{row.name} may sleep, and this {type_.value.name} program may not",
            kernel="helper call might sleep in a non-sleepable prog",
        )  # fmt: skip
    section = guards.awake(path) if row.sleepable else ""
    if section:
        raise Refusal(
            "section", path.pc, f"bpf_{row.name} may sleep, which is not possible here: {section}",
            kernel=f"sleepable helper bpf_{row.name}#{row.id} in {section}",
        )  # fmt: skip


def _result(path: Path, row: Helper, found: Arguments) -> Reg | None:
    """What R0 holds after the call."""
    match row.ret:
        case RetKind.INTEGER:
            if row.name == "get_smp_processor_id":
                return path.number(unsigned_range(0, path.options.cpus - 1))
            if row.name in _AT_MOST_ASKED:
                return path.number(signed_range(-_MAX_ERRNO, found.most))
            return path.number(ANY)
        case RetKind.VOID:
            return None
        case RetKind.MAP_VALUE:
            fields = path.fields.get(found.map)
            id_ = path.new_id() if fields is not None and fields.has(*LOCKS) else 0
            return path.pointer(RegKind.MAP_VALUE, map_=found.map, id_=id_)
        case RetKind.MAP_VALUE_OR_NULL:
            return _looked_up(path, row, found)
        case RetKind.SOCKET_OR_NULL | RetKind.TCP_SOCK_OR_NULL | RetKind.SOCK_COMMON_OR_NULL:
            return _maybe(path, row, found, _SOCKET[row.ret])
        case RetKind.RINGBUF_MEM_OR_NULL:
            record = PtrFlag.RINGBUF
            return _maybe(path, row, found, RegKind.MEM, size=found.alloc_size, flags=record)
        case RetKind.BTF_ID_OR_NULL if found.kptr is not None:
            type_, flags = kptrs.taken(path, found.kptr)
            return _maybe(path, row, found, RegKind.BTF_ID, flags=flags, type_=type_)
        case RetKind.MEM_OR_NULL if found.dynptr is not None:
            return dynptrs.slice_(path, found.dynptr, found.alloc_size)
        case RetKind.BTF_ID | RetKind.BTF_ID_OR_NULL | RetKind.BTF_ID_TRUSTED if row.ret_type_name:
            return structs.result(path, row, found.ref)
        case RetKind.MEM_OR_BTF_ID | RetKind.MEM_OR_BTF_ID_OR_NULL if found.per_cpu is not None:
            return structs.of_cpu(path, row, found.per_cpu)
        case _:
            raise Refusal(
                "not-supported", path.pc,
                f"bpf_{row.name} returns a {row.ret.name.lower()}, which is not verified yet",
            )  # fmt: skip


def _maybe(
    path: Path,
    row: Helper,
    found: Arguments,
    kind: RegKind,
    *,
    size: int = 0,
    flags: int = PtrFlag.NONE,
    type_: TypeRef | None = None,
) -> Reg:
    """A pointer that may be NULL: with a reference of its own, or kept alive by an argument's."""
    id_ = path.new_id()
    ref = 0
    if row.acquires:
        ref = id_
        references.acquire(path, id_)
    elif row.casts:
        ref = found.ref
    return path.pointer(
        kind, id_=id_, ref=ref, range_=size, nullable=True, flags=flags, type_=type_
    )  # fmt: skip


def _looked_up(path: Path, row: Helper, found: Arguments) -> Reg:
    spec = path.map_spec(found.map)
    if spec.inner is not None:
        name = found.map + INNER
        return path.pointer(RegKind.MAP, id_=path.new_id(), map_=name, nullable=True)
    if spec.type is MapType.XSKMAP:
        return _maybe(path, row, found, RegKind.XDP_SOCK)
    if spec.type in _HOLDS_SOCKETS:
        id_ = path.new_id()
        references.acquire(path, id_)
        return path.pointer(RegKind.SOCKET, id_=id_, ref=id_, map_=found.map, nullable=True)
    present = (
        row.name == "map_lookup_elem"
        and path.offers("constant_keys")
        and spec.type in ALWAYS_PRESENT
        and not spec.flags & MapFlags.INNER_MAP  # an inner map may be smaller
        and found.key is not None
        and found.key < spec.max_entries
    )
    record = path.fields.get(found.map)
    told_apart = not present or (record is not None and record.has(*LOCKS))
    id_ = path.new_id() if told_apart else 0
    return path.pointer(
        RegKind.MAP_VALUE, id_=id_, map_=found.map, range_=found.uid, nullable=not present
    )  # fmt: skip
