"""Objects with very much of one thing: where careless code takes ages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

from beebox.btf import codec, ext
from beebox.btf.strings import StringTable
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Func,
    FuncProto,
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
from beebox.obj import elf
from beebox.obj.elf import (
    Relocation,
    RelocationType,
    Section,
    SectionFlag,
    SectionType,
    Symbol,
    SymbolBind,
    SymbolType,
)

INT: Final = Int("int", 4, 32, signed=True)
EXIT: Final = bytes.fromhex("b7000000000000009500000000000000")
MOVE: Final = EXIT[:8]
LOAD: Final = bytes.fromhex("18010000000000000000000000000000")
CALL: Final = bytes.fromhex("85100000ffffffff")
_FIRST: Final = 3
"""The section behind those that every object has."""


def an_object(
    types: Iterable[Type] = (),
    *,
    sections: Sequence[Section] = (),
    symbols: Sequence[Symbol] = (),
    relocations: Mapping[int, Sequence[Relocation]] | None = None,
    records: ext.Ext | None = None,
    code: bytes = EXIT,
) -> bytes:
    """One XDP program and a license; symbol 2 is the first given."""
    flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR
    all_sections = [
        Section("xdp", SectionType.PROGBITS, flags, code, align=8),
        Section("license", SectionType.PROGBITS, data=b"GPL\0"),
        *sections,
    ]
    rows = tuple(types)
    if rows:
        strings = StringTable()
        tables = ext.encode(records, strings) if records else b""
        encoded = codec.encode(Btf(rows), strings)
        all_sections.append(Section(".BTF", SectionType.PROGBITS, data=encoded))
        if tables:
            all_sections.append(Section(".BTF.ext", SectionType.PROGBITS, data=tables))
    prog = _function("prog", 1, 0, len(code))
    return elf.write(all_sections, [prog, *symbols], relocations or {})


def _function(name: str, section: int, at: int, size: int) -> Symbol:
    return Symbol(name, SymbolType.FUNC, SymbolBind.GLOBAL, section, at, size)


def _variable(name: str, section: int, at: int, size: int) -> Symbol:
    return Symbol(name, SymbolType.OBJECT, SymbolBind.GLOBAL, section, at, size)


def _extern(name: str) -> Symbol:
    return Symbol(name, SymbolType.NOTYPE, SymbolBind.GLOBAL, 0)


def chain(count: int, row: Callable[[int], Type]) -> list[Type]:
    """An int and rows that each refer to the one before."""
    return [INT, *(row(before) for before in range(1, count))]


def _types(part: int) -> dict[str, list[Type]]:
    """Tables of types alone."""
    many = 20_000 // part
    similar: list[Type] = [INT]
    for at in range(many // 4):
        similar += [Typedef(f"t{at}", 0), Ptr(2 + 4 * at), Ptr(3 + 4 * at)]
        similar.append(Struct("s", 4, (Member("a", 4 + 4 * at, 0),)))

    def struct(name: str, member: str, count: int) -> Callable[[int], Type]:
        return lambda before: Struct(
            name and name + str(before),
            4,
            tuple(Member(member and member + str(at), before, 0) for at in range(count)),
        )

    def proto(before: int) -> Type:
        return FuncProto(before, (Param("a", before), Param("b", before)))

    return {
        "typedefs": chain(many, lambda before: Typedef(f"t{before}", before)),
        "pointers": chain(many, Ptr),
        "arrays": chain(many, lambda before: Array(before, 1, 2)),
        "huge arrays": chain(60, lambda before: Array(before, 1, 0xFFFFFFFF)),
        "modifiers": chain(many, lambda before: Modifier("const", before)),
        "prototypes": chain(many // 4, proto),
        "structs in structs": chain(many // 8, struct("s", "m", 8)),
        "structs without names": chain(many // 8, struct("", "m", 8)),
        "structs inside": [*chain(many // 8, struct("", "", 8)), struct("top", "", 8)(many // 8)],
        "deep structs": [*chain(many, struct("", "", 1)), struct("top", "x", 1)(many)],
        "equal structs": [INT] + [Struct("s", 4, (Member("a", 1, 0),))] * many,
        "similar structs": similar,
        "enumerators": [Enum("e", 4, tuple((f"V{at}", at) for at in range(60_000 // part)))],
        "members": [
            INT,
            Struct("s", 1 << 20, tuple(Member(f"m{i}", 1, 0) for i in range(60_000 // part))),
        ],
        "parameters": [
            INT,
            FuncProto(1, tuple(Param(f"p{at}", 1) for at in range(60_000 // part))),
            *(Func(f"f{at}", 2) for at in range(2000 // part)),
        ],
        "tags": [INT, *(DeclTag(f"x{at}", 1) for at in range(many))],
        "long names": [Typedef("n" * 20_000 + str(at), 0) for at in range(20)],
    }


def _datasec(name: str, count: int, size: int, first: int) -> Datasec:
    places = tuple(SectionVar(first + at, size * at, size) for at in range(count))
    return Datasec(name, size * count, places)


def _data(part: int) -> dict[str, bytes]:
    """Variables, maps, externs: what sections and types say together."""
    many = 3000 // part
    definition = (
        INT,
        Array(1, 1, 1),
        Ptr(2),
        Struct("map", 16, (Member("type", 3, 0), Member("max_entries", 3, 64))),
    )
    found: dict[str, bytes] = {}
    for name, section, size, rows in (
        ("variables", ".data", 4, (INT,)),
        ("maps", ".maps", 16, definition),
        ("legacy maps", "maps", 20, (INT, Struct("d", 20, (Member("a", 1, 0),)))),
    ):
        variables = [Var(f"v{at}", len(rows)) for at in range(many)]
        words = b"".join(word.to_bytes(4, "little") for word in (1, 4, 4, 9, 0))
        found[name] = an_object(
            [*rows, *variables, _datasec(section, many, size, len(rows) + 1)],
            sections=[
                Section(
                    section,
                    SectionType.PROGBITS,
                    SectionFlag.ALLOC | SectionFlag.WRITE,
                    words * many if section == "maps" else bytes(size * many),
                )
            ],
            symbols=[_variable(f"v{at}", _FIRST, size * at, size) for at in range(many)],
        )
    names = [f"CONFIG_{at}" for at in range(many)]
    values: list[Type] = [Var(name, 1, Linkage.EXTERN) for name in names]
    functions: list[Type] = [Func(name, 2, Linkage.EXTERN) for name in names]
    for section, rows, insn, size, kind in (
        (".kconfig", values, LOAD, 4, RelocationType.LDIMM64),
        (".ksyms", functions, CALL, 0, RelocationType.CALL32),
    ):
        places = tuple(SectionVar(3 + at, 0, size) for at in range(many))
        found[f"externs of {section}"] = an_object(
            [INT, FuncProto(1, ()), *rows, Datasec(section, 0, places)],
            symbols=[_extern(name) for name in names],
            code=insn * many + EXIT,
            relocations={1: [Relocation(len(insn) * at, kind, 2 + at) for at in range(many)]},
        )
    value = [
        Var("CONFIG_A", 5000, Linkage.EXTERN),
        Datasec(".kconfig", 0, (SectionVar(5001, 0, 4),)),
    ]
    found["a value of arrays"] = an_object(
        [*chain(5000, lambda before: Array(before, 1, 1)), *value],
        symbols=[_extern("CONFIG_A")],
        code=LOAD + EXIT,
        relocations={1: [Relocation(0, RelocationType.LDIMM64, 2)]},
    )
    return found


def _code(part: int) -> dict[str, bytes]:
    """Programs, functions, sections, symbols and relocations in numbers."""
    many = 5000 // part
    flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR
    call = CALL[:4]
    forward = b"".join(call + (1).to_bytes(4, "little") + EXIT[8:] for _ in range(many - 1)) + EXIT
    text = Section(".text", SectionType.PROGBITS, flags, forward, align=8)
    functions = [_function(f"f{at}", _FIRST, 16 * at, 16) for at in range(many)]
    data = Section(".data", SectionType.PROGBITS, SectionFlag.ALLOC, bytes(8 * many))
    zeros = [
        Section(f".bss.{at}", SectionType.NOBITS, SectionFlag.ALLOC, size=30 << 20)
        for at in range(50)
    ]
    words = (3, 4, 4, 1 << 31, 0, 1, 0, 0, 0)
    jumps = Section(
        "maps", SectionType.PROGBITS, data=b"".join(w.to_bytes(4, "little") for w in words)
    )
    slots = [
        Section(f"1/{at}", SectionType.PROGBITS, flags, EXIT, align=8) for at in range(2000 // part)
    ]
    return {
        "instructions": an_object(code=MOVE * (50_000 // part) + EXIT),
        "calls of calls": an_object(
            sections=[text],
            symbols=functions,
            code=CALL + EXIT,
            relocations={1: [Relocation(0, RelocationType.CALL32, 2)]},
        ),
        "calls": an_object(
            sections=[Section(".text", SectionType.PROGBITS, flags, EXIT * many, align=8)],
            symbols=functions,
            code=CALL * many + EXIT,
            relocations={
                1: [Relocation(8 * at, RelocationType.CALL32, 2 + at) for at in range(many)]
            },
        ),
        "references": an_object(
            sections=[data],
            symbols=[_variable("d", _FIRST, 0, 8)],
            code=LOAD * many + EXIT,
            relocations={1: [Relocation(16 * at, RelocationType.LDIMM64, 2) for at in range(many)]},
        ),
        "pointers in data": an_object(
            sections=[data],
            symbols=[_variable("d", _FIRST, 0, 8)],
            relocations={3: [Relocation(8 * at, RelocationType.ABS64, 2) for at in range(many)]},
        ),
        "sections": an_object(
            sections=[Section(f".s{at}", SectionType.PROGBITS, data=b"x") for at in range(many)]
        ),
        "sections of zeros": an_object(sections=zeros),
        "slots": an_object(
            sections=[jumps, *slots],
            symbols=[
                _variable("jumps", _FIRST, 0, 36),
                *(_function(f"t{at}", _FIRST + 1 + at, 0, 16) for at in range(len(slots))),
            ],
        ),
    }


def _records(part: int) -> dict[str, bytes]:
    """.BTF.ext: lines, and CO-RE relocations of every shape that grows."""
    many = 2000 // part
    main: list[Type] = [INT, FuncProto(1, ()), Func("prog", 2)]
    functions = {"xdp": (ext.FuncRecord(0, 3),)}

    def relocated(types: list[Type], rows: Iterable[tuple[int, str, int]]) -> bytes:
        core = tuple(
            ext.CoreRecord(8 * at, type_id, access, kind)
            for at, (type_id, access, kind) in enumerate(rows)
        )
        records = ext.Ext(functions, {}, {"xdp": core})
        return an_object([*main, *types], records=records, code=MOVE * len(core) + EXIT)

    lines = tuple(ext.LineRecord(8 * at, "f.c", 1, 1, "t") for at in range(20_000 // part))
    self_made = [Struct("s", 4, (Member("a", 4, 0),))]
    alike: list[Type] = [
        Struct("s" if at % 2 else f"s___{at}", 8, (Member("a", 1, 0),)) for at in range(many)
    ]
    halves: list[Type] = [Struct("", 4, (Member("a", 1, 0),))]
    halves += (Struct("", 4, (Member("", at, 0), Member("", at, 0))) for at in range(4, 34))
    halves.append(Struct("z", 4, (Member("", 34, 0), Member("q", 1, 0))))
    protos: list[Type] = [FuncProto(1, ())]
    protos += (FuncProto(at, tuple(Param("a", at) for _ in range(3))) for at in range(4, 44))
    protos.append(Typedef("t", 44))
    arrays = [Array(3 + at if at > 1 else 1, 1, 0xFFFFFFFF) for at in range(1, 40)]
    wide = Struct("w", 1 << 20, tuple(Member(f"m{at}", 1, 32 * at) for at in range(20_000 // part)))
    web: list[Type] = []
    for at in range(300):
        web.append(Ptr(5 + 2 * ((at + 1) % 300)))
        members = tuple(Member(f"m{k}", 4 + 2 * ((at + k) % 300), 0) for k in range(50))
        web.append(Struct(f"q{at}", 8, members))
    return {
        "lines": an_object(
            main, records=ext.Ext(functions, {"xdp": lines}, {}), code=MOVE * len(lines) + EXIT
        ),
        "long accesses": relocated(self_made, [(4, "0" + ":0" * 3000, 0)] * many),
        "candidates": relocated(alike, ((4 + at, "0:0", 0) for at in range(many))),
        "names inside": relocated(halves, [(35, "0:1", 0)] * many),
        "prototypes of prototypes": relocated(protos, [(45, "0", 8), (45, "0", 12)] * 20),
        "products of arrays": relocated(
            [*arrays, Struct("s", 4, (Member("a", 42, 0),))],
            ((43, "0:0" + ":4294967295" * (at % 60), 0) for at in range(many)),
        ),
        "wide structs": relocated(
            [wide], ((4, f"0:{20_000 // part - 1 - at}", 0) for at in range(many))
        ),
        "webs": relocated(web, ((5 + 2 * at, "0", 12) for at in range(200))),
    }


@cache
def giants(part: int = 1) -> dict[str, bytes]:
    """The objects by what there is much of: hundreds of kilobytes, or a part of that."""
    return {
        **{name: an_object(rows) for name, rows in _types(part).items()},
        **_data(part),
        **_code(part),
        **_records(part),
    }
