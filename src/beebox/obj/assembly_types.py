"""C declarations in assembly text to BTF: the inverse of :mod:`beebox.obj.assembly_type_text`.

Names may be used before they are declared. A struct that is named and never defined is a forward
declaration, as in C. Derived types (pointers, arrays, prototypes) are one row however often they
are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError
from beebox.isa.tokens import Statement, Token
from beebox.obj.assembly_layout import MAX_NESTING, Layout, size_of
from beebox.obj.assembly_words import (
    ALIASES,
    ELEMENT_INDEX,
    INT_WORDS,
    KEYWORDS,
    QUALIFIERS,
    STANDARD,
    TAGGED,
    enum_shape,
)

_MOST_NUMBER: Final = (1 << 32) - 1
_Step: TypeAlias = int | tuple[Param, ...] | list[Modifier]
"""What a declarator does to a type: an array's count, a function's parameters, a pointer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name was used, for errors found later."""

    line: Statement
    token: Token


@dataclass(slots=True)
class _Pending:
    """A struct whose members have no offsets yet: None is for C's rules to say."""

    place: Place
    name: str
    union: bool
    packed: bool
    size: int | None
    members: list[tuple[str, int, int | None, int]]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Notes:
    """What stands behind an ``@`` after a declarator."""

    numbers: dict[str, int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    tags: tuple[tuple[str, bool], ...] = ()


class Types:
    """The types of one source under construction; ids are final from the first use on."""

    def __init__(self) -> None:
        self._rows: list[Type | None] = []
        self._ids: dict[Type, int] = {}
        self._named: dict[tuple[str, str, int], int] = {}
        self._uses: dict[int, tuple[_Key, Statement]] = {}  # of names that are not declared yet
        self._pending: dict[int, _Pending] = {}
        self._depth = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Type) -> int:
        """The id of ``row``, which is there once."""
        known = self._ids.get(row)
        if known is None:
            known = self._ids[row] = self._new(row)
        return known

    def _new(self, row: Type | None) -> int:
        self._rows.append(row)
        return len(self._rows)

    def row(self, type_id: int) -> Type | None:
        """The type as far as it is known; lays out the struct when its size is asked for."""
        if type_id in self._pending:
            self._lay_out(type_id)
        return self._rows[type_id - 1] if type_id else None

    def size(self, type_id: int, place: Place) -> int:
        """The bytes of a value of this type; refused at ``place`` where it has none."""
        try:
            return size_of(self.row, type_id)
        except BtfError as error:
            place.line.fail(str(error).removeprefix("BTF: "), token=place.token)

    def tag(self, type_id: int, notes: Notes, component: int = -1) -> None:
        """Keep the ``@tag``s of a declaration."""
        for name, attribute in notes.tags:
            self.add(DeclTag(name, type_id, component, attribute))

    def build(self) -> Btf | None:
        """All types, when there are any. Raises :exc:`AssemblyError` for undeclared names."""
        while self._pending:  # one that is laid out lays out those that it holds
            self._lay_out(next(iter(self._pending)))
        for type_id, (key, _) in self._uses.items():
            self._declared(type_id)
            self._rows[type_id - 1] = Fwd(key.name, union=key.space == "union")
        rows = tuple(row for row in self._rows if row is not None)
        return Btf(rows) if rows else None

    # Declarations

    def read(self, lines: Sequence[Statement]) -> None:
        """The statements of a ``.types`` block."""
        if not lines:
            return
        block = _Block(lines)
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
                    key = self._new_name(line, "")
                    size = self.notes(line, ("size",)).numbers.get("size", 0)
                    self._declare(key, Float(key.name, size), line)
                    block.end()
                case _:
                    hint = "struct, union, enum, typedef or integer; variables go in `.var`"
                    line.fail("expected a declaration of a type", token=first, hint=hint)

    def _tagged(self, block: _Block, line: Statement, *, declared: bool, depth: int = 0) -> int:
        """``struct NAME { ...``: the id; leaves the block behind the closing brace."""
        start = line.take()
        kind = start.text
        key = _Key(kind, "", 0, start)
        if line.peek().kind in ("name", "string") or line.peek(1).kind == "number":
            key = self._new_name(line, kind)
        tags = self.notes(
            line,
            ("size",),
            ("packed",) if kind != "enum" else ("signed", "unsigned", "enum32", "enum64"),
        )
        if not line.accept("{"):
            if not declared or not key.number:
                line.fail("expected `{`")
            return self._reference(key, line)
        if depth > MAX_NESTING:
            line.fail("structs nest too deeply", token=start)
        type_id = self._declare(key, None, line)
        self.tag(type_id, tags)
        if kind == "enum":
            self._rows[type_id - 1] = self._enum(block, key.name, tags)
            return type_id
        members: list[tuple[str, int, int | None, int]] = []
        self._pending[type_id] = pending = _Pending(
            Place(line, start),
            key.name,
            kind == "union",
            "packed" in tags.words,
            tags.numbers.get("size"),
            members,
        )
        for inner in block.members():
            self._member(block, inner, type_id, pending, depth)
        return type_id

    def _member(
        self, block: _Block, line: Statement, struct: int, pending: _Pending, depth: int
    ) -> None:
        first = line.peek()
        if _opens(line):
            member_type = self._tagged(block, line, declared=False, depth=depth + 1)
            line = block.current
            member_type, name = self._declarator(line, member_type, named=True)
        else:
            member_type, name = self.declaration(line)
        width = 0
        if line.accept(":"):
            width = _bounded(line, 255)
        notes = self.notes(line, ("at", "bit"))
        self.tag(struct, notes, len(pending.members))
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
            target, _ = self._specifiers(line, 0)
        token = line.peek()
        name, number, steps = self._steps(line, named=True, depth=0)
        if not name:
            line.fail("a typedef needs a name", token=token)
        key = _Key("", name, number, token)
        type_id = self._declare(key, Typedef(name, self._derived(target, steps)), line)
        self.tag(type_id, self.notes(line))
        block.end()

    def _integer(self, line: Statement) -> None:
        line.take()
        key = self._new_name(line, "")
        notes = self.notes(line, ("size", "bits", "offset"), ("signed", "char", "bool"))
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
        self._declare(key, row, line)

    def _new_name(self, line: Statement, space: str) -> _Key:
        token = line.peek()
        name = line.name() if token.kind in ("name", "string") else ""
        if token.kind == "name" and (name in KEYWORDS or name in INT_WORDS):
            line.fail(f"`{name}` is no name for a type", token=token)
        return _Key(space, name, self._number(line), token)

    def _number(self, line: Statement) -> int:
        """``@2``: which of several types of one name."""
        if line.peek().text != "@" or line.peek(1).kind != "number":
            return 1
        line.take()
        return _bounded(line, _MOST_NUMBER)

    def _declare(self, key: _Key, row: Type | None, line: Statement) -> int:
        if not key.name and not key.number:
            return self._new(row)
        known = self._named.get(key.identity)
        if known is not None and known not in self._uses:
            hint = f"a second one is `{key.name}@2`"
            line.fail(f"a second type `{key.name}`", token=key.token, hint=hint)
        if known is None:
            known = self._named[key.identity] = self._new(row)
        self._uses.pop(known, None)
        self._rows[known - 1] = row
        return known

    def _reference(self, key: _Key, line: Statement) -> int:
        known = self._named.get(key.identity)
        if known is None:
            standard = STANDARD.get(key.name)
            if not key.space and key.number == 1 and standard is not None:
                return self.add(standard)
            known = self._named[key.identity] = self._new(None)
            self._uses[known] = (key, line)
        return known

    def _declared(self, type_id: int) -> None:
        """Refuse a name that nothing declares, of a kind that has no forward declaration."""
        for _ in range(MAX_NESTING):
            if type_id in self._uses:
                key, line = self._uses[type_id]
                if key.space in ("", "enum"):
                    line.fail(f"no type `{f'{key.space} {key.name}'.strip()}`", token=key.token)
            match self._rows[type_id - 1] if type_id else None:
                case Array(target) | Typedef(_, target) | Modifier(_, target):
                    type_id = target
                case _:
                    return

    def _lay_out(self, type_id: int) -> None:
        pending = self._pending[type_id]
        if pending.busy:
            place = pending.place
            place.line.fail(f"struct `{pending.name}` holds itself", token=place.token)
        if self._depth > MAX_NESTING:
            pending.place.line.fail("structs nest too deeply", token=pending.place.token)
        pending.busy = True
        self._depth += 1
        layout = Layout(self.row, pending.union, pending.packed)
        members: list[Member] = []
        sized = True
        for name, member_type, said, width in pending.members:
            try:
                at = layout.next(member_type, width) if said is None else said
                members.append(Member(name, member_type, at, width))
                if sized:
                    layout.place(members[-1])
            except BtfError as error:
                sized = False
                self._declared(member_type)
                if said is None:
                    problem = f"member `{name}`: {str(error).removeprefix('BTF: ')}"
                    pending.place.line.fail(problem, token=pending.place.token)
        size = pending.size if pending.size is not None else layout.size
        if size > _MOST_NUMBER or any(row.bit_offset > _MOST_NUMBER for row in members):
            pending.place.line.fail("a struct of more than 4 GiB", token=pending.place.token)
        del self._pending[type_id]
        self._depth -= 1
        self._rows[type_id - 1] = Struct(pending.name, size, tuple(members), union=pending.union)

    # Types in declarations

    def declaration(self, line: Statement) -> tuple[int, str]:
        """``const char *name[4]``: the type and the name, "" for none."""
        base, _ = self._specifiers(line, 0)
        return self._declarator(line, base, named=True)

    def type_name(self, line: Statement) -> int:
        """A type without a name to declare: ``struct flow *``."""
        base, _ = self._specifiers(line, 0)
        return self._declarator(line, base, named=False)[0]

    def function_name(self, type_id: int) -> str:
        """The name of a FUNC."""
        row = self.row(type_id)
        return row.name if isinstance(row, Func) else ""

    def prototype(self, line: Statement, linkage: Linkage) -> int:
        """``int f(void *ctx)``: the id of its FUNC."""
        base, _ = self._specifiers(line, 0)
        params: list[Notes] = []
        token = line.peek()
        declared, name = self._declarator(line, base, named=True, params=params)
        if not name or not isinstance(self.row(declared), FuncProto):
            line.fail("expected a prototype: `int name(void *ctx)`", token=token)
        function = self.add(Func(name, declared, linkage))
        for index, notes in enumerate(params):
            self.tag(function, notes, index)
        self.tag(function, self.notes(line))
        return function

    def variable(self, line: Statement) -> tuple[int, int]:
        """``static int hits``: the ids of its VAR and of its type."""
        linkage = Linkage.GLOBAL
        for word, found in (("static", Linkage.STATIC), ("extern", Linkage.EXTERN)):
            if line.accept(word):
                linkage = found
        token = line.peek()
        type_id, name = self.declaration(line)
        if not name:
            line.fail("a variable needs a name", token=token)
        return self._new(Var(name, type_id, linkage)), type_id

    def _specifiers(self, line: Statement, depth: int) -> tuple[int, Token]:
        qualifiers = self._qualifiers(line)
        first = line.peek()
        words: list[str] = []
        base: int | None = None
        while base is None and line.peek().kind == "name" and line.peek().text in INT_WORDS:
            words.append(line.take().text)
            qualifiers += self._qualifiers(line)
        if words:
            name = " ".join(words)
            name = name if ("", name, 1) in self._named else ALIASES.get(name, name)
            if ("", name, 1) not in self._named and name not in STANDARD:
                line.fail(f"no type `{name}`", token=first)
            base = self._reference(_Key("", name, 1, first), line)
        elif first.kind == "name" and first.text in TAGGED:
            space = line.take().text
            base = self._reference(self._new_name(line, space), line)
        elif first.kind == "name" and first.text == "void":
            line.take()
            base = 0
        elif first.kind == "name" and first.text == "typeof":
            line.take()
            line.expect("(")
            base = self._nested_type(line, depth)
            line.expect(")")
        elif first.kind in ("name", "string") and (
            first.kind == "string" or first.text not in KEYWORDS
        ):
            base = self._reference(self._new_name(line, ""), line)
        else:
            line.fail(f"expected a type, found `{first.text}`", token=first)
        qualifiers += self._qualifiers(line)
        return self._qualified(base, qualifiers), first

    def _nested_type(self, line: Statement, depth: int) -> int:
        if depth > MAX_NESTING:
            line.fail("types nest too deeply")
        base, _ = self._specifiers(line, depth + 1)
        return self._declarator(line, base, named=False, depth=depth + 1)[0]

    def _qualifiers(self, line: Statement) -> list[Modifier]:
        found: list[Modifier] = []
        while True:
            token = line.peek()
            if token.kind == "name" and token.text in QUALIFIERS:
                line.take()
                found.append(Modifier(token.text, 0))
            elif token.text == "@" and line.peek(1).text in ("type_tag", "type_attribute"):
                line.take()
                attribute = line.take().text == "type_attribute"
                line.expect("(")
                found.append(Modifier("type_tag", 0, line.name(), attribute=attribute))
                line.expect(")")
            else:
                return found

    def _qualified(self, base: int, qualifiers: list[Modifier]) -> int:
        for qualifier in reversed(qualifiers):
            base = self.add(replace(qualifier, type=base))
        return base

    def _declarator(
        self,
        line: Statement,
        base: int,
        *,
        named: bool,
        depth: int = 0,
        params: list[Notes] | None = None,
    ) -> tuple[int, str]:
        name, _, steps = self._steps(line, named=named, depth=depth, params=params)
        return self._derived(base, steps), name

    def _derived(self, base: int, steps: list[_Step]) -> int:
        for step in steps:
            match step:
                case int(count):
                    base = self.add(Array(base, self.add(ELEMENT_INDEX), count))
                case tuple():
                    base = self.add(FuncProto(base, step))
                case list():
                    base = self._qualified(self.add(Ptr(base)), step)
        return base

    def _steps(
        self, line: Statement, *, named: bool, depth: int, params: list[Notes] | None = None
    ) -> tuple[str, int, list[_Step]]:
        """The name, its number, and what makes its type of the base.

        ``params`` receives the notes of the parameters that stand right behind the name.
        """
        if depth > MAX_NESTING:
            line.fail("the declaration nests too deeply")
        pointers: list[_Step] = []
        while line.accept("*"):
            pointers.append(self._qualifiers(line))
        name, number = "", 1
        inner: list[_Step] = []
        if line.peek().text == "(" and line.peek(1).text in ("*", "("):
            line.take()
            name, number, inner = self._steps(line, named=named, depth=depth + 1, params=params)
            line.expect(")")
            params = None
        elif named and line.peek().kind in ("name", "string") and line.peek().text != "...":
            name = line.name()
            number = self._number(line)
        suffixes: list[_Step] = []
        while line.peek().text in ("[", "(") and line.peek().kind == "punct":
            if line.take().text == "[":
                suffixes.append(0 if line.peek().text == "]" else _bounded(line, _MOST_NUMBER))
                line.expect("]")
            else:
                suffixes.append(self._parameters(line, depth, params))
                params = None
        return name, number, [*pointers, *reversed(suffixes), *inner]

    def _parameters(
        self, line: Statement, depth: int, notes: list[Notes] | None
    ) -> tuple[Param, ...]:
        if line.peek().text == "void" and line.peek(1).text == ")":
            line.take()
        if line.accept(")"):
            return ()
        found: list[Param] = []
        while True:
            if line.accept("..."):
                found.append(Param("", 0))
                line.expect(")")
                return tuple(found)
            base, _ = self._specifiers(line, depth + 1)
            type_id, name = self._declarator(line, base, named=True, depth=depth + 1)
            found.append(Param(name, type_id))
            of_this = self.notes(line)
            if notes is not None:
                notes.append(of_this)
            if line.accept(")"):
                return tuple(found)
            line.expect(",")

    def notes(
        self, line: Statement, numbers: Sequence[str] = (), words: Sequence[str] = ()
    ) -> Notes:
        """Every ``@word``, ``@word(number)`` and ``@tag("text")`` that stands here."""
        values: dict[str, int] = {}
        found: set[str] = set()
        tags: list[tuple[str, bool]] = []
        while line.peek().text == "@" and line.peek().kind == "punct":
            line.take()
            token = line.take()
            if token.text in numbers and token.text not in values:
                line.expect("(")
                values[token.text] = _bounded(line, _MOST_NUMBER)
                line.expect(")")
            elif token.text in words:
                found.add(token.text)
            elif token.text in ("tag", "attribute"):
                line.expect("(")
                tags.append((line.name(), token.text == "attribute"))
                line.expect(")")
            else:
                known = ", ".join(f"@{word}" for word in (*numbers, *words, "tag"))
                line.fail(f"no `@{token.text}` here", token=token, hint=known)
        return Notes(values, frozenset(found), tuple(tags))


@dataclass(frozen=True, slots=True)
class _Key:
    """A type's name: the space of ``struct``, ``union``, ``enum`` or "", and which one it is."""

    space: str
    name: str
    number: int
    token: Token

    @property
    def identity(self) -> tuple[str, str, int]:
        return self.space, self.name, self.number


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


def _bounded(line: Statement, most: int) -> int:
    token = line.peek()
    value = line.number()
    if not 0 <= value <= most:
        line.fail(f"{value} is not in [0, {most}]", token=token)
    return value
