"""What findings say is missing, and what to write: right for the line and the type."""

from __future__ import annotations

from dataclasses import replace

from beebox.isa.assembler import assemble
from beebox.isa.instruction import Call, CallKind, Exit, KfuncRef
from beebox.obj.model import FuncInfo, LineInfo, MapSpec, ProgramSpec, VarRange
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.reports import held_advice
from beebox.verifier.reports.advice import unroll
from beebox.verifier.reports.places import Place
from beebox.verifier.result import Finding
from beebox.verifier.states.state import Held, HeldKind
from beebox.verifier.verify import verify

VALUES = {"values": MapSpec("values", MapType.ARRAY, 4, 256, 1)}
LOOK_UP = """
r6 = r1
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = map[values] ll
call bpf_map_lookup_elem
if r0 == 0 goto out
"""


def finding(
    code: str,
    kind: ProgramType = ProgramType.SCHED_CLS,
    *,
    lines: dict[int, str] | None = None,
    names: tuple[VarRange, ...] = (),
    functions: tuple[FuncInfo, ...] = (),
) -> Finding:
    """The finding; the keys of ``lines`` are pcs, and line 10 + n is the text of the nth."""
    rows = tuple(
        LineInfo(pc, "a.c", 10 + index, 1, text)
        for index, (pc, text) in enumerate((lines or {}).items())
    )
    spec = ProgramSpec(
        "p", kind.value.name, kind, assemble(code), VALUES,
        lines=rows, variables=names, functions=functions,
    )  # fmt: skip
    (found,) = verify(spec).findings
    return found


def test_packet_check_goes_where_the_end_of_the_packet_is_known() -> None:
    found = finding(
        """
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r0 = *(u16 *)(r2 + 12)
        exit
        """,
        ProgramType.XDP,
        lines={0: "void *data = ctx->data;", 1: "void *end = ctx->data_end;", 2: "eth->h_proto"},
    )
    assert found.code == "packet-bounds"
    assert "before line 12: " in found.hint


def test_pointer_that_is_loaded_and_moved_in_one_line_is_named_after_its_variable() -> None:
    code = """
    r6 = *(u64 *)(r1 + 168)
    r6 += 8
    r0 = 0
    exit
    """
    text = "struct bpf_sock *socket = skb->sk;"
    found = finding(code, lines={0: text, 2: "return 0;"})
    assert found.code == "null-pointer"
    assert "socket" in found.missing
    assert "skb" not in found.missing
    assert found.hint.startswith("after line 10: if (!socket)")


def test_index_into_the_stack_is_told_its_bounds() -> None:
    code = """
    r2 = *(u32 *)(r1 + 0)
    *(u64 *)(r10 - 64) = 0
    r3 = r10
    r3 += -64
    r3 += r2
    *(u8 *)(r3 + 0) = 0
    r0 = 0
    exit
    """
    found = finding(code, lines={0: "n = skb->len", 5: "buf[n] = 0;", 6: "return 0;"})
    assert found.code == "stack-bounds"
    assert "from 0 to 63" in found.missing
    assert "n > 63" in found.hint


def test_size_of_which_half_was_compared() -> None:
    code = f"""
    {LOOK_UP}
    r4 = *(u64 *)(r0 + 0)
    if w4 > 16 goto out
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -32
    call bpf_skb_load_bytes
    out:
    r0 = 0
    exit
    """
    found = finding(code, names=(VarRange(9, 20, "length", reg=4),))
    assert found.code == "argument-size"
    assert "low 32 bits" in found.missing
    assert "64-bit" in found.hint


def test_writes_of_the_context_are_told_what_may_be_written() -> None:
    code = "*(u32 *)(r1 + 0) = 1; r0 = 1; exit".replace("; ", "\n")
    found = finding(code, ProgramType.SCHED_CLS)
    assert found.code == "context-access"
    assert "mark" in found.hint
    assert "ingress_ifindex" not in found.hint
    assert "only read" in finding(code, ProgramType.XDP).hint


def test_reads_of_what_the_type_does_not_see() -> None:
    found = finding("r0 = *(u32 *)(r1 + 92)\nexit")
    assert found.code == "context-access"
    assert found.hint.endswith("beebox program-types sched_cls")


def test_function_inside_the_program_does_not_return_a_verdict() -> None:
    spec = ProgramSpec(
        "p", "tc", ProgramType.SCHED_CLS, (Exit(), Exit()), {},
        lines=(LineInfo(0, "a.c", 1, 1, ""), LineInfo(1, "a.c", 2, 1, "")),
        functions=(FuncInfo(0, "p"), FuncInfo(1, "inner")),
    )  # fmt: skip
    assert Place(spec, 0).leaves("x", "x") == "if (x) return TC_ACT_OK;"
    assert Place(spec, 1).leaves("x", "x") == "if (x) return 0;"


def test_kernel_functions_are_named_with_what_releases_theirs() -> None:
    for name, release in (
        ("bpf_task_from_pid", "bpf_task_release"),
        ("bpf_iter_num_new", "bpf_iter_num_destroy"),
        ("bpf_obj_new_impl", "bpf_obj_drop"),
    ):
        call = Call(CallKind.KFUNC, KfuncRef(name))
        spec = ProgramSpec("p", "tc", ProgramType.SCHED_CLS, (call, Exit()), {})
        missing, hint = held_advice.leak(Place(spec, 1), Held(1, 0))
        assert name in missing
        assert f"call {release} " in hint


def test_loop_that_is_too_long_is_pointed_at() -> None:
    spec = ProgramSpec(
        "p", "tc", ProgramType.SCHED_CLS,
        assemble("r6 = 0\nagain:\nr6 += 1\nif r6 != 9 goto again\nr0 = 0\nexit"), {},
        lines=(LineInfo(0, "a.c", 1, 1, ""), LineInfo(1, "a.c", 2, 1, "while (++i != 9)")),
    )  # fmt: skip
    assert "line 2" in unroll(spec, Refusal("too-complex", 3, ""), {1: 7, 3: 9})
    assert not unroll(spec, Refusal("too-complex", 3, ""), {3: 9})


def test_lock_is_given_back_or_the_call_moved() -> None:
    held = Held(1, 0, HeldKind.LOCK)
    spec = ProgramSpec(
        "p", "tc", ProgramType.SCHED_CLS, assemble("call bpf_spin_lock\ncall bpf_ktime_get_ns"), {}
    )
    _, hint = held_advice.locked(Place(spec, 1), held)
    assert hint == "call bpf_ktime_get_ns before insn 0, or after bpf_spin_unlock"
    _, hint = held_advice.locked(Place(replace(spec, insns=(spec.insns[0], Exit())), 1), held)
    assert hint == "call bpf_spin_unlock on every path from insn 0 to insn 1"


def test_index_that_may_be_negative() -> None:
    code = f"""
    {LOOK_UP}
    r1 = *(u32 *)(r6 + 0)
    if r1 > 11 goto out
    r1 <<= 3
    r0 += r1
    r1 = *(u64 *)(r0 - 32)
    out:
    r0 = 0
    exit
    """
    found = finding(code, lines={0: "i = skb->len;", 12: "v[i]++;", 13: "return 0;"})
    assert found.code == "map-value-bounds"
    assert "from 0 to 31" in found.missing
    assert "-4" in found.missing
    assert "i < 0 || i > 31" in found.hint


def test_pointers_without_a_name_are_not_written_as_code() -> None:
    found = finding("r2 = *(u32 *)(r1 + 76)\nr0 = *(u8 *)(r2 + 4)\nexit", lines={0: "x", 1: "d[4]"})
    assert found.code == "packet-bounds"
    assert "(" not in found.hint


def test_result_of_a_call_is_named_after_its_variable() -> None:
    code = LOOK_UP.replace("if r0 == 0 goto out", "r0 = *(u8 *)(r0 + 0)\nexit")
    code = code.replace("(r10 - 4) = 0", "(r10 - 4) = 7")  # there is no such element
    found = finding(
        code, lines={0: "key = 0;", 6: "char *v = bpf_map_lookup_elem(&a, &key);", 7: "f(v)"}
    )
    assert found.code == "null-pointer"
    assert found.hint == "after line 11: if (!v) return TC_ACT_OK;"


def test_size_that_is_larger_than_the_buffer_on_the_stack() -> None:
    found = finding("r2 = 0\nr3 = r10\nr3 += -64\nr4 = 100\ncall bpf_skb_load_bytes\nr0 = 0\nexit")
    assert found.code == "stack-bounds"
    assert "at most 64 bytes" in found.missing
    assert "bound the size by 64" in found.hint
