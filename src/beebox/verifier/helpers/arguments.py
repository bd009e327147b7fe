"""Helper arguments: whether R1-R5 are what the row of ``tables.helpers`` demands of them."""

from __future__ import annotations

from typing import Final, NoReturn

from beebox.tables.helpers import Arg, ArgKind, Helper
from beebox.tables.limits import MAX_VAR_SIZE, NET_IP_ALIGN
from beebox.tables.map_types import MapType
from beebox.tables.program_types import PacketArguments, ProgramType
from beebox.verifier.accesses import memory, packet, stack
from beebox.verifier.btf_pointers import arguments as structs
from beebox.verifier.dynptrs import helpers as dynptrs
from beebox.verifier.fields import deferred, graphs, kptrs, locks
from beebox.verifier.fields.record import Field, FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers import text
from beebox.verifier.path import Path
from beebox.verifier.profiles import leaks
from beebox.verifier.reports.names import KERNEL, kernel_name, misaligned, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import HeldKind
from beebox.verifier.states.value import PtrFlag, Reg

_MEMORY: Final = (
    RegKind.STACK,
    RegKind.PACKET,
    RegKind.PACKET_META,
    RegKind.MAP_KEY,
    RegKind.MAP_VALUE,
    RegKind.MEM,
    RegKind.BUF,
    RegKind.BTF_ID,
)
_RECORD: Final = (RegKind.MEM,)
_FLAGGED: Final = (RegKind.MEM, RegKind.BUF, RegKind.BTF_ID)
_SOCKETS: Final = (RegKind.SOCK_COMMON, RegKind.SOCKET, RegKind.TCP_SOCK, RegKind.XDP_SOCK)
_SOCKETS_OR_TYPED: Final = (*_SOCKETS, RegKind.BTF_ID)
_TYPED: Final = (RegKind.BTF_ID,)
_AS_LOGGED: Final = {
    _MEMORY: "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_",
    _RECORD: "ringbuf_mem",
    _SOCKETS_OR_TYPED: "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
    _TYPED: "ptr_, trusted_ptr_, rcu_ptr_",
}
_PACKET: Final = (RegKind.PACKET, RegKind.PACKET_META)
_EXPECTED: Final = {
    ArgKind.CONST_MAP_PTR: (RegKind.MAP,),
    ArgKind.MAP_KEY: _MEMORY,
    ArgKind.MAP_VALUE: _MEMORY,
    ArgKind.MEM: _MEMORY,
    ArgKind.CONST_SIZE: (RegKind.SCALAR,),
    ArgKind.CONST_SIZE_OR_ZERO: (RegKind.SCALAR,),
    ArgKind.CONST_ALLOC_SIZE_OR_ZERO: (RegKind.SCALAR,),
    ArgKind.CTX: (RegKind.CTX,),
    ArgKind.STACK: (RegKind.STACK,),
    ArgKind.FUNC: (RegKind.FUNC,),
    ArgKind.CONST_STR: (RegKind.MAP_VALUE,),
    ArgKind.SOCK_COMMON: _SOCKETS,
    ArgKind.BTF_ID_SOCK_COMMON: _SOCKETS_OR_TYPED,
    ArgKind.BTF_ID: _TYPED,
    ArgKind.PERCPU_BTF_ID: _TYPED,
    ArgKind.SOCKET: (RegKind.SOCKET,),
    ArgKind.RINGBUF_MEM: _RECORD,
    ArgKind.DYNPTR: (RegKind.STACK, RegKind.DYNPTR),
}
"""The kinds of value that fit. What is not here is not verified yet, and refused."""

_HOLDS_SOCKETS: Final = (MapType.SOCKMAP, MapType.SOCKHASH)
_WITHOUT_LOCKS: Final = frozenset(
    {
        ProgramType.SOCKET_FILTER,
        ProgramType.SCHED_CLS,
        ProgramType.SCHED_ACT,
        ProgramType.XDP,
        ProgramType.SK_REUSEPORT,
        ProgramType.FLOW_DISSECTOR,
        ProgramType.SK_LOOKUP,
    }
)
_CHANGES_SOCKETS: Final = {
    "map_update_elem": _WITHOUT_LOCKS,
    "map_delete_elem": _WITHOUT_LOCKS | {ProgramType.SOCK_OPS},
}
"""Which programs may change maps of sockets: those that never see a locked one."""

_OTHER_MAP: Final = {
    "tail_call": "expected prog array map for tail call",
    "for_each_map_elem": "callback function not allowed for map",
}
"""The kernel's own lines on a map of another type."""

_STAYS_AT_START: Final = (RegKind.CTX, RegKind.MAP, RegKind.FUNC, RegKind.DYNPTR)
ALWAYS_PRESENT: Final = (MapType.ARRAY, MapType.PERCPU_ARRAY)
"""Map types whose elements exist for every key below ``max_entries``."""
_WRITES_MAP: Final = frozenset(
    {"map_update_elem", "map_delete_elem", "map_push_elem", "map_pop_elem"}
)

_CALLS_BACK: Final = frozenset(
    {"loop", "for_each_map_elem", "find_vma", "user_ringbuf_drain", "timer_set_callback"}
)
"""Helpers whose functions are verified (``callbacks``, ``fields.deferred``)."""

_OF_FIELDS: Final = (ArgKind.SPIN_LOCK, ArgKind.TIMER, ArgKind.KPTR_XCHG_DEST)
"""Arguments that point to the kernel's own fields."""


class Arguments:
    """What the arguments said: the map, its constant key, references, the size to allocate."""

    __slots__ = (
        "alloc_size",
        "dynptr",
        "ended",
        "item",
        "key",
        "kptr",
        "map",
        "most",
        "per_cpu",
        "ref",
        "released",
        "uid",
    )

    def __init__(self) -> None:
        self.map = ""
        self.uid = 0  # which look-up gave the map, of inner maps where that counts
        self.key: int | None = None
        self.ref = 0  # the reference that one of the pointers holds
        self.released = 0  # ... and that this call releases
        self.alloc_size = 0
        self.most = 0  # bytes of sized memory
        self.dynptr: Reg | None = None  # the initialised dynptr
        self.per_cpu: Reg | None = None  # what every CPU has one of
        self.ended = 0  # the argument whose dynptr this call releases
        self.item: Reg | None = None  # the pointer to a timer
        self.kptr: Field | None = None  # the pointer that is exchanged


def check(path: Path, row: Helper) -> Arguments:
    """Check every argument. Raises :exc:`Refusal`."""
    found = Arguments()
    for number, arg in enumerate(row.args, 1):
        value = path.read(number)
        if arg.kind is not ArgKind.ANYTHING:
            _check(path, row, number, arg, value, found)
        else:
            kernel = f"R{number} leaks addr into helper function"
            leaks.check(path, value, number, f"an argument of bpf_{row.name}", kernel=kernel)
    if row.name == "get_local_storage":
        flags = path.read(2)
        path.precise(flags)
        if not _is_null(flags):
            raise Refusal(
                "argument-type", path.pc, "the flags of bpf_get_local_storage must be 0",
                kernel="get_local_storage() doesn't support non-zero flags", values=(flags,),
                reg=2,
            )  # fmt: skip
    if row.name == "dynptr_from_mem":
        dynptrs.check_memory(path, path.read(1))
    if row.name == "snprintf":
        text.check_snprintf(path, path.read(3), path.read(5))
    return found


def _check(path: Path, row: Helper, number: int, arg: Arg, value: Reg, found: Arguments) -> None:
    kind = arg.kind
    if kind is ArgKind.MAP_VALUE and path.map_spec(found.map).type in _HOLDS_SOCKETS:
        kind = ArgKind.BTF_ID_SOCK_COMMON
    if kind in _OF_FIELDS or row.name == "kptr_xchg":
        _check_field(path, row, number, arg, value, found)
        return
    expected = _EXPECTED.get(kind)
    if expected is None or (kind is ArgKind.FUNC and row.name not in _CALLS_BACK):
        what = kind.name.lower()
        raise Refusal(
            "not-supported", path.pc, f"bpf_{row.name} takes a {what}, which is not verified yet"
        )
    is_null = arg.nullable and _is_null(value)
    if is_null:
        path.precise(value)
    else:
        _check_kind(path, row, number, arg, value, expected)
        if kind is not ArgKind.DYNPTR:
            _note_references(path, row, number, arg, value, found)
    match kind:
        case ArgKind.CONST_MAP_PTR:
            found.map, found.uid = value.map, value.range
            if found.item is None:
                _check_map(path, row, number, value)
            else:
                deferred.check_map(path, found.item, value, number, FieldKind.TIMER)
        case ArgKind.MAP_KEY:
            spec = path.map_spec(found.map)
            _access(path, row, number, value, spec.key_size, writes=False)
            if spec.type in ALWAYS_PRESENT:
                found.key = stack.constant_at(path, value, spec.key_size)
        case ArgKind.MAP_VALUE:
            if not is_null:
                spec = path.map_spec(found.map)
                peeks = row.name == "map_peek_elem" and spec.type is MapType.BLOOM_FILTER
                writes = arg.writes and not peeks  # a bloom filter's peek asks for this value
                raw = writes and arg.uninit
                _access(path, row, number, value, spec.value_size, writes=writes, raw=raw)
        case ArgKind.MEM:
            if arg.fixed_size and not is_null:
                _access(
                    path, row, number, value, arg.fixed_size, writes=arg.writes, raw=arg.uninit
                )  # fmt: skip
                if arg.aligned:
                    _check_alignment(path, row, number, value, arg.fixed_size)
        case ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
            _sized_memory(path, row, number, arg, value)
            found.most = value.scalar.umax
        case ArgKind.CONST_ALLOC_SIZE_OR_ZERO:
            if not value.scalar.is_const:
                raise Refusal(
                    "argument-size", path.pc,
                    f"the size in argument {number} of bpf_{row.name} must be a constant",
                    kernel=f"R{number} is not a known constant'", values=(value,), reg=number,
                )  # fmt: skip
            path.precise(value)
            found.alloc_size = value.scalar.value
        case ArgKind.CONST_STR:
            text.check_constant(path, number, value)
        case ArgKind.PERCPU_BTF_ID:
            found.per_cpu = value
        case ArgKind.DYNPTR:
            initialised = dynptrs.check_argument(path, arg, number, value)
            found.dynptr = initialised or found.dynptr
            found.ended = number if arg.releases else found.ended
        case _:
            pass


def _check_field(
    path: Path, row: Helper, number: int, arg: Arg, value: Reg, found: Arguments
) -> None:
    """A pointer to a field of the kernel's, or what is put into such a field."""
    match arg.kind:
        case ArgKind.SPIN_LOCK:
            locks.check_pointer(path, value, number)
            graphs.refuse_lock(path)
            change = locks.take if row.name == "spin_lock" else locks.give
            change(path, value, number, HeldKind.LOCK)
        case ArgKind.TIMER:
            deferred.check_pointer(path, value, number, FieldKind.TIMER)
            found.item = value
        case ArgKind.KPTR_XCHG_DEST:
            found.kptr = kptrs.destination(path, value, number)
        case _:
            if found.kptr is not None:
                kptrs.check_source(path, found.kptr, value, number)
                found.released = value.ref


def _is_null(value: Reg) -> bool:
    scalar = value.scalar
    return value.kind is RegKind.SCALAR and scalar.is_const and scalar.value == 0


def _takes_packet(path: Path, row: Helper) -> bool:
    match path.spec.type.value.packet_arguments:
        case PacketArguments.AS_HELPER:
            return row.packet_access
        case PacketArguments.NEVER | PacketArguments.ALWAYS as rule:
            return rule is PacketArguments.ALWAYS


def _check_kind(
    path: Path, row: Helper, number: int, arg: Arg, value: Reg, expected: tuple[RegKind, ...]
) -> None:
    if value.kind in _PACKET and not _takes_packet(path, row):
        raise Refusal(
            "argument-type", path.pc,
            f"argument {number} of bpf_{row.name} may not point into the packet",
            kernel="helper access to the packet is not allowed", values=(value,), reg=number,
            hint="copy the bytes to the stack first",
        )  # fmt: skip
    moved = value.off or not value.scalar.is_const or value.scalar.value
    fits = value.kind in expected and (arg.nullable or not value.nullable)
    if arg.kind is ArgKind.RINGBUF_MEM and not value.flags & PtrFlag.RINGBUF:
        fits = False  # memory of another kind
    if value.kind in _FLAGGED and not _flags_fit(arg, value):
        fits = False
    if fits and value.kind is RegKind.BTF_ID:
        structs.check(path, row, number, arg, value)
        return
    if fits:
        of_stack = arg.kind is ArgKind.DYNPTR and value.kind is RegKind.STACK
        if not moved or (value.kind not in _STAYS_AT_START and not arg.releases) or of_stack:
            return
        if value.kind is not RegKind.SCALAR:
            kernel = f"dereference of modified {kernel_name(value)} ptr R{number} "
            kernel += f"off={value.off} disallowed"
            if arg.releases and value.off:
                kernel = f"R{number} must have zero offset when passed to release func"
            raise Refusal(
                "argument-type", path.pc,
                f"argument {number} of bpf_{row.name} must point to the start of what it points "
                "to, but was moved", kernel=kernel, values=(value,), reg=number,
            )  # fmt: skip
        return
    _wrong_kind(path, row, number, value, expected)


def _flags_fit(arg: Arg, value: Reg) -> bool:
    """Whether the argument takes memory that is read-only, a slice of a dynptr, such trust."""
    if value.kind is RegKind.BTF_ID:
        return structs.fits(arg, value)
    if value.flags & PtrFlag.UNTRUSTED:
        return False
    if value.flags & PtrFlag.RDONLY and (arg.kind is not ArgKind.MEM or arg.writes):
        return False
    return arg.kind is ArgKind.MEM or not value.flags & PtrFlag.SLICE


def _wrong_kind(
    path: Path, row: Helper, number: int, value: Reg, expected: tuple[RegKind, ...]
) -> NoReturn:
    wanted = ", ".join(KERNEL[kind] for kind in expected)
    logged = _AS_LOGGED.get(expected, wanted)
    if row.args[number - 1].kind is ArgKind.PERCPU_BTF_ID:
        logged = "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_"
    if expected is _MEMORY and value.kind is RegKind.SCALAR and row.args[number - 1].nullable:
        logged = "fp"
    raise Refusal(
        "argument-type" if not value.nullable else "null-pointer", path.pc,
        f"argument {number} of bpf_{row.name} must be one of {wanted}, but is {plain_name(value)}",
        kernel=f"R{number} type={kernel_name(value)} expected={logged}",
        values=(value,), reg=number,
    )  # fmt: skip


def _note_references(
    path: Path, row: Helper, number: int, arg: Arg, value: Reg, found: Arguments
) -> None:
    if arg.releases:
        if not value.ref:
            raise Refusal(
                "reference-missing", path.pc,
                f"argument {number} of bpf_{row.name} holds no reference that could be released",
                kernel=f"R{number} must be referenced when passed to release function",
                values=(value,), reg=number,
            )  # fmt: skip
        found.released = value.ref
    if value.ref:
        if found.ref:
            raise Refusal(
                "argument-type", path.pc,
                f"bpf_{row.name} gets more than one argument with a reference",
                kernel=f"more than one arg with ref_obj_id R{number}", values=(value,), reg=number,
            )  # fmt: skip
        found.ref = value.ref


def _check_map(path: Path, row: Helper, number: int, value: Reg) -> None:
    spec = path.map_spec(value.map)
    if row.name not in spec.type.value.helpers:
        raise Refusal(
            "map-type", path.pc,
            f"bpf_{row.name} does not work on {spec.type.value.name} maps such as {spec.name}",
            kernel=_OTHER_MAP.get(
                row.name,
                f"cannot pass map_type {spec.type.value.id} into func bpf_{row.name}#{row.id}",
            ),
            values=(value,), reg=number,
        )  # fmt: skip
    if spec.type in _HOLDS_SOCKETS and row.name in _CHANGES_SOCKETS:
        allowed = _CHANGES_SOCKETS[row.name]
        if path.spec.type not in allowed:
            raise Refusal(
                "map-type", path.pc,
                f"{path.spec.type.value.name} programs may not call bpf_{row.name} on "
                f"{spec.type.value.name} maps such as {spec.name}: the sockets may be locked",
                kernel="cannot update sockmap in this context", values=(value,), reg=number,
            )  # fmt: skip
    if row.name in _WRITES_MAP and memory.is_read_only(spec):
        raise Refusal(
            "read-only", path.pc, f"map {spec.name} does not let programs write into it",
            kernel="write into map forbidden", values=(value,), reg=number,
        )  # fmt: skip


def _access(
    path: Path, row: Helper, number: int, value: Reg, size: int, *, writes: bool, raw: bool = False
) -> None:
    """The helper accesses ``size`` bytes at ``value``; ``raw``: it does not read them first."""
    if not reach(path, number, value, size, writes=writes, raw=raw):
        _wrong_kind(path, row, number, value, _MEMORY)


def reach(
    path: Path, number: int, value: Reg, size: int, *, writes: bool, raw: bool = False
) -> bool:
    """The kernel accesses ``size`` bytes at ``value``, R``number``; False where it cannot."""
    match value.kind:
        case RegKind.STACK:
            low, high = stack.observe(path, value, number, size, write=writes, raw=raw)
            if writes:
                stack.smear(path, value.frame, low, high)
        case RegKind.PACKET | RegKind.PACKET_META:
            packet.check_bounds(path, value, number, 0, size, write=writes)
        case RegKind.MAP_KEY:
            memory.check_key(path, value, number, 0, size, write=writes, by_helper=True)
        case RegKind.MAP_VALUE | RegKind.MEM:
            memory.check_region(path, value, number, 0, size, write=writes)
        case RegKind.BUF | RegKind.BTF_ID:
            memory.check(path, value, number, 0, size, write=writes)
        case _:
            return False
    return True


def _check_alignment(path: Path, row: Helper, number: int, value: Reg, size: int) -> None:
    ahead = NET_IP_ALIGN if value.kind in _PACKET else 0
    if (ahead + value.off + value.scalar.value) % size or value.scalar.mask % size:
        raise Refusal(
            "argument-type", path.pc,
            f"argument {number} of bpf_{row.name} must be aligned to {size} bytes",
            kernel=misaligned(value, 0, size),
            values=(value,), reg=number,
        )  # fmt: skip


def _sized_memory(path: Path, row: Helper, number: int, arg: Arg, size: Reg) -> None:
    pointer, mem = path.read(number - 1), row.args[number - 2]
    zero_allowed = arg.kind is ArgKind.CONST_SIZE_OR_ZERO
    low, high = size.scalar.umin, size.scalar.umax
    problem = kernel = ""
    if size.scalar.smin < 0:
        problem = f"may be negative ({size.scalar.smin})"
        kernel = f"R{number} min value is negative, either use unsigned or 'var &= const'"
    elif low == 0 and not zero_allowed:
        problem = "may be 0"
        kernel = f"R{number} invalid zero-sized read: u64=[{low},{high}]"
    elif high >= MAX_VAR_SIZE:
        problem = "has no upper bound"
        kernel = f"R{number} unbounded memory access, use 'var &= const' or 'if (var < const)'"
    if problem:
        raise Refusal(
            "argument-size", path.pc, f"the size in argument {number} of bpf_{row.name} {problem}",
            kernel=kernel, values=(size,), reg=number,
        )  # fmt: skip
    path.precise(size)
    if high == 0 and _is_null(pointer):
        return
    raw = mem.uninit and size.scalar.is_const
    _access(path, row, number - 1, pointer, high, writes=mem.writes, raw=raw)
