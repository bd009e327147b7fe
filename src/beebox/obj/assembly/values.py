"""First values of variables in assembly text: C's initialisers, or bytes as ``hex(2a00)``.

What :mod:`beebox.btf.values` gives for bytes, written as C writes it: numbers, ``"text"``,
``{1, 2}``, ``{.member = 5}``. A value whose text would not give the same bytes is written as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from beebox.btf import values
from beebox.btf.types import Array, Btf, Enum, Struct, Var
from beebox.errors import BtfError
from beebox.isa.disassembler import string_text
from beebox.isa.tokens import Statement, Token
from beebox.obj.assembly.type_text import quoted

_MOST_SHOWN_BYTES: Final = 4096
_MOST_NESTING: Final = 32


def value_text(btf: Btf | None, type_id: int, data: bytes) -> str:
    """The initialiser that :func:`take_value` reads as ``data``."""
    shown = data.rstrip(b"\0")
    if btf is not None and len(shown) <= _MOST_SHOWN_BYTES:
        try:
            trimmed = _trimmed(_pruned(btf, type_id, values.decode(btf, type_id, data)))
            if values.encode(btf, type_id, trimmed) == data:
                return _text(trimmed)
        except BtfError:
            pass
    return f"hex({shown.hex()})"


class _Word(str):
    """The name of an enumerator: written without quotes."""

    __slots__ = ()


def _pruned(btf: Btf, type_id: int, value: Any) -> Any:
    """With one member of each union, so that changing it is enough."""
    _, row = btf.resolve(type_id)
    match row:
        case Var():
            return _pruned(btf, row.type, value)
        case Enum() if isinstance(value, str):
            return _Word(value)
        case Array() if isinstance(value, list):
            return [_pruned(btf, row.type, element) for element in value]
        case Struct() if isinstance(value, dict):
            kept: dict[str, Any] = {}
            _keep(btf, row, value, kept)
            return kept
        case _:
            return value


def _keep(btf: Btf, row: Struct, value: dict[str, Any], kept: dict[str, Any]) -> None:
    members = row.members
    if row.union:
        members = (max(members, key=lambda member: btf.size_of(member.type)),) if members else ()
    for member in members:
        _, inner = btf.resolve(member.type)
        if member.name in value:
            kept[member.name] = _pruned(btf, member.type, value[member.name])
        elif isinstance(inner, Struct):
            _keep(btf, inner, value, kept)


def _trimmed(value: Any, *, whole: bool = False) -> Any:
    """Without the zeros that encoding fills in anyway.

    An element of an array keeps a member: ``{}`` alone would be an array's notation.
    """
    match value:
        case list():
            kept = [_trimmed(element, whole=True) for element in value]
            while kept and not any(_flat(kept[-1])):
                kept.pop()
            return kept
        case dict():
            members = {name: _trimmed(held) for name, held in value.items()}
            shown = {name: held for name, held in members.items() if held}
            if whole and not shown:
                return {name: _trimmed(held, whole=True) for name, held in [*value.items()][:1]}
            return shown
        case _:
            return value


def _flat(value: Any) -> Iterator[Any]:
    match value:
        case list():
            for element in value:
                yield from _flat(element)
        case dict():
            for held in value.values():
                yield from _flat(held)
        case _:
            yield value


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _Word():
            return quoted(str(value))
        case str():
            return string_text(value)
        case list():
            return "{" + ", ".join(_text(element) for element in value) + "}"
        case dict():
            return "{" + ", ".join(f".{quoted(k)} = {_text(v)}" for k, v in value.items()) + "}"
        case _:
            raise BtfError("a value without a notation")


@dataclass(frozen=True, slots=True)
class Initial:
    """An initialiser as it stands in the text; its type gives it bytes once all types are known."""

    line: Statement
    token: Token
    value: Any  # what ``values.encode`` takes, or bytes

    def encode(self, btf: Btf | None, type_id: int, size: int) -> bytes:
        """Its bytes, zeros behind them. Raises :exc:`AssemblyError` where it does not fit."""
        data = b"" if self.value == [] else self.value
        if not isinstance(data, bytes):
            if btf is None or not type_id:
                self.line.fail("a value of no type: write `hex(...)`", token=self.token)
            try:
                data = values.encode(btf, type_id, data)
            except BtfError as error:
                self.line.fail(str(error).removeprefix("BTF: "), token=self.token)
        if len(data) > size:
            self.line.fail(f"{len(data)} bytes for a value of {size}", token=self.token)
        return data.ljust(size, b"\0")


def take_value(line: Statement) -> Initial:
    """The initialiser that stands here."""
    token = line.peek()
    if token.text == "hex" and token.kind == "name" and line.peek(1).text == "(":
        return Initial(line, token, take_hex(line))
    return Initial(line, token, _take(line, 0))


def take_hex(line: Statement) -> bytes:
    """``hex(2a00)``: bytes by their digits."""
    line.expect("hex")
    line.expect("(")
    if line.accept(")"):
        return b""
    data = take_digits(line)
    line.expect(")")
    return data


def take_digits(line: Statement) -> bytes:
    """An even number of hexadecimal digits."""
    token = line.take()
    try:
        return bytes.fromhex(token.text)
    except ValueError:
        line.fail("expected an even number of hexadecimal digits", token=token)


def _take(line: Statement, depth: int) -> int | str | bool | list[Any] | dict[str, Any]:
    token = line.peek()
    if depth > _MOST_NESTING:
        line.fail("the value nests too deeply", token=token)
    if line.accept("{"):
        return _braced(line, depth)
    if token.kind == "string":
        return line.name()
    if token.kind == "name":
        line.take()
        return {"true": True, "false": False}.get(token.text, token.text)
    return line.number()


def _braced(line: Statement, depth: int) -> list[Any] | dict[str, Any]:
    elements: list[Any] = []
    members: dict[str, Any] = {}
    while not line.accept("}"):
        token = line.peek()
        if token.kind == "name" and token.text.startswith(".") and _is_member(line):
            _designated(line, members, token, depth)
        else:
            elements.append(_take(line, depth + 1))
        if not line.accept(","):
            line.expect("}")
            break
    if members and elements:
        line.fail("either `.member = value` or values in order")
    return members or elements


def _is_member(line: Statement) -> bool:
    ahead = 2 if line.peek(0).text == "." else 1
    return line.peek(ahead).text == "="


def _designated(line: Statement, members: dict[str, Any], token: Token, depth: int) -> None:
    line.take()
    name = line.name() if token.text == "." else token.text[1:]
    line.expect("=")
    if name in members:
        line.fail(f"a second value of `{name}`", token=token)
    members[name] = _take(line, depth + 1)
