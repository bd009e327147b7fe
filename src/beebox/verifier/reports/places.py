"""Where a program was refused, as its source has it: names, lines, how to leave a function."""

from __future__ import annotations

import re
from typing import Final

from beebox.isa.instruction import Call
from beebox.obj.model import LineInfo, ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.states.value import Reg

_MEMBER: Final = re.compile(r"\b([A-Za-z_]\w*)\s*->")
_INDEX: Final = re.compile(r"\[\s*([A-Za-z_][\w.>-]*)\s*\]")
_RESULT: Final = re.compile(r"\b([A-Za-z_]\w*)\s*=(?!=)")
_ASSIGNED: Final = re.compile(r"\b([A-Za-z_]\w*)\s*=(?!=)[^=;]*[>.]\s*\w+\s*;?\s*$")


class Place:
    """Where the program was refused: its source language, names and lines."""

    def __init__(self, spec: ProgramSpec, pc: int) -> None:
        self.spec = spec
        self.pc = pc
        self.line = spec.line_at(pc)
        self.python = self.line is not None and self.line.file.endswith(".py")
        self.insn = spec.slots[pc] if pc < len(spec.slots) else None

    def pointer(self, refusal: Refusal, value: Reg) -> str:
        """What the source calls the pointer at fault."""
        named = self.variable(refusal.reg, value)
        text = self.line.text if self.line is not None else ""
        assigned = _ASSIGNED.search(text)
        if assigned and self.assigns(assigned[1], value):
            return str(assigned[1])  # the line that loads it is said to use it, too
        members: list[str] = list(dict.fromkeys(_MEMBER.findall(text)))
        if len(members) == 1 and (named is None or named == members[0]):
            return members[0]
        if named is None and value.pc >= 0 and isinstance(self.spec.slots[value.pc], Call):
            made = self.spec.line_at(value.pc)
            results = _RESULT.findall(made.text) if made is not None else []
            named = results[0] if len(results) == 1 else None
        return named or (f"r{refusal.reg}" if self.line is None else "the pointer")

    def assigns(self, name: str, value: Reg) -> bool:
        """Whether the refused line is the one that gives ``value`` to the variable."""
        made = self.spec.line_at(value.pc) if value.pc >= 0 else None
        if made is None or self.line is None or not same_line(made, self.line):
            return False
        found = _ASSIGNED.search(self.line.text)
        return found is not None and found[1] == name

    def variable(self, reg: int | None, value: Reg) -> str | None:
        """The name of the variable that the value at fault is held in, if known."""
        if reg is None:
            return None
        return self.spec.variable_at(self.pc, reg=reg) or self.spec.variable_at(value.pc, reg=reg)

    def index(self) -> str:
        """What the source calls the index."""
        found: list[str] = _INDEX.findall(self.line.text) if self.line is not None else []
        return found[0] if len(set(found)) == 1 else "the index"

    def after(self, pc: int) -> str:
        """``after line 18``, or ``before`` the refused one when there is nothing between."""
        there, here = self.spec.line_at(max(pc, 0)), self.line
        if here is None or not here.line:
            return f"before insn {self.pc}"
        if pc < 0 or there is None or same_line(there, here) or there.line > here.line:
            return f"before line {here.line}"
        return f"after line {there.line}"

    def behind(self, pc: int) -> str:
        """``after line 18``, also where that is the refused line itself."""
        there = self.spec.line_at(pc) if pc >= 0 else None
        if there is not None and self.line is not None and same_line(there, self.line):
            return f"after line {there.line}" if there.line else f"after insn {pc}"
        return self.after(pc)

    def at(self, pc: int) -> str:
        """``line 18``, or ``insn 5``."""
        there = self.spec.line_at(pc)
        return f"line {there.line}" if there is not None and there.line else f"insn {pc}"

    def leaves(self, condition: str, python: str) -> str:
        """The statement that returns where the condition holds, in the program's language."""
        if self.line is None:
            return f"if {condition} goto out"
        inner = any(0 < info.pc <= self.pc for info in self.spec.functions)
        if self.python:
            result = "..." if inner else quiet(self.spec.type, python=True)
            return f"if {python}: return {result}"
        result = "0" if inner else quiet(self.spec.type)
        return f"if ({condition}) return {result};"


def same_line(one: LineInfo, other: LineInfo) -> bool:
    """Whether both are in one line of one file."""
    return (one.file, one.line) == (other.file, other.line)


def quiet(type_: ProgramType, *, python: bool = False) -> str:
    """The result that lets things be: XDP_PASS and its like, else 0."""
    verdicts = type_.value.verdicts
    for member in verdicts or ():
        if member.name in ("PASS", "OK"):
            prefix = {"XdpAction": "XDP_", "TcAction": "TC_ACT_", "SkAction": "SK_"}
            if python:
                return f"{verdicts.__name__}.{member.name}" if verdicts is not None else "0"
            known = prefix.get(verdicts.__name__) if verdicts is not None else None
            return f"{known}{member.name}" if known else str(int(member))
    return "0"
