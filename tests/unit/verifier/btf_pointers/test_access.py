"""Loads and stores through pointers to structs that BTF describes."""

from __future__ import annotations

import pytest
from kernel_types import code_of, judged, program

from beebox.tables.program_types import AttachType

TASK = "r1 = *(u64 *)(r1 + 0)\n"
END = "r0 = 0\nexit"


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ("r0 = *(u32 *)(r1 + 0)", "accepted"),
        ("r0 = *(u8 *)(r1 + 2)", "accepted"),  # part of a number
        ("r0 = *(u8 *)(r1 + 4)", "accepted"),  # the byte around a bit field
        ("r0 = *(u64 *)(r1 + 0)", "struct-access"),  # more than the number
        ("r0 = *(u8 *)(r1 + 5)", "struct-access"),  # a hole
        ("r0 = *(u64 *)(r1 + 16)", "accepted"),  # within the array of characters
        ("r0 = *(u64 *)(r1 + 20)", "struct-access"),  # ... and beyond it
        ("r0 = *(u64 *)(r1 + 24)", "accepted"),
        ("r0 = *(u32 *)(r1 + 24)", "struct-access"),  # half of a pointer
        ("r0 = *(u32 *)(r1 + 64)", "accepted"),  # a struct's first member
        ("r0 = *(u32 *)(r1 + 68)", "accepted"),
        ("r0 = *(u32 *)(r1 + 88)", "struct-access"),
        ("r0 = *(u32 *)(r1 - 4)", "struct-access"),
    ],
)
def test_members(load: str, expected: str) -> None:
    """Members are read as their types are."""
    assert code_of(judged(program(f"{TASK}{load}\n{END}"))) == expected


@pytest.mark.parametrize(
    ("at", "checked", "expected"),
    [
        (24, False, "accepted"),  # a plain pointer is probed
        (32, False, "null-pointer"),  # __rcu may be NULL
        (32, True, "accepted"),
        (40, False, "struct-access"),  # of user space
        (48, False, "accepted"),  # from a union: untrusted, and probed
        (72, False, "accepted"),
        (80, False, "accepted"),
    ],
)
def test_pointers_behind_pointers(at: int, checked: bool, expected: str) -> None:
    """What a pointer is depends on its member's tags, and on the kernel's lists."""
    test = "if r1 == 0 goto out\n" if checked else ""
    code = f"{TASK}r1 = *(u64 *)(r1 + {at})\n{test}r0 = *(u32 *)(r1 + 4)\nout:\n{END}"
    assert code_of(judged(program(code))) == expected


def test_memory_is_probed_at_any_offset_but_never_written() -> None:
    """A pointer to something else than a struct."""
    text = f"{TASK}r1 = *(u64 *)(r1 + 56)\nr1 += 1000\n"
    assert judged(program(f"{text}r0 = *(u64 *)(r1 + 5)\n{END}")).accepted
    assert code_of(judged(program(f"{text}*(u8 *)(r1 + 0) = 0\n{END}"))) == "read-only"


def test_structs_are_not_written() -> None:
    """Nor changed by an atomic operation."""
    for code in ("*(u32 *)(r1 + 0) = 1", "r2 = 1\nlock *(u32 *)(r1 + 0) += r2"):
        assert code_of(judged(program(f"{TASK}{code}\n{END}"))) == "read-only"


def test_variable_offsets() -> None:
    """A struct has members at constant offsets only."""
    code = f"r2 = *(u32 *)(r1 + 8)\nr2 &= 1\n{TASK}r1 += r2\nr0 = *(u8 *)(r1 + 0)\n{END}"
    assert code_of(judged(program(code))) == "struct-access"


def test_structs_of_the_kernel_are_for_gpl_programs() -> None:
    """As helpers are that ask for it."""
    code = f"{TASK}r0 = *(u32 *)(r1 + 0)\n{END}"
    assert code_of(judged(program(code, license_="Proprietary"))) == "struct-access"


def test_one_load_may_follow_pointers_of_any_trust() -> None:
    """But not the context and a struct."""
    code = """
        r2 = *(u32 *)(r1 + 8)
        r1 = *(u64 *)(r1 + 0)
        if r2 == 1 goto one
        r1 = *(u64 *)(r1 + 24)
        goto load
    one:
        r1 = *(u64 *)(r1 + 56)
    load:
        r0 = *(u32 *)(r1 + 0)
        r0 = 0
        exit
    """
    assert judged(program(code)).accepted
    mixed = """
        r2 = *(u32 *)(r1 + 8)
        if r2 == 1 goto load
        r1 = *(u64 *)(r1 + 0)
    load:
        r0 = *(u32 *)(r1 + 8)
        r0 = 0
        exit
    """
    assert code_of(judged(program(mixed))) == "mixed-pointers"


def test_a_trusted_pointer_is_not_null() -> None:
    """So the comparison has one side; an untrusted one may be anything."""
    code = "{}if r1 != 0 goto +1\n*(u32 *)(r1 + 0) = 1\nr0 = 0\nexit"
    assert judged(program(code.format(TASK))).accepted
    untrusted = code.format(f"{TASK}r1 = *(u64 *)(r1 + 24)\n")
    assert code_of(judged(program(untrusted))) == "read-only"


def test_sleepers_lose_trust_outside_of_rcu_sections() -> None:
    """A pointer from an iterator that may sleep: __rcu members are untrusted, but not NULL."""
    code = """
        r1 = *(u64 *)(r1 + 8)
        if r1 == 0 goto out
        r1 = *(u64 *)(r1 + 32)
        r0 = *(u32 *)(r1 + 4)
    out:
        r0 = 0
        exit
    """
    where = ("bpf_iter_task", AttachType.TRACE_ITER)
    assert judged(program(code, *where, sleepable=True)).accepted
    assert code_of(judged(program(code, *where))) == "null-pointer"


@pytest.mark.parametrize(("at", "expected"), [(0, "accepted"), (8, "argument-type")])
def test_what_comes_from_a_union_is_no_argument(at: int, expected: str) -> None:
    """Nor what is reached through it; a plain pointer is one."""
    code = f"""
        r1 = *(u64 *)(r1 + 0)
        r1 = *(u64 *)(r1 + {at})
        r1 = *(u64 *)(r1 + 0)
        call bpf_task_pt_regs
        r0 = 0
        exit
    """
    assert code_of(judged(program(code, "btf_trace_outer_event"))) == expected


def test_arguments_that_may_be_null_are_checked_first() -> None:
    """Those of the table, such as the packet of a reset."""
    load = "r0 = *(u32 *)(r1 + 0)"
    unchecked = f"{TASK}{load}\n{END}"
    where = "btf_trace_tcp_send_reset"
    assert code_of(judged(program(unchecked, where))) == "null-pointer"
    assert judged(program(f"{TASK}if r1 == 0 goto +1\n{load}\n{END}", where)).accepted


@pytest.mark.parametrize(("at", "expected"), [(16, "read-only"), (24, "accepted")])
def test_buffers_of_elements(at: int, expected: str) -> None:
    """A key is read, a value written."""
    code = f"r1 = *(u64 *)(r1 + {at})\nif r1 == 0 goto +1\n*(u32 *)(r1 + 4) = 1\n{END}"
    spec = program(code, "bpf_iter_bpf_map_elem", AttachType.TRACE_ITER)
    assert code_of(judged(spec)) == expected
