"""ALU instructions: numbers go to ``transfer``, pointers move inside what they point to."""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Alu, Swap
from beebox.isa.instruction import Reg as RegNumber
from beebox.tables.limits import MAX_VAR_OFFSET
from beebox.tables.opcodes import AluOp
from beebox.verifier.fields import access
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers import transfer
from beebox.verifier.numbers.scalar import (
    ANY,
    S32_MAX,
    S32_MIN,
    S64_MIN,
    U32,
    Scalar,
    const,
    make,
    of_size,
)
from beebox.verifier.path import Path
from beebox.verifier.profiles import leaks, speculation
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import State
from beebox.verifier.states.value import MAP_VALUE, PACKET, SCALAR, STACK, PtrFlag, Reg

_MOV: Final = AluOp.MOV
_ADD: Final = AluOp.ADD
_SIGN_EXTENDING: Final = frozenset({AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32})
_EXTENDED_BITS: Final = {op: op.value.sign_extends for op in _SIGN_EXTENDING}
_MASKS: Final = frozenset({AluOp.AND, AluOp.OR})
_SUMS: Final = frozenset({AluOp.ADD, AluOp.SUB})
_DIVISIONS: Final = frozenset({AluOp.DIV, AluOp.SDIV, AluOp.MOD, AluOp.SMOD})
_SHIFTS: Final = frozenset({AluOp.LSH, AluOp.RSH, AluOp.ARSH})
_NEVER_MOVED: Final = frozenset(
    {
        RegKind.PACKET_END,
        RegKind.SOCK_COMMON,
        RegKind.SOCKET,
        RegKind.TCP_SOCK,
        RegKind.XDP_SOCK,
        RegKind.ARENA,
    }
)
_PICKY: Final = _SHIFTS | _DIVISIONS


def execute(path: Path, insn: Alu) -> State | None:
    """``dst = dst op src``. A state that is returned is to be explored, too."""
    op, dst = insn.op, insn.dst
    if dst == 10:
        path.write(dst, None)  # refuses
    if op in _PICKY:
        _check_immediate(path, insn)
    right = path.operand(insn.src)
    if op is _MOV or op in _SIGN_EXTENDING:
        path.write(dst, _move(path, insn, right))
        return None
    left = path.read(dst)
    other = None
    if left.kind is SCALAR and right.kind is SCALAR:
        if op in _MASKS and right.scalar.is_const:
            left, other = _forked(path, insn, left)
        elif path.speculation is not None:
            path.speculation.number(path.pc, insn)
        result = transfer.alu(op, left.scalar, right.scalar, wide=insn.wide)
        source = right if right.serial else None
        if right.scalar.is_const and op in _SUMS and _may_link(path, insn, left, right):
            amount = right.scalar.smin if insn.wide else right.scalar.s32_min
            distance = amount if op is _ADD else -amount
            width = 0 if insn.wide else 32
            path.write(
                dst,
                path.linked(result, left, source, root=left.root, off=distance, range_=width),
            )
        else:
            path.write(dst, path.number(result, left, source))
    elif op is AluOp.NEG:
        leaks.check(path, left, dst, "a number", kernel=f"R{dst} pointer arithmetic prohibited")
        path.write(dst, path.unknown())
    else:
        path.write(dst, _pointer_arithmetic(path, insn, left, right))
    return other


def _forked(path: Path, insn: Alu, value: Reg) -> tuple[Reg, State | None]:
    """A sign that is masked, -1 or 0: as in Linux, each is a path of its own."""
    scalar = value.scalar
    if scalar.smin == -1 and scalar.smax == 0:
        ones, zeros = const(-1), const(0)
    elif scalar.s32_min == -1 and scalar.s32_max == 0:
        high, mask = scalar.value & ~U32, scalar.mask & ~U32
        ranges = (scalar.umin, scalar.umax, scalar.smin, scalar.smax)
        ones, zeros = make(high | U32, mask, *ranges), make(high, mask, *ranges)
    else:
        return value, None
    other = path.state.copy(path.pc)
    other.frames[-1].regs[insn.dst] = path.number(zeros, value)
    return path.number(ones, value), other


def _may_link(path: Path, insn: Alu, left: Reg, right: Reg) -> bool:
    """Whether the sum of ``left`` and a constant stays linked with what ``left`` was copied to.

    As in Linux: one constant is added, and one of 32 bits only to what has no more.
    """
    if left.scalar.is_const or (left.id and left.off):
        return False
    if not left.id and left.serial not in path.shared:
        return False
    if insn.wide:
        return S32_MIN < right.scalar.smin <= S32_MAX
    return left.scalar.umax <= U32 and right.scalar.s32_min != S32_MIN


def swap(path: Path, insn: Swap) -> None:
    """A byte swap."""
    old = path.read(insn.dst)
    if old.kind is SCALAR:
        path.write(insn.dst, path.number(transfer.swap(old.scalar, insn.to, insn.bits), old))
    else:
        kernel = f"R{insn.dst} pointer arithmetic prohibited"
        leaks.check(path, old, insn.dst, "a number", kernel=kernel)
        path.write(insn.dst, path.unknown())


def _check_immediate(path: Path, insn: Alu) -> None:
    """Constants for which the operation has no meaning."""
    amount, bits = insn.src, 64 if insn.wide else 32
    if isinstance(amount, RegNumber):
        return
    if insn.op in _DIVISIONS and amount == 0:
        text, kernel = "division by the constant 0", "div by zero"
    elif insn.op in _SHIFTS and not 0 <= amount < bits:
        text, kernel = f"a shift of {bits} bits by {amount}", f"invalid shift {amount}"
    else:
        return
    raise Refusal("invalid-operand", path.pc, text, kernel=kernel, reg=insn.dst)


def _move(path: Path, insn: Alu, value: Reg) -> Reg:
    if value.kind is SCALAR and value.scalar.is_const:
        # Precision is kept per value, and nothing more is learned of one: each copy is its own.
        result = transfer.alu(insn.op, value.scalar, value.scalar, wide=insn.wide)
        return path.number(result, value if value.serial else None)
    if insn.op is _MOV and insn.wide:
        return path.copied(path.unlinked(value)) if value.kind is SCALAR else value
    if value.kind is not SCALAR:
        if isinstance(insn.src, RegNumber):
            what = (
                "sign-extension part"
                if insn.op in _SIGN_EXTENDING and insn.wide
                else "partial copy"
            )
            leaks.check(
                path, value, insn.src, "a number", kernel=f"R{insn.src} {what} of pointer"
            )  # fmt: skip
        return path.number(ANY if insn.wide else of_size(4))
    bits = _EXTENDED_BITS.get(insn.op, 0)
    result = transfer.alu(insn.op, value.scalar, value.scalar, wide=insn.wide)
    if bits and insn.wide and value.scalar.umax < 1 << (bits - 1):
        # Nothing to extend: still a copy, though Linux forgets which bits are known.
        value = path.unlinked(value)
        return path.linked(result, value, None, root=value.root, off=value.off)
    return (
        path.copied(path.unlinked(value)) if result is value.scalar else path.number(result, value)
    )


def _pointer_arithmetic(path: Path, insn: Alu, left: Reg, right: Reg) -> Reg:
    op, pc = insn.op, path.pc
    if left.kind is RegKind.ARENA:
        return left  # whatever comes of it, it is an address in the arena
    both = left.kind is not SCALAR and right.kind is not SCALAR
    if op is AluOp.SUB and (both or not insn.wide) and _may_subtract(path, left, right):
        return path.unknown()  # a distance
    if both or op not in (AluOp.ADD, AluOp.SUB) or not insn.wide:
        what = "two pointers" if both else "a pointer"
        how = "32-bit arithmetic" if not insn.wide else f"{op.value.symbol!r}"
        kernel = f"R{insn.dst} pointer arithmetic with {op.value.symbol} operator prohibited"
        if both:
            kernel = f"R{insn.dst} pointer {op.value.symbol} pointer prohibited"
        elif not insn.wide:
            kernel = f"R{insn.dst} 32-bit pointer arithmetic prohibited"
        elif op in (AluOp.AND, AluOp.OR, AluOp.XOR):
            name = op.value.symbol
            kernel = f"R{insn.dst} bitwise operator {name} on pointer prohibited"
        raise _refused(pc, f"{how} on {what} has no meaning", kernel, left, right, insn.dst)
    pointer, number = (left, right) if right.kind is SCALAR else (right, left)
    if op is AluOp.SUB and pointer is right:
        kernel = f"R{insn.dst} tried to subtract pointer from scalar"
        raise _refused(pc, "a pointer cannot be subtracted", kernel, left, right, insn.dst)
    path.precise(number)
    _check_offset(path, number.scalar, pointer, number, insn.dst)
    adds_zero = op is _ADD and number.scalar.is_const and number.scalar.value == 0
    if pointer.nullable:
        raise Refusal(
            "null-pointer", pc,
            "arithmetic on a pointer that may be NULL",
            kernel=f"R{insn.dst} pointer arithmetic on {kernel_name(pointer)} prohibited, "
            "null-check it first", values=(pointer,), reg=insn.dst,
        )  # fmt: skip
    if pointer.kind is RegKind.MEM and pointer.flags & PtrFlag.UNTRUSTED:
        return pointer  # probed: its offset does not matter
    if op is AluOp.SUB and pointer.kind is STACK:
        kernel = f"R{insn.dst} subtraction from stack pointer prohibited"
        raise _refused(
            pc, "nothing may be subtracted from a stack pointer", kernel, left, right, insn.dst
        )
    if (
        pointer.kind in _NEVER_MOVED
        or (pointer.kind is RegKind.MAP and not adds_zero)
        or (pointer.kind is RegKind.FLOW_KEYS and not number.scalar.is_const)
    ):
        kernel = f"R{insn.dst} pointer arithmetic on {kernel_name(pointer)} prohibited"
        how = " by a variable" if pointer.kind is RegKind.FLOW_KEYS else ""
        text = f"{plain_name(pointer)} cannot be moved{how}"
        raise _refused(pc, text, kernel, left, right, insn.dst)
    guard, size, window = path.speculation, 0, None
    if guard is not None:
        if pointer.kind is MAP_VALUE:
            size = path.map_spec(pointer.map).value_size
        window = guard.begin(path.state, pc, insn, pointer, number, size)
    moved = _move_pointer(path, op, pointer, number)
    _check_offset(path, moved.scalar, pointer, number, insn.dst)
    if abs(moved.off) >= MAX_VAR_OFFSET:
        kernel = f"{kernel_name(pointer)} pointer offset {moved.off} is not allowed"
        raise _refused(pc, f"offset {moved.off} is out of bounds", kernel, left, right, insn.dst)
    if guard is not None:
        speculation.check_bounds(pc, insn, moved, size)
        if size and path.fields and (record := path.fields.get(moved.map)) is not None:
            access.check(path, record, moved, 0, 1, direct=False)
        if window is not None:
            guard.commit(pc, insn, moved, window, size)
    return moved


def _may_subtract(path: Path, left: Reg, right: Reg) -> bool:
    return path.allow_ptr_leaks or leaks.distances(path, left, right)


def _move_pointer(path: Path, op: AluOp, pointer: Reg, number: Reg) -> Reg:
    amount = number.scalar
    if amount.is_const:
        delta = amount.smin if op is _ADD else -amount.smin
        # Linux keeps "beyond the end" for a pointer that moves back, which is not sound.
        range_ = 0 if pointer.range < 0 and delta < 0 else pointer.range
        source = number if number.serial else None
        return path.moved(pointer, off=pointer.off + delta, range_=range_, p2=source)
    scalar = transfer.alu(op, pointer.scalar, amount, wide=True)
    packet = pointer.kind in (PACKET, RegKind.PACKET_META)
    forward = op is _ADD or amount.smin < 0  # else: what was proven still lies ahead
    return path.moved(
        pointer,
        scalar=scalar,
        id_=path.new_id() if packet else pointer.id,
        range_=0 if packet and (forward or pointer.range < 0) else pointer.range,
        p2=number,
    )


def _check_offset(path: Path, amount: Scalar, pointer: Reg, number: Reg, dst: int) -> None:
    """Linux's ``check_reg_sane_offset``: no offset may come near wrapping an address."""
    if amount.is_const and abs(amount.smin) >= MAX_VAR_OFFSET:
        text = f"an offset of {amount.smin} is out of bounds"
        kernel = f"math between {kernel_name(pointer)} pointer and {amount.smin} is not allowed"
    elif amount.smin == S64_MIN:
        text = "the offset has no lower bound"
        kernel = f"math between {kernel_name(pointer)} pointer and register with unbounded min "
        kernel += "value is not allowed"
    elif amount.smin <= -MAX_VAR_OFFSET or amount.smin >= MAX_VAR_OFFSET:
        text = f"an offset of {amount.smin} or more is out of bounds"
        kernel = f"value {amount.smin} makes {kernel_name(pointer)} pointer be out of bounds"
    else:
        return
    raise Refusal(
        "unbounded-offset", path.pc, text, kernel=kernel, values=(number, pointer), reg=dst
    )


def _refused(pc: int, text: str, kernel: str, left: Reg, right: Reg, dst: int) -> Refusal:
    return Refusal("pointer-arithmetic", pc, text, kernel=kernel, values=(left, right), reg=dst)
