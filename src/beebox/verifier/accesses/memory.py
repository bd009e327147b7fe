"""Loads, stores and atomics: the safety assertions, one per kind of memory.

An access is allowed only where one of the rules here says so; everything else is refused.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Atomic, Load, Store
from beebox.isa.instruction import Reg as RegNumber
from beebox.obj.model import INNER, MapSpec
from beebox.tables.limits import FLOW_KEYS_BYTES, MAX_VAR_OFFSET, NET_IP_ALIGN
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.opcodes import AtomicOp, Size
from beebox.verifier.accesses import arena, context, packet, sockets, stack
from beebox.verifier.btf_pointers import access as structs
from beebox.verifier.btf_pointers import buffers, maps
from beebox.verifier.fields import access, kptrs
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import const, of_size
from beebox.verifier.numbers.transfer import sign_extend
from beebox.verifier.path import Path
from beebox.verifier.profiles import leaks
from beebox.verifier.reports.names import kernel_name, misaligned, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import CTX, MAP_VALUE, PACKET, SCALAR, STACK, PtrFlag, Reg

_BYTES: Final = {size: size.value.bytes for size in Size}
_RDONLY_PROG: Final = int(MapFlags.RDONLY_PROG)  # numbers: Flag's operators are slow
_WRONLY_PROG: Final = int(MapFlags.WRONLY_PROG)
_IN_KERNEL_USE: Final = (MapType.DEVMAP, MapType.DEVMAP_HASH)
"""Their values are what the kernel itself works with: programs only read them."""

_OWN_WAY: Final = frozenset({CTX, RegKind.BTF_ID, RegKind.ARENA, *sockets.KINDS})
_BY_TYPE: Final = frozenset({RegKind.BTF_ID, RegKind.MEM})

_NOT_ATOMIC: Final = frozenset(
    {
        CTX,
        PACKET,
        RegKind.PACKET_META,
        RegKind.FLOW_KEYS,
        *sockets.KINDS,
    }
)


def load(path: Path, insn: Load) -> None:
    """``dst = *(size *)(src + offset)``."""
    base = path.read(insn.src)
    size = _BYTES[insn.size]
    if base.kind is STACK:
        value = stack.load(path, base, insn.src, insn.offset, size, extends=insn.signed)
    else:
        value = _loaded(path, base, insn.src, insn.offset, size, plain=not insn.signed)
    _require_one_kind(path, base, insn.src, loads=True)
    if insn.signed:
        if value.kind is not SCALAR:
            raise Refusal(
                "context-access", path.pc, "a pointer cannot be loaded with sign extension",
                kernel="invalid bpf_context access", values=(base,), reg=insn.src,
            )  # fmt: skip
        value = path.number(sign_extend(value.scalar, size * 8, wide=True), value)
    path.write(insn.dst, value)


def store(path: Path, insn: Store) -> None:
    """``*(size *)(dst + offset) = src``."""
    base = path.read(insn.dst)
    value = path.operand(insn.src)
    size = _BYTES[insn.size]
    if path.release is not None and base.kind is CTX and not isinstance(insn.src, RegNumber):
        path.release.feature("context_constants", path.pc, "a constant stored into the context")
    leaks.check_store(path, base, value, insn.src)
    _store(path, base, insn.dst, insn.offset, size, value)
    _require_one_kind(path, base, insn.dst)
    if path.fields and (pointer := kptrs.pointer_at(path, base, insn.offset)) is not None:
        source = int(insn.src) if isinstance(insn.src, RegNumber) else None
        kptrs.store(path, pointer, value, source)


def _store(path: Path, base: Reg, number: int, offset: int, size: int, value: Reg) -> None:
    if path.speculation is not None:
        leaks.refuse_struct(path, base)
    if base.kind is STACK:
        stack.store(path, base, number, offset, size, value)
    elif base.kind is CTX:
        context.store(path, base, number, offset, size)
    elif base.kind in sockets.KINDS and not base.nullable:
        sockets.refuse_store(path, base, number)
    elif base.kind is RegKind.BTF_ID and not base.nullable:
        structs.store(path, base, number, offset, size)
    else:
        check(path, base, number, offset, size, write=True)


def atomic(path: Path, insn: Atomic) -> None:
    """A read-modify-write of the stack or a map value."""
    size = _BYTES[insn.size]
    if insn.op is AtomicOp.LOAD_ACQUIRE or insn.op is AtomicOp.STORE_RELEASE:
        _ordered(path, insn, size)
        return
    if insn.size not in (Size.W, Size.DW):  # as relocating an instruction can make it
        raise Refusal(
            "atomic", path.pc, f"an atomic operation on {size} bytes",
            kernel="invalid atomic operand size",
        )  # fmt: skip
    base, value = path.read(insn.dst), path.read(insn.src)
    kernel = "R{} leaks addr into mem"
    if insn.op is AtomicOp.CMPXCHG:
        leaks.check(path, path.read(0), 0, "memory", kernel=kernel.format(0))
    leaks.check(path, value, insn.src, "memory", kernel=kernel.format(insn.src))
    _require_own(path, base, insn.dst)
    arena.check_atomic(path, insn, base, insn.dst)
    _require_aligned(path, base, insn.dst, insn.offset, size)
    old = path.number(of_size(size))
    if base.kind is STACK:
        old = stack.load(path, base, insn.dst, insn.offset, size)
        where = "what an atomic operation computes"
        kernel = f"leaking pointer from stack off {base.off + insn.offset}"
        leaks.check(path, old, insn.dst, where, kernel=kernel)
        stack.alter(path, base, insn.dst, insn.offset, size)
    else:
        check(path, base, insn.dst, insn.offset, size, write=False)
        check(path, base, insn.dst, insn.offset, size, write=True)
        kptrs.refuse_at(path, base, insn.offset)
    result = 0 if insn.op is AtomicOp.CMPXCHG else insn.src
    if insn.op.value.fetch:
        if old.kind is SCALAR:  # Linux, looking back, takes the register for unchanged
            old = path.number(old.scalar, old, path.read(result))
        path.write(result, old)


def _ordered(path: Path, insn: Atomic, size: int) -> None:
    """load_acquire and store_release: an aligned load or store of ordered memory."""
    if insn.op is AtomicOp.LOAD_ACQUIRE:
        base = path.read(insn.src)
        _require_aligned(path, base, insn.src, insn.offset, size)
        value = _loaded(path, base, insn.src, insn.offset, size, plain=False)
        _require_own(path, base, insn.src, loads=True)
        _require_one_kind(path, base, insn.src)
        path.write(insn.dst, value)
        return
    base, value = path.read(insn.dst), path.read(insn.src)
    _require_aligned(path, base, insn.dst, insn.offset, size)
    leaks.check_store(path, base, value, insn.src)
    _store(path, base, insn.dst, insn.offset, size, value)
    kptrs.refuse_at(path, base, insn.offset)
    _require_own(path, base, insn.dst)
    arena.check_atomic(path, insn, base, insn.dst)
    _require_one_kind(path, base, insn.dst)


def _require_one_kind(path: Path, base: Reg, number: int, *, loads: bool = False) -> None:
    """What is no plain memory is accessed in its own way, so by instructions of its own.

    A plain load may go through structs and memory of any trust: it is made as the least needs.
    """
    before = path.bases.setdefault(path.pc, base.kind)
    if before is base.kind and base.kind is not RegKind.BTF_ID:
        return
    mixed = before is not base.kind and (before in _OWN_WAY or base.kind in _OWN_WAY)
    if loads and mixed and before in _BY_TYPE and base.kind in _BY_TYPE:
        path.bases[path.pc] = RegKind.MEM
        return
    if base.kind is RegKind.BTF_ID and not loads and not mixed:
        mixed = path.trusts.setdefault(path.pc, base.flags) != base.flags
    if mixed:
        raise Refusal(
            "mixed-pointers", path.pc,
            f"R{number} is {plain_name(base)} here, and another kind of pointer on other paths",
            kernel="same insn cannot be used with different pointers",
            values=(base,), reg=number,
        )  # fmt: skip


def _require_own(path: Path, base: Reg, number: int, *, loads: bool = False) -> None:
    """Atomics work on memory that is the program's own: not on the packet or the kernel's."""
    if base.kind in _NOT_ATOMIC and not (base.nullable and base.kind in sockets.KINDS):
        what = "loads from" if loads else "stores into"
        raise Refusal(
            "atomic", path.pc,
            f"R{number} is {plain_name(base)}: atomics work on map values, records and the stack",
            kernel=f"BPF_ATOMIC {what} R{number} {kernel_name(base)} is not allowed",
            values=(base,), reg=number,
        )  # fmt: skip


def _require_aligned(path: Path, base: Reg, number: int, offset: int, size: int) -> None:
    ahead = NET_IP_ALIGN if base.kind in (PACKET, RegKind.PACKET_META) else 0
    if (ahead + base.off + offset + base.scalar.value) % size or base.scalar.mask % size:
        raise Refusal(
            "atomic", path.pc, f"an atomic access of {size} bytes must be aligned to {size}",
            kernel=misaligned(base, offset, size), values=(base,), reg=number,
        )  # fmt: skip


def _loaded(
    path: Path, base: Reg, number: int, offset: int, size: int, *, plain: bool = True
) -> Reg:
    """What a zero-extending load gives; ``plain``: the instruction is such a load."""
    if base.kind is STACK:
        return stack.load(path, base, number, offset, size)
    if base.kind is CTX:
        return context.load(path, base, number, offset, size)
    if path.speculation is not None:
        leaks.refuse_struct(path, base)
    match base.kind:
        case RegKind.SOCK_COMMON | RegKind.SOCKET | RegKind.TCP_SOCK | RegKind.XDP_SOCK if (
            not base.nullable
        ):
            return sockets.load(path, base, number, offset, size)
        case RegKind.BTF_ID if not base.nullable:
            return structs.load(path, base, number, offset, size)
        case RegKind.MAP if not base.nullable:
            return maps.load(path, base, number, offset, size)
        case _:
            check(path, base, number, offset, size, write=False)
            if path.fields and (pointer := kptrs.pointer_at(path, base, offset)) is not None:
                if not plain:
                    kptrs.refuse_at(path, base, offset)
                return kptrs.load(path, pointer)
            frozen = _frozen_value(path, base, offset, size)
            return path.number(of_size(size) if frozen is None else const(frozen))


def check(path: Path, base: Reg, number: int, offset: int, size: int, *, write: bool) -> None:
    """Whether the program may access ``size`` bytes at ``base + offset`` outside of the stack."""
    if base.nullable:
        raise Refusal(
            "null-pointer", path.pc,
            f"{'writing' if write else 'reading'} {size} bytes through a pointer that may be NULL",
            kernel=f"R{number} invalid mem access '{kernel_name(base)}'",
            values=(base,), reg=number,
        )  # fmt: skip
    if base.kind is MAP_VALUE:
        check_region(path, base, number, offset, size, write=write, direct=True)
        return
    if base.kind is PACKET or base.kind is RegKind.PACKET_META:
        packet.check(path, base, number, offset, size, write=write)
        return
    match base.kind:
        case RegKind.MEM if base.flags & PtrFlag.UNTRUSTED and not write:
            pass  # in a way that survives any address
        case RegKind.MEM:
            check_region(path, base, number, offset, size, write=write)
        case RegKind.MAP_KEY:
            check_key(path, base, number, offset, size, write=write)
        case RegKind.FLOW_KEYS:
            _check_flow_keys(path, base, number, offset, size)
        case RegKind.ARENA:
            pass  # wherever it is, nothing happens but in the arena
        case RegKind.BTF_ID if write:
            structs.store(path, base, number, offset, size)
        case RegKind.BTF_ID:
            structs.load(path, base, number, offset, size)
        case RegKind.MAP if write:
            maps.refuse_store(path, base, number)
        case RegKind.MAP:
            maps.load(path, base, number, offset, size)
        case RegKind.BUF | RegKind.TP_BUFFER:
            buffers.check(path, base, number, offset, size, write=write)
        case _:
            raise Refusal(
                "not-a-pointer", path.pc,
                f"R{number} is used as an address, but is {plain_name(base)}",
                kernel=f"R{number} invalid mem access '{kernel_name(base)}'",
                values=(base,), reg=number,
            )  # fmt: skip


def check_key(
    path: Path,
    base: Reg,
    number: int,
    offset: int,
    size: int,
    *,
    write: bool,
    by_helper: bool = False,
) -> None:
    """Whether ``size`` bytes at ``base + offset`` lie in a map's key, which is only read."""
    if write:
        raise Refusal(
            "read-only", path.pc, "the key of an element cannot be changed",
            kernel=f"R{number} cannot write into map_key" if by_helper
            else f"write to change key R{number} not allowed",
            values=(base,), reg=number,
        )  # fmt: skip
    key_size = path.map_spec(base.map).key_size
    _check_range(path, base, number, offset, size, key_size, "a key", write=False)


def _check_flow_keys(path: Path, base: Reg, number: int, offset: int, size: int) -> None:
    start = base.off + offset
    if start < 0 or start + size > FLOW_KEYS_BYTES:
        raise Refusal(
            "flow-keys-bounds", path.pc,
            f"bytes {start}..{start + size} of the {FLOW_KEYS_BYTES} bytes of flow keys",
            kernel=f"invalid access to flow keys off={start} size={size}",
            values=(base,), reg=number,
        )  # fmt: skip


def is_read_only(spec: MapSpec) -> bool:
    """Whether programs may not write into the map's values."""
    return bool(int(spec.flags) & _RDONLY_PROG) or spec.type in _IN_KERNEL_USE


def check_region(
    path: Path,
    base: Reg,
    number: int,
    offset: int,
    size: int,
    *,
    write: bool,
    direct: bool = False,
) -> None:
    """Whether ``size`` bytes at ``base + offset`` lie in the map value or record. May be 0.

    ``direct``: the program itself accesses them, not a helper.
    """
    if base.kind is RegKind.MEM:
        if write and base.flags & PtrFlag.RDONLY:
            raise Refusal(
                "read-only", path.pc, "the memory is only to be read",
                kernel=f"R{number} cannot write into {kernel_name(base)}", values=(base,),
                reg=number,
            )  # fmt: skip
        if base.flags & PtrFlag.UNTRUSTED and direct:
            return  # probed: whatever the offset
        _check_range(
            path,
            base,
            number,
            offset,
            size,
            base.range,
            "the memory",
            write=write,
        )
        return
    spec = path.map_spec(base.map)
    if is_read_only(spec) if write else int(spec.flags) & _WRONLY_PROG:
        verb = "write into" if write else "read from"
        raise Refusal(
            "read-only", path.pc, f"map {spec.name} does not let programs {verb} it",
            kernel=f"{verb} map forbidden, value_size={spec.value_size} off={base.off + offset} "
            f"size={size}", values=(base,), reg=number,
        )  # fmt: skip
    _check_range(path, base, number, offset, size, spec.value_size, spec.name, write=write)
    if path.fields and (record := path.fields.get(base.map)) is not None:
        access.check(path, record, base, offset, size, direct=direct)


def _check_range(
    path: Path,
    base: Reg,
    number: int,
    offset: int,
    size: int,
    limit: int,
    what: str,
    *,
    write: bool,
) -> None:
    start = base.off + offset
    low, high = start + base.scalar.smin, start + base.scalar.umax + size
    if low >= 0 and high <= limit and base.scalar.umax < MAX_VAR_OFFSET:
        return
    reached = f"{low}..{high}" if base.scalar.umax < MAX_VAR_OFFSET else f"{low}.. and beyond"
    if low < 0 and base.scalar.smin < 0:
        kernel = f"R{number} min value is negative, either use unsigned index or do a if "
        kernel += "(index >=0) check."
    elif base.scalar.umax >= MAX_VAR_OFFSET:
        kernel = f"R{number} unbounded memory access, make sure to bounds check any such access"
    else:
        end = "min" if low < 0 or low + size > limit else "max"
        kernel = f"R{number} {end} value is outside of the allowed memory range"
    if base.kind is MAP_VALUE:
        what = f"a value of map {what}"
    raise Refusal(
        "map-value-bounds" if base.kind is MAP_VALUE else "memory-bounds", path.pc,
        f"{'writing' if write else 'reading'} {size} bytes of {what}: bytes {reached} of {limit}",
        kernel=kernel, values=(base,), reg=number, access=(start, size, limit),
    )  # fmt: skip


def constants(path: Path, base: Reg) -> bytes | None:
    """What nothing can change after load: .rodata's bytes, which Linux reads when it verifies, too.

    None for values that are not so. A frozen map is closed to user space alone: programs may reach
    it through a map of maps. What such a map holds has not its template's contents.
    Raises :exc:`Refusal` for an array of several values, of which Linux reads none.
    """
    spec = path.map_spec(base.map)
    is_constant = spec.frozen and bool(int(spec.flags) & _RDONLY_PROG)
    if spec.type is not MapType.ARRAY or not is_constant or base.map.endswith(INNER):
        return None
    if spec.max_entries != 1:
        raise Refusal(
            "not-supported", path.pc,
            f"reading a constant of {spec.name}, which has {spec.max_entries} values",
            values=(base,),
        )  # fmt: skip
    return spec.contents


def _frozen_value(path: Path, base: Reg, offset: int, size: int) -> int | None:
    """The number that a load of a constant gives."""
    if base.kind is not MAP_VALUE or not base.scalar.is_const:
        return None
    contents = constants(path, base)
    if contents is None:
        return None
    start = base.off + offset + base.scalar.smin
    data = contents[start : start + size]
    return int.from_bytes(data, "little") if len(data) == size else None
