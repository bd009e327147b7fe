"""Types, variables, kernel symbols and CO-RE in assembly text: read, written, read again."""

from __future__ import annotations

import time

import pytest
from same_specs import assert_same_object

from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Enum,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
    Typedef,
)
from beebox.errors import AssemblyError, BtfError, NotSupportedError
from beebox.isa.instruction import Call, CallKind, KfuncRef, KsymRef, LoadImm64, Reg
from beebox.obj.assembly.source import read_assembly
from beebox.obj.assembly.text import write_assembly
from beebox.obj.globals import get_global
from beebox.obj.model import (
    CoreRelocation,
    ExternKind,
    ExternSpec,
    LineInfo,
    MapSpec,
    ObjectSpec,
    Pinning,
    VarRange,
)
from beebox.tables.core_relocations import CoreKind
from beebox.tables.map_types import MapFlags, MapType

SOURCE = """
.license "GPL"
.version 7
.map flows lru_hash key=struct key value=counter max_entries=64 flags=numa_node|no_prealloc \
pinning=by_name numa_node=1
.map ops struct_ops value=struct ops max_entries=1 flags=link = {.name = "mine", .flags = 3}
.slot ops .init start
.data .rodata frozen flags=rdonly_prog contents=00000000000000ff
.var const volatile int limit = -42
.data .data
.var static struct key first = {.addr = {1, 0, 3}, .kind = UDP}
.var char name[6] @at(32) = "bee"
.var counter rest[2] @tag("kept") = {{.packets = 0}, {.packets = 7}}
.ksym weak const struct rq runqueues
.ksym void init_task
.kfunc weak struct rq *rq_of(int cpu, ...)
.kfunc untyped
.kconfig weak unsigned int LINUX_KERNEL_VERSION

.section "?xdp"
.proto int main(struct ctx *ctx @tag("arg:ctx")) @tag("entry")
main:
    .loc "main.c" 3 5 "int x;"
    .let x = r6
    r6 = *(u32 *)(r1 + 4) @core(field_byte_offset, struct ctx, "0:1")
    r1 = 0 ll @core(type_id_target, struct ctx *, "0")
    .loc 4 1
    .let slot = r10 - 8
    r1 = ksym[runqueues] ll
    .unlet x = r6
    r1 = ksym[LINUX_KERNEL_VERSION] ll
    call kfunc[rq_of]
    call helper
    exit
.section "struct_ops/init"
start: exit
.text
.weak helper
.proto void helper(void)
helper: exit
.local alone
alone: exit

.types
enum proto @size(1) {
    TCP = 6,
    UDP = 17, LAST
}
struct key {
    unsigned char addr[4]; // network order
    enum proto kind;
    unsigned flags : 3;
    unsigned other : 7;
    union {
        unsigned int number;
        void (*call)(const char *, int (*)[2]);
    };
};
typedef struct {
    unsigned long packets;
    integer8 last @at(12) @tag("seen");
} counter;
integer integer8 @size(1) @signed
struct wire @packed {
    char tag;
    int *restrict volatile length;
}
struct ops {
    void (*init)(struct wire *);
    char name[8];
    int flags;
}
struct ctx { // two words
    int a
    int b
}
enum wide {
    FAR = 0x100000000,
}
typedef int twice;
typedef long twice@2;
struct holds {
    twice@2 x;
    @type_tag("user") int *p;
    const typeof(int [3]) q;
}
"""


def types_of(spec: ObjectSpec) -> Btf:
    assert spec.btf is not None
    return spec.btf


def struct(spec: ObjectSpec, name: str) -> Struct:
    (found,) = types_of(spec).kinded(name, Struct)
    row = types_of(spec).type(found)
    assert isinstance(row, Struct)
    return row


def test_members_lie_where_c_puts_them():
    spec = read_assembly(SOURCE)
    key = struct(spec, "key")
    places = [(row.name, row.bit_offset, row.bitfield_size) for row in key.members]
    assert places == [
        ("addr", 0, 0),
        ("kind", 32, 0),
        ("flags", 40, 3),
        ("other", 43, 7),
        ("", 64, 0),
    ]
    assert key.size == 16
    wire = struct(spec, "wire")
    assert ([row.bit_offset for row in wire.members], wire.size) == ([0, 8], 9)


def test_types_by_name():
    spec = read_assembly(SOURCE)
    btf = types_of(spec)
    rows = {row.name: row for row in btf.types if isinstance(row, Enum)}
    assert rows["proto"] == Enum("proto", 1, (("TCP", 6), ("UDP", 17), ("LAST", 18)))
    assert rows["wide"] == Enum("wide", 8, (("FAR", 1 << 32),), is64=True)
    assert Int("integer8", 1, 8, signed=True) in btf.types
    assert Fwd("rq") in btf.types
    assert len(btf.kinded("twice", Typedef)) == 2
    holds = struct(spec, "holds")
    assert btf.resolve(holds.members[0].type)[1] == Int("long", 8, 64, signed=True)
    pointer = btf.type(holds.members[1].type)
    assert isinstance(pointer, Ptr)
    tagged = btf.type(pointer.type)
    assert isinstance(tagged, Modifier)
    assert (tagged.kind, tagged.name) == ("type_tag", "user")
    array = btf.type(holds.members[2].type)
    assert isinstance(array, Modifier)
    assert isinstance(btf.type(array.type), Array)


def test_maps_with_types():
    spec = read_assembly(SOURCE)
    flows = spec.maps["flows"]
    assert (flows.key_size, flows.value_size, flows.max_entries) == (16, 16, 64)
    assert flows.flags == MapFlags.NUMA_NODE | MapFlags.NO_PREALLOC
    assert (flows.pinning, flows.numa_node) == (Pinning.BY_NAME, 1)
    assert types_of(spec).type(flows.key_type_id) == struct(spec, "key")
    ops = spec.maps["ops"]
    assert (ops.type, ops.slots, ops.key_size) == (MapType.STRUCT_OPS, ((0, "start"),), 4)
    assert ops.contents == bytes(8) + b"mine\0\0\0\0" + b"\3\0\0\0" + bytes(4)


def test_variables_with_values():
    spec = read_assembly(SOURCE)
    assert get_global(spec, "limit") == -42
    assert spec.maps[".rodata"].contents == b"\xd6\xff\xff\xff\0\0\0\xff"
    assert get_global(spec, "name") == "bee"
    first = get_global(spec, "first")
    assert isinstance(first, dict)
    assert (first["addr"], first["kind"]) == ([1, 0, 3, 0], "UDP")
    rest = get_global(spec, "rest")
    assert isinstance(rest, list)
    assert [row["packets"] for row in rest] == [0, 7]
    assert DeclTag("kept", types_of(spec).named("rest")[0]) in types_of(spec).types


def test_functions_and_what_stands_beside_their_code():
    spec = read_assembly(SOURCE)
    main = spec.functions["main"]
    assert (main.section, main.autoload, main.is_global) == ("?xdp", False, True)
    row = types_of(spec).type(main.type_id)
    assert isinstance(row, Func)
    assert (row.name, row.linkage) == ("main", Linkage.GLOBAL)
    assert DeclTag("arg:ctx", main.type_id, 0) in types_of(spec).types
    assert DeclTag("entry", main.type_id) in types_of(spec).types
    assert main.lines == (
        LineInfo(0, "main.c", 3, 5, "int x;"),
        LineInfo(3, "main.c", 4, 1, ""),
    )
    assert main.variables == (VarRange(0, 5, "x", reg=6), VarRange(3, 10, "slot", stack_offset=-8))
    assert [(row.pc, row.kind, row.access) for row in main.core] == [
        (0, CoreKind.FIELD_BYTE_OFFSET, "0:1"),
        (1, CoreKind.TYPE_ID_TARGET, "0"),
    ]
    assert types_of(spec).type(main.core[0].type_id) == struct(spec, "ctx")
    assert main.insns[2] == LoadImm64(Reg.R1, KsymRef("runqueues"))
    assert main.insns[4] == Call(CallKind.KFUNC, KfuncRef("rq_of"))
    helper = spec.functions["helper"]
    assert (helper.is_weak, helper.is_global) == (True, True)
    assert not spec.functions["alone"].is_global


def test_kernel_symbols():
    spec = read_assembly(SOURCE)
    kinds = {name: (row.kind, row.is_weak) for name, row in spec.externs.items()}
    assert kinds == {
        "runqueues": (ExternKind.VARIABLE, True),
        "init_task": (ExternKind.VARIABLE, False),
        "rq_of": (ExternKind.FUNCTION, True),
        "untyped": (ExternKind.FUNCTION, False),
        "LINUX_KERNEL_VERSION": (ExternKind.KCONFIG, True),
    }
    assert spec.externs["init_task"].type_id == spec.externs["untyped"].type_id == 0
    row = types_of(spec).type(spec.externs["rq_of"].type_id)
    assert isinstance(row, Func)
    proto = types_of(spec).type(row.type)
    assert isinstance(proto, FuncProto)
    assert [param.name for param in proto.params] == ["cpu", ""]
    assert row.linkage is Linkage.EXTERN


def test_written_text_reads_back():
    spec = read_assembly(SOURCE)
    written = write_assembly(spec)
    assert_same_object(spec, read_assembly(written))
    assert write_assembly(read_assembly(written)) == written


def test_what_a_hand_editor_sees():
    lines = write_assembly(read_assembly(SOURCE)).splitlines()
    assert (
        ".map flows lru_hash key=struct key value=counter max_entries=64 "
        "flags=no_prealloc|numa_node pinning=by_name numa_node=1"
    ) in lines
    assert ".var const volatile int limit = -42" in lines
    assert ".var static struct key first = {.addr = {1, 0, 3}, .kind = UDP}" in lines
    assert (
        '    r6 = *(u32 *)(r1 + 4) @core(field_byte_offset, struct ctx, "0:1")    ; ctx.b' in lines
    )
    assert "    unsigned char addr[4];" in lines
    assert "        void (*call)(const char *, int (*)[2]);" in lines


def odd_types() -> Btf:
    """Graphs that C does not write, and names that need quotes."""
    return Btf(
        (
            Int("odd name", 4, 20, offset=3),
            Ptr(2),  # to itself: cut where C needs a name
            Struct("", 8, (Member("self", 4, 0),)),
            Ptr(3),
            Struct("struct", 4, (Member("int", 1, 0), Member("at", 1, 0))),
            Fwd("struct"),
            Ptr(6),
            Typedef("int", 7),
            Int("int", 2, 16, signed=True),
            Enum("", 4, (("A B", 1),), signed=True),
            FuncProto(7, (Param("x y", 4), Param("", 0))),
            Typedef("f", 11),
            Struct("gap", 64, (Member("x", 1, 77, 5), Member("y", 4, 128))),
            Enum("tiny", 1, (("BIG", -1),), signed=True),
        )
    )


def test_odd_types():
    rows = odd_types()
    spec = ObjectSpec(
        {},
        {
            f"m{type_id}": MapSpec(f"m{type_id}", MapType.HASH, 1, 1, 1, value_type_id=type_id)
            for type_id, _ in rows.items()
            if type_id != 2
        },
        btf=rows,
    )
    assert_same_object(spec, read_assembly(write_assembly(spec)))


@pytest.mark.parametrize(
    "rows",
    [
        (Ptr(1),),
        (FuncProto(0, (Param("", 2), Param("", 2))), Ptr(1)),
        (Modifier("const", 2), Modifier("volatile", 1)),
        (Func("f", 0),),
    ],
)
def test_graphs_without_a_notation(rows: tuple[object, ...]):
    row = MapSpec("m", MapType.HASH, 1, 1, 1, value_type_id=1)
    spec = ObjectSpec({}, {"m": row}, btf=Btf(rows))  # type: ignore[arg-type] -- of several kinds
    if isinstance(rows[0], Func):
        assert read_assembly(write_assembly(spec)).maps["m"].value_type_id == 0
        return
    with pytest.raises(BtfError):
        write_assembly(spec)


def test_big_endian_objects_are_refused():
    with pytest.raises(NotSupportedError):
        write_assembly(ObjectSpec({}, byte_order="big"))


def test_relocations_need_types():
    text = '.section "xdp"\nf: r1 = 0 @core(type_exists, struct gone, "0")\nexit\n'
    spec = read_assembly(text)
    assert spec.functions["f"].core == (CoreRelocation(0, CoreKind.TYPE_EXISTS, 1, "0"),)
    assert types_of(spec).type(1) == Fwd("gone")


def test_externs_keep_their_order():
    text = ".ksym int b\n.ksym int a\n"
    assert list(read_assembly(text).externs.items()) == [
        ("b", ExternSpec("b", ExternKind.VARIABLE, 1)),
        ("a", ExternSpec("a", ExternKind.VARIABLE, 1)),
    ]


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        (".types\nint x", 2, 1),
        (".types\nstruct a {\nint x", 2, 10),
        (".types\nstruct a {\nint x; int y;\n}", 3, 5),
        (".types\nstruct a {\nint x; }", 3, 5),
        (".types\nstruct a {\nstruct a b\n}", 2, 1),
        (".types\nstruct a {\nstruct b b\n}", 2, 1),
        (".types\nstruct a {\nu32 b\n}", 3, 1),
        (".map m hash key=u32 value=4 max_entries=1", 1, 17),
        (".types\nstruct a {\nint b @at(1) @bit(8)\n}", 3, 1),
        (".types\nstruct a {\nint b @far(1)\n}", 3, 8),
        (".types\nstruct a {\n}\nstruct a {\n}", 4, 8),
        (".types\ntypedef int", 2, 12),
        (".types\ntypedef enum none x", 2, 14),
        (".types\nenum a @size(1) {\nB = 0x1ffffffff\n}", 4, 2),
        (".types\nstruct int {\n}", 2, 8),
        (".types 5", 1, 8),
        (".map m hash key=void value=4 max_entries=1", 1, 17),
        (".map m hash key=long short value=4 max_entries=1", 1, 17),
        (".map m hash key=4 value=4 max_entries=1 flags=hard", 1, 47),
        (".map m hash key=4 value=4 max_entries=1 pinning=always", 1, 49),
        (".var int x", 1, 6),
        (".data d\n.var int", 2, 6),
        (".data d\n.var int x = {1}", 2, 14),
        (".data d\n.var int x = y", 2, 14),
        (".data d\n.var int x @at(0xffffffff)", 2, 6),
        (".data d\n.var char x[2] = hex(000000)", 2, 18),
        (".data d\n.var struct s { int x", 2, 6),
        (".map m struct_ops value=8 max_entries=1 = {.a = 1}", 1, 43),
        (".ksym int", 1, 7),
        (".ksym int x\n.ksym int x", 2, 7),
        (".kfunc int x", 1, 12),
        ('.loc "f" 1 1', 1, 1),
        (".proto int f(void)", 1, 1),
        ('.section "xdp"\n.proto int f\nf: exit', 2, 12),
        ('.section "xdp"\nf: exit\n.loc 3 3', 3, 6),
        ('.section "xdp"\nf: exit\n.unlet x = r3', 3, 8),
        ('.section "xdp"\nf: exit\n.let x = r3 - 8', 3, 6),
        ('.section "xdp"\nf: @core(type_size, int, "0")\nexit', 2, 4),
        ('.section "xdp"\nf: exit @core(size, int, "0")', 2, 15),
        ('.section "xdp"\nf: exit @more', 2, 10),
        ('.section "xdp"\nf: r1 = ksym[x] ll\nexit', 2, 4),
        ('.section "xdp"\nf: call kfunc[x]\nexit', 2, 4),
    ],
)
def test_refusals(source: str, line: int, column: int):
    with pytest.raises(AssemblyError) as caught:
        read_assembly(source, file="x.s")
    assert (caught.value.line, caught.value.column) == (line, column)


def test_depth_is_bounded():
    with pytest.raises(AssemblyError):
        read_assembly(f".types\ntypedef int {'(*' * 500}x{')' * 500};")
    nested = "\n".join(["struct {"] * 500 + ["}"] * 500)
    with pytest.raises(AssemblyError):
        read_assembly(f".types\nstruct a {{\n{nested}\n}}")
    chain = "\n".join(f"struct s{at} {{\nstruct s{at + 1} x\n}}" for at in range(500))
    with pytest.raises(AssemblyError):
        read_assembly(f".types\n{chain}\nstruct s500 {{\nint x\n}}")


def test_time_is_bounded():
    """Structs that hold the next one twice, and prototypes that name the next one twice."""
    structs = "\n".join(
        f"struct s{at} {{\nstruct s{at + 1} a\nstruct s{at + 1} b\n}}" for at in range(50)
    )
    protos = "\n".join(f"typedef void (*p{at})(p{at + 1}, p{at + 1});" for at in range(50))
    text = f".types\n{structs}\nstruct s50 {{\n}}\n{protos}\ntypedef int p50;\n"
    start = time.monotonic()
    assert_same_object(read_assembly(text), read_assembly(write_assembly(read_assembly(text))))
    assert time.monotonic() - start < 5
