"""Every kfunc's row against the running kernel: its BTF, and programs that call it."""

from __future__ import annotations

from functools import cache

import pytest
from probing import EXIT, ask, hooks, insn, kernel_btf, mov

from beebox.btf.types import DeclTag, Enum, Func, FuncProto, Fwd, Modifier, Ptr, Struct
from beebox.tables.kfuncs import KFUNCS, KfuncFlags
from beebox.tables.program_types import ProgramType

pytestmark = pytest.mark.linux

FOR_TESTS = {
    "bpf_fentry_test1",
    "bpf_kfunc_call_memb_release",
    "bpf_kfunc_call_test_release",
    "bpf_modify_return_test",
    "bpf_modify_return_test2",
    "bpf_modify_return_test_tp",
}
"""The kernel calls them to test itself."""
NOT_LOADED = {ProgramType.LSM, ProgramType.EXT, ProgramType.LIRC_MODE2}


@cache
def tagged() -> dict[str, tuple[int, FuncProto]]:
    """Kfuncs by name, with their id and type."""
    btf = kernel_btf()
    found = {}
    for row in btf.types:
        if isinstance(row, DeclTag) and row.name == "bpf_kfunc":
            func = btf.type(row.type)
            assert isinstance(func, Func)
            proto = btf.type(func.type)
            assert isinstance(proto, FuncProto)
            found[func.name] = (row.type, proto)
    return found


def c_type(type_id: int) -> str:
    """A type as C writes it, without a name."""
    row = kernel_btf().type(type_id)
    match row:
        case None:
            return "void"
        case Ptr():
            target = kernel_btf().type(row.type)
            if isinstance(target, FuncProto):
                params = ", ".join(c_type(each.type) for each in target.params)
                return f"{c_type(target.type)} (*)({params})"
            text = c_type(row.type)
            return f"{text}*" if text.endswith("*") else f"{text} *"
        case Modifier():
            text = c_type(row.type)
            word = row.kind
            if word not in {"const", "volatile", "restrict"}:
                return text  # a type tag
            return text + word if text.endswith("*") else f"{word} {text}"
        case Struct() | Fwd():
            return f"{'union' if row.union else 'struct'} {row.name}"
        case Enum():
            return f"enum {row.name}"
        case _:
            return getattr(row, "name", "?")


def test_names():
    present = {row.name for row in KFUNCS.values() if not row.config}
    configured = {row.name for row in KFUNCS.values() if row.config}
    assert present <= tagged().keys()
    assert tagged().keys() - present - FOR_TESTS <= configured


def test_types():
    for row in KFUNCS.values():
        if row.name not in tagged() or row.args is None:
            continue
        _, proto = tagged()[row.name]
        assert row.ret == c_type(proto.type), row.name
        assert [(arg.name, arg.type) for arg in row.args] == [
            (each.name, c_type(each.type)) for each in proto.params
        ], row.name


def test_typed_calls_are_those_in_btf():
    assert all(bool(row.config) == (row.args is None) for row in KFUNCS.values())
    assert KFUNCS["bpf_task_acquire"].prototype == (
        "struct task_struct *bpf_task_acquire(struct task_struct *p)"
    )


CHECKED_LATER = {
    name: "Linux looks at the device first, then at the program type"
    for name in KFUNCS
    if name.startswith("bpf_xdp_metadata_rx_")
}


def test_callers_and_sleep():
    wrong = []
    for name, (type_id, _) in tagged().items():
        row = KFUNCS.get(name)
        if row is None or row.config or name in CHECKED_LATER:
            continue
        code = insn(0x85, 0, 2, 0, type_id) + mov(0, 1) + EXIT
        theirs: set[ProgramType] = set()
        sleeps = False
        for hook in hooks():
            answer = ask(hook, code)
            if "is not allowed" not in answer.log:
                theirs.add(hook.program_type)
                sleeps |= not hook.sleepable and "must be sleepable" in answer.log
        if theirs != row.program_types - NOT_LOADED:
            wrong.append((name, theirs ^ (row.program_types - NOT_LOADED)))
        awake = any(hook.program_type in theirs and not hook.sleepable for hook in hooks())
        if awake and sleeps != bool(row.flags & KfuncFlags.SLEEPABLE):
            wrong.append((name, f"sleeps: {sleeps}"))
    assert wrong == []
