"""Questions to the running kernel by loading programs: what a program of some type may do."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from beebox.btf.codec import parse
from beebox.btf.types import Btf, Func, Struct, Typedef
from beebox.errors import SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf
from beebox.tables.program_types import AttachType, ProgramType

SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE
LOG_BYTES = 1 << 14
VMLINUX = Path("/sys/kernel/btf/vmlinux")


def insn(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    """One instruction."""
    return struct.pack("<BBhi", opcode, dst | src << 4, offset, imm)


def mov(dst: int, imm: int) -> bytes:
    """``dst = imm``."""
    return insn(0xB7, dst, imm=imm)


def copy(dst: int, src: int) -> bytes:
    """``dst = src``."""
    return insn(0xBF, dst, src)


def add(dst: int, imm: int) -> bytes:
    """``dst += imm``."""
    return insn(0x07, dst, imm=imm)


def load(size: int, dst: int, src: int, offset: int) -> bytes:
    """``dst = *(size *)(src + offset)``."""
    return insn({1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}[size], dst, src, offset)


def store(size: int, dst: int, offset: int, src: int) -> bytes:
    """``*(size *)(dst + offset) = src``."""
    return insn({1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}[size], dst, src, offset)


def map_fd(dst: int, fd: int) -> bytes:
    """``dst = map``, two slots."""
    return insn(0x18, dst, 1, imm=fd) + insn(0)


def call(helper: int) -> bytes:
    """``call helper``."""
    return insn(0x85, imm=helper)


EXIT = insn(0x95)


@dataclass(frozen=True)
class Hook:
    """What programs are loaded for: the words of BPF_PROG_LOAD that decide their rights."""

    program_type: ProgramType
    attach_type: AttachType | None = None
    flags: int = 0
    attach_btf_id: int = 0
    member: int = 0  # of a struct_ops struct, in the place of the attach type
    name: str = ""

    @property
    def sleepable(self) -> bool:
        """Whether programs may sleep."""
        return bool(self.flags & SLEEPABLE)

    def __str__(self) -> str:
        words = [self.program_type.name]
        words += [self.attach_type.name] if self.attach_type else []
        words += [self.name] if self.name else []
        words += ["sleepable"] if self.sleepable else []
        return " ".join(words)


@dataclass(frozen=True)
class Answer:
    """The kernel's verdict: 0 or an errno, and its log."""

    errno: int
    log: str

    @property
    def refused_helper(self) -> bool:
        """Whether the program type has no such helper."""
        return any(
            text in self.log
            for text in (
                "cannot use helper",
                "unknown func",
                "invalid func",
                "is not allowed in probe",
                "not supported for program type",
                "supported only for",
            )
        )

    @property
    def last(self) -> str:
        """The line that says why, without the statistics."""
        lines = [
            line for line in self.log.splitlines() if line and not line.startswith("processed ")
        ]
        return lines[-1] if lines else ""


def ask(
    hook: Hook,
    code: bytes,
    *,
    license_name: str = "GPL",
    log_level: int = 1,
    debug: attrs.DebugInfo | None = None,
) -> Answer:
    """The verdict on a program; nothing stays loaded."""
    attr = attrs.prog_load(
        hook.program_type.value.id,
        code,
        license_name=license_name,
        attach_type=hook.attach_type.value if hook.attach_type else hook.member,
        flags=hook.flags,
        log_level=log_level,
        log_bytes=LOG_BYTES,
        attach_btf_id=hook.attach_btf_id,
        debug=debug,
    )
    try:
        Fd(bpf(Command.PROG_LOAD, attr), "probe").close()
    except SyscallError as error:
        return Answer(error.errno or -1, attrs.prog_load_log(attr))
    return Answer(0, attrs.prog_load_log(attr))


@cache
def kernel_btf() -> Btf:
    """The running kernel's types."""
    return parse(VMLINUX.read_bytes())


def btf_id(name: str, kind: type[Func | Struct | Typedef]) -> int:
    """The id of a type, by name and kind; 0 when the kernel has none."""
    btf = kernel_btf()
    return next((id_ for id_ in btf.named(name) if isinstance(btf.type(id_), kind)), 0)


def _member(struct_name: str, member: str) -> int:
    row = kernel_btf().type(btf_id(struct_name, Struct))
    assert isinstance(row, Struct)
    return [each.name for each in row.members].index(member)


RECEIVE = "btf_trace_netif_receive_skb"
NEED_BTF_ID = {ProgramType.TRACING, ProgramType.LSM, ProgramType.STRUCT_OPS, ProgramType.EXT}


ABSENT = {ProgramType.LIRC_MODE2}
"""Configured out of the kernels that were probed."""


@cache
def hooks() -> tuple[Hook, ...]:
    """Every way to load a program that the tables tell apart."""
    found = []
    for program_type in ProgramType:
        if program_type in NEED_BTF_ID | ABSENT:
            continue
        flags = SLEEPABLE if program_type is ProgramType.SYSCALL else 0
        attach_types = program_type.value.attach_types
        found += [Hook(program_type, each, flags) for each in attach_types or (None,)]
        if program_type is ProgramType.KPROBE:
            found.append(Hook(program_type))
            found.append(Hook(program_type, flags=SLEEPABLE))
    tracing = ProgramType.TRACING
    iterate = AttachType.TRACE_ITER
    found += [
        Hook(tracing, AttachType.TRACE_RAW_TP, 0, btf_id("btf_trace_sched_switch", Typedef)),
        Hook(tracing, AttachType.TRACE_RAW_TP, 0, btf_id(RECEIVE, Typedef), name="skb"),
        Hook(tracing, iterate, 0, btf_id("bpf_iter_task_file", Func), name="file"),
        Hook(tracing, iterate, 0, btf_id("bpf_iter_task", Func), name="task"),
        Hook(tracing, iterate, SLEEPABLE, btf_id("bpf_iter_task", Func), name="task"),
        Hook(tracing, iterate, 0, btf_id("bpf_iter_tcp", Func), name="tcp"),
    ]
    ops = "tcp_congestion_ops"
    found += [
        Hook(
            ProgramType.STRUCT_OPS, None, 0, btf_id(ops, Struct), _member(ops, member), name=member
        )
        for member in ("ssthresh", "release")
    ]
    return tuple(found)
