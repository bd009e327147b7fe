"""Random XDP programs over numbers, the stack, a map value and the packet, for the verifier.

A program is drawn by its seed alone.
"""

from __future__ import annotations

import random

import verifier_statements

from beebox.isa.instruction import (
    Alu,
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
    Reg,
    Store,
    Swap,
    slot_count,
)
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AluOp, JmpOp, Size
from beebox.tables.program_types import ProgramType

MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 4),
    "table": MapSpec("table", MapType.HASH, 4, 16, 8),
}
_NUMBERS = (Reg.R1, Reg.R2, Reg.R3, Reg.R4)
_VALUE, _CONTEXT, _PACKET, _END = Reg.R9, Reg.R6, Reg.R7, Reg.R8
_SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
_MOVES = (AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32)
_BINARY = tuple(op for op in AluOp if op not in (AluOp.NEG, AluOp.MOV, *_MOVES))
_IMMEDIATES = (
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    55,
    56,
    60,
    63,
    64,
    100,
    255,
    -1,
    -2,
    -8,
    0x7FFFFFFF,
)
_SIZES = (Size.B, Size.H, Size.W, Size.DW)


class Writer:
    """One random program under construction. Jumps name labels until :meth:`finish`.

    ``budget``: loops end by ``may_goto``, whose rounds the verifier does not count.
    """

    def __init__(self, seed: int, *, budget: bool = False) -> None:
        self.random = random.Random(seed)
        self.budget = budget
        self.items: list[Instruction | tuple[Instruction, int]] = []
        self.places: dict[int, int] = {}  # label -> slot
        self.slot = 0
        self.labels = 0
        self.functions: dict[str, int] = {}  # name -> label

    def emit(self, *insns: Instruction) -> None:
        """Add instructions."""
        for insn in insns:
            self.items.append(insn)
            self.slot += slot_count(insn)

    def jump(self, insn: JumpIf | Jump | MayGoto | Call, label: int) -> None:
        """Add a jump or call to ``label``."""
        self.items.append((insn, label))
        self.slot += 1

    def label(self) -> int:
        """A label to be placed."""
        self.labels += 1
        return self.labels

    def place(self, label: int) -> None:
        """The label is here."""
        self.places[label] = self.slot

    def function(self, name: str) -> int:
        """The label of a function of ``verifier_statements``."""
        if name not in self.functions:
            self.functions[name] = self.label()
        return self.functions[name]

    def finish(self) -> ProgramSpec:
        """The program, its jumps resolved."""
        out: list[Instruction] = []
        pc = 0
        for item in self.items:
            if isinstance(item, tuple):
                insn, label = item
                distance = self.places[label] - pc - 1
                match insn:
                    case JumpIf(op, dst, src, _, wide):
                        insn = JumpIf(op, dst, src, distance, wide)
                    case Jump(long=long):
                        insn = Jump(distance, long)
                    case MayGoto():
                        insn = MayGoto(distance)
                    case Call(kind):
                        insn = Call(kind, distance)
                    case _:
                        pass
            else:
                insn = item
            out.append(insn)
            pc += slot_count(insn)
        return ProgramSpec("fuzz", "xdp", ProgramType.XDP, tuple(out), MAPS)

    # what programs are made of

    def number(self) -> Reg:
        """A register that holds a number."""
        return self.random.choice(_NUMBERS)

    def immediate(self) -> int:
        """A constant of a size that matters."""
        pick = self.random
        return pick.choice(_IMMEDIATES) if pick.random() < 0.8 else pick.getrandbits(31) - (1 << 30)

    def fill(self, reg: Reg) -> None:
        """Give a register a number: from the map, the packet or a constant."""
        pick = self.random
        size = pick.choice(_SIZES)
        kind = pick.random()
        if kind < 0.6:
            signed = size is not Size.DW and pick.random() < 0.2
            self.emit(Load(reg, _VALUE, 8 * pick.randrange(7), size, signed))
        elif kind < 0.75:
            self.emit(Load(reg, _PACKET, pick.randrange(24), size))
        else:
            self.emit(Alu(AluOp.MOV, reg, self.immediate(), pick.random() < 0.7))

    def arithmetic(self) -> None:
        """One ALU instruction on numbers."""
        pick = self.random
        dst, wide = self.number(), pick.random() < 0.6
        kind = pick.random()
        if kind < 0.1:
            self.emit(Alu(AluOp.MOV, dst, self.number(), wide))
            if pick.random() < 0.5:  # a constant away from the number that was copied
                distance = pick.choice((1, 2, 8, 16, -1, -4, 100))
                self.emit(Alu(pick.choice((AluOp.ADD, AluOp.SUB)), dst, distance))
        elif kind < 0.16:
            op = pick.choice(_MOVES)
            self.emit(Alu(op, dst, self.number(), wide or op is AluOp.MOVSX32))
        elif kind < 0.2:
            self.emit(Alu(AluOp.NEG, dst, 0, wide))
        elif kind < 0.23:
            self.emit(Swap(pick.choice(("le", "be", "bswap")), pick.choice((16, 32, 64)), dst))
        else:
            op = pick.choice(_BINARY) if pick.random() < 0.6 else AluOp.AND
            src: Reg | int = self.number() if pick.random() < 0.35 else self.immediate()
            if op in _SHIFTS and not isinstance(src, Reg):
                src = pick.randrange(64 if wide else 32)
            if op in (AluOp.DIV, AluOp.SDIV, AluOp.MOD, AluOp.SMOD) and src == 0:
                src = 3
            if op is AluOp.AND and not isinstance(src, Reg) and pick.random() < 0.7:
                src = pick.choice((1, 3, 7, 15, 31, 56))
            self.emit(Alu(op, dst, src, wide))

    def stack(self) -> None:
        """A spill, a fill or a byte-wise access of the stack."""
        pick = self.random
        size = pick.choice((*_SIZES, Size.DW))
        width = size.value.bytes
        offset = -8 * pick.randint(1, 3) + width * pick.randrange(8 // width)
        kind = pick.random()
        if kind < 0.4:
            self.emit(Store(Reg.R10, offset, self.number(), size))
        elif kind < 0.5:
            self.emit(Store(Reg.R10, offset, self.immediate(), size))
        elif kind < 0.55:
            self.emit(Store(Reg.R10, -8, pick.choice((_VALUE, _PACKET, _CONTEXT)), Size.DW))
        elif kind < 0.6:
            address = Reg.R5
            self.emit(
                Load(Reg.R5, _VALUE, 0, Size.B),
                Alu(AluOp.AND, Reg.R5, pick.choice((7, 8, 15))),
                Alu(AluOp.ADD, Reg.R5, Reg.R10),
            )
            access = Store(address, -24, self.number(), size)
            self.emit(access if pick.random() < 0.5 else Load(self.number(), address, -24, size))
        else:
            signed = size is not Size.DW and pick.random() < 0.3
            self.emit(Load(self.number(), Reg.R10, offset, size, signed))

    def map_access(self) -> None:
        """An access of the map's value at a number's offset, sometimes after a check."""
        pick = self.random
        index = self.number()
        skip = self.label()
        kind = pick.random()
        if kind < 0.4:
            self.emit(Alu(AluOp.AND, index, pick.choice((7, 31, 56, 63))))
        elif kind < 0.8:
            op = pick.choice((JmpOp.GT, JmpOp.GE, JmpOp.SGT))
            self.jump(JumpIf(op, index, pick.choice((32, 56, 63, 64)), 0), skip)
            if op is JmpOp.SGT:
                self.jump(JumpIf(JmpOp.SLT, index, 0, 0), skip)
        size = pick.choice(_SIZES)
        self.emit(Alu(AluOp.MOV, Reg.R5, _VALUE), Alu(AluOp.ADD, Reg.R5, index))
        offset = pick.choice((0, 0, 0, 1, 4, -1))
        if pick.random() < 0.7:
            self.emit(Load(Reg.R0, Reg.R5, offset, size))
        else:
            self.emit(Store(Reg.R5, offset, self.number(), size))
        self.place(skip)

    def packet_access(self) -> None:
        """An access of the packet at a number's offset, mostly after a check."""
        pick = self.random
        index, skip = self.number(), self.label()
        if pick.random() < 0.9:
            self.emit(Alu(AluOp.AND, index, pick.choice((15, 255, 0xFFF))))
        self.emit(Alu(AluOp.MOV, Reg.R5, _PACKET), Alu(AluOp.ADD, Reg.R5, index))
        proven = pick.choice((1, 2, 4, 8, 16))
        self.emit(Alu(AluOp.MOV, Reg.R0, Reg.R5), Alu(AluOp.ADD, Reg.R0, proven))
        match pick.randrange(4):
            case 0:
                self.jump(JumpIf(JmpOp.GT, Reg.R0, _END, 0), skip)
            case 1:
                self.jump(JumpIf(JmpOp.LT, _END, Reg.R0, 0), skip)
            case 2:
                self.jump(JumpIf(JmpOp.GE, Reg.R0, _END, 0), skip)
            case _:
                self.jump(JumpIf(JmpOp.LE, _END, Reg.R0, 0), skip)
        size = pick.choice(_SIZES)
        offset = pick.randrange(proven) if pick.random() < 0.2 else proven - size.value.bytes
        self.emit(Load(Reg.R0, Reg.R5, max(offset, 0), size))
        self.place(skip)

    def lookup(self) -> None:
        """A map lookup, its result checked almost always."""
        pick = self.random
        self.emit(
            Store(Reg.R10, -4, pick.randrange(6), Size.W),
            Alu(AluOp.MOV, Reg.R2, Reg.R10),
            Alu(AluOp.ADD, Reg.R2, -4),
            LoadImm64(Reg.R1, MapRef(pick.choice(tuple(MAPS)))),
            Call(CallKind.HELPER, HELPER_BY_NAME["map_lookup_elem"].id),
        )
        skip = self.label()
        if pick.random() < 0.95:
            self.jump(JumpIf(JmpOp.EQ, Reg.R0, 0, 0), skip)
        self.emit(Load(Reg.R0, Reg.R0, pick.choice((0, 8, 12)), Size.W))
        self.place(skip)
        for reg in _NUMBERS:
            self.fill(reg)

    def loop(self, depth: int) -> None:
        """A loop with a counter, over one or two statements."""
        pick = self.random
        if self.budget:
            self.budget_loop(depth)
            return
        start, counter = self.label(), -64 - 8 * depth
        rounds = pick.choice((2, 3, 5, 10))
        self.emit(Store(Reg.R10, counter, 0, Size.DW))
        self.place(start)
        for _ in range(pick.randint(1, 2)):
            self.statement(depth + 1)
        self.emit(
            Load(Reg.R0, Reg.R10, counter, Size.DW),
            Alu(AluOp.ADD, Reg.R0, 1),
            Store(Reg.R10, counter, Reg.R0, Size.DW),
        )
        self.jump(JumpIf(JmpOp.LT, Reg.R0, rounds, 0), start)

    def budget_loop(self, depth: int) -> None:
        """A loop with ``may_goto``, over one to three statements."""
        start, out = self.label(), self.label()
        self.place(start)
        self.jump(MayGoto(0), out)
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth + 1)
        if self.random.random() < 0.5:
            self.emit(Alu(AluOp.ADD, self.number(), 1))
        self.jump(Jump(0), start)
        self.place(out)

    def branch(self, depth: int) -> None:
        """A comparison of numbers around one to three statements."""
        pick = self.random
        skip = self.label()
        src: Reg | int = self.number() if pick.random() < 0.3 else self.immediate()
        self.jump(
            JumpIf(pick.choice(list(JmpOp)), self.number(), src, 0, pick.random() < 0.6), skip
        )
        for _ in range(pick.randint(1, 3)):
            self.statement(depth + 1)
        if pick.random() < 0.4:
            end = self.label()
            self.jump(Jump(0), end)
            self.place(skip)
            self.statement(depth + 1)
            self.place(end)
        else:
            self.place(skip)

    def statement(self, depth: int) -> None:
        """Any statement."""
        kind = self.random.random()
        if kind < 0.32 or depth > 3:
            self.arithmetic()
        elif kind < 0.49:
            self.branch(depth)
        elif kind < 0.59:
            self.stack()
        elif kind < 0.66:
            self.map_access()
        elif kind < 0.71:
            self.packet_access()
        elif kind < 0.73:
            self.lookup()
        elif kind < 0.77:
            verifier_statements.ordered(self)
        elif kind < 0.82:
            verifier_statements.spilled_pointer(self)
        elif kind < 0.86:
            verifier_statements.partial_fill(self)
        elif kind < 0.88 and depth < 1 and not self.budget:
            verifier_statements.register_loop(self, depth)
        elif kind < 0.90:
            verifier_statements.over(self)
        elif kind < 0.92:
            verifier_statements.nullable(self)
        elif kind < 0.94:
            verifier_statements.stack_function(self)
        elif kind < (0.99 if self.budget else 0.96) and depth < 2:
            self.loop(depth)
        else:
            self.fill(self.number())


def program(seed: int, *, budget: bool = False) -> ProgramSpec:
    """The program of this seed."""
    writer = Writer(seed, budget=budget)
    pick = writer.random
    function, leave = writer.label(), writer.label()
    writer.emit(
        Alu(AluOp.MOV, _CONTEXT, Reg.R1),
        Load(_PACKET, Reg.R1, 0, Size.W),
        Load(_END, Reg.R1, 4, Size.W),
        Alu(AluOp.MOV, Reg.R2, _PACKET),
        Alu(AluOp.ADD, Reg.R2, 32),
    )
    writer.jump(JumpIf(JmpOp.GT, Reg.R2, _END, 0), leave)
    writer.emit(
        Store(Reg.R10, -4, 0, Size.W),
        Alu(AluOp.MOV, Reg.R2, Reg.R10),
        Alu(AluOp.ADD, Reg.R2, -4),
        LoadImm64(Reg.R1, MapRef("values")),
        Call(CallKind.HELPER, HELPER_BY_NAME["map_lookup_elem"].id),
    )
    writer.jump(JumpIf(JmpOp.EQ, Reg.R0, 0, 0), leave)
    writer.emit(Alu(AluOp.MOV, _VALUE, Reg.R0))
    for reg in _NUMBERS:
        writer.fill(reg)
    calls = pick.random() < 0.25
    for _ in range(pick.randint(2, 9)):
        writer.statement(0)
        if calls and pick.random() < 0.3:
            writer.emit(Alu(AluOp.MOV, Reg.R5, _VALUE))
            writer.jump(Call(CallKind.SUBPROG, 0), function)
            for reg in _NUMBERS:
                writer.fill(reg)
            writer.emit(Alu(AluOp.MOV, Reg.R1, Reg.R0))
    writer.place(leave)
    writer.emit(Alu(AluOp.MOV, Reg.R0, 2), Exit())
    if any(isinstance(item, tuple) and item[1] == function for item in writer.items):
        writer.place(function)
        writer.emit(Alu(AluOp.MOV, _VALUE, Reg.R5))
        for _ in range(pick.randint(1, 3)):
            pick.choice((writer.arithmetic, writer.stack, writer.map_access))()
        writer.emit(Alu(AluOp.MOV, Reg.R0, writer.number()), Exit())
    for name, label in writer.functions.items():
        writer.place(label)
        verifier_statements.body(writer, name)
    return writer.finish()
