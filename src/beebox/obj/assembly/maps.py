"""A map in assembly text: its type, types of key and value, numbers, first values.

``.map flows lru_hash key=struct flow value=8 max_entries=64 flags=numa_node numa_node=1``: a key
or value is a C type, or bytes where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from beebox.btf.types import Btf, Struct
from beebox.errors import BtfError
from beebox.isa.disassembler import name_text
from beebox.isa.tokens import Statement, Token
from beebox.obj.assembly.type_table import Place
from beebox.obj.assembly.type_text import TypeText
from beebox.obj.assembly.types import Types
from beebox.obj.assembly.values import take_digits
from beebox.obj.model import MapSpec, Pinning
from beebox.tables.map_types import Entries, MapFlags, MapType

_MAP_TYPES: Final = {map_type.value.name: map_type for map_type in MapType}
_FLAGS: Final = {flag.name.lower(): flag for flag in MapFlags if flag.name and flag}
_PINNING: Final = {pinning.name.lower(): pinning for pinning in Pinning}
_NUMBERS: Final = (
    "max_entries",
    "size",
    "extra",
    "numa_node",
    "key_size",
    "value_size",
    "autocreate",
)
_MOST_U32: Final = (1 << 32) - 1
_MOST: Final = {"extra": (1 << 64) - 1}
_MOST_DATA_BYTES: Final = 64 << 20


class Attributes:
    """``word=value`` as often as they come on one line."""

    def __init__(self, line: Statement, types: Types, words: Sequence[str]) -> None:
        self.numbers: dict[str, int] = {}
        self.types: dict[str, int] = {}
        self.flags = MapFlags.NONE
        self.pinning = Pinning.NONE
        self.contents: bytes | None = None
        self._places: dict[str, Place] = {}
        seen: set[str] = set()
        while line.peek().text in words and line.peek(1).text == "=":
            token = line.take()
            line.expect("=")
            if token.text in seen:
                line.fail(f"a second {token.text}", token=token)
            seen.add(token.text)
            match token.text:
                case "key" | "value":
                    self._type(line, types, token.text)
                case "flags":
                    self.flags = _flags(line)
                case "pinning":
                    self.pinning = _pinning(line)
                case "contents":
                    self.contents = take_digits(line)
                case word:
                    self.numbers[word] = _number(line, token)
        for word, type_id in self.types.items():
            if f"{word}_size" not in seen:
                self.numbers[word] = types.table.size(type_id, self._places[word])

    def _type(self, line: Statement, types: Types, word: str) -> None:
        token = line.peek()
        if token.kind == "number" or token.text in ("-", "+"):
            self.numbers[word] = _number(line, token)
            return
        self.types[word] = types.type_name(line)
        self._places[word] = Place(line, token)


def _number(line: Statement, word: Token) -> int:
    value = line.number()
    if not 0 <= value <= _MOST.get(word.text, _MOST_U32):
        line.fail(f"no good {word.text}", token=word)
    return value


def _flags(line: Statement) -> MapFlags:
    """A number, or names with ``|`` between them."""
    token = line.peek()
    if token.kind != "name":
        return MapFlags(_number(line, token))
    flags = MapFlags.NONE
    while True:
        word = line.take()
        if word.text not in _FLAGS:
            line.fail(f"no flag `{word.text}`", token=word, hint=", ".join(_FLAGS))
        flags |= _FLAGS[word.text]
        if not line.accept("|"):
            return flags


def _pinning(line: Statement) -> Pinning:
    word = line.take()
    if word.text not in _PINNING:
        line.fail(f"no pinning `{word.text}`", token=word, hint=", ".join(_PINNING))
    return _PINNING[word.text]


def map_spec(line: Statement, types: Types, name: str, token: Token) -> MapSpec:
    """The rest of a map's line: its type and numbers. Sizes that a type fixes may be left out."""
    type_token = line.peek()
    map_type = _MAP_TYPES.get(line.name())
    if map_type is None:
        line.fail(f"no map type `{type_token.text}`", token=type_token, hint=", ".join(_MAP_TYPES))
    row = map_type.value
    words = ("key", "value", "flags", "pinning", "contents", *_NUMBERS)
    found = Attributes(line, types, words)
    numbers = found.numbers
    is_exact = {word for word in ("key", "value") if f"{word}_size" in numbers}
    for word in is_exact:  # what the type of the map would refuse, or its types do not say
        numbers[word] = numbers[f"{word}_size"]
    for word, fixed in (("key", row.key_size), ("value", row.value_size)):
        if word in is_exact:
            continue
        if fixed is not None and numbers.setdefault(word, fixed) != fixed:
            line.fail(f"the {word} of map type {row.name} has {fixed} bytes", token=token)
        if fixed is None and not numbers.get(word):
            line.fail(f"map `{name}` needs {word}=N", token=token)
    if "max_entries" not in numbers and row.entries is not Entries.ZERO:
        line.fail(f"map `{name}` needs max_entries=N", token=token)
    contents = None
    if found.contents is not None or "size" in numbers:
        contents = _sized(line, token, found.contents or b"", numbers.get("size"))
    return MapSpec(
        name,
        map_type,
        numbers["key"],
        numbers["value"],
        numbers.get("max_entries", 0),
        found.flags,
        key_type_id=found.types.get("key", 0),
        value_type_id=found.types.get("value", 0),
        contents=contents,
        extra=numbers.get("extra", 0),
        pinning=found.pinning,
        numa_node=numbers.get("numa_node", 0),
        autocreate=bool(numbers.get("autocreate", 1)),
    )


def data_spec(line: Statement, types: Types, name: str, token: Token) -> MapSpec:
    """The rest of a ``.data`` line: a map for global variables; ``size`` may grow with them."""
    frozen = line.accept("frozen")
    found = Attributes(
        line, types, ("size", "flags", "contents", "pinning", "extra", "numa_node", "max_entries")
    )
    size = found.numbers.get("size")
    contents = _sized(line, token, found.contents or b"", size)
    return MapSpec(
        name,
        MapType.ARRAY,
        4,
        len(contents),
        found.numbers.get("max_entries", 1),
        found.flags,
        contents=contents,
        frozen=frozen,
        extra=found.numbers.get("extra", 0),
        pinning=found.pinning,
        numa_node=found.numbers.get("numa_node", 0),
    )


def _sized(line: Statement, token: Token, contents: bytes, size: int | None) -> bytes:
    size = len(contents) if size is None else size
    if not len(contents) <= size <= _MOST_DATA_BYTES:
        line.fail(f"`{token.text}` cannot have {size} bytes", token=token)
    return contents.ljust(size, b"\0")


def map_text(spec: MapSpec, types: TypeText | None) -> str:
    """A map's type and numbers, as :func:`map_spec` reads them."""
    row = spec.type.value
    parts = [row.name]
    for word, size, type_id, fixed in (
        ("key", spec.key_size, spec.key_type_id, row.key_size),
        ("value", spec.value_size, spec.value_type_id, row.value_size),
    ):
        said = fixed
        if type_id and types is not None and types.is_nameable(type_id):
            parts.append(f"{word}={types.declaration(type_id)}")
            said = types.size(type_id)
        elif size and fixed in (None, size):
            parts.append(f"{word}={size}")
            said = size
        parts += [f"{word}_size={size}"] if said != size or fixed not in (None, size) else []
    parts += [f"max_entries={spec.max_entries}"] if spec.max_entries or _wanted(spec) else []
    parts += _numbers_text(spec)
    return " ".join(parts)


def _wanted(spec: MapSpec) -> bool:
    return spec.type.value.entries is not Entries.ZERO


def is_plain_data(spec: MapSpec) -> bool:
    """Whether ``.data`` says all there is."""
    return (
        spec.contents is not None
        and spec.type is MapType.ARRAY
        and spec.key_size == 4
        and spec.value_size == len(spec.contents)
        and not spec.key_type_id
        and spec.inner is None
    )


def data_text(spec: MapSpec, shown: bytes) -> str:
    """What stands behind ``.data NAME``; ``shown`` is what the variables below do not say."""
    parts = ["frozen"] if spec.frozen else []
    parts.append(f"size={spec.value_size}")
    parts += [f"max_entries={spec.max_entries}"] if spec.max_entries != 1 else []
    parts += _numbers_text(spec)
    used = shown.rstrip(b"\0")
    parts += [f"contents={used.hex()}"] if used else []
    return " ".join(parts)


def _numbers_text(spec: MapSpec) -> list[str]:
    parts = [f"flags={flags_text(spec.flags)}"] if spec.flags else []
    parts += [f"extra={spec.extra:#x}"] if spec.extra else []
    parts += [f"pinning={spec.pinning.name.lower()}"] if spec.pinning else []
    parts += [f"numa_node={spec.numa_node}"] if spec.numa_node else []
    parts += [] if spec.autocreate else ["autocreate=0"]
    return parts


def flags_text(flags: MapFlags) -> str:
    """Names with ``|``; the number where a bit has no name."""
    known = [name for name, flag in _FLAGS.items() if flags & flag]
    whole = sum(_FLAGS[name] for name in known) == int(flags)
    return "|".join(known) if whole else f"{int(flags):#x}"


def slot_text(spec: MapSpec, index: int, held: str, btf: Btf | None) -> str:
    """``.slot MAP INDEX NAME``; of a struct_ops map the index is a member: ``.init``."""
    where = str(index)
    if spec.type is MapType.STRUCT_OPS and btf is not None:
        names = {offset: name for name, offset in member_offsets(btf, spec.value_type_id).items()}
        where = f".{names[index]}" if index in names else where
    return f".slot {name_text(spec.name)} {where} {name_text(held)}"


def member_offsets(btf: Btf, type_id: int) -> Mapping[str, int]:
    """The plainly named members of a struct: byte offsets by name."""
    try:
        _, row = btf.resolve(type_id) if type_id else (0, None)
    except BtfError:
        return {}
    members = row.members if isinstance(row, Struct) else ()
    return {
        member.name: member.bit_offset // 8
        for member in members
        if name_text(f".{member.name}") == f".{member.name}" and not member.bit_offset % 8
    }
