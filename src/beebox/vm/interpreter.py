"""Runs a program one instruction at a time, checking every access.

Each instruction is decoded once into a closure that takes the registers and gives the next pc; the
operations come from ``isa.semantics``. The interpreter works on the same addresses as native code,
so map values, packets and contexts may be shared between both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

from beebox.errors import ExecutionError, NotSupportedError
from beebox.isa import semantics
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
    Load,
    LoadImm64,
    LoadPacket,
    MapRef,
    MayGoto,
    Reg,
    Store,
    Swap,
)
from beebox.maps import abi
from beebox.obj.model import ProgramSpec
from beebox.tables.contexts import Context, ContextField
from beebox.tables.helpers import HELPERS
from beebox.tables.limits import MAX_CALL_FRAMES, MAX_LOOPS, MAX_RUN_LOOPS, MAX_STACK_BYTES
from beebox.tables.opcodes import AtomicOp, Mode
from beebox.verifier.result import VerifiedProgram
from beebox.vm import packet_load, steps
from beebox.vm.contexts import NO_QUEUE_MAPPING, STORED_BITS, layout_of, private_range
from beebox.vm.memory import (
    READERS,
    SIGNED_READERS,
    WRITERS,
    Buffer,
    Memory,
    Packet,
    Region,
    Runtime,
)
from beebox.vm.observe import Notes, noted
from beebox.vm.steps import Registers, Step, Watch
from beebox.vm.structure import functions

U64: Final = (1 << 64) - 1
U32: Final = (1 << 32) - 1
DEFAULT_FUEL: Final = 1 << 32
EXIT: Final = -1

HelperFn: TypeAlias = Callable[["Machine", int, int, int, int, int], int]
"""A helper on the interpreter: the machine and R1-R5 (unsigned) -> R0, taken modulo 1 << 64."""

TailCall: TypeAlias = Callable[[int, int], "Interpreter | None"]
"""A prog array's handle and an index -> the program to go on in, ready to run and counted."""


@dataclass(slots=True)
class Machine:
    """What a run works on: the regions, the packet with its context, the runtime block.

    ``handles`` gives a map's handle (what ``MapRef`` loads, passed to helpers as is), ``globals``
    the address of a global-data map's value; their memory is registered in ``memory`` by the owner.
    """

    memory: Memory
    packet: Packet
    runtime: Runtime
    handles: Mapping[str, int]
    globals: Mapping[str, int]


def _context_bytes(context: Context | None) -> int:
    """How many bytes are the context's: none where it is memory like any other."""
    try:
        layout_of(context)
    except NotSupportedError:
        return 0
    return context.size if context is not None else 0


class Interpreter:
    """One program on one machine. Not for two threads at a time.

    Registers that nothing has set are 0, as are R1-R5 after a call and all but R1-R5 and R10 at the
    start of a function.
    """

    def __init__(
        self,
        program: VerifiedProgram | ProgramSpec,
        machine: Machine,
        helpers: Mapping[int, HelperFn],
        *,
        notes: Notes | None = None,
        mark: int = 0,
        executed: list[int] | None = None,
        max_loops: int = MAX_LOOPS,
        tail_call: TailCall | None = None,
        watch: Mapping[int, Watch] | None = None,
    ) -> None:
        """Decode; ``notes`` of the program make it write down how it runs, under ``mark``.

        ``executed`` has a count per slot, for notes that count. ``max_loops`` is what all
        ``may_goto`` of a frame may do together. ``watch`` has who is told of instructions, by pc.
        Raises :exc:`NotSupportedError` for what this engine cannot run, :exc:`DecodeError` for
        what :mod:`beebox.vm.structure` refuses of a program that is not verified.
        """
        arrived = None
        if isinstance(program, VerifiedProgram):
            self.spec, arrived = program.spec, program.regs
        else:
            self.spec = program
            functions(program.slots)
        self.machine = machine
        self._helpers = helpers
        self._tail_call = tail_call
        self._stack = Buffer(MAX_STACK_BYTES * MAX_CALL_FRAMES)
        top = self._stack.address + self._stack.size
        self._stack_region = Region("stack", top, top, self._stack.address, self._stack.view)
        self._context = machine.packet.context_address
        self._context_end = self._context + _context_bytes(self.spec.type.value.context)
        buffer = machine.packet.buffer
        self._packet_region = Region("packet", 0, 0, buffer.address, buffer.view)
        self._own = Memory([self._stack_region, self._packet_region])
        self._calls: list[tuple[int, int, int, int, int, int]] = []
        self._max_loops = self._loops = max_loops
        self._run_loops = MAX_RUN_LOOPS
        self._steps: list[Step] = [
            steps.second_slot
            if insn is None
            else self._decode(pc, insn)
            if arrived is None or arrived[pc] is not None
            else steps.unreached(pc)
            for pc, insn in enumerate(self.spec.slots)
        ]
        if notes is not None:
            self._observe(notes, mark, executed)
        for pc, each in (watch or {}).items():
            self._steps[pc] = steps.watched(self._steps[pc], each, pc)

    def run(self, *arguments: int, fuel: int = DEFAULT_FUEL) -> int:
        """R0 after one run over the packet as it stands in the machine.

        ``arguments`` are R1-R5, by default the context. Raises :exc:`ExecutionError` on an access
        outside every region and after ``fuel`` instructions.
        """
        regs: Registers = [0] * 11
        given = arguments or (self._context,)
        regs[1 : 1 + len(given)] = given
        region = self._stack_region
        region.start = region.end = self._stack.address + self._stack.size
        self._calls.clear()
        self._run_loops = MAX_RUN_LOOPS
        self._push_frame(regs, 0)
        self._sync_packet()
        decoded = self._steps
        pc = 0
        for _ in range(fuel):
            pc = decoded[pc](regs)
            if pc < 0:
                return regs[0]
        raise ExecutionError(f"ran out of fuel after {fuel} instructions", pc=pc)

    def _observe(self, notes: Notes, mark: int, executed: list[int] | None) -> None:
        """Wrap the steps that ``notes`` is about: as native code, instruction by instruction."""
        runtime = self.machine.runtime
        for pc, field in notes.origins.items():
            self._steps[pc] = steps.noted(self._steps[pc], runtime, field, noted(mark, pc))
        if notes.counts and executed is not None:
            for pc, step in enumerate(self._steps):
                self._steps[pc] = steps.counted(step, runtime, executed, pc)

    # ---- frames and packet

    def _push_frame(self, regs: Registers, pc: int) -> None:
        region = self._stack_region
        top = region.start
        low = top - MAX_STACK_BYTES
        if low < region.base:
            raise ExecutionError("call chain too deep", pc=pc)
        region.start = low
        offset = low - region.base
        region.view[offset : offset + MAX_STACK_BYTES] = bytes(MAX_STACK_BYTES)
        regs[10] = top
        self._loops = self._max_loops

    def _sync_packet(self) -> None:
        context = self.machine.packet.context
        self._packet_region.start = context.data_meta
        self._packet_region.end = context.data_end

    def locate(self, pc: int, address: int, size: int, *, write: bool) -> Region:
        """The region that an access at ``pc`` works on. Raises :exc:`ExecutionError` for none."""
        region = self._own.find(address, size) or self.machine.memory.find(address, size)
        if region is None or (write and not region.writable):
            kind = "write" if write else "read"
            where = f"{region.name}, read-only" if region is not None else "no region"
            access = f"{kind} of {size} bytes at {address:#x}: {where}"
            raise ExecutionError("access outside the program's memory", pc=pc, access=access)
        return region

    # ---- decoding

    def _decode(self, pc: int, insn: Instruction) -> Step:
        after = pc + 1
        match insn:
            case Alu():
                return steps.alu(insn, after)
            case Swap(to=to, bits=bits, dst=dst):
                return steps.swap(to, bits, dst, after)
            case LoadImm64(dst=dst):
                return steps.constant(dst, self._imm64(insn, pc), pc + 2)
            case Load():
                return self._load(insn, pc)
            case Store():
                return self._store(insn, pc)
            case Atomic():
                return self._atomic(insn, pc)
            case Jump(offset=offset):
                return steps.jump(after + offset)
            case JumpIf():
                return steps.jump_if(insn, after)
            case Call(kind=CallKind.HELPER, target=int(target)):
                return self._helper(target, pc)
            case Call(kind=CallKind.SUBPROG, target=int(target)):
                return self._subprogram(after + target, pc)
            case Exit():
                return self._exit
            case MayGoto(offset=offset):
                return self._may_goto(after, after + offset)
            case LoadPacket():
                return self._packet_load(insn, after)
            case AddrSpaceCast() | Call():
                raise NotSupportedError(f"{type(insn).__name__} at insn {pc} in the interpreter")
            case _:
                assert_never(insn)

    def _imm64(self, insn: LoadImm64, pc: int) -> int:
        match insn.value:
            case int(value):
                return value
            case MapRef(name=name):
                return self.machine.handles[name]
            case GlobalRef(map_name=name, offset=offset):
                return self.machine.globals[name] + offset
            case _:
                raise NotSupportedError(f"{type(insn.value).__name__} at insn {pc}")

    def _load(self, insn: Load, pc: int) -> Step:
        dst, src, offset, size = insn.dst, insn.src, insn.offset, insn.size.value.bytes
        signed = insn.signed
        read = (SIGNED_READERS if signed else READERS)[size]
        context, context_end = self._context, self._context_end
        find, after = self.locate, pc + 1
        region = self._stack_region  # this instruction's last region, likely its next

        def load(regs: Registers) -> int:
            nonlocal region
            address = (regs[src] + offset) & U64
            if not region.start <= address <= region.end - size:
                if context <= address < context_end:
                    value = self._load_context(address - context, size, pc)
                    regs[dst] = _extend(value, size) if signed else value
                    return after
                region = find(pc, address, size, write=False)
            regs[dst] = read(region.view, address - region.base)[0] & U64
            return after

        return load

    def _context_range(
        self, offset: int, size: int, pc: int, *, write: bool
    ) -> tuple[ContextField, int, int]:
        context = self.spec.type.value.context
        field = context.field_at(offset, size, write=write) if context is not None else None
        if field is None:
            raise ExecutionError("no such context field", pc=pc, access=f"{size} bytes at {offset}")
        return field, *private_range(layout_of(context), field, offset, size)

    def _load_context(self, offset: int, size: int, pc: int) -> int:
        _, at, width = self._context_range(offset, size, pc, write=False)
        return int.from_bytes(self.machine.packet.context_bytes[at : at + width], "little")

    def _store_context(self, offset: int, size: int, value: int, pc: int) -> None:
        """``value`` is the register's 64 bits, or an immediate with its sign."""
        field, at, width = self._context_range(offset, size, pc, write=True)
        if field.name == "queue_mapping" and value >= NO_QUEUE_MAPPING:
            return
        kept = value & ((1 << STORED_BITS.get(field.name, width * 8)) - 1)
        self.machine.packet.context_bytes[at : at + width] = kept.to_bytes(width, "little")

    def _store(self, insn: Store, pc: int) -> Step:
        dst, src, offset, size = insn.dst, insn.src, insn.offset, insn.size.value.bytes
        write, mask, find, after = WRITERS[size], (1 << size * 8) - 1, self.locate, pc + 1
        region = self._stack_region

        def place(address: int) -> Region:
            nonlocal region
            if not (region.start <= address <= region.end - size and region.writable):
                region = find(pc, address, size, write=True)
            return region

        context, context_end = self._context, self._context_end
        if isinstance(src, Reg):
            source = src

            def store(regs: Registers) -> int:
                address = (regs[dst] + offset) & U64
                if context <= address < context_end:
                    self._store_context(address - context, size, regs[source], pc)
                    return after
                where = place(address)
                write(where.view, address - where.base, regs[source] & mask)
                return after

            return store
        value = src & mask
        immediate = src

        def store_imm(regs: Registers) -> int:
            address = (regs[dst] + offset) & U64
            if context <= address < context_end:
                self._store_context(address - context, size, immediate, pc)
                return after
            where = place(address)
            write(where.view, address - where.base, value)
            return after

        return store_imm

    def _atomic(self, insn: Atomic, pc: int) -> Step:
        dst, src, offset, size = insn.dst, insn.src, insn.offset, insn.size.value.bytes
        read, write, mask = READERS[size], WRITERS[size], (1 << size * 8) - 1
        op, fetch, after = insn.op, insn.op.value.fetch, pc + 1
        if op is AtomicOp.LOAD_ACQUIRE:  # the GIL orders what this engine does
            return self._aligned(self._load(Load(dst, src, offset, insn.size), pc), pc, insn, src)
        if op is AtomicOp.STORE_RELEASE:
            return self._aligned(self._store(Store(dst, offset, src, insn.size), pc), pc, insn, dst)
        combine = steps.COMBINE.get(op)

        def atomic(regs: Registers) -> int:
            address = (regs[dst] + offset) & U64
            region = self.locate(pc, address, size, write=True)
            self._check_aligned(pc, address, size)
            at = address - region.base
            old = read(region.view, at)[0]
            if combine is not None:
                write(region.view, at, combine(old, regs[src]) & mask)
                if fetch:
                    regs[src] = old
                return after
            if old == regs[0] & mask:
                write(region.view, at, regs[src] & mask)
            regs[0] = old
            return after

        return atomic

    def _aligned(self, step: Step, pc: int, insn: Atomic, base: Reg) -> Step:
        offset, size = insn.offset, insn.size.value.bytes

        def aligned(regs: Registers) -> int:
            address = (regs[base] + offset) & U64  # before the step: it may overwrite the base
            after = step(regs)
            self._check_aligned(pc, address, size)
            return after

        return aligned

    def _check_aligned(self, pc: int, address: int, size: int) -> None:
        if address % size:
            access = f"{size} bytes at {address:#x}"
            raise ExecutionError("misaligned atomic access", pc=pc, access=access)

    def _may_goto(self, after: int, target: int) -> Step:
        def may_goto(_regs: Registers) -> int:
            if self._loops == 0 or self._run_loops == 0:
                return target
            self._loops -= 1
            self._run_loops -= 1
            return after

        return may_goto

    def _packet_load(self, insn: LoadPacket, after: int) -> Step:
        """R0 from the packet, in network order; outside of it the function ends with 0."""
        size, offset, src = insn.size.value.bytes, insn.offset, insn.src
        indirect, leave, packet = insn.mode is Mode.IND, self._exit, self.machine.packet
        find = packet_load.address if packet.is_skb else self._plain_address

        def load(regs: Registers) -> int:
            at = semantics.to_signed(regs[src] + offset, 32) if indirect else offset
            found = find(packet.context, at, size)
            if found is None:
                regs[0] = 0
                return leave(regs)
            regs[0] = int.from_bytes(packet.bytes_at(found, size), "big")
            regs[1:6] = _ZEROS
            return after

        return load

    def _plain_address(self, context: Any, offset: int, size: int) -> int | None:
        """In a block of memory that is no skb."""
        if offset < 0 or context.data + offset + size > context.data_end:
            return None
        return int(context.data + offset)

    def _helper(self, target: int, pc: int) -> Step:
        if target == abi.TAIL_CALL and self._tail_call is not None:
            return self._tail(self._tail_call, pc + 1)
        function, after = self._helpers.get(target), pc + 1
        if function is None:
            row = HELPERS.get(target)
            raise NotSupportedError(f"helper {row.name if row else target} at insn {pc}")
        implementation = function
        machine, sync = self.machine, self._sync_packet

        def helper(regs: Registers) -> int:
            regs[0] = implementation(machine, regs[1], regs[2], regs[3], regs[4], regs[5]) & U64
            regs[1:6] = _ZEROS
            sync()
            return after

        return helper

    def _tail(self, callee: TailCall, after: int) -> Step:
        def tail(regs: Registers) -> int:
            following = callee(regs[2], regs[3] & U32)
            if following is None:
                regs[0:6] = (0, *_ZEROS)
                return after
            regs[0] = following.run()
            self._sync_packet()
            return self._exit(regs)

        return tail

    def _subprogram(self, target: int, pc: int) -> Step:
        after = pc + 1

        def call(regs: Registers) -> int:
            self._calls.append((after, regs[6], regs[7], regs[8], regs[9], self._loops))
            self._push_frame(regs, pc)
            regs[0] = regs[6] = regs[7] = regs[8] = regs[9] = 0
            return target

        return call

    def _exit(self, regs: Registers) -> int:
        if not self._calls:
            return EXIT
        after, regs[6], regs[7], regs[8], regs[9], self._loops = self._calls.pop()
        regs[1:6] = _ZEROS
        self._stack_region.start = regs[10]
        regs[10] += MAX_STACK_BYTES
        return after


_ZEROS: Final = (0,) * 5


def _extend(value: int, size: int) -> int:
    return semantics.to_signed(value, size * 8) & U64
