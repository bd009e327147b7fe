"""``.types`` blocks of assembly text: structs, unions, enums, typedefs, integers.

One declaration or member per line; names may be used before they are declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beebox.btf.types import Enum, Float, Int, Typedef
from beebox.isa.tokens import Statement
from beebox.obj.assembly.layout import MAX_NESTING
from beebox.obj.assembly.type_table import Key, Notes, Pending, Place
from beebox.obj.assembly.types import Types, bounded
from beebox.obj.assembly.words import TAGGED, enum_shape


def read_types(types: Types, lines: Sequence[Statement]) -> None:
    """The statements of all ``.types`` blocks. Raises :exc:`AssemblyError`."""
    if lines:
        _Reader(types).read(_Block(lines))


class _Reader:
    def __init__(self, types: Types) -> None:
        self._types = types

    def read(self, block: _Block) -> None:
        while block.more():
            line = block.line()
            first = line.peek()
            match first.text if first.kind == "name" else "":
                case "struct" | "union" | "enum":
                    self._tagged(block, line, declared=True)
                    block.end()
                case "typedef":
                    self._typedef(block, line)
                case "integer":
                    self._integer(line)
                    block.end()
                case "float":
                    line.take()
                    key = self._types.new_name(line, "")
                    size = self._types.notes(line, ("size",)).numbers.get("size", 0)
                    self._types.table.declare(key, Float(key.name, size), line)
                    block.end()
                case _:
                    hint = "struct, union, enum, typedef or integer; variables go in `.var`"
                    line.fail("expected a declaration of a type", token=first, hint=hint)

    def _tagged(self, block: _Block, line: Statement, *, declared: bool, depth: int = 0) -> int:
        """``struct NAME { ...``: the id; leaves the block behind the closing brace."""
        start = line.take()
        kind = start.text
        key = Key(kind, "", 0, start)
        if line.peek().kind in ("name", "string") or line.peek(1).kind == "number":
            key = self._types.new_name(line, kind)
        tags = self._types.notes(
            line,
            ("size",),
            ("packed",) if kind != "enum" else ("signed", "unsigned", "enum32", "enum64"),
        )
        if not line.accept("{"):
            if not declared or not key.number:
                line.fail("expected `{`")
            return self._types.table.reference(key, line)
        if depth > MAX_NESTING:
            line.fail("structs nest too deeply", token=start)
        type_id = self._types.table.declare(key, None, line)
        self._types.table.tag(type_id, tags)
        if kind == "enum":
            self._types.table.define(type_id, self._enum(block, key.name, tags))
            return type_id
        members: list[tuple[str, int, int | None, int]] = []
        pending = Pending(
            Place(line, start),
            key.name,
            kind == "union",
            "packed" in tags.words,
            tags.numbers.get("size"),
            members,
        )
        self._types.table.define(type_id, pending)
        for inner in block.members():
            self._member(block, inner, type_id, pending, depth)
        return type_id

    def _member(
        self, block: _Block, line: Statement, struct: int, pending: Pending, depth: int
    ) -> None:
        first = line.peek()
        if _opens(line):
            member_type = self._tagged(block, line, declared=False, depth=depth + 1)
            line = block.current
            member_type, name = self._types.declarator(line, member_type, named=True)
        else:
            member_type, name = self._types.declaration(line)
        width = 0
        if line.accept(":"):
            width = bounded(line, 255)
        notes = self._types.notes(line, ("at", "bit"))
        self._types.table.tag(struct, notes, len(pending.members))
        at, bit = notes.numbers.get("at"), notes.numbers.get("bit")
        if at is not None and bit is not None:
            line.fail("either `@at` or `@bit`", token=first)
        pending.members.append((name, member_type, 8 * at if at is not None else bit, width))
        block.end()

    def _enum(self, block: _Block, name: str, notes: Notes) -> Enum:
        values: list[tuple[str, int]] = []
        expected = 0
        for line in block.members():
            while True:
                label = line.name()
                if line.accept("="):
                    token = line.peek()
                    expected = line.number()
                    if not -(1 << 63) <= expected < 1 << 64:
                        line.fail("a number of more than 64 bits", token=token)
                values.append((label, expected))
                expected += 1
                if not line.accept(",") or line.peek().kind == "end of line":
                    break
            block.end()
        usual, negative = enum_shape(value for _, value in values)
        size = notes.numbers.get("size", usual)
        signed = "signed" in notes.words or (negative and "unsigned" not in notes.words)
        is64 = "enum64" in notes.words or (size == 8 and "enum32" not in notes.words)
        low, high = (-(1 << 31), 1 << 31) if signed else (0, 1 << 32)
        if is64:
            low, high = low << 32, high << 32
        for label, value in values:
            if not low <= value < high:
                block.current.fail(f"{label} is {value}, not in [{low}, {high - 1}]")
        return Enum(name, size, tuple(values), signed=signed, is64=is64)

    def _typedef(self, block: _Block, line: Statement) -> None:
        line.take()
        if _opens(line):
            target = self._tagged(block, line, declared=False)
            line = block.current
        else:
            target, _ = self._types.specifiers(line, 0)
        token = line.peek()
        name, number, steps = self._types.steps(line, named=True, depth=0)
        if not name:
            line.fail("a typedef needs a name", token=token)
        key = Key("", name, number, token)
        type_id = self._types.table.declare(
            key, Typedef(name, self._types.derived(target, steps)), line
        )
        self._types.table.tag(type_id, self._types.notes(line))
        block.end()

    def _integer(self, line: Statement) -> None:
        line.take()
        key = self._types.new_name(line, "")
        notes = self._types.notes(line, ("size", "bits", "offset"), ("signed", "char", "bool"))
        size = notes.numbers.get("size", 4)
        row = Int(
            key.name,
            size,
            notes.numbers.get("bits", 8 * size),
            signed="signed" in notes.words,
            char="char" in notes.words,
            boolean="bool" in notes.words,
            offset=notes.numbers.get("offset", 0),
        )
        self._types.table.declare(key, row, line)


class _Block:
    """The lines of a ``.types`` block, one after the other."""

    def __init__(self, lines: Sequence[Statement]) -> None:
        self._lines = lines
        self._at = 0
        self.current = lines[0]

    def more(self) -> bool:
        return self._at < len(self._lines)

    def line(self) -> Statement:
        self.current = self._lines[self._at]
        self._at += 1
        _whole(self.current)
        return self.current

    def end(self) -> None:
        self.current.end()

    def members(self) -> Iterator[Statement]:
        """The lines up to the closing brace, which is taken."""
        self.current.end()
        opened = self.current
        while self.more():
            line = self.line()
            if line.accept("}"):
                return
            yield line
        opened.fail("a `{` without its `}`", token=opened.tokens[-1])


def _whole(line: Statement) -> None:
    """Refuse code behind a ``;``: it would be a comment here, and lost."""
    last = line.tokens[-1]
    rest = line.source[last.column - 1 + len(last.text) :].strip()
    if rest.startswith(";"):
        rest = rest[1:].strip()
        if rest and not rest.startswith((";", "//", "#", "/*")):
            hint = "one declaration or member per line; comments start with //"
            line.fail(f"`{rest[:20]}` behind a `;`", hint=hint, token=last)


def _opens(line: Statement) -> bool:
    """Whether a definition starts here rather than a use of a struct."""
    return (
        line.peek().kind == "name"
        and line.peek().text in TAGGED
        and line.tokens[-1].text == "{"
        and line.tokens[-1].kind == "punct"
    )
