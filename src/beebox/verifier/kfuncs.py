"""Calls of kernel functions by name."""

from __future__ import annotations

from beebox.isa.instruction import Call
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path


def call(path: Path, insn: Call) -> None:
    """Check the arguments of the kfunc, void R1-R5, set R0."""
    raise Refusal(
        "not-supported", path.pc, f"calls of kernel functions are not verified here: {insn.target}"
    )
