"""One BPF function as LLVM text: registers, stack slots and the edges between instructions.

Each register is two allocas, an ``i64`` and a ``ptr``; the verifier's fact at an instruction picks
which one holds it there, and an edge converts where the facts of its ends differ. So LLVM sees
pointers as pointers and turns the allocas into values. The stack becomes one alloca per separately
used interval, unless a frame pointer is needed as a value; it always starts zeroed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from beebox.errors import InternalError
from beebox.isa.instruction import Operand, Reg
from beebox.tables.limits import MAX_LOOPS, MAX_STACK_BYTES
from beebox.verifier.result import RegFact, RegKind, SubprogramFact, VerifiedProgram
from beebox.vm.memory import RUNTIME_FIELDS

UNREACHED: Final = "unreached"


@dataclass(frozen=True, slots=True)
class Form:
    """How a register is held: a number or a pointer; ``offset`` if it is R10 plus a constant.

    A pointer of known ``offset`` into the own frame is in no alloca: its slot has a name.
    """

    pointer: bool
    offset: int | None = None


NUMBER: Final = Form(pointer=False)
POINTER: Final = Form(pointer=True)


@cache
def frame(offset: int) -> Form:
    """R10 plus ``offset``. Each form is one object: they are compared by identity."""
    return Form(pointer=True, offset=offset)


def form_of(fact: RegFact | None) -> Form | None:
    """The form that ``fact`` picks; None for a dead register."""
    if fact is None:
        return None
    kind = fact.kind
    if kind is RegKind.SCALAR or kind is RegKind.MIXED:
        return NUMBER
    if kind is RegKind.STACK and fact.frames_up == 0 and fact.offset is not None:
        return frame(fact.offset)
    return POINTER


class Body:
    """The text of one function while it is written, instruction by instruction."""

    def __init__(self, program: VerifiedProgram, function: SubprogramFact) -> None:
        self.program = program
        self.function = function
        self.lines: list[str] = []
        self.written: dict[int, Form] = {}
        self.leaders: frozenset[int] = frozenset()  # pcs where a block starts
        self.unreached = False
        self.loops = False  # a may_goto counts in this frame
        self._forms: dict[int, Sequence[Form | None]] = {}
        self._temps = 0
        self._slots: dict[int, int] = {}  # offset from R10 -> bytes used there
        self._copies: dict[str, int] = {}  # allocas by name: bytes
        self._escapes = False  # a pointer into the frame is a value somewhere
        self._varies = False  # its distance from R10 is not constant

    # ---- text

    def line(self, text: str) -> None:
        """One instruction without a result."""
        self.lines.append("  " + text)

    def value(self, text: str) -> str:
        """One instruction; the name of its result."""
        self._temps += 1
        name = f"%t{self._temps}"
        self.lines.append(f"  {name} = {text}")
        return name

    # ---- facts

    def fact(self, pc: int, reg: int) -> RegFact | None:
        """What holds of ``reg`` on arrival at ``pc``."""
        facts = self.program.regs[pc] if pc < len(self.program.regs) else None
        return None if facts is None else facts[reg]

    def forms(self, pc: int) -> Sequence[Form | None]:
        """How R0-R9 are held on arrival at ``pc``, which a state reaches; None where dead."""
        found = self._forms.get(pc)
        if found is None:
            facts = self.program.regs[pc] or ()
            found = self._forms[pc] = [form_of(fact) for fact in facts[:10]]
        return found

    def form(self, pc: int, reg: int) -> Form:
        """How ``reg`` is held on arrival at ``pc``; a dead register counts as a number."""
        return form_of(self.fact(pc, reg)) or NUMBER

    # ---- registers

    def integer(self, pc: int, operand: Operand) -> str:
        """The operand's 64 bits."""
        if not isinstance(operand, Reg):
            return str(operand)
        if self.form(pc, operand).pointer:
            return self.value(f"ptrtoint ptr {self.pointer(pc, operand)} to i64")
        return self.value(f"load i64, ptr %r{operand}.i")

    def pointer(self, pc: int, reg: Reg) -> str:
        """The register as an address."""
        form = self.form(pc, reg)
        if form.offset is not None:
            return self.frame_pointer(form.offset)
        if form.pointer:
            fact = self.fact(pc, reg)
            if fact is not None and fact.kind is RegKind.STACK and fact.frames_up == 0:
                self._varies = True
            return self.value(f"load ptr, ptr %r{reg}.p")
        return self.value(f"inttoptr i64 {self.integer(pc, reg)} to ptr")

    def set_integer(self, reg: int, value: str) -> None:
        """``reg`` becomes the i64 ``value``."""
        self.line(f"store i64 {value}, ptr %r{reg}.i")
        self.written[reg] = NUMBER

    def set_pointer(self, reg: int, value: str) -> None:
        """``reg`` becomes the address ``value``."""
        self.line(f"store ptr {value}, ptr %r{reg}.p")
        self.written[reg] = POINTER

    def set_frame(self, reg: int, offset: int) -> None:
        """``reg`` becomes R10 + ``offset``."""
        self.written[reg] = frame(offset)

    # ---- the stack

    def slot(self, offset: int, size: int) -> str:
        """The address of ``size`` bytes at R10 + ``offset``, of which no others are reached."""
        self._slots[offset] = max(size, self._slots.get(offset, 0))
        return f"%s{-offset}"

    def copy_of(self, reg: int, size: int) -> str:
        """Room for ``size`` bytes that an argument register points to, for the next call alone."""
        name = f"%copy{reg}.{size}"
        self._copies[name] = size
        return name

    def frame_pointer(self, offset: int) -> str:
        """R10 + ``offset`` as a value: all of the frame may be reached through it."""
        self._escapes = True
        self._slots.setdefault(offset, 0)
        return f"%s{-offset}"

    def address(self, pc: int, reg: Reg, offset: int, size: int) -> str:
        """The address of an access of ``size`` bytes at ``reg`` + ``offset``."""
        form = self.form(pc, reg)
        if form.offset is not None:
            return self.slot(form.offset + offset, size)
        base = self.pointer(pc, reg)
        return self.value(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    # ---- edges

    def edge(self, pc: int, target: int) -> str:
        """Convert what ``target`` expects in another form; the label to branch to."""
        if target >= len(self.program.regs) or self.program.regs[target] is None:
            self.unreached = True
            return f"%{UNREACHED}"
        wanted, held, written = self.forms(target), self.forms(pc), self.written
        if not written and wanted == held:
            return f"%L{target}"
        for reg, want in enumerate(wanted):
            have = written.get(reg) or held[reg]
            if want is not have and want is not None and have is not None:
                self._convert(reg, have, want)
        return f"%L{target}"

    def _convert(self, reg: int, have: Form, want: Form) -> None:
        if want.offset is not None:
            if not have.pointer:
                raise InternalError(f"R{reg} turns from a number into a frame pointer")
            return
        if have.offset is not None:
            address = self.frame_pointer(have.offset)
        elif have.pointer:
            if want.pointer:
                return
            address = self.value(f"load ptr, ptr %r{reg}.p")
        else:
            number = self.value(f"load i64, ptr %r{reg}.i")  # 0 where the verifier says pointer
            address = self.value(f"inttoptr i64 {number} to ptr")
        if want.pointer:
            self.line(f"store ptr {address}, ptr %r{reg}.p")
        else:
            number = self.value(f"ptrtoint ptr {address} to i64")
            self.line(f"store i64 {number}, ptr %r{reg}.i")

    # ---- the entry block, once all slots are known

    def prologue(self) -> list[str]:
        """Allocas: registers as 0, the used parts of the stack as zeros."""
        lines = []
        for reg in range(10):
            lines += [
                f"  %r{reg}.i = alloca i64",
                f"  store i64 0, ptr %r{reg}.i",
                f"  %r{reg}.p = alloca ptr",
                f"  store ptr null, ptr %r{reg}.p",
            ]
        if self.loops:
            lines += [
                f"  %loops.at = getelementptr i8, ptr %rt, i64 {RUNTIME_FIELDS['loops_left'][0]}",
                "  %loops.left = load i64, ptr %loops.at, align 8",
                f"  %loops.mine = call i64 @llvm.umin.i64(i64 %loops.left, i64 {MAX_LOOPS})",
                "  %loops.rest = sub i64 %loops.left, %loops.mine",
                "  store i64 %loops.rest, ptr %loops.at, align 8",
                "  %loops = alloca i64",
                "  store i64 %loops.mine, ptr %loops",
            ]
        lines += [
            f"  {name} = alloca [{size} x i8], align 8" for name, size in self._copies.items()
        ]
        for low, high in self._intervals():
            zeroed = f"ptr align 8 %stack{-low}"
            lines += [
                f"  %stack{-low} = alloca [{high - low} x i8], align 8",
                f"  call void @llvm.memset.p0.i64({zeroed}, i8 0, i64 {high - low}, i1 false)",
            ]
            lines += [
                f"  %s{-offset} = getelementptr inbounds i8, ptr %stack{-low}, i64 {offset - low}"
                for offset in self._slots
                if low <= offset < high or (offset == high == 0)
            ]
        return lines

    def _intervals(self) -> list[tuple[int, int]]:
        """Disjoint, 8-byte aligned ``[low, high)`` around all slots, in bytes from R10."""
        if not self._slots:
            return []
        used = [(low & ~7, (low + size + 7) & ~7) for low, size in sorted(self._slots.items())]
        if self._escapes:
            declared = MAX_STACK_BYTES if self._varies else self.function.stack_bytes
            low = min(used[0][0], -(declared + 7 & ~7))
            return [(low, 0)]
        merged: list[tuple[int, int]] = []
        for low, high in used:
            if merged and low < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return merged
