"""What is kept of a table for a relocation: the path, no more, and the same answer after it."""

from __future__ import annotations

import pytest

from beebox.btf import codec
from beebox.btf.core_candidates import Candidates
from beebox.btf.core_relocations import Absent, Relocated, calculate
from beebox.btf.minimise import Kept
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
from beebox.tables.core_relocations import CoreKind

INT = Int("int", 4, 32, signed=True)
LONG = Int("long int", 8, 64, signed=True)

WHOLE = Btf(
    (
        *(INT, LONG, Ptr(13)),
        Struct("big", 64, (Member("a", 1, 0), Member("p", 3, 64), Member("in", 5, 128))),
        Struct("", 16, (Member("x", 2, 0), Member("list", 6, 64))),
        *(Array(7, 1, 2), Typedef("word_t", 1)),
        Enum("e", 4, (("A", 1), ("B", 2))),
        *(Typedef("fn", 10), Ptr(11), FuncProto(1, (Param("b", 3),))),
        Modifier("const", 4),
        Struct("other", 8, (Member("x", 2, 0),)),
        *(Struct("flex", 4, (Member("n", 1, 0), Member("none", 15, 32), Member("z", 1, 32))),),
        Array(1, 1, 0),
    )
)


def decision(outcome: Relocated) -> object:
    """The answer; of an absent field not the words, which name what is left."""
    return "absent" if isinstance(outcome.result, Absent) else outcome.result


def kept(kind: CoreKind, type_id: int, access: str, local: Btf = WHOLE) -> Btf:
    """The part of WHOLE that one relocation touches, after its way through bytes."""
    part = Kept(WHOLE)
    outcome = calculate(Candidates(local, WHOLE), kind, type_id, access)
    assert isinstance(outcome, Relocated)
    part.add(kind, outcome)
    small = codec.parse(codec.encode(part.build()))
    again = calculate(Candidates(local, small), kind, type_id, access)
    assert isinstance(again, Relocated)
    if kind is not CoreKind.TYPE_ID_TARGET:
        assert decision(again) == decision(outcome)
    return small


def names(btf: Btf) -> list[str]:
    return [getattr(row, "name", "") or type(row).__name__ for row in btf.types]


def members(btf: Btf, name: str) -> list[str]:
    rows = [btf.type(i) for i in btf.kinded(name, Struct)]
    return [member.name for row in rows if isinstance(row, Struct) for member in row.members]


def test_a_field_keeps_its_path() -> None:
    small = kept(CoreKind.FIELD_BYTE_OFFSET, 4, "0:2:1:1")
    assert small.types == (
        INT,
        Struct("big", 64, (Member("in", 3, 128),)),
        Struct("", 16, (Member("list", 4, 64),)),
        Array(5, 1, 2),
        Typedef("word_t", 1),
    )


def test_a_pointer_field_leads_nowhere() -> None:
    small = kept(CoreKind.FIELD_EXISTS, 4, "0:1")
    assert small.types == (Ptr(0), Struct("big", 64, (Member("p", 1, 64),)))


def test_a_type_keeps_no_members_and_its_pointers() -> None:
    assert kept(CoreKind.TYPE_SIZE, 4, "0").types == (Struct("big", 64, ()),)
    small = kept(CoreKind.TYPE_EXISTS, 9, "0")
    assert names(small) == ["int", "Ptr", "fn", "Ptr", "FuncProto", "other"]
    assert members(small, "other") == []


def test_a_match_keeps_all_members_but_behind_pointers() -> None:
    small = kept(CoreKind.TYPE_MATCHES, 4, "0")
    assert members(small, "big") == ["a", "p", "in"]
    assert names(small) == ["int", "long int", "Ptr", "big", "Struct", "Array", "word_t", "other"]
    assert members(small, "other") == []


def test_an_enumerator_keeps_its_enum() -> None:
    assert kept(CoreKind.ENUMVAL_VALUE, 8, "1").types == (WHOLE.types[7],)


def test_the_id_of_a_type_is_that_of_the_part() -> None:
    assert names(kept(CoreKind.TYPE_ID_TARGET, 8, "0")) == ["e"]


@pytest.mark.parametrize(
    ("kind", "rows", "access"),
    [
        (CoreKind.FIELD_EXISTS, [Struct("big", 4, (Member("gone", 2, 0),)), INT], "0:0"),
        (CoreKind.FIELD_BYTE_OFFSET, [Struct("big", 4, (Member("gone", 2, 0),)), INT], "0:0"),
        (CoreKind.TYPE_EXISTS, [Struct("gone", 4, (Member("x", 2, 0),)), INT], "0"),
        (CoreKind.ENUMVAL_EXISTS, [Enum("e", 4, (("C", 1),))], "0"),
        (CoreKind.TYPE_ID_LOCAL, [Struct("big", 4, (Member("a", 2, 0),)), INT], "0"),
    ],
)
def test_what_is_not_found_keeps_nothing(kind: CoreKind, rows: list[Type], access: str) -> None:
    assert len(kept(kind, 1, access, Btf(tuple(rows)))) == 0


def test_every_candidate_that_matched_is_kept() -> None:
    """Or the first would decide alone, and bind later relocations of the type to itself."""
    one = Struct("s", 8, (Member("a", 1, 0), Member("b", 1, 32)))
    two = Struct("s", 8, (Member("a", 1, 0), Member("c", 1, 32)))
    whole = Btf((INT, one, two))
    local = Btf((INT, two))
    part = Kept(whole)
    answers = []
    for table in (whole, None):
        small = part.build() if table is None else table
        candidates = Candidates(local, small)
        for access in ("0:0", "0:1"):
            outcome = calculate(candidates, CoreKind.FIELD_BYTE_OFFSET, 2, access)
            assert isinstance(outcome, Relocated)
            answers.append(outcome.result)
            if table is not None:
                part.add(CoreKind.FIELD_BYTE_OFFSET, outcome)
    assert answers[:2] == answers[2:]
    assert len(part.build()) == 3


def test_an_array_without_length_does_not_become_the_last_member() -> None:
    """There it would be flexible, and each of its elements exist."""
    local = Btf(
        (INT, Struct("flex", 4, (Member("n", 1, 0), Member("none", 3, 32))), Array(1, 1, 0))
    )
    part = Kept(WHOLE)
    field = calculate(Candidates(local, WHOLE), CoreKind.FIELD_BYTE_OFFSET, 2, "0:1")
    assert isinstance(field, Relocated)
    part.add(CoreKind.FIELD_BYTE_OFFSET, field)
    results = [
        calculate(Candidates(local, btf), CoreKind.FIELD_EXISTS, 2, "0:1:3")
        for btf in (WHOLE, part.build())
    ]
    assert [type(each) for each in results] == [Relocated, Relocated]
    assert results[0].result == results[1].result
