"""A filter's conditions as a BPF program: XDP, reads only, returns 1 for a packet that matches.

``len`` is the packet's length on the wire, which no field of the context tells: the program asks
its clock for it. Whoever runs a filter sets the clock to each packet's wire length.
"""

from __future__ import annotations

from typing import Final, assert_never

from beebox.errors import FilterError
from beebox.isa.assembler import assemble
from beebox.lib.filter.conditions import (
    And,
    Base,
    Binary,
    Compare,
    Condition,
    Field,
    Length,
    Not,
    Number,
    Or,
    Value,
)
from beebox.lib.filter.syntax import parse
from beebox.obj.model import FunctionSpec, ObjectSpec

PROGRAM: Final = "filter"
_MAX_LINES: Final = 32_000  # jumps reach 32,767 instructions
_MAX_SPILLS: Final = 60  # of the 64 stack slots
_MOST_OFFSET: Final = 0xFFFF  # of a packet pointer, for the verifier
_OPERATORS: Final = {"=": "=="}
_SIZES: Final = {1: "u8", 2: "u16", 4: "u32"}


def compile_filter(text: str) -> ObjectSpec:
    """The object with the program ``filter``. Raises :exc:`FilterError` with the column."""
    condition = parse(text)
    code = _Code(text)
    code.program(condition)
    functions = {PROGRAM: FunctionSpec(PROGRAM, "xdp", assemble(code.assembly(), file="<filter>"))}
    return ObjectSpec(functions, license="GPL", file="<filter>")


class _Code:
    """R6 is the packet's start, R7 its end, R9 its length on the wire; values come in R0."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: list[str] = []
        self._labels = 0

    def program(self, condition: Condition | None) -> None:
        """Everything."""
        if condition is None:
            self._emit("r0 = 1", "exit")
            return
        self._emit("r6 = *(u32 *)(r1 + 0)", "r7 = *(u32 *)(r1 + 4)", "call 5", "r9 = r0")
        self._condition(condition, "match", "reject")
        self._emit("match:", "r0 = 1", "exit", "reject:", "r0 = 0", "exit")

    def assembly(self) -> str:
        """The text, without jumps to the next line."""
        lines = self._lines
        kept = [
            line
            for line, after in zip(lines, [*lines[1:], ""], strict=True)
            if line != f"goto {after[:-1]}" or not after.endswith(":")
        ]
        return "\n".join(kept)

    def _emit(self, *lines: str) -> None:
        self._lines += lines
        if len(self._lines) > _MAX_LINES:
            raise FilterError("too long for one program", text=self._text, column=1)

    def _label(self) -> str:
        self._labels += 1
        return f"L{self._labels}"

    def _condition(self, condition: Condition, yes: str, no: str) -> None:
        """Jump to ``yes`` or ``no``. Chains are walked by a stack of our own: they may be long."""
        pending: list[tuple[Condition, str, str] | str] = [(condition, yes, no)]
        while pending:
            item = pending.pop()
            if isinstance(item, str):
                self._emit(f"{item}:")
                continue
            now, yes, no = item
            match now:
                case And(left, right):
                    middle = self._label()
                    pending += [(right, yes, no), middle, (left, middle, no)]
                case Or(left, right):
                    middle = self._label()
                    pending += [(right, yes, no), middle, (left, yes, middle)]
                case Not(inner):
                    pending.append((inner, no, yes))
                case Compare():
                    self._compare(now, yes, no)
                case _:
                    assert_never(now)

    def _compare(self, test: Compare, yes: str, no: str) -> None:
        operator = _OPERATORS.get(test.operator, test.operator)
        if isinstance(test.right, Number):
            self._value(test.left, 0)
            self._emit(f"if w0 {operator} {_signed(test.right.value)} goto {yes}")
        else:
            self._both(test.left, test.right, 0)
            self._emit(f"if w0 {operator} w2 goto {yes}")
        self._emit(f"goto {no}")

    def _both(self, left: Value, right: Value, spills: int) -> None:
        """The left value in R0, the right one in R2."""
        if spills >= _MAX_SPILLS:
            raise FilterError("arithmetic that nests too deeply", text=self._text, column=1)
        slot = f"*(u64 *)(r10 - {8 * (spills + 1)})"
        self._value(left, spills)
        self._emit(f"{slot} = r0")
        self._value(right, spills + 1)
        self._emit("w2 = w0", f"r0 = {slot}")

    def _value(self, value: Value, spills: int) -> None:
        """The value in R0, its upper half zero."""
        match value:
            case Number(number):
                self._emit(f"w0 = {_signed(number)}")
            case Length():
                self._emit("w0 = w9")
            case Binary(operator, left, Number(number)):
                self._value(left, spills)
                self._emit(f"w0 {operator}= {_signed(number)}")
            case Binary(operator, left, right):
                self._both(left, right, spills)
                if operator in {"/", "%"}:
                    self._emit("if w2 == 0 goto reject")
                self._emit(f"w0 {operator}= w2")
            case Field():
                self._field(value, spills)
            case _:
                assert_never(value)

    def _field(self, field: Field, spills: int) -> None:
        start = 0 if field.base is Base.LINK else 14 + 4 * field.vlans
        if field.base is not Base.TRANSPORT and isinstance(field.offset, Number):
            place = start + field.offset.value
            if place <= _MOST_OFFSET // 2:
                self._load("r6", place, field.size)
                return
        self._value(field.offset, spills)
        if field.base is Base.TRANSPORT:
            self._emit("r2 = r6", f"r2 += {start + 1}", "if r2 > r7 goto reject")
            self._emit(f"r1 = *(u8 *)(r6 + {start})", "w1 &= 15", "w1 <<= 2", "w0 += w1")
        self._emit(f"if r0 > {_MOST_OFFSET - start - 4} goto reject", "r3 = r6", "r3 += r0")
        self._load("r3", start, field.size)

    def _load(self, base: str, place: int, size: int) -> None:
        self._emit(f"r2 = {base}", f"r2 += {place + size}", "if r2 > r7 goto reject")
        self._emit(f"r0 = *({_SIZES[size]} *)({base} + {place})")
        if size > 1:
            self._emit(f"r0 = be{8 * size} r0")


def _signed(number: int) -> int:
    """A 32-bit number as the immediate that means it."""
    return number - (1 << 32) if number >> 31 else number
