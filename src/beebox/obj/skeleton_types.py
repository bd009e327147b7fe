"""The Python types of BTF types, and the classes that declare them in a skeleton.

A struct is a ``TypedDict``, as :mod:`beebox.btf.values` gives a dict for it: the members of an
anonymous struct or union stand among its own. What the values room cannot decode has no type.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Final

from beebox.btf import values
from beebox.btf.types import Array, Btf, Enum, Float, Int, Ptr, Struct, Var
from beebox.errors import BtfError

WIDTH: Final = 88
"""The line length that ``ruff format`` keeps by default."""

BUILTINS: Final = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
_MOST_DECODED_BYTES: Final = 1 << 20
_MOST_DECODED_TOGETHER: Final = 1 << 22
_MOST_NAMED: Final = 32  # enumerators that are spelled out


def python_name(name: str, taken: dict[str, int]) -> str:
    """An identifier for ``name`` that is not ``taken``, and from now on is.

    Leading double underscores go, because Python gives them a meaning of its own in classes.
    """
    shown = re.sub(r"\W", "_", name, flags=re.ASCII)
    if shown.startswith("__"):
        shown = shown.lstrip("_")
    if not shown or shown[0].isdigit():
        shown = f"_{shown}"
    if keyword.iskeyword(shown) or shown in BUILTINS:
        shown += "_"
    return _free(shown, taken)


def class_name(name: str, taken: dict[str, int]) -> str:
    """A class's name: ``flow_key`` is ``FlowKey``."""
    words = [word for word in re.split(r"[^0-9A-Za-z]+", name) if word]
    shown = "".join(word[0].upper() + word[1:] for word in words)
    if not shown or shown[0].isdigit():
        shown = f"Type{shown}"
    if keyword.iskeyword(shown):
        shown += "_"
    return _free(shown, taken)


def _free(name: str, taken: dict[str, int]) -> str:
    """``name``, else with the first free number; ``taken`` has the last one that was given."""
    number = taken.get(name, 0) + 1
    found = name if number == 1 else f"{name}_{number}"
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken[name] = number
    taken[found] = max(taken.get(found, 0), 1)
    return found


def call(prefix: str, arguments: Sequence[str]) -> list[str]:
    """``prefix(arguments)`` as ``ruff format`` breaks it."""
    indent = " " * (len(prefix) - len(prefix.lstrip()))
    joined = ", ".join(arguments)
    if len(f"{prefix}({joined})") <= WIDTH:
        return [f"{prefix}({joined})"]
    if len(f"{indent}    {joined}") <= WIDTH:
        return [f"{prefix}(", f"{indent}    {joined}", f"{indent})"]
    return [f"{prefix}(", *(f"{indent}    {each}," for each in arguments), f"{indent})"]


def quoted(text: str) -> str:
    """``text`` as a string literal, in double quotes as ``ruff format`` prefers."""
    shown = repr(text)[1:-1]
    if repr(text)[0] == "'":
        shown = shown.replace("\\'", "'").replace('"', '\\"')
    return f'"{shown}"'


def plain(text: str) -> str:
    """``text`` for a docstring, which it can neither end nor escape."""
    return "".join(char if char.isprintable() and char not in '"\\' else " " for char in text)


class TypeNames:
    """Names types of ``btf``, and declares the classes they need, those they hold first."""

    def __init__(self, btf: Btf | None, taken: dict[str, int]) -> None:
        self._btf = btf if btf is not None else Btf()
        self._taken = taken
        self._names: dict[int, str] = {}
        self._decodable: dict[int, bool] = {}
        self._bytes_left = _MOST_DECODED_TOGETHER
        self.lines: list[str] = []

    def name(self, type_id: int, hint: str) -> str | None:
        """The Python type of a value; None where values have none.

        ``hint`` names a struct that has no name of its own.
        """
        if not type_id or not self._is_decodable(type_id):
            return None
        return self._name(type_id, hint)

    def _is_decodable(self, type_id: int) -> bool:
        if type_id not in self._decodable:
            self._decodable[type_id] = self._decodes(type_id)
        return self._decodable[type_id]

    def _decodes(self, type_id: int) -> bool:
        try:
            size = self._btf.size_of(type_id)
            if not 0 < size <= min(_MOST_DECODED_BYTES, self._bytes_left):
                return False
            self._bytes_left -= size
            zero = values.decode(self._btf, type_id, bytes(size))
            values.encode(self._btf, type_id, bytes(size))
        except BtfError:
            return False
        return zero is not None

    def _name(self, type_id: int, hint: str) -> str:
        type_id, row = self._btf.resolve(type_id)
        match row:
            case Int(boolean=True):
                return "bool"
            case Int() | Ptr():
                return "int"
            case Float():
                return "float"
            case Enum():
                return self._enum(type_id, row, hint)
            case Array(element):
                _, held = self._btf.resolve(element)
                if isinstance(held, Int) and held.size == 1 and (held.char or held.name == "char"):
                    return "str | bytes"
                return f"list[{self._name(element, hint)}]"
            case Struct():
                return self._struct(type_id, row, hint)
            case Var(_, target):
                return self._name(target, hint)
            case _:
                raise BtfError("a type without values", type_id=type_id)

    def _enum(self, type_id: int, row: Enum, hint: str) -> str:
        if type_id in self._names:
            return self._names[type_id]
        if not 0 < len(row.values) <= _MOST_NAMED:
            return "str | int"
        name = self._names[type_id] = class_name(row.name or hint, self._taken)
        literals = [quoted(label) for label, _ in row.values]
        one = f"{name}: TypeAlias = Literal[{', '.join(literals)}] | int"
        if len(one) <= WIDTH:
            self.lines += ["", "", one] if not self._ends_in_alias() else [one]
        else:
            shown = [f"    Literal[{', '.join(literals)}] | int"]
            if len(shown[0]) > WIDTH:
                inner = f"        {', '.join(literals)}"
                many = [f"        {literal}," for literal in literals]
                shown = ["    Literal[", *([inner] if len(inner) <= WIDTH else many)]
                shown += ["    ]", "    | int"]
            gap = [] if self._ends_in_alias() else ["", ""]
            self.lines += [*gap, f"{name}: TypeAlias = (", *shown, ")"]
        return name

    def _ends_in_alias(self) -> bool:
        return bool(self.lines) and (": TypeAlias = " in self.lines[-1] or self.lines[-1] == ")")

    def _struct(self, type_id: int, row: Struct, hint: str) -> str:
        if type_id in self._names:
            return self._names[type_id]
        name = self._names[type_id] = class_name(row.name or hint, self._taken)
        fields: dict[str, str] = {}
        self._fields(row, name, fields, either=False)
        kind = "union" if row.union else "struct"
        shown = f"{kind} {plain(row.name)}" if row.name else f"{kind} without a name"
        total = ", total=False" if row.union else ""
        if all(_is_plain(field) for field in fields):
            self.lines += ["", "", f"class {name}(TypedDict{total}):", f'    """``{shown}``."""']
            self.lines += [""] if fields else []
            self.lines += [f"    {field}: {held}" for field, held in fields.items()]
            return name
        self.lines += ["", "", f"{name} = TypedDict(", f'    "{name}",', "    {"]
        self.lines += [f"        {quoted(field)}: {held}," for field, held in fields.items()]
        self.lines += ["    },", *(["    total=False,"] if row.union else []), ")"]
        self.lines += [f'"""``{shown}``."""']
        return name

    def _fields(self, row: Struct, hint: str, fields: dict[str, str], *, either: bool) -> None:
        """The members; those of an anonymous union need not all be given."""
        for member in row.members:
            _, inner = self._btf.resolve(member.type)
            if member.name:
                shown = self._name(member.type, f"{hint} {member.name}")
                fields[member.name] = f"NotRequired[{shown}]" if either else shown
            elif isinstance(inner, Struct):
                self._fields(inner, hint, fields, either=either or inner.union)


def _is_plain(field: str) -> bool:
    """Whether a class body can hold the field, and later annotations still mean what they say."""
    return (
        field.isascii()
        and field.isidentifier()
        and not keyword.iskeyword(field)
        and not field.startswith("__")
        and field not in BUILTINS
    )
