"""BTF as C declarations in assembly text: what :mod:`beebox.obj.assembly.types` reads back.

One declaration or member per line. What C cannot say stands behind an ``@``: ``@at(12)``,
``@size(64)``, ``@packed``, ``@tag("arg:ctx")``; ``struct flow@2`` is the second type of that name,
``struct @1`` one without a name that several places use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from beebox.btf.decode import references
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
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
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError
from beebox.isa.disassembler import name_text, string_text
from beebox.obj.assembly.layout import Layout, Measures, is_packed
from beebox.obj.assembly.words import INT_WORDS, KEYWORDS, STANDARD, enum_shape

_MOST_STEPS: Final = 1 << 20
_MOST_NESTING: Final = 48
_INDENT: Final = "    "


def quoted(name: str) -> str:
    """``name`` as a declaration can hold it."""
    plain = name not in KEYWORDS and name not in INT_WORDS and not name.startswith(".")
    return name_text(name) if plain else string_text(name)


class TypeText:
    """The declarations of one table; raises :exc:`BtfError` for what no text can hold."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._steps = 0
        self.measures = Measures(btf.type)
        self._numbers: dict[int, str] = {}  # "@2" behind names that are not unique
        self._uses: dict[int, int] = {}
        self._tags: dict[tuple[int, int], list[DeclTag]] = {}
        self.used: set[int] = set()  # what declarations name so far
        self._inline: set[int] = set()
        self._name_all()

    def _name_all(self) -> None:
        count: dict[tuple[str, str], int] = {}
        forwards: list[tuple[int, Fwd]] = []
        for type_id, row in self._btf.items():
            for target in references(row):
                self._uses[target] = self._uses.get(target, 0) + 1
            match row:
                case Fwd():
                    forwards.append((type_id, row))
                case Int() | Float() if STANDARD.get(row.name) == row:
                    self._numbers[type_id] = ""
                case Struct() | Enum() | Int() | Float() | Typedef():
                    self._number(type_id, _space(row), row.name, count)
                case DeclTag():
                    self._tags.setdefault((row.type, row.component), []).append(row)
                case _:
                    pass
        for type_id, forward in forwards:  # behind the definitions, which plain names mean
            self._number(type_id, _space(forward), forward.name, count)

    def _number(
        self, type_id: int, space: str, name: str, count: dict[tuple[str, str], int]
    ) -> None:
        taken = 1 if not space and name in STANDARD else 0
        number = count[space, name] = count.get((space, name), taken) + 1
        self._numbers[type_id] = f"@{number}" if number > 1 or not name else ""

    def rows(self, roots: Iterable[int]) -> list[str]:
        """The lines that declare all that ``roots`` and the declarations so far need."""
        direct = set(self.used)
        wanted = self.reached([*roots, *direct])
        ids = [
            type_id
            for type_id, row in self._btf.items()
            if isinstance(row, Struct | Enum | Int | Float | Typedef | Fwd) and type_id in wanted
        ]
        self._inline = self._inlined(ids) - direct
        out: list[str] = []
        for type_id in ids:
            if type_id not in self._inline:
                out += self._declared(type_id)
        return out

    def reached(self, roots: Iterable[int]) -> set[int]:
        """The ids of ``roots`` and of everything behind them."""
        found: set[int] = set()
        queue = [type_id for type_id in roots if type_id]
        while queue:
            type_id = queue.pop()
            row = self._btf.type(type_id)
            if type_id in found or row is None:
                continue
            found.add(type_id)
            queue += [target for target in references(row) if target]
        return found

    def _inlined(self, ids: Iterable[int]) -> set[int]:
        """Types without a name that one member or typedef alone uses: written in its place."""
        found: set[int] = set()
        for type_id in ids:
            row = self._btf.type(type_id)
            targets: tuple[int, ...] = ()
            match row:
                case Struct():
                    targets = tuple(member.type for member in row.members)
                case Typedef():
                    targets = (row.type,)
                case _:
                    pass
            found |= {
                target
                for target in targets
                if self._uses[target] == 1
                and isinstance(held := self._btf.type(target), Struct | Enum)
                and not held.name
                and not (isinstance(held, Struct) and self._too_deep(held, 0))
            }
        return found

    def _too_deep(self, row: Struct, depth: int) -> bool:
        if depth > _MOST_NESTING:
            return True
        inner = [self._btf.type(member.type) for member in row.members]
        return any(
            self._too_deep(held, depth + 1)
            for held in inner
            if isinstance(held, Struct) and not held.name and not self._spend()
        )

    def _spend(self) -> bool:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise BtfError("the types are too many to write")
        return False

    def _declared(self, type_id: int) -> list[str]:
        row = self._btf.type(type_id)
        match row:
            case Struct() | Enum():
                return [*(lines := self._body(type_id, row, ""))[:-1], f"{lines[-1]};"]
            case Fwd():
                # A forward declaration comes from its uses, unless it has none or is numbered.
                return [] if self._uses.get(type_id) else [f"{self._tagged(type_id, row)};"]
            case Typedef():
                target = self._btf.type(row.type)
                tags = self._tags_of(type_id)
                name = quoted(row.name) + self._numbers[type_id]
                if row.type in self._inline and isinstance(target, Struct | Enum):
                    lines = self._body(row.type, target, "")
                    return [f"typedef {lines[0]}", *lines[1:-1], f"}} {name}{tags};"]
                return [f"typedef {self.declaration(row.type, name)}{tags};"]
            case Int():
                return [] if self._is_standard(type_id, row) else [self._integer(type_id, row)]
            case Float():
                if self._is_standard(type_id, row):
                    return []
                return [f"float {quoted(row.name)}{self._numbers[type_id]} @size({row.size});"]
            case _:
                return []

    def _is_standard(self, type_id: int, row: Int | Float) -> bool:
        return not self._numbers[type_id] and STANDARD.get(row.name) == row

    def _integer(self, type_id: int, row: Int) -> str:
        parts = [f"integer {quoted(row.name)}{self._numbers[type_id]} @size({row.size})"]
        parts += [f"@bits({row.bits})"] if row.bits != 8 * row.size else []
        parts += [f"@offset({row.offset})"] if row.offset else []
        parts += ["@signed"] if row.signed else []
        parts += ["@char"] if row.char else []
        parts += ["@bool"] if row.boolean else []
        return " ".join(parts) + ";"

    def _body(self, type_id: int, row: Struct | Enum, indent: str) -> list[str]:
        """A struct, union or enum from its head to the closing brace."""
        head = row_kind(row)
        if type_id not in self._inline:
            head = self._tagged(type_id, row)
        tags = self._tags_of(type_id)
        if isinstance(row, Enum):
            return [
                f"{indent}{head}{_enum_size(row)}{tags} {{",
                *_values(row, indent),
                indent + "}",
            ]
        natural = self.measures.are_sized(row.members)
        packed = natural and is_packed(self.measures, row)
        layout = Layout(self.measures, row.union, packed)
        lines: list[str] = []
        for index, member in enumerate(row.members):
            expected = layout.next(member.type, member.bitfield_size) if natural else -1
            lines += self._member(type_id, index, member, expected, indent + _INDENT)
            if natural:
                layout.place(member)
        notes = " @packed" if packed else ""
        notes += f" @size({row.size})" if not natural or layout.size != row.size else ""
        return [f"{indent}{head}{notes}{tags} {{", *lines, indent + "}"]

    def _member(
        self, struct: int, index: int, member: Member, expected: int, indent: str
    ) -> list[str]:
        notes = f" : {member.bitfield_size}" if member.bitfield_size else ""
        if member.bit_offset != expected:
            at, bit = divmod(member.bit_offset, 8)
            notes += f" @bit({member.bit_offset})" if bit else f" @at({at})"
        notes += self._tags_of(struct, index)
        held = self._btf.type(member.type)
        name = quoted(member.name) if member.name else ""
        if member.type in self._inline and isinstance(held, Struct | Enum):
            lines = self._body(member.type, held, indent)
            return [*lines[:-1], f"{lines[-1]} {name}".rstrip() + f"{notes};"]
        return [f"{indent}{self.declaration(member.type, name)}{notes};"]

    def _tags_of(self, type_id: int, component: int = -1) -> str:
        return "".join(
            f" @{'attribute' if tag.attribute else 'tag'}({string_text(tag.name)})"
            for tag in self._tags.get((type_id, component), ())
        )

    def _tagged(self, type_id: int, row: Struct | Enum | Fwd) -> str:
        name = quoted(row.name) if row.name else ""
        number = self._numbers[type_id]
        return f"{row_kind(row)} {name}{number}"

    def declaration(self, type_id: int, name: str = "", depth: int = 0) -> str:
        """``name`` (already quoted) declared as this type; without one, the type itself."""
        inner = name
        pointer = False
        if depth > _MOST_NESTING:
            raise BtfError("the type nests too deeply to write", type_id=type_id)
        for _ in range(_MOST_NESTING):
            self._spend()
            qualifiers, target, row = self._unqualified(type_id)
            match row:
                case Ptr(pointee):
                    gap = " " if qualifiers and inner[:1] not in ("", "*") else ""
                    inner = f"*{qualifiers}{gap}{inner}"
                    pointer = True
                    type_id = pointee
                case Array() | FuncProto() if qualifiers:
                    held = self.declaration(target, depth=depth + 1)
                    return f"{qualifiers} typeof({held}) {inner}".rstrip()
                case Array(element, _, count):
                    inner = f"({inner})" if pointer else inner
                    inner += f"[{count}]"
                    pointer = False
                    type_id = element
                case FuncProto():
                    inner = f"({inner})" if pointer else inner
                    inner += self.parameters(row, depth=depth + 1)
                    pointer = False
                    type_id = row.type
                case _:
                    base = " ".join(part for part in (qualifiers, self._base(target, row)) if part)
                    gap = "" if inner[:1] in ("", "[") else " "
                    return f"{base}{gap}{inner}"
        raise BtfError("the type nests too deeply to write", type_id=type_id)

    def parameters(self, row: FuncProto, function: int = 0, depth: int = 0) -> str:
        """``(int a, char *b)``; ``function`` is the FUNC whose tags they carry."""
        shown: list[str] = []
        for index, param in enumerate(row.params):
            if not param.type and not param.name and index == len(row.params) - 1:
                shown.append("...")
                continue
            name = quoted(param.name) if param.name else ""
            tags = self._tags_of(function, index) if function else ""
            shown.append(self.declaration(param.type, name, depth) + tags)
        return f"({', '.join(shown) or 'void'})"

    def prototype(self, type_id: int) -> str:
        """The declaration of a FUNC, with the tags of it and its parameters."""
        row = self._btf.type(type_id)
        proto = self._btf.type(row.type) if isinstance(row, Func) else None
        if not isinstance(row, Func) or not isinstance(proto, FuncProto):
            raise BtfError("no function with a prototype", type_id=type_id)
        declarator = quoted(row.name) + self.parameters(proto, type_id)
        return self.declaration(proto.type, declarator) + self._tags_of(type_id)

    def variable(self, type_id: int) -> str:
        """The declaration of a VAR with its tags."""
        row = self._btf.type(type_id)
        if not isinstance(row, Var):
            raise BtfError("no variable", type_id=type_id)
        word = {Linkage.STATIC: "static ", Linkage.GLOBAL: "", Linkage.EXTERN: "extern "}
        declared = self.declaration(row.type, quoted(row.name))
        return f"{word[row.linkage]}{declared}{self._tags_of(type_id)}"

    def variable_type(self, type_id: int) -> int:
        """The type of a VAR."""
        row = self._btf.type(type_id)
        if not isinstance(row, Var):
            raise BtfError("no variable", type_id=type_id)
        return row.type

    def linkage(self, type_id: int) -> Linkage:
        """The linkage of a FUNC."""
        row = self._btf.type(type_id)
        return row.linkage if isinstance(row, Func) else Linkage.GLOBAL

    def _unqualified(self, type_id: int) -> tuple[str, int, Type | None]:
        """Qualifiers and type tags in front of a type, and what they qualify."""
        words: list[str] = []
        for _ in range(_MOST_NESTING):
            row = self._btf.type(type_id)
            if not isinstance(row, Modifier):
                return " ".join(words), type_id, row
            word = row.kind
            if word == "type_tag":
                word = f"@{'type_attribute' if row.attribute else word}({string_text(row.name)})"
            words.append(word)
            type_id = row.type
        raise BtfError("qualifiers nest too deeply to write", type_id=type_id)

    def is_nameable(self, type_id: int) -> bool:
        """Whether :meth:`declaration` can name this type: a data section, say, it cannot."""
        return not isinstance(self._btf.resolve(type_id)[1], Func | Var | Datasec | DeclTag)

    def size(self, type_id: int) -> int:
        """The bytes of a value, -1 where it has no size."""
        try:
            return self.measures.size(type_id)
        except BtfError:
            return -1

    def _base(self, type_id: int, row: Type | None) -> str:
        self.used.add(type_id)
        match row:
            case None:
                return "void"
            case Struct() | Enum() | Fwd():
                return self._tagged(type_id, row)
            case Int() | Float() if self._is_standard(type_id, row):
                return row.name
            case Int() | Float() | Typedef():
                return quoted(row.name) + self._numbers[type_id]
            case _:
                raise BtfError("a type that no declaration can name", type_id=type_id)


def row_kind(row: Struct | Enum | Fwd) -> str:
    """``struct``, ``union`` or ``enum``."""
    if isinstance(row, Enum):
        return "enum"
    return "union" if row.union else "struct"


def _space(row: Struct | Enum | Fwd | Int | Float | Typedef) -> str:
    return row_kind(row) if isinstance(row, Struct | Enum | Fwd) else ""


def _enum_size(row: Enum) -> str:
    usual, negative = enum_shape(value for _, value in row.values)
    notes = f" @size({row.size})" if row.size != usual else ""
    if row.is64 != (row.size == 8):
        notes += " @enum64" if row.is64 else " @enum32"
    if row.signed != negative:
        notes += " @signed" if row.signed else " @unsigned"
    return notes


def _values(row: Enum, indent: str) -> Iterator[str]:
    expected = 0
    for name, value in row.values:
        shown = "" if value == expected else f" = {value}"
        yield f"{indent}{_INDENT}{quoted(name)}{shown},"
        expected = value + 1


def named_types(btf: Btf) -> list[int]:
    """Types that are kept though nothing refers to them: what a program's author declared."""
    return [
        type_id
        for type_id, row in btf.items()
        if (isinstance(row, Struct | Typedef | Fwd) and row.name) or isinstance(row, Enum)
    ]
