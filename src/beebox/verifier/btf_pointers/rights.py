"""Which helpers a program may call, where the function that it attaches to decides."""

from __future__ import annotations

from typing import Final

from beebox.tables.helper_hooks import D_PATH, IMA, SOCKOPT
from beebox.tables.helpers import Helper
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path

_BY_FUNCTION: Final = {
    "d_path": D_PATH,
    "ima_inode_hash": IMA,
    "ima_file_hash": IMA,
    "setsockopt": SOCKOPT,
    "getsockopt": SOCKOPT,
}
_NOT_IN_RELEASE: Final = frozenset({"setsockopt", "getsockopt"})
_PROBES: Final = frozenset({"d_path", "ima_inode_hash", "ima_file_hash"})
"""Helpers that the program type has, but not everywhere: Linux then says so in other words."""


def check_caller(path: Path, row: Helper) -> None:
    """Refuse a helper that programs attached there may not call."""
    attach = path.attach
    if attach is None or _may_call(path, row):
        return
    kernel = f"program of this type cannot use helper bpf_{row.name}#{row.id}"
    if row.name in _PROBES:
        kernel = "helper call is not allowed in probe"
    raise Refusal(
        "helper-not-allowed", path.pc,
        f"programs that attach to {attach.name} may not call bpf_{row.name}", kernel=kernel,
    )  # fmt: skip


def _may_call(path: Path, row: Helper) -> bool:
    attach = path.attach
    if attach is None:
        return True
    if attach.ops is not None:
        if attach.name == "release" and row.name in _NOT_IN_RELEASE:
            return False
        return row.name in attach.ops.own_helpers or (
            attach.ops.calls_helpers and not _is_foreign(row)
        )
    names = _BY_FUNCTION.get(row.name)
    if names is None or attach.name in names:
        return True
    return row.name == "d_path" and path.attach_type is AttachType.TRACE_ITER


def _is_foreign(row: Helper) -> bool:
    """Whether the helper is one of a certain struct's programs alone."""
    return row.program_types == {ProgramType.STRUCT_OPS}
