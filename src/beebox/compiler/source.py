"""From a Python source to an object: the compiler's front door. The source is never executed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beebox import cache
from beebox.errors import CodegenError, CompileError, InputError
from beebox.llvm import cache_keys, worker
from beebox.obj import reader
from beebox.obj.model import ObjectSpec

if TYPE_CHECKING:
    from beebox.compiler import ir

MAX_SOURCE_BYTES: Final = 1 << 20
_FUNCTION: Final = re.compile(r"in function (?P<name>\S+) ")
_STACK: Final = re.compile(r"stack limit|stack arguments|stack size", re.IGNORECASE)


def compile_file(path: str | Path) -> ObjectSpec:
    """The object that the source in a file compiles to; raises as :func:`compile_source`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start}: not UTF-8") from error
    return compile_source(text, file=str(path))


def compile_source(text: str, *, file: str) -> ObjectSpec:
    """The object that a source compiles to, with BTF, source lines and variable names.

    Deterministic. ``file`` is the name in messages and in line information. Raises
    :exc:`CompileError` for a source outside the language, or one that BPF has no room for.
    """
    if len(text) > MAX_SOURCE_BYTES:
        raise InputError(f"{file}: a source of {len(text)} characters; at most {MAX_SOURCE_BYTES}")
    made_from = json.dumps([file, text]).encode()
    key = cache_keys.key(made_from, {"kind": "source", "package": cache.package_fingerprint()})
    known = cache.get(key)
    if known is not None:
        return reader.read(known, file=file)
    from beebox.obj import writer  # noqa: PLC0415 -- as in _compile

    spec = _compile(text, file)
    cache.put(key, writer.write(spec))
    return spec


def _compile(text: str, file: str) -> ObjectSpec:
    from beebox.compiler import bpf, budget, frontend  # noqa: PLC0415 -- a source seen before spares them

    module = frontend.analyze(text, file=file)
    try:
        data = worker.compile_bpf(bpf.lower(module))
    except RecursionError:
        problem = "this source is nested too deeply"
        raise CompileError(problem, file=file, line=1, column=1) from None
    except CodegenError as error:
        found = _limit_exceeded(error, module)
        if found is None:
            raise
        raise found from error
    spec = reader.read(data, file=file)
    mark = budget.mark_of(module)
    return spec if mark is None else budget.with_may_gotos(spec, mark)


def _limit_exceeded(error: CodegenError, module: ir.Module) -> CompileError | None:
    """The refusal that a diagnostic of LLVM stands for, when the fault is the source's."""
    from beebox.compiler import ir  # noqa: PLC0415 -- as in _compile

    if not _STACK.search(error.diagnostic):
        return None
    named = _FUNCTION.search(error.diagnostic)
    spans = [f.span for f in module.functions if named and f.name == named["name"]]
    span = spans[0] if spans else ir.Span(module.file, 1, 1, 2)
    lines = module.sources.get(span.file, "").splitlines()
    return CompileError(
        "the variables of this function need more than the 512 bytes of stack that BPF has",
        file=span.file,
        line=span.line,
        column=span.column,
        source_line=lines[span.line - 1] if span.line <= len(lines) else "",
        width=span.end_column - span.column,
        hint="keep large structs in a per-CPU array of one element",
    )
