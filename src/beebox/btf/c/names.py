"""How BTF names appear in C: valid, and each once.

C knows two name spaces that matter here: tags (of structs, unions and enums) and ordinary
identifiers (of typedefs, enumerators and functions). BTF may hold one name twice in either; the
second becomes ``name___2``, which CO-RE reads as a flavour of ``name``.
"""

from __future__ import annotations

import re
from typing import Final

from beebox.btf.types import Float, Int, Modifier
from beebox.errors import BtfError

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9_]")
_ATTRIBUTE: Final = re.compile(r"\w+(\(\w*\))?", re.ASCII)
_OUTSIDE_STRING: Final = re.compile(r"[^ !#-\[\]-~]")
_KEYWORDS: Final = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "asm",
        "typeof",
        "_Alignas",
        "_Alignof",
        "_Atomic",
        "_Bool",
        "_Complex",
        "_Generic",
        "_Imaginary",
        "_Noreturn",
        "_Static_assert",
        "_Thread_local",
    ]
)

_RANKS: Final = {"char": 1, "short": 2, "int": 4, "long": 8, "long long": 8, "__int128": 16}
_BY_SIZE: Final = {1: "char", 2: "short", 4: "int", 8: "long long", 16: "__int128"}
_FLOATS: Final = {2: "_Float16", 4: "float", 8: "double", 16: "long double"}
_FLOAT_NAMES: Final = {"float": 4, "double": 8, "_Float16": 2, "__bf16": 2, "__fp16": 2}


def identifier(name: str) -> str:
    """``name`` as a C identifier: what C has no place for (Rust's ``Option<u8>``) becomes ``_``."""
    if _IDENTIFIER.fullmatch(name):
        return f"{name}_" if name in _KEYWORDS else name
    name = _OUTSIDE.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


def integer(row: Int) -> str:
    """The C spelling of an integer type: its own name where C has it, else one of its size."""
    words = row.name.split()
    if len(words) <= 4 and _c_size(words) == row.size:
        return row.name
    if row.name in {"long int", "long unsigned int", "long", "unsigned long"} and row.size == 4:
        return row.name  # of a 32-bit kernel
    if row.boolean and row.size == 1:
        return "_Bool"
    base = _BY_SIZE[row.size]
    if row.signed:
        return "signed char" if row.size == 1 else base
    return f"unsigned {base}"


def _c_size(words: list[str]) -> int:
    """Bytes of the C integer type that these words name; 0 where they name none."""
    if words == ["_Bool"]:
        return 1
    signs = [word for word in words if word in {"signed", "unsigned"}]
    rest = [word for word in words if word not in {"signed", "unsigned"}]
    if len(signs) > 1 or not words:
        return 0
    if "int" in rest and len(rest) > 1:
        rest.remove("int")
    return _RANKS.get(" ".join(rest) or "int", 0)


def floating(row: Float) -> str:
    """The C spelling of a floating-point type."""
    if row.name == "long double" or _FLOAT_NAMES.get(row.name) == row.size:
        return row.name
    return _FLOATS.get(row.size, "long double")


def attribute(row: Modifier) -> str:
    """The C attribute that a type tag stands for. Raises :exc:`BtfError` where it is no C."""
    if not row.attribute:
        text = _OUTSIDE_STRING.sub(lambda match: f"\\{ord(match[0]) & 0xFF:03o}", row.name)
        return f'__attribute__((btf_type_tag("{text}")))'
    if not _ATTRIBUTE.fullmatch(row.name):
        raise BtfError(f"the attribute {row.name!r} is not of the shape NAME or NAME(VALUE)")
    return f"__attribute__(({row.name}))"


class Names:
    """The C names of types, given out in the order in which they are asked for."""

    def __init__(self) -> None:
        self._tags: dict[str, int] = {}
        self._ordinary: dict[str, int] = {}
        self._known: dict[int, str] = {}

    def tag(self, type_id: int, name: str) -> str:
        """The tag of a struct, union, enum or forward declaration; empty where it has none."""
        return self._named(type_id, name, self._tags) if name else ""

    def typedef(self, type_id: int, name: str) -> str:
        """The name of a typedef."""
        return self._named(type_id, name, self._ordinary)

    def enumerator(self, name: str) -> str:
        """The name of an enumerator, new at every call: an inline enum may be written twice."""
        return _unique(name, self._ordinary)

    def take(self, name: str) -> bool:
        """Whether ``name`` was free as an ordinary identifier; from now on it is not."""
        if name in self._ordinary:
            return False
        self._ordinary[name] = 1
        return True

    def _named(self, type_id: int, name: str, space: dict[str, int]) -> str:
        known = self._known.get(type_id)
        if known is None:
            known = self._known[type_id] = _unique(name, space)
        return known


def _unique(name: str, space: dict[str, int]) -> str:
    name = identifier(name)
    uses = space[name] = space.get(name, 0) + 1
    return name if uses == 1 else f"{name}___{uses}"
