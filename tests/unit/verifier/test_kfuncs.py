"""Calls of kernel functions, against a kernel of a few functions: each rule kept and broken."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import verifier_kfuncs

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Func, FuncProto, Int, Member, Param, Ptr, Struct
from beebox.obj.model import ExternKind, ExternSpec, Missing
from beebox.obj.targets.target import target_of_btf
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify


def _kernel() -> Btf:
    builder = Builder()
    number = builder.signed_int()
    long = builder.add(Int("unsigned long", 8, 64))
    names = {"number": number, "long": long, "void": 0}
    for name, size in (("bpf_iter_num", 8), ("bpf_iter_task", 24), ("sk_buff", 64)):
        names[name] = builder.add(Struct(name, size, (Member("first", number, 0),)))
    pid = Member("pid", number, 0)
    names["task_struct"] = builder.add(Struct("task_struct", 64, (pid,)))
    names["cgroup"] = builder.add(Struct("cgroup", 64, (pid,)))
    names["bpf_ct_opts"] = builder.add(Struct("bpf_ct_opts", 4, (Member("error", number, 0),)))
    names["nf_conn"] = builder.add(Struct("nf_conn", 64, (Member("task", 0, 0),)))
    for name in tuple(names):
        names[name + " *"] = builder.add(Ptr(names[name]))
    for prototype in _PROTOTYPES.strip().splitlines():
        name, result, *params = prototype.split(", ")
        rows = tuple(
            Param(param.rpartition(" ")[2], names[param.rpartition(" ")[0]]) for param in params
        )
        builder.add(Func(name, builder.add(FuncProto(names[result], rows))))
    return builder.build()


_PROTOTYPES = """
bpf_iter_num_new, number, bpf_iter_num * it, number start, number end
bpf_iter_num_next, number *, bpf_iter_num * it
bpf_iter_num_destroy, void, bpf_iter_num * it
bpf_iter_task_new, number, bpf_iter_task * it, task_struct * task__nullable, number flags
bpf_iter_task_next, task_struct *, bpf_iter_task * it
bpf_iter_task_destroy, void, bpf_iter_task * it
bpf_rcu_read_lock, void
bpf_rcu_read_unlock, void
bpf_preempt_disable, void
bpf_preempt_enable, void
bpf_local_irq_save, void, long * flags__irq_flag
bpf_local_irq_restore, void, long * flags__irq_flag
bpf_task_from_pid, task_struct *, number pid
bpf_task_acquire, task_struct *, task_struct * p
bpf_task_release, void, task_struct * p
bpf_cgroup_release, void, cgroup * cgrp
bpf_rdonly_cast, void *, void * obj__ign, number btf_id__k
bpf_copy_from_user_str, number, void * dst, number dst__sz, void * unsafe_ptr__ign, number flags
schedule, void
"""
KERNEL = _kernel()

CASES = verifier_kfuncs.cases(KERNEL)


def _judged(code: str, **changes: object) -> str:
    spec = verifier_kfuncs.linked(KERNEL, code, ProgramType.SYSCALL, None, ProgramFlags.SLEEPABLE)
    report = verify(replace(spec, **changes), Options(target=target_of_btf(KERNEL)))
    assert report.accepted or report.findings[0].code != "internal", render(report)
    return "accepted" if report.accepted else report.findings[0].code


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    expected, code = CASES[name]
    assert _judged(code) == expected


def test_who_may_call():
    code = CASES["size: as much as there is"][1]
    awake = {"flags": ProgramFlags.NONE}
    assert _judged(code, type=ProgramType.XDP, **awake) == "helper-sleeps"
    release = CASES["reference: released"][1]
    assert _judged(release, type=ProgramType.SOCKET_FILTER, **awake) == "kfunc-not-allowed"
    assert _judged(CASES["section: RCU"][1], license="Proprietary") == "helper-gpl"


def test_what_no_target_tells_is_refused():
    spec = verifier_kfuncs.linked(KERNEL, CASES["section: RCU"][1])
    assert verify(spec).findings[0].code == "not-supported"
    missing = {
        name: ExternSpec(name, ExternKind.FUNCTION, is_weak=True, resolved=Missing())
        for name in spec.externs
    }
    report = verify(replace(spec, externs=missing), Options(target=target_of_btf(KERNEL)))
    assert report.findings[0].code == "missing-in-target"


def test_work_does_not_grow_with_the_rounds():
    spec = verifier_kfuncs.linked(KERNEL, CASES["iterator: a loop that counts"][1])
    report = verify(spec, Options(target=target_of_btf(KERNEL)))
    assert report.accepted
    assert report.insns_processed == 45


def test_a_loop_over_a_drained_iterator_has_no_end():
    """It never converges: only giving up ends it."""
    code = CASES["iterator: asked before it was made"][1]
    made = CASES["iterator: not destroyed"][1].partition("r0 = 0")[0]
    asked = code.partition("r0 = 0")[0]
    spec = verifier_kfuncs.linked(KERNEL, f"{made}again:\n{asked}goto again\n")
    deadline = time.monotonic_ns() + 200_000_000
    report = verify(spec, Options(target=target_of_btf(KERNEL), deadline_ns=deadline))
    assert report.findings[0].code == "timeout"
