"""CO-RE on types made by hand: paths, names, candidates, and the answers of every kind."""

from __future__ import annotations

import time

import pytest

from beebox.btf.core_access import essential_name, parse_access
from beebox.btf.core_candidates import Candidates
from beebox.btf.core_match import types_compatible, types_match
from beebox.btf.core_relocations import Absent, Relocated, Undecided, Value, calculate
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    FuncProto,
    Int,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
    Type,
    Typedef,
)
from beebox.errors import BtfError
from beebox.tables.core_relocations import CoreKind

INT = Int("int", 4, 32, signed=True)
UNSIGNED = Int("unsigned int", 4, 32)
LONG = Int("unsigned long", 8, 64)


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("task_struct___", "task_struct___"),
        ("___hidden", "___hidden"),
        ("a____b", "a____b"),
        ("a___b____c", "a"),
        ("a_b__c", "a_b__c"),
        ("a___b", "a"),
        ("", ""),
    ],
)
def test_flavours(name: str, essential: str) -> None:
    assert essential_name(name) == essential


LOCAL = Btf(
    (
        INT,
        UNSIGNED,
        LONG,
        Array(1, 2, 4),
        Struct("", 8, (Member("x", 1, 0), Member("y", 2, 32)), union=False),
        Struct(
            "sample",
            40,
            (
                Member("first", 1, 0),
                Member("", 5, 32),
                Member("many", 4, 96),
                Member("low", 2, 224, 5),
                Member("flags", 2, 229, 3),
                Member("more", 8, 256),
            ),
        ),
        Enum("mode", 4, (("OFF", 0), ("ON", 1))),
        Array(3, 2, 0),
        Modifier("const", 6),
        Typedef("sample_t", 9),
    )
)


@pytest.mark.parametrize(
    ("access", "bits", "text"),
    [
        ("0", 0, "struct sample"),
        ("2", 640, "struct sample[2]"),
        ("0:0", 0, "struct sample.first"),
        ("0:1:1", 64, "struct sample.y"),
        ("0:2:3", 192, "struct sample.many[3]"),
        ("1:4", 549, "struct sample[1].flags"),
        ("0:5:9", 832, "struct sample.more[9]"),
    ],
)
def test_paths(access: str, bits: int, text: str) -> None:
    found = parse_access(LOCAL, CoreKind.FIELD_BYTE_OFFSET, 6, access)
    assert found.bit_offset == bits
    assert str(found) == text
    assert found.raw == tuple(map(int, access.split(":")))


@pytest.mark.parametrize(
    ("kind", "type_id", "access"),
    [
        (CoreKind.FIELD_EXISTS, 6, ""),
        (CoreKind.FIELD_EXISTS, 6, ":0"),
        (CoreKind.FIELD_EXISTS, 6, "0:-1"),
        (CoreKind.FIELD_EXISTS, 6, "0:6"),
        (CoreKind.FIELD_EXISTS, 6, "0:0:0"),
        (CoreKind.FIELD_EXISTS, 6, "0:2:4"),
        (CoreKind.FIELD_EXISTS, 6, "999999999:5:999999999"),
        (CoreKind.FIELD_EXISTS, 6, ":".join(["0"] * 65)),
        (CoreKind.FIELD_EXISTS, 99, "0"),
        (CoreKind.TYPE_EXISTS, 6, "0:1"),
        (CoreKind.TYPE_EXISTS, 99, "0"),
        (CoreKind.ENUMVAL_VALUE, 7, "2"),
        (CoreKind.ENUMVAL_VALUE, 7, "0:0"),
        (CoreKind.ENUMVAL_VALUE, 6, "0"),
    ],
)
def test_paths_that_lead_nowhere(kind: CoreKind, type_id: int, access: str) -> None:
    with pytest.raises(BtfError):
        parse_access(LOCAL, kind, type_id, access)


def test_an_array_in_front_of_the_end_has_its_length() -> None:
    types = Btf((INT, Array(1, 1, 0), Struct("s", 4, (Member("a", 2, 0), Member("b", 1, 0)))))
    with pytest.raises(BtfError):
        parse_access(types, CoreKind.FIELD_BYTE_OFFSET, 3, "0:0:0")


def answer(
    kind: CoreKind, target: Btf, type_id: int = 6, access: str = "0", **more: object
) -> Value | Absent | None:
    found = calculate(Candidates(LOCAL, target, **more), kind, type_id, access)  # type: ignore[arg-type]
    return found.result if isinstance(found, Relocated) else None


TARGET = Btf(
    (
        INT,
        UNSIGNED,
        LONG,
        Array(3, 2, 2),
        Struct("", 16, (Member("first", 1, 0), Member("y", 3, 64))),
        Struct(
            "sample___6_18",
            64,
            (
                Member("added", 3, 0),
                Member("", 5, 64),
                Member("many", 4, 192),
                Member("flags", 2, 330, 2),
                Member("low", 2, 332, 5),
            ),
        ),
        Enum("mode", 4, (("ON", 7), ("ALSO", 0xFFFFFFFF))),
    )
)


@pytest.mark.parametrize(
    ("kind", "access", "expected"),
    [
        (CoreKind.FIELD_BYTE_OFFSET, "0:0", Value(0, 8, old_size=4, new_size=4)),
        (CoreKind.FIELD_BYTE_OFFSET, "0:1:1", Value(8, 16, old_size=4, new_size=8)),
        (CoreKind.FIELD_BYTE_SIZE, "0:1:1", Value(4, 8)),
        (CoreKind.FIELD_EXISTS, "0:1:0", Value(1, 0)),
        (CoreKind.FIELD_EXISTS, "0:2:1", Value(1, 1)),
        (CoreKind.FIELD_EXISTS, "0:2:2", Value(1, 0)),
        (CoreKind.FIELD_SIGNED, "0:0", Value(1, 1)),
        (CoreKind.FIELD_SIGNED, "0:1:1", Value(0, 0)),
        (CoreKind.FIELD_BYTE_OFFSET, "0:4", Value(28, 40, any_old=True)),
        (CoreKind.FIELD_BYTE_SIZE, "0:4", Value(4, 4, any_old=True)),
        (CoreKind.FIELD_LSHIFT_U64, "0:4", Value(56, 52, any_old=True)),
        (CoreKind.FIELD_RSHIFT_U64, "0:4", Value(61, 62)),
        (CoreKind.TYPE_EXISTS, "0", Value(1, 1)),
        (CoreKind.TYPE_MATCHES, "0", Value(1, 0)),
        (CoreKind.TYPE_SIZE, "0", Value(40, 64)),
        (CoreKind.TYPE_ID_TARGET, "0", Value(6, 6, any_old=True)),
        (CoreKind.TYPE_ID_LOCAL, "0", Value(6, 6, any_old=True)),
    ],
)
def test_answers(kind: CoreKind, access: str, expected: Value) -> None:
    assert answer(kind, TARGET, access=access) == expected


def test_enumerators() -> None:
    assert answer(CoreKind.ENUMVAL_VALUE, TARGET, 7, "1") == Value(1, 7)
    assert answer(CoreKind.ENUMVAL_EXISTS, TARGET, 7, "0") == Value(1, 0)
    assert isinstance(answer(CoreKind.ENUMVAL_VALUE, TARGET, 7, "0"), Absent)


def test_shifts_of_big_endian_programs() -> None:
    found = answer(CoreKind.FIELD_LSHIFT_U64, TARGET, access="0:4", modules={}, byte_order="big")
    assert found == Value(32 + 5, 32 + 10, any_old=True)


def test_a_field_of_another_size_is_only_resized_where_that_keeps_its_value() -> None:
    signed = Btf((Int("int", 8, 64, signed=True), Struct("sample", 8, (Member("first", 1, 0),))))
    found = answer(CoreKind.FIELD_BYTE_OFFSET, signed, access="0:0")
    assert isinstance(found, Value)
    assert found.resize
    bits = Btf((INT, UNSIGNED, Struct("sample", 8, (Member("y", 2, 0, 3),))))
    found = answer(CoreKind.FIELD_BYTE_OFFSET, bits, access="0:1:1")
    assert isinstance(found, Value)
    assert found.resize


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ((INT,), "struct sample"),
        ((INT, Struct("sample", 4, (Member("other", 1, 0),))), "first"),
        ((Struct("sample", 8, (Member("first", 2, 0),)), Ptr(0)), "first"),
        ((INT, Struct("sample", 4, (Member("first", 1, 0),), union=True)), "struct sample"),
    ],
)
def test_why_a_field_is_not_there(rows: tuple[Type, ...], named: str) -> None:
    found = answer(CoreKind.FIELD_BYTE_OFFSET, Btf(rows), access="0:0")
    assert isinstance(found, Absent)
    assert named in found.why


def sample(name: str, at: int) -> Struct:
    return Struct(name, 64, (Member("first", 1, 8 * at),))


def test_candidates_must_agree() -> None:
    same = Btf((INT, sample("sample", 8), sample("sample___also", 8)))
    assert answer(CoreKind.FIELD_BYTE_OFFSET, same, access="0:0") == Value(0, 8, False, 4, 4)
    apart = Btf((INT, sample("sample", 8), sample("sample___also", 12)))
    candidates = Candidates(LOCAL, apart)
    assert isinstance(calculate(candidates, CoreKind.FIELD_BYTE_OFFSET, 6, "0:0"), Undecided)
    assert isinstance(calculate(candidates, CoreKind.TYPE_ID_TARGET, 6, "0"), Undecided)
    assert isinstance(calculate(candidates, CoreKind.TYPE_EXISTS, 6, "0"), Relocated)


def test_a_choice_binds_what_follows() -> None:
    one = Struct("sample", 64, (Member("first", 1, 64),))
    other = Struct("sample", 64, (Member("y", 2, 64), Member("first", 1, 96)))
    candidates = Candidates(LOCAL, Btf((INT, UNSIGNED, one, other)))
    assert isinstance(calculate(candidates, CoreKind.FIELD_BYTE_OFFSET, 6, "0:0"), Undecided)
    assert isinstance(calculate(candidates, CoreKind.FIELD_BYTE_OFFSET, 6, "0:1:1"), Relocated)
    found = calculate(candidates, CoreKind.FIELD_BYTE_OFFSET, 6, "0:0")
    assert isinstance(found, Relocated)
    assert found.result == Value(0, 12, False, 4, 4)
    assert [match.candidate.type_id for match in found.matches] == [4]


def test_modules_count_where_the_kernel_has_none() -> None:
    kernel = Btf((INT,))
    module = Btf((sample("sample", 16),), kernel)
    found = calculate(
        Candidates(LOCAL, kernel, {"mod": module}), CoreKind.FIELD_BYTE_OFFSET, 6, "0:0"
    )
    assert isinstance(found, Relocated)
    assert found.result == Value(0, 16, False, 4, 4)
    assert [(match.candidate.module, match.candidate.type_id) for match in found.matches] == [
        ("mod", 2)
    ]
    kernel = Btf((INT, sample("sample", 8)))
    module = Btf((sample("sample", 16),), kernel)
    assert answer(
        CoreKind.FIELD_BYTE_OFFSET, kernel, access="0:0", modules={"mod": module}
    ) == Value(0, 8, False, 4, 4)


def test_types_without_a_name_are_refused() -> None:
    with pytest.raises(BtfError):
        calculate(Candidates(LOCAL, TARGET), CoreKind.FIELD_BYTE_OFFSET, 5, "0:0")


def test_elements_have_neither_sign_nor_shifts() -> None:
    candidates = Candidates(LOCAL, LOCAL)
    assert isinstance(calculate(candidates, CoreKind.FIELD_SIGNED, 6, "0:2:1"), Undecided)


def ladder(rows: int, *, names: bool) -> Btf:
    """Structs that each hold the next one twice: 2 ** rows ways to the last."""
    types: list[Type] = [INT]
    for at in range(rows):
        name = (f"a{at}", f"b{at}") if names else ("", "")
        inner = len(types) + 2 if at + 1 < rows else 1
        last = Member(name[1] or ("end" if at + 1 == rows else ""), inner, 0)
        types.append(Struct("sample" if not at else f"s{at}", 4, (Member(name[0], inner, 0), last)))
    return Btf(tuple(types))


def test_types_that_meet_many_times_are_walked_once() -> None:
    start = time.perf_counter()
    deep = ladder(30, names=True)
    assert types_match(deep, 2, deep, 2)
    anonymous = ladder(60, names=False)
    assert isinstance(answer(CoreKind.FIELD_BYTE_OFFSET, anonymous, access="0:0"), Absent)
    functions: list[Type] = [INT]
    for _ in range(30):
        last = len(functions)
        functions.append(FuncProto(last, (Param("", last), Param("", last))))
    table = Btf(tuple(functions))
    assert types_compatible(table, len(table), table, len(table))
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "rows",
    [
        (INT, Struct("sample", 4, (Member("x", 2, 0),))),
        (INT, FuncProto(0, (Param("", 3),)), Ptr(2)),
        (INT, Typedef("a", 3), Typedef("b", 2)),
    ],
)
def test_types_without_end(rows: tuple[Type, ...]) -> None:
    table = Btf(rows)
    with pytest.raises(BtfError):
        types_match(table, 2, table, 2)


def test_candidates_without_end() -> None:
    """Thousands of types of one name, asked for by thousands of relocations."""
    table = Btf(
        (INT, *(Struct("s", 4, (Member("a", 1, 0), Member("", 1, 8 * at))) for at in range(3000)))
    )
    candidates = Candidates(table, table)
    kind = CoreKind.FIELD_EXISTS
    outcomes = [calculate(candidates, kind, type_id, "0:0") for type_id in range(2, 102)]
    assert isinstance(outcomes[0], Relocated)
    assert isinstance(outcomes[-1], Undecided)


def test_a_bitfield_of_no_size() -> None:
    table = Btf((Enum("e", 0, (("A", 0),)), Struct("s", 4, (Member("a", 1, 0, 3),))))
    found = calculate(Candidates(table, table), CoreKind.FIELD_BYTE_OFFSET, 2, "0:0")
    assert isinstance(found, Undecided)


def test_fields_of_many_candidates_are_bounded() -> None:
    fields = tuple(Member(f"f{number}", 1, 0) for number in range(20_000))
    shared = Struct("", 4, fields, union=True)
    many = tuple(Struct("sample", 4, (Member("", 2, 0),)) for _ in range(10_000))
    target = Btf((INT, shared, *many))
    local = Btf((INT, Struct("sample", 4, (Member("f1", 1, 0),))))
    start = time.perf_counter()
    outcome = calculate(Candidates(local, target), CoreKind.FIELD_BYTE_OFFSET, 2, "0:0")
    assert isinstance(outcome, Undecided)
    assert time.perf_counter() - start < 2
