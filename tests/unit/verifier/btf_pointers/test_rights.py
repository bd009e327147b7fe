"""Helpers that depend on what the program attaches to; hooks that no test machine may load."""

from __future__ import annotations

import pytest
from kernel_types import code_of, judged, program

from beebox.tables.program_types import AttachType, ProgramType

LSM, CGROUP = AttachType.LSM_MAC, AttachType.LSM_CGROUP
FENTRY = AttachType.TRACE_FENTRY
TRACED = ("btf_trace_task_event", AttachType.TRACE_RAW_TP, ProgramType.TRACING)


@pytest.mark.parametrize(
    ("helper", "attaches", "attach_type", "type_", "allowed"),
    [
        ("d_path", "bpf_lsm_file_open", LSM, ProgramType.LSM, True),
        ("d_path", "bpf_lsm_task_free", LSM, ProgramType.LSM, False),
        ("d_path", "vfs_truncate", FENTRY, ProgramType.TRACING, True),
        ("d_path", "task_function", FENTRY, ProgramType.TRACING, False),
        ("d_path", "bpf_iter_task", AttachType.TRACE_ITER, ProgramType.TRACING, True),
        ("d_path", *TRACED, False),
        ("setsockopt", "bpf_iter_task", AttachType.TRACE_ITER, ProgramType.TRACING, False),
        ("setsockopt", "bpf_lsm_socket_post_create", CGROUP, ProgramType.LSM, True),
        ("setsockopt", "bpf_lsm_socket_post_create", LSM, ProgramType.LSM, False),
        ("setsockopt", "bpf_lsm_file_open", CGROUP, ProgramType.LSM, False),
    ],
)
def test_helpers(helper, attaches, attach_type, type_, allowed) -> None:
    """A call without arguments fails at its first argument, where it is allowed."""
    report = judged(program(f"call bpf_{helper}\nr0 = 0\nexit", attaches, attach_type, type_))
    assert code_of(report) == ("argument-type" if allowed else "helper-not-allowed")


@pytest.mark.parametrize("helper", ["ima_inode_hash", "ima_file_hash"])
def test_integrity_is_measured_where_hooks_sleep(helper: str) -> None:
    """And only there."""
    code = f"call bpf_{helper}\nr0 = 0\nexit"
    sleeping = program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM, sleepable=True)
    assert code_of(judged(sleeping)) == "argument-type"
    awake = program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM)
    assert code_of(judged(awake)) == "helper-sleeps"
    other = program(code, "bpf_lsm_task_free", LSM, ProgramType.LSM)
    assert code_of(judged(other)) in {"helper-not-allowed", "helper-sleeps"}


def test_hooks_are_for_gpl_programs() -> None:
    """As structs of the kernel are."""
    code = "r0 = 0\nexit"
    spec = program(code, "bpf_lsm_file_open", LSM, ProgramType.LSM, license_="Proprietary")
    assert code_of(judged(spec)) == "attach-target"
