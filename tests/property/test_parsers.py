"""Parsers are total: mutated objects and types end in a value or an InputError, in bounded time.

The mutants are the same in every run, unless BEEBOX_FUZZ_SEED chooses others.
"""

from __future__ import annotations

import os
import random
import resource
import struct
import time
from collections.abc import Callable
from functools import partial

import pytest
from c_objects import compile_c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beebox.btf import codec, ext, values
from beebox.btf.builder import Builder
from beebox.btf.strings import Strings
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
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
)
from beebox.errors import BtfError, InputError, NotSupportedError
from beebox.isa.instruction import (
    Call,
    CallKind,
    Exit,
    GlobalRef,
    LoadImm64,
    MapRef,
    Reg,
    SubprogRef,
)
from beebox.obj import maps, reader, writer
from beebox.obj.linker import link
from beebox.obj.map_descriptions import describe
from beebox.obj.model import FunctionSpec, LineInfo, MapSpec, ObjectSpec, VarRange
from beebox.tables.map_types import MapType

MUTANTS = 1000
SECONDS_EACH = 5.0
MEMORY_BYTES = 200 << 20


def handmade() -> bytes:
    """An object with every section that we write: what there is to mutate without a compiler."""
    builder = Builder()
    number = builder.unsigned(4)
    variable = builder.variable("limit", number)
    builder.section(".rodata", 4, (SectionVar(variable, 0, 4),))
    typed = builder.function("main", number, (Param("ctx", builder.pointer(0)),), Linkage.GLOBAL)
    btf = describe(builder.build(), {"m": MapSpec("m", MapType.HASH, 4, 6, 9)})
    assert btf is not None
    rows = maps.defined_maps(btf, file="")
    rows[".rodata"] = maps.global_data_map(".rodata", b"\7\0\0\0", btf)
    body = (
        LoadImm64(Reg.R1, MapRef("m")),
        LoadImm64(Reg.R2, GlobalRef(".rodata", 0)),
        Call(CallKind.SUBPROG, SubprogRef("static")),
        Exit(),
    )
    main = FunctionSpec(
        "main",
        "xdp",
        body,
        lines=(LineInfo(0, "a.py", 3, 5, "x = 1"),),
        type_id=typed,
        variables=(VarRange(0, 3, "x", reg=6), VarRange(1, 4, "key", stack_offset=-8)),
    )
    static = FunctionSpec("static", ".text", (Exit(),), is_global=False)
    return writer.write(ObjectSpec({"main": main, "static": static}, rows, "GPL", btf))


def mutated(data: bytes, dice: random.Random) -> bytes:
    """``data`` with a few bytes changed, dropped, repeated or swapped; headers more often."""
    out = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 3, 8, 30])):
        at = dice.randrange(len(out))
        if dice.random() < 0.3:  # a field of a section header
            (headers,) = struct.unpack_from("<Q", data, 40)
            at = min(len(out) - 1, headers + dice.randrange(max(1, len(data) - headers)))
        match dice.randrange(5):
            case 0:
                out[at] = dice.randrange(256)
            case 1:
                out[at] ^= 1 << dice.randrange(8)
            case 2:
                del out[at : at + dice.randrange(1, 64)]
            case 3:
                extreme = dice.choice([b"\xff" * 8, bytes(8), b"\0\0\0\x80" * 2])
                out[at : at + 8] = extreme
            case _:
                other = dice.randrange(len(out))
                out[at : at + 16] = out[other : other + 16]
        if len(out) < 64:
            break
    return bytes(out)


def use(data: bytes) -> bool:
    """Read, link everything, write, read back; False where the object was refused."""
    try:
        spec = reader.read(data)
    except InputError:
        return False
    for name in spec.program_names:
        try:
            link(spec, name)
        except (InputError, NotSupportedError):
            continue
    try:
        written = writer.write(spec)
    except (InputError, NotSupportedError):
        return True
    assert writer.write(reader.read(written)) == written
    return True


def look(data: bytes) -> bool:
    """Read, make every function, link everything; False where something was refused."""
    try:
        spec = reader.read(data)
        dict(spec.functions)
    except InputError:
        return False
    for name in spec.program_names:
        try:
            link(spec, name)
        except (InputError, NotSupportedError):
            continue
    return True


def bombard(data: bytes, use: Callable[[bytes], bool] = use) -> None:
    dice = random.Random(int(os.environ.get("BEEBOX_FUZZ_SEED", "1")))
    accepted = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        mutant = mutated(data, dice)
        started = time.monotonic()
        accepted += use(mutant)
        assert time.monotonic() - started < SECONDS_EACH
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MEMORY_BYTES
    assert 0 < accepted < MUTANTS  # else the mutations are too weak or too strong to test anything


@pytest.mark.slow
def test_mutated_objects() -> None:
    bombard(handmade())


@pytest.mark.slow
def test_mutated_objects_of_clang(clang_object: Callable[..., bytes]) -> None:
    """These have DWARF and relocated types."""
    bombard(clang_object("globals"))


EVERY_SECTION = """
struct task { int pid; __u64 cookie; } __attribute__((preserve_access_index));
extern const int runqueues __ksym;
extern int LINUX_KERNEL_VERSION __kconfig;
extern int kernel_function(int) __ksym __weak;
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct inner one SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 8); __uint(key_size, 4);
         __array(values, struct inner); } outer SEC(".maps") = { .values = { [5] = &one } };
struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 2);
         __ulong(map_extra, 0x100000000ull); } arena SEC(".maps");
int __attribute__((address_space(1))) in_arena = 3;
struct { __u32 words[9]; } jumps SEC("maps") = { { 3, 4, 4, 9, 0, 1 } };
struct { __u32 words[9]; } old SEC("maps") = { { 1, 4, 4, 9, 0, 0, 2 } };
struct ops { int (*run)(void *); int number; };
SEC("struct_ops/run") int run(void *c) { return in_arena; }
SEC(".struct_ops.link") struct ops ops = { (void *)run, 7 };
__weak __noinline int sub(int x) { return x + kernel_function(x); }
SEC("1/4") int tail(void *c) { return bpf_map_lookup_elem(&outer, c) ? 1 : sub(3); }
SEC("?fentry.s/x") __tag("exception_callback:sub") int first(void *c)
{
    struct task *task = *(void **)c;
    return task->cookie + runqueues + LINUX_KERNEL_VERSION + (bpf_map_lookup_elem(&old, c) != 0);
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_mutated_objects_of_every_section(target: str) -> None:
    bombard(compile_c(EVERY_SECTION, target=target), look)


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    strings = Strings(b"\0xdp\0")
    for parse in (reader.read, codec.parse, partial(ext.parse, strings=strings)):
        with pytest.raises(InputError):
            parse(data)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_types_behind_a_good_header(types: bytes, names: bytes) -> None:
    text = b"\0" + names + b"\0"
    head = codec.HEADER.pack(codec.MAGIC, 1, 0, 24, 0, len(types), len(types), len(text))
    try:
        btf = codec.parse(head + types + text)
    except BtfError:
        return
    assert codec.parse(codec.encode(btf)) == btf
    for type_id in range(len(btf) + 1):
        try:
            size = btf.size_of(type_id)
            if size < 4096:
                values.decode(btf, type_id, bytes(size))
        except BtfError:
            continue


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Btf, int, object]:
    """A type built from nested structs, arrays and scalars, with a value that fits it."""
    types: list[Type] = []

    def add(row: Type) -> int:
        types.append(row)
        return len(types)

    def build(depth: int) -> tuple[int, int, object]:
        kind = draw(st.sampled_from(["int", "enum", "ptr"] + ["array", "struct"] * (depth < 3)))
        match kind:
            case "int":
                size, signed = draw(st.sampled_from([1, 2, 4, 8])), draw(st.booleans())
                low = -(1 << (8 * size - 1)) if signed else 0
                value = draw(st.integers(low, low + (1 << 8 * size) - 1))
                return add(Int(f"i{size}", size, 8 * size, signed=signed)), size, value
            case "enum":
                return add(Enum("e", 4, (("A", 0), ("B", 9)))), 4, draw(st.sampled_from("AB"))
            case "ptr":
                return add(Ptr(0)), 8, draw(st.integers(0, (1 << 64) - 1))
            case "array":
                element, size, value = build(depth + 1)
                count = draw(st.integers(0, 3))
                return add(Array(element, 0, count)), size * count, [value] * count
            case _:
                members: list[Member] = []
                fields: dict[str, object] = {}
                at = 0
                for index in range(draw(st.integers(0, 4))):
                    target, size, value = build(depth + 1)
                    members.append(Member(f"m{index}", target, 8 * at))
                    fields[f"m{index}"] = value
                    at += size
                return add(Struct("s", at, tuple(members))), at, fields

    type_id, _, value = build(0)
    type_id = add(Modifier("const", add(Typedef("t", type_id))))
    return Btf(tuple(types)), type_id, value


@given(typed_values())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_values_come_back(case: tuple[Btf, int, object]) -> None:
    btf, type_id, value = case
    data = values.encode(btf, type_id, value)
    assert len(data) == btf.size_of(type_id)
    assert values.decode(btf, type_id, data) == value
    assert codec.parse(codec.encode(btf)) == btf
