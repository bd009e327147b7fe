"""Dynptrs that kernel functions take and make, and the slices that they give."""

from __future__ import annotations

from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.value import Reg


def check(arg: Argument) -> None:
    """A dynptr: an initialised one, or with ``__uninit`` stack where one can be made."""
    raise Refusal(
        "not-supported", arg.call.path.pc, f"{arg.call.name} takes a dynptr, not verified yet"
    )


def slice_(call: KfuncCall) -> Reg:
    """What ``bpf_dynptr_slice`` and ``bpf_dynptr_slice_rdwr`` give, before RET_NULL."""
    raise Refusal("not-supported", call.path.pc, f"the slice of {call.name}, not verified yet")
