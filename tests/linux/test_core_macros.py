"""The macros of bpf_core_read.h against kernels made up in C: libbpf's instructions are ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from c_objects import compile_c
from libbpf_oracle import load

from beebox import api
from beebox.btf import codec
from beebox.btf.types import Btf
from beebox.errors import TargetError
from beebox.isa.codec import encode
from beebox.obj import reader
from beebox.obj.elf import read as read_elf
from beebox.obj.linker import link
from beebox.obj.targets.host import host
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import target_of_btf

pytestmark = pytest.mark.linux

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct leaf { int value; char text[16]; };
union choice { int number; void *pointer; };
struct tree {
    int id;
    unsigned int width;
    struct { struct leaf *left, *right; };
    struct leaf own[4];
    union choice choice;
    unsigned int low : 3, high : 5;
    int sign : 4;
    unsigned char wide;
    unsigned short tail[];
};
struct tree___old { long number; };
struct absent { int field; };
#pragma clang attribute pop
enum colour { RED, GREEN, BLUE = 7, GREY___old = 9 };
enum big { HUGE = 0x100000000ULL };
typedef int (*callback_t)(struct tree *tree, int depth);
typedef struct leaf leaf_t;

static __noinline int read_leaf(struct leaf *leaf)
{
    char text[4];
    bpf_core_read_str(text, sizeof(text), &leaf->text);
    return BPF_CORE_READ(leaf, value) + text[0];
}
__noinline int read_all(void *ctx)
{
    struct tree *tree = ctx;
    return BPF_CORE_READ(tree, left, value) + BPF_CORE_READ(tree, right, value) +
           read_leaf(BPF_CORE_READ(tree, left));
}
SEC("socket") int fields(void *ctx)
{
    struct tree *tree = ctx;
    return read_all(ctx) + BPF_CORE_READ(tree, own[2].value) + BPF_CORE_READ(tree, choice.number) +
           BPF_CORE_READ(tree, tail[3]) + BPF_CORE_READ(tree, id);
}
SEC("tp_btf/sched_switch") int direct(__u64 *ctx)
{
    struct tree *tree = (void *)ctx[0];
    tree->id = 5;
    tree->width = tree->own[1].value;
    tree->wide = (unsigned char)ctx[1];
    return tree->wide + (tree->left != 0) + tree->width + tree[1].id + tree->own[3].text[5];
}
SEC("socket") int bits(void *ctx)
{
    struct tree *tree = ctx;
    return BPF_CORE_READ_BITFIELD_PROBED(tree, low) + BPF_CORE_READ_BITFIELD_PROBED(tree, sign);
}
SEC("tp_btf/sched_switch") int direct_bits(__u64 *ctx)
{
    struct tree *tree = (void *)ctx[0];
    return BPF_CORE_READ_BITFIELD(tree, high) + BPF_CORE_READ_BITFIELD(tree, sign);
}
SEC("socket") int questions(void *ctx)
{
    struct tree *tree = ctx;
    struct tree___old *old = ctx;
    struct absent *absent = ctx;
    int found = bpf_core_field_exists(tree->width) + 2 * bpf_core_field_exists(old->number) +
            4 * bpf_core_field_exists(absent->field) + bpf_core_field_size(tree->own) +
            bpf_core_field_size(tree->id) + bpf_core_field_exists(struct tree, tail) +
            bpf_core_field_offset(struct leaf, text[9]);
    if (bpf_core_field_exists(old->number))
        found += BPF_CORE_READ(old, number);
    return found;
}
SEC("socket") int types(void *ctx)
{
    return bpf_core_type_exists(struct tree) + 2 * bpf_core_type_exists(struct absent) +
           4 * bpf_core_type_exists(callback_t) + 8 * bpf_core_type_exists(enum colour) +
           16 * bpf_core_type_matches(struct leaf) + 32 * bpf_core_type_matches(struct tree) +
           64 * bpf_core_type_matches(callback_t) + 128 * bpf_core_type_exists(leaf_t) +
           bpf_core_type_size(struct tree) + bpf_core_type_size(struct absent) +
           bpf_core_type_id_kernel(struct leaf) + bpf_core_type_id_local(struct leaf);
}
SEC("socket") int values(void *ctx)
{
    __u64 found = bpf_core_enum_value_exists(enum colour, GREEN) +
              2 * bpf_core_enum_value_exists(enum colour, GREY___old) +
              bpf_core_enum_value(enum big, HUGE);
    if (bpf_core_enum_value_exists(enum colour, BLUE))
        found += bpf_core_enum_value(enum colour, BLUE);
    return found;
}
char LICENSE[] SEC("license") = "GPL";
"""

SAME = """
struct leaf { int value; char text[16]; };
union choice { int number; void *pointer; };
struct tree {
    int id; unsigned int width; struct { struct leaf *left, *right; }; struct leaf own[4];
    union choice choice; unsigned int low : 3, high : 5; int sign : 4; unsigned char wide;
    unsigned short tail[];
};
enum colour { RED, GREEN, BLUE = 7, GREY = 9 };
enum big { HUGE = 0x100000000ULL };
typedef int (*callback_t)(struct tree *tree, int depth);
typedef struct leaf leaf_t;
"""
USED = """
struct tree tree; enum colour colour; enum big big; callback_t callback; leaf_t leaf;
"""
KERNELS = {
    "same": SAME,
    "moved": SAME.replace("int id;", "long pad[40];")
    .replace("unsigned char wide;", "unsigned char wide; int id;")
    .replace("*left, *right", "*right, *middle, *left")
    .replace("int value; char text[16];", "char text[32]; long gap; int value;"),
    "renamed": SAME.replace("width", "breadth").replace("right", "other"),
    "nested": SAME.replace("int id;", "union { struct { char c; int id; }; long other; };"),
    "resized": SAME.replace("unsigned int width", "unsigned long width")
    .replace("unsigned char wide", "unsigned short wide")
    .replace("struct leaf own[4]", "struct leaf own[9]"),
    "signed resized": SAME.replace("int id;", "long id;"),
    "retyped": SAME.replace("union choice choice;", "int choice;")
    .replace("struct leaf *left, *right;", "struct leaf left, right;"),
    "shorter": SAME.replace("own[4]", "own[2]").replace("tail[]", "tail[2]"),
    "bitfields": SAME.replace("low : 3, high : 5;", "x : 9, low : 9, high : 5;")
    .replace("int sign : 4;", "long sign : 7;"),
    "no bitfields": SAME.replace("low : 3, high : 5; int sign : 4", "low, high; short sign"),
    "enums": SAME.replace("RED, GREEN, BLUE = 7, GREY = 9", "BLUE = -3, GREY___new = 1")
    .replace("0x100000000ULL", "12"),
    "without": SAME.replace("int value; char text[16];", "int nothing;").replace("int id;", ""),
    "flavours": SAME.replace("struct tree ", "struct tree___5 "),
    "old": SAME.replace("unsigned int width;", "unsigned int width; long number;"),
    "another prototype": SAME.replace("int depth)", "int depth, int more)"),
    "no types": "int nothing;",
}  # fmt: skip
HARMED = {
    "renamed": ("right", "width"),
    "signed resized": ("id",),
    "retyped": ("choice", "left", "right"),
    "shorter": ("own", "tail"),
    "without": ("text", "value", "id"),
    "no types": ("tree", "leaf", "colour", "big"),
}
"""What a program that reaches it is refused for."""

AMBIGUOUS = SAME + "struct leaf___2 { long gap; int value; char text[16]; };"
AMBIGUOUS_USED = "struct leaf___2 leaf___2;"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("core") / "core.c"
    path.write_text(SOURCE)
    return api.compile_c(path)


def types_of(text: str) -> Btf:
    elf = read_elf(compile_c(text, prelude=""))
    return codec.parse(elf.sections[elf.find(".BTF") or 0].contents)


def used(text: str) -> str:
    names = ("tree", "colour", "big", "callback", "leaf")
    lines = [line for line, name in zip(USED.split(";"), names, strict=False) if name in text]
    flavoured = "struct tree___5" in text
    return ";".join(lines).replace(
        "struct tree ", "struct tree___5 " if flavoured else "struct tree "
    )


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel(data: bytes, name: str, tmp_path: Path) -> None:
    text = KERNELS[name]
    target = types_of(text + used(text) + ";")
    file = tmp_path / "kernel.btf"
    file.write_bytes(codec.encode(target))
    theirs = load(data, btf=file)
    assert theirs.relocated, theirs.warnings
    spec = reader.read(data)
    mine = resolve(spec, target_of_btf(target), spec.program_names, kernel=host())
    for program in spec.program_names:
        assert encode(link(mine, program).insns) == theirs.code[program], program
    reasons = {row.why for function in mine.functions.values() for row in function.poisoned}
    known = {why for why in reasons if "number" in why}  # of struct tree___old
    assert bool(known) == (name not in {"old", "no types"})
    for word in HARMED.get(name, ()):
        assert any(re.search(rf"\b{word}\b", why) for why in reasons), word
    assert (reasons - known == set()) == (name not in HARMED)
    assert spec.functions["types"].core != ()


def test_a_kernel_that_leaves_it_open(data: bytes, tmp_path: Path) -> None:
    target = types_of(AMBIGUOUS + USED + AMBIGUOUS_USED)
    file = tmp_path / "kernel.btf"
    file.write_bytes(codec.encode(target))
    assert not load(data, btf=file).relocated
    spec = reader.read(data)
    with pytest.raises(TargetError):
        resolve(spec, target_of_btf(target), spec.program_names, kernel=host())
