"""A small kernel made of BTF, for programs that follow pointers through its structs."""

from __future__ import annotations

from beebox.btf.builder import Builder
from beebox.btf.types import (
    Array,
    Btf,
    Func,
    FuncProto,
    Int,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
    Typedef,
)
from beebox.isa.assembler import assemble
from beebox.obj.model import KernelSymbol, ProgramSpec
from beebox.obj.targets.target import Target
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier.options import Options
from beebox.verifier.result import Report
from beebox.verifier.verify import verify


def kernel() -> Btf:
    """Structs ``task`` and ``creds``, a tracepoint, a function, an iterator and a hook."""
    builder = Builder()
    number = builder.signed_int()
    char = builder.add(Int("char", 1, 8, char=True))
    chars = builder.add(Array(char, number, 16))
    creds = builder.add(Struct("creds", 8, (Member("uid", number, 0), Member("gid", number, 32))))
    creds_pointer = builder.add(Ptr(creds))
    rcu = builder.add(Modifier("type_tag", creds, "rcu"))
    user = builder.add(Modifier("type_tag", creds, "user"))
    rcu_pointer, user_pointer = builder.add(Ptr(rcu)), builder.add(Ptr(user))
    both = builder.add(
        Struct("", 8, (Member("maybe", creds_pointer, 0), Member("raw", number, 0)), union=True)
    )
    text = builder.add(Ptr(char))
    task = builder.add(
        Struct(
            "task",
            88,
            (
                Member("pid", number, 0),
                Member("low", number, 32, bitfield_size=3),
                Member("high", number, 35, bitfield_size=5),
                Member("comm", chars, 64),
                Member("own", creds_pointer, 192),
                Member("shared", rcu_pointer, 256),
                Member("outside", user_pointer, 320),
                Member("", both, 384),
                Member("text", text, 448),
                Member("inner", creds, 512),
                Member("safe", creds_pointer, 576),
                Member("lasting", creds_pointer, 640),
            ),
        )
    )
    builder.add(Struct("task__safe_rcu", 8, (Member("safe", creds_pointer, 0),)))
    builder.add(Struct("task__safe_trusted", 8, (Member("lasting", creds_pointer, 0),)))
    pointer = builder.add(Ptr(task))
    data = builder.add(Ptr(0))
    two = (Param("task", pointer), Param("flags", number))
    traced = builder.add(FuncProto(0, (Param("", data), *(Param("", row.type) for row in two))))
    builder.add(Typedef("btf_trace_task_event", builder.add(Ptr(traced))))
    builder.add(Typedef("btf_trace_kfree_skb", builder.add(Ptr(traced))))
    returns = builder.add(FuncProto(number, two))
    builder.add(Func("task_function", returns))
    builder.add(Func("security_task", returns))
    builder.add(Func("bpf_lsm_file_open", returns))
    builder.add(Func("bpf_lsm_task_free", builder.add(FuncProto(0, two[:1]))))
    builder.add(Func("bpf_lsm_getprocattr", returns))
    builder.add(Func("bpf_lsm_socket_post_create", returns))
    builder.add(Func("vfs_truncate", returns))
    builder.add(Func("bpf_iter_task", builder.add(FuncProto(number, (two[0], two[0])))))
    builder.add(Func("bpf_iter_nothing", returns))
    builder.add(Typedef("btf_trace_tcp_send_reset", builder.add(Ptr(traced))))
    elements = (two[0], two[0], Param("key", data), Param("value", data))
    builder.add(Func("bpf_iter_bpf_map_elem", builder.add(FuncProto(number, elements))))
    _add_owners(builder, number, data)
    return builder.build()


def _add_owners(builder: Builder, number: int, data: int) -> None:
    """``struct owner`` of a ``task_struct``, a struct that has one in a union, and a tracepoint."""
    builder.add(Struct("pt_regs", 8, (Member("ip", number, 0),)))
    task = builder.add(Ptr(builder.add(Struct("task_struct", 8, (Member("pid", number, 0),)))))
    owner = builder.add(Ptr(builder.add(Struct("owner", 8, (Member("task", task, 0),)))))
    members = (Member("owner", owner, 0), Member("raw", number, 0))
    either = builder.add(Struct("", 8, members, union=True))
    parts = (Member("owner", owner, 0), Member("", either, 64))
    outer = builder.add(Ptr(builder.add(Struct("outer", 16, parts))))
    traced = builder.add(FuncProto(0, (Param("", data), Param("", outer))))
    builder.add(Typedef("btf_trace_outer_event", builder.add(Ptr(traced))))


KERNEL = kernel()
CONFIG = {"CONFIG_FUNCTION_ERROR_INJECTION": "n"}
TARGET = Target("a kernel", read_btf=lambda: KERNEL, read_config=lambda: CONFIG)


def program(
    code: str,
    attaches: str = "btf_trace_task_event",
    attach_type: AttachType = AttachType.TRACE_RAW_TP,
    type_: ProgramType = ProgramType.TRACING,
    *,
    sleepable: bool = False,
    license_: str = "GPL",
) -> ProgramSpec:
    """A program that attaches to what the kernel calls ``attaches``."""
    named = KERNEL.named(attaches)
    return ProgramSpec(
        "case",
        "case",
        type_,
        assemble(code),
        {},
        attach_type,
        ProgramFlags.SLEEPABLE if sleepable else ProgramFlags.NONE,
        license=license_,
        attach_symbol=KernelSymbol(named[0]) if named else None,
    )


def judged(spec: ProgramSpec) -> Report:
    """The verdict where this kernel is the target."""
    return verify(spec, Options(target=TARGET))


def code_of(report: Report) -> str:
    """The finding's code, "accepted" without one."""
    return "accepted" if report.accepted else report.findings[0].code
