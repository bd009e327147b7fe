"""Random programs, executed: each concrete state lies inside what the verifier knew there.

With pruning off the whole abstract state must contain the concrete one; with pruning on, the joined
facts that code generation uses must be true of it. Accepted programs never touch foreign memory.
"""

from __future__ import annotations

import random

import pytest
import verifier_values

from beebox.isa import semantics
from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    MayGoto,
    Reg,
    Store,
    Swap,
)
from beebox.tables.opcodes import AluOp, AtomicOp
from beebox.verifier import explore
from beebox.verifier.explore import Exploration
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers import scalar
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import shape
from beebox.verifier.states.value import BEYOND_END
from beebox.verifier.verify import verify

_U64 = (1 << 64) - 1
_CONTEXT, _PACKET, _STACK, _MAP, _HANDLE = (index << 40 for index in range(1, 6))
_NEW_VALUE = {
    "add": lambda old, src: old + src,
    "or": lambda old, src: old | src,
    "and": lambda old, src: old & src,
    "xor": lambda old, src: old ^ src,
    "xchg": lambda _old, src: src,
}


class Machine:
    """A concrete run. Memory is bytes by address; what lies outside does not exist."""

    def __init__(self, spec, seed):
        pick = random.Random(seed)
        self.spec = spec
        self.memory = {}
        self.length = pick.choice((0, 20, 32, 40, 64, 300, 4200))
        for start, size in ((_PACKET, self.length), (_MAP, 64), (_MAP + 4096, 16)):
            for address in range(start, start + size):
                self.memory[address] = pick.choice((0, 0, 1, 7, 255, pick.randrange(256)))
        self.table_has = pick.random() < 0.5
        self.rounds = pick.choice((0, 1, 2, 5, 40, 200))
        self.regs = [None] * 11
        self.frames = []
        self.enter(0)
        self.regs[1] = _CONTEXT

    def enter(self, depth):
        top = _STACK + (depth + 1) * 4096
        for address in range(top - 512, top):
            self.memory[address] = 0
        self.regs[10] = top

    def load(self, address, size):
        return int.from_bytes(bytes(self.memory[address + at] for at in range(size)), "little")

    def store(self, address, size, value):
        for at, byte in enumerate((value & ((1 << 8 * size) - 1)).to_bytes(size, "little")):
            assert address + at in self.memory, f"{address + at:#x} is not memory"
            self.memory[address + at] = byte

    def value(self, operand):
        return self.regs[operand] if isinstance(operand, Reg) else operand & _U64

    def run(self, observe, limit=3000):
        pc = 0
        for _ in range(limit):
            observe(pc, self)
            pc = self.step(pc)
            if pc is None:
                return

    def step(self, pc):
        regs = self.regs
        match self.spec.slots[pc]:
            case Alu(op, dst, src, wide):
                left = 0 if op is AluOp.MOV or op.value.sign_extends else regs[dst]
                regs[dst] = semantics.alu(op, left, self.value(src), 64 if wide else 32)
            case Swap(to, bits, dst):
                regs[dst] = semantics.swap(to, bits, regs[dst])
            case LoadImm64(dst, ref):
                regs[dst] = _HANDLE + list(verifier_values.MAPS).index(ref.name)
                return pc + 2
            case Load(dst, src, offset, size, signed):
                address, width = regs[src] + offset, size.value.bytes
                if regs[src] == _CONTEXT and offset >= 8:
                    regs[dst] = offset * 3
                elif regs[src] == _CONTEXT:
                    regs[dst] = _PACKET + (self.length if offset == 4 else 0)
                else:
                    value = self.load(address & _U64, width)
                    regs[dst] = semantics.sign_extend(value, 8 * width, 64) if signed else value
            case Store(dst, offset, src, size):
                self.store((regs[dst] + offset) & _U64, size.value.bytes, self.value(src))
            case Atomic(AtomicOp.LOAD_ACQUIRE, dst, offset, src, size):
                regs[dst] = self.load((regs[src] + offset) & _U64, size.value.bytes)
            case Atomic(AtomicOp.STORE_RELEASE, dst, offset, src, size):
                self.store((regs[dst] + offset) & _U64, size.value.bytes, regs[src])
            case Atomic(AtomicOp.CMPXCHG, dst, offset, src, size):
                address, width = regs[dst] + offset, size.value.bytes
                old = self.load(address, width)
                if old == regs[0] & ((1 << 8 * width) - 1):
                    self.store(address, width, regs[src])
                regs[0] = old
            case Atomic(op, dst, offset, src, size):
                address, width = regs[dst] + offset, size.value.bytes
                old = self.load(address, width)
                what = op.value.mnemonic.removeprefix("atomic_").removeprefix("fetch_")
                self.store(address, width, _NEW_VALUE[what](old, regs[src]))
                if op.value.fetch:
                    regs[src] = old
            case Jump(offset):
                return pc + 1 + offset
            case MayGoto(offset):
                self.rounds -= 1
                return pc + 1 + (offset if self.rounds < 0 else 0)
            case JumpIf(op, dst, src, offset, wide):
                taken = semantics.compare(op, regs[dst], self.value(src), 64 if wide else 32)
                return pc + 1 + (offset if taken else 0)
            case Call(CallKind.HELPER):
                key = self.load(regs[2], 4)
                if regs[1] == _HANDLE:
                    regs[0] = _MAP if key < 4 else 0
                else:
                    regs[0] = _MAP + 4096 if self.table_has else 0
                regs[1:6] = [None] * 5
            case Call(CallKind.SUBPROG, target):
                self.frames.append((regs[6:11], pc + 1))
                regs[0] = None
                regs[6:10] = [None] * 4
                self.enter(len(self.frames))
                return pc + 1 + target
            case Exit():
                if not self.frames:
                    return None
                saved, back = self.frames.pop()
                regs[1:6] = [None] * 5
                regs[6:11] = saved
                return back
        return pc + 1


def embedded(reg, number, machine):
    """Whether the concrete number is one that the abstract value stands for."""
    if reg is None:
        return True  # not usable there
    if reg.kind is RegKind.SCALAR:
        return scalar.contains(reg.scalar, number)
    if reg.nullable and number == 0:
        return True
    distance = {
        RegKind.CTX: _CONTEXT,
        RegKind.PACKET: _PACKET,
        RegKind.PACKET_END: _PACKET + machine.length,
        RegKind.MAP: _HANDLE + (reg.map == "table"),
        RegKind.MAP_VALUE: _MAP + 4096 * (reg.map == "table"),
        RegKind.STACK: _STACK + (reg.frame + 1) * 4096,
    }[reg.kind]
    variable = (number - distance - reg.off) & _U64
    if reg.kind is RegKind.PACKET and reg.range < 0:
        end = _PACKET + machine.length
        if number < end or (number == end and reg.range == BEYOND_END):
            return False
    if reg.kind is RegKind.PACKET and reg.range > 0:
        reaches = number - reg.off + reg.range - _PACKET
        if reaches > machine.length:
            return False
    return scalar.contains(reg.scalar, variable)


def inside(frames, machine):
    """Whether one abstract state contains the machine's state."""
    if len(frames) != len(machine.frames) + 1:
        return False
    regs, stack = frames[-1]
    if not all(embedded(regs[n], machine.regs[n], machine) for n in range(11)
               if machine.regs[n] is not None):  # fmt: skip
        return False
    for index, slot in enumerate(stack):
        if slot is None:
            continue
        at = machine.regs[10] - 8 * (index + 1)
        if any(kind == "0" and machine.memory[at + n] for n, kind in enumerate(slot.kinds)):
            return False
        whole = slot.reg is not None and slot.kinds == "s" * 8
        if whole and not embedded(slot.reg, machine.load(at, 8), machine):
            return False
    return True


_FACT_BASES = {
    RegKind.CTX: (_CONTEXT, _CONTEXT),
    RegKind.MAP: (_HANDLE, _HANDLE + 1),
    RegKind.PACKET: (_PACKET - 70000, _PACKET + 140000),
    RegKind.PACKET_END: (_PACKET, _PACKET + 5000),
    RegKind.MAP_VALUE: (_MAP - 70000, _MAP + 70000),
}


def true_fact(fact, number, machine):
    """Whether a joined fact holds of a concrete register."""
    if fact is None or number is None or fact.kind in (RegKind.SCALAR, RegKind.MIXED):
        return True
    if fact.nullable and number == 0:
        return True
    if fact.kind is RegKind.STACK:
        top = _STACK + (len(machine.frames) - fact.frames_up + 1) * 4096
        return number == top + fact.offset if fact.offset is not None else abs(number - top) < 4096
    low, high = _FACT_BASES[fact.kind]
    return low <= number <= high


def unpruned(spec):
    """Abstract states by pc, from an exploration without pruning; None if it is too long."""
    try:
        exploration = Exploration(spec, shape(spec), prune=False)
    except Refusal as refusal:
        return refusal
    states = {}
    arrive = exploration.join.arrive

    def note(pc, state):
        kept = [(frame.regs[:], frame.stack[:]) for frame in state.frames]
        states.setdefault(pc, []).append(kept)
        if exploration.processed > 6000:
            raise Refusal("too-complex", pc, "enough for a test")
        arrive(pc, state)

    noting = {"arrive": staticmethod(note), "edge": exploration.join.edge}
    exploration.join = type("Noting", (), noting)
    try:
        exploration.run()
    except Refusal as refusal:
        return None if refusal.code == "too-complex" else refusal
    return states


def observer(seed, states, facts):
    """Checks a machine's state at each instruction."""

    def observe(pc, machine):
        if states is not None:
            assert any(inside(state, machine) for state in states[pc]), (
                f"seed {seed}, insn {pc}: {machine.regs} in none of {states[pc]}"
            )
        row = facts.regs[pc]
        assert row is not None, f"seed {seed}: insn {pc} was never reached"
        for number, fact in enumerate(row):
            assert true_fact(fact, machine.regs[number], machine), (
                f"seed {seed}, insn {pc}, R{number}: {machine.regs[number]:#x}, {fact}"
            )

    return observe


@pytest.mark.parametrize("block", range(8))
def test_execution_stays_inside(block):
    ran = 0
    for seed in range(block * 1000, block * 1000 + 45):
        spec = verifier_values.program(seed)
        report = verify(spec)
        if not report.accepted:
            continue
        states = unpruned(spec)
        assert not isinstance(states, Refusal), f"seed {seed}: pruning changed the verdict"
        for run in range(6):
            Machine(spec, run).run(observer(seed, states, report.verified))
            ran += 1
    assert ran > 30


@pytest.mark.parametrize("block", range(4))
def test_pruning_never_changes_a_verdict(block):
    for seed in range(50_000 + block * 1000, 50_000 + block * 1000 + 120):
        spec = verifier_values.program(seed)
        states = unpruned(spec)
        if states is not None:
            assert verify(spec).accepted == (not isinstance(states, Refusal)), f"seed {seed}"


@pytest.mark.parametrize("block", range(2))
def test_loops_that_nobody_counts_stay_inside(block, monkeypatch):
    """may_goto: however many rounds run, no fact is wrong and no access leaves its memory."""
    monkeypatch.setattr(explore, "MAX_INSNS", 4000)
    ran = looped = 0
    for seed in range(block * 1000, block * 1000 + 120):
        spec = verifier_values.program(seed, budget=True)
        report = verify(spec)
        if not report.accepted:
            continue
        looped += any(isinstance(insn, MayGoto) for insn in spec.insns)
        for run in range(8):
            Machine(spec, run).run(observer(seed, None, report.verified))
            ran += 1
    assert ran > 100
    assert looped > 10
