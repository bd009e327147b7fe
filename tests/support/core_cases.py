"""Types of an object and of a target that differ as kernels do, and relocations between them.

Everything comes from a seed. A target is the object's types with fields moved, removed, retyped,
put into anonymous structs, with enumerators renumbered, and with types doubled under flavours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from beebox.btf.core_candidates import Candidates
from beebox.btf.core_relocations import Relocated, Value, calculate
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    FuncProto,
    Fwd,
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
from beebox.isa.instruction import Alu, Exit, Instruction, Load, LoadImm64, Reg, Store, slot_count
from beebox.obj.model import CoreRelocation, FunctionSpec, ObjectSpec
from beebox.tables.core_relocations import CoreKind
from beebox.tables.opcodes import AluOp, Size

INTS = {
    "int": Int("int", 4, 32, signed=True),
    "unsigned int": Int("unsigned int", 4, 32),
    "char": Int("char", 1, 8, signed=True),
    "unsigned char": Int("unsigned char", 1, 8),
    "_Bool": Int("_Bool", 1, 8, boolean=True),
    "short": Int("short", 2, 16, signed=True),
    "unsigned short": Int("unsigned short", 2, 16),
    "long": Int("long", 8, 64, signed=True),
    "unsigned long": Int("unsigned long", 8, 64),
    "__int128": Int("__int128", 16, 128, signed=True),
}
ENUMS = {
    "colour": Enum("colour", 4, (("RED", 0), ("GREEN", 1), ("BLUE", 2), ("GREY___old", 3))),
    "sign": Enum("sign", 4, (("MINUS", -1), ("ZERO", 0), ("PLUS", 1)), signed=True),
    "large": Enum("large", 4, (("LOW", 0), ("HIGH", 0xFFFFFFFF))),
    "wide": Enum("wide", 8, (("NEAR", 5), ("FAR", 1 << 40)), is64=True),
}
STRUCTS = ("zero", "one", "two", "three", "four")
_FIELD_KINDS = (CoreKind.FIELD_BYTE_OFFSET,) * 4 + tuple(CoreKind)[1:6]
_TYPE_KINDS = tuple(CoreKind)[6:10] + (CoreKind.TYPE_MATCHES,) * 3
_PACKED = ("unsigned char", "short")  # bitfields of these may straddle their units
_SIZES = {1: Size.B, 2: Size.H, 4: Size.W, 8: Size.DW}


@dataclass(frozen=True)
class Spot:
    """A type before it has an id: ``word`` says how to read the rest."""

    word: str  # int, enum, struct, ptr, array, const, typedef, anonymous, bits, fwd, float, proto
    name: str = ""
    of: Spot | None = None
    count: int = 0
    record: Record | None = None


@dataclass(frozen=True)
class Record:
    name: str
    members: tuple[tuple[str, Spot], ...]
    union: bool = False


@dataclass
class Emitter:
    """Spots to rows with ids; records and enums by name."""

    records: dict[str, Record]
    enums: dict[str, Enum]
    ints: dict[str, Int]
    rows: list[Type] = field(default_factory=list)
    ids: dict[object, int] = field(default_factory=dict)

    def add(self, row: Type) -> int:
        self.rows.append(row)
        return len(self.rows)

    def once(self, key: object, row: Type) -> int:
        if key not in self.ids:
            self.ids[key] = self.add(row)
        return self.ids[key]

    def type(self, spot: Spot | None) -> int:
        if spot is None:
            return 0
        match spot.word:
            case "int" | "bits":
                return self.once(("int", spot.name), self.ints[spot.name])
            case "float":
                return self.once("float", Float("float", 4))
            case "enum":
                return self.once(("enum", spot.name), self.enums[spot.name])
            case "struct":
                return self.record(spot.name)
            case "fwd":
                return self.once(("fwd", spot.name), Fwd(spot.name))
            case "ptr":
                if spot.of is not None and spot.of.word == "struct":
                    return self.late(spot.of.name)
                return self.add(Ptr(self.type(spot.of)))
            case "array":
                inner = self.type(spot.of)
                return self.add(Array(inner, self.type(Spot("int", "unsigned int")), spot.count))
            case "const":
                return self.add(Modifier("const", self.type(spot.of)))
            case "typedef":
                return self.add(Typedef(spot.name, self.type(spot.of)))
            case "proto":
                inner = self.type(spot.of)
                return self.add(Ptr(self.add(FuncProto(inner, (Param("", inner),) * spot.count))))
            case _:
                assert spot.record is not None
                return self.layout(spot.record)

    def late(self, name: str) -> int:
        """A pointer to a record that may come later."""
        return self.add(Ptr(-1 - list(self.records).index(name)))

    def record(self, name: str) -> int:
        key = ("struct", name)
        if key not in self.ids:
            self.ids[key] = self.layout(self.records[name])
        return self.ids[key]

    def layout(self, record: Record) -> int:
        placed: list[Member] = []
        end = 0  # in bits
        most = 1
        types = [(name, spot, self.type(spot)) for name, spot in record.members]
        for name, spot, type_id in types:
            size, align = self.size(type_id)
            most = max(most, align)
            start = 0 if record.union else end
            if spot.word == "bits":
                width = min(spot.count, 8 * size)
                crosses = start // (8 * size) != (start + width - 1) // (8 * size)
                if crosses and spot.name not in _PACKED:
                    start = -(-start // (8 * size)) * 8 * size
                placed.append(Member(name, type_id, start, width))
                end = max(end, start + width)
                continue
            start = -(-start // (8 * align)) * 8 * align
            placed.append(Member(name, type_id, start))
            end = max(end, start + 8 * size)
        size = -(-end // (8 * most)) * most
        return self.add(Struct(record.name, size, tuple(placed), union=record.union))

    def size(self, type_id: int) -> tuple[int, int]:
        row = self.rows[type_id - 1]
        match row:
            case Int() | Enum() | Float():
                return row.size, min(8, row.size)
            case Struct():
                aligns = [self.size(member.type)[1] for member in row.members]
                return row.size, max([1, *aligns])
            case Array():
                size, align = self.size(row.type)
                return size * row.count, align
            case Modifier() | Typedef():
                return self.size(row.type)
            case _:
                return 8, 8

    def build(self) -> Btf:
        for name in self.records:
            self.record(name)
        for name in self.enums:
            self.type(Spot("enum", name))
        names = list(self.records)
        rows = tuple(
            Ptr(self.ids["struct", names[-1 - row.type]])
            if isinstance(row, Ptr) and row.type < 0
            else row
            for row in self.rows
        )
        return Btf(rows)


def _spot(random: Random, names: tuple[str, ...], depth: int = 0) -> Spot:
    roll = random.random()
    plain = Spot("int", random.choice(list(INTS)[:-1]))
    if roll < 0.35 or depth > 2:
        return plain
    if roll < 0.45:
        return Spot("enum", random.choice(list(ENUMS)))
    if roll < 0.55 and names:
        return Spot("struct", random.choice(names))
    if roll < 0.65:
        return Spot("ptr", of=random.choice([None, plain, Spot("struct", random.choice(STRUCTS))]))
    if roll < 0.75:
        return Spot("array", of=_spot(random, names, depth + 1), count=random.randrange(1, 5))
    if roll < 0.80:
        return Spot("const", of=_spot(random, names, depth + 1))
    if roll < 0.85:
        return Spot("typedef", random.choice(["size_t", "pid_t"]), of=plain)
    if roll < 0.88:
        return Spot("float")
    if roll < 0.92:
        return Spot("proto", of=plain, count=random.randrange(3))
    return Spot("bits", random.choice(list(INTS)[:9]), count=random.randrange(1, 9))


def _record(random: Random, name: str, names: tuple[str, ...]) -> Record:
    members: list[tuple[str, Spot]] = []
    for number in range(random.randrange(2, 7)):
        if random.random() < 0.12:
            inner = tuple(
                (f"{name}_a{number}_{each}", _spot(random, names, 2)) for each in range(2)
            )
            record = Record("", inner, union=random.random() < 0.5)
            members.append(("", Spot("anonymous", record=record)))
        else:
            members.append((f"{name}_{number}", _spot(random, names)))
    if random.random() < 0.3:
        of = random.choice(list(INTS)[:9])
        members += [
            (f"{name}_bits{each}", Spot("bits", of, count=random.randrange(3, 9)))
            for each in range(4)
        ]
    if random.random() < 0.2:
        last = Spot("array", of=Spot("int", random.choice(list(INTS)[:5])), count=0)
        members.append((f"{name}_flex", last))
    return Record(name, tuple(members), union=random.random() < 0.1)


def _mutated(random: Random, record: Record, names: tuple[str, ...], rate: float) -> Record:
    members: list[tuple[str, Spot]] = []
    for name, spot in record.members:
        roll = random.random() / rate
        if roll < 0.08:
            continue
        if roll < 0.20:
            spot = _spot(random, names)  # noqa: PLW2901 -- retyped
        elif roll < 0.26 and spot.word in {"int", "bits"}:
            other = random.choice(list(INTS))
            spot = replace(spot, name=other)  # noqa: PLW2901 -- resized
        elif roll < 0.30 and spot.word == "int":
            spot = replace(spot, word="bits", count=3)  # noqa: PLW2901 -- a bitfield
        elif roll < 0.36 and name:
            inner = Record("", ((f"{name}_before", Spot("int", "int")), (name, spot)))
            members.append(("", Spot("anonymous", record=inner)))
            continue
        elif roll < 0.42 and spot.word == "array":
            spot = replace(spot, count=random.randrange(5))  # noqa: PLW2901 -- shorter or longer
        members.append((name, spot))
    if random.random() < 0.5 * rate:
        random.shuffle(members)
    if random.random() < 0.3:
        many = random.choice([1, 1, 1, 5000])
        members.insert(0, ("added", Spot("array", of=Spot("int", "long"), count=many)))
    is_union = record.union if random.random() < 0.95 else not record.union
    return Record(record.name, tuple(members), union=is_union)


def _target_enum(random: Random, row: Enum) -> Enum:
    values = [(name, value + random.choice([0, 0, 7])) for name, value in row.values]
    if random.random() < 0.3:
        values.pop(random.randrange(len(values)))
    if random.random() < 0.3 and not row.is64:
        return replace(row, values=tuple(values), is64=True, size=random.choice([4, 8]))
    fit = all(-(1 << 31) <= value < 1 << 32 for _, value in values) or row.is64
    return replace(row, values=tuple(values)) if fit else row


@dataclass(frozen=True)
class Case:
    """An object with one program of relocations, and the types of a target."""

    spec: ObjectSpec
    target: Btf


def case(seed: int, relocations: int = 10) -> Case:
    """A case; the same for the same seed."""
    random = Random(seed)
    records: dict[str, Record] = {}
    for name in STRUCTS:
        flavour = random.choice(["", "", "", "___mine"])
        records[name] = replace(_record(random, name, tuple(records)), name=name + flavour)
    local = Emitter(records, dict(ENUMS), INTS).build()
    there: dict[str, Record] = {}
    rate = random.choice([0.3, 1.0, 2.0])
    for name, record in records.items():
        if random.random() < 0.06:
            continue
        known = tuple(there)
        there[name] = replace(_mutated(random, record, known, rate), name=name)
        if random.random() < 0.25:
            again = replace(_mutated(random, record, known, 0.1), name=f"{name}___other")
            there[again.name] = again
    missing = {name: Record(name, (("stub", Spot("int", "int")),)) for name in STRUCTS}
    enums = {name: _target_enum(random, row) for name, row in ENUMS.items()}
    ints = {**INTS, "long": replace(INTS["long"], size=4, bits=32)}
    ints = random.choice([INTS, INTS, INTS, ints, {**INTS, "char": INTS["unsigned char"]}])
    target = Emitter({**missing, **there}, enums, ints).build()
    insns: list[Instruction] = []
    core: list[CoreRelocation] = []
    pc = 0
    while len(core) < relocations:
        made = _relocation(random, local, pc)
        if made is not None:
            insn, row = made
            insns.append(insn)
            core.append(row)
            pc += slot_count(insn)
    insns.append(Exit())
    function = FunctionSpec("prog", "socket", tuple(insns), core=tuple(core))
    return Case(ObjectSpec({"prog": function}, license="GPL", btf=local), target)


def kernel_spec(kernel: Btf, names: tuple[str, ...], seed: int) -> ObjectSpec:
    """Programs, one per name, that access the structs of a kernel by definitions of their own.

    Those have some of the kernel's fields, in another order, and one that the kernel lacks.
    """
    random = Random(seed)
    records: dict[str, Record] = {}
    enums: dict[str, Enum] = {}
    for name in names:
        (type_id, *_) = kernel.kinded(name, Struct)
        row = kernel.type(type_id)
        assert isinstance(row, Struct)
        members = [("nowhere", Spot("int", "int"))]
        members += [
            (member.name, spot)
            for member in row.members
            if member.name and (spot := _like(kernel, member, enums)) is not None
        ][:24]
        random.shuffle(members)
        flavour = random.choice(["", "___mine"])
        records[name] = Record(name + flavour, tuple(members), union=row.union)
    local = Emitter(records, enums, INTS).build()
    functions: dict[str, FunctionSpec] = {}
    for number in range(len(names)):
        insns: list[Instruction] = []
        core: list[CoreRelocation] = []
        while len(core) < 12:
            made = _relocation(random, local, len(insns), wrong=0)
            if made is not None and not isinstance(made[0], LoadImm64):
                insns.append(made[0])
                core.append(made[1])
        name = f"prog{number}"
        insns.append(Exit())
        functions[name] = FunctionSpec(name, "socket", tuple(insns), core=tuple(core))
    return ObjectSpec(functions, license="GPL", btf=local)


def _like(kernel: Btf, member: Member, enums: dict[str, Enum]) -> Spot | None:
    _, row = kernel.resolve(member.type)
    match row:
        case Int(name=name) if name in INTS:
            if member.bitfield_size:
                return Spot("bits", name, count=member.bitfield_size)
            return Spot("int", name)
        case Ptr():
            return Spot("ptr")
        case Array(count=count):
            inner = _like(kernel, Member("", row.type, 0), enums)
            return None if inner is None else Spot("array", of=inner, count=count)
        case Enum(name=name) if name and row.values and not member.bitfield_size:
            enums[name] = replace(row, values=(*row.values[:5], ("NOWHERE", 3)))
            return Spot("enum", name)
        case _:
            return None


def _relocation(
    random: Random, local: Btf, pc: int, *, wrong: float = 0.01
) -> tuple[Instruction, CoreRelocation] | None:
    """One relocation, its instruction as a compiler leaves it or, as often as ``wrong``, not."""
    type_id = random.randrange(1, len(local) + 1)
    row = local.type(type_id)
    kind = random.choice(_FIELD_KINDS)
    access = "0"
    if not isinstance(row, Struct | Enum | Typedef | Int) or not row.name:
        return None
    if isinstance(row, Enum) and random.random() < 0.8:
        kind = random.choice((CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE))
        access = str(random.randrange(len(row.values)))
    elif not isinstance(row, Struct) or random.random() < 0.3:
        kind = random.choice(_TYPE_KINDS)
    else:
        access = _path(random, local, type_id)
    relocation = CoreRelocation(pc, kind, type_id, access)
    try:
        found = calculate(Candidates(local, local), kind, type_id, access)
    except BtfError:
        return None
    if not isinstance(found, Relocated) or not isinstance(found.result, Value):
        return None
    return _instruction(random, found.result, kind, wrong), relocation


def _path(random: Random, local: Btf, type_id: int) -> str:
    words = [random.choice(["0", "0", "0", "1"])]
    while True:
        type_id, row = local.resolve(type_id)
        match row:
            case Struct() if row.members:
                index = random.randrange(len(row.members))
                words.append(str(index))
                type_id = row.members[index].type
                if row.members[index].name and random.random() < 0.5:
                    break
            case Array():
                words.append(str(random.randrange(row.count or 3)))
                type_id = row.type
                if random.random() < 0.7:
                    break
            case _:
                break
    return ":".join(words)


def _instruction(random: Random, value: Value, kind: CoreKind, wrong: float) -> Instruction:
    held = value.old + (5 if random.random() < wrong else 0)
    size = _SIZES.get(value.old_size)
    if kind is CoreKind.FIELD_BYTE_OFFSET and size is not None and held < 1 << 15:
        roll = random.random()
        if roll < 0.4:
            signed = size is not Size.DW and random.random() < 0.3
            return Load(Reg.R1, Reg.R1, held, size, signed)
        if roll < 0.6:
            return Store(Reg.R1, held, random.choice([Reg.R2, 7]), size)
    if random.random() < 0.2 or not -(1 << 31) <= _signed(held) < 1 << 31:
        return LoadImm64(Reg.R1, held % (1 << 64))
    return Alu(AluOp.MOV, Reg.R1, _signed(held), wide=random.random() < 0.7)


def _signed(value: int) -> int:
    value %= 1 << 64
    return value - (1 << 64) if value >> 63 else value


def alone(made: Case, index: int) -> Case:
    """The case with one of its relocations, and nothing else."""
    function = made.spec.functions["prog"]
    row = function.core[index]
    insn = function.insns[index]
    single = replace(function, insns=(insn, Exit()), core=(replace(row, pc=0),))
    return replace(made, spec=replace(made.spec, functions={"prog": single}))
