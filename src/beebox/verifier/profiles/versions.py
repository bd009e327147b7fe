"""What an older kernel lacks, offline: refused with the finding ``since``.

The tables say when each thing came. What a program merely holds is asked of the whole program;
helpers, kernel functions and fields of the context only where a path reaches them, as Linux does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from beebox.errors import InputError
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Instruction,
    Jump,
    JumpIf,
    KsymRef,
    Load,
    LoadImm64,
    LoadPacket,
    MapRef,
    MayGoto,
    PseudoImm64,
    Store,
    SubprogRef,
    Swap,
)
from beebox.obj.model import KernelSymbol, MapSpec, ProgramSpec
from beebox.tables.callers_since import CALLERS_SINCE
from beebox.tables.helpers import Helper
from beebox.tables.links import ATTACH_SINCE, ATTACHED_BEFORE
from beebox.tables.map_types import MapFlags
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.tables.versions import (
    FEATURES,
    FLAG_SINCE,
    LIMITS,
    NEWEST,
    OLDEST,
    release,
)
from beebox.verifier.findings import Refusal
from beebox.verifier.shape.cfg import Shape, kernel_function, successors

_SINCE: Final = {row.name: row.since for row in FEATURES}
_TCX: Final = (AttachType.TCX_INGRESS, AttachType.TCX_EGRESS)
_LIMITS: Final = {row.name: row for row in LIMITS}


class Release:
    """One version of Linux: ``text`` as it was asked for, ``processed`` its verifier's patience."""

    __slots__ = ("_number", "processed", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._number = release(text)
        self.processed = self._limit("processed_insns")

    def has(self, since: str) -> bool:
        """Whether what came with ``since`` is there."""
        return release(since) <= self._number

    def require(self, since: str, pc: int, what: str) -> None:
        """Refuse what came later."""
        if not self.has(since):
            raise Refusal(
                "since", pc, f"{what} came with Linux {since}; {self.text} does not have it"
            )

    def feature(self, name: str, pc: int, what: str) -> None:
        """Refuse what a row of ``tables.versions.FEATURES`` says came later."""
        self.require(_SINCE[name], pc, what)

    def offers(self, name: str) -> bool:
        """Whether a row of ``tables.versions.FEATURES`` is there."""
        return self.has(_SINCE[name])

    def check_helper(self, row: Helper, program_type: ProgramType, pc: int) -> None:
        """A call of a helper, by programs of this type."""
        self.require(row.since, pc, f"bpf_{row.name}")
        since = CALLERS_SINCE.get((row.name, program_type))
        if since is not None:
            self.require(since, pc, f"bpf_{row.name} for {program_type.value.name} programs")

    def check_kfunc(self, insn: Call, pc: int) -> None:
        """A call of a kernel function."""
        row = kernel_function(insn)
        if row is not None:
            self.require(row.since, pc, row.name)

    def check_program(self, spec: ProgramSpec, shape: Shape) -> None:
        """What the program is, and all that it holds, reached or not."""
        row = spec.type.value
        self.require(row.since, 0, f"the program type {row.name}")
        if spec.attach_type is not None and _needs_attach_type(spec):
            since = ATTACH_SINCE.get(spec.attach_type, NEWEST)
            self.require(since, 0, f"the attach type {spec.attach_type.name.lower()}")
        if spec.flags & ProgramFlags.SLEEPABLE:
            self.feature("sleepable", 0, "a program that may sleep")
        if spec.flags & ProgramFlags.XDP_HAS_FRAGS:
            self.feature("xdp_frags", 0, "XDP over packets of several buffers")
        slots = spec.slots
        most = self._limit("program_insns")
        if len(slots) > most:
            raise Refusal(
                "since", 0,
                f"{len(slots)} instructions; programs of Linux {self.text} have {most} at most",
            )  # fmt: skip
        if len(shape.starts) > 1:
            self.feature("subprograms", shape.starts[1], "a function of the program's own")
        for pc, insn in enumerate(slots):
            if insn is not None:
                self._check_insn(spec, pc, insn)
        if not self.offers("bounded_loops"):
            back = next(_backward(slots), None)
            if back is not None:
                self.feature("bounded_loops", back, "a loop")

    def check_map(self, spec: MapSpec, pc: int) -> None:
        """A map that the program names."""
        row = spec.type.value
        self.require(row.since, pc, f"the map type {row.name}")
        for flag, since in FLAG_SINCE.items():
            asked_for = flag is not MapFlags.MMAPABLE or not spec.is_global_data
            if spec.flags & flag and asked_for:  # loaders leave it out where there is no such flag
                self.require(since, pc, f"the flag {flag.name} of map {spec.name}")
        if spec.inner is not None:
            self.check_map(spec.inner, pc)

    def _check_insn(self, spec: ProgramSpec, pc: int, insn: Instruction) -> None:
        match insn:
            case Alu():
                self.require(insn.op.value.since, pc, f"the instruction {insn.op.value.mnemonic}")
            case Swap():
                if insn.to == "bswap":
                    self.feature("cpu_v4", pc, "the instruction bswap")
            case Load():
                if insn.signed:
                    self.feature("cpu_v4", pc, "a load with sign extension")
            case Jump():
                if insn.long:
                    self.feature("cpu_v4", pc, "the instruction gotol")
            case JumpIf():
                self.require(insn.op.value.since, pc, f"the jump {insn.op.value.mnemonic}")
                if not insn.wide:
                    self.feature("jmp32", pc, "a comparison of 32 bits")
            case Atomic():
                self.require(insn.op.value.since, pc, f"the instruction {insn.op.value.mnemonic}")
            case MayGoto():
                self.feature("may_goto", pc, "the instruction may_goto")
            case AddrSpaceCast():
                self.feature("addr_space_cast", pc, "the instruction addr_space_cast")
            case Call():
                if insn.kind is CallKind.KFUNC:
                    self.feature("kfuncs", pc, "a call of a kernel function")
            case LoadImm64(value=MapRef(name)):
                self._check_named(spec, name, pc)
            case LoadImm64(value=GlobalRef(name)):
                self.feature("global_data", pc, f"the address of a value of {name}")
                self._check_named(spec, name, pc)
            case LoadImm64(value=KsymRef(name)):
                symbol = spec.externs.get(name)
                if symbol is not None and isinstance(symbol.resolved, KernelSymbol):
                    self.feature("ksyms", pc, f"the address of the kernel's {name}")
            case LoadImm64(value=SubprogRef() | PseudoImm64(pseudo=4)):
                self.feature("callbacks", pc, "the address of a function")
            case LoadImm64() | Store() | LoadPacket() | Exit():
                pass
            case _:
                assert_never(insn)

    def _check_named(self, spec: ProgramSpec, name: str, pc: int) -> None:
        used = spec.maps.get(name)
        if used is not None:
            self.check_map(used, pc)

    def _limit(self, name: str) -> int:
        found = _LIMITS[name].at(self.text)
        return 0 if found is None else found


def parse(version: str) -> Release:
    """The release that a user names: ``5.15``. Raises :exc:`InputError`."""
    words = version.removeprefix("v").split(".")
    if len(words) < 2 or not all(word.isascii() and word.isdigit() for word in words[:2]):
        raise InputError(f"{version!r} is no version of Linux; write 5.15")
    text = ".".join(str(int(word)) for word in words[:2])
    if not release(OLDEST) <= release(text) <= release(NEWEST):
        raise InputError(f"Linux {text} is not in the tables, which go from {OLDEST} to {NEWEST}")
    return Release(text)


def _needs_attach_type(spec: ProgramSpec) -> bool:
    """Whether older kernels do not attach such programs in another way."""
    if spec.attach_type in _TCX:
        return spec.section.startswith("tcx")
    return spec.attach_type not in ATTACHED_BEFORE


def _backward(slots: tuple[Instruction | None, ...]) -> Iterator[int]:
    """Jumps that close a loop: to what is on the way to them, as a search in depth finds it."""
    active, done = 1, 2
    colour: dict[int, int] = {}
    for root in range(len(slots)):
        if root in colour or slots[root] is None:
            continue
        work = [(root, iter(successors(slots, root)))]
        colour[root] = active
        while work:
            pc, targets = work[-1]
            for target in targets:
                if colour.get(target) == active:
                    yield pc
                elif target not in colour and target < len(slots):
                    colour[target] = active
                    work.append((target, iter(successors(slots, target))))
                    break
            else:
                colour[pc] = done
                work.pop()
