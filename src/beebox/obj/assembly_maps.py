"""A map in assembly text: its type and numbers, read and written."""

from __future__ import annotations

from typing import Final

from beebox.isa.tokens import Statement, Token
from beebox.obj.model import MapSpec
from beebox.tables.map_types import Entries, MapFlags, MapType

_MAP_TYPES: Final = {map_type.value.name: map_type for map_type in MapType}
_MOST: Final = (1 << 32) - 1  # of a field of bpf_attr


def map_spec(line: Statement, name: str, token: Token) -> MapSpec:
    """The rest of a map's line: its type and numbers. Sizes that a type fixes may be left out."""
    type_token = line.peek()
    map_type = _MAP_TYPES.get(line.name())
    if map_type is None:
        line.fail(f"no map type `{type_token.text}`", token=type_token, hint=", ".join(_MAP_TYPES))
    row = map_type.value
    numbers = attributes(line, ("key", "value", "max_entries", "flags", "extra"))
    for word, fixed in (("key", row.key_size), ("value", row.value_size)):
        if fixed is not None and numbers.setdefault(word, fixed) != fixed:
            line.fail(f"the {word} of map type {row.name} has {fixed} bytes", token=token)
        if fixed is None and not numbers.get(word):
            line.fail(f"map `{name}` needs {word}=N", token=token)
    if not numbers.setdefault("max_entries", 0) and row.entries is not Entries.ZERO:
        line.fail(f"map `{name}` needs max_entries=N", token=token)
    return MapSpec(
        name,
        map_type,
        numbers["key"],
        numbers["value"],
        numbers["max_entries"],
        MapFlags(numbers.get("flags", 0)),
        extra=numbers.get("extra", 0),
    )


def map_text(spec: MapSpec) -> str:
    """A map's type and numbers, as :func:`map_spec` reads them."""
    row = spec.type.value
    parts = [row.name]
    parts += [f"key={spec.key_size}"] if spec.key_size else []
    parts += [f"value={spec.value_size}"] if spec.value_size else []
    parts += [f"max_entries={spec.max_entries}"] if spec.max_entries else []
    parts += [f"flags={int(spec.flags):#x}"] if spec.flags else []
    parts += [f"extra={spec.extra}"] if spec.extra else []
    return " ".join(parts)


def attributes(line: Statement, words: tuple[str, ...]) -> dict[str, int]:
    """``word=number`` as often as they come."""
    found: dict[str, int] = {}
    while line.peek().text in words and line.peek(1).text == "=":
        token = line.take()
        line.expect("=")
        value = line.number()
        if token.text in found or not 0 <= value <= _MOST:
            line.fail(f"no good {token.text}", token=token)
        found[token.text] = value
    return found
