"""What a row of the helper table says, and short spellings of the arguments that recur.

Argument and result kinds are the kernel's ``ARG_*`` and ``RET_*`` without the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from beebox.tables.map_types import MapType
from beebox.tables.program_types import AttachType, ProgramType


class ArgKind(Enum):
    """What a helper demands of one of R1-R5: the kernel's ``ARG_*``, without PTR_TO."""

    ANYTHING = auto()
    CONST_MAP_PTR = auto()
    MAP_KEY = auto()  # points to key_size readable bytes
    MAP_VALUE = auto()  # points to value_size bytes
    MEM = auto()  # points to ``fixed_size`` bytes, or as many as the CONST_SIZE that follows says
    CONST_SIZE = auto()  # bytes of the MEM before it, at least 1
    CONST_SIZE_OR_ZERO = auto()
    CONST_ALLOC_SIZE_OR_ZERO = auto()  # a constant: the size of the memory that is returned
    CTX = auto()
    STACK = auto()  # a pointer into the stack
    CONST_STR = auto()  # a NUL-terminated string in a read-only map
    FUNC = auto()  # a callback: a static subprogram
    SOCK_COMMON = auto()
    SOCKET = auto()
    BTF_ID_SOCK_COMMON = auto()  # SOCK_COMMON, or a BTF pointer to such a struct
    BTF_ID = auto()
    PERCPU_BTF_ID = auto()
    SPIN_LOCK = auto()
    TIMER = auto()
    RINGBUF_MEM = auto()
    DYNPTR = auto()
    KPTR_XCHG_DEST = auto()


class RetKind(Enum):
    """What a helper leaves in R0: the kernel's ``RET_*``, without PTR_TO."""

    INTEGER = auto()
    VOID = auto()
    MAP_VALUE = auto()
    MAP_VALUE_OR_NULL = auto()
    SOCKET_OR_NULL = auto()
    TCP_SOCK_OR_NULL = auto()
    SOCK_COMMON_OR_NULL = auto()
    MEM_OR_NULL = auto()  # dynptr_data
    RINGBUF_MEM_OR_NULL = auto()
    MEM_OR_BTF_ID = auto()
    MEM_OR_BTF_ID_OR_NULL = auto()
    BTF_ID = auto()
    BTF_ID_OR_NULL = auto()
    BTF_ID_TRUSTED = auto()


@dataclass(frozen=True, slots=True)
class Arg:
    name: str
    kind: ArgKind
    nullable: bool = False
    writes: bool = False  # the helper writes through the pointer (MEM_WRITE)
    uninit: bool = False  # the memory need not be initialised before (MEM_UNINIT)
    signed: bool = False  # how the uapi prototype declares an integer argument
    bits: int = 64
    fixed_size: int = 0  # bytes of a MEM without a size argument (MEM_FIXED_SIZE)
    aligned: bool = False  # the fixed-size memory must be aligned to its size (MEM_ALIGNED)
    releases: bool = False  # the reference in this argument is gone after the call (OBJ_RELEASE)
    type_name: str = ""  # the BTF struct that a BTF_ID points to; "ringbuf", "local" of a DYNPTR


@dataclass(frozen=True, slots=True)
class Prototype:
    """How programs of some types call a helper, where that differs from the helper's own row."""

    program_types: frozenset[ProgramType]
    ret: RetKind
    args: tuple[Arg, ...]
    gpl_only: bool = False
    packet_access: bool = False


_MAP_TYPES: Final = {
    name: frozenset(row for row in MapType if name in row.value.helpers)
    for name in {name for row in MapType for name in row.value.helpers}
}


@dataclass(frozen=True, slots=True)
class Helper:
    id: int
    name: str  # without the ``bpf_`` prefix, as libbpf's feature words
    ret: RetKind
    args: tuple[Arg, ...] = ()
    program_types: frozenset[ProgramType] = frozenset()  # fail closed: none
    since: str = "3.19"
    gpl_only: bool = False
    packet_access: bool = False  # pointer arguments may point into the packet
    changes_packet: bool = False  # packet pointers made before the call are void after it
    variadic: bool = False  # trace_printk: arguments past the named ones are ANYTHING
    ret_bits: int = 64
    ret_signed: bool = True
    sleepable: bool = False  # may sleep: only sleepable programs may call it
    acquires: bool = False  # the result is a reference that must be released
    ret_type_name: str = ""  # the BTF struct that a BTF_ID result points to
    casts: bool = False  # the result is the argument as another type, alive as long as it is
    leaves: bool = (
        False  # may return from its function; packet pointers of the caller are void then
    )
    fastcall: bool = False  # leaves R1-R5 as they were when it takes no arguments: inlined
    attach_types: frozenset[AttachType] = frozenset()  # see allowed()
    restriction: str = ""  # what else Linux demands of the caller, in words
    variants: tuple[Prototype, ...] = ()

    @property
    def map_types(self) -> frozenset[MapType]:
        """The types of the maps that it takes: those whose rows name it.

        Empty for helpers without a map, and for timer_init: any map with a timer in its values.
        """
        return _MAP_TYPES.get(self.name, frozenset())

    def allowed(self, program_type: ProgramType, attach_type: AttachType | None = None) -> bool:
        """Whether programs of this type, loaded for this attach type, may call the helper.

        ``attach_types`` only narrows the program types that have one of them; of those, it allows
        no others.
        """
        if program_type not in self.program_types:
            return False
        own = self.attach_types.intersection(program_type.value.attach_types)
        return not own or attach_type in own

    def called_by(self, program_type: ProgramType) -> Helper:
        """The row as programs of ``program_type`` see it: with the prototype that they get."""
        for variant in self.variants:
            if program_type in variant.program_types:
                return replace(
                    self,
                    ret=variant.ret,
                    args=variant.args,
                    gpl_only=variant.gpl_only,
                    packet_access=variant.packet_access,
                )
        return self


CTX: Final = Arg("ctx", ArgKind.CTX)
MAP: Final = Arg("map", ArgKind.CONST_MAP_PTR)
KEY: Final = Arg("key", ArgKind.MAP_KEY)


def u16(name: str) -> Arg:
    """A number, as the next four."""
    return Arg(name, ArgKind.ANYTHING, bits=16)


def u32(name: str) -> Arg:  # noqa: D103 -- as u16
    return Arg(name, ArgKind.ANYTHING, bits=32)


def i32(name: str) -> Arg:  # noqa: D103 -- as u16
    return Arg(name, ArgKind.ANYTHING, bits=32, signed=True)


def u64(name: str) -> Arg:  # noqa: D103 -- as u16
    return Arg(name, ArgKind.ANYTHING)


def i64(name: str) -> Arg:  # noqa: D103 -- as u16
    return Arg(name, ArgKind.ANYTHING, signed=True)


def pointer(name: str) -> Arg:
    """An address that the verifier does not check: of user space, or of a foreign struct."""
    return Arg(name, ArgKind.ANYTHING)


def size(name: str, *, bits: int = 32, signed: bool = False) -> Arg:
    """Bytes of the memory before it, at least 1."""
    return Arg(name, ArgKind.CONST_SIZE, bits=bits, signed=signed)


def size_or_0(name: str, *, bits: int = 32, signed: bool = False) -> Arg:
    """Bytes of the memory before it, which may be none."""
    return Arg(name, ArgKind.CONST_SIZE_OR_ZERO, bits=bits, signed=signed)


def reads(name: str, fixed_size: int = 0, *, nullable: bool = False, aligned: bool = False) -> Arg:
    """Memory that the helper only reads."""
    return Arg(name, ArgKind.MEM, nullable, fixed_size=fixed_size, aligned=aligned)


def fills(name: str, fixed_size: int = 0, *, nullable: bool = False, aligned: bool = False) -> Arg:
    """Memory that the helper writes without reading it."""
    return Arg(
        name,
        ArgKind.MEM,
        nullable,
        writes=True,
        uninit=True,
        fixed_size=fixed_size,
        aligned=aligned,
    )


def edits(name: str, fixed_size: int = 0, *, nullable: bool = False, aligned: bool = False) -> Arg:
    """Memory that the helper reads and writes."""
    return Arg(name, ArgKind.MEM, nullable, writes=True, fixed_size=fixed_size, aligned=aligned)


def btf(name: str, type_name: str, *, nullable: bool = False, releases: bool = False) -> Arg:
    """A pointer to a kernel struct; ``type_name`` empty: any."""
    return Arg(name, ArgKind.BTF_ID, nullable, releases=releases, type_name=type_name)
