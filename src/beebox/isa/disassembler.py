"""Instructions to text: LLVM's notation, which :mod:`beebox.isa.assembler` reads back.

Two things LLVM does not say: a helper's name beside its id (``call bpf_ktime_get_ns#5``, as the
kernel's log writes it) and operands that linking or loading will replace (``map[counts] ll``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, assert_never

from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Imm64,
    Instruction,
    Jump,
    JumpIf,
    KfuncRef,
    KsymRef,
    Load,
    LoadImm64,
    LoadPacket,
    MapRef,
    MayGoto,
    Operand,
    PseudoImm64,
    Reg,
    Store,
    SubprogRef,
    Swap,
    slot_count,
)
from beebox.tables.helpers import HELPERS
from beebox.tables.opcodes import PSEUDOS, AtomicOp, Mode, Size

HELPER_PREFIX: Final = "bpf_"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_.$][\w.$]*", re.ASCII)
_ESCAPED: Final = re.compile(r'[^\x20-\x7e]|["\\]')
_REGISTER: Final = re.compile(r"[rw]\d+", re.ASCII)


def text(insn: Instruction) -> str:
    """One instruction as one line, jumps as distances: ``if r1 s> r2 goto +5``."""
    match insn:
        case Jump(offset, long):
            return f"{'gotol' if long else 'goto'} {offset:+d}"
        case MayGoto(offset) | JumpIf(_, _, _, offset, _):
            return f"{_before_target(insn)} {offset:+d}"
        case _:
            return _straight(insn)


def text_to(insn: Jump | MayGoto | JumpIf, label: str) -> str:
    """The same with a label for the distance: ``if r1 s> r2 goto done``."""
    return f"{_before_target(insn)} {name_text(label)}"


def listing(insns: Iterable[Instruction]) -> list[tuple[int, str]]:
    """``(pc, text)`` of every instruction; a 16-byte one counts two pcs."""
    rows: list[tuple[int, str]] = []
    pc = 0
    for insn in insns:
        rows.append((pc, text(insn)))
        pc += slot_count(insn)
    return rows


def name_text(name: str) -> str:
    """``name`` as the assembler reads it back: quoted unless it is a plain identifier."""
    plain = _PLAIN_NAME.fullmatch(name) and not _REGISTER.fullmatch(name) and name != "pc"
    return name if plain else string_text(name)


def string_text(value: str) -> str:
    """``value`` in double quotes, on one line."""
    return '"' + _ESCAPED.sub(lambda found: _escape(found[0]), value) + '"'


def _escape(char: str) -> str:
    plain = {"\t": "t", "\n": "n", '"': '"', "\\": "\\"}.get(char)
    return f"\\{plain}" if plain else f"\\u{{{ord(char):x}}}"


def _before_target(insn: Jump | MayGoto | JumpIf) -> str:
    match insn:
        case Jump(_, long):
            return "gotol" if long else "goto"
        case MayGoto():
            return "may_goto"
        case JumpIf(op, dst, src, _, wide):
            reg = _prefix(wide)
            return f"if {reg}{dst} {op.value.symbol} {_operand(src, reg)} goto"
        case _:
            assert_never(insn)


def _straight(insn: Instruction) -> str:
    match insn:
        case Jump() | MayGoto() | JumpIf():
            return _before_target(insn)
        case Alu(op, dst, src, wide):
            reg = _prefix(wide)
            if op.value.unary:
                return f"{reg}{dst} = -{reg}{dst}"
            space = "" if op.value.sign_extends else " "
            return f"{reg}{dst} {op.value.symbol}{space}{_operand(src, reg)}"
        case Swap(to, bits, dst):
            return f"r{dst} = {to}{bits} r{dst}"
        case AddrSpaceCast(dst, src_reg, dst_space, src_space):
            return f"r{dst} = addr_space_cast(r{src_reg}, {dst_space}, {src_space})"
        case LoadImm64(dst, value):
            return f"r{dst} = {_imm64(value)} ll"
        case Load(dst, src_reg, offset, size, signed):
            ctype = size.value.signed_ctype if signed else size.value.ctype
            return f"r{dst} = *({ctype} *)({_place(src_reg, offset)})"
        case LoadPacket(mode, size, src_reg, imm):
            where = str(imm)
            if mode is Mode.IND:
                where = _place(src_reg, imm) if imm else f"r{src_reg}"
            return f"r0 = *({size.value.ctype} *)skb[{where}]"
        case Store(dst, offset, src, size):
            return f"*({size.value.ctype} *)({_place(dst, offset)}) = {_operand(src, 'r')}"
        case Atomic():
            return _atomic(insn)
        case Call(kind, target, offset):
            return _call(kind, target, offset)
        case Exit():
            return "exit"
        case _:
            assert_never(insn)


def _atomic(insn: Atomic) -> str:
    op, size = insn.op, insn.size
    reg = _prefix(size is Size.DW)
    bits = "64" if size is Size.DW else "32_32"
    base = insn.src if op is AtomicOp.LOAD_ACQUIRE else insn.dst
    place = _place(base, insn.offset)
    typed = f"({size.value.ctype} *)({place})"
    match op:
        case AtomicOp.ADD | AtomicOp.OR | AtomicOp.AND | AtomicOp.XOR:
            return f"lock *{typed} {op.value.symbol} {reg}{insn.src}"
        case AtomicOp.FETCH_ADD | AtomicOp.FETCH_OR | AtomicOp.FETCH_AND | AtomicOp.FETCH_XOR:
            return f"{reg}{insn.src} = {op.value.mnemonic}({typed}, {reg}{insn.src})"
        case AtomicOp.XCHG:
            name = "xchg_64" if size is Size.DW else f"xchg{bits}"
            return f"{reg}{insn.src} = {name}({place}, {reg}{insn.src})"
        case AtomicOp.CMPXCHG:
            name = "cmpxchg_64" if size is Size.DW else f"cmpxchg{bits}"
            return f"{reg}0 = {name}({place}, {reg}0, {reg}{insn.src})"
        case AtomicOp.LOAD_ACQUIRE:
            return f"{reg}{insn.dst} = load_acquire({typed})"
        case AtomicOp.STORE_RELEASE:
            return f"store_release({typed}, {reg}{insn.src})"
        case _:
            assert_never(op)


def _call(kind: CallKind, target: int | SubprogRef | KfuncRef, offset: int) -> str:
    match target:
        case SubprogRef(name):
            if name.startswith(HELPER_PREFIX) or name in ("kfunc", "func"):
                return f"call func[{name_text(name)}]"
            return f"call {name_text(name)}"
        case KfuncRef(name):
            shown = f"call kfunc[{name_text(name)}]"
        case int():
            if kind is CallKind.SUBPROG:
                return f"call pc{target:+d}"
            if kind is CallKind.HELPER:
                row = HELPERS.get(target)
                return f"call {HELPER_PREFIX}{row.name}#{target}" if row else f"call {target}"
            shown = f"call kfunc#{target}"
        case _:
            assert_never(target)
    return f"{shown} off {offset}" if offset else shown


def _imm64(value: Imm64) -> str:
    match value:
        case int():
            return f"{value:#x}"
        case MapRef(name):
            return f"map[{name_text(name)}]"
        case GlobalRef(name, offset):
            return f"global[{name_text(name)} {'-' if offset < 0 else '+'} {abs(offset)}]"
        case SubprogRef(name):
            return f"func[{name_text(name)}]"
        case KsymRef(name):
            return f"ksym[{name_text(name)}]"
        case PseudoImm64(pseudo, low, high):
            row = PSEUDOS[pseudo]
            return f"{row.name}({low}, {high})" if row.high else f"{row.name}({low})"
        case _:
            assert_never(value)


def _prefix(wide: bool) -> str:
    return "r" if wide else "w"


def _operand(src: Operand, reg: str) -> str:
    return f"{reg}{int(src)}" if isinstance(src, Reg) else str(src)


def _place(base: Reg, offset: int) -> str:
    return f"r{base} {'-' if offset < 0 else '+'} {abs(offset)}"
