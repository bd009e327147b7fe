"""State embedding: runs follow each path of the exploration, and lie inside its abstract states.

The exploration is watched (:class:`Embedding` is its observer). Runs start with the program; where
a path divides, they divide by what their numbers are; at each instruction every register and spill
of every frame must be one that the abstract state allows, and every access must hit memory.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    MapRef,
    MayGoto,
    PseudoImm64,
    Store,
    Swap,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.opcodes import AluOp, AtomicOp
from beebox.verifier.explore import Exploration
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers import transfer
from beebox.verifier.numbers.scalar import ANY, Scalar
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import shape
from beebox.verifier.states.state import Slot, State
from beebox.verifier.states.value import BEYOND_END, Reg
from verifier_fuzz import vectors
from verifier_fuzz.lanes import (
    CTX,
    FRAME_BYTES,
    HANDLE,
    PACKET,
    STACK,
    STACK_BYTES,
    TABLE,
    VALUES,
    Lanes,
    Violation,
    started,
)
from verifier_fuzz.vectors import U32, Numbers, constant

_LOOKUP: Final = HELPER_BY_NAME["map_lookup_elem"].id
_RANDOM: Final = HELPER_BY_NAME["get_prandom_u32"].id
_TIME: Final = HELPER_BY_NAME["ktime_get_ns"].id
_LOOP: Final = HELPER_BY_NAME["loop"].id
_MAPS: Final = ("values", "table")
_SPILLS: Final = {"s" * size: size for size in (1, 2, 4, 8)}
_OPERATIONS: Final = {
    "add": AluOp.ADD, "or": AluOp.OR, "and": AluOp.AND, "xor": AluOp.XOR, "xchg": AluOp.MOV,
}  # fmt: skip


class Embedding:
    """Follows the exploration with runs. ``runs`` counts those that reached the program's end.

    ``checked`` counts (abstract value, run) pairs that were compared.
    """

    def __init__(self, spec: ProgramSpec, lanes: Lanes, most_insns: int) -> None:
        self._slots = spec.slots
        self._lanes: Lanes | None = lanes
        self._waiting: dict[int, tuple[State, Lanes | None]] = {}
        self._last = -1
        self._divided = False
        self._left = most_insns
        self._pick = np.random.default_rng(lanes.count)
        self.runs = 0
        self.checked = 0

    # what the exploration tells

    def entered(self, _path: Path, state: State) -> None:
        """A path begins; its runs were put aside when it was."""
        _, self._lanes = self._waiting.pop(id(state), (state, self._lanes))
        self._last = -1

    def arrive(self, path: Path, pc: int) -> None:
        """The runs execute what the path did, and must be where it is."""
        self._left -= 1
        if self._left < 0:
            raise Refusal("too-complex", pc, "enough for a fuzzer")
        lanes = self._lanes
        if lanes is None or not lanes.count:
            return
        try:
            if self._last >= 0:
                self._step(lanes, self._last, pc)
            if self._lanes is not None:
                self._inside(path, self._lanes)
        except Violation as violation:
            raise Violation(f"insn {pc}, after insn {self._last}: {violation}") from None
        self._last, self._divided = pc, False

    def pushed(self, _path: Path, other: State) -> None:
        """The path divides: so do its runs."""
        lanes, pc = self._lanes, self._last
        if lanes is None or not lanes.count or pc < 0:
            self._waiting[id(other)] = (other, None)
            return
        self._divided = True
        match self._slots[pc]:
            case JumpIf(op, dst, src, _, wide):
                bits = 64 if wide else 32
                goes = vectors.compare(op, lanes.read(dst), lanes.operand(src), bits)
            case Alu(dst=dst):  # a number that is -1 or 0: the other path is that of 0
                number = lanes.read(dst)
                there = other.frames[-1].regs[dst]
                assert there is not None
                whole = there.scalar.is_const and there.scalar.value == 0
                goes = (number if whole else number & U32) == 0
            case MayGoto():
                goes = lanes.rounds > 0
            case Call(CallKind.HELPER, target) if target == _LOOP:
                frame = lanes.frames[-1]
                goes = (lanes.read(1) > frame.calls) & ~frame.stopped
            case _:
                self._waiting[id(other)] = (other, None)
                self._lanes = None
                return
        there = lanes.taken(goes) if goes.any() else None
        self._lanes = lanes.taken(~goes) if there is not None else lanes
        match self._slots[pc]:
            case MayGoto() if there is not None:
                there.rounds = there.rounds - 1
            case Call() if there is not None:
                _call_back(there, pc)
            case _:
                pass
        self._waiting[id(other)] = (other, there)

    def pruned(self, _path: Path, _pc: int) -> None:
        """The runs end here, unfinished."""
        self._lanes = None

    def ended(self, _path: Path, _pc: int) -> None:
        """The runs are through."""
        if self._lanes is not None:
            self.runs += self._lanes.count

    # what the machine does

    def _step(self, lanes: Lanes, pc: int, to: int) -> None:
        insn = self._slots[pc]
        match insn:
            case JumpIf(op, dst, src, offset, wide):
                if not self._divided and offset:
                    bits = 64 if wide else 32
                    goes = vectors.compare(op, lanes.read(dst), lanes.operand(src), bits)
                    if (goes != (to == pc + 1 + offset)).any():
                        raise Violation("a run takes the side that was excluded")
            case Jump() | MayGoto():
                pass
            case Exit():
                _leave(lanes)
            case Call(CallKind.SUBPROG):
                caller = lanes.frames[-1]
                given = caller.regs[1:6]
                for number in range(6):
                    caller.write(number, None)
                lanes.enter(pc + 1)
                lanes.regs[1:6] = given
            case Call():
                if not self._helper(lanes, insn):
                    self._lanes = None
            case None:
                raise Violation("no instruction")
            case _:
                if not execute(lanes, insn):
                    self._lanes = None

    def _helper(self, lanes: Lanes, insn: Call) -> bool:
        match insn.target:
            case target if target == _LOOKUP:
                handle, key = lanes.read(1), lanes.load(lanes.read(2), 4)
                name = _MAPS[int(handle[0]) - HANDLE]
                found = key < 4 if name == "values" else lanes.present
                base = VALUES if name == "values" else TABLE
                result = np.where(found, np.uint64(base), np.uint64(0))
            case target if target == _RANDOM:
                result = self._pick.integers(0, 1 << 32, lanes.count, np.uint64)
            case target if target == _TIME:
                result = self._pick.integers(0, 1 << 64, lanes.count, np.uint64)
            case target if target == _LOOP:
                frame = lanes.frames[-1]
                result = constant(frame.calls, lanes.count)
                frame.calls, frame.stopped = 0, np.zeros(lanes.count, np.bool_)
            case _:
                return False
        for number in range(1, 6):
            lanes.write(number, None)
        lanes.write(0, result)
        return True

    # where runs must be

    def _inside(self, path: Path, lanes: Lanes) -> None:
        frames = path.state.frames
        if len(frames) != len(lanes.frames):
            raise Violation(f"{len(frames)} frames are {len(lanes.frames)}")
        for depth, (known, frame) in enumerate(zip(frames, lanes.frames, strict=True)):
            for number, (reg, numbers) in enumerate(zip(known.regs, frame.regs, strict=True)):
                if reg is None or reg is frame.seen[number]:
                    continue
                if numbers is None:
                    raise Violation(f"R{number} of frame {depth} is {reg!r}, but holds nothing")
                self._check(reg, numbers, lanes, f"R{number} of frame {depth}")
                frame.seen[number] = reg
            for index, slot in enumerate(known.stack):
                if slot is not None and slot is not frame.seen_slots[index]:
                    self._check_slot(slot, index, depth, lanes)
                    frame.seen_slots[index] = slot

    def _check_slot(self, slot: Slot, index: int, depth: int, lanes: Lanes) -> None:
        start = STACK_BYTES - 8 * (index + 1)
        data = lanes.frames[depth].stack[:, start : start + 8]
        what = f"stack {start - STACK_BYTES} of frame {depth}"
        for at, kind in enumerate(slot.kinds):
            if kind == "0" and data[:, at].any():
                raise Violation(f"{what}: byte {at} is not 0")
        size = _SPILLS.get(slot.kinds.rstrip("-m0"))
        if slot.reg is not None and size is not None:
            spilled = np.ascontiguousarray(data[:, :size]).view(f"<u{size}")[:, 0]
            numbers = spilled.astype(np.uint64)
            if size == 8 or slot.reg.kind is not RegKind.SCALAR:
                self._check(slot.reg, numbers, lanes, what)
                return
            outside = _outside(transfer.truncate(slot.reg.scalar, size), numbers)
            if outside is not None:
                raise Violation(f"{what} is {outside:#x}, not the end of {views(slot.reg.scalar)}")

    def _check(self, reg: Reg, numbers: Numbers, lanes: Lanes, what: str) -> None:
        self.checked += lanes.count
        if reg.kind is RegKind.SCALAR:
            outside = _outside(reg.scalar, numbers)
            if outside is not None:
                raise Violation(f"{what} is {outside:#x}, not in {views(reg.scalar)}")
            return
        base = _BASES.get(reg.kind)
        if reg.kind is RegKind.STACK:
            base = constant(STACK + (reg.frame + 1) * FRAME_BYTES, lanes.count)
        elif reg.kind is RegKind.PACKET_END:
            base = np.uint64(PACKET) + lanes.length.astype(np.uint64)
        elif reg.kind is RegKind.MAP and reg.map in _MAPS:
            base = np.uint64(HANDLE + _MAPS.index(reg.map))
        elif reg.kind is RegKind.MAP_VALUE:
            base = np.uint64(VALUES if reg.map == "values" else TABLE)
        if base is None:
            return
        offset = numbers - base - np.uint64(reg.off & ((1 << 64) - 1))
        if reg.nullable:
            offset = offset[numbers != 0]
            if not len(offset):
                return
        outside = _outside(reg.scalar, offset)
        if outside is not None:
            raise Violation(f"{what} is {outside:#x} off {reg!r}")
        if reg.kind is RegKind.PACKET:
            _check_range(reg, numbers, lanes, what)


_BASES: Final = {RegKind.CTX: np.uint64(CTX), RegKind.PACKET: np.uint64(PACKET)}


def _check_range(reg: Reg, numbers: Numbers, lanes: Lanes, what: str) -> None:
    at = numbers.view(np.int64) - PACKET
    if reg.range < 0:
        least = lanes.length + (reg.range == BEYOND_END)
        if (at < least).any():
            raise Violation(f"{what} is not behind the packet")
    elif reg.range > 0 and (at - reg.off + reg.range > lanes.length).any():
        raise Violation(f"{what}: {reg.range} bytes are not in the packet")


def views(scalar: Scalar) -> str:
    """Every view of a number, for reading."""
    return (
        f"tnum {scalar.value:#x}/{scalar.mask:#x} u64 {scalar.umin:#x}..{scalar.umax:#x} "
        f"s64 {scalar.smin}..{scalar.smax} u32 {scalar.u32_min:#x}..{scalar.u32_max:#x} "
        f"s32 {scalar.s32_min}..{scalar.s32_max}"
    )


def _outside(scalar: Scalar, numbers: Numbers) -> int | None:
    """A number that the scalar does not stand for."""
    if scalar is ANY:
        return None
    if scalar.is_const:
        wrong = numbers != np.uint64(scalar.value)
    else:
        low = numbers & U32
        signed, low_signed = numbers.view(np.int64), vectors.signed(numbers, 32)
        wrong = (numbers ^ np.uint64(scalar.value)) & ~np.uint64(scalar.mask) != 0
        if scalar.umin > numbers.min() or scalar.umax < numbers.max():
            wrong |= (numbers < np.uint64(scalar.umin)) | (numbers > np.uint64(scalar.umax))
        if scalar.smin > signed.min() or scalar.smax < signed.max():
            wrong |= (signed < scalar.smin) | (signed > scalar.smax)
        if scalar.u32_min > low.min() or scalar.u32_max < low.max():
            wrong |= (low < np.uint64(scalar.u32_min)) | (low > np.uint64(scalar.u32_max))
        if scalar.s32_min > low_signed.min() or scalar.s32_max < low_signed.max():
            wrong |= (low_signed < scalar.s32_min) | (low_signed > scalar.s32_max)
    return int(numbers[wrong][0]) if wrong.any() else None


def _leave(lanes: Lanes) -> None:
    left = lanes.frames.pop()
    frame = lanes.frames[-1]
    if left.return_pc >= 0:
        frame.write(0, left.regs[0])
        return
    result = left.regs[0]  # a function that a helper called: 1 ends its rounds
    assert result is not None
    frame.calls += 1
    frame.stopped = frame.stopped | (result == 1)


def _call_back(lanes: Lanes, _pc: int) -> None:
    frame = lanes.frames[-1]
    given = frame.regs[3]
    calls = frame.calls
    lanes.enter(-2)
    lanes.write(1, constant(calls, lanes.count))
    lanes.write(2, given)


def execute(lanes: Lanes, insn: Instruction) -> bool:
    """One instruction that goes on to the next; False for one that this machine does not have."""
    match insn:
        case Alu(op, dst, src, wide):
            moves = op is AluOp.MOV or op.value.sign_extends
            left = constant(0, lanes.count) if moves else lanes.read(dst)
            lanes.write(dst, vectors.alu(op, left, lanes.operand(src), 64 if wide else 32))
        case Swap(to, bits, dst):
            lanes.write(dst, vectors.swap(to, bits, lanes.read(dst)))
        case LoadImm64(dst, int() as value):
            lanes.write(dst, constant(value, lanes.count))
        case LoadImm64(dst, MapRef(name)) if name in _MAPS:
            lanes.write(dst, constant(HANDLE + _MAPS.index(name), lanes.count))
        case LoadImm64(dst, PseudoImm64()):
            lanes.write(dst, constant(0, lanes.count))
        case Load(dst, src, offset, size, signed):
            base, width = lanes.read(src), size.value.bytes
            if int(base[0]) == CTX:
                value = _context(lanes, offset)
            else:
                value = lanes.load(base + np.uint64(offset & ((1 << 64) - 1)), width)
            lanes.write(dst, vectors.sign_extend(value, 8 * width, 64) if signed else value)
        case Store(dst, offset, src, size):
            address = lanes.read(dst) + np.uint64(offset & ((1 << 64) - 1))
            lanes.store(address, size.value.bytes, lanes.operand(src))
        case Atomic():
            _atomic(lanes, insn)
        case _:
            return False
    return True


def _context(lanes: Lanes, offset: int) -> Numbers:
    if offset == 0:
        return constant(PACKET, lanes.count)
    if offset == 4:
        return np.uint64(PACKET) + lanes.length.astype(np.uint64)
    return lanes.length.astype(np.uint64) * np.uint64(offset)


def _atomic(lanes: Lanes, insn: Atomic) -> None:
    width, offset = insn.size.value.bytes, np.uint64(insn.offset & ((1 << 64) - 1))
    if insn.op is AtomicOp.LOAD_ACQUIRE:
        lanes.write(insn.dst, lanes.load(lanes.read(insn.src) + offset, width))
        return
    address = lanes.read(insn.dst) + offset
    new = lanes.read(insn.src)
    if insn.op is AtomicOp.STORE_RELEASE:
        lanes.store(address, width, new)
        return
    old = lanes.load(address, width)
    if insn.op is AtomicOp.CMPXCHG:
        full = np.uint64((1 << 8 * width) - 1)
        lanes.store(address, width, np.where(old == lanes.read(0) & full, new, old))
        lanes.write(0, old)
        return
    name = insn.op.value.mnemonic.removeprefix("atomic_").removeprefix("fetch_")
    lanes.store(address, width, vectors.alu(_OPERATIONS[name], old, new, 64))
    if insn.op.value.fetch:
        lanes.write(insn.src, old)


class Followed:
    """What came of one exploration: ``verdict`` is accepted, a finding's code or a violation."""

    def __init__(self, verdict: str, runs: int, checked: int) -> None:
        self.verdict = verdict
        self.runs = runs
        self.checked = checked


def follow(
    spec: ProgramSpec, seed: int, *, count: int = 256, prune: bool, most_insns: int = 3000
) -> Followed:
    """Explore ``spec`` with ``count`` runs. Raises :exc:`Violation`."""
    watcher = Embedding(spec, started(spec.insns, count, seed), most_insns)
    try:
        exploration = Exploration(spec, shape(spec), prune=prune, observer=watcher)
        exploration.run()
    except Refusal as refusal:
        return Followed(refusal.code, watcher.runs, watcher.checked)
    return Followed("accepted", watcher.runs, watcher.checked)
