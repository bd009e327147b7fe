"""The operands of assembly text: registers, numbers, addresses, each with its limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from beebox.isa.instruction import Reg
from beebox.isa.tokens import Statement, Token
from beebox.tables.opcodes import Size

_REGISTER: Final = re.compile(r"([rw])(\d{1,3})", re.ASCII)
_UNSIGNED: Final = {size.value.ctype: size for size in Size}


@dataclass(frozen=True, slots=True)
class Register:
    """A register as it was written: ``r`` is wide, ``w`` is not."""

    reg: Reg
    wide: bool
    token: Token

    def same(self, other: Register) -> bool:
        """Whether both name the same register in the same width."""
        return self.reg is other.reg and self.wide == other.wide


def register_name(name: str) -> bool:
    """Whether the assembler would read ``name`` as a register."""
    return _REGISTER.fullmatch(name) is not None


def is_register(token: Token) -> bool:
    """Whether this is a register's name."""
    return token.kind == "name" and register_name(token.text)


def take_register(line: Statement) -> Register:
    """Any register, with the width it was written in."""
    token = line.take()
    found = _REGISTER.fullmatch(token.text) if token.kind == "name" else None
    if found is None:
        line.fail(f"expected a register, found `{token.text}`", token=token)
    if int(found[2]) > Reg.R10:
        line.fail(f"no register {token.text}", token=token, hint="they go from r0 to r10")
    return Register(Reg(int(found[2])), found[1] == "r", token)


def take_wide_register(line: Statement) -> Reg:
    """A register written ``r``."""
    reg = take_register(line)
    need_wide(line, reg)
    return reg.reg


def need_wide(line: Statement, reg: Register) -> None:
    """Refuse a register written ``w``."""
    if not reg.wide:
        line.fail("64 bits are needed here", token=reg.token, hint=f"write r{int(reg.reg)}")


def take_source(line: Statement, dst: Register) -> Register:
    """A register as wide as ``dst``."""
    src = take_register(line)
    if src.wide != dst.wide:
        kind = "rw"[dst.wide is False]
        hint = f"both are 64 bits (r) or both 32 bits (w): write {kind}{int(src.reg)}"
        line.fail(
            f"`{dst.token.text}` and `{src.token.text}` differ in width", token=src.token, hint=hint
        )
    return src


def take_operand(line: Statement, dst: Register, *, patterns: bool = False) -> Reg | int:
    """A register as wide as ``dst``, or an immediate."""
    if is_register(line.peek()):
        return take_source(line, dst).reg
    return take_immediate(line, patterns=patterns or not dst.wide)


def take_immediate(line: Statement, *, patterns: bool = False) -> int:
    """A signed 32-bit number.

    With ``patterns`` also 0x80000000 to 0xffffffff, as bits: where a 64-bit operation would
    sign-extend them, only the kernel's comparisons may be written so.
    """
    token = line.peek()
    value = line.number()
    if patterns and 1 << 31 <= value < 1 << 32 and token.text[:2] in ("0x", "0X"):
        return value - (1 << 32)
    if not -(1 << 31) <= value < 1 << 31:
        hint = "immediates are signed 32-bit numbers; `r1 = 0x100000000 ll` loads a longer one"
        line.fail(f"{value:#x} does not fit", token=token, hint=hint)
    return value


def take_ranged(line: Statement, bits: int, token: Token) -> int:
    """A signed number of ``bits``; errors point at ``token``."""
    value = line.number()
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        line.fail(f"{value} does not fit {bits} bits", token=token)
    return value


def take_offset(line: Statement, bits: int) -> int:
    """A number that has a sign."""
    token = line.peek()
    if token.text not in ("+", "-"):
        line.fail("expected `+` or `-`")
    return take_ranged(line, bits, token)


def take_place(line: Statement, *, closed: bool = True) -> tuple[Reg, int]:
    """``(r1 + 4)``, or inside other brackets ``r1 + 4``."""
    if closed:
        line.expect("(")
    base = take_wide_register(line)
    offset = take_offset(line, 16) if line.peek().text in ("+", "-") else 0
    if closed:
        line.expect(")")
    return base, offset


def take_typed_place(line: Statement) -> tuple[Reg, int, Size]:
    """``(u32 *)(r1 + 4)``."""
    line.expect("(")
    size = size_named(line, line.take())
    line.expect("*")
    line.expect(")")
    return (*take_place(line), size)


def size_named(line: Statement, token: Token) -> Size:
    """The width that ``u8`` to ``u64`` name."""
    size = _UNSIGNED.get(token.text)
    if size is None:
        line.fail(f"no access of type `{token.text}`", token=token, hint="u8, u16, u32 or u64")
    return size
