"""A linked program into the kernel: symbols patched, debug info packed, the log read.

:func:`load_program` is what a collection uses; :func:`try_load` gives the kernel's verdict as a
value and keeps nothing, which is what comparing verifiers needs.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final

from beebox.errors import InternalError, RejectedError, SyscallError
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
from beebox.linux import attrs
from beebox.linux.modules import ModuleTypes
from beebox.linux.object_types import for_kernel, load_types
from beebox.linux.syscall import Attr, Bpf, Command, Fd, bpf
from beebox.obj.model import (
    ExternKind,
    ExternSpec,
    KernelAddress,
    KernelSymbol,
    ProgramSpec,
)
from beebox.tables.program_types import ProgramType

LOG_STATS: Final = 4
"""Log level that says only why a program fails and what its verification cost."""

_LOG_BYTES: Final = 1 << 16
_LOG_BYTES_MAX: Final = 1 << 24
_PSEUDO_MAP_FD: Final = 1
_PSEUDO_MAP_VALUE: Final = 2
_PSEUDO_BTF_ID: Final = 3
_ENVIRONMENT: Final = frozenset({errno.EPERM, errno.ENOMEM, errno.ENOSYS})
"""Errors of BPF_PROG_LOAD that are no verdict on the program."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the kernel says of a program: ``errno`` is 0 when it accepts."""

    errno: int
    log: str
    insns_processed: int = 0
    states: int = 0
    peak_states: int = 0
    time_ns: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the kernel took the program."""
        return self.errno == 0


@dataclass(frozen=True)
class Handles:
    """What the symbols of a program become: descriptors of maps, of its BTF, of modules' BTF."""

    maps: Mapping[str, int] = field(default_factory=dict)
    debug: attrs.DebugInfo | None = None
    modules: ModuleTypes = field(default_factory=ModuleTypes)


def patch(
    insns: tuple[Instruction, ...],
    fds: Mapping[str, int],
    externs: Mapping[str, ExternSpec] | None = None,
    modules: ModuleTypes | None = None,
) -> bytes:
    """The bytes for the kernel: map names become the descriptors in ``fds``, externs their places.

    Raises :exc:`InternalError` when the program names a map that was not made or an extern that
    was not resolved.
    """
    known = externs or {}
    tables = modules or ModuleTypes()
    index = {module: number for number, module in enumerate(_modules(known), 1)}

    def resolve(insn: Instruction) -> Instruction:
        match insn:
            case LoadImm64(value=MapRef(name)):
                return replace(insn, value=PseudoImm64(_PSEUDO_MAP_FD, _fd(fds, name)))
            case LoadImm64(value=GlobalRef(name, offset)):
                return replace(insn, value=PseudoImm64(_PSEUDO_MAP_VALUE, _fd(fds, name), offset))
            case LoadImm64(value=KsymRef(name)):
                return replace(insn, value=_symbol(known, name, tables))
            case Call(target=KfuncRef(name)):
                return _kfunc_call(known, name, index)
            case _:
                return insn

    return encode([resolve(insn) for insn in insns])


def _fd(fds: Mapping[str, int], name: str) -> int:
    if name not in fds:
        raise InternalError(f"program uses map {name}, which was not created")
    return fds[name]


def _symbol(
    externs: Mapping[str, ExternSpec], name: str, modules: ModuleTypes
) -> int | PseudoImm64:
    match externs[name].resolved if name in externs else None:
        case KernelSymbol(btf_id, module):
            return PseudoImm64(_PSEUDO_BTF_ID, btf_id, modules.fd(module))
        case KernelAddress(address):
            return address
        case found:
            raise InternalError(f"the address of {name} is {found}")


def _kfunc_call(externs: Mapping[str, ExternSpec], name: str, index: Mapping[str, int]) -> Call:
    match externs[name].resolved if name in externs else None:
        case KernelSymbol(btf_id, module):
            return Call(CallKind.KFUNC, btf_id, index.get(module, 0))
        case found:
            raise InternalError(f"the kernel function {name} is {found}")


def _modules(externs: Mapping[str, ExternSpec]) -> tuple[str, ...]:
    """The modules whose functions are called, in the order of the descriptor array from 1 on."""
    found = [row.resolved for row in externs.values() if row.kind is ExternKind.FUNCTION]
    names = [row.module for row in found if isinstance(row, KernelSymbol) and row.module]
    return tuple(dict.fromkeys(names))


def load_btf(spec: ProgramSpec, door: Bpf = bpf) -> tuple[Fd, attrs.DebugInfo] | None:
    """Load the program's BTF with its line texts; None when the object has no BTF.

    Fails closed: BTF that the kernel refuses raises :exc:`SyscallError` with the kernel's log.
    """
    if spec.btf is None:
        return None
    loaded = load_types(for_kernel(spec.btf, spec.externs, maps=spec.maps), (spec,), door)
    return loaded.fd, loaded.debug[spec.name]


def load_program(
    spec: ProgramSpec, fds: Mapping[str, int], door: Bpf = bpf, *, handles: Handles | None = None
) -> Fd:
    """Load a linked program whose maps are ``fds``; ``handles`` has the types loaded already.

    Raises :exc:`RejectedError` with the kernel's log as its report when the verifier refuses it,
    :exc:`SyscallError` for any other failure.
    """
    with ExitStack() as resources:
        if handles is None:
            handles = _own_handles(spec, fds, door, resources)
        attempt = _attempt(spec, handles)
        try:
            return Fd(door(Command.PROG_LOAD, attempt.attr()), f"program {spec.name}")
        except SyscallError as error:
            if error.errno in _ENVIRONMENT:
                raise _named(error, spec) from None
            attr, failure = _load_with_log(attempt, 1, door)
            log = attrs.prog_load_log(attr)
            if failure is None or not log:
                raise _named(error, spec) from None
            raise _rejected(spec, log) from None


def _named(error: SyscallError, spec: ProgramSpec) -> SyscallError:
    return SyscallError(f"{error.call} of {spec.name}", error.errno or 0, log=error.log)


def _own_handles(
    spec: ProgramSpec, fds: Mapping[str, int], door: Bpf, resources: ExitStack
) -> Handles:
    """Handles for one program alone, closed with ``resources``."""
    loaded = load_btf(spec, door)
    if loaded is not None:
        resources.callback(loaded[0].close)
    modules = ModuleTypes(door)
    resources.callback(modules.close)
    return Handles(fds, loaded[1] if loaded else None, modules)


def try_load(
    code: bytes,
    *,
    program_type: ProgramType = ProgramType.XDP,
    license_name: str = "GPL",
    log_level: int = LOG_STATS,
    door: Bpf = bpf,
) -> Verdict:
    """The kernel's verdict on patched bytes; nothing stays loaded.

    Raises :exc:`SyscallError` only when the kernel gave no verdict: no right, no memory.
    """
    spec = ProgramSpec("verdict", "", program_type, (), {}, license=license_name)
    return _verdict(_Attempt(spec, code), log_level, door)


def verdict(
    spec: ProgramSpec,
    fds: Mapping[str, int],
    *,
    log_level: int = LOG_STATS,
    door: Bpf = bpf,
    handles: Handles | None = None,
) -> Verdict:
    """The kernel's verdict on a linked program, debug info included; nothing stays loaded.

    ``handles`` has the types loaded already.
    """
    with ExitStack() as resources:
        if handles is None:
            handles = _own_handles(spec, fds, door, resources)
        attempt = _attempt(spec, handles)
        return _verdict(attempt, log_level, door)


def _verdict(attempt: _Attempt, log_level: int, door: Bpf) -> Verdict:
    attr, failure = _load_with_log(attempt, log_level, door)
    if failure is not None and failure.errno in _ENVIRONMENT:
        raise failure
    log = attrs.prog_load_log(attr)
    cost = re.search(r"processed (\d+) insns.*total_states (\d+) peak_states (\d+)", log)
    time = re.search(r"verification time (\d+) usec", log)
    processed, states, peak = (int(number) for number in cost.groups()) if cost else (0, 0, 0)
    return Verdict(
        (failure.errno or 0) if failure else 0,
        log,
        insns_processed=processed,
        states=states,
        peak_states=peak,
        time_ns=int(time[1]) * 1000 if time else 0,
    )


@dataclass(frozen=True)
class _Attempt:
    """Everything that BPF_PROG_LOAD is given for a program, but the log."""

    spec: ProgramSpec
    code: bytes
    debug: attrs.DebugInfo | None = None
    fd_array: tuple[int, ...] = ()
    attach_btf_fd: int = 0

    def attr(self, log_level: int = 0, log_bytes: int = 0) -> Attr:
        spec = self.spec
        attach_type = spec.attach_type.value if spec.attach_type else 0
        symbol = spec.attach_symbol
        if symbol is not None and symbol.member is not None:
            attach_type = symbol.member  # of struct_ops: which function of the struct
        return attrs.prog_load(
            spec.type.value.id,
            self.code,
            license_name=spec.license,
            name=spec.name,
            attach_type=attach_type,
            flags=spec.flags.value,
            log_level=log_level,
            log_bytes=log_bytes,
            debug=self.debug,
            attach_btf_id=symbol.btf_id if symbol is not None else 0,
            attach_btf_fd=self.attach_btf_fd,
            fd_array=self.fd_array,
            version=spec.version,
        )


def _attempt(spec: ProgramSpec, handles: Handles) -> _Attempt:
    modules = _modules(spec.externs)
    return _Attempt(
        spec,
        patch(spec.insns, handles.maps, spec.externs, handles.modules),
        handles.debug,
        (0, *(handles.modules.fd(name) for name in modules)) if modules else (),
        handles.modules.fd(spec.attach_symbol.module) if spec.attach_symbol else 0,
    )


def _load_with_log(
    attempt: _Attempt, log_level: int, door: Bpf
) -> tuple[Attr, SyscallError | None]:
    """Load once and close, with a log as long as it needs to be."""
    log_bytes = _LOG_BYTES
    while True:
        attr = attempt.attr(log_level, log_bytes)
        try:
            Fd(door(Command.PROG_LOAD, attr), f"program {attempt.spec.name}").close()
        except SyscallError as error:
            if error.errno == errno.ENOSPC and log_bytes < _LOG_BYTES_MAX:
                log_bytes *= 8
                continue
            return attr, error
        return attr, None


def _rejected(spec: ProgramSpec, log: str) -> RejectedError:
    """The kernel's refusal as one finding, placed at the last instruction its log explored."""
    walked = [int(pc) for pc in re.findall(r"^(\d+): \([0-9a-f]{2}\)", log, re.MULTILINE)]
    pc = walked[-1] if walked else 0
    place = spec.line_at(pc)
    lines = [line for line in log.splitlines() if line and not line.startswith("processed ")]
    message = lines[-1] if lines else "refused without a reason"
    reason = _poisoned(spec, pc) or message
    finding: dict[str, Any] = {
        "code": "linux" if reason == message else "missing-in-target",
        "insn": pc,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": reason,
        "hint": "",
        "kernel_message": message,
    }
    return RejectedError(spec.name, (finding,), log if reason == message else f"{log}\n{reason}")


def _poisoned(spec: ProgramSpec, pc: int) -> str:
    """Why the instruction at ``pc`` could not be what its source asked for, if that is so."""
    for row in spec.poisoned:
        if row.pc == pc:
            return row.why
    return ""
