"""Helper calls: arguments by the row of ``tables.helpers``, effects on what is known."""

from __future__ import annotations

from beebox.isa.instruction import Call
from beebox.obj.model import INNER
from beebox.tables.helpers import HELPERS, Arg, ArgKind, Helper, RetKind
from beebox.tables.limits import MAX_VAR_SIZE
from beebox.tables.map_types import MapType
from beebox.verifier import memory, packet, stack
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import ANY
from beebox.verifier.state import Reg

_GPL = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
_ALWAYS_PRESENT = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def helper(path: Path, insn: Call) -> None:
    """Check the arguments, void R1-R5, set R0."""
    row = HELPERS.get(insn.target) if isinstance(insn.target, int) else None
    if row is None:
        raise Refusal(
            "not-supported", path.pc, f"helper {insn.target} is not known here",
            kernel=f"invalid func unknown#{insn.target}",
        )  # fmt: skip
    if path.spec.type not in row.program_types:
        raise Refusal(
            "helper-not-allowed", path.pc,
            f"{path.spec.type.value.name} programs may not call bpf_{row.name}",
            kernel=f"program of this type cannot use helper bpf_{row.name}#{row.id}",
        )  # fmt: skip
    row = row.called_by(path.spec.type)
    if row.gpl_only and path.spec.license not in _GPL:
        raise Refusal(
            "helper-gpl", path.pc, f"bpf_{row.name} needs a GPL-compatible license, not "
            f"{path.spec.license!r}",
            kernel="cannot call GPL-restricted function from non-GPL compatible program",
        )  # fmt: skip
    result = _checked(path, row)
    for number in range(1, 6):
        path.regs[number] = None
    if row.changes_packet:
        packet.void_pointers(path)
    path.regs[0] = result


def _checked(path: Path, row: Helper) -> Reg:
    map_name, key = "", None
    for number, arg in enumerate(row.args, 1):
        value = path.read(number)
        match arg.kind:
            case ArgKind.ANYTHING:
                pass
            case ArgKind.CONST_MAP_PTR:
                _require(path, row, number, value, RegKind.MAP, "map_ptr")
                map_name = value.map
                path.map_spec(map_name)
            case ArgKind.MAP_KEY:
                size = path.map_spec(map_name).key_size
                _memory(path, row, number, value, size, writes=False)
                key = stack.constant_at(path, value, size)
            case ArgKind.MAP_VALUE:
                _memory(path, row, number, value, path.map_spec(map_name).value_size, writes=False)
            case ArgKind.CTX:
                _require(path, row, number, value, RegKind.CTX, "ctx")
            case ArgKind.MEM:
                pass  # checked with the size that follows
            case ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
                _sized_memory(path, row, number, row.args[number - 2], arg.kind)
            case _:
                raise _unknown(path, row, f"takes a {arg.kind.name}")
    match row.ret:
        case RetKind.INTEGER:
            return path.number(ANY)
        case RetKind.MAP_VALUE_OR_NULL:
            spec = path.map_spec(map_name)
            if spec.inner is not None:
                name = map_name + INNER
                return path.pointer(RegKind.MAP, id_=path.new_id(), map_=name, nullable=True)
            present = spec.type in _ALWAYS_PRESENT and key is not None and key < spec.max_entries
            id_ = 0 if present else path.new_id()
            return path.pointer(RegKind.MAP_VALUE, id_=id_, map_=map_name, nullable=not present)
        case _:
            raise _unknown(path, row, f"returns a {row.ret.name}")


def _unknown(path: Path, row: Helper, what: str) -> Refusal:
    return Refusal("not-supported", path.pc, f"bpf_{row.name} {what}, not verified yet")


def _require(
    path: Path, row: Helper, number: int, value: Reg, kind: RegKind, expected: str
) -> None:
    if value.kind is kind and value.off == 0 and value.scalar.is_const and not value.nullable:
        return
    raise Refusal(
        "argument-type", path.pc,
        f"argument {number} of bpf_{row.name} must be a {expected}, but is "
        f"{_name(value)}",
        kernel=f"R{number} type={_name(value)} expected={expected}", values=(value,), reg=number,
    )  # fmt: skip


def _name(value: Reg) -> str:
    names = {RegKind.STACK: "fp", RegKind.PACKET: "pkt", RegKind.MAP: "map_ptr"}
    name = names.get(value.kind, value.kind.name.lower())
    return f"{name}_or_null" if value.nullable else name


def _memory(path: Path, row: Helper, number: int, value: Reg, size: int, *, writes: bool) -> None:
    """The helper accesses ``size`` bytes at ``value``."""
    if value.kind is RegKind.STACK:
        low, high = stack.observe(path, value, size)
        if writes:
            stack.smear(path, value.frame, low, high)
        return
    in_packet = value.kind in (RegKind.PACKET, RegKind.PACKET_META)
    allowed = value.kind is RegKind.MAP_VALUE or (in_packet and row.packet_access)
    if not allowed:
        expected = "fp, pkt, pkt_meta, map_key, map_value" if row.packet_access else "fp, map_value"
        raise Refusal(
            "argument-type", path.pc,
            f"argument {number} of bpf_{row.name} must point to {size} bytes of memory, but is "
            f"{_name(value)}",
            kernel=f"R{number} type={_name(value)} expected={expected}",
            values=(value,), reg=number,
        )  # fmt: skip
    memory.check(path, value, number, 0, size, write=writes)


def _sized_memory(path: Path, row: Helper, number: int, mem: Arg, kind: ArgKind) -> None:
    pointer, size = path.read(number - 1), path.read(number)
    zero_allowed = kind is ArgKind.CONST_SIZE_OR_ZERO
    problem = ""
    if size.kind is not RegKind.SCALAR:
        problem, kernel = "is not a number", f"R{number} type={_name(size)} expected=scalar"
    elif size.scalar.smin < 0:
        problem = f"may be negative ({size.scalar.smin})"
        kernel = f"R{number} min value is negative, either use unsigned or 'var &= const'"
    elif size.scalar.umin == 0 and not zero_allowed:
        problem = "may be 0"
        kernel = f"R{number} invalid zero-sized read: u64=[{size.scalar.umin},{size.scalar.umax}]"
    elif size.scalar.umax >= MAX_VAR_SIZE:
        problem = "has no upper bound"
        kernel = f"R{number} unbounded memory access, use 'var &= const' or 'if (var < const)'"
    else:
        kernel = ""
    if problem:
        raise Refusal(
            "argument-size", path.pc,
            f"the size in argument {number} of bpf_{row.name} {problem}",
            kernel=kernel, values=(size,), reg=number,
        )  # fmt: skip
    path.precise(size)
    is_null = pointer.kind is RegKind.SCALAR and pointer.scalar.is_const
    if mem.nullable and is_null and pointer.scalar.value == 0:
        path.precise(pointer)
        if size.scalar.umax == 0:
            return
    if size.scalar.umax == 0 and pointer.kind is not RegKind.SCALAR and not pointer.nullable:
        return
    _memory(path, row, number - 1, pointer, size.scalar.umax, writes=mem.writes)
