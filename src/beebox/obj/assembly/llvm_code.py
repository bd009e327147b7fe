"""Instructions in clang's assembly text: where our notation has brackets, clang has bare symbols.

``r1 = counters ll``, ``r1 = table+8 ll``, ``call add_one``, ``call bpf_task_from_pid``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from beebox.isa.grammar import parse
from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    LoadImm64,
    MayGoto,
)
from beebox.isa.operands import is_register, take_register, take_wide_register
from beebox.isa.tokens import Statement, Token
from beebox.obj.elf import RelocationType
from beebox.tables.opcodes import AluOp

_CALLED: Final = -1  # what clang writes where a relocation gives the function


@dataclass(frozen=True, slots=True)
class Label:
    """A place in the same section, for a jump."""

    name: str
    token: Token


@dataclass(frozen=True, slots=True)
class Reference:
    """A symbol, for a relocation; ``offset`` is added to it."""

    name: str
    kind: RelocationType
    token: Token
    offset: int = 0


Target: TypeAlias = Label | Reference


@dataclass(frozen=True, slots=True)
class Code:
    """An instruction whose number, with ``target``, is still to come."""

    insn: Instruction
    target: Target | None = None


def parse_code(line: Statement, known: Callable[[str], str]) -> Code:
    """The instruction of ``line``. Raises :exc:`AssemblyError`.

    ``known`` gives a label's name for what is written (``1f``).
    """
    first, second, third = line.peek(), line.peek(1), line.peek(2)
    is_set = is_register(first) and second.text == "="
    if is_set and third.kind in ("name", "string") and line.tokens[-1].text == "ll":
        return _address(line)
    if is_set and is_register(third) and (insn := _widened(line)) is not None:
        return Code(insn)
    if first.text == "call" and second.kind in ("name", "string"):
        line.take()
        name = line.name()
        line.end()
        insn = Call(CallKind.SUBPROG, _CALLED)
        return Code(insn, Reference(name, RelocationType.CALL32, second, _CALLED))
    parsed = parse(line)
    if parsed.target is not None:
        return Code(parsed.insn, Label(known(parsed.target.name), parsed.target.token))
    return Code(parsed.insn)


def _widened(line: Statement) -> Instruction | None:
    """``r1 = w2``: the 32-bit move, which clears the upper half of its target."""
    start = line.at
    dst = take_register(line)
    line.take()
    src = take_register(line)
    if dst.wide and not src.wide and line.peek().kind == "end of line":
        return Alu(AluOp.MOV, dst.reg, src.reg, wide=False)
    line.at = start
    return None


def _address(line: Statement) -> Code:
    dst = take_wide_register(line)
    line.expect("=")
    token = line.peek()
    name = line.name()
    offset = line.number() if line.peek().text in ("+", "-") else 0
    line.expect("ll")
    line.end()
    target = Reference(name, RelocationType.LDIMM64, token, offset)
    return Code(LoadImm64(dst, 0), target)


def placed(line: Statement, insn: Instruction, number: int, token: Token) -> Instruction:
    """``insn`` with the distance or addend that its target gives."""
    match insn:
        case Jump() | MayGoto() | JumpIf():
            bits = 32 if isinstance(insn, Jump) and insn.long else 16
            if not -(1 << bits - 1) <= number < 1 << bits - 1:
                line.fail(f"`{token.text}` is too far ({number})", token=token)
            return replace(insn, offset=number)
        case LoadImm64():
            return replace(insn, value=number % (1 << 64))
        case Call():
            return replace(insn, target=number)
        case _:
            return insn
