"""Parsers are total: mutated objects and types end in a value or an InputError, in bounded time."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beebox.btf import codec, ext, values
from beebox.btf.strings import Strings
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Int,
    Member,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
)
from beebox.errors import BtfError, InputError
from beebox.obj import reader


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    strings = Strings(b"\0xdp\0")
    for parse in (reader.read, codec.parse, partial(ext.parse, strings=strings)):
        with pytest.raises(InputError):
            parse(data)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_types_behind_a_good_header(types: bytes, names: bytes) -> None:
    text = b"\0" + names + b"\0"
    head = codec.HEADER.pack(codec.MAGIC, 1, 0, 24, 0, len(types), len(types), len(text))
    try:
        btf = codec.parse(head + types + text)
    except BtfError:
        return
    assert codec.parse(codec.encode(btf)) == btf
    for type_id in range(len(btf) + 1):
        try:
            size = btf.size_of(type_id)
            if size < 4096:
                values.decode(btf, type_id, bytes(size))
        except BtfError:
            continue


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Btf, int, object]:
    """A type built from nested structs, arrays and scalars, with a value that fits it."""
    types: list[Type] = []

    def add(row: Type) -> int:
        types.append(row)
        return len(types)

    def build(depth: int) -> tuple[int, int, object]:
        kind = draw(st.sampled_from(["int", "enum", "ptr"] + ["array", "struct"] * (depth < 3)))
        match kind:
            case "int":
                size, signed = draw(st.sampled_from([1, 2, 4, 8])), draw(st.booleans())
                low = -(1 << (8 * size - 1)) if signed else 0
                value = draw(st.integers(low, low + (1 << 8 * size) - 1))
                return add(Int(f"i{size}", size, 8 * size, signed=signed)), size, value
            case "enum":
                return add(Enum("e", 4, (("A", 0), ("B", 9)))), 4, draw(st.sampled_from("AB"))
            case "ptr":
                return add(Ptr(0)), 8, draw(st.integers(0, (1 << 64) - 1))
            case "array":
                element, size, value = build(depth + 1)
                count = draw(st.integers(0, 3))
                return add(Array(element, 0, count)), size * count, [value] * count
            case _:
                members: list[Member] = []
                fields: dict[str, object] = {}
                at = 0
                for index in range(draw(st.integers(0, 4))):
                    target, size, value = build(depth + 1)
                    members.append(Member(f"m{index}", target, 8 * at))
                    fields[f"m{index}"] = value
                    at += size
                return add(Struct("s", at, tuple(members))), at, fields

    type_id, _, value = build(0)
    type_id = add(Modifier("const", add(Typedef("t", type_id))))
    return Btf(tuple(types)), type_id, value


@given(typed_values())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_values_come_back(case: tuple[Btf, int, object]) -> None:
    btf, type_id, value = case
    data = values.encode(btf, type_id, value)
    assert len(data) == btf.size_of(type_id)
    assert values.decode(btf, type_id, data) == value
    assert codec.parse(codec.encode(btf)) == btf
