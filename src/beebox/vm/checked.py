"""The checked lowering: any decoded program as native code that can harm nothing.

Nothing is proved, so everything is asked: each access looks its address up in the region table,
each back edge and each call spends fuel, calls have a depth limit. Registers are 64-bit numbers
that start as 0, R10 apart; a callee starts with R1-R5 of its caller, and R1-R5 are 0 after a call.
A fault ends the program: the state block then says where it was and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from beebox.errors import NotSupportedError
from beebox.isa.instruction import (
    AddrSpaceCast,
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
    MayGoto,
    Operand,
    Reg,
    Store,
    Swap,
)
from beebox.tables.limits import MAX_CALL_FRAMES, MAX_LOOPS, MAX_STACK_BYTES
from beebox.tables.opcodes import AluOp, AtomicOp, Mode
from beebox.vm.checked_state import ENTRY_IR, SUPPORT_IR, Fault
from beebox.vm.lowering_alu import compare, operate, sign_extend, swap
from beebox.vm.lowering_memory import atomic
from beebox.vm.structure import fetched, functions


def lower_checked(slots: Sequence[Instruction | None], *, max_loops: int = MAX_LOOPS) -> str:
    """IR of ``i64 @checked_program(ptr state, i64 r1, ..., i64 r5)`` -> R0; no open symbols.

    Raises :exc:`DecodeError` for what :mod:`beebox.vm.structure` refuses,
    :exc:`NotSupportedError` for calls of helpers, maps and address-space casts.
    """
    found = functions(slots)
    sizes = {pcs[0]: len(pcs) for pcs in found}
    parts = [
        SUPPORT_IR,
        *(_Function(slots, pcs, sizes, max_loops).text() for pcs in found),
        ENTRY_IR,
    ]
    return "\n".join(parts)


class _Function:
    def __init__(
        self,
        slots: Sequence[Instruction | None],
        pcs: range,
        sizes: Mapping[int, int],
        max_loops: int,
    ) -> None:
        self.slots = slots
        self.pcs = pcs
        self.sizes = sizes  # first pc -> slots, of every function
        self.max_loops = max_loops
        self.lines: list[str] = []
        self.back: list[tuple[int, int]] = []  # jumps back: pc, target
        self._names = 0

    # ---- text

    def line(self, text: str) -> None:
        """One instruction without a result."""
        self.lines.append("  " + text)

    def value(self, text: str) -> str:
        """One instruction; the name of its result."""
        name = self._name("t")
        self.lines.append(f"  {name} = {text}")
        return name

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"%{letter}{self._names}"

    def _block(self, name: str) -> None:
        self.lines.append(f"{name[1:]}:")

    def text(self) -> str:
        """The definition."""
        args = ", ".join(f"i64 %a{reg}" for reg in range(1, 6))
        head = (
            f"define internal i64 @checked_{self.pcs[0]}(ptr %state, i64 %fp, i64 %depth, {args})"
        )
        entry = [f"  %r{reg} = alloca i64" for reg in range(10)]
        entry += [f"  store i64 {f'%a{r}' if 1 <= r <= 5 else 0}, ptr %r{r}" for r in range(10)]
        entry += ["  %loops = alloca i64", f"  store i64 {self.max_loops}, ptr %loops"]
        for pc in self.pcs:
            insn = self.slots[pc]
            if insn is None:
                continue
            self.lines.append(f"L{pc}:")
            if self._insn(pc, insn):
                self.line(f"br label %L{pc + (2 if isinstance(insn, LoadImm64) else 1)}")
        self._back_edges()
        leave = ["leave:", "  ret i64 0"]
        start = f"  br label %L{self.pcs[0]}"
        return "\n".join([f"{head} nounwind {{", "entry:", *entry, start, *self.lines, *leave, "}"])

    # ---- registers

    def _get(self, operand: Operand, bits: int = 64) -> str:
        if not isinstance(operand, Reg):
            return str(operand & ((1 << bits) - 1) if bits < 64 else operand)
        value = "%fp" if operand is Reg.R10 else self.value(f"load i64, ptr %r{operand:d}")
        return value if bits == 64 else self.value(f"trunc i64 {value} to i{bits}")

    def _set(self, reg: Reg, value: str, bits: int = 64, *, signed: bool = False) -> None:
        if bits < 64:
            value = self.value(f"{'sext' if signed else 'zext'} i{bits} {value} to i64")
        self.line(f"store i64 {value}, ptr %r{reg:d}")

    def _scratch(self) -> None:
        """R1-R5 after a call."""
        for reg in range(1, 6):
            self.line(f"store i64 0, ptr %r{reg}")

    # ---- instructions

    def _insn(self, pc: int, insn: Instruction) -> bool:
        """Lower one instruction; whether control goes on to the next."""
        match insn:
            case Alu(op=op, dst=dst, src=src, wide=wide):
                bits = 64 if wide else 32
                value = self._get(src, bits)
                if op.value.sign_extends:
                    value = sign_extend(self, value, op.value.sign_extends, bits)
                elif op is not AluOp.MOV:
                    value = operate(self, op, self._get(dst, bits), value, bits)
                self._set(dst, value, bits)
            case Swap(dst=dst):
                self._set(dst, swap(self, self._get(dst), insn))
            case LoadImm64(dst=dst, value=int(number)):
                self._set(dst, str(number))
            case Load(dst=dst, src=src, offset=offset, size=size, signed=signed):
                bits = size.value.bytes * 8
                address = self._access(pc, src, offset, bits // 8, write=False)
                value = self.value(f"load i{bits}, ptr {address}, align 1")
                self._set(dst, value, bits, signed=signed)
            case Store(dst=dst, src=src, offset=offset, size=size):
                bits = size.value.bytes * 8
                address = self._access(pc, dst, offset, bits // 8, write=True)
                self.line(f"store i{bits} {self._get(src, bits)}, ptr {address}, align 1")
            case Atomic():
                self._atomic(pc, insn)
            case LoadPacket():
                self._packet(insn)
            case Jump(offset=offset):
                self.line(f"br label {self._edge(pc, pc + 1 + offset)}")
                return False
            case JumpIf(op=jump, dst=dst, src=src, offset=offset, wide=wide):
                bits = 64 if wide else 32
                test = compare(self, jump, self._get(dst, bits), self._get(src, bits), bits)
                taken = self._edge(pc, pc + 1 + offset)
                self.line(f"br i1 {test}, label {taken}, label %L{pc + 1}")
                return False
            case MayGoto(offset=offset):
                self._may_goto(pc, pc + 1 + offset)
                return False
            case Call(kind=CallKind.SUBPROG, target=int(distance)):
                self._call(pc, pc + 1 + distance)
            case Exit():
                self.line(f"ret i64 {self._get(Reg.R0)}")
                return False
            case Call() | LoadImm64() | AddrSpaceCast():
                raise NotSupportedError(f"{insn!r} at insn {pc} in an unverified program")
            case _:
                assert_never(insn)
        return True

    def _atomic(self, pc: int, insn: Atomic) -> None:
        size = insn.size.value.bytes
        load = insn.op is AtomicOp.LOAD_ACQUIRE
        base = insn.src if load else insn.dst
        address = self._access(pc, base, insn.offset, size, write=not load, aligned=True)
        source = "" if load else self._get(insn.src, size * 8)
        expected = self._get(Reg.R0, size * 8) if insn.op is AtomicOp.CMPXCHG else ""
        old = atomic(self, insn, address, source, expected)
        result = fetched(insn)
        if result is not None:
            self._set(result, old, size * 8)

    def _packet(self, insn: LoadPacket) -> None:
        """R0 from the packet, in network order; outside of it the function ends with 0."""
        bits = insn.size.value.bytes * 8
        index = str(insn.offset)
        if insn.mode is Mode.IND:
            low = self._get(insn.src, 32)
            index = self.value(f"add i32 {low}, {insn.offset}")
            index = self.value(f"sext i32 {index} to i64")
        packet = self.value(f"call ptr @packet_at(ptr %state, i64 {index}, i64 {bits // 8})")
        outside = self.value(f"icmp eq ptr {packet}, null")
        inside = self._name("b")
        self.line(f"br i1 {outside}, label %leave, label {inside}")
        self._block(inside)
        value = self.value(f"load i{bits}, ptr {packet}, align 1")
        if bits > 8:
            value = self.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")
        self._scratch()
        self._set(Reg.R0, value, bits)

    def _call(self, pc: int, target: int) -> None:
        room = self.value(f"icmp ult i64 %depth, {MAX_CALL_FRAMES - 1}")
        self._require(room, pc, Fault.DEPTH)
        self._spend(pc, self.sizes[target])
        fp = self.value(f"sub i64 %fp, {MAX_STACK_BYTES}")
        depth = self.value("add i64 %depth, 1")
        args = ", ".join(f"i64 {self._get(Reg(reg))}" for reg in range(1, 6))
        frame = f"ptr %state, i64 {fp}, i64 {depth}"
        result = self.value(f"call i64 @checked_{target}({frame}, {args})")
        ended = self.value("call i1 @faulted(ptr %state)")
        after = self._name("b")
        self.line(f"br i1 {ended}, label %leave, label {after}")
        self._block(after)
        self._scratch()
        self._set(Reg.R0, result)

    def _may_goto(self, pc: int, target: int) -> None:
        left = self.value("load i64, ptr %loops")
        spent = self.value(f"icmp eq i64 {left}, 0")
        on = self._name("b")
        self.line(f"br i1 {spent}, label {self._edge(pc, target)}, label {on}")
        self._block(on)
        fewer = self.value(f"sub i64 {left}, 1")
        self.line(f"store i64 {fewer}, ptr %loops")
        self.line(f"br label %L{pc + 1}")

    # ---- what is asked

    def _access(
        self, pc: int, base: Reg, offset: int, size: int, *, write: bool, aligned: bool = False
    ) -> str:
        """A pointer to ``size`` bytes at ``base`` + ``offset``, which are the program's."""
        address = self.value(f"add i64 {self._get(base)}, {offset}")
        args = f"ptr %state, i64 %fp, i64 {address}, i64 {size}, i64 {int(write)}"
        allowed = self.value(f"call i1 @allowed({args})")
        self._require(allowed, pc, Fault.WRITE if write else Fault.READ, address, size)
        if aligned:
            low = self.value(f"and i64 {address}, {size - 1}")
            self._require(self.value(f"icmp eq i64 {low}, 0"), pc, Fault.MISALIGNED, address, size)
        return self.value(f"inttoptr i64 {address} to ptr")

    def _require(self, test: str, pc: int, fault: Fault, address: str = "0", size: int = 0) -> None:
        good, bad = self._name("b"), self._name("b")
        self.line(f"br i1 {test}, label {good}, label {bad}")
        self._block(bad)
        detail = f"i64 {fault:d}, i64 {pc}, i64 {address}, i64 {size}"
        self.line(f"call void @fault(ptr %state, {detail})")
        self.line("br label %leave")
        self._block(good)

    def _spend(self, pc: int, amount: int) -> None:
        self._require(self.value(f"call i1 @spend(ptr %state, i64 {amount})"), pc, Fault.FUEL)

    def _edge(self, pc: int, target: int) -> str:
        """The label to jump to: a jump back pays for the instructions that it repeats."""
        if target > pc:
            return f"%L{target}"
        self.back.append((pc, target))
        return f"%back{pc}"

    def _back_edges(self) -> None:
        for pc, target in self.back:
            self._block(f"%back{pc}")
            self._spend(pc, pc - target + 1)
            self.line(f"br label %L{target}")
