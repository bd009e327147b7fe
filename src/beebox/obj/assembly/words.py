"""The words of C declarations in assembly text, and the integers that need no declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from beebox.btf.types import Float, Int

QUALIFIERS: Final = ("const", "volatile", "restrict")
TAGGED: Final = ("struct", "union", "enum")
INT_WORDS: Final = frozenset(
    {"unsigned", "signed", "char", "short", "int", "long", "float", "double", "_Bool", "__int128"}
)
KEYWORDS: Final = frozenset(
    {*QUALIFIERS, *TAGGED, "typedef", "integer", "typeof", "void", "static", "extern", "weak"}
)
MOST_U32: Final = (1 << 32) - 1
ELEMENT_INDEX: Final = Int("__ARRAY_SIZE_TYPE__", 4, 32)
"""The type of every array's index: BTF wants one, and C has none to tell."""


def _integers(size: int, signed: tuple[str, ...], unsigned: tuple[str, ...]) -> list[Int]:
    return [Int(name, size, 8 * size, signed=True) for name in signed] + [
        Int(name, size, 8 * size) for name in unsigned
    ]


_STANDARD: Final[tuple[Int | Float, ...]] = (
    Int("char", 1, 8, signed=True),
    Int("_Bool", 1, 8, boolean=True),
    *_integers(1, ("signed char",), ("unsigned char",)),
    *_integers(2, ("short", "short int"), ("unsigned short", "short unsigned int")),
    *_integers(4, ("int",), ("unsigned int",)),
    *_integers(8, ("long", "long int"), ("unsigned long", "long unsigned int")),
    *_integers(
        8,
        ("long long", "long long int"),
        ("unsigned long long", "long long unsigned int"),
    ),
    *_integers(16, ("__int128",), ("unsigned __int128", "__int128 unsigned")),
    ELEMENT_INDEX,
    Float("float", 4),
    Float("double", 8),
)
STANDARD: Final = {row.name: row for row in _STANDARD}
"""Both spellings of C's types: clang's ("unsigned long") and GCC's ("long unsigned int")."""

ALIASES: Final = {
    "unsigned": "unsigned int",
    "signed": "int",
    "signed int": "int",
    "unsigned short int": "unsigned short",
    "unsigned long int": "unsigned long",
    "unsigned long long int": "unsigned long long",
}
"""What C also accepts, and what it is here."""


def enum_shape(values: Iterable[int]) -> tuple[int, bool]:
    """The bytes of an enum with these values, and whether it is signed, unless text says so."""
    numbers = tuple(values)
    negative = any(value < 0 for value in numbers)
    low, high = (-(1 << 31), 1 << 31) if negative else (0, 1 << 32)
    return (4 if all(low <= value < high for value in numbers) else 8), negative
