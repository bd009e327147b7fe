"""Helper functions: one row each; compiler, verifier, both kernels and the docs read it.

Argument and result kinds are the kernel's ``ARG_*`` and ``RET_*`` without the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType


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
    map_types: frozenset[MapType] = frozenset()  # non-empty: only maps of these types
    acquires: bool = False  # the result is a reference that must be released
    ret_type_name: str = ""  # the BTF struct that a BTF_ID result points to
    variants: tuple[Prototype, ...] = ()

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


_XDP: Final = frozenset({ProgramType.XDP})
_MAP: Final = Arg("map", ArgKind.CONST_MAP_PTR)
_KEY: Final = Arg("key", ArgKind.MAP_KEY)
_FLAGS: Final = Arg("flags", ArgKind.ANYTHING)
_CTX: Final = Arg("ctx", ArgKind.CTX)
_DELTA: Final = Arg("delta", ArgKind.ANYTHING, signed=True, bits=32)

_ROWS: Final = (
    Helper(1, "map_lookup_elem", RetKind.MAP_VALUE_OR_NULL, (_MAP, _KEY), _XDP, packet_access=True),
    Helper(
        2,
        "map_update_elem",
        RetKind.INTEGER,
        (_MAP, _KEY, Arg("value", ArgKind.MAP_VALUE), _FLAGS),
        _XDP,
        packet_access=True,
    ),
    Helper(3, "map_delete_elem", RetKind.INTEGER, (_MAP, _KEY), _XDP, packet_access=True),
    Helper(5, "ktime_get_ns", RetKind.INTEGER, (), _XDP, since="4.1", ret_signed=False),
    Helper(
        6,
        "trace_printk",
        RetKind.INTEGER,
        (Arg("fmt", ArgKind.MEM), Arg("fmt_size", ArgKind.CONST_SIZE, bits=32)),
        _XDP,
        since="4.1",
        gpl_only=True,
        variadic=True,
    ),
    Helper(
        7, "get_prandom_u32", RetKind.INTEGER, (), _XDP, since="4.1", ret_bits=32, ret_signed=False
    ),
    Helper(
        8,
        "get_smp_processor_id",
        RetKind.INTEGER,
        (),
        _XDP,
        since="4.1",
        ret_bits=32,
        ret_signed=False,
    ),
    Helper(
        28,
        "csum_diff",
        RetKind.INTEGER,
        (
            Arg("from_", ArgKind.MEM, nullable=True),
            Arg("from_size", ArgKind.CONST_SIZE_OR_ZERO, bits=32),
            Arg("to", ArgKind.MEM, nullable=True),
            Arg("to_size", ArgKind.CONST_SIZE_OR_ZERO, bits=32),
            Arg("seed", ArgKind.ANYTHING, bits=32),
        ),
        _XDP,
        since="4.6",
        packet_access=True,
    ),
    Helper(
        44,
        "xdp_adjust_head",
        RetKind.INTEGER,
        (_CTX, _DELTA),
        _XDP,
        since="4.10",
        changes_packet=True,
    ),
    Helper(
        54,
        "xdp_adjust_meta",
        RetKind.INTEGER,
        (_CTX, _DELTA),
        _XDP,
        since="4.15",
        changes_packet=True,
    ),
    Helper(
        65,
        "xdp_adjust_tail",
        RetKind.INTEGER,
        (_CTX, _DELTA),
        _XDP,
        since="4.18",
        changes_packet=True,
    ),
)

HELPERS: Final = {row.id: row for row in _ROWS}
HELPER_BY_NAME: Final = {row.name: row for row in _ROWS}
