"""The section ``.beebox.vars``: which register or stack slot holds which source variable, where.

BTF has no local variables, so objects carry this JSON; loaders ignore the section::

    {"version": 1, "functions": {"firewall": [["src", 12, 20, "r6"], ["key", 14, 30, -8]]}}

A row is name, first pc, pc after the last, place: a register or an offset from R10.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from beebox.errors import ObjectError
from beebox.obj.model import VarRange
from beebox.tables.limits import MAX_INSNS, MAX_STACK_BYTES

SECTION: Final = ".beebox.vars"
MAX_BYTES: Final = 1 << 24


def encode(variables: Mapping[str, Sequence[VarRange]]) -> bytes:
    """The section's bytes; empty when no function has variables."""
    functions = {
        name: [[row.name, row.start, row.end, _place(row)] for row in rows]
        for name, rows in variables.items()
        if rows
    }
    if not functions:
        return b""
    return json.dumps({"version": 1, "functions": functions}, separators=(",", ":")).encode()


def _place(row: VarRange) -> str | int | None:
    return f"r{row.reg}" if row.reg is not None else row.stack_offset


def parse(data: bytes) -> dict[str, tuple[VarRange, ...]]:
    """Variables by function. Raises :exc:`ObjectError`.

    Linkers that do not know the section put several behind one another; a function that two of
    them name may be either's, and has no variables then.
    """
    if len(data) > MAX_BYTES:
        raise ObjectError(f"larger than {MAX_BYTES} bytes", section=SECTION)
    found: dict[str, tuple[VarRange, ...]] = {}
    for content in _documents(data):
        functions = content.get("functions") if isinstance(content, dict) else None
        if not isinstance(functions, dict) or content.get("version") != 1:
            raise ObjectError("unknown version or layout", section=SECTION)
        for name, rows in functions.items():
            found[name] = () if name in found else _rows(name, rows)
    return {name: rows for name, rows in found.items() if rows}


def _documents(data: bytes) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    try:
        text = data.decode()
        at = 0
        while at < len(text) or not at:
            content, at = decoder.raw_decode(text, at)
            yield content
            while text[at : at + 1] in {"\0", " ", "\n"}:
                at += 1
    except (ValueError, RecursionError):
        raise ObjectError("not JSON", section=SECTION) from None


def _rows(function: str, rows: object) -> tuple[VarRange, ...]:
    if not isinstance(rows, list):
        raise _malformed(function)
    return tuple(_row(function, row) for row in rows)


def _row(function: str, row: object) -> VarRange:
    match row:
        case [str(name), int(start), int(end), (str() | int()) as place] if (
            0 <= start < end <= MAX_INSNS and not isinstance(place, bool)
        ):
            if isinstance(place, int) and -MAX_STACK_BYTES <= place < 0:
                return VarRange(start, end, name, stack_offset=place)
            if place in _REGISTERS:
                return VarRange(start, end, name, reg=_REGISTERS.index(place))
    raise _malformed(function)


_REGISTERS: Final[tuple[object, ...]] = tuple(f"r{number}" for number in range(11))


def _malformed(function: str) -> ObjectError:
    return ObjectError(f"malformed variables of {function!r}", section=SECTION)
