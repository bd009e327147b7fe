"""Where programs attach, and what their contexts then hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernel_types import TARGET, code_of, judged, program

from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

END = "r0 = 0\nexit"
FENTRY, FEXIT = AttachType.TRACE_FENTRY, AttachType.TRACE_FEXIT
MODIFY, ITER, LSM = AttachType.MODIFY_RETURN, AttachType.TRACE_ITER, AttachType.LSM_MAC


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ("r0 = *(u64 *)(r1 + 0)", "accepted"),
        ("r0 = *(u32 *)(r1 + 0)", "context-access"),  # half of a pointer
        ("r0 = *(u64 *)(r1 + 8)", "accepted"),
        ("r0 = *(u32 *)(r1 + 8)", "accepted"),
        ("r0 = *(u32 *)(r1 + 12)", "context-access"),
        ("r0 = *(u64 *)(r1 + 16)", "context-access"),  # a tracepoint has no result
        ("*(u64 *)(r1 + 8) = 0", "context-access"),
        ("r1 += 8\nr0 = *(u64 *)(r1 + 0)", "context-access"),
    ],
)
def test_arguments_of_tracepoints(load: str, expected: str) -> None:
    """One in 8 bytes; they are only read."""
    assert code_of(judged(program(f"{load}\n{END}"))) == expected


def test_results_are_behind_the_arguments() -> None:
    """For those programs that run when there is one."""
    code = f"r0 = *(u64 *)(r1 + 16)\n{END}"
    assert code_of(judged(program(code, "task_function", FENTRY))) == "context-access"
    assert judged(program(code, "task_function", FEXIT)).accepted
    assert judged(program(code, "security_task", MODIFY)).accepted
    assert judged(program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM)).accepted


@pytest.mark.parametrize(
    ("attaches", "attach_type", "type_", "sleepable", "expected"),
    [
        (
            "btf_trace_task_event",
            AttachType.TRACE_RAW_TP,
            ProgramType.TRACING,
            True,
            "attach-target",
        ),
        ("task_function", AttachType.TRACE_RAW_TP, ProgramType.TRACING, False, "attach-target"),
        ("task", AttachType.TRACE_RAW_TP, ProgramType.TRACING, False, "attach-target"),
        ("nowhere", AttachType.TRACE_RAW_TP, ProgramType.TRACING, False, "attach-target"),
        ("task_function", FENTRY, ProgramType.TRACING, False, "accepted"),
        ("task_function", FENTRY, ProgramType.TRACING, True, "attach-target"),
        ("task", FENTRY, ProgramType.TRACING, False, "attach-target"),
        ("task_function", MODIFY, ProgramType.TRACING, False, "attach-target"),
        ("security_task", MODIFY, ProgramType.TRACING, False, "accepted"),
        ("bpf_iter_task", ITER, ProgramType.TRACING, True, "accepted"),
        ("task_function", ITER, ProgramType.TRACING, False, "attach-target"),
        ("bpf_iter_nothing", ITER, ProgramType.TRACING, False, "not-supported"),
        ("bpf_lsm_file_open", LSM, ProgramType.LSM, True, "accepted"),
        ("bpf_lsm_task_free", LSM, ProgramType.LSM, False, "accepted"),
        ("bpf_lsm_task_free", LSM, ProgramType.LSM, True, "attach-target"),
        ("bpf_lsm_getprocattr", LSM, ProgramType.LSM, False, "attach-target"),
        ("task_function", LSM, ProgramType.LSM, False, "attach-target"),
    ],
)
def test_where_programs_attach(attaches, attach_type, type_, sleepable, expected) -> None:
    """And where they may sleep."""
    spec = program(END, attaches, attach_type, type_, sleepable=sleepable)
    assert code_of(judged(spec)) == expected


def test_error_injection_is_not_known_without_the_kernel_s_configuration() -> None:
    """Whether a function's result may be changed stays open: refused."""
    spec = program(END, "task_function", MODIFY)
    report = verify(spec, Options(target=replace(TARGET, read_config=dict)))
    assert code_of(report) == "not-supported"


def test_types_are_asked_for() -> None:
    """Without the kernel's BTF nothing is known of such a program."""
    assert code_of(verify(program(END))) == "not-supported"


@pytest.mark.parametrize(
    ("result", "attaches", "attach_type", "type_", "expected"),
    [
        ("7", "btf_trace_task_event", AttachType.TRACE_RAW_TP, ProgramType.TRACING, "accepted"),
        ("0", "task_function", FENTRY, ProgramType.TRACING, "accepted"),
        ("1", "task_function", FENTRY, ProgramType.TRACING, "return-range"),
        ("1", "task_function", FEXIT, ProgramType.TRACING, "return-range"),
        ("7", "security_task", MODIFY, ProgramType.TRACING, "accepted"),
        ("1", "bpf_iter_task", ITER, ProgramType.TRACING, "accepted"),
        ("2", "bpf_iter_task", ITER, ProgramType.TRACING, "return-range"),
        ("-4095", "bpf_lsm_file_open", LSM, ProgramType.LSM, "accepted"),
        ("1", "bpf_lsm_file_open", LSM, ProgramType.LSM, "return-range"),
        ("1", "bpf_lsm_task_free", LSM, ProgramType.LSM, "accepted"),
        ("1", "bpf_lsm_task_free", AttachType.LSM_CGROUP, ProgramType.LSM, "accepted"),
        ("0", "bpf_lsm_task_free", AttachType.LSM_CGROUP, ProgramType.LSM, "return-range"),
        ("0", "bpf_lsm_file_open", AttachType.LSM_CGROUP, ProgramType.LSM, "accepted"),
        ("2", "bpf_lsm_file_open", AttachType.LSM_CGROUP, ProgramType.LSM, "return-range"),
    ],
)
def test_results(result, attaches, attach_type, type_, expected) -> None:
    """What programs may return."""
    assert (
        code_of(judged(program(f"r0 = {result}\nexit", attaches, attach_type, type_))) == expected
    )


def test_a_hook_s_result_is_an_int() -> None:
    """Its upper half does not matter."""
    code = "w0 = -1\nexit"
    assert judged(program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM)).accepted
    code = "r0 = 0x1_0000_0001 ll\nexit".replace("_", "")
    report = judged(program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM))
    assert code_of(report) == "return-range"


def test_a_hook_s_result_may_be_returned() -> None:
    """It is known to be one that the hook may have."""
    code = "r0 = *(u64 *)(r1 + 16)\nexit"
    assert judged(program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM)).accepted
    other = "r0 = *(u64 *)(r1 + 8)\nexit"
    report = judged(program(other, "bpf_lsm_file_open", LSM, ProgramType.LSM))
    assert code_of(report) == "return-range"


def test_trust_of_contexts() -> None:
    """Functions give plain pointers, tracepoints trusted ones, some hooks none."""
    code = "r1 = *(u64 *)(r1 + 0)\nif r1 != 0 goto +1\n*(u32 *)(r1 + 0) = 1\nr0 = 0\nexit"
    assert judged(program(code)).accepted
    for attaches, attach_type, type_ in (
        ("task_function", FENTRY, ProgramType.TRACING),
        ("bpf_lsm_task_free", LSM, ProgramType.LSM),
    ):
        assert code_of(judged(program(code, attaches, attach_type, type_))) == "read-only"
