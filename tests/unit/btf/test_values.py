"""Python values by BTF type: both ways, ranges, and bounds on hostile types."""

from __future__ import annotations

import pytest

from beebox.btf import values
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    Int,
    Member,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

TABLE = Btf(
    (
        Int("unsigned int", 4, 32),
        Int("short", 2, 16, signed=True),
        Int("_Bool", 1, 8, boolean=True),
        Int("char", 1, 8, signed=True),
        Array(4, 1, 8),
        Array(1, 1, 3),
        Enum("colour", 4, (("RED", -1), ("GREEN", 7)), signed=True),
        Float("double", 8),
        Ptr(0),
        Struct("pair", 8, (Member("a", 1, 0), Member("b", 2, 32))),
        Struct("", 4, (Member("port", 2, 0), Member("parts", 6, 0)), union=True),
        Struct("bits", 4, (Member("low", 1, 0, 3), Member("sign", 2, 3, 4), Member("c", 7, 7, 4))),
        Struct("outer", 12, (Member("pair", 10, 0), Member("", 14, 64))),
        Struct("", 4, (Member("inner", 1, 0),), union=True),
        Typedef("number", 16),
        Modifier("const", 1),
        Var("v", 15),
    )
)


@pytest.mark.parametrize(
    ("type_id", "value", "data"),
    [
        (1, 0xFFFFFFFF, b"\xff\xff\xff\xff"),
        (2, -2, b"\xfe\xff"),
        (3, True, b"\x01"),
        (5, "eth0", b"eth0\0\0\0\0"),
        (5, b"a\0b\0\0\0\0\0", b"a\0b\0\0\0\0\0"),
        (5, b"\xff" * 8, b"\xff" * 8),
        (6, [1, 2, 3], b"\1\0\0\0\2\0\0\0\3\0\0\0"),
        (7, "RED", b"\xff\xff\xff\xff"),
        (7, 3, b"\3\0\0\0"),
        (8, -0.5, b"\0\0\0\0\0\0\xe0\xbf"),
        (9, 1 << 63, b"\0\0\0\0\0\0\0\x80"),
        (10, {"a": 5, "b": -1}, b"\5\0\0\0\xff\xff\0\0"),
        (12, {"low": 5, "sign": -1, "c": "GREEN"}, bytes([0x05 | 0x78 | 0x80, 0x03, 0, 0])),
        (13, {"pair": {"a": 1, "b": 2}, "inner": 9}, b"\1\0\0\0\2\0\0\0\x09\0\0\0"),
        (17, 77, b"\x4d\0\0\0"),
    ],
)
def test_both_ways(type_id: int, value: values.Value, data: bytes) -> None:
    assert values.decode(TABLE, type_id, data) == value
    assert values.encode(TABLE, type_id, value) == data


def test_what_is_left_out_is_zero() -> None:
    assert values.encode(TABLE, 10, {"b": 1}) == b"\0\0\0\0\1\0\0\0"
    assert values.encode(TABLE, 6, [4]) == b"\4" + bytes(11)
    assert values.encode(TABLE, 10, bytes(range(8))) == bytes(range(8))


def test_a_boolean_that_is_neither() -> None:
    assert values.decode(TABLE, 3, b"\x05") == 5


@pytest.mark.parametrize(
    ("type_id", "value"),
    [
        (1, -1),
        (1, 1 << 32),
        (2, 40_000),
        (1, "1"),
        (1, 1.0),
        (5, "longer than 8"),
        (6, [1, 2, 3, 4]),
        (6, "abc"),
        (7, "BLUE"),
        (10, {"c": 1}),
        (10, [1, 2]),
        (11, {"port": 1, "parts": [1]}),
        (12, {"low": 8}),
        (12, {"sign": 8}),
        (10, b"short"),
        (0, 1),
        (99, 1),
    ],
)
def test_values_that_do_not_fit(type_id: int, value: object) -> None:
    with pytest.raises(BtfError):
        values.encode(TABLE, type_id, value)


def test_the_size_must_agree() -> None:
    with pytest.raises(BtfError):
        values.decode(TABLE, 1, b"\0\0\0")


@pytest.mark.parametrize(
    "types",
    [
        # A struct that contains itself twice: 2 ** depth values.
        (Struct("s", 4, (Member("a", 1, 0), Member("b", 1, 0))),),
        (Typedef("a", 2), Typedef("b", 1)),
        # Elements without size, four billion of them.
        (Struct("empty", 0, ()), Array(1, 1, 0xFFFFFFFF)),
        (Array(1, 1, 1),),
    ],
)
def test_hostile_types_are_bounded(types: tuple[Type, ...]) -> None:
    table = Btf(types)
    last = len(types)
    with pytest.raises(BtfError):
        values.decode(table, last, bytes(table.size_of(last)))


@pytest.mark.parametrize("outside", [Member("a", 1, 8), Member("a", 1, 3)])
def test_members_outside_are_refused(outside: Member) -> None:
    table = Btf((Int("unsigned int", 4, 32), Struct("s", 4, (outside,))))
    with pytest.raises(BtfError):
        values.decode(table, 2, bytes(4))
    with pytest.raises(BtfError):
        values.encode(table, 2, {"a": 1})
