"""Verification: a linked program in, a report out; never an exception for an unsafe program."""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from beebox.errors import BtfError
from beebox.isa.codec import encode
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    PseudoImm64,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.finding_needs import NEEDS
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.btf_pointers import extensions
from beebox.verifier.explore import Exploration
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers.calls import possible_cpus
from beebox.verifier.numbers import branch, scalar, transfer
from beebox.verifier.observer import Observer
from beebox.verifier.options import DEFAULT, Options
from beebox.verifier.path import Path
from beebox.verifier.profiles.versions import parse
from beebox.verifier.reports.advice import advise, evidence, unroll
from beebox.verifier.reports.held_advice import acquired
from beebox.verifier.reports.history import causal_path
from beebox.verifier.result import Finding, Report, SubprogramFact, VerifiedProgram
from beebox.verifier.shape import rights
from beebox.verifier.shape.cfg import Shape, function_ranges, shape

_TURN = threading.Lock()  # numbers are interned for one verification at a time
_CPU = HELPER_BY_NAME["get_smp_processor_id"].id
_OUR_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def verify(
    spec: ProgramSpec, options: Options = DEFAULT, *, observer: Observer | None = None
) -> Report:
    """The verdict on ``spec``; by default Linux 6.18's on a privileged load.

    The program may run on the first ``options.cpus`` CPUs, and on as many as this machine has.
    ``observer`` is told of the exploration while it runs.

    Raises :exc:`InputError` for a version of Linux that is not in the tables.

    A fault of the verifier itself is a refusal, too (finding ``internal``). Threads take turns.
    """
    if options.version is not None:
        parse(options.version)
    options = replace(options, cpus=max(options.cpus, possible_cpus()))
    with _TURN, _collector_paused():
        return _explored(spec, options, observer)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A verification only adds to what it holds: to look for cycles in it would be in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _explored(spec: ProgramSpec, options: Options, observer: Observer | None) -> Report:
    if scalar.forget():
        transfer.forget()
        branch.forget()
    start = time.perf_counter_ns()
    exploration: Exploration | None = None
    findings: tuple[Finding, ...] = ()
    measured: Shape | None = None
    try:
        judged = extensions.in_place_of(spec, options)
        if judged is spec:
            rights.check_program(spec)
        if not options.bypass_spec:
            rights.check_loader(spec)
        measured = shape(spec)
        exploration = Exploration(judged, measured, options, observer=observer)
        exploration.path.extends = judged is not spec
        exploration.run()
    except Refusal as refusal:
        path = exploration.path if exploration is not None else None
        if exploration is not None and refusal.code in ("too-complex", "timeout"):
            refusal.hint = refusal.hint or unroll(spec, refusal, exploration.pruner.kept())
        findings = (_finding(spec, refusal, path),)
    except BtfError as why:
        pc = exploration.path.pc if exploration is not None else 0
        malformed = Refusal("not-supported", pc, f"the types (BTF) are malformed: {why}")
        findings = (_finding(spec, malformed, None),)
    except _OUR_FAULTS as bug:
        pc = exploration.path.pc if exploration is not None else 0
        text = f"{type(bug).__name__}: {bug}"
        findings = (_finding(spec, Refusal("internal", pc, text), None),)
    elapsed = time.perf_counter_ns() - start
    verified = None
    if not findings and exploration is not None and measured is not None:
        verified = _verified(spec, measured, exploration)
    return Report(
        spec=spec,
        findings=findings,
        insns_processed=exploration.processed if exploration is not None else 0,
        states=exploration.pruner.total if exploration is not None else 0,
        peak_states=exploration.pruner.peak if exploration is not None else 0,
        time_ns=elapsed,
        profile=options.profile.value,
        verified=verified,
        notes=_notes(exploration),
    )


def _notes(exploration: Exploration | None) -> dict[str, Any]:
    meter = exploration.meter if exploration is not None else None
    return {"cost_bound": meter.bound} if meter is not None and meter.bound is not None else {}


def _finding(spec: ProgramSpec, refusal: Refusal, path: Path | None) -> Finding:
    line = spec.line_at(refusal.pc)
    advice = advise(spec, refusal, path)
    return Finding(
        code=refusal.code,
        pc=refusal.pc,
        message=refusal.message,
        hint=refusal.hint or advice.hint,
        kernel_message=refusal.kernel,
        file=line.file if line is not None else None,
        line=line.line if line is not None else None,
        column=line.column if line is not None else None,
        path=causal_path(spec, refusal, held=acquired(spec, refusal, path)),
        missing=advice.missing or NEEDS.get(refusal.code, ""),
        evidence=evidence(spec, refusal),
    )


def _verified(spec: ProgramSpec, measured: Shape, exploration: Exploration) -> VerifiedProgram:
    path = exploration.path
    names = {0: spec.name} | {info.pc: info.name for info in spec.functions}
    ranges = function_ranges(measured, len(spec.slots))
    subprograms = tuple(
        SubprogramFact(start, end, names.get(start, f"func_{start}"), used)
        for (start, end), used in zip(ranges, exploration.stack_bytes(), strict=True)
    )
    return VerifiedProgram(
        spec=spec,
        digest=digest(spec, cpus=path.options.cpus),
        profile=path.options.profile.value,
        regs=exploration.join.regs(),
        edges=exploration.join.edges,
        subprograms=subprograms,
        helpers=frozenset(path.helpers),
        maps=frozenset(path.maps),
    )


def digest(spec: ProgramSpec, *, cpus: int = 1) -> str:
    """SHA-256 over the instructions, the map shapes they name and the program type, in hex.

    Also over the number of CPUs where a program asks which one it runs on: that bounds the answer.
    """
    order: dict[str, int] = {}
    externs: dict[str, int] = {}
    plain: list[Instruction] = []
    for insn in spec.insns:
        if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef):
            ref = insn.value
            name, offset = (ref.name, 0) if isinstance(ref, MapRef) else (ref.map_name, ref.offset)
            index = order.setdefault(name, len(order))
            pseudo = 5 if isinstance(ref, MapRef) else 6
            plain.append(LoadImm64(insn.dst, PseudoImm64(pseudo, index, offset)))
        elif isinstance(insn, Call) and isinstance(insn.target, KfuncRef):
            plain.append(Call(insn.kind, externs.setdefault(insn.target.name, len(externs))))
        elif isinstance(insn, LoadImm64) and isinstance(insn.value, KsymRef):
            index = externs.setdefault(insn.value.name, len(externs))
            plain.append(LoadImm64(insn.dst, PseudoImm64(3, index, 0)))
        else:
            plain.append(insn)
    hashed = hashlib.sha256(encode(plain))
    hashed.update(f"{spec.type.name} {spec.attach_type} {int(spec.flags)}".encode())
    for name in externs:
        extern = spec.externs.get(name)
        hashed.update(f"{name} {extern.resolved if extern is not None else None}".encode())
    if Call(CallKind.HELPER, _CPU) in spec.insns:
        hashed.update(f"{cpus} CPUs".encode())
    for name in order:
        spec_ = spec.maps[name]
        shape_ = (name, spec_.type.name, spec_.key_size, spec_.value_size, spec_.max_entries)
        hashed.update(f"{shape_} {int(spec_.flags)} {spec_.frozen} {spec_.extra}".encode())
        if spec_.inner is not None:
            hashed.update(f"{spec_.inner}".encode())
        if spec_.frozen and spec_.contents is not None:
            hashed.update(spec_.contents)
    return hashed.hexdigest()
