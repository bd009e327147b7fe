"""One program, unverified, over chosen inputs: in the interpreter, which checks every access.

Who searches sees what a run did: its comparisons with their numbers, the places that it read, how
near the refused access came to the end of its memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.diagnose.inputs import CONTEXT, MEMORY, PACKET, Inputs, Place
from beebox.diagnose.modelled import Modelled, Run, Unmodelled
from beebox.errors import ExecutionError, NotSupportedError
from beebox.isa.instruction import (
    Call,
    CallKind,
    Exit,
    GlobalRef,
    JumpIf,
    KsymRef,
    Load,
    LoadImm64,
    MapRef,
    PseudoImm64,
)
from beebox.isa.instruction import Reg as RegNumber
from beebox.isa.semantics import compare, to_signed
from beebox.obj.model import ProgramSpec
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPERS
from beebox.tables.map_types import MapFlags
from beebox.verifier.result import Evidence, RegKind
from beebox.vm.contexts import XDP_LAYOUT, Layout, layout_of
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.memory import Packet, Region, Runtime
from beebox.vm.steps import Registers

WHOLE_CONTEXT: Final = "the context"
_LEAST_POINTER: Final = 4
_FUEL: Final = 20_000
_FAR: Final = 1 << 16  # bytes behind a value that are still told from its end
_CAPACITY: Final = 2048
_PSEUDO_FUNC: Final = 4  # BPF_PSEUDO_FUNC
_U64: Final = (1 << 64) - 1
_POINTERS_OF_CONTEXT: Final = (FieldKind.PACKET, FieldKind.PACKET_END, FieldKind.PACKET_META)


def _start(region: Region) -> int:
    return region.start


class World:
    """One program, run over inputs.

    ``target`` is the refused instruction, ``about`` the value at fault there, ``results`` the range
    of legal results where the finding is about that.

    Raises :exc:`Unmodelled` where the program cannot be run here at all.
    """

    def __init__(
        self,
        spec: ProgramSpec,
        target: int,
        *,
        about: Evidence | None = None,
        results: tuple[int, int] | None = None,
    ) -> None:
        self.spec = spec
        self.about = about
        self.results = results
        self._target = target
        context = spec.type.value.context
        if context is None:
            raise Unmodelled(f"what {spec.type.value.name} programs are given")
        self.layout: Layout | None = None
        self.context_bytes = context.size
        self.fields: dict[str, tuple[int, int]] = {}
        pointers = [each for each in context.fields if each.kind is not FieldKind.SCALAR]
        try:
            self.layout = layout_of(context)
            self.fields = {
                each.name: self.layout.fields[each.name]
                for each in context.fields
                if each.kind is FieldKind.SCALAR
                and each.name not in ("len", "wire_len")
                and each.name in self.layout.fields
            }
            pointers = [each for each in pointers if each.kind not in _POINTERS_OF_CONTEXT]
        except NotSupportedError:
            pass  # as plain memory, if it holds no pointers
        for each in pointers:
            self._refuse_field(each.name, each.offset)
        self._refuse_calls()

    def run(self, inputs: Inputs) -> Run:
        """One run from the start."""
        return _Execution(self, inputs, self._target).run()

    def _refuse_field(self, name: str, offset: int) -> None:
        for insn in self.spec.insns:
            wide = isinstance(insn, Load) and insn.size.value.bytes >= _LEAST_POINTER
            if wide and isinstance(insn, Load) and insn.offset == offset:
                raise Unmodelled(f"what the context's {name} points to")

    def _refuse_calls(self) -> None:
        for insn in self.spec.insns:
            if isinstance(insn, Call) and insn.kind is CallKind.KFUNC:
                raise Unmodelled("kernel functions")
            if isinstance(insn, LoadImm64) and not isinstance(insn.value, int | MapRef):
                if isinstance(insn.value, KsymRef):
                    raise Unmodelled("variables of the kernel")
                if not isinstance(insn.value, GlobalRef | PseudoImm64) or (
                    isinstance(insn.value, PseudoImm64) and insn.value.pseudo == _PSEUDO_FUNC
                ):
                    raise Unmodelled("functions that are called back")


class _Execution:
    """One run: its memory lives as long as this object."""

    def __init__(self, world: World, inputs: Inputs, target: int) -> None:
        self.spec = world.spec
        self.inputs = inputs
        self._target = target
        self._results = world.results
        self._about = world.about
        self._fields = world.fields
        self.packet = Packet(_CAPACITY, layout=world.layout or XDP_LAYOUT)
        names = sorted(self.spec.maps)
        handles = {name: 0x1000 + 16 * at for at, name in enumerate(names)}
        maps = {handle: self.spec.maps[name] for name, handle in handles.items()}
        self.kernel = Modelled(self.spec, inputs, self.packet, maps)
        self.result = self.kernel.result
        self._arguments: tuple[int, ...] = ()
        if world.layout is not None:
            self._load_packet(world.layout)
        else:
            data = inputs.bytes_of(WHOLE_CONTEXT, world.context_bytes)
            self._arguments = (self.kernel.region(WHOLE_CONTEXT, data).start,)
        machine = Machine(
            self.kernel.memory, self.packet, Runtime(), handles=handles,
            globals={name: self._global(name) for name in names if self._is_data(name)},
        )  # fmt: skip
        slots = self.spec.slots
        watch: dict[int, Callable[[int, Registers], None]] = {}
        for pc, insn in enumerate(slots):
            match insn:
                case JumpIf():
                    watch[pc] = self._jump
                case Load():
                    watch[pc] = self._load
                case Call():
                    watch[pc] = self._call
                case Exit():
                    watch[pc] = self._exit
                case _:
                    pass
        jump = watch.get(target)
        watch[target] = self._arrive if jump is None else self._both(jump)
        helpers = {
            insn.target: self.kernel.helper(HELPERS.get(insn.target))
            for insn in self.spec.insns
            if isinstance(insn, Call)
            and insn.kind is CallKind.HELPER
            and isinstance(insn.target, int)
        }
        try:
            self.kernel.interpreter = Interpreter(self.spec, machine, helpers, watch=watch)
        except NotSupportedError as missing:
            raise Unmodelled(f"{missing.feature}") from None

    def run(self) -> Run:
        """From the start to an end, a fault, or the end of its fuel."""
        result = self.result
        result.ends = (self.packet.context.data_end,)
        try:
            self.kernel.interpreter.run(*self._arguments, fuel=_FUEL)
        except ExecutionError as fault:
            pc = fault.pc if fault.pc is not None else self.kernel.pc
            result.fault = (pc, fault.access or str(fault))
        except NotSupportedError as missing:
            raise Unmodelled(missing.feature) from None
        return result

    # ---- who watches

    def _both(self, first: Callable[[int, Registers], None]) -> Callable[[int, Registers], None]:
        def watch(pc: int, regs: Registers) -> None:
            self._arrive(pc, regs)
            first(pc, regs)

        return watch

    def _arrive(self, pc: int, regs: Registers) -> None:
        self.result.reached = True
        insn = self.spec.slots[pc]
        if isinstance(insn, Load):
            base, size = regs[insn.src] + insn.offset, insn.size.value.bytes
        elif insn is not None and hasattr(insn, "dst") and hasattr(insn, "offset"):
            width = getattr(insn, "size", None)
            base = regs[insn.dst] + insn.offset
            size = width.value.bytes if width is not None else 8
        else:
            return
        end = self._end(base)
        if end is not None:
            self.result.slack = end - (base + size)

    def _end(self, address: int) -> int | None:
        """Where the memory ends that the pointer at fault is for."""
        about = self._about
        if about is None:
            return None
        if about.kind is RegKind.PACKET:
            return int(self.packet.context.data_end)
        if about.kind is not RegKind.MAP_VALUE:
            return None
        own = [
            region
            for name, region in self.kernel.regions
            if name.startswith(f"map {about.map},") or name == f"the data of {about.map}"
        ]
        near = max((each for each in own if each.start <= address), key=_start, default=None)
        return near.end if near is not None and address - near.start < _FAR else None

    def _jump(self, pc: int, regs: Registers) -> None:
        insn = self.spec.slots[pc]
        if isinstance(insn, JumpIf) and len(self.result.jumps) < _FUEL:
            bits = 64 if insn.wide else 32
            mask = (1 << bits) - 1
            right = regs[insn.src] if isinstance(insn.src, RegNumber) else insn.src
            left, right = regs[insn.dst] & mask, right & mask
            taken = compare(insn.op, left, right, bits)
            self.result.jumps.append((pc, left, right, taken))

    def _load(self, pc: int, regs: Registers) -> None:
        insn = self.spec.slots[pc]
        if isinstance(insn, Load):
            place = self._place((regs[insn.src] + insn.offset) & _U64, insn.size.value.bytes)
            if place is not None:
                self.result.loads.append(place)

    def _place(self, address: int, size: int) -> Place | None:
        packet = self.packet
        if packet.start <= address < packet.start + len(self.inputs.packet):
            return Place(PACKET, offset=address - packet.start, size=size)
        at = address - packet.context_address
        for name, (offset, width) in self._fields.items():
            if offset <= at < offset + width:
                return Place(CONTEXT, name, size=width)
        for name, region in self.kernel.regions:
            if region.start <= address < region.end:
                return Place(MEMORY, name, address - region.start, size)
        return None

    def _call(self, pc: int, _regs: Registers) -> None:
        self.kernel.pc = pc

    def _exit(self, pc: int, regs: Registers) -> None:
        self.kernel.pc = pc
        if self._results is None or pc != self._target:
            return
        number = to_signed(regs[0], 64)
        if not self._results[0] <= number <= self._results[1]:
            low, high = self._results
            access = f"the program returns {number}, of {low}..={high}"
            raise ExecutionError("an illegal result", pc=pc, access=access)

    # ---- memory

    def _load_packet(self, layout: Layout) -> None:
        self.packet.load(self.inputs.packet)
        context = self.packet.context_bytes
        for name, number in self.inputs.context.items():
            at, size = self._fields[name]
            context[at : at + size] = number.to_bytes(size, "little")
        length = layout.fields.get("len")
        if length is not None:
            at, size = length
            context[at : at + size] = len(self.inputs.packet).to_bytes(size, "little")

    def _is_data(self, name: str) -> bool:
        return self.spec.maps[name].is_global_data

    def _global(self, name: str) -> int:
        spec = self.spec.maps[name]
        contents = (spec.contents or b"").ljust(spec.value_size, b"\0")
        fixed = spec.frozen or bool(spec.flags & MapFlags.RDONLY_PROG)
        where = f"the data of {name}"
        if not fixed and where in self.inputs.memory:
            contents = self.inputs.bytes_of(where, spec.value_size)
        region = self.kernel.region(where, contents, writable=not fixed)
        self.kernel.elements[name, bytes(4)] = region
        return region.start
