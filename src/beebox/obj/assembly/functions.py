"""A function in assembly text: its lines to a :class:`FunctionSpec`.

Between instructions stand ``.loc`` (a source place from here on), ``.let`` and ``.unlet`` (a
source variable's home from here to there); behind an instruction, ``@core(...)``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from beebox.isa.assembler import Placed, assemble_lines
from beebox.isa.instruction import Reg, slot_count
from beebox.isa.operands import take_offset, take_wide_register
from beebox.isa.tokens import Statement
from beebox.obj.assembly.types import Types
from beebox.obj.model import CoreRelocation, LineInfo, VarRange
from beebox.tables.core_relocations import CoreKind

MARKS: Final = (".loc", ".let", ".unlet")
_KINDS: Final = {kind.name.lower(): kind for kind in CoreKind}
_MOST_NUMBER: Final = (1 << 32) - 1


@dataclass(slots=True)
class Function:
    """A function's lines so far."""

    name: str
    section: str
    start: Statement
    proto: Statement | None = None
    lines: list[Statement] = field(default_factory=list)
    marks: list[tuple[int, Statement]] = field(default_factory=list)  # in front of which insn
    core: list[tuple[int, Statement]] = field(default_factory=list)  # of which insn
    count: int = 0

    def mark(self, line: Statement) -> None:
        """Keep a line that says something of the place it stands at."""
        self.marks.append((self.count, line))

    def add(self, line: Statement) -> None:
        """Keep a line with a label, an instruction or both."""
        at = next((at for at, token in enumerate(line.tokens) if _is_note(line, at)), None)
        has_code = not (len(line.tokens) == 2 and line.tokens[1].text == ":") and at != 0
        if at is not None:
            note = Statement(line.file, line.line, line.source, line.tokens[at:])
            line = Statement(line.file, line.line, line.source, line.tokens[:at], line.at)
            if not has_code or line.tokens[-1].text == ":":
                note.fail("it stands behind an instruction")
            self.core.append((self.count, note))
        self.lines.append(line)
        self.count += has_code


def _is_note(line: Statement, at: int) -> bool:
    token = line.tokens[at]
    return token.kind == "punct" and token.text == "@"


@dataclass(frozen=True, slots=True)
class Body:
    """What the lines of a function say."""

    placed: tuple[Placed, ...]
    lines: tuple[LineInfo, ...]
    variables: tuple[VarRange, ...]
    core: tuple[CoreRelocation, ...]


def body_of(function: Function, names: frozenset[str], types: Types) -> Body:
    """The instructions of ``function`` and what stands beside them."""
    placed = assemble_lines(function.lines, functions=names)
    if not placed:
        function.start.fail(f"function `{function.name}` is empty", token=function.start.tokens[0])
    end = placed[-1].pc + slot_count(placed[-1].insn)
    pcs = [item.pc for item in placed] + [end]
    lines = tuple(_own_line(item) for item in placed)
    if given := [info for info in _places(function.marks, pcs).values() if info.pc < end]:
        lines = tuple(given)
    return Body(
        placed,
        lines,
        _variables(function.marks, pcs, end),
        tuple(_core(line, pcs[at], types) for at, line in function.core),
    )


def _own_line(item: Placed) -> LineInfo:
    line = item.line
    return LineInfo(item.pc, line.file, line.line, line.tokens[0].column, line.source.strip())


def _places(marks: Sequence[tuple[int, Statement]], pcs: Sequence[int]) -> dict[int, LineInfo]:
    """``.loc "file" 12 5 "text"`` by pc; without a file it is the one before."""
    found: dict[int, LineInfo] = {}
    file = ""
    for at, line in marks:
        if line.peek().text != ".loc":
            continue
        line.take()
        token = line.peek()
        if token.kind == "string":
            file = line.name()
        elif not found:
            line.fail("the first `.loc` of a function names its file", token=token)
        numbers = [_number(line), _number(line)]
        text = line.name() if line.peek().kind == "string" else ""
        line.end()
        found[pcs[at]] = LineInfo(pcs[at], file, numbers[0], numbers[1], text)
    return found


def _number(line: Statement) -> int:
    token = line.peek()
    number = line.number()
    if not 0 <= number <= _MOST_NUMBER:
        line.fail(f"{number} does not fit 32 bits", token=token)
    return number


def _variables(
    marks: Sequence[tuple[int, Statement]], pcs: Sequence[int], end: int
) -> tuple[VarRange, ...]:
    """The ranges between ``.let`` and ``.unlet``, or the end."""
    found: list[VarRange] = []
    opened: dict[tuple[str, int | None, int | None], deque[int]] = {}
    for at, line in marks:
        if line.peek().text == ".loc" or line.at:
            continue
        word = line.take().text
        token = line.peek()
        name = line.name()
        line.expect("=")
        base = take_wide_register(line)
        offset = take_offset(line, 16) if line.peek().text in ("+", "-") else None
        if offset is not None and (base is not Reg.R10 or offset >= 0):
            line.fail("a variable is in a register or at `r10 - N`", token=token)
        line.end()
        place = (name, None if offset is not None else int(base), offset)
        if word == ".let":
            opened.setdefault(place, deque()).append(len(found))
            found.append(VarRange(pcs[at], end, name, *place[1:]))
        elif opened.get(place):
            index = opened[place].popleft()
            found[index] = VarRange(found[index].start, pcs[at], name, *place[1:])
        else:
            line.fail(f"no `.let {name}` is open here", token=token)
    return tuple(row for row in found if row.start < row.end)


def _core(line: Statement, pc: int, types: Types) -> CoreRelocation:
    """``@core(field_byte_offset, struct sk_buff, "0:1")``."""
    line.expect("@")
    line.expect("core")
    line.expect("(")
    token = line.peek()
    kind = _KINDS.get(line.take().text)
    if kind is None:
        line.fail(f"no kind `{token.text}`", token=token, hint=", ".join(_KINDS))
    line.expect(",")
    type_id = types.type_name(line)
    line.expect(",")
    access = line.name()
    line.expect(")")
    line.end()
    return CoreRelocation(pc, kind, type_id, access)
