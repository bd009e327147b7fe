"""Instructions and states as Linux's verifier log writes them (``kernel/bpf/log.c`` of 6.18)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from beebox.isa.codec import encode
from beebox.isa.disassembler import text
from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    KfuncRef,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Operand,
    PseudoImm64,
    Store,
)
from beebox.isa.instruction import (
    Reg as RegNumber,
)
from beebox.obj.model import INNER, ProgramSpec
from beebox.tables.helpers import HELPERS
from beebox.tables.opcodes import AtomicOp, Mode, Size
from beebox.verifier.dynptrs.slots import DynptrType
from beebox.verifier.numbers.scalar import S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32, U64, Scalar
from beebox.verifier.reports.names import kernel_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import DRAINED, DYNPTR, ITER, SPILL, UNWRITTEN, Frame, Slot
from beebox.verifier.states.value import Reg

_LOAD_IMM64: Final = 0x18
_MOST_DECIMAL: Final = (1 << 15) - 1
_STACK_CHARS: Final = str.maketrans({UNWRITTEN: "?", SPILL: "r", "q": "f"})
_SIZED: Final = (RegKind.MAP, RegKind.MAP_KEY, RegKind.MAP_VALUE)
_NAMED: Final = (RegKind.BTF_ID,)


class Ids:
    """Identities by the small numbers that the log calls them, counted as they are shown.

    Numbers have one from when they are copied: Linux gives it then, and keeps it on branches.
    """

    def __init__(self) -> None:
        self._shown: dict[int, int] = {}
        self._copied: set[int] = set()

    def of(self, identity: int) -> int:
        """Of pointers and references."""
        return self._shown.setdefault(identity, len(self._shown) + 1)

    def of_number(self, value: Reg) -> int:
        """Of a number; 0 for none."""
        return self.of(-value.root) if self.is_copied(value) else 0

    def copy(self, value: Reg) -> None:
        """The number is copied now."""
        self._copied.add(value.root)

    def is_copied(self, value: Reg) -> bool:
        """Whether it, or what a branch narrowed to it, was copied."""
        return value.root in self._copied

    def inherit(self, value: Reg, old: Reg) -> None:
        """A branch narrowed ``old`` to ``value``."""
        if self.is_copied(old):
            self._copied.add(value.root)


def insn_text(insn: Instruction, spec: ProgramSpec) -> str:
    """``(2d) if r1 > r2 goto pc+12``."""
    if isinstance(insn, LoadImm64):
        value = 0
        match insn.value:
            case int(number):
                value = number
            case PseudoImm64(_, low, high):
                value = (high & U32) << 32 | (low & U32)
            case _:
                pass
        return f"({_LOAD_IMM64:02x}) r{insn.dst} = {value:#x}"
    code = 0x85 if isinstance(insn, Call) else encode([insn])[0]
    return f"({code:02x}) {_plain(insn, spec)}"


def _plain(insn: Instruction, spec: ProgramSpec) -> str:
    match insn:
        case Jump(offset, long):
            return f"{'gotol' if long else 'goto'} pc{offset:+d}"
        case MayGoto(offset):
            return f"may_goto pc{offset:+d}"
        case JumpIf(op, dst, src, offset, wide):
            reg = "r" if wide else "w"
            right = f"{reg}{int(src)}" if isinstance(src, RegNumber) else f"{src & U32:#x}"
            return f"if {reg}{dst} {op.value.symbol} {right} goto pc{offset:+d}"
        case Load(dst, base, offset, size, signed):
            ctype = size.value.signed_ctype if signed else size.value.ctype
            return f"r{dst} = *({ctype} *)(r{base} {offset:+d})"
        case Store(dst, offset, src, size):
            return f"*({size.value.ctype} *)(r{dst} {offset:+d}) = {_operand(src)}"
        case LoadPacket(mode, size, src_reg, imm):
            where = f"r{src_reg} + {imm}" if mode is Mode.IND else f"{imm}"
            return f"r0 = *({size.value.ctype} *)skb[{where}]"
        case Atomic():
            return _atomic(insn)
        case Call(CallKind.HELPER, int(number)) if number not in HELPERS:
            return f"call unknown#{number}"
        case Call(CallKind.SUBPROG, int(distance)):
            return f"call pc{distance:+d}"
        case Call(CallKind.KFUNC, KfuncRef(name)):
            found = spec.externs[name].resolved if name in spec.externs else None
            return f"call {name}#{getattr(found, 'btf_id', 0)}"
        case Alu() | _:
            return text(insn)


def _operand(src: Operand) -> str:
    return f"r{int(src)}" if isinstance(src, RegNumber) else str(src)


def _atomic(insn: Atomic) -> str:
    op, wide = insn.op, insn.size is Size.DW
    base = insn.src if op is AtomicOp.LOAD_ACQUIRE else insn.dst
    place = f"({insn.size.value.ctype} *)(r{base} {insn.offset:+d})"
    infix = "64" if wide else ""
    match op:
        case AtomicOp.ADD | AtomicOp.OR | AtomicOp.AND | AtomicOp.XOR:
            return f"lock *{place} {op.value.symbol} r{insn.src}"
        case AtomicOp.CMPXCHG:
            return f"r0 = atomic{infix}_cmpxchg({place}, r0, r{insn.src})"
        case AtomicOp.LOAD_ACQUIRE:
            return f"r{insn.dst} = load_acquire({place})"
        case AtomicOp.STORE_RELEASE:
            return f"store_release({place}, r{insn.src})"
        case _:
            name = op.name.lower()
            return f"r{insn.src} = atomic{infix}_{name}({place}, r{insn.src})"


def state_text(
    spec: ProgramSpec,
    frame: Frame,
    depth: int,
    ids: Ids,
    *,
    regs: Iterable[int] | None = None,
    slots: Iterable[int] | None = None,
    refs: tuple[int, ...] = (),
) -> str:
    """What a frame holds: `` R1=ctx() R10=fp0 fp-8=mmmm????``, with its leading blank.

    ``regs`` and ``slots`` choose which registers and stack slots (by index) are shown.
    """
    out = f" frame{depth}:" if depth else ""
    for number in range(11) if regs is None else sorted(regs):
        value = frame.regs[number]
        if value is not None:
            out += f" R{number}={reg_text(spec, value, ids, depth)}"
    for index in range(len(frame.stack)) if slots is None else sorted(slots):
        slot = frame.stack[index] if index < len(frame.stack) else None
        if slot is not None and slot.kinds != UNWRITTEN * 8 and not _is_behind(slot):
            out += f" fp{-8 * (index + 1)}={_slot(spec, slot, ids, depth)}"
    if refs:
        out += " refs=" + ",".join(str(ids.of(each)) for each in refs)
    if frame.deferred:
        return out + " async_cb"
    return out + (" cb" if frame.callback else "")


def _is_behind(slot: Slot) -> bool:
    """A slot of an iterator or a dynptr that is not the one which is shown."""
    reg = slot.reg
    if slot.kinds[0] == ITER:
        return reg is not None and not reg.ref
    return slot.kinds[0] == DYNPTR and reg is not None and reg.off != 0


def _slot(spec: ProgramSpec, slot: Slot, ids: Ids, depth: int) -> str:
    shown = slot.kinds[::-1].translate(_STACK_CHARS)
    if slot.kinds[0] == SPILL and slot.reg is not None:
        return shown[: shown.index("r")] + reg_text(spec, slot.reg, ids, depth)
    if slot.kinds[0] == DYNPTR and slot.reg is not None:
        return _dynptr(slot.reg, ids)
    if slot.kinds[0] == ITER and slot.reg is not None and slot.reg.type is not None:
        reg = slot.reg
        name = slot.reg.type.name.removeprefix("bpf_")
        state = "drained" if reg.off == DRAINED else "active"
        return f"{name}(ref_id={ids.of(reg.ref)},state={state},depth={reg.range})"
    return shown


def _dynptr(reg: Reg, ids: Ids) -> str:
    ref = f",ref_id={ids.of(reg.ref)}" if reg.ref else ""
    id_ = ids.of(reg.id)
    return f"dynptr_{DynptrType(reg.range).name.lower()}(id={id_}{ref},dynptr_id={id_})"


def reg_text(spec: ProgramSpec, value: Reg, ids: Ids, depth: int) -> str:
    """One value: ``scalar(smin=smin32=0,smax=umax=smax32=umax32=60,var_off=(0x0; 0x3c))``."""
    scalar = value.scalar
    if value.kind is RegKind.SCALAR:
        if scalar.is_const:
            return _signed(scalar.smin)
        known = ids.of_number(value)
        distance = f"{value.off:+d}" if value.id and value.off else ""
        parts = [f"id={known}{distance}"] if known else []
        return f"scalar({','.join([*parts, *_ranges(scalar)])})"
    if value.kind is RegKind.STACK and scalar.is_const:
        frame = f"[{value.frame}]" if value.frame != depth else ""
        return f"fp{frame}{value.off + scalar.smin}"
    parts = []
    if value.id:
        parts.append(f"id={ids.of(value.id)}")
    if value.ref:
        parts.append(f"ref_obj_id={ids.of(value.ref)}")
    looked_up = value.nullable and bool(value.map)  # Linux tells the map that it was found in
    name = value.map.removesuffix(INNER) if looked_up and value.kind is RegKind.MAP else value.map
    row = spec.map_named(name) if value.kind in _SIZED or looked_up else None
    if row is not None:
        shown = "" if name.endswith(INNER) else f"map={row.name[:15]},"
        parts.append(f"{shown}ks={row.key_size},vs={row.value_size}")
    if value.off:
        parts.append(f"off={value.off}")
    if value.kind in (RegKind.PACKET, RegKind.PACKET_META):
        parts.append(f"r={_unsigned(value.range & U64)}")
    elif value.kind is RegKind.MEM:
        parts.append(f"sz={value.range}")
    if scalar.is_const:
        if scalar.value:
            parts.append(f"imm={_signed(scalar.smin)}")
    else:
        parts += _ranges(scalar)
    named = value.type.name if value.kind in _NAMED and value.type is not None else ""
    return f"{kernel_name(value)}{named}({','.join(parts)})"


def _ranges(scalar: Scalar) -> list[str]:
    rows = [
        ("smin", _signed(scalar.smin), scalar.smin == S64_MIN),
        ("smax", _signed(scalar.smax), scalar.smax == S64_MAX),
        ("umin", _unsigned(scalar.umin), scalar.umin == 0),
        ("umax", _unsigned(scalar.umax), scalar.umax == U64),
        ("smin32", _signed(scalar.s32_min, U32), scalar.s32_min == S32_MIN),
        ("smax32", _signed(scalar.s32_max, U32), scalar.s32_max == S32_MAX),
        ("umin32", _unsigned(scalar.u32_min), scalar.u32_min == 0),
        ("umax32", _unsigned(scalar.u32_max), scalar.u32_max == U32),
    ]
    out: list[str] = []
    shown: set[str] = set()
    for index, (name, digits, none) in enumerate(rows):
        if none or name in shown:
            continue
        same = [
            other
            for other, its, nothing in rows[index + 2 :: 2]
            if not nothing and other not in shown and its == digits
        ]
        shown.update(same)
        out.append("=".join([name, *same, digits]))
    if scalar.mask != U64:
        out.append(f"var_off=({scalar.value:#x}; {scalar.mask:#x})")
    return out


def _signed(number: int, bits: int = U64) -> str:
    return str(number) if abs(number) <= _MOST_DECIMAL else f"{number & bits:#x}"


def _unsigned(number: int) -> str:
    return str(number) if number <= _MOST_DECIMAL else f"{number:#x}"
