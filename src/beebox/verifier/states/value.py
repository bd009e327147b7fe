"""Abstract values: what a register or a spilled slot holds, and from which values it was computed.

A :class:`Reg` is immutable and shared between states; copying a register shares the object, so a
later refinement finds every copy by identity. ``p1``, ``p2`` and ``pc`` make the registers a value
graph: from which values, at which instruction, a value was computed. Precision marking and
explanations walk it. The invariant that both rest on: a value's ``serial`` is greater than those of
the values it was computed from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from beebox.btf.types import Btf
from beebox.verifier.numbers.scalar import Scalar
from beebox.verifier.result import RegFact, RegKind

if TYPE_CHECKING:
    from beebox.verifier.states.state import Checkpoint

SCALAR: Final = RegKind.SCALAR
STACK: Final = RegKind.STACK
CTX: Final = RegKind.CTX
PACKET: Final = RegKind.PACKET
MAP_VALUE: Final = RegKind.MAP_VALUE
"""The kinds that every instruction asks for: a name is found faster than a member."""

AT_END = -1
BEYOND_END = -2
"""Ranges of packet pointers that were compared with the packet's end and are not before it."""


class PtrFlag:
    """What else is known of a pointer: the kernel's ``bpf_type_flag`` but PTR_MAYBE_NULL.

    Bits of a plain number: they are asked for at every access, and Flag's operators are slow.
    """

    NONE: Final = 0
    RDONLY: Final = 1 << 0  # MEM_RDONLY
    RINGBUF: Final = 1 << 1  # MEM_RINGBUF
    USER: Final = 1 << 2  # MEM_USER
    PERCPU: Final = 1 << 3  # MEM_PERCPU
    UNTRUSTED: Final = 1 << 4  # PTR_UNTRUSTED
    ALLOC: Final = 1 << 5  # MEM_ALLOC: made by bpf_obj_new, of a type of the program's BTF
    TRUSTED: Final = 1 << 6  # PTR_TRUSTED
    RCU: Final = 1 << 7  # MEM_RCU
    NON_OWN_REF: Final = 1 << 8  # of a node that a list or tree owns; valid while its lock is held
    FIXED_SIZE: Final = 1 << 9  # MEM_FIXED_SIZE
    PACKET: Final = 1 << 10  # DYNPTR_TYPE_SKB, _XDP, _SKB_META: memory of a packet, which may move
    SLICE: Final = 1 << 11  # ... or any other DYNPTR_TYPE_*: what bpf_dynptr_slice gives
    WIDENED: Final = 1 << 12  # ours: a number on the stack that a loop made unknown


@dataclass(frozen=True, slots=True, eq=False)
class TypeRef:
    """A BTF type that a pointer points to. :meth:`Path.type_ref` gives one object for equal ones.

    ``btf`` is the kernel's, a module's or the program's own.
    """

    btf: Btf
    id: int
    name: str


class Reg:
    """An abstract value.

    A number may be linked with others that are a constant away from it: they share ``id``, and
    ``off`` is the distance from their common base. The base itself has no ``id``: its ``serial`` is
    what the others call it. ``range`` is 32 where the distance was added in 32 bits: then neither
    has more, and the sum wraps.

    For pointers ``scalar`` is the variable part of the offset and ``off`` the constant part.
    ``range`` counts the packet bytes proven behind the variable part, for packet pointers of one
    ``id``, or is AT_END or BEYOND_END; for MEM it is the memory's size. ``frame`` says whose stack
    is pointed to; for MEM, which dynptr (its ``id``) the memory is a slice of, 0 for none. ``ref``
    names the reference that the pointer holds or was derived from, 0 for none. ``type`` is what BTF
    pointers point to. ``marked`` is a note of :func:`mark_precise`, ``fact`` one of the join: they
    alone change.
    """

    __slots__ = (
        "fact",
        "flags",
        "frame",
        "id",
        "kind",
        "map",
        "marked",
        "nullable",
        "off",
        "p1",
        "p2",
        "pc",
        "range",
        "ref",
        "scalar",
        "serial",
        "type",
    )

    def __init__(
        self,
        kind: RegKind,
        scalar: Scalar,
        serial: int,
        pc: int,
        *,
        off: int = 0,
        range_: int = 0,
        id_: int = 0,
        ref: int = 0,
        map_: str = "",
        frame: int = 0,
        nullable: bool = False,
        flags: int = PtrFlag.NONE,
        type_: TypeRef | None = None,
        p1: Reg | None = None,
        p2: Reg | None = None,
    ) -> None:
        self.kind = kind
        self.scalar = scalar
        self.serial = serial
        self.pc = pc
        self.off = off
        self.range = range_
        self.id = id_
        self.ref = ref
        self.map = map_
        self.frame = frame
        self.nullable = nullable
        self.flags = flags
        self.type = type_
        self.p1 = p1
        self.p2 = p2
        self.marked: Checkpoint | None = None
        self.fact: RegFact | None = None

    @property
    def root(self) -> int:
        """Of a number: what it and those linked with it have in common; 0 for an immediate."""
        return self.id or self.serial

    def __repr__(self) -> str:
        if self.kind is RegKind.SCALAR:
            return repr(self.scalar)
        variable = "" if self.scalar.is_const else f" + ({self.scalar})"
        return f"{self.kind.name.lower()}{self.off:+d}{variable}"
