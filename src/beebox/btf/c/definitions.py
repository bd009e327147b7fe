"""Definitions and declarations in C: one piece of text for each named type, in order.

A named type is defined once, those without a name where they are used. What is only pointed to is
declared ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from beebox.btf.c.layout import Layout, Rows
from beebox.btf.c.names import Names, attribute, floating, identifier, integer
from beebox.btf.c.order import Budget, Order
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
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError, InternalError

_ENUM_MODES: Final = {1: "byte", 2: "HI"}
"""How clang is told to make an enum narrower than an int."""

_BUILT_IN: Final = "__builtin_va_list"


class Definitions:
    """What has been written, and the pieces that one more definition takes."""

    def __init__(self, btf: Btf) -> None:
        self._rows = Rows(btf)
        self._budget = Budget(len(btf))
        self._order = Order(self._rows, self._budget)
        self._layout = Layout(self._rows)
        self._names = Names()
        self._spelled: dict[int, str] = {}
        self._written = {0}
        self._open: set[int] = set()
        self._forward: set[int] = set()
        """Structs declared ahead, typedefs written ahead of what they name."""

    def define(self, root: int) -> Iterator[str]:
        """The definitions that ``root`` needs and that are not there yet, in order."""
        for type_id in self._order.definitions(root):
            out: list[str] = []
            self._emit(type_id, 0, out, 0)
            if out:
                yield self._budget.text("".join(out), type_id)

    def prototype(self, row: Func, type_id: int) -> str:
        """The declaration of a function whose prototype's parts are defined; "" if it cannot be.

        That is where a typedef, an enumerator or another function has taken its name.
        """
        name = identifier(row.name)
        if not self._names.take(name):
            return ""
        return self._budget.text(self._declare(row.type, name, 0, 0), type_id)

    # -- definitions, and declarations ahead of them

    def _emit(self, type_id: int, inside: int, out: list[str], depth: int) -> None:
        """Write ``type_id``, or what a mention of it inside the definition ``inside`` requires."""
        self._budget.step(depth, type_id)
        if type_id in self._written:
            return
        row = self._rows[type_id]
        match row:
            case Ptr() | Modifier() | Array():
                self._emit(row.type, inside, out, depth + 1)
            case Struct():
                self._emit_struct(type_id, row, inside, out, depth)
            case Typedef():
                self._emit_typedef(type_id, row, out, depth)
            case Enum():
                if not inside:
                    out += (self._enum(type_id, row, 0), ";\n\n")
                self._written.add(type_id)
            case Fwd():
                out += (self._forward_declaration(type_id, row), ";\n\n")
                self._written.add(type_id)
            case FuncProto():
                self._emit(row.type, inside, out, depth + 1)
                for param in row.params:
                    self._emit(param.type, inside, out, depth + 1)
            case None | Int() | Float() | Func() | Var() | Datasec() | DeclTag():
                pass
            case _ as unreachable:
                assert_never(unreachable)

    def _emit_struct(
        self, type_id: int, row: Struct, inside: int, out: list[str], depth: int
    ) -> None:
        mentioned = bool(inside and row.name)
        if mentioned and (type_id == inside or type_id in self._forward):
            return
        if mentioned:
            self._forward.add(type_id)
            out += (self._forward_declaration(type_id, row), ";\n\n")
            return
        if type_id in self._open:
            raise BtfError("an anonymous struct that contains itself", type_id=type_id)
        self._open.add(type_id)
        for member in row.members:
            self._emit(member.type, type_id if row.name else inside, out, depth + 1)
        self._open.discard(type_id)
        if not inside:
            out += (self._struct(type_id, row, 0, 0), ";\n\n")
            self._written.add(type_id)

    def _emit_typedef(self, type_id: int, row: Typedef, out: list[str], depth: int) -> None:
        if type_id not in self._open:
            self._open.add(type_id)
            self._emit(row.type, type_id, out, depth + 1)
            self._open.discard(type_id)
            self._written.add(type_id)
        if type_id not in self._forward:
            self._forward.add(type_id)
            if row.name == _BUILT_IN:
                return
            if row.name == "__gnuc_va_list" and row.type == 0:
                out.append(f"typedef {_BUILT_IN} __gnuc_va_list;\n\n")
                return
            name = self._names.typedef(type_id, row.name)
            out.append(f"typedef {self._declare(row.type, name, 0, 0)};\n\n")

    # -- bodies

    def _forward_declaration(self, type_id: int, row: Struct | Fwd) -> str:
        word = "union" if row.union else "struct"
        name = self._names.tag(type_id, row.name)
        return f"{word} {name}" if name else word

    def _struct(self, type_id: int, row: Struct, level: int, depth: int) -> str:
        layout, indent = self._layout, "\t" * (level + 1)
        packed = layout.packed(type_id)
        text = [self._forward_declaration(type_id, row), " {"]
        at, end, in_bitfield = 0, 0, False
        for member in row.members:
            self._budget.step(depth, type_id)
            offset, bits = layout.place(member)
            size = layout.measure(member.type).size
            end = max(end, offset + (bits or size * 8))
            if at < offset:
                natural = layout.natural(at, member.type, bits, packed=packed)
                for pad in layout.padding(
                    at, offset, natural, in_bitfield=in_bitfield and bits > 0, packed=packed
                ):
                    self._budget.step(depth, type_id)
                    text.append(f"\n{indent}{pad};")
            name = identifier(member.name) if member.name else ""
            text += ("\n", indent, self._declare(member.type, name, level + 1, depth + 1))
            text.append(f": {bits};" if bits else ";")
            at, in_bitfield = offset + (bits or size * 8), bits > 0
        text += (
            f"\n{indent}{pad};"
            for pad in self._tail(type_id, row, end if row.union else at, packed=packed)
        )
        text.append("\n" + "\t" * level + "}" if len(text) > 2 or row.size else "}")
        if packed:
            text.append(" __attribute__((packed))")
        return "".join(text)

    def _tail(self, type_id: int, row: Struct, end: int, *, packed: bool) -> list[str]:
        """Padding behind the members, which end at bit ``end``."""
        align = self._layout.measure(type_id).align
        if row.union and -(-end // (8 * align)) * align >= row.size:
            return []  # the compiler rounds up by itself
        pads = []
        start = 0 if row.union else end
        natural = self._layout.natural(start, type_id, packed=packed)
        for pad in self._layout.padding(
            start, row.size * 8, natural, in_bitfield=False, packed=packed
        ):
            self._budget.step(0, type_id)
            pads.append(pad)
        return pads if not row.union or len(pads) == 1 else [f"struct {{ {'; '.join(pads)}; }}"]

    def _enum(self, type_id: int, row: Enum, level: int) -> str:
        tag = self._names.tag(type_id, row.name)
        text = ["enum ", tag] if tag else ["enum"]
        if not row.values:
            return "".join(text)
        text.append(" {")
        suffix = ("LL" if row.signed else "ULL") if row.is64 else ""
        indent = "\n" + "\t" * (level + 1)
        for name, value in row.values:
            self._budget.step(level, type_id)
            shown = value if row.signed else value & 0xFFFFFFFFFFFFFFFF
            text.append(f"{indent}{self._names.enumerator(name)} = {shown}{suffix},")
        text.append("\n" + "\t" * level + "}")
        mode = _ENUM_MODES.get(row.size)
        if row.size == 8 and not any(value >> 32 for _, value in row.values):
            mode = "word"
        if mode:
            text.append(f" __attribute__((mode({mode})))")
        return self._budget.text("".join(text), type_id)

    # -- declarations

    def _declare(self, type_id: int, name: str, level: int, depth: int) -> str:
        """A declaration of ``name``, which may be empty, as of this type.

        BTF reads from the name outwards, C spirals around it: the far end of the chain is written
        first, and arrays and prototypes leave something to write behind the name.
        """
        chain = self._chain(type_id, depth)
        text = [self._base(chain, level, depth)]
        behind: list[FuncProto | str] = []
        spaced = True  # whether a name needs a space before it
        while chain:
            _, row = chain.pop()
            match row:
                case Ptr():
                    text.append(" *" if spaced else "*")
                    spaced = False
                case Modifier():
                    text.append(f" {attribute(row) if row.kind == 'type_tag' else row.kind}")
                    spaced = True
                case Array():
                    _drop_modifiers(chain)
                    behind.append(f"[{row.count}]")
                    if chain:
                        text.append(" " if name and spaced else "")
                        spaced = False
                        if not isinstance(chain[-1][1], Array):
                            text.append("(")
                            behind.append(")")
                case FuncProto():
                    _drop_modifiers(chain)
                    behind.append(row)
                    if chain:
                        text.append(" (")
                        behind.append(")")
                        spaced = False
                case _:
                    raise InternalError(f"{row} in the middle of a declaration")
        if name:
            text.append(f" {name}" if spaced else name)
        text += (
            row if isinstance(row, str) else self._parameters(row, level, depth)
            for row in reversed(behind)
        )
        return self._budget.text("".join(text), type_id)

    def _chain(self, type_id: int, depth: int) -> list[tuple[int, Type | None]]:
        """The types from the one next to the name to the one that is written first."""
        chain: list[tuple[int, Type | None]] = []
        while True:
            self._budget.step(depth + len(chain), type_id)
            row = self._rows[type_id]
            chain.append((type_id, row))
            if not isinstance(row, Ptr | Modifier | Array | FuncProto):
                return chain
            type_id = row.type

    def _base(self, chain: list[tuple[int, Type | None]], level: int, depth: int) -> str:
        """The words that begin a declaration; takes them off the chain's end."""
        type_id, row = chain.pop()
        text = ""
        while chain and isinstance(chain[-1][1], Modifier) and chain[-1][1].kind != "type_tag":
            text += f"{chain[-1][1].kind} "
            chain.pop()
        match row:
            case None:
                return f"{text}void"
            case Int() | Float():
                known = self._spelled.get(type_id)
                if known is None:
                    spelled = integer(row) if isinstance(row, Int) else floating(row)
                    known = self._spelled[type_id] = spelled
                return text + known
            case Typedef():
                return text + self._names.typedef(type_id, row.name)
            case Struct():
                if row.name:
                    return text + self._forward_declaration(type_id, row)
                return text + self._struct(type_id, row, level, depth + 1)
            case Enum():
                if row.name:
                    return f"{text}enum {self._names.tag(type_id, row.name)}"
                return text + self._enum(type_id, row, level)
            case Fwd():
                return text + self._forward_declaration(type_id, row)
            case _:
                raise BtfError("is no type of a C declaration", type_id=type_id)

    def _parameters(self, row: FuncProto, level: int, depth: int) -> str:
        if not row.params or (len(row.params) == 1 and row.params[0].type == 0):
            return "(void)"
        last = len(row.params) - 1
        texts = [
            "..."
            if at == last and param.type == 0
            else self._declare(
                param.type, identifier(param.name) if param.name else "", level, depth + 1
            )
            for at, param in enumerate(row.params)
        ]
        return f"({', '.join(texts)})"


def _drop_modifiers(chain: list[tuple[int, Type | None]]) -> None:
    """Forget qualifiers of an array or a function itself: a habit of GCC, not C."""
    while chain and isinstance(chain[-1][1], Modifier):
        chain.pop()
