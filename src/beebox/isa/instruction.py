"""Instructions as values: a closed union, one class per shape, every field typed.

Before linking, :class:`LoadImm64` and :class:`Call` carry symbolic operands (:class:`MapRef`,
:class:`GlobalRef`, :class:`SubprogRef`, :class:`KfuncRef`, :class:`KsymRef`); a linked program
keeps only ``MapRef`` and ``GlobalRef``, which each kernel turns into its own addresses. Relative
offsets count slots of 8 bytes: :func:`slots` maps a pc to its instruction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Mode, Size


class Reg(IntEnum):
    """A register number; R10 is the read-only frame pointer."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    R10 = 10


Operand: TypeAlias = Reg | int
"""A register, or a signed 32-bit immediate.

``Reg.R1 == 1`` holds, as the wire wants it, but an instruction with the one as its operand never
equals the same instruction with the other.
"""


def _same(a: Operand, b: Operand) -> bool:
    return a == b and isinstance(a, Reg) == isinstance(b, Reg)


@dataclass(frozen=True, slots=True)
class Alu:  # noqa: PLW1641 -- the dataclass makes __hash__
    """``dst = dst op src``, on 64 bits or, zero-extending, on 32."""

    op: AluOp
    dst: Reg
    src: Operand
    wide: bool = True

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Alu)
            and _same(self.src, other.src)
            and (self.op, self.dst, self.wide) == (other.op, other.dst, other.wide)
        )


@dataclass(frozen=True, slots=True)
class Swap:
    """Byte order: ``to`` is "le", "be" or "bswap"; ``bits`` 16, 32 or 64."""

    to: str
    bits: int
    dst: Reg


@dataclass(frozen=True, slots=True)
class AddrSpaceCast:
    """``dst = addr_space_cast(src, dst_space, src_space)``: arena pointers."""

    dst: Reg
    src: Reg
    dst_space: int
    src_space: int


@dataclass(frozen=True, slots=True)
class MapRef:
    """The map called ``name`` (its handle, not its memory)."""

    name: str


@dataclass(frozen=True, slots=True)
class GlobalRef:
    """``offset`` bytes into the only value of the global-data map ``map_name``."""

    map_name: str
    offset: int


@dataclass(frozen=True, slots=True)
class SubprogRef:
    """A function of the program, by name, before linking gives it a place."""

    name: str


@dataclass(frozen=True, slots=True)
class KsymRef:
    """A kernel variable, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class KfuncRef:
    """A kernel function, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class PseudoImm64:
    """A 64-bit immediate that the kernel reads by its pseudo source register, as bytes gave it.

    ``pseudo`` is BPF_PSEUDO_MAP_FD (1), MAP_VALUE (2), BTF_ID (3), FUNC (4), MAP_IDX (5) or
    MAP_IDX_VALUE (6); ``low`` and ``high`` are the signed immediates of the two slots.
    """

    pseudo: int
    low: int
    high: int = 0


Imm64: TypeAlias = int | MapRef | GlobalRef | SubprogRef | KsymRef | PseudoImm64
"""What a :class:`LoadImm64` loads; an ``int`` is unsigned, below 1 << 64."""


@dataclass(frozen=True, slots=True)
class LoadImm64:
    """The only 16-byte instruction."""

    dst: Reg
    value: Imm64


@dataclass(frozen=True, slots=True)
class Load:
    """``dst = *(size *)(src + offset)``."""

    dst: Reg
    src: Reg
    offset: int
    size: Size
    signed: bool = False


@dataclass(frozen=True, slots=True)
class LoadPacket:
    """Classic-BPF packet load (ABS or IND)."""

    mode: Mode
    size: Size
    src: Reg
    offset: int


@dataclass(frozen=True, slots=True)
class Store:  # noqa: PLW1641 -- the dataclass makes __hash__
    """``*(size *)(dst + offset) = src``."""

    dst: Reg
    offset: int
    src: Operand
    size: Size

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Store)
            and _same(self.src, other.src)
            and (self.dst, self.offset, self.size) == (other.dst, other.offset, other.size)
        )


@dataclass(frozen=True, slots=True)
class Atomic:
    """Read-modify-write (or acquire load, release store) of ``*(size *)(base + offset)``.

    ``dst`` and ``src`` are the wire's fields: for LOAD_ACQUIRE the base is ``src``.
    """

    op: AtomicOp
    dst: Reg
    offset: int
    src: Reg
    size: Size


@dataclass(frozen=True, slots=True)
class Jump:
    """``pc += offset``; ``long`` takes the offset from the immediate (gotol)."""

    offset: int
    long: bool = False


@dataclass(frozen=True, slots=True)
class MayGoto:
    """``may_goto``: falls through while the loop budget lasts, else ``pc += offset``."""

    offset: int


@dataclass(frozen=True, slots=True)
class JumpIf:  # noqa: PLW1641 -- the dataclass makes __hash__
    """``if dst op src: pc += offset``; ``wide`` compares 64 bits, else 32."""

    op: JmpOp
    dst: Reg
    src: Operand
    offset: int
    wide: bool = True

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, JumpIf)
            and _same(self.src, other.src)
            and (self.op, self.dst, self.offset, self.wide)
            == (other.op, other.dst, other.offset, other.wide)
        )


class CallKind(IntEnum):
    """The source register of a call."""

    HELPER = 0
    SUBPROG = 1
    KFUNC = 2


@dataclass(frozen=True, slots=True)
class Call:
    """A call.

    ``target`` is a helper's id, a subprogram's slot distance from the next instruction or a
    kfunc's BTF id; before linking also a :class:`SubprogRef` or :class:`KfuncRef`. ``offset`` is
    the fd array index of a kfunc's module.
    """

    kind: CallKind
    target: int | SubprogRef | KfuncRef
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Exit:
    """Return R0."""


Instruction: TypeAlias = (
    Alu
    | Swap
    | AddrSpaceCast
    | LoadImm64
    | Load
    | LoadPacket
    | Store
    | Atomic
    | Jump
    | MayGoto
    | JumpIf
    | Call
    | Exit
)


def slot_count(insn: Instruction) -> int:
    """How many slots of 8 bytes ``insn`` takes."""
    return 2 if isinstance(insn, LoadImm64) else 1


def slots(insns: Iterable[Instruction]) -> tuple[Instruction | None, ...]:
    """The program indexed by pc; None is the second slot of a :class:`LoadImm64`."""
    out: list[Instruction | None] = []
    for insn in insns:
        out.append(insn)
        if isinstance(insn, LoadImm64):
            out.append(None)
    return tuple(out)
