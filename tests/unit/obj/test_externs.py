"""CO-RE relocations, kernel symbols and configuration values, as clang leaves them to loaders."""

from __future__ import annotations

import struct

import pytest
from c_objects import compile_c

from beebox.btf.types import Func, Int, Linkage
from beebox.errors import ObjectError
from beebox.isa.instruction import Call, CallKind, KfuncRef, KsymRef, Load, LoadImm64, SubprogRef
from beebox.obj import reader
from beebox.obj.elf import SectionType
from beebox.obj.elf import read as read_elf
from beebox.obj.model import CoreRelocation, ExternKind, ExternSpec
from beebox.tables.core_relocations import CoreKind

SOURCE = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inner { int a; __u64 flags : 3; };
struct task { int pid; struct inner in[4]; };
#pragma clang attribute pop
extern const int typed __ksym;
extern const void untyped __ksym __weak;
extern __u64 call_me(void *x) __ksym;
extern void maybe(__u32 x) __ksym __weak;
extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF __kconfig __weak;
extern char CONFIG_TEXT[20] __kconfig __weak;
__weak __noinline int weak_one(int x) { return x + 1; }
__hidden __noinline int hidden_one(int x) { return x + LINUX_KERNEL_VERSION; }
SEC("?tp_btf/sched_switch") int first(__u64 *ctx)
{
    struct task *task = (void *)ctx[0];
    if (maybe)
        maybe(1);
    return call_me(ctx) + typed + (&untyped != 0) + task->in[2].a + CONFIG_BPF + CONFIG_TEXT[1];
}
SEC("tp_btf") int second(__u64 *ctx)
{
    struct task *task = (void *)ctx[0];
    int size = __builtin_preserve_field_info(task->in[0].flags, 1);
    return task->pid + size + weak_one(3) + hidden_one(4);
}
"""


@pytest.fixture(scope="module")
def spec():
    return reader.read(compile_c(SOURCE))


def test_core_relocations_belong_to_their_functions(spec):
    (access,) = spec.functions["first"].core
    task = spec.btf.named("task")[0]
    assert access == CoreRelocation(access.pc, CoreKind.FIELD_BYTE_OFFSET, task, "0:1:2:0")
    assert {row.kind: row.access for row in spec.functions["second"].core} == {
        CoreKind.FIELD_BYTE_OFFSET: "0:0",
        CoreKind.FIELD_BYTE_SIZE: "0:1:0:1",
    }
    assert spec.functions["weak_one"].core == ()


def test_a_core_relocation_names_the_instruction_that_it_patches(spec):
    function = spec.functions["second"]
    (row,) = (row for row in function.core if row.kind is CoreKind.FIELD_BYTE_OFFSET)
    slots, pc = {}, 0
    for insn in function.insns:
        slots[pc] = insn
        pc += 2 if isinstance(insn, LoadImm64) else 1
    assert isinstance(slots[row.pc], Load)


def test_what_externs_are(spec):
    kinds = {name: (row.kind, row.is_weak) for name, row in spec.externs.items()}
    assert kinds == {
        "typed": (ExternKind.VARIABLE, False),
        "untyped": (ExternKind.VARIABLE, True),
        "call_me": (ExternKind.FUNCTION, False),
        "maybe": (ExternKind.FUNCTION, True),
        "LINUX_KERNEL_VERSION": (ExternKind.KCONFIG, False),
        "CONFIG_BPF": (ExternKind.KCONFIG, True),
        "CONFIG_TEXT": (ExternKind.KCONFIG, True),
    }
    assert spec.externs["untyped"] == ExternSpec("untyped", ExternKind.VARIABLE, is_weak=True)
    _, row = spec.btf.resolve(spec.externs["typed"].type_id)
    assert isinstance(row, Int)
    row = spec.btf.type(spec.externs["call_me"].type_id)
    assert isinstance(row, Func)
    assert (row.name, row.linkage) == ("call_me", Linkage.EXTERN)
    assert spec.btf.size_of(spec.externs["CONFIG_TEXT"].type_id) == 20


def test_how_externs_are_used(spec):
    insns = spec.functions["first"].insns
    calls = [insn for insn in insns if isinstance(insn, Call)]
    assert calls == [
        Call(CallKind.KFUNC, KfuncRef("maybe")),
        Call(CallKind.KFUNC, KfuncRef("call_me")),
    ]
    loads = {insn.value.name for insn in insns if isinstance(insn, LoadImm64)}
    assert loads == {"maybe", "typed", "untyped", "CONFIG_BPF", "CONFIG_TEXT"}
    assert all(isinstance(insn.value, KsymRef) for insn in insns if isinstance(insn, LoadImm64))


def test_sections_and_symbols(spec):
    first, second = spec.functions["first"], spec.functions["second"]
    assert (first.section, first.autoload) == ("?tp_btf/sched_switch", False)
    assert (second.section, second.autoload) == ("tp_btf", True)
    assert spec.functions["weak_one"].is_weak
    assert not spec.functions["hidden_one"].is_weak
    called = [insn.target for insn in second.insns if isinstance(insn, Call)]
    assert called == [SubprogRef("weak_one"), SubprogRef("hidden_one")]


def test_hidden_functions_are_static_to_the_kernel(spec):
    """The kernel verifies a static function with its callers' states, as libbpf asks for these."""
    hidden, weak = spec.functions["hidden_one"], spec.functions["weak_one"]
    assert hidden.is_global
    assert spec.btf.type(hidden.type_id).linkage is Linkage.STATIC
    assert spec.btf.type(weak.type_id).linkage is Linkage.GLOBAL


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("extern int missing(void); SEC('xdp') int p(void *c) { return missing(); }", "missing"),
        ("extern int missing; SEC('xdp') int p(void *c) { return missing; }", "missing"),
        (
            "extern int f(void) __kconfig; SEC('xdp') int p(void *c) { return f(); }",
            "configuration",
        ),
    ],
)
def test_refused(text, word):
    with pytest.raises(ObjectError, match=word):
        dict(reader.read(compile_c(text.replace("'", '"'))).functions)


def test_records_of_replaced_functions_are_passed_over():
    """A linker leaves the code, lines and CO-RE relocations of weak functions that lost."""
    data = bytearray(compile_c(SOURCE))
    elf = read_elf(bytes(data))
    at = next(index for index, row in enumerate(elf.symbols) if row.name == "second")
    (headers,) = struct.unpack_from("<Q", data, 40)
    table = next(i for i, row in enumerate(elf.sections) if row.type == SectionType.SYMTAB)
    (start,) = struct.unpack_from("<Q", data, headers + 64 * table + 24)
    data[start + 24 * at + 4] &= 0xF0  # no longer a function
    spec = reader.read(bytes(data))
    whole = reader.read(compile_c(SOURCE))
    assert "second" not in spec.functions
    assert spec.functions["first"] == whole.functions["first"]
    assert spec.functions["weak_one"] == whole.functions["weak_one"]
