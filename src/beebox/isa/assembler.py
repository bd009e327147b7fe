"""Text to instructions: LLVM's notation, the kernel log's variants of it, and labels.

The inverse of :mod:`beebox.isa.disassembler`: ``assemble(text(insn)) == (insn,)``. Comments start
with ``;``, ``//`` or, after a space, ``#``; ``name:`` is a label for jumps and calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from beebox.isa.grammar import Parsed, parse
from beebox.isa.instruction import (
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    MayGoto,
    SubprogRef,
    slot_count,
)
from beebox.isa.operands import register_name
from beebox.isa.tokens import Statement, statements
from beebox.tables.limits import MAX_INSNS


@dataclass(frozen=True, slots=True)
class Placed:
    """An instruction, the pc of its first slot and the line it was written on."""

    insn: Instruction
    pc: int
    line: Statement


def assemble(text: str, *, file: str = "<asm>") -> tuple[Instruction, ...]:
    """The instructions of ``text``; raises :exc:`beebox.errors.AssemblyError`.

    A call of a label becomes relative; of any other name, a :class:`SubprogRef` for the linker.
    """
    return tuple(placed.insn for placed in assemble_lines(statements(text, file=file)))


def assemble_lines(
    lines: Iterable[Statement], *, functions: frozenset[str] = frozenset()
) -> tuple[Placed, ...]:
    """The instructions of one block of lines; labels are local to it.

    Names in ``functions`` stay symbolic in calls, also where a label has the same name.
    """
    labels: dict[str, int] = {}
    parsed: list[tuple[Parsed, int, Statement]] = []
    pc = 0
    for line in lines:
        name = take_label(line)
        if name is not None:
            if name in labels:
                line.fail(f"a second label `{name}`", token=line.tokens[0])
            labels[name] = pc
            if line.at == len(line.tokens):
                continue
        if pc >= MAX_INSNS:
            line.fail(f"more than {MAX_INSNS} instructions")
        found = parse(line)
        parsed.append((found, pc, line))
        pc += slot_count(found.insn)
    return tuple(
        Placed(_resolved(found, at, line, labels, functions), at, line)
        for found, at, line in parsed
    )


def take_label(line: Statement) -> str | None:
    """Take ``name:`` from the front of ``line``, if it is there."""
    token = line.peek()
    if token.kind not in ("name", "string") or line.peek(1).text != ":":
        return None
    name = line.name()
    line.expect(":")
    if token.kind == "name" and register_name(name):
        line.fail(f"`{name}` is a register, not a label", token=token)
    return name


def _resolved(
    parsed: Parsed,
    pc: int,
    line: Statement,
    labels: Mapping[str, int],
    functions: frozenset[str],
) -> Instruction:
    target = parsed.target
    if target is None:
        return parsed.insn
    distance = labels.get(target.name, 0) - pc - 1
    match parsed.insn:
        case Call():
            if target.name in functions or target.name not in labels:
                return Call(CallKind.SUBPROG, SubprogRef(target.name))
            return Call(CallKind.SUBPROG, distance)
        case Jump() | MayGoto() | JumpIf() as insn:
            if target.name not in labels:
                line.fail(f"no label `{target.name}` here", token=target.token)
            long = isinstance(insn, Jump) and insn.long
            if not long and not -(1 << 15) <= distance < 1 << 15:
                hint = "jump over a `gotol`, which reaches 2147483647"
                line.fail(f"`{target.name}` is too far ({distance})", token=target.token, hint=hint)
            return replace(insn, offset=distance)
        case insn:
            return insn
