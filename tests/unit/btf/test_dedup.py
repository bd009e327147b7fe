"""Tables put together and every type in them once: by hand, then against libbpf."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from c_objects import compile_c
from libbpf import dedup as libbpf_dedup
from libbpf import needs_libbpf

from beebox.btf import codec, dedup, kernel
from beebox.btf.dedup import concatenate
from beebox.btf.remap import remapped
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError
from beebox.obj.elf import read as read_elf

INT = Int("int", 4, 32, signed=True)


def merged(*tables: Sequence[Type]) -> tuple[Type, ...]:
    table, _ = dedup.dedup(concatenate([Btf(tuple(rows)) for rows in tables])[0])
    return tuple(table.types)


def test_concatenation_moves_ids() -> None:
    one, two = Btf((INT, Ptr(1))), Btf((Ptr(0), Ptr(3), Struct("s", 8, (Member("a", 1, 0),))))
    table, offsets = concatenate([one, two, Btf(), one])
    assert offsets == (0, 2, 5, 5)
    assert tuple(table.types[2:]) == (
        Ptr(0),
        Ptr(5),
        Struct("s", 8, (Member("a", 3, 0),)),
        INT,
        Ptr(6),
    )
    assert concatenate([]) == (Btf(), ())


def test_concatenation_on_a_base() -> None:
    base = Btf((INT, Ptr(1)))
    table, offsets = concatenate([Btf((Ptr(2),), base), Btf((Ptr(1), Ptr(3)), base)])
    assert table == Btf((Ptr(2), Ptr(1), Ptr(4)), base)
    assert offsets == (0, 1)
    with pytest.raises(BtfError):
        concatenate([Btf((Ptr(0),)), Btf((Ptr(0),), base)])


EVERY: tuple[Type, ...] = (
    INT,
    Float("double", 8),
    Enum("e", 4, (("A", 0),)),
    Enum("w", 8, (("B", 1 << 40),), is64=True),
    Fwd("unknown"),
    Ptr(7),
    Struct("node", 24, (Member("next", 6, 0), Member("more", 8, 64), Member("bits", 1, 128, 3))),
    Array(9, 1, 2),
    Struct("", 4, (Member("a", 1, 0), Member("b", 2, 0)), union=True),
    Typedef("node_t", 7),
    Modifier("const", 10),
    Modifier("volatile", 11),
    Modifier("restrict", 6),
    Modifier("type_tag", 1, "user"),
    FuncProto(1, (Param("n", 6), Param("", 0))),
    Func("walk", 15, Linkage.STATIC),
    DeclTag("tag", 7),
    DeclTag("tag", 7, 1),
    DeclTag("tag", 16, 0),
)


def test_every_kind_is_there_once() -> None:
    assert merged(EVERY) == EVERY
    assert merged(EVERY, EVERY, EVERY) == EVERY


def test_in_another_order() -> None:
    """The second table is the first one with its rows reversed."""
    last = len(EVERY) + 1
    turned = [remapped(row, lambda type_id: last - type_id) for row in reversed(EVERY)]
    assert merged(EVERY, turned) == EVERY


def test_ids_tell_where_each_type_went() -> None:
    table, _ = concatenate([Btf((INT, Ptr(1))), Btf((Ptr(2), INT, Ptr(0)))])
    once, ids = dedup.dedup(table)
    assert tuple(once.types) == (INT, Ptr(1), Ptr(0))
    assert ids == (0, 1, 2, 2, 1, 3)


def test_what_differs_stays_apart() -> None:
    rows: tuple[Type, ...] = (
        INT,
        Int("int", 8, 64, signed=True),
        Int("int", 4, 32),
        Struct("s", 4, (Member("a", 1, 0),)),
        Struct("s", 8, (Member("a", 1, 0),)),
        Struct("s", 4, (Member("b", 1, 0),)),
        Struct("s", 4, (Member("a", 1, 0),), union=True),
        Struct("s", 4, (Member("a", 3, 0),)),
        Enum("e", 4, (("A", 0),)),
        Enum("e", 4, (("A", 1),)),
        Modifier("type_tag", 1, "a"),
        Modifier("type_tag", 1, "b"),
        Func("f", 15, Linkage.STATIC),
        Func("f", 15, Linkage.GLOBAL),
        FuncProto(0, ()),
        FuncProto(0, (Param("", 0),)),
    )
    assert merged(rows, rows) == rows


def test_a_difference_far_away_keeps_structs_apart() -> None:
    def chain(end: Type) -> list[Type]:
        names = "abcdefgh"
        rows: list[Type] = []
        for at, name in enumerate(names):
            rows += [Struct(name, 8, (Member("next", 2 * at + 2, 0),)), Ptr(2 * at + 3)]
        return [*rows, end]

    short, long = chain(INT), chain(Int("int", 8, 64, signed=True))
    assert len(merged(short, short, long, long)) == len(short) + len(long)


def test_one_of_a_pair_of_lists_differs() -> None:
    """x -> y -> x, once over int and once over long: cycles do not make everything equal."""

    def pair(value: Type) -> list[Type]:
        return [
            value,
            Struct("x", 16, (Member("y", 3, 0), Member("v", 1, 64))),
            Ptr(4),
            Struct("y", 8, (Member("x", 5, 0),)),
            Ptr(2),
        ]

    one, two = pair(INT), pair(Int("long", 8, 64, signed=True))
    assert len(merged(one, two, one, two)) == 10


OPAQUE: tuple[Type, ...] = (Fwd("inner"), Ptr(1), Struct("outer", 8, (Member("p", 2, 0),)))
FULL: tuple[Type, ...] = (
    Struct("inner", 4, (Member("a", 2, 0),)),
    INT,
    Ptr(1),
    Struct("outer", 8, (Member("p", 3, 0),)),
)


def test_a_declaration_is_its_definition() -> None:
    assert merged(FULL, OPAQUE) == FULL
    once = merged(OPAQUE, FULL)
    assert len(once) == 4
    assert not [row for row in once if isinstance(row, Fwd)]
    assert merged(OPAQUE, FULL, OPAQUE, FULL) == once


def test_a_declaration_in_no_graph_is_the_only_definition_of_its_name() -> None:
    other: tuple[Type, ...] = (Fwd("inner"), Ptr(1), Fwd("inner", union=True), Fwd("elsewhere"))
    kept = (Fwd("inner", union=True), Fwd("elsewhere"))
    assert merged(FULL, other) == (*FULL, *kept)
    two = Struct("inner", 8, ())
    assert merged(FULL, [two], other) == (*FULL, two, Fwd("inner"), Ptr(6), *kept)


@pytest.mark.parametrize("is64", [False, True])
def test_an_enum_without_values_is_a_declaration(is64: bool) -> None:
    full = Enum("e", 8, (("A", 0),), is64=is64)
    declared = Enum("e", 0, ())
    assert merged([full, Ptr(1)], [declared, Ptr(1)]) == (full, Ptr(1))
    assert merged([declared, Ptr(1)], [full, Ptr(1)]) == (Ptr(2), full)
    other = Enum("f", 0, ())
    assert merged([full], [other]) == (full, other)


def test_structs_of_declared_and_full_enums_are_equal() -> None:
    def outer(enum: Enum) -> list[Type]:
        return [enum, Ptr(1), Struct("outer", 8, (Member("e", 2, 0),))]

    assert len(merged(outer(Enum("e", 0, ())), outer(Enum("e", 4, (("A", 0),))))) == 3


def test_variables_and_sections_stay() -> None:
    rows: tuple[Type, ...] = (INT, Var("v", 1), Datasec(".data", 4, (SectionVar(2, 0, 4),)))
    assert merged(rows, rows) == (
        *rows,
        Var("v", 1),
        Datasec(".data", 4, (SectionVar(4, 0, 4),)),
    )


def test_a_type_written_twice_in_one_table() -> None:
    """Compilers do that to arrays and small structs: both are the one of the other table."""
    single = [
        INT,
        Array(1, 1, 4),
        Struct("s", 32, (Member("a", 2, 0), Member("b", 2, 128))),
    ]
    double = [
        INT,
        Array(1, 1, 4),
        Array(1, 1, 4),
        Struct("s", 32, (Member("a", 2, 0), Member("b", 3, 128))),
    ]
    assert merged(single, double) == tuple(single)


def test_the_base_stays_as_it_is() -> None:
    base = Btf(EVERY)
    first = base.first_id + len(EVERY)
    own = [remapped(row, lambda type_id: type_id + len(EVERY)) for row in EVERY]
    new = Struct("mine", 8, (Member("n", first + 5, 0),))
    once, ids = dedup.dedup(Btf((*own, new), base))
    assert once == Btf((Struct("mine", 8, (Member("n", 6, 0),)),), base)
    assert ids == (*range(len(EVERY) + 1), *range(1, len(EVERY) + 1), len(EVERY) + 1)


def test_a_definition_does_not_change_a_base_that_only_declares_it() -> None:
    base = Btf(OPAQUE)
    own = tuple(remapped(row, lambda type_id: type_id + len(OPAQUE)) for row in FULL)
    once, _ = dedup.dedup(Btf(own, base))
    assert once == Btf(own, base)


@pytest.mark.parametrize(
    "rows",
    [
        (Ptr(1),),
        (Typedef("t", 2), Modifier("const", 1)),
        (FuncProto(2, ()), Ptr(1)),
        (INT, Array(2, 1, 1)),
    ],
)
def test_loops_without_a_struct_are_refused(rows: tuple[Type, ...]) -> None:
    with pytest.raises(BtfError):
        dedup.dedup(Btf(rows))


def test_references_out_of_the_table_are_refused() -> None:
    with pytest.raises(BtfError):
        dedup.dedup(Btf((Ptr(2),)))


def test_long_chains_need_no_deep_stack() -> None:
    depth = 30_000
    rows = [INT, *(Ptr(at + 1) for at in range(depth)), Struct("s", 8, (Member("p", depth, 0),))]
    assert merged(rows, rows) == tuple(rows)


def test_tangled_graphs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Structs that look alike as far as is looked, in pairs that all must be walked."""
    monkeypatch.setattr(dedup, "_STEPS", 10_000)
    rows: list[Type] = []
    for at in range(400):
        rows += [Typedef(f"t{at}", 0), *(Ptr(len(rows) + 1 + more) for more in range(3))]
        rows.append(Struct("s", 8, (Member("p", len(rows), 0),)))
    with pytest.raises(BtfError):
        dedup.dedup(Btf(tuple(rows)))
    monkeypatch.setattr(dedup, "_STEPS", 1_000_000)
    assert merged(rows) == tuple(rows)


SHARED = """
struct task; enum mode;
struct list { struct list *next, *prev; };
union value { int number; char text[16]; };
struct event { struct list link; struct task *task; enum mode *mode; union value value;
               int (*handler)(struct event *, void *); unsigned a : 3, b : 5; };
typedef struct { const struct event *volatile first; struct event ring[4]; } queue_t;
"""
PROGRAMS = (
    SHARED + "enum mode { OFF, ON }; struct own { queue_t q; enum mode m; };"
    "struct own one; __noinline int f(struct event *e) { return e->a; }"
    'SEC("xdp") int p1(void *c) { return f(one.q.ring); }',
    SHARED + "struct task { int pid; struct event *events; }; struct own { long other; };"
    "struct own two; struct task init; queue_t queue;"
    'SEC("tc") int p2(void *c) { return init.pid + two.other + !queue.first; }',
    "struct other { char first; };" + SHARED + "struct task { char comm[16]; struct other o; };"
    "struct event last; struct task mine;"
    'SEC("tc") int p3(void *c) { return last.b + mine.comm[0]; }',
    SHARED + 'queue_t queues[2] SEC(".data.queues");'
    'SEC("tc") int p4(void *c) { return queues[1].ring[0].value.number; }',
)


@needs_libbpf
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 2, 3), (3, 2, 1, 0), (0, 0, 1, 1, 2)])
def test_objects_as_libbpf_does(order: tuple[int, ...]) -> None:
    table, _ = concatenate([codec.parse(_btf_of(PROGRAMS[at])) for at in order])
    once, _ = dedup.dedup(table)
    (theirs,) = libbpf_dedup([(codec.encode(table), None)])
    assert theirs is not None
    assert codec.parse(theirs) == once
    assert len(once) < len(table)


def _btf_of(text: str) -> bytes:
    elf = read_elf(compile_c(text))
    return bytes(elf.sections[elf.find(".BTF") or 0].contents)


def random_table(rng: random.Random, count: int) -> Btf:
    """Rows as C could give them: what refers to later rows refers to structs."""
    structs = [at for at in range(1, count + 1) if rng.random() < 0.35]
    rows: list[Type] = []
    for at in range(1, count + 1):
        reach = structs + list(range(1, at))

        def ref(reach: list[int] = reach) -> int:
            return rng.choice(reach) if reach and rng.random() < 0.9 else 0

        name = rng.choice("abcd")
        if at in structs:
            members = tuple(Member(m, ref() or at, 64 * i) for i, m in enumerate("xyz"))
            size, union = 8 * rng.randint(0, 1), rng.random() < 0.2
            some = members[: rng.randint(0, 3)]
            rows.append(Struct(rng.choice((name, name, "")), size, some, union))
            continue
        choices: list[Type] = [
            Int(rng.choice(("int", "char")), 4, 32),
            Ptr(ref()),
            Ptr(ref()),
            Typedef(name, ref()),
            Modifier("const", ref()),
            Fwd(name, rng.random() < 0.2),
            Enum(name, 4, rng.choice([(), (("A", 0),), (("A", 1),)])),
            FuncProto(ref(), tuple(Param("p", ref()) for _ in range(rng.randint(0, 2)))),
            Array(ref(), ref(), rng.randint(1, 2)),
        ]
        rows.append(rng.choice(choices))
    return Btf(tuple(rows))


@needs_libbpf
@pytest.mark.parametrize("on_base", [False, True])
def test_random_graphs_as_libbpf_does(on_base: bool) -> None:
    tables: list[tuple[Btf, Btf | None]] = []
    for seed in range(700):
        rng = random.Random(seed)
        # as compilers give them: no type twice in one (newer versions of libbpf take more)
        parts = [
            dedup.dedup(random_table(rng, rng.randint(3, 14)))[0] for _ in range(rng.randint(1, 3))
        ]
        table, _ = concatenate([rng.choice(parts) for _ in range(rng.randint(1, 4))])
        base = parts[0] if on_base else None
        if base is not None:
            below = len(base)

            known = {0} | {at for at in range(1, below + 1) if rng.random() < 0.1}

            def moved(type_id: int, below: int = below, known: set[int] = known) -> int:
                return type_id if type_id in known else type_id + below

            table = Btf(tuple(remapped(row, moved) for row in table.types), base)
        tables.append((table, base))
    theirs = libbpf_dedup(
        [(codec.encode(own), base and codec.encode(base)) for own, base in tables]
    )
    for (own, base), data in zip(tables, theirs, strict=True):
        assert data is not None
        assert dedup.dedup(own)[0] == codec.parse(data, base)


@needs_libbpf
@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="the kernel has no BTF")
def test_structs_of_the_kernel_as_libbpf_does() -> None:
    """One copy of every type that a kernel's first 4000 need, twice."""
    whole = kernel.open_running()
    rows: list[Type] = []
    places: dict[int, int] = {}
    todo = list(range(4000, 0, -1))
    while todo and len(places) < 20_000:
        type_id = todo.pop()
        row = whole.type(type_id)
        if type_id in places or row is None:
            continue
        places[type_id] = len(places) + 1
        rows.append(row)
        remapped(row, lambda target: todo.append(target) or target)  # type: ignore[func-returns-value]
    cut = Btf(tuple(remapped(row, lambda target: places.get(target, 0)) for row in rows))
    twice, _ = concatenate([cut, cut])
    (theirs,) = libbpf_dedup([(codec.encode(twice), None)])
    assert theirs is not None
    assert dedup.dedup(twice)[0] == codec.parse(theirs)
