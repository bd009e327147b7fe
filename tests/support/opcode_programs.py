"""Short random XDP and tc programs over the whole instruction table, valid by construction.

Between statements r0-r5 and r7 hold numbers, r6 the packet (``PACKET_BYTES`` of it checked), r8 a
number that loops count with, r9 the value of the array ``values`` (64 bytes), and the last
``STACK_BYTES`` of the stack any numbers; behind them lie the context and room to spill r6. tc
programs have packet loads, too. A program ends by writing its numbers and
its stack into the packet, so what Linux, native code and the interpreter did can be compared byte
by byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

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
    LoadPacket,
    MapRef,
    MayGoto,
    Operand,
    Reg,
    Store,
    Swap,
    slot_count,
)
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import SWAP_BITS, SWAPS, AluOp, AtomicOp, JmpOp, Mode, Size
from beebox.tables.program_types import ProgramType

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Reg
NUMBERS = (R0, R1, R2, R3, R4, R5, R7)
MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 1),
    "table": MapSpec("table", MapType.HASH, 4, 8, 8),
}
DATA_BYTES = 64  # of the packet are the program's input
STACK_BYTES = 32
CONTEXT_AT = -STACK_BYTES - 8
PACKET_BYTES = DATA_BYTES + 8 * len(NUMBERS) + STACK_BYTES
INTERESTING = (0, 1, -1, 2, 7, 31, 32, 63, 64, 255, 256, 0x7FFF, 0x8000, 0x7FFFFFFF, -0x80000000)
LOOKUP, UPDATE, DELETE, CSUM_DIFF = 1, 2, 3, 28
HELPER_IDS = frozenset({LOOKUP, UPDATE, DELETE, CSUM_DIFF})
_SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
_ATOMICS = [
    (op, size) for op in AtomicOp for size in Size if op.value.narrow or size in (Size.W, Size.DW)
]
_ALU = [
    (op, wide, immediate)
    for op in AluOp
    for wide in (True, False)
    for immediate in (True, False)
    if (wide or not op.value.wide_only) and not (immediate and op.value.sign_extends)
]
_JUMPS = [(op, wide, imm) for op in JmpOp for wide in (True, False) for imm in (True, False)]


class OpcodeProgram:
    """One program per seed; ``insns`` are linked."""

    def __init__(
        self, seed: int, kind: ProgramType = ProgramType.XDP, *, statements: int = 8
    ) -> None:
        self.kind = kind
        self.random = random.Random(seed)
        self._called = False
        body = self._prologue()
        for _ in range(statements):
            body += self._statement(depth=0)
        body += self._epilogue()
        if self._called:
            body = self._link(body)
        self.insns = tuple(body)

    # ---- choices

    def _number(self) -> Reg:
        return self.random.choice(NUMBERS)

    def _constant(self) -> int:
        if self.random.random() < 0.7:
            return self.random.choice(INTERESTING)
        return self.random.randint(-0x80000000, 0x7FFFFFFF)

    def _place(self, size: int, *, bases: Sequence[Reg] = (R6, R9, R10)) -> tuple[Reg, int]:
        base = self.random.choice(bases)
        if base is R6:
            return base, self.random.randint(0, DATA_BYTES - size)
        if base is R9:
            return base, size * self.random.randrange(64 // size)
        return base, size * self.random.randrange(STACK_BYTES // size) - STACK_BYTES

    # ---- fixed parts

    def _prologue(self) -> list[Instruction]:
        data = 0 if self.kind is ProgramType.XDP else 76  # __sk_buff.data, then data_end
        out: list[Instruction] = [
            Store(R10, CONTEXT_AT, R1, Size.DW),
            Load(R6, R1, data, Size.W),
            Load(R7, R1, data + 4, Size.W),
            Alu(AluOp.MOV, R2, R6),
            Alu(AluOp.ADD, R2, PACKET_BYTES),
            Alu(AluOp.MOV, R0, 77),
            JumpIf(JmpOp.LE, R2, R7, 1),
            Exit(),
            Store(R10, -4, 0, Size.W),
            *self._lookup("values"),
            JumpIf(JmpOp.NE, R0, 0, 1),
            Exit(),
            Alu(AluOp.MOV, R9, R0),
            Alu(AluOp.MOV, R8, 0),
        ]
        for at in range(-STACK_BYTES, 0, 8):
            out += [Load(R0, R6, at + DATA_BYTES, Size.DW), Store(R10, at, R0, Size.DW)]
        return [*out, *self._numbers(NUMBERS)]

    def _lookup(self, name: str, helper: int = LOOKUP) -> list[Instruction]:
        return [
            Alu(AluOp.MOV, R2, R10),
            Alu(AluOp.ADD, R2, -4),
            LoadImm64(R1, MapRef(name)),
            Call(CallKind.HELPER, helper),
        ]

    def _numbers(self, regs: Sequence[Reg] = NUMBERS[:6]) -> list[Instruction]:
        """Numbers again in ``regs``."""
        out: list[Instruction] = []
        for reg in regs:
            match self.random.randrange(3):
                case 0:
                    out.append(Load(reg, R6, self.random.randint(0, DATA_BYTES - 8), Size.DW))
                case 1:
                    out.append(Load(reg, R9, 8 * self.random.randrange(8), Size.DW))
                case _:
                    out.append(LoadImm64(reg, self.random.getrandbits(64)))
        return out

    def _epilogue(self) -> list[Instruction]:
        out: list[Instruction] = [
            Store(R6, DATA_BYTES + 8 * index, reg, Size.DW) for index, reg in enumerate(NUMBERS)
        ]
        for at in range(-STACK_BYTES, 0, 8):
            end = PACKET_BYTES + at
            out += [Load(R1, R10, at, Size.DW), Store(R6, end, R1, Size.DW)]
        return [*out, Alu(AluOp.XOR, R0, R3), Exit()]

    def _link(self, body: list[Instruction]) -> list[Instruction]:
        """Append the subprogram, which takes and gives numbers, and aim the calls at it."""
        end = sum(slot_count(insn) for insn in body)
        out: list[Instruction] = []
        pc = 0
        for insn in body:
            pc += slot_count(insn)
            if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG:
                out.append(Call(CallKind.SUBPROG, end - pc))
            else:
                out.append(insn)
        sub: list[Instruction] = [Alu(AluOp.MOV, R0, R1), Alu(AluOp.MOV, R7, R5)]
        sub.append(Store(R10, -8, R7, Size.DW))
        for _ in range(4):
            sub += self._alu()
        sub += [Load(R1, R10, -8, Size.DW), Alu(AluOp.XOR, R0, R1), Exit()]
        return [*out, *sub]

    # ---- statements

    def _statement(self, depth: int) -> list[Instruction]:
        kinds: list[Callable[[], list[Instruction]]] = [
            *[self._alu] * 5,
            *[self._load] * 2,
            *[self._store] * 2,
            *[self._atomic] * 3,
            self._swap,
            self._wide_constant,
        ]
        if depth == 0:
            kinds += [self._branch] * 6
            kinds += [self._loop, self._call, self._helper, self._variable]
            kinds += [self._loops]
            kinds += [self._packet_load] * 6 if self.kind is not ProgramType.XDP else []
        return self.random.choice(kinds)()

    def _body(self, least: int = 1, most: int = 3) -> list[Instruction]:
        out: list[Instruction] = []
        for _ in range(self.random.randint(least, most)):
            out += self._statement(depth=1)
        return out

    def _alu(self) -> list[Instruction]:
        op, wide, immediate = self.random.choice(_ALU)
        dst = self._number()
        src: Operand = self._number()
        if op.value.unary:
            src = 0
        elif immediate and op in _SHIFTS:
            src = self.random.randrange(64 if wide else 32)
        elif immediate:
            src = self._constant()
            src = src or 3 if op.value.divmul else src
        return [Alu(op, dst, src, wide)]

    def _swap(self) -> list[Instruction]:
        return [
            Swap(self.random.choice(list(SWAPS)), self.random.choice(SWAP_BITS), self._number())
        ]

    def _wide_constant(self) -> list[Instruction]:
        return [LoadImm64(self._number(), self.random.getrandbits(64))]

    def _load(self) -> list[Instruction]:
        size = self.random.choice(list(Size))
        base, offset = self._place(size.value.bytes)
        signed = size is not Size.DW and self.random.random() < 0.4
        return [Load(self._number(), base, offset, size, signed)]

    def _store(self) -> list[Instruction]:
        size = self.random.choice(list(Size))
        base, offset = self._place(size.value.bytes)
        value = self._number() if self.random.random() < 0.6 else self._constant()
        return [Store(base, offset, value, size)]

    def _atomic(self) -> list[Instruction]:
        op, size = self.random.choice(_ATOMICS)
        # Linux 6.18 takes what is fetched from a spilled register for known where it is not
        bases = (R9,) if op.value.fetch else (R9, R10)
        base, offset = self._place(size.value.bytes, bases=bases)
        reg = self._number()
        if op is AtomicOp.LOAD_ACQUIRE:
            return [Atomic(op, reg, offset, base, size)]
        out: list[Instruction] = [Atomic(op, base, offset, reg, size)]
        if op is AtomicOp.CMPXCHG and size is Size.W:  # Linux 6.18 may keep R0's upper half
            out.append(Alu(AluOp.MOV, R0, R0, wide=False))
        return out

    def _variable(self) -> list[Instruction]:
        """An access to the map value at an offset that a mask bounds."""
        index, value = self.random.sample(NUMBERS, 2)
        out: list[Instruction] = [
            Alu(AluOp.AND, index, self.random.choice((7, 31, 63))),
            Alu(AluOp.MOV, R8, R9),
            Alu(AluOp.ADD, R8, index),
        ]
        store = self.random.random() < 0.5
        access = Store(R8, 0, value, Size.B) if store else Load(value, R8, 0, Size.B)
        return [*out, access, Alu(AluOp.MOV, R8, 0)]

    def _condition(self, over: int) -> Instruction:
        op, wide, immediate = self.random.choice(_JUMPS)
        right = self._constant() if immediate else self._number()
        return JumpIf(op, self._number(), right, over, wide)

    def _branch(self) -> list[Instruction]:
        yes = self._body()
        if self.random.random() < 0.5:
            return [self._condition(_slots(yes)), *yes]
        other = self._body()
        leave = Jump(_slots(other), long=self.random.random() < 0.5)
        return [self._condition(_slots(yes) + 1), *yes, leave, *other]

    def _loop(self) -> list[Instruction]:
        """A few rounds, counted in r8."""
        body = [*self._body(1, 2), Alu(AluOp.ADD, R8, 1)]
        again = JumpIf(JmpOp.LT, R8, self.random.randint(2, 4), -_slots(body) - 1)
        return [Alu(AluOp.MOV, R8, 0), *body, again]

    def _loops(self) -> list[Instruction]:
        """The same, with a budget that does not run out."""
        body = [*self._body(1, 2), Alu(AluOp.ADD, R8, 1)]
        again = JumpIf(JmpOp.LT, R8, self.random.randint(2, 4), -_slots(body) - 2)
        return [Alu(AluOp.MOV, R8, 0), MayGoto(_slots(body) + 1), *body, again]

    def _call(self) -> list[Instruction]:
        self._called = True
        return [Call(CallKind.SUBPROG, 0), *self._numbers(NUMBERS[1:6])]

    def _packet_load(self) -> list[Instruction]:
        """Bytes at an offset, sometimes outside the packet: then the program ends."""
        size = self.random.choice((Size.B, Size.H, Size.W))
        offset = self.random.randrange(0, PACKET_BYTES - 3)
        if self.random.random() < 0.4:
            origin = self.random.choice((-0x100000, -0x200000))
            offset = origin + self.random.randrange(0, PACKET_BYTES - 20)
        if self.random.random() < 0.1:
            offset = self.random.choice((-1, -0x1000, -0x200001, -0x80000000, 0x7FFFFFFF, 150))
        index = self.random.choice(NUMBERS[1:6])
        by = self.random.randint(-40, 40)
        head: list[Instruction] = [
            Store(R10, CONTEXT_AT - 8, R6, Size.DW),
            Load(R6, R10, CONTEXT_AT, Size.DW),
        ]
        if self.random.random() < 0.5:
            head.append(LoadPacket(Mode.ABS, size, R0, offset))
        else:
            high = self.random.getrandbits(31) << 32
            head.append(LoadImm64(index, high | (offset - by & 0xFFFFFFFF)))
            head.append(LoadPacket(Mode.IND, size, index, by))
        return [*head, Load(R6, R10, CONTEXT_AT - 8, Size.DW), *self._numbers(NUMBERS[1:6])]

    def _helper(self) -> list[Instruction]:
        """A map operation or a checksum; its result is a number of the program's."""
        key, value, result = self.random.randrange(10), self._number(), [Alu(AluOp.MOV, R7, R0)]
        head: list[Instruction] = [Store(R10, -4, key, Size.W)]
        match self.random.randrange(4):
            case 0:
                found = [Load(R7, R0, 0, Size.DW)]
                out = [*head, *self._lookup("table"), JumpIf(JmpOp.EQ, R0, 0, 1), *found]
            case 1:
                flags = self.random.choice((0, 0, 1, 2, 7))
                setup = [Store(R10, -16, value, Size.DW), Alu(AluOp.MOV, R3, R10)]
                setup += [Alu(AluOp.ADD, R3, -16), Alu(AluOp.MOV, R4, flags)]
                out = [*head, *setup, *self._lookup("table", UPDATE), *result]
            case 2:
                out = [*head, *self._lookup("table", DELETE), *result]
            case _:
                setup = [
                    Alu(AluOp.MOV, R1, R9),
                    Alu(AluOp.MOV, R3, R10),
                    Alu(AluOp.ADD, R3, -STACK_BYTES),
                ]
                sizes = (self.random.choice((0, 4, 16, 64)), self.random.choice((0, 8, 28)))
                setup += [Alu(AluOp.MOV, R2, sizes[0]), Alu(AluOp.MOV, R4, sizes[1])]
                setup += [Alu(AluOp.MOV, R5, self._constant())]
                out = [*setup, Call(CallKind.HELPER, CSUM_DIFF), *result]
        return [*out, *self._numbers()]


def _slots(insns: Sequence[Instruction]) -> int:
    return sum(slot_count(insn) for insn in insns)
