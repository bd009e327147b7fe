"""A C source becomes an ELF object: the one call that starts a compiler.

Our headers carry the names that sources for libbpf use; the machine's are never read. A source that
includes ``vmlinux.h`` and brings none gets one made of the target's BTF.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beebox.clang import process
from beebox.clang.diagnostics import error, lacks_target, missing_header, text_of
from beebox.clang.find import OLDEST, VARIABLE, Compiler, compilers
from beebox.errors import InputError, NotSupportedError

INCLUDE: Final = Path(__file__).with_name("include")
_MAGIC: Final = b"\x7fELF"
_VMLINUX: Final = "vmlinux.h"
_ARCHITECTURES: Final = {
    "x86_64": "x86",
    "i686": "x86",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv",
    "s390x": "s390",
    "ppc64le": "powerpc",
    "loongarch64": "loongarch",
    "mips64": "mips",
}
"""``__TARGET_ARCH_*`` by the machine's name."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An ELF object, and what the compiler warned of ("" for nothing)."""

    data: bytes
    warnings: str


def compile_c(
    path: Path,
    options: Sequence[str] = (),
    *,
    btf: Path | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Compiled:
    """The object that clang makes of a source; ``options`` are clang's and come last.

    ``vmlinux.h`` is made of ``btf`` (a BTF file or an ELF file with BTF; by default the running
    kernel's). ``meanwhile`` is called while clang runs: importing what reads its object takes as
    long. Raises :exc:`CompileError` with clang's own report, :exc:`InputError` for a source that
    cannot be read or takes too long, :exc:`NotSupportedError` where there is no clang.
    """
    tried: list[str] = []
    with contextlib.ExitStack() as stack:
        made: list[Path] = []
        if _VMLINUX.encode() in _source(path):
            made.append(stack.enter_context(_vmlinux(btf)))
        for compiler in compilers():
            ended = process.run(_command(compiler, path, options, made), meanwhile=meanwhile)
            if ended.status and not made and missing_header(ended.words) == _VMLINUX:
                made.append(stack.enter_context(_vmlinux(btf)))  # a header of the user's
                ended = process.run(_command(compiler, path, options, made))
            if not ended.status or not lacks_target(ended.words):
                return _result(ended, path, compiler)
            tried.append(compiler.name)
    without = f" ({', '.join(tried)} cannot compile for BPF)" if tried else ""
    raise NotSupportedError(
        f"compiling C without a clang{without}",
        hint=f"clang {OLDEST} or newer does: pip install 'beebox[c]', or name one in {VARIABLE}",
    )


def _vmlinux(btf: Path | None) -> AbstractContextManager[Path]:
    from beebox.clang.vmlinux import folder  # noqa: PLC0415 -- 30 ms that most sources save

    return folder(btf)


def _result(ended: process.Ended, path: Path, compiler: Compiler) -> Compiled:
    if ended.status < 0:
        raise InputError(f"{path}: the compiler was ended by signal {-ended.status}")
    if ended.status:
        raise error(ended.words, str(path), compiler.name)
    if not ended.output.startswith(_MAGIC):
        raise InputError(f"{path}: with these options the compiler makes no ELF object")
    return Compiled(ended.output, text_of(ended.words))


def _source(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path}: not a file" if path.exists() else f"{path}: no such file")
        with path.open("rb") as stream:
            return stream.read(process.OUTPUT_BYTES)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InputError(f"{path}: {reason}") from cause


def _command(
    compiler: Compiler, path: Path, options: Sequence[str], made: Sequence[Path]
) -> list[str]:
    """Defaults first, so that the user's own words win; our headers after all of the user's."""
    resources = ["-resource-dir", str(compiler.resources)] if compiler.resources else []
    folders = [*made, INCLUDE]
    return [
        *compiler.command,
        *("-target", "bpfel", "-mcpu=v3", "-O2", "-g", "-Wall", "-fno-color-diagnostics"),
        *("-fno-crash-diagnostics", "-fno-stack-protector", "-fdebug-compilation-dir=."),
        *(f"-fdebug-prefix-map={folder}=beebox" for folder in folders),  # the same on any machine
        *resources,
        "-nostdlibinc",
        *_architecture(options),
        *options,
        f"-I{_plain(path.parent)}",
        *(word for folder in folders for word in ("-isystem", str(folder))),
        *("-c", _plain(path), "-o", "-"),
    ]


def _architecture(options: Sequence[str]) -> list[str]:
    name = _ARCHITECTURES.get(os.uname().machine)
    chosen = any("__TARGET_ARCH_" in option for option in options)
    return [f"-D__TARGET_ARCH_{name}"] if name and not chosen else []


def _plain(path: Path) -> str:
    """The path in a form that no compiler takes for an option, or for a file of options."""
    return f"./{path}" if str(path).startswith(("-", "@")) else str(path)
