"""Maps of every kind of section, from C as clang compiles it: what they become in the spec."""

from __future__ import annotations

import struct

import pytest
from c_objects import compile_c

from beebox.btf.types import Linkage
from beebox.errors import ObjectError
from beebox.isa.instruction import GlobalRef, LoadImm64, MapRef, SubprogRef
from beebox.obj import edit, elf, reader, writer
from beebox.obj.elf import SectionFlag
from beebox.obj.linker import link
from beebox.obj.model import INNER, Pinning
from beebox.tables.map_types import MapFlags, MapType

BODY = "SEC('xdp') int p(void *c) { return 2; }"


def read(text, **options):
    return reader.read(compile_c(text.replace("'", '"'), **options))


def test_every_attribute_of_a_definition():
    spec = read(
        """
        struct value { __u64 a; int b; };
        struct {
            __uint(type, 1); __uint(max_entries, 9); __uint(map_flags, 5); __uint(numa_node, 0);
            __uint(pinning, 1); __type(key, __u64); __type(value, struct value);
        } table SEC('.maps');
        struct { __uint(type, 30); __uint(max_entries, 4); __uint(map_extra, 5);
                 __uint(value_size, 4); } bloom SEC('.maps');
        struct { __uint(type, 27); __uint(max_entries, 5000); } ring SEC('.maps');
        struct { __uint(type, 4); __uint(key_size, 4); __uint(value_size, 4); } events SEC('.maps');
        """
        + BODY
    )
    table = spec.maps["table"]
    assert (table.type, table.key_size, table.value_size) == (MapType.HASH, 8, 16)
    assert table.flags == MapFlags.NO_PREALLOC | MapFlags.NUMA_NODE
    assert (table.pinning, table.numa_node, table.max_entries) == (Pinning.BY_NAME, 0, 9)
    assert spec.btf.size_of(table.value_type_id) == 16
    assert (spec.maps["bloom"].extra, spec.maps["bloom"].value_size) == (5, 4)
    assert spec.maps["ring"].max_entries == 8192  # whole pages, a power of two
    assert spec.maps["events"].max_entries == 0  # whoever loads makes as many as CPUs of these


def test_maps_of_maps_and_programs_with_their_first_elements():
    spec = read(
        """
        struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int);
                       __type(value, int); };
        struct inner one SEC('.maps');
        struct inner two SEC('.maps');
        struct { __uint(type, 12); __uint(max_entries, 8); __uint(key_size, 4);
                 __array(values, struct inner);
        } outer SEC('.maps') = { .values = { [1] = &two, [4] = &one } };
        int first(void *c); int second(void *c);
        struct { __uint(type, 3); __uint(max_entries, 3); __uint(key_size, 4);
                 __array(values, int (void *));
        } programs SEC('.maps') = { .values = { [0] = (void *)&second, [2] = (void *)&first } };
        struct { __uint(type, 13); __uint(max_entries, 8); __type(key, int);
                 __array(values, struct { __uint(type, 1); __uint(max_entries, 7);
                                          __type(key, __u64); __type(value, char); });
        } anonymous SEC('.maps');
        SEC('xdp') int first(void *c) { return 1; }
        SEC('xdp') int second(void *c) { return 2; }
        """
    )
    assert spec.maps["outer"].slots == ((1, "two"), (4, "one"))
    assert spec.maps["outer"].inner.name == f"outer{INNER}"
    assert spec.maps["programs"].slots == ((0, "second"), (2, "first"))
    inner = spec.maps["anonymous"].inner
    assert (inner.type, inner.key_size, inner.value_size) == (MapType.HASH, 8, 1)


def test_slots_of_a_map_without_a_size_are_those_of_the_source():
    """Whoever loads gives the size; libbpf opens such objects, too."""
    spec = read(
        """
        int p(void *c);
        struct { __uint(type, 3); __uint(key_size, 4); __array(values, int (void *));
        } jumps SEC('.maps') = { .values = { [2] = (void *)&p } };
        """
        + BODY
    )
    assert (spec.maps["jumps"].max_entries, spec.maps["jumps"].slots) == (0, ((2, "p"),))
    with pytest.raises(ObjectError, match="slot 2"):
        edit.resize_map(spec, "jumps", 2)
    assert edit.resize_map(spec, "jumps", 3).maps["jumps"].slots == ((2, "p"),)


ARENA = """
struct { __uint(type, 33); __uint(map_flags, 1 << 10); __uint(max_entries, 2);
         __ulong(map_extra, 0x123456780000ull); } arena SEC('.maps');
"""


def test_variables_of_an_arena():
    spec = read(
        ARENA
        + """
        #define __arena __attribute__((address_space(1)))
        int __arena first = 3;
        __u64 __arena second[4] = { 1, 2 };
        SEC('syscall') int p(void *c) { second[1] = first; return 0; }
        """
    )
    arena = spec.maps["arena"]
    assert arena.type is MapType.ARENA
    assert (arena.extra, arena.max_entries) == (0x123456780000, 2)
    assert arena.contents is not None
    assert len(arena.contents) == spec.btf.type(spec.btf.named(".addr_space.1")[0]).size
    values = [insn.value for insn in spec.functions["p"].insns if isinstance(insn, LoadImm64)]
    assert {value.map_name for value in values} == {"arena"}
    first = next(value for value in values if arena.contents[value.offset] == 3)
    assert isinstance(first, GlobalRef)
    assert link(spec, "p").maps["arena"].contents == arena.contents


def test_custom_data_sections():
    spec = read(
        """
        int a SEC('.data.mine') = 7;
        const volatile int b SEC('.rodata.mine') = 8;
        int c SEC('.bss.mine');
        int ignored SEC('metadata') = 1;
        static int two(void) { static int n; return ++n; }
        SEC('xdp') int p(void *x) { static int n; return a + b + c++ + n++ + two(); }
        """
    )
    assert set(spec.maps) == {".data.mine", ".rodata.mine", ".bss.mine", ".bss"}
    assert spec.maps[".rodata.mine"].frozen
    assert spec.maps[".rodata.mine"].flags == MapFlags.RDONLY_PROG
    assert spec.maps[".data.mine"].contents == (7).to_bytes(4, "little")
    section = spec.btf.type(spec.maps[".bss"].value_type_id)
    assert [spec.btf.type(row.type).name for row in section.vars] == ["p.n", "two.n"]
    assert [spec.btf.type(row.type).linkage for row in section.vars] == [Linkage.STATIC] * 2
    assert sorted(row.offset for row in section.vars) == [0, 4]


def test_sections_of_tools_are_kept():
    """What libxdp puts beside programs: variables that BTF describes, in sections of its own."""
    spec = read(
        """
        struct { __uint(priority, 5); } _p SEC('.xdp_run_config');
        struct { __uint(version, 2); int data; } _v SEC('xdp_metadata') = { .data = 7 };
        """
        + BODY
    )
    assert spec.maps == {}
    assert spec.foreign == {
        ".xdp_run_config": bytes(8),
        "xdp_metadata": bytes(8) + b"\7" + bytes(7),
    }
    assert reader.read(writer.write(spec)) == spec


def test_types_are_no_data_of_a_tool():
    """Whatever flags their section has; .BTF would be there twice when it is written."""
    data = bytearray(compile_c(BODY.replace("'", '"')))
    (headers,) = struct.unpack_from("<Q", data, 40)
    at = headers + 64 * elf.read(bytes(data)).find(".BTF")
    struct.pack_into("<Q", data, at + 8, SectionFlag.ALLOC)
    spec = reader.read(bytes(data))
    assert spec.foreign == {}
    assert reader.read(writer.write(spec)) == spec


def test_a_reference_into_a_section_that_is_no_map():
    text = "volatile int x SEC('metadata') = 1; SEC('xdp') int p(void *c) { return x; }"
    spec = read(text, debug=False)
    with pytest.raises(ObjectError, match="metadata"):
        spec.functions["p"]


def test_pointers_in_data_keep_the_files_bytes():
    spec = read(
        """
        int number; int *volatile pointer = &number;
        SEC('xdp') int p(void *c) { return pointer ? 1 : 2; }
        """
    )
    assert spec.maps[".data"].contents == bytes(8)


def test_callbacks_are_functions():
    spec = read(
        """
        static long (*bpf_loop)(__u32 n, void *cb, void *c, __u64 flags) = (void *)181;
        static int other(__u32 i, void *c) { return 0; }
        static int callback(__u32 i, void *c) { return i > 3; }
        __noinline int global_callback(__u32 i, void *c) { return i > 4; }
        SEC('xdp') int p(void *c)
        {
            bpf_loop(1, other, c, 0);
            bpf_loop(9, callback, c, 0);
            bpf_loop(9, global_callback, c, 0);
            return 2;
        }
        """
    )
    values = [insn.value for insn in spec.functions["p"].insns if isinstance(insn, LoadImm64)]
    assert values == [
        SubprogRef("other"),
        SubprogRef("callback"),
        SubprogRef("global_callback"),
    ]
    names = [row.name for row in link(spec, "p").functions]
    assert names == ["p", "other", "callback", "global_callback"]


def test_subprograms_stand_behind_their_callers_as_libbpf_puts_them():
    spec = read(
        """
        __noinline int leaf(int x) { asm volatile(''); return x + 1; }
        __noinline int deep(int x) { asm volatile(''); return leaf(x) + 2; }
        __noinline int second(int x) { asm volatile(''); return x + 3; }
        SEC('xdp') int p(void *c) { return deep(1) + second(2) + leaf(3); }
        """
    )
    assert [row.name for row in link(spec, "p").functions] == ["p", "deep", "leaf", "second"]


def test_an_exception_callback_is_part_of_its_program():
    spec = read(
        """
        __noinline int thrown(__u64 cookie) { return cookie + 5; }
        __noinline int helper(int x) { asm volatile(''); return x; }
        SEC('xdp') __tag('exception_callback:thrown') int p(void *c) { return helper(1); }
        SEC('xdp') __tag('exception_callback:nobody') int q(void *c) { return 1; }
        SEC('xdp') int r(void *c) { return 1; }
        """
    )
    assert [row.name for row in link(spec, "p").functions] == ["p", "helper", "thrown"]
    assert [row.name for row in link(spec, "r").functions] == ["r"]
    with pytest.raises(ObjectError, match="nobody"):
        link(spec, "q")


STRUCT_OPS = """
struct ops___v2 { int (*start)(void); char name[8]; int count; int (*stop)(void); };
SEC('struct_ops/start') int start_it(void *c) { return 1; }
SEC('struct_ops.s') int stop_it(void *c) { return 2; }
SEC('.struct_ops.link') struct ops___v2 linked =
    { .start = (void *)start_it, .name = 'mine', .count = 7, .stop = (void *)stop_it };
SEC('.struct_ops') struct ops___v2 plain = { .stop = (void *)stop_it };
SEC('?.struct_ops') struct ops___v2 optional = { .start = (void *)start_it };
SEC('?.struct_ops.link') struct ops___v2 optional_link = { .name = 'none' };
"""


def test_struct_ops():
    spec = read(STRUCT_OPS)
    linked = spec.maps["linked"]
    assert (linked.type, linked.flags, linked.value_size) == (MapType.STRUCT_OPS, MapFlags.LINK, 32)
    assert linked.slots == ((0, "start_it"), (24, "stop_it"))
    assert linked.contents == bytes(8) + b"mine\0\0\0\0" + (7).to_bytes(4, "little") + bytes(12)
    assert spec.btf.type(linked.value_type_id).name == "ops___v2"
    assert spec.maps["plain"].slots == ((24, "stop_it"),)
    assert spec.maps["plain"].flags == MapFlags.NONE
    created = {name for name, row in spec.maps.items() if row.autocreate}
    assert created == {"linked", "plain"}
    assert spec.maps["optional_link"].flags == MapFlags.LINK


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("static struct { __uint(type, 2); } m SEC('.maps'); " + BODY, "static"),
        (
            "extern int m SEC('.maps'); SEC('xdp') int p(void *c) { return (long)&m; }",
            "another object",
        ),
        ("struct { __uint(type, 2); __uint(colour, 1); } m SEC('.maps'); " + BODY, "colour"),
        ("struct { __uint(type, 2); int *key; int max_entries; } m SEC('.maps');" + BODY, "max_"),
        (
            "struct { __uint(type, 2); __uint(max_entries, 1); __uint(key_size, 4);"
            "__array(values, int (void *)); } m SEC('.maps'); " + BODY,
            "values",
        ),
        (ARENA + ARENA.replace("} arena", "} other") + "int x SEC('.addr_space.1') = 1;", "2"),
        ("int x SEC('.addr_space.1') = 1;" + BODY, "arena"),
        (ARENA + "char x[8193] SEC('.addr_space.1') = {1};" + BODY, "8193"),
        ("int x; struct s { int *p; }; SEC('.struct_ops') struct s m = { &x };", "pointer"),
        ("SEC('.struct_ops') int m = 3;", "struct"),
        (
            "struct { __uint(type, 2); enum { much = 1ull << 40 } max_entries; } m SEC('.maps');"
            + BODY,
            "max_entries",
        ),
    ],
)
def test_refused(text, word):
    with pytest.raises(ObjectError, match=word):
        read(text)


def test_maps_of_a_definition_are_referred_to_by_place():
    spec = read(
        """
        struct { __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, int); }
            one SEC('.maps'), two SEC('.maps');
        SEC('xdp') int p(void *c) { int k = 0; return bpf_map_lookup_elem(&two, &k) ? 1 : 2; }
        """
    )
    values = [insn.value for insn in spec.functions["p"].insns if isinstance(insn, LoadImm64)]
    assert values == [MapRef("two")]
