"""C's types and declarations in one line of assembly text: ``const char *name[4] @tag("x")``.

The inverse of :mod:`beebox.obj.assembly.type_text`. Whole definitions, which take several lines,
are read by :mod:`beebox.obj.assembly.type_blocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from beebox.btf.types import Array, Func, FuncProto, Linkage, Modifier, Param, Ptr, Var
from beebox.isa.tokens import Statement, Token
from beebox.obj.assembly.layout import MAX_NESTING
from beebox.obj.assembly.type_table import Key, Notes, TypeTable
from beebox.obj.assembly.words import (
    ALIASES,
    ELEMENT_INDEX,
    INT_WORDS,
    KEYWORDS,
    MOST_U32,
    QUALIFIERS,
    STANDARD,
    TAGGED,
)

Step: TypeAlias = int | tuple[Param, ...] | list[Modifier]
"""What a declarator does to a type: an array's count, a function's parameters, a pointer."""


class Types:
    """Reads declarations; what they name is in :attr:`table`."""

    def __init__(self) -> None:
        self.table = TypeTable()

    def declaration(self, line: Statement) -> tuple[int, str]:
        """``const char *name[4]``: the type and the name, "" for none."""
        base, _ = self.specifiers(line, 0)
        return self.declarator(line, base, named=True)

    def type_name(self, line: Statement) -> int:
        """A type without a name to declare: ``struct flow *``."""
        base, _ = self.specifiers(line, 0)
        return self.declarator(line, base, named=False)[0]

    def prototype(self, line: Statement, linkage: Linkage) -> int:
        """``int f(void *ctx)``: the id of its FUNC."""
        base, _ = self.specifiers(line, 0)
        params: list[Notes] = []
        token = line.peek()
        declared, name = self.declarator(line, base, named=True, params=params)
        if not name or not isinstance(self.table.row(declared), FuncProto):
            line.fail("expected a prototype: `int name(void *ctx)`", token=token)
        function = self.table.add(Func(name, declared, linkage))
        for index, notes in enumerate(params):
            self.table.tag(function, notes, index)
        self.table.tag(function, self.notes(line))
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
        return self.table.new(Var(name, type_id, linkage)), type_id

    def specifiers(self, line: Statement, depth: int) -> tuple[int, Token]:
        """What stands in front of a declarator: qualifiers and a base type, and where that is."""
        qualifiers = self._qualifiers(line)
        first = line.peek()
        words: list[str] = []
        base: int | None = None
        while base is None and line.peek().kind == "name" and line.peek().text in INT_WORDS:
            words.append(line.take().text)
            qualifiers += self._qualifiers(line)
        if words:
            name = " ".join(words)
            name = name if self.table.is_declared(name) else ALIASES.get(name, name)
            if not self.table.is_declared(name) and name not in STANDARD:
                line.fail(f"no type `{name}`", token=first)
            base = self.table.reference(Key("", name, 1, first), line)
        elif first.kind == "name" and first.text in TAGGED:
            space = line.take().text
            base = self.table.reference(self.new_name(line, space), line)
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
            base = self.table.reference(self.new_name(line, ""), line)
        else:
            line.fail(f"expected a type, found `{first.text}`", token=first)
        qualifiers += self._qualifiers(line)
        return self._qualified(base, qualifiers), first

    def _nested_type(self, line: Statement, depth: int) -> int:
        if depth > MAX_NESTING:
            line.fail("types nest too deeply")
        base, _ = self.specifiers(line, depth + 1)
        return self.declarator(line, base, named=False, depth=depth + 1)[0]

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
            base = self.table.add(replace(qualifier, type=base))
        return base

    def declarator(
        self,
        line: Statement,
        base: int,
        *,
        named: bool,
        depth: int = 0,
        params: list[Notes] | None = None,
    ) -> tuple[int, str]:
        """What stands behind the specifiers: the type it makes of ``base``, and the name."""
        name, _, steps = self.steps(line, named=named, depth=depth, params=params)
        return self.derived(base, steps), name

    def derived(self, base: int, steps: list[Step]) -> int:
        """The type that ``steps`` make of ``base``."""
        for step in steps:
            match step:
                case int(count):
                    base = self.table.add(Array(base, self.table.add(ELEMENT_INDEX), count))
                case tuple():
                    base = self.table.add(FuncProto(base, step))
                case list():
                    base = self._qualified(self.table.add(Ptr(base)), step)
        return base

    def steps(
        self, line: Statement, *, named: bool, depth: int, params: list[Notes] | None = None
    ) -> tuple[str, int, list[Step]]:
        """The name, its number, and what makes its type of the base.

        ``params`` receives the notes of the parameters that stand right behind the name.
        """
        if depth > MAX_NESTING:
            line.fail("the declaration nests too deeply")
        pointers: list[Step] = []
        while line.accept("*"):
            pointers.append(self._qualifiers(line))
        name, number = "", 1
        inner: list[Step] = []
        if line.peek().text == "(" and line.peek(1).text in ("*", "("):
            line.take()
            name, number, inner = self.steps(line, named=named, depth=depth + 1, params=params)
            line.expect(")")
            params = None
        elif named and line.peek().kind in ("name", "string") and line.peek().text != "...":
            name = line.name()
            number = self.number(line)
        suffixes: list[Step] = []
        while line.peek().text in ("[", "(") and line.peek().kind == "punct":
            if line.take().text == "[":
                suffixes.append(0 if line.peek().text == "]" else bounded(line, MOST_U32))
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
            base, _ = self.specifiers(line, depth + 1)
            type_id, name = self.declarator(line, base, named=True, depth=depth + 1)
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
                values[token.text] = bounded(line, MOST_U32)
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

    def new_name(self, line: Statement, space: str) -> Key:
        """``name``, ``name@2`` or, of what has no name, ``@1``."""
        token = line.peek()
        name = line.name() if token.kind in ("name", "string") else ""
        if token.kind == "name" and (name in KEYWORDS or name in INT_WORDS):
            line.fail(f"`{name}` is no name for a type", token=token)
        return Key(space, name, self.number(line), token)

    def number(self, line: Statement) -> int:
        """``@2``: which of several types of one name."""
        if line.peek().text != "@" or line.peek(1).kind != "number":
            return 1
        line.take()
        return bounded(line, MOST_U32)


def bounded(line: Statement, most: int) -> int:
    """A number from 0 to ``most``."""
    token = line.peek()
    value = line.number()
    if not 0 <= value <= most:
        line.fail(f"{value} is not in [0, {most}]", token=token)
    return value
