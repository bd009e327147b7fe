"""``bounded()`` as an instruction: LLVM knows no may_goto, so a mark stands in its place.

The lowering compares a value of unknown content with a mark that the module holds nowhere else;
here each such comparison becomes a may_goto, which jumps where the comparison says "equal".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from beebox.compiler import ir
from beebox.compiler.bpf_effects import nodes
from beebox.isa.instruction import Instruction, Jump, JumpIf, MayGoto, slot_count
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.tables.opcodes import JmpOp

_FIRST_MARK: Final = 0x6D61795F


def mark_of(module: ir.Module) -> int | None:
    """The mark for a module that asks for budgets; None for one that does not."""
    everything = [node for function in module.functions for node in nodes(function)]
    if not any(isinstance(node, ir.Budget) for node in everything):
        return None
    taken = {node.value for node in everything if isinstance(node, ir.Const)}
    mark = _FIRST_MARK
    while mark in taken:
        mark += 1
    return mark


def with_may_gotos(spec: ObjectSpec, mark: int) -> ObjectSpec:
    """The object with a may_goto for each comparison with the mark."""
    made = {name: _function(function, mark) for name, function in spec.functions.items()}
    return replace(spec, functions=made)


def _function(function: FunctionSpec, mark: int) -> FunctionSpec:
    rows: list[tuple[Instruction, int | None]] = []  # each with the old pc that it jumps to
    moved: dict[int, int] = {}  # new pcs by old ones
    old = new = 0
    for insn in function.insns:
        moved[old] = new
        target = old + 1 + insn.offset if isinstance(insn, Jump | JumpIf | MayGoto) else None
        added = _replaced(insn, target, mark)
        rows += added
        new += sum(slot_count(row) for row, _ in added)
        old += slot_count(insn)
    moved[old] = new
    insns: list[Instruction] = []
    at = 0
    for insn, target in rows:
        if target is not None:
            assert isinstance(insn, Jump | JumpIf | MayGoto)
            insn = replace(insn, offset=moved[target] - at - 1)  # noqa: PLW2901 -- the same, moved
        insns.append(insn)
        at += slot_count(insn)
    return replace(
        function,
        insns=tuple(insns),
        lines=tuple(replace(line, pc=moved[line.pc]) for line in function.lines),
        variables=tuple(
            replace(row, start=moved[row.start], end=moved[row.end]) for row in function.variables
        ),
    )


def _replaced(
    insn: Instruction, target: int | None, mark: int
) -> list[tuple[Instruction, int | None]]:
    match insn:
        case JumpIf(op=JmpOp.EQ, src=value, wide=True) if value == mark:
            return [(MayGoto(0), target)]
        case JumpIf(op=JmpOp.NE, src=value, wide=True) if value == mark:
            return [(MayGoto(1), None), (Jump(0), target)]  # over the jump that goes on
        case _:
            return [(insn, target)]
