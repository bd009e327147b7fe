"""Programs relocated for the running kernel: one verdict and one result in every kernel."""

from __future__ import annotations

import pytest
from c_objects import compile_c

from beebox import api
from beebox.btf import codec
from beebox.btf.types import Btf, Int, Member, Struct
from beebox.errors import RejectedError
from beebox.obj import reader

pytestmark = pytest.mark.linux  # for its types

SOURCE = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct { int gone_field; int pid; };
#pragma clang attribute pop
enum pid_type { PIDTYPE_NOTHING = 99 };
extern long gone(int one) __ksym __weak;
extern const void gone_variable __ksym __weak;
extern int LINUX_KERNEL_VERSION __kconfig;
extern int CONFIG_NOTHING_OF_THE_KIND __kconfig __weak;
SEC("xdp") int guarded(void *ctx)
{
    struct task_struct *task = ctx;
    if (gone)
        return gone(3);
    if (__builtin_preserve_field_info(task->gone_field, 2))
        return __builtin_preserve_field_info(task->gone_field, 0);
    if (__builtin_preserve_enum_value(*(typeof(enum pid_type) *)PIDTYPE_NOTHING, 0))
        return __builtin_preserve_enum_value(*(typeof(enum pid_type) *)PIDTYPE_NOTHING, 1);
    if (CONFIG_NOTHING_OF_THE_KIND)
        return *(int *)&gone_variable;
    return LINUX_KERNEL_VERSION;
}
SEC("xdp") int offset(void *ctx)
{
    struct task_struct *task = ctx;
    return __builtin_preserve_field_info(task->pid, 0);
}
SEC("xdp") int reached(void *ctx)
{
    struct task_struct *task = ctx;
    return __builtin_preserve_field_info(task->gone_field, 0);
}
SEC("xdp") int value(void *ctx)
{
    return __builtin_preserve_enum_value(*(typeof(enum pid_type) *)PIDTYPE_NOTHING, 1);
}
static __noinline int inner(void *ctx) { return gone((long)ctx); }
SEC("xdp") int called(void *ctx) { return inner(ctx) + 1; }
"""
KERNELS = [
    pytest.param("userspace", "jit", id="jit"),
    pytest.param("userspace", "interpreter", id="interpreter"),
    pytest.param("linux", "jit", id="linux"),
]


@pytest.fixture(scope="module")
def spec():
    return reader.read(compile_c(SOURCE))


@pytest.mark.parametrize(("kernel", "engine"), KERNELS)
def test_what_is_not_there_does_no_harm_behind_a_question(spec, kernel, engine):
    with api.load(spec, kernel=kernel, engine=engine, programs=["guarded"]) as live:
        found = live.programs["guarded"].test_run(bytes(64)).retval
    with api.load(spec, kernel="userspace", programs=["guarded"]) as live:
        assert found == live.programs["guarded"].test_run(bytes(64)).retval
    assert found >> 16 in range(4, 100)


@pytest.mark.parametrize(("kernel", "engine"), KERNELS[:2])
def test_an_offset_of_the_running_kernel(spec, kernel, engine):
    with (
        api.load(spec, kernel=kernel, engine=engine, programs=["offset"]) as ours,
        api.load(spec, kernel="linux", programs=["offset"]) as theirs,
    ):
        found = ours.programs["offset"].test_run(bytes(64)).retval
        assert found == theirs.programs["offset"].test_run(bytes(64)).retval
    with api.load(spec, kernel=kernel, engine=engine, programs=["offset"], btf="self") as live:
        assert live.programs["offset"].test_run(bytes(64)).retval == 4 != found


MADE_UP = Btf(
    (
        Int("int", 4, 32, signed=True),
        Struct("task_struct", 4096, (Member("pid", 1, 8 * 1000), Member("gone_field", 1, 8 * 52))),
    )
)


@pytest.mark.parametrize(("kernel", "engine"), KERNELS)
def test_fields_of_another_kernel(spec, kernel, engine, tmp_path):
    path = tmp_path / "kernel.btf"
    path.write_bytes(codec.encode(MADE_UP))
    names = ["offset", "reached", "guarded"]
    with api.load(spec, kernel=kernel, engine=engine, programs=names, btf=path) as live:
        found = [live.programs[name].test_run(bytes(64)).retval for name in names]
    assert found == [1000, 52, 52]


@pytest.mark.parametrize("program", ["reached", "value", "called"])
@pytest.mark.parametrize(("kernel", "engine"), KERNELS)
def test_reaching_it_is_refused_with_the_reason(spec, kernel, engine, program):
    with pytest.raises(RejectedError) as caught:
        api.load(spec, kernel=kernel, engine=engine, programs=[program])
    (finding,) = caught.value.findings
    assert finding["code"] == "missing-in-target"
    assert {"reached": "gone_field", "value": "PIDTYPE_NOTHING", "called": "gone"}[
        program
    ] in finding["message"]
    assert finding["line"]
