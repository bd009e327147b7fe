"""The machine as a code generation target, and the one-time set-up of LLVM in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm


@dataclass(frozen=True, slots=True)
class Target:
    """What LLVM must know to generate code for this machine."""

    triple: str
    cpu: str
    features: str


@cache
def target() -> Target:
    """The machine this process runs on."""
    return Target(
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )


@cache
def jit() -> llvm.LLJIT:  # type: ignore[no-any-unimported]  # llvmlite has no types
    """The process's linker of native objects (ORC with JITLink); it lives until the end."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)
