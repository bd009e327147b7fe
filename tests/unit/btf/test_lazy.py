"""Types decoded on access: equal to those read at once, checked late, found by name; split BTF."""

from __future__ import annotations

import struct

import pytest

from beebox.btf import codec, lazy
from beebox.btf.strings import Strings, StringTable
from beebox.btf.types import (
    Btf,
    Enum,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Modifier,
    Ptr,
    Struct,
    Typedef,
    name_of,
)
from beebox.btf.wire import Kind
from beebox.errors import BtfError

TABLE = Btf(
    (
        Int("int", 4, 32, signed=True),
        Struct("node", 16, (Member("next", 3, 0), Member("value", 1, 64))),
        Ptr(2),
        Typedef("node", 2),
        Enum("mode", 4, (("OFF", 0), ("ON", 1))),
        FuncProto(1, ()),
        Func("run_node", 6),
        Fwd("node___old"),
    )
)


def raw(types: bytes, strings: bytes) -> bytes:
    head = (0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return struct.pack("<HBBIIIII", *head) + types + strings


def test_it_equals_the_table_read_at_once() -> None:
    data = codec.encode(TABLE)
    assert codec.view(data) == codec.parse(data) == TABLE
    assert hash(codec.view(data)) == hash(TABLE)
    assert codec.view(data) != codec.view(codec.encode(Btf(TABLE.types[:5])))
    assert codec.encode(codec.view(data)) == data


@pytest.mark.parametrize("btf", [TABLE, codec.view(codec.encode(TABLE))], ids=["rows", "lazy"])
def test_both_forms_answer_alike(btf: Btf) -> None:
    assert btf.named("node") == (2, 4)
    assert btf.named("") == ()
    assert btf.named("nod") == ()
    assert btf.named("nowhere") == ()
    assert btf.kinded("node", Struct) == (2,)
    assert btf.kinded("node", Struct, Typedef) == (2, 4)
    assert btf.prefixed("node") == (2, 4, 8)
    assert btf.prefixed("node___") == (8,)
    assert btf.of_kind(Kind.PTR, Kind.FWD) == (3, 8)
    assert btf.resolve(4) == (2, TABLE.types[1])
    assert btf.size_of(4) == 16
    assert btf.types[-1] == TABLE.types[-1]
    assert tuple(btf.types[2:4]) == TABLE.types[2:4]
    assert list(btf.items()) == list(enumerate(TABLE.types, 1))
    for type_id in (9, -1):
        with pytest.raises(BtfError):
            btf.type(type_id)


def test_a_name_may_begin_inside_of_a_string() -> None:
    """`node` is the tail of `run_node` here: writers may share tails."""
    types = struct.pack("<IIIIII", 5, 7 << 24, 0, 1, 7 << 24, 0)
    btf = codec.view(raw(types, b"\0run_node\0"))
    assert btf.named("node") == (1,)
    assert btf.named("run_node") == (2,)


def test_many_lookups_find_what_few_find() -> None:
    btf = codec.view(codec.encode(TABLE))
    first = [btf.named(name) for name in ("node", "int", "mode", "run_node", "absent")]
    for _ in range(lazy._LOOKUPS_BY_SEARCH + 1):
        assert [btf.named(name) for name in ("node", "int", "mode", "run_node", "absent")] == first


def test_a_table_of_many_equal_names() -> None:
    """More places of a text than are worth a search each."""
    names = b"\0" + b"".join(b"x%02d_tail\0" % i for i in range(40))
    types = b"".join(struct.pack("<III", 5 + 9 * i, 7 << 24, 0) for i in range(40))
    assert codec.view(raw(types, names)).named("tail") == tuple(range(1, 41))


def test_what_a_type_says_is_checked_when_it_is_asked_for() -> None:
    types = struct.pack("<IIIIII", 0, 2 << 24, 0, 0, 2 << 24, 7)
    btf = codec.view(raw(types, b"\0"))
    assert btf.type(1) == Ptr(0)
    with pytest.raises(BtfError) as caught:
        btf.type(2)
    assert caught.value.type_id == 2
    with pytest.raises(BtfError):
        codec.parse(raw(types, b"\0"))


@pytest.mark.parametrize(
    "types",
    [
        struct.pack("<III", 0, 31 << 24, 0),
        struct.pack("<III", 0, 0, 0),
        struct.pack("<III", 0, 4 << 24 | 1, 0),
        struct.pack("<II", 0, 2 << 24),
        struct.pack("<I", 0),
        b"\0\0\0",
    ],
)
def test_types_that_do_not_fit_the_section_are_refused_at_once(types: bytes) -> None:
    with pytest.raises(BtfError):
        codec.view(raw(types, b"\0"))


def test_an_index_of_another_section_gives_errors_only() -> None:
    data = codec.encode(TABLE)
    types = codec.view(data).types
    assert isinstance(types, lazy.LazyTypes)
    kept = types.kept()
    again = codec.view(data, index=kept)
    assert again == TABLE
    for name in {name_of(row) for row in TABLE.types} | {"", "nothing"}:
        assert again.named(name) == TABLE.named(name)
    with pytest.raises(BtfError):
        codec.view(codec.encode(Btf(TABLE.types[:2])), index=kept)
    with pytest.raises(BtfError):
        codec.view(data, index=kept[:-1])
    other = Btf((Enum("e", 4, tuple((f"V{i}", i) for i in range(40))),))
    with pytest.raises(BtfError):
        tuple(codec.view(codec.encode(other), index=kept).types)


def test_big_endian_gives_the_same_values() -> None:
    data = codec.encode(TABLE, byte_order="big")
    assert data[:8] == bytes.fromhex("eb9f010000000018")
    assert codec.parse(data) == codec.view(data) == TABLE


MODULE = Btf((Struct("probe", 8, (Member("at", 3, 0),)), Modifier("const", 9)), TABLE)
"""Split BTF: its first id is 9."""


def test_split_ids_continue_behind_the_base() -> None:
    assert (MODULE.first_id, len(MODULE)) == (9, 10)
    assert [type_id for type_id, _ in MODULE.items()] == [9, 10]
    assert MODULE.type(2) == TABLE.types[1]
    assert MODULE.type(9) == MODULE.types[0]
    assert MODULE.resolve(10) == (9, MODULE.types[0])
    assert MODULE.size_of(9) == 8
    with pytest.raises(BtfError):
        MODULE.type(11)


def test_split_btf_both_ways() -> None:
    own = Btf((*MODULE.types, Typedef("node", 4), Fwd("run_node")), TABLE)
    data = codec.encode(own)
    for base in (TABLE, codec.view(codec.encode(TABLE))):
        again = codec.view(data, base)
        assert again == own
        assert codec.parse(data, base) == own
        assert again.named("node") == (2, 4, 11)
        assert again.kinded("node", Typedef) == (4, 11)
        assert again.prefixed("run") == (7, 12)
        assert again.of_kind(Kind.FWD) == (12,)


def test_split_strings_are_addressed_behind_the_bases() -> None:
    base = codec.parse(codec.encode(TABLE))
    assert base.strings is not None
    end = base.strings.end
    own = Btf((Typedef("node", 1), Typedef("probe", 1)), base)
    data = codec.encode(own)
    known = base.strings.data.index(b"\0node\0") + 1
    assert data[24:48] == struct.pack("<IIIIII", known, 8 << 24, 1, end, 8 << 24, 1)
    assert data[48:] == b"probe\0"


def test_split_on_top_of_split() -> None:
    middle = codec.parse(codec.encode(MODULE), TABLE)
    top = Btf((Typedef("probe", 9), Typedef("more", 2)), middle)
    data = codec.encode(top)
    assert codec.parse(data, middle) == top
    assert data.endswith(b"more\0")
    assert b"probe" not in data
    assert top.named("probe") == (9, 11)


def test_split_btf_without_its_base_is_refused() -> None:
    with pytest.raises(BtfError):
        codec.parse(codec.encode(MODULE))


def test_a_table_continues_its_base() -> None:
    base = Strings(b"\0a\0")
    table = StringTable(base=base)
    assert (table.add("a"), table.add("b"), table.add("")) == (1, 3, 0)
    assert table.data() == b"b\0"
    again = Strings(table.data(), base)
    assert (again.name(1), again.name(3), again.name(0), again.end) == ("a", "b", "", 5)
    with pytest.raises(BtfError):
        again.name(5)
