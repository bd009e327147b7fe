"""One instruction's text to its value: LLVM's notation and the kernel log's variants of it.

The kernel's variants: ``goto pc+5``, ``(r1 +4)``, hexadecimal immediates of comparisons, atomics
called ``atomic64_*`` on ``r`` registers, 16-byte loads known by their ``(18)`` in front.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, NoReturn

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
    PseudoImm64,
    Reg,
    Store,
    SubprogRef,
    Swap,
)
from beebox.isa.operands import (
    Register,
    is_register,
    need_wide,
    size_named,
    take_immediate,
    take_offset,
    take_operand,
    take_place,
    take_ranged,
    take_register,
    take_source,
    take_typed_place,
    take_wide_register,
)
from beebox.isa.tokens import Statement, Token
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.tables.opcodes import (
    ADDR_SPACE_CASTS,
    PSEUDOS,
    REFUSED,
    SWAP_BITS,
    SWAPS,
    AluOp,
    AtomicOp,
    JmpOp,
    Mode,
    Size,
)

_BINARY: Final = {op.value.symbol: op for op in AluOp if " " not in op.value.symbol}
_EXTENDED: Final = {f"s{op.value.sign_extends}": op for op in AluOp if op.value.sign_extends}
_COMPARISONS: Final = {op.value.symbol: op for op in JmpOp}
_SIGNED: Final = {size.value.signed_ctype: size for size in Size if size.value.signed_ctype}
_LOCKED: Final = {op.value.symbol: op for op in AtomicOp if op.value.symbol}
_SWAPS: Final = {f"{to}{bits}": (to, bits) for to in SWAPS for bits in SWAP_BITS}
_PSEUDO_BY_NAME: Final = {row.name: row for row in PSEUDOS.values()}
_REFUSED_WORDS: Final = {row.split(maxsplit=1)[0]: row for row in REFUSED.values()}
_LLVM_EXCHANGES: Final = {  # LLVM writes the width in the name, the kernel in a cast
    "xchg_64": (AtomicOp.XCHG, Size.DW),
    "xchg32_32": (AtomicOp.XCHG, Size.W),
    "cmpxchg_64": (AtomicOp.CMPXCHG, Size.DW),
    "cmpxchg32_32": (AtomicOp.CMPXCHG, Size.W),
}
_FETCHES: Final = {  # both spellings: ``atomic_fetch_add`` and, for u64, ``atomic64_fetch_add``
    f"{prefix}_{op.value.mnemonic.removeprefix('atomic_')}": op
    for op in AtomicOp
    if op.value.fetch
    for prefix in ("atomic", "atomic64")
}
_WORDS: Final = (
    *("if", "goto", "gotol", "may_goto", "call", "exit", "lock", "store_release"),
    *_REFUSED_WORDS,
)
_LDDW_PREFIX: Final = "18"


@dataclass(frozen=True, slots=True)
class Target:
    """A label that an instruction names where the wire has a distance."""

    name: str
    token: Token


@dataclass(frozen=True, slots=True)
class Parsed:
    """An instruction; with ``target`` its distance is still 0."""

    insn: Instruction
    target: Target | None = None


def parse(line: Statement) -> Parsed:
    """The one instruction of ``line``; raises :exc:`beebox.errors.AssemblyError`."""
    opcode = _log_prefix(line)
    parsed = _instruction(line, opcode)
    line.end()
    return parsed


def _log_prefix(line: Statement) -> str | None:
    """Skip ``12: (b7)`` as the kernel and bpftool print it; the opcode, if there."""
    if line.peek().kind == "number" and line.peek(1).text == ":":
        line.at += 2
    if line.peek().text != "(" or line.peek(2).text != ")":
        return None
    line.at += 3
    return line.peek(-2).text


def _instruction(line: Statement, opcode: str | None) -> Parsed:
    first = line.peek()
    if is_register(first):
        return Parsed(_assignment(line, opcode))
    if first.text == "*":
        return Parsed(_store(line))
    match line.take().text:
        case "exit":
            return Parsed(Exit())
        case "goto":
            offset, target = _target(line)
            return Parsed(Jump(offset), target)
        case "gotol":
            offset, target = _target(line, bits=32)
            return Parsed(Jump(offset, long=True), target)
        case "may_goto":
            offset, target = _target(line)
            return Parsed(MayGoto(offset), target)
        case "if":
            return _jump_if(line)
        case "call":
            return _call(line)
        case "lock":
            return Parsed(_locked(line))
        case "store_release":
            return Parsed(_store_release(line))
        case word:
            return _unknown(line, word, first)


def _unknown(line: Statement, word: str, token: Token) -> NoReturn:
    if word in _REFUSED_WORDS:
        line.fail(_REFUSED_WORDS[word], token=token)
    near = difflib.get_close_matches(word, _WORDS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else None
    line.fail(f"no instruction starts with `{word}`", token=token, hint=hint)


def _assignment(line: Statement, opcode: str | None) -> Instruction:
    dst = take_register(line)
    symbol = line.take()
    if symbol.text in _BINARY and symbol.text != "=":
        op = _BINARY[symbol.text]
        return Alu(op, dst.reg, take_operand(line, dst), dst.wide)
    if symbol.text != "=":
        line.fail(f"no operation `{symbol.text}`", token=symbol)
    value = line.peek()
    if value.text == "-" and is_register(line.peek(1)):
        line.take()
        if not dst.same(take_register(line)):
            line.fail("a negation is in place", token=value, hint="move the register first")
        return Alu(AluOp.NEG, dst.reg, 0, dst.wide)
    if value.text in ("-", "+") or value.kind == "number":
        return _move_number(line, dst, opcode)
    if value.text == "(":
        return _sign_extending_move(line, dst)
    if value.text == "*":
        return _load(line, dst)
    if is_register(value):
        src = take_source(line, dst)
        if line.peek().text in _SWAPS:
            return _swap(line, dst, line.take(), src)
        return Alu(AluOp.MOV, dst.reg, src.reg, dst.wide)
    return _function(line, dst)


def _move_number(line: Statement, dst: Register, opcode: str | None) -> Instruction:
    token = line.peek()
    start = line.at
    value = line.number()
    if line.accept("ll") or opcode == _LDDW_PREFIX:
        need_wide(line, dst)
        if not -(1 << 63) <= value < 1 << 64:
            line.fail("a number of more than 64 bits", token=token)
        return LoadImm64(dst.reg, value & ((1 << 64) - 1))
    line.at = start
    return Alu(AluOp.MOV, dst.reg, take_immediate(line, patterns=not dst.wide), dst.wide)


def _sign_extending_move(line: Statement, dst: Register) -> Instruction:
    line.expect("(")
    token = line.take()
    op = _EXTENDED.get(token.text)
    if op is None or (op.value.wide_only and not dst.wide):
        line.fail(f"no sign-extending move `({token.text})`", token=token)
    line.expect(")")
    return Alu(op, dst.reg, take_source(line, dst).reg, dst.wide)


def _load(line: Statement, dst: Register) -> Instruction:
    line.expect("*")
    line.expect("(")
    token = line.take()
    signed = token.text in _SIGNED
    size = _SIGNED[token.text] if signed else size_named(line, token)
    line.expect("*")
    line.expect(")")
    if line.accept("skb"):
        return _load_packet(line, dst, size, token)
    if signed or size is Size.DW:
        need_wide(line, dst)
    base, offset = take_place(line)
    return Load(dst.reg, base, offset, size, signed)


def _load_packet(line: Statement, dst: Register, size: Size, token: Token) -> Instruction:
    if dst.reg is not Reg.R0 or size is Size.DW or token.text in _SIGNED:
        line.fail("a packet load gives r0 a u8, u16 or u32", token=token)
    line.expect("[")
    if not is_register(line.peek()):
        insn = LoadPacket(Mode.ABS, size, Reg.R0, take_immediate(line))
    else:
        src = take_wide_register(line)
        insn = LoadPacket(
            Mode.IND, size, src, 0 if line.peek().text == "]" else take_offset(line, 32)
        )
    line.expect("]")
    return insn


def _function(line: Statement, dst: Register) -> Instruction:
    """``r1 = NAME...``: everything that looks like a call or an element."""
    token = line.take()
    if token.text in _SWAPS:
        return _swap(line, dst, token, take_source(line, dst))
    if token.text == "addr_space_cast":
        return _addr_space_cast(line, dst, token)
    if token.text in _LLVM_EXCHANGES:
        op, size = _LLVM_EXCHANGES[token.text]
        return _exchange(line, dst, op, size)
    if token.text in _FETCHES:
        return _exchange(line, dst, _FETCHES[token.text], None)
    if token.text == "load_acquire":
        line.expect("(")
        base, offset, size = take_typed_place(line)
        line.expect(")")
        return Atomic(AtomicOp.LOAD_ACQUIRE, dst.reg, offset, base, size)
    value = _symbol(line, token)
    if value is None:
        line.fail(f"`{token.text}` is no value", token=token)
    need_wide(line, dst)
    line.expect("ll")
    return LoadImm64(dst.reg, value)


def _symbol(line: Statement, token: Token) -> Imm64 | None:
    if token.text in _PSEUDO_BY_NAME:
        row = _PSEUDO_BY_NAME[token.text]
        line.expect("(")
        low = take_immediate(line, patterns=True)
        high = take_immediate(line, patterns=True) if row.high and line.accept(",") else 0
        line.expect(")")
        return PseudoImm64(row.src, low, high)
    if token.text not in ("map", "global", "func", "ksym"):
        return None
    line.expect("[")
    name = line.name()
    offset = take_offset(line, 64) if token.text == "global" and line.peek().text != "]" else 0
    line.expect("]")
    match token.text:
        case "map":
            return MapRef(name)
        case "global":
            return GlobalRef(name, offset)
        case "func":
            return SubprogRef(name)
        case _:
            return KsymRef(name)


def _swap(line: Statement, dst: Register, token: Token, src: Register) -> Instruction:
    if not dst.same(src):
        line.fail("a byte swap is in place", token=src.token, hint="move the register first")
    need_wide(line, dst)
    to, bits = _SWAPS[token.text]
    return Swap(to, bits, dst.reg)


def _addr_space_cast(line: Statement, dst: Register, token: Token) -> Instruction:
    line.expect("(")
    src = take_wide_register(line)
    line.expect(",")
    to = line.number()
    line.expect(",")
    spaces = (to, line.number())
    line.expect(")")
    need_wide(line, dst)
    if spaces not in ADDR_SPACE_CASTS.values():
        line.fail("a cast is between the spaces 0 and 1", token=token)
    return AddrSpaceCast(dst.reg, src, *spaces)


def _exchange(line: Statement, dst: Register, op: AtomicOp, size: Size | None) -> Instruction:
    """What fetches: the address, for cmpxchg R0, then the register that also takes the result."""
    line.expect("(")
    if size is None:
        base, offset, size = take_typed_place(line)
    else:
        base, offset = take_place(line, closed=False)
    if size not in (Size.W, Size.DW):
        line.fail("an atomic operation has 32 or 64 bits")
    line.expect(",")
    result = take_register(line)
    if not dst.same(result):
        line.fail("the old value goes to the register of the operand", token=result.token)
    if op is AtomicOp.CMPXCHG:
        if dst.reg is not Reg.R0:
            line.fail("a compare-and-exchange compares with r0", token=dst.token)
        line.expect(",")
        result = take_register(line)
    line.expect(")")
    return Atomic(op, base, offset, result.reg, size)


def _locked(line: Statement) -> Instruction:
    line.expect("*")
    base, offset, size = take_typed_place(line)
    symbol = line.take()
    op = _LOCKED.get(symbol.text)
    if op is None or size not in (Size.W, Size.DW):
        line.fail(f"no atomic `{symbol.text}` of {size.value.bytes * 8} bits", token=symbol)
    return Atomic(op, base, offset, take_register(line).reg, size)


def _store_release(line: Statement) -> Instruction:
    line.expect("(")
    base, offset, size = take_typed_place(line)
    line.expect(",")
    src = take_register(line)
    line.expect(")")
    return Atomic(AtomicOp.STORE_RELEASE, base, offset, src.reg, size)


def _store(line: Statement) -> Instruction:
    line.expect("*")
    base, offset, size = take_typed_place(line)
    line.expect("=")
    if not is_register(line.peek()):
        return Store(base, offset, take_immediate(line, patterns=size is not Size.DW), size)
    src = take_register(line)
    if size is Size.DW:
        need_wide(line, src)
    return Store(base, offset, src.reg, size)


def _jump_if(line: Statement) -> Parsed:
    dst = take_register(line)
    symbol = line.take()
    op = _COMPARISONS.get(symbol.text)
    if op is None:
        line.fail(f"no comparison `{symbol.text}`", token=symbol)
    src = take_operand(line, dst, patterns=True)
    line.expect("goto")
    offset, target = _target(line)
    return Parsed(JumpIf(op, dst.reg, src, offset, dst.wide), target)


def _target(line: Statement, *, bits: int = 16) -> tuple[int, Target | None]:
    token = line.peek()
    if token.text == "pc" and line.peek(1).text in ("+", "-"):
        line.take()
    elif token.kind in ("name", "string"):
        return 0, Target(line.name(), token)
    start = line.peek()
    if start.text not in ("+", "-"):
        line.fail("expected a label or a distance", hint="a distance has a sign: `goto +1`")
    return take_ranged(line, bits, start), None


def _call(line: Statement) -> Parsed:
    token = line.peek()
    if token.text == "pc" and line.peek(1).text in ("+", "-"):
        line.take()
        return Parsed(Call(CallKind.SUBPROG, take_ranged(line, 32, token)))
    if token.text == "+":
        line.fail("a call by distance reads `call pc+1`")
    if token.kind not in ("name", "string"):
        return Parsed(Call(CallKind.HELPER, take_immediate(line)))
    name = line.name()
    if token.kind == "name" and name == "func" and line.accept("["):
        called = line.name()
        line.expect("]")
        return Parsed(Call(CallKind.SUBPROG, SubprogRef(called)))
    if token.kind == "name" and name == "kfunc":
        return Parsed(_call_kfunc(line))
    if token.kind == "name" and name.startswith("bpf_"):
        return Parsed(_call_helper(line, name, token))
    return Parsed(Call(CallKind.SUBPROG, SubprogRef(name)), Target(name, token))


def _call_kfunc(line: Statement) -> Call:
    target: int | KfuncRef
    if line.accept("["):
        target = KfuncRef(line.name())
        line.expect("]")
    else:
        line.expect("#")
        target = take_immediate(line)
    offset = take_ranged(line, 16, line.peek()) if line.accept("off") else 0
    return Call(CallKind.KFUNC, target, offset)


def _call_helper(line: Statement, name: str, token: Token) -> Call:
    row = HELPER_BY_NAME.get(name.removeprefix("bpf_"))
    if line.accept("#"):
        helper_id = take_immediate(line)
        known = HELPERS.get(helper_id)
        if row is None or known is None or row.id != known.id:
            line.fail(f"helper {helper_id} is not {name}", token=token, hint="write only one")
    if row is None:
        names = [f"bpf_{known}" for known in HELPER_BY_NAME]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "call a helper by its number"
        line.fail(f"no helper `{name}`", token=token, hint=hint)
    return Call(CallKind.HELPER, row.id)
