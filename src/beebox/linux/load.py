"""A linked program into the kernel: symbols patched, debug info packed, the log read.

:func:`load_program` is what a collection uses; :func:`try_load` gives the kernel's verdict as a
value and keeps nothing, which is what comparing verifiers needs.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from beebox.btf.codec import encode as encode_btf
from beebox.btf.ext import LineRecord, pack_func, pack_line
from beebox.btf.strings import StringTable
from beebox.errors import InternalError, RejectedError, SyscallError
from beebox.isa.codec import encode
from beebox.isa.instruction import GlobalRef, Instruction, LoadImm64, MapRef, PseudoImm64
from beebox.linux import attrs
from beebox.linux.syscall import Attr, Bpf, Command, Fd, bpf
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType

LOG_STATS: Final = 4
"""Log level that says only why a program fails and what its verification cost."""

_LOG_BYTES: Final = 1 << 16
_LOG_BYTES_MAX: Final = 1 << 24
_PSEUDO_MAP_FD: Final = 1
_PSEUDO_MAP_VALUE: Final = 2
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


def patch(insns: tuple[Instruction, ...], fds: Mapping[str, int]) -> bytes:
    """The bytes for the kernel: every map name becomes the descriptor that ``fds`` has for it.

    Raises :exc:`InternalError` when the program names a map that was not made.
    """

    def resolve(insn: Instruction) -> Instruction:
        match insn:
            case LoadImm64(value=MapRef(name)):
                return replace(insn, value=PseudoImm64(_PSEUDO_MAP_FD, _fd(fds, name)))
            case LoadImm64(value=GlobalRef(name, offset)):
                return replace(insn, value=PseudoImm64(_PSEUDO_MAP_VALUE, _fd(fds, name), offset))
            case _:
                return insn

    return encode([resolve(insn) for insn in insns])


def _fd(fds: Mapping[str, int], name: str) -> int:
    if name not in fds:
        raise InternalError(f"program uses map {name}, which was not created")
    return fds[name]


def load_btf(spec: ProgramSpec, door: Bpf = bpf) -> tuple[Fd, attrs.DebugInfo] | None:
    """Load the program's BTF with its line texts; None when the object has no BTF.

    Fails closed: BTF that the kernel refuses raises :exc:`SyscallError` with the kernel's log.
    """
    if spec.btf is None:
        return None
    strings = StringTable()
    lines = b"".join(
        pack_line(LineRecord(0, info.file, info.line, info.column, info.text), info.pc, strings)
        for info in spec.lines
    )
    typed = all(info.type_id for info in spec.functions)
    functions = b"".join(pack_func(info.pc, info.type_id) for info in spec.functions)
    data = encode_btf(spec.btf, strings)
    try:
        number = door(Command.BTF_LOAD, attrs.btf_load(data))
    except SyscallError as error:
        raise _btf_refused(data, error, door) from None
    # Line info without function info is refused, and functions without a type have none.
    debug = attrs.DebugInfo(number, functions, lines) if typed else attrs.DebugInfo(number)
    return Fd(number, "BTF"), debug


def _btf_refused(data: bytes, error: SyscallError, door: Bpf) -> SyscallError:
    attr = attrs.btf_load(data, log_bytes=_LOG_BYTES_MAX)
    try:
        Fd(door(Command.BTF_LOAD, attr), "BTF").close()
    except SyscallError as again:
        return SyscallError(again.call, again.errno or 0, log=attrs.btf_load_log(attr))
    return error


def load_program(spec: ProgramSpec, fds: Mapping[str, int], door: Bpf = bpf) -> Fd:
    """Load a linked program whose maps are ``fds``.

    Raises :exc:`RejectedError` with the kernel's log as its report when the verifier refuses it,
    :exc:`SyscallError` for any other failure.
    """
    code = patch(spec.insns, fds)
    loaded = load_btf(spec, door)
    debug = loaded[1] if loaded else None
    try:
        return Fd(door(Command.PROG_LOAD, _attr(spec, code, debug)), f"program {spec.name}")
    except SyscallError as error:
        if error.errno in _ENVIRONMENT:
            raise
        attr, failure = _load_with_log(spec, code, debug, 1, door)
        log = attrs.prog_load_log(attr)
        if failure is None or not log:
            raise
        raise _rejected(spec, log) from None
    finally:
        if loaded:
            loaded[0].close()


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
    return _verdict(spec, code, None, log_level, door)


def verdict(
    spec: ProgramSpec, fds: Mapping[str, int], *, log_level: int = LOG_STATS, door: Bpf = bpf
) -> Verdict:
    """The kernel's verdict on a linked program, debug info included; nothing stays loaded."""
    loaded = load_btf(spec, door)
    try:
        debug = loaded[1] if loaded else None
        return _verdict(spec, patch(spec.insns, fds), debug, log_level, door)
    finally:
        if loaded:
            loaded[0].close()


def _verdict(
    spec: ProgramSpec, code: bytes, debug: attrs.DebugInfo | None, log_level: int, door: Bpf
) -> Verdict:
    attr, failure = _load_with_log(spec, code, debug, log_level, door)
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


def _attr(
    spec: ProgramSpec,
    code: bytes,
    debug: attrs.DebugInfo | None,
    log_level: int = 0,
    log_bytes: int = 0,
) -> Attr:
    return attrs.prog_load(
        spec.type.value.id,
        code,
        license_name=spec.license,
        name=spec.name,
        attach_type=spec.attach_type.value if spec.attach_type else 0,
        flags=spec.flags.value,
        log_level=log_level,
        log_bytes=log_bytes,
        debug=debug,
    )


def _load_with_log(
    spec: ProgramSpec, code: bytes, debug: attrs.DebugInfo | None, log_level: int, door: Bpf
) -> tuple[Attr, SyscallError | None]:
    """Load once and close, with a log as long as it needs to be."""
    log_bytes = _LOG_BYTES
    while True:
        attr = _attr(spec, code, debug, log_level, log_bytes)
        try:
            Fd(door(Command.PROG_LOAD, attr), f"program {spec.name}").close()
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
    finding: dict[str, Any] = {
        "code": "linux",
        "insn": pc,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": message,
        "hint": "",
        "kernel_message": message,
    }
    return RejectedError(spec.name, (finding,), log)
