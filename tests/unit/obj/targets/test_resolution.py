"""What an object leaves to its target, settled against targets made up for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from c_objects import compile_c

from beebox import api
from beebox.btf import codec
from beebox.btf.remap import remapped
from beebox.btf.types import Btf
from beebox.errors import ObjectError, TargetError
from beebox.isa.instruction import Call, CallKind, GlobalRef, KfuncRef, KsymRef, Load, LoadImm64
from beebox.obj import reader
from beebox.obj.elf import read as read_elf
from beebox.obj.linker import link
from beebox.obj.model import KconfigPlace, KernelAddress, KernelSymbol, Missing, ObjectSpec
from beebox.obj.targets.host import host
from beebox.obj.targets.poison import POISONED_KFUNC
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import Modules, Target, target_of_btf
from beebox.tables.map_types import MapFlags

KERNEL = """
struct sample { int pad; int here; };
struct sample sample;
typedef void (*btf_trace_sched_switch)(void *data, int preempt);
btf_trace_sched_switch tracepoint;
int attached(struct sample *sample) { return sample->here; }
int bpf_lsm_file_open(void *file) { return 0; }
int bpf_iter_task(void *meta) { return 0; }
long kernel_function(int one, void *two) { return one; }
long other_result(int one) { return one; }
"""


def types_of(text: str) -> Btf:
    elf = read_elf(compile_c(text))
    return codec.parse(elf.sections[elf.find(".BTF") or 0].contents)


@pytest.fixture(scope="module")
def target() -> Target:
    btf = types_of(KERNEL)
    config = {
        "CONFIG_HZ": "250", "CONFIG_YES": "y", "CONFIG_MODULE": "m", "CONFIG_TEXT": '"some text"',
        "CONFIG_HEX": "0x10", "CONFIG_NEGATIVE": "-2",
    }  # fmt: skip
    return Target(
        "made up",
        read_btf=lambda: btf,
        read_config=lambda: config,
        read_version=lambda: 6 << 16 | 18 << 8,
        read_kallsyms=lambda: {"here": (0xFFFF0010,), "twice": (1, 2)},
    )


def resolved(text: str, target: Target, program: str = "prog") -> ObjectSpec:
    return resolve(reader.read(compile_c(text)), target, [program])


def test_nothing_is_read_for_an_object_that_needs_nothing() -> None:
    def refuse() -> Btf:
        raise AssertionError

    spec = reader.read(compile_c('SEC("socket") int prog(void *ctx) { return 0; }'))
    assert resolve(spec, Target("unread", read_btf=refuse), ["prog"]) is spec


KCONFIG = """
enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
extern int LINUX_KERNEL_VERSION __kconfig;
extern __u64 CONFIG_HEX __kconfig;
extern short CONFIG_NEGATIVE __kconfig;
extern int CONFIG_HZ __kconfig;
extern _Bool CONFIG_YES __kconfig;
extern enum libbpf_tristate CONFIG_MODULE __kconfig;
extern char CONFIG_TEXT[5] __kconfig;
extern char CONFIG_LETTER __kconfig __weak;
extern _Bool CONFIG_NONE __kconfig __weak;
SEC("socket") int prog(void *ctx)
{
    return LINUX_KERNEL_VERSION + CONFIG_HEX + CONFIG_NEGATIVE + CONFIG_HZ + CONFIG_YES +
           CONFIG_MODULE + CONFIG_TEXT[1] + CONFIG_NONE + CONFIG_LETTER;
}
"""


def test_values_of_the_build(target: Target) -> None:
    spec = resolved(KCONFIG, target)
    row = spec.maps[".kconfig"]
    assert (row.frozen, row.flags & MapFlags.RDONLY_PROG) == (True, MapFlags.RDONLY_PROG)
    places = {
        name: extern.resolved
        for name, extern in spec.externs.items()
        if isinstance(extern.resolved, KconfigPlace)
    }
    contents = row.contents or b""
    assert {name: contents[at.offset : at.offset + at.size] for name, at in places.items()} == {
        "CONFIG_HEX": (16).to_bytes(8, "little"),
        "CONFIG_HZ": (250).to_bytes(4, "little"),
        "CONFIG_LETTER": b"\0",
        "CONFIG_MODULE": (2).to_bytes(4, "little"),
        "CONFIG_NEGATIVE": b"\xfe\xff",
        "CONFIG_NONE": b"\0",
        "CONFIG_TEXT": b"some\0",
        "CONFIG_YES": b"\1",
        "LINUX_KERNEL_VERSION": bytes([0, 18, 6, 0]),
    }
    by_offset = sorted(places, key=lambda name: places[name].offset)
    assert by_offset == [
        "CONFIG_HEX", "CONFIG_HZ", "CONFIG_MODULE", "LINUX_KERNEL_VERSION", "CONFIG_NEGATIVE",
        "CONFIG_LETTER", "CONFIG_NONE", "CONFIG_YES", "CONFIG_TEXT",
    ]  # fmt: skip
    loads = [insn for insn in spec.functions["prog"].insns if isinstance(insn, LoadImm64)]
    assert {insn.value for insn in loads} == {
        GlobalRef(".kconfig", place.offset) for place in places.values()
    }


@pytest.mark.parametrize(
    ("declaration", "error"),
    [
        ("int CONFIG_ABSENT", TargetError),
        ("_Bool CONFIG_MODULE", TargetError),
        ("int CONFIG_YES", TargetError),
        ("int CONFIG_TEXT", TargetError),
        ("char CONFIG_HZ", TargetError),
        ("char CONFIG_HZ[4]", TargetError),
        ("char CONFIG_TEXT[2000000]", ObjectError),
        ("char CONFIG_TEXT[4][4]", ObjectError),
        ("struct { int a; } CONFIG_HZ", ObjectError),
        ("int OTHER", ObjectError),
    ],
)
def test_values_that_do_not_fit(target: Target, declaration: str, error: type[Exception]) -> None:
    name = declaration.split("[", maxsplit=1)[0].rsplit(maxsplit=1)[-1]
    text = f"""
    extern {declaration} __kconfig;
    SEC("socket") int prog(void *ctx) {{ return *(char *)&{name}; }}
    """
    with pytest.raises(error):
        resolved(text, target)


KSYMS = """
struct sample;
extern const void here __ksym;
extern const void absent __ksym __weak;
extern long kernel_function___flavour(int a, void *b) __ksym;
extern long gone(int a) __ksym __weak;
extern void other_result(void) __ksym __weak;
SEC("tp_btf/sched_switch") int prog(__u64 *ctx)
{
    if (gone)
        gone(1);
    if (other_result)
        other_result();
    return (__u64)&here + (&absent != 0) + kernel_function___flavour(1, ctx);
}
"""


def test_kernel_symbols(target: Target) -> None:
    spec = resolved(KSYMS, target)
    found = {name: row.resolved for name, row in spec.externs.items()}
    (function,) = target.btf.named("kernel_function") if target.btf else ()
    assert found == {
        "here": KernelAddress(0xFFFF0010),
        "absent": Missing(),
        "kernel_function___flavour": KernelSymbol(function),
        "gone": Missing(),
        "other_result": Missing(),
    }
    linked = link(spec, "prog")
    poison = [linked.slots[row.pc] for row in linked.poisoned]
    assert poison == [
        Call(CallKind.HELPER, POISONED_KFUNC + sorted(found).index(name))
        for name in ("gone", "other_result")
    ]
    loaded = [insn.value for insn in linked.insns if isinstance(insn, LoadImm64)]
    assert sorted(map(str, loaded)) == ["0", "0", "0", str(KsymRef("here"))]
    assert Call(CallKind.KFUNC, KfuncRef("kernel_function___flavour")) in linked.insns
    tracepoint = spec.attach_symbols["prog"]
    assert target.btf is not None
    assert tracepoint.btf_id in target.btf.named("btf_trace_sched_switch")


@pytest.mark.parametrize(
    "declaration",
    [
        "extern const void absent __ksym",
        "extern const void twice __ksym",
        "extern const int here __ksym",
        "extern long gone(int a) __ksym",
        "extern long kernel_function(int a) __ksym",
    ],
)
def test_strong_symbols_that_are_not_there(target: Target, declaration: str) -> None:
    name = declaration.split("(", maxsplit=1)[0].removesuffix(" __ksym").split()[-1]
    text = f"""
    {declaration};
    SEC("socket") int prog(void *ctx) {{ return (__u64)&{name}; }}
    """
    with pytest.raises(TargetError):
        resolved(text, target)


def test_a_symbol_that_no_chosen_program_uses(target: Target) -> None:
    text = """
    extern const void absent __ksym;
    SEC("socket") int other(void *ctx) { return (__u64)&absent; }
    SEC("socket") int prog(void *ctx) { return 0; }
    """
    spec = resolved(text, target)
    assert spec.externs["absent"].resolved is None
    with pytest.raises(TargetError):
        resolved(text, target, "other")


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("fentry/attached", "attached"),
        ("fexit.s/attached", "attached"),
        ("fmod_ret/attached", "attached"),
        ("fentry/vmlinux:attached", "attached"),
        ("lsm/file_open", "bpf_lsm_file_open"),
        ("lsm_cgroup/file_open", "bpf_lsm_file_open"),
        ("iter/task", "bpf_iter_task"),
        ("?tp_btf/sched_switch", "btf_trace_sched_switch"),
    ],
)
def test_attach_points(target: Target, section: str, name: str) -> None:
    spec = resolved(f'SEC("{section}") int prog(__u64 *ctx) {{ return 0; }}', target)
    assert target.btf is not None
    assert spec.attach_symbols["prog"].btf_id in target.btf.named(name)
    assert link(spec, "prog").attach_symbol == spec.attach_symbols["prog"]


@pytest.mark.parametrize("section", ["fentry", "kprobe/attached", "xdp", "freplace/attached"])
def test_programs_that_attach_otherwise(target: Target, section: str) -> None:
    spec = resolved(f'SEC("{section}") int prog(__u64 *ctx) {{ return 0; }}', target)
    assert spec.attach_symbols == {}


@pytest.mark.parametrize(
    "section", ["fentry/absent", "tp_btf/attached", "lsm/attached", "fentry/other:attached"]
)
def test_attach_points_that_are_not_there(target: Target, section: str) -> None:
    with pytest.raises(TargetError):
        resolved(f'SEC("{section}") int prog(__u64 *ctx) {{ return 0; }}', target)


MODULE = """
struct in_module { int pad; int field; };
struct in_module in_module;
int module_function(int one) { return one; }
int attached(int one) { return one; }
"""


def with_module(target: Target) -> tuple[Target, Btf]:
    kernel = target.btf
    assert kernel is not None
    shift = len(kernel)
    rows = tuple(remapped(row, lambda at: at + shift) for row in types_of(MODULE).types)
    split = Btf(rows, kernel)
    return replace(target, read_modules=lambda: Modules(("mod",), lambda _name: split)), split


def test_modules(target: Target) -> None:
    given, split = with_module(target)
    text = """
    #pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
    struct in_module { int field; };
    #pragma clang attribute pop
    extern int module_function(int one) __ksym;
    SEC("fentry/SECTION") int prog(__u64 *ctx)
    {
        struct in_module *row = (void *)ctx[0];
        return module_function(row->field);
    }
    """
    spec = resolved(text.replace("SECTION", "module_function"), given)
    (function,) = split.named("module_function")
    assert spec.externs["module_function"].resolved == KernelSymbol(function, "mod")
    assert spec.attach_symbols["prog"] == KernelSymbol(function, "mod")
    offsets = [insn.offset for insn in spec.functions["prog"].insns if isinstance(insn, Load)]
    assert offsets == [0, 4]
    assert target.btf is not None
    here = resolved(text.replace("SECTION", "attached"), given).attach_symbols["prog"]
    there = resolved(text.replace("SECTION", "mod:attached"), given).attach_symbols["prog"]
    assert (here.module, there.module) == ("", "mod")
    with pytest.raises(TargetError):
        resolved(text.replace("SECTION", "vmlinux:module_function"), given)


POISON = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sample { int here; int gone; };
#pragma clang attribute pop
SEC("socket") int guarded(struct sample *sample)
{
    if (__builtin_preserve_field_info(sample->gone, 2))
        return __builtin_preserve_field_info(sample->gone, 0);
    return 1;
}
SEC("socket") int reached(struct sample *sample)
{
    return __builtin_preserve_field_info(sample->gone, 0);
}
"""


def test_what_is_missing_is_a_finding_only_where_it_is_reached(target: Target) -> None:
    guarded, reached = api.verify(reader.read(compile_c(POISON)), btf=target)
    assert guarded.accepted
    (finding,) = reached.findings
    assert finding.code == "missing-in-target"
    assert "struct sample has no field gone" in finding.message
    assert "made up" in finding.message
    assert finding.line is not None
    assert reached.spec.slots[finding.pc] == Call(CallKind.HELPER, 195896080)


def test_against_itself_nothing_is_missing() -> None:
    spec = reader.read(compile_c(POISON))
    assert all(report.accepted for report in api.verify(spec, btf="self"))
    assert all(
        report.accepted for report in api.verify(spec, btf=target_of_btf(None, "without types"))
    )


@pytest.mark.linux
def test_types_without_functions_say_nothing_of_symbols() -> None:
    text = """
    extern void bpf_rcu_read_lock(void) __ksym;
    extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
    extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
    SEC("tp_btf/sched_switch") int prog(__u64 *ctx)
    {
        bpf_rcu_read_lock();
        return LINUX_HAS_BPF_COOKIE + LINUX_HAS_SYSCALL_WRAPPER;
    }
    """
    spec = resolved(text, target_of_btf(types_of("struct sample { int here; } sample;")))
    assert spec == resolved(text, host())
    assert isinstance(spec.externs["bpf_rcu_read_lock"].resolved, KernelSymbol)


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 8), ("0X1f", 31), ("1_0", None), ("0b11", None), ("0o7", None), ("\u0663", None)],
)
def test_numbers_of_the_build_are_those_of_c(text: str, value: int | None) -> None:
    btf = types_of(KERNEL)
    target = Target("made up", read_btf=lambda: btf, read_config=lambda: {"CONFIG_N": text})
    source = 'extern int CONFIG_N __kconfig; SEC("socket") int prog(void *c) { return CONFIG_N; }'
    if value is None:
        with pytest.raises(TargetError):
            resolved(source, target)
    else:
        contents = resolved(source, target).maps[".kconfig"].contents or b""
        assert int.from_bytes(contents, "little") == value
