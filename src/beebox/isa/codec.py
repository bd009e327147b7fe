"""Bytes to instructions and back, as strict as Linux 6.18. Nothing here knows a mnemonic.

What :func:`decode` accepts encodes back to the same bytes: a set bit in a field that an
instruction does not use is an error, never dropped. Immediates that only the verifier judges (a
division by the constant 0, a shift by 64 or more, the id of a helper) are not its business. In one
point it is stricter than Linux: RFC 9669 wants the offset of ``exit`` to be 0, Linux never looks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, TypeAlias, assert_never

from beebox.errors import DecodeError, InternalError
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Imm64,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Operand,
    PseudoImm64,
    Reg,
    Store,
    Swap,
)
from beebox.isa.semantics import to_signed
from beebox.tables.limits import MAX_INSNS
from beebox.tables.opcodes import (
    ADDR_SPACE_CAST_OFFSET,
    ADDR_SPACE_CASTS,
    ALU_BY_CODE,
    ATOMIC_BY_IMM,
    CALL_CODE,
    END_CODE,
    EXIT_CODE,
    JA_CODE,
    JCOND_CODE,
    JMP_BY_CODE,
    LDDW_OPCODE,
    PSEUDOS,
    REFUSED,
    SIZE_BY_CODE,
    SWAP_BITS,
    SWAPS,
    AluOp,
    Class,
    Mode,
    Size,
    Source,
)

_WIRE: Final = struct.Struct("<BBhi")
_REGS: Final = tuple(Reg)
_SWAP_BY_CODE: Final = {(row.cls, row.source): to for to, row in SWAPS.items()}
_CAST_IMM: Final = {spaces: imm for imm, spaces in ADDR_SPACE_CASTS.items()}

_Decoder: TypeAlias = Callable[[Reg, Reg, int, int], Instruction]
"""The fields dst, src, offset and imm of one opcode to its instruction."""


class _Malformed(Exception):  # noqa: N818 -- never leaves this module
    """What is wrong with one instruction; :func:`decode` knows where it stands."""


def decode(code: bytes) -> tuple[Instruction, ...]:
    """The instructions in ``code``, every operand a number.

    Raises :exc:`DecodeError` at the first bad one, for a length that is no multiple of 8 and for
    more slots than Linux takes (one million).
    """
    if len(code) // _WIRE.size > MAX_INSNS:
        raise DecodeError(f"more than {MAX_INSNS} instructions", pc=MAX_INSNS)
    whole = len(code) - len(code) % _WIRE.size
    out: list[Instruction] = []
    decoders = _DECODERS
    regs = _REGS
    fields = _WIRE.iter_unpack(memoryview(code)[:whole])
    pc = -1
    try:
        for opcode, registers, offset, imm in fields:
            pc += 1
            dst, src = registers & 0x0F, registers >> 4
            if opcode == LDDW_OPCODE:
                out.append(_load_imm64(dst, src, offset, imm, next(fields, None)))
                pc += 1
                continue
            decoder = decoders[opcode]
            if decoder is None:
                _refuse(REFUSED.get(opcode, f"unknown opcode {opcode:#04x}"))
            if dst > Reg.R10 or src > Reg.R10:
                _refuse(f"no register r{max(dst, src)}")
            out.append(decoder(regs[dst], regs[src], offset, imm))
    except _Malformed as cause:
        raise DecodeError(str(cause), pc=pc, data=code[pc * 8 : pc * 8 + 8]) from None
    if whole != len(code):
        raise DecodeError("truncated instruction", pc=pc + 1, data=code[whole:])
    return tuple(out)


def encode(insns: Iterable[Instruction]) -> bytes:
    """The inverse of :func:`decode`.

    Raises :exc:`InternalError` for a symbolic operand and for a number that does not fit its
    field: linking and assembling see to both.
    """
    return b"".join(map(_encode_one, insns))


def _refuse(problem: str) -> NoReturn:
    raise _Malformed(problem)


def _require(condition: bool, problem: str = "a reserved field is not zero") -> None:
    if not condition:
        _refuse(problem)


def _load_imm64(
    dst: int, src: int, offset: int, low: int, second: tuple[int, int, int, int] | None
) -> Instruction:
    if second is None:
        _refuse("a 16-byte load without its second half")
    _require(dst <= Reg.R10, f"no register r{dst}")
    high = second[3]
    _require(offset == 0 and second[:3] == (0, 0, 0))
    if src == 0:
        return LoadImm64(_REGS[dst], (low & 0xFFFFFFFF) | (high & 0xFFFFFFFF) << 32)
    row = PSEUDOS.get(src)
    if row is None:
        _refuse(f"unknown kind {src} of 64-bit immediate")
    _require(row.high or high == 0)
    return LoadImm64(_REGS[dst], PseudoImm64(src, low, high))


def _alu(wide: bool, code: int, source: Source) -> _Decoder | None:
    by_offset = {offset: op for (at, offset), op in ALU_BY_CODE.items() if at == code}
    if not by_offset or (source is Source.X and by_offset[0].value.unary):
        return None

    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        if wide and offset == ADDR_SPACE_CAST_OFFSET and source and AluOp.MOV is by_offset[0]:
            spaces = ADDR_SPACE_CASTS.get(imm)
            if spaces is None:
                _refuse("addr_space_cast only converts between the spaces 0 and 1")
            return AddrSpaceCast(dst, src, *spaces)
        op = by_offset.get(offset)
        if op is None or (op.value.wide_only and not wide):
            _refuse(f"no such variant of the operation: offset {offset}")
        if source:
            _require(imm == 0)
            return Alu(op, dst, src, wide)
        _require(src == 0)
        _require(not op.value.sign_extends, "a sign-extending move of an immediate")
        _require(imm == 0 or not op.value.unary)
        return Alu(op, dst, imm, wide)

    return decoder


def _swap(cls: Class, source: Source) -> _Decoder | None:
    to = _SWAP_BY_CODE.get((cls, source))
    if to is None:
        return None

    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(src == 0 and offset == 0)
        _require(imm in SWAP_BITS, f"a byte swap of {imm} bits")
        return Swap(to, imm, dst)

    return decoder


def _jump_if(wide: bool, code: int, source: Source) -> _Decoder | None:
    op = JMP_BY_CODE.get(code)
    if op is None:
        return None

    def by_register(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(imm == 0)
        return JumpIf(op, dst, src, offset, wide)

    def by_immediate(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(src == 0)
        return JumpIf(op, dst, imm, offset, wide)

    return by_register if source else by_immediate


def _goto(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
    _require(dst == 0 and src == 0 and imm == 0)
    return Jump(offset)


def _gotol(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
    _require(dst == 0 and src == 0 and offset == 0)
    return Jump(imm, long=True)


def _may_goto(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
    _require(dst == 0 and src == 0 and imm == 0)
    return MayGoto(offset)


def _call(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
    _require(dst == 0)
    _require(src <= CallKind.KFUNC, f"unknown kind {int(src)} of call")
    kind = CallKind(src)
    _require(offset == 0 or kind is CallKind.KFUNC)
    return Call(kind, imm, offset)


def _exit(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
    _require(dst == 0 and src == 0 and offset == 0 and imm == 0)
    return Exit()


def _load(size: Size, signed: bool) -> _Decoder | None:
    if signed and size.value.signed_ctype is None:
        return None

    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(imm == 0)
        return Load(dst, src, offset, size, signed)

    return decoder


def _load_packet(mode: Mode, size: Size) -> _Decoder | None:
    if size is Size.DW:
        return None

    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(dst == 0 and offset == 0 and (mode is Mode.IND or src == 0))
        return LoadPacket(mode, size, src, imm)

    return decoder


def _store_register(size: Size) -> _Decoder:
    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(imm == 0)
        return Store(dst, offset, src, size)

    return decoder


def _store_immediate(size: Size) -> _Decoder:
    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        _require(src == 0)
        return Store(dst, offset, imm, size)

    return decoder


def _atomic(size: Size) -> _Decoder:
    def decoder(dst: Reg, src: Reg, offset: int, imm: int) -> Instruction:
        op = ATOMIC_BY_IMM.get(imm)
        if op is None:
            _refuse(f"unknown atomic operation {imm:#x}")
        _require(
            op.value.narrow or size in (Size.W, Size.DW),
            f"{op.value.mnemonic} has no width of {size.value.bytes * 8} bits",
        )
        return Atomic(op, dst, offset, src, size)

    return decoder


def _decoder(opcode: int) -> _Decoder | None:
    """How to read ``opcode``, or None where the set has no such opcode."""
    cls = Class(opcode & 0x07)
    code, source = opcode & 0xF0, Source(opcode & 0x08)
    mode, size = opcode & 0xE0, SIZE_BY_CODE[opcode & 0x18]
    match cls:
        case Class.ALU | Class.ALU64:
            return (
                _swap(cls, source) if code == END_CODE else _alu(cls is Class.ALU64, code, source)
            )
        case Class.JMP | Class.JMP32:
            wide = cls is Class.JMP
            plain = {
                JA_CODE: _goto if wide else _gotol,
                CALL_CODE: _call if wide else None,
                EXIT_CODE: _exit if wide else None,
                JCOND_CODE: _may_goto if wide else None,
            }
            if code in plain:
                return plain[code] if source is Source.K else None
            return _jump_if(wide, code, source)
        case Class.LD:
            return _load_packet(Mode(mode), size) if mode in (Mode.ABS, Mode.IND) else None
        case Class.LDX:
            return _load(size, mode == Mode.MEMSX) if mode in (Mode.MEM, Mode.MEMSX) else None
        case Class.ST:
            return _store_immediate(size) if mode == Mode.MEM else None
        case Class.STX:
            if mode == Mode.ATOMIC:
                return _atomic(size)
            return _store_register(size) if mode == Mode.MEM else None
        case _:
            assert_never(cls)


_DECODERS: Final = tuple(_decoder(opcode) for opcode in range(256))


def _encode_one(insn: Instruction) -> bytes:
    match insn:
        case Alu(op, dst, src, wide):
            cls = Class.ALU64 if wide else Class.ALU
            source, register, imm = _operand(src)
            return _pack(cls | source | op.value.code, dst, register, op.value.offset, imm)
        case Swap(to, bits, dst):
            row = SWAPS[to]
            return _pack(row.cls | row.source | END_CODE, dst, 0, 0, bits)
        case AddrSpaceCast(dst, src_reg, dst_space, src_space):
            opcode = Class.ALU64 | Source.X | AluOp.MOV.value.code
            imm = _CAST_IMM[dst_space, src_space]
            return _pack(opcode, dst, src_reg, ADDR_SPACE_CAST_OFFSET, imm)
        case LoadImm64(dst, value):
            return _encode_imm64(dst, value)
        case Load(dst, src_reg, offset, size, signed):
            mode = Mode.MEMSX if signed else Mode.MEM
            return _pack(Class.LDX | mode | size.value.code, dst, src_reg, offset, 0)
        case LoadPacket(mode, size, src_reg, imm):
            return _pack(Class.LD | mode | size.value.code, 0, src_reg, 0, imm)
        case Store(dst, offset, Reg() as src_reg, size):
            return _pack(Class.STX | Mode.MEM | size.value.code, dst, src_reg, offset, 0)
        case Store(dst, offset, imm, size):
            return _pack(Class.ST | Mode.MEM | size.value.code, dst, 0, offset, imm)
        case Atomic(atomic_op, dst, offset, src_reg, size):
            opcode = Class.STX | Mode.ATOMIC | size.value.code
            return _pack(opcode, dst, src_reg, offset, atomic_op.value.imm)
        case Jump(offset, long):
            if long:
                return _pack(Class.JMP32 | JA_CODE, 0, 0, 0, offset)
            return _pack(Class.JMP | JA_CODE, 0, 0, offset, 0)
        case MayGoto(offset):
            return _pack(Class.JMP | JCOND_CODE, 0, 0, offset, 0)
        case JumpIf(jmp_op, dst, src, offset, wide):
            cls = Class.JMP if wide else Class.JMP32
            source, register, imm = _operand(src)
            return _pack(cls | source | jmp_op.value.code, dst, register, offset, imm)
        case Call(kind, target, offset):
            if not isinstance(target, int):
                raise InternalError(f"a call of {target.name} was never linked")
            return _pack(Class.JMP | CALL_CODE, 0, kind, offset, target)
        case Exit():
            return _pack(Class.JMP | EXIT_CODE, 0, 0, 0, 0)
        case _:
            assert_never(insn)


def _encode_imm64(dst: Reg, value: Imm64) -> bytes:
    match value:
        case int():
            pseudo, low, high = 0, to_signed(value, 32), to_signed(value >> 32, 32)
        case PseudoImm64(pseudo, low, high):
            pass
        case _:
            raise InternalError(f"a load of {value} was never linked")
    return _pack(LDDW_OPCODE, dst, pseudo, 0, low) + _pack(0, 0, 0, 0, high)


def _operand(src: Operand) -> tuple[Source, int, int]:
    return (Source.X, src, 0) if isinstance(src, Reg) else (Source.K, 0, src)


def _pack(opcode: int, dst: int, src: int, offset: int, imm: int) -> bytes:
    try:
        return _WIRE.pack(opcode, src << 4 | dst, offset, imm)
    except struct.error as cause:
        raise InternalError(
            f"no instruction: opcode {opcode:#x}, offset {offset}, imm {imm}"
        ) from cause
