"""Many runs of one program at once, on arrays: registers and memory of each run side by side.

All runs of one :class:`Lanes` have followed the same path. Pointers are numbers: the region in the
upper bits, the offset below. A run that leaves its memory raises :exc:`Violation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from beebox.isa.instruction import Alu, Instruction, JumpIf, Reg
from beebox.verifier.states.value import Reg as Value
from verifier_fuzz.vectors import U32, Numbers, constant

_REGION: Final = 40
_START: Final = 0x10000  # of a region: Linux takes a pointer whose low half is 0 for impossible
CTX, PACKET, STACK, HANDLE, VALUES, TABLE = ((at << _REGION) + _START for at in range(1, 7))
FRAME_BYTES: Final = 4096  # between the tops of two frames
STACK_BYTES: Final = 512
PACKET_BYTES: Final = 320
VALUE_BYTES: Final = {VALUES: 64, TABLE: 16}
_LENGTHS: Final = (32, 33, 36, 40, 64, 100, 300, 320, 20, 0)
_EDGES: Final = (
    0, 0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 55, 56, 63, 64, 255, 0x7FFF, 0x8000, 0xFFFF,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF, 1 << 63,
    0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFF80000000, 0xFFFFFFFF00000000,
)  # fmt: skip


class Violation(Exception):  # noqa: N818  # what is violated is the verifier's promise
    """A run did what the verifier says it cannot."""


class Frame:
    """One call frame of every run; ``seen`` are the abstract values it was found inside of."""

    __slots__ = ("calls", "regs", "return_pc", "seen", "seen_slots", "stack", "stopped")

    def __init__(self, count: int, stack: NDArray[np.uint8], return_pc: int) -> None:
        self.regs: list[Numbers | None] = [None] * 11
        self.seen: list[Value | None] = [None] * 11
        self.seen_slots: list[object] = [None] * (STACK_BYTES // 8)
        self.stack = stack
        self.return_pc = return_pc
        self.calls = 0  # that the helper called now has made
        self.stopped = np.zeros(count, np.bool_)

    def taken(self, chosen: NDArray[np.bool_]) -> Frame:
        """The chosen runs."""
        other = Frame(0, self.stack[chosen], self.return_pc)
        other.regs = [None if one is None else one[chosen] for one in self.regs]
        other.seen, other.seen_slots = self.seen[:], self.seen_slots[:]
        other.calls, other.stopped = self.calls, self.stopped[chosen]
        return other

    def write(self, number: int, value: Numbers | None) -> None:
        """Set a register."""
        self.regs[number] = value
        self.seen[number] = None


class Lanes:
    """Runs that are at the same place. Arrays of registers are never changed, memory is."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.frames: list[Frame] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.length = np.zeros(count, np.int64)
        self.present = np.zeros(count, np.bool_)
        self.rounds = np.zeros(count, np.int64)
        self.noise = np.zeros((count, STACK_BYTES), np.uint8)  # what unwritten stack holds

    def taken(self, chosen: NDArray[np.bool_]) -> Lanes:
        """The chosen runs, to go their own way."""
        other = Lanes(0)
        other.count = int(chosen.sum())
        other.frames = [frame.taken(chosen) for frame in self.frames]
        other.memory = {region: data[chosen] for region, data in self.memory.items()}
        other.length, other.present = self.length[chosen], self.present[chosen]
        other.rounds, other.noise = self.rounds[chosen], self.noise[chosen]
        return other

    @property
    def regs(self) -> list[Numbers | None]:
        """The innermost frame's registers."""
        return self.frames[-1].regs

    def operand(self, src: Reg | int) -> Numbers:
        """A register's numbers, or a constant."""
        if not isinstance(src, Reg):
            return constant(src, self.count)
        return self.read(src)

    def read(self, number: int) -> Numbers:
        """A register's numbers."""
        value = self.regs[number]
        if value is None:
            raise Violation(f"R{number} holds nothing")
        return value

    def write(self, number: int, value: Numbers | None) -> None:
        """Set a register of the innermost frame."""
        self.frames[-1].write(number, value)

    def enter(self, return_pc: int) -> None:
        """A new frame."""
        frame = Frame(self.count, self.noise.copy(), return_pc)
        top = STACK + (len(self.frames) + 1) * FRAME_BYTES
        frame.regs[10] = constant(top, self.count)
        self.frames.append(frame)

    def load(self, address: Numbers, size: int) -> Numbers:
        """The little-endian numbers at these addresses."""
        data, at, _ = self._place(address, size)
        if (at == at[0]).all():
            chunk = np.ascontiguousarray(data[:, int(at[0]) : int(at[0]) + size])
        else:
            chunk = data[np.arange(self.count)[:, None], at[:, None] + np.arange(size)]
        return chunk.view(f"<u{size}")[:, 0].astype(np.uint64)

    def store(self, address: Numbers, size: int, value: Numbers) -> None:
        """Write the low ``size`` bytes."""
        data, at, frame = self._place(address, size)
        chunk = np.ascontiguousarray(value.astype(f"<u{size}")).view(np.uint8)
        chunk = chunk.reshape(self.count, size)
        if (at == at[0]).all():
            data[:, int(at[0]) : int(at[0]) + size] = chunk
        else:
            data[np.arange(self.count)[:, None], at[:, None] + np.arange(size)] = chunk
        if frame is not None:
            low, high = int(at.min()), int(at.max()) + size
            for slot in range((STACK_BYTES - high) // 8, (STACK_BYTES - low - 1) // 8 + 1):
                frame.seen_slots[slot] = None

    def _place(
        self, address: Numbers, size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], Frame | None]:
        region = (int(address[0]) >> _REGION << _REGION) + _START
        if region == STACK:
            index = (int(address[0]) - STACK - 1) // FRAME_BYTES
            if not 0 <= index < len(self.frames):
                raise Violation(f"{int(address[0]):#x} is in no frame")
            frame = self.frames[index]
            at = address.view(np.int64) - (STACK + (index + 1) * FRAME_BYTES - STACK_BYTES)
            self._require(at, size, np.int64(STACK_BYTES), "the stack")
            return frame.stack, at, frame
        data = self.memory.get(region)
        if data is None:
            raise Violation(f"{int(address[0]):#x} is not memory")
        at = address.view(np.int64) - region
        extent = self.length if region == PACKET else np.int64(data.shape[1])
        self._require(at, size, extent, "the packet" if region == PACKET else "a map value")
        return data, at, None

    def _require(
        self, at: NDArray[np.int64], size: int, extent: NDArray[np.int64] | np.int64, what: str
    ) -> None:
        outside = (at < 0) | (at + size > extent)
        if outside.any():
            worst = int(at[outside][0])
            raise Violation(f"{size} bytes at {worst} are not in {what}")


def started(insns: Sequence[Instruction], count: int, seed: int) -> Lanes:
    """Runs at the first instruction, their inputs made of edges and the program's own constants."""
    pick = np.random.default_rng(seed)
    constants = [
        (insn.src + step) & ((1 << 64) - 1)
        for insn in insns
        if isinstance(insn, Alu | JumpIf) and not isinstance(insn.src, Reg)
        for step in (-1, 0, 1)
    ]
    pool = np.array((*_EDGES, *constants), np.uint64)
    lanes = Lanes(count)
    lanes.memory = {
        PACKET: _bytes(pick, pool, count, PACKET_BYTES),
        **{region: _bytes(pick, pool, count, size) for region, size in VALUE_BYTES.items()},
    }
    lanes.length = pick.choice(np.array(_LENGTHS, np.int64), count)
    lanes.present = pick.random(count) < 0.7
    lanes.rounds = pick.choice(np.array((0, 1, 2, 3, 8), np.int64), count)
    lanes.noise = _bytes(pick, pool, count, STACK_BYTES)
    lanes.enter(-1)
    lanes.regs[1] = constant(CTX, count)
    return lanes


def _bytes(pick: np.random.Generator, pool: Numbers, count: int, size: int) -> NDArray[np.uint8]:
    cells = size // 8
    words = pick.choice(pool, (count, cells))
    any_bits = pick.integers(0, 1 << 64, (count, cells), np.uint64)
    kind = pick.random((count, cells))
    words = np.where(kind < 0.2, any_bits, words)
    words = np.where((kind >= 0.2) & (kind < 0.3), any_bits & U32, words)
    words = np.where((kind >= 0.3) & (kind < 0.35), any_bits & np.uint64(63), words)
    return words.astype("<u8").view(np.uint8).reshape(count, size)
