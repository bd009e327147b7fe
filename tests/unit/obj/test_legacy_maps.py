"""Sections called ``maps``: struct bpf_map_def as libbpf 0.8, aya and iproute2 define it."""

from __future__ import annotations

import pytest
from c_objects import compile_c

from beebox.errors import ObjectError
from beebox.isa.instruction import LoadImm64, MapRef
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.model import INNER, Pinning
from beebox.tables.map_types import MapFlags, MapType

DEFINITION = "struct bpf_map_def { __u32 type, key, value, max, flags, more[MORE]; };"
USE = "SEC('xdp') int p(void *c) { int k = 0; return bpf_map_lookup_elem(&m, &k) ? 1 : 2; }"


def read(text, more=0, **options):
    text = DEFINITION.replace("MORE", str(more)) + text.replace("'", '"')
    return reader.read(compile_c(text, **options))


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_definitions_of_any_size(more, debug):
    """With and without debug information: BTF has no say in them."""
    spec = read(
        "struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 1 };"
        "struct bpf_map_def SEC('maps') n = { 2, 4, 16, 3 };" + USE,
        more,
        debug=debug,
    )
    row = spec.maps["m"]
    assert (row.type, row.key_size, row.value_size) == (MapType.HASH, 4, 8)
    assert (row.max_entries, row.flags) == (10, MapFlags.NO_PREALLOC)
    assert spec.maps["n"].value_size == 16
    values = [insn.value for insn in spec.functions["p"].insns if isinstance(insn, LoadImm64)]
    assert values == [MapRef("m")]
    assert set(link(spec, "p").maps) == {"m"}


def test_ayas_definitions():
    """28 bytes: an id, which aya does not use, and whether to pin by name."""
    spec = read(
        "struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 0, { 3, 1 } };"
        "struct bpf_map_def SEC('maps') n = { 1, 4, 8, 10 };" + USE,
        2,
    )
    assert (spec.maps["m"].pinning, spec.maps["n"].pinning) == (Pinning.BY_NAME, Pinning.NONE)


@pytest.mark.parametrize("section", ["maps/m", "lirc_mode2/maps"])
def test_other_names_of_the_section(section):
    spec = read(f"struct bpf_map_def SEC('{section}') m = {{ 1, 4, 8, 10 }};" + USE, 2)
    assert spec.maps["m"].max_entries == 10


def test_iproute2s_definitions():
    """36 bytes: ids join maps of maps to inner maps and prog arrays to sections "id/slot"."""
    spec = read(
        """
        struct bpf_map_def SEC('maps') outer = { 12, 4, 4, 6, 0, { 0, 0, 9, -1 } };
        struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 0, { 9, 2, 0, 2 } };
        struct bpf_map_def SEC('maps') jumps = { 3, 4, 4, 5, 0, { 1, 0, 0, -1 } };
        SEC('1/3') int third(void *c) { return 3; }
        """
        + USE,
        4,
    )
    assert spec.maps["outer"].inner.name == f"outer{INNER}"
    assert spec.maps["outer"].inner.value_size == 8
    assert spec.maps["outer"].slots == ((2, "m"),)
    assert spec.maps["m"].pinning is Pinning.BY_NAME
    assert spec.maps["jumps"].slots == ((3, "third"),)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 0, { 1 } };", 1),
        ("struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 0, { 0, 2 } };", 2),
        ("struct bpf_map_def SEC('maps') m = { 1, 4, 8, 10, 0, { 0, 1 } };", 4),
        ("struct bpf_map_def SEC('maps') m = { 99, 4, 8, 10 };", 0),
        ("struct bpf_map_def SEC('maps') m = { 12, 4, 4, 10, 0, { 0, 0, 5 } };", 4),
        (
            (
                "struct bpf_map_def SEC('maps') m = { 3, 4, 4, 3, 0, { 1, 0, 0, -1 } };"
                "SEC('1/3') int third(void *c) { return 3; }"
            ),
            4,
        ),
        (
            (
                "struct bpf_map_def SEC('maps') m = { 12, 4, 4, 6, 0, { 0, 0, 9, -1 } };"
                "struct bpf_map_def SEC('maps') n = { 1, 4, 8, 10, 0, { 9, 0, 0, 2 } };"
                "struct bpf_map_def SEC('maps') o = { 1, 4, 8, 10, 0, { 9, 0, 0, 2 } };"
            ),
            4,
        ),
        ("__u32 m[4] SEC('maps') = { 1, 4, 8, 10 };", 0),
        ("__u32 m[6] SEC('maps') = { 1, 4, 8 }; __u32 n[5] SEC('maps') = { 1 };", 0),
    ],
)
def test_refused(text, more):
    with pytest.raises(ObjectError):
        read(text + "SEC('xdp') int p(void *c) { return (long)&m; }", more)


def test_an_object_as_ayas_users_build_it():
    """No BTF, mangled names, panics in .text, string pieces in .rodata and pointers in data."""
    spec = reader.read(
        compile_c(
            """
            struct bpf_map_def { __u32 type, key, value, max, flags, id, pinning; };
            struct bpf_map_def EVENTS SEC("maps") = { 4, 4, 4, 0 };
            struct bpf_map_def BLOCKLIST SEC("maps") = { 1, 4, 4, 1024 };
            const char *const pieces[] SEC(".data.rel.ro") = { "index out of bounds" };
            __noinline int panic(int line)
                __asm__("_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE");
            int panic(int line) { for (;;) asm volatile("" :: "r"(line)); }
            static __noinline int try_firewall(void *c)
                __asm__("_ZN8firewall12try_firewall17hfedcba9876543210E");
            static int try_firewall(void *c)
            {
                __u32 key = *(__u32 *)c;
                if (key > 9)
                    panic((long)&pieces);
                return bpf_map_lookup_elem(&BLOCKLIST, &key) ? 1 : 2;
            }
            SEC("xdp") int firewall(void *c) { return try_firewall(c); }
            """,
            debug=False,
        )
    )
    assert spec.btf is None
    assert set(spec.maps) == {"EVENTS", "BLOCKLIST", ".rodata.str1.1", ".data.rel.ro"}
    assert spec.maps[".data.rel.ro"].contents == bytes(8)
    program = link(spec, "firewall")
    assert [row.name for row in program.functions] == [
        "firewall",
        "_ZN8firewall12try_firewall17hfedcba9876543210E",
        "_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE",
    ]
    assert set(program.maps) == {"BLOCKLIST", ".data.rel.ro"}
