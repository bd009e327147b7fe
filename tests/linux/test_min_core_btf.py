"""Types made small for an object: as bpftool makes them, as good as the whole for libbpf and us."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import libbpf_oracle
import pytest
from c_headers import check_c, measuring_source
from c_objects import compile_c

from beebox.btf import codec, kernel, raw_output
from beebox.btf.c import output as c_output
from beebox.btf.types import Btf, Int
from beebox.obj import reader
from beebox.obj.minimal_types import minimal_types
from beebox.obj.model import ObjectSpec
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import target_of_btf

pytestmark = pytest.mark.linux

VMLINUX = Path("/sys/kernel/btf/vmlinux")
CORE = """
#define TRACKED __attribute__((preserve_access_index))
#define field(path, what) __builtin_preserve_field_info(path, what)
#define type(name, what) __builtin_preserve_type_info(*(name *)0, what)
static void *(*get_current_task)(void) = (void *)35;
"""
FIELDS = (
    CORE
    + """
struct page_table { unsigned long pgd; } TRACKED;
struct mm_struct { struct page_table *pgd; int map_count; } TRACKED;
struct load_weight { unsigned long weight; } TRACKED;
struct sched_entity { struct load_weight load; __u64 vruntime; } TRACKED;
struct task_struct {
    int pid; char comm[16]; struct sched_entity se; struct mm_struct *mm;
    struct task_struct *parent; unsigned sched_reset_on_fork : 1;
} TRACKED;
struct task_struct___old { int pid; long state; int nowhere; } TRACKED;
struct list_head { struct list_head *next, *prev; } TRACKED;
SEC("raw_tp/sys_enter") long fields(void *ctx) {
    struct task_struct *task = get_current_task();
    struct task_struct___old *old = (void *)task;
    long sum = field(old->nowhere, 2) ? (long)&old->nowhere : 3;
    sum += field(old->pid, 2) + field(old->state, 2);
    sum += (long)&task->se.load.weight + (long)&task->comm[3] + (long)&task->parent;
    sum += (long)&task->mm + (long)&((struct mm_struct *)task)->map_count;
    sum += field(task->comm, 1) + field(task->pid, 3) + field(task->se.vruntime, 0);
    sum += field(task->sched_reset_on_fork, 4) + field(task->sched_reset_on_fork, 5);
    return sum + (long)&((struct list_head *)task)->prev;
}
"""
)
TYPES = (
    CORE
    + """
struct list_head { struct list_head *next, *prev; };
struct file { int x; }; struct nowhere { int x; };
struct callback_head { struct callback_head *next; void (*func)(struct callback_head *head); };
typedef struct { int counter; } atomic_t;
typedef int (*filler_t)(struct file *, struct list_head *);
enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_RINGBUF = 99 };
enum bpf_map_type___other { BPF_MAP_TYPE_NOWHERE = 7 };
SEC("raw_tp/sys_enter") long types(void *ctx) {
    long sum = type(struct file, 1) + type(struct file, 0) + type(struct nowhere, 0);
    sum += type(atomic_t, 1) + type(struct list_head, 2) + type(struct callback_head, 2);
    sum += type(struct file, 2) + type(filler_t, 0);
    sum += __builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_RINGBUF, 1);
    sum += __builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_HASH, 0);
    sum += __builtin_preserve_enum_value(
        *(enum bpf_map_type___other *)BPF_MAP_TYPE_NOWHERE, 0);
    return sum;
}
"""
)
IDS = (
    CORE
    + """
struct sk_buff { int len; };
SEC("raw_tp/sys_enter") long ids(void *ctx) {
    return __builtin_btf_type_id(*(struct sk_buff *)0, 1);
}
"""
)
SOURCES = {"fields": FIELDS, "types": TYPES, "ids": IDS}


@pytest.fixture(scope="module")
def whole() -> Btf:
    return kernel.open_running()


def objects(*names: str) -> list[ObjectSpec]:
    return [reader.read(compile_c(SOURCES[name]), file=f"{name}.o") for name in names]


@pytest.mark.parametrize("names", [("fields",), ("types",), ("ids",), ("fields", "types", "ids")])
def test_bpftool_makes_the_same_types(whole: Btf, names: tuple[str, ...], tmp_path: Path) -> None:
    bpftool = shutil.which("bpftool")
    if bpftool is None:
        pytest.skip("bpftool is not installed")
    files = [tmp_path / f"{name}.o" for name in names]
    for file, name in zip(files, names, strict=True):
        file.write_bytes(compile_c(SOURCES[name]))
    theirs = tmp_path / "theirs.btf"
    subprocess.run([bpftool, "gen", "min_core_btf", VMLINUX, theirs, *files], check=True)
    ours = minimal_types(objects(*names), whole)
    expected = codec.parse(theirs.read_bytes())
    assert list(raw_output.text(ours)) == list(raw_output.text(expected))
    assert len(codec.encode(ours)) <= 1.02 * len(theirs.read_bytes())


@pytest.mark.parametrize("name", ["fields", "types"])
def test_the_part_relocates_as_the_whole(whole: Btf, name: str) -> None:
    (spec,) = objects(name)
    small = codec.parse(codec.encode(minimal_types([spec], whole)))
    assert len(small) < 100
    by_whole, by_part = (
        resolve(spec, target_of_btf(btf), [name]).functions[name] for btf in (whole, small)
    )
    assert by_part.insns == by_whole.insns
    assert [row.pc for row in by_part.poisoned] == [row.pc for row in by_whole.poisoned]


@pytest.mark.parametrize("name", ["fields", "types"])
def test_libbpf_relocates_by_the_part_as_by_the_whole(
    whole: Btf, name: str, tmp_path: Path
) -> None:
    file = tmp_path / "small.btf"
    file.write_bytes(codec.encode(minimal_types(objects(name), whole)))
    data = compile_c(SOURCES[name])
    empty = tmp_path / "empty.btf"
    empty.write_bytes(codec.encode(Btf((Int("int", 4, 32),))))
    by_whole, by_part, by_none = (
        libbpf_oracle.load(data, btf=btf) for btf in (VMLINUX, file, empty)
    )
    assert by_whole.relocated
    assert by_part.relocated
    assert by_part.code == by_whole.code != by_none.code


def test_the_part_as_c_is_laid_out_as_the_part(whole: Btf, tmp_path: Path) -> None:
    """Structs of a few members among holes, unions without theirs."""
    small = minimal_types(objects("fields", "types"), whole)
    (tmp_path / "small.h").write_text(c_output.header(small))
    source = tmp_path / "measure.c"
    source.write_text(measuring_source(small, "small.h", frozenset()))
    assert source.read_text().count("_Static_assert") > 20
    check_c(source)


def test_an_object_without_relocations_needs_nothing(whole: Btf) -> None:
    plain = reader.read(compile_c('SEC("xdp") int pass(void *ctx) { return 2; }'), file="plain.o")
    assert len(minimal_types([plain], whole)) == 0
