"""What this kernel takes of programs that the verifier accepted: the rest is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    KsymRef,
    Load,
    LoadImm64,
    MayGoto,
    PseudoImm64,
    Reg,
    Store,
    SubprogRef,
)
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AluOp
from beebox.tables.program_types import AttachType
from beebox.userspace.native_helpers import IN_MAP_CODE, native_helpers
from beebox.userspace.unmodelled import REASONS
from beebox.verifier.accesses import special
from beebox.verifier.result import RegKind, VerifiedProgram
from beebox.vm.contexts import layout_of

PROGRAM_TYPES: Final = HOOKED
UNKNOWN_ATTACH_TYPES: Final = frozenset({AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP})
MAP_TYPES: Final = frozenset(
    {
        MapType.HASH,
        MapType.ARRAY,
        MapType.PROG_ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.DEVMAP,
        MapType.DEVMAP_HASH,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.QUEUE,
        MapType.STACK,
        MapType.BLOOM_FILTER,
    }
)

POINTERS: Final = frozenset(
    {
        RegKind.SCALAR,
        RegKind.CTX,
        RegKind.PACKET,
        RegKind.PACKET_META,
        RegKind.PACKET_END,
        RegKind.MAP,
        RegKind.MAP_VALUE,
        RegKind.STACK,
        RegKind.MEM,  # an argument of a global function: the rest comes of helpers refused above
        RegKind.FLOW_KEYS,
        RegKind.SOCK_COMMON,
        RegKind.SOCKET,
        RegKind.TCP_SOCK,
        RegKind.XDP_SOCK,
        RegKind.MIXED,
    }
)
"""What registers may hold."""

LWT_PUSH_ENCAP: Final = HELPER_BY_NAME["lwt_push_encap"].id
BPF_LWT_ENCAP_IP: Final = 2

_NO_ROUTE: Final = "segment routing works on a packet's route, and packets here have none"


def admit(program: VerifiedProgram) -> None:
    """Refuse what this kernel does not model. Raises :exc:`NotSupportedError`."""
    spec = program.spec
    if spec.type not in PROGRAM_TYPES:
        raise NotSupportedError(f"{spec.name}: {spec.type.value.name} programs in userspace")
    if spec.attach_type is not None and spec.attach_type in UNKNOWN_ATTACH_TYPES:
        raise NotSupportedError(f"{spec.attach_type.name.lower()} programs in userspace")
    known = IN_MAP_CODE | native_helpers(layout_of(spec.type.value.context))
    for helper in sorted(program.helpers - known):
        row = HELPERS.get(helper)
        name = row.name if row else str(helper)
        told = f"{spec.name}: helper {name} in userspace"
        raise NotSupportedError(told, hint=REASONS.get(name))
    _admit_addresses(program)
    _admit_pointers(program)
    _admit_encapsulations(program)
    for name in sorted(program.maps):
        row_of_map = spec.maps[name]
        inner = [row_of_map.inner] if row_of_map.inner is not None else []
        for each in (row_of_map, *inner):
            if each.type not in MAP_TYPES:
                raise NotSupportedError(f"map {name}: {each.type.value.name} in userspace")
            field = special.kernel_field(each, spec.btf)
            if field is not None:
                raise NotSupportedError(f"map {name}: values with a {field} in userspace")


def _admit_addresses(program: VerifiedProgram) -> None:
    """Refuse addresses that only the Linux kernel makes: of functions, of its own objects."""
    for pc, insn in enumerate(program.spec.slots):
        match insn:
            case LoadImm64(value=PseudoImm64() | SubprogRef()):
                what = "the address of a function"
            case LoadImm64(value=KsymRef(name)):
                what = f"the kernel symbol {name}"
            case Call(kind=CallKind.KFUNC):
                what = f"a call of the kernel function {insn.target}"
            case AddrSpaceCast():
                what = "an address-space cast"
            case _:
                continue
        raise NotSupportedError(f"{what}, at insn {pc}, in userspace")


def _admit_pointers(program: VerifiedProgram) -> None:
    """Refuse pointers to what this kernel does not have."""
    for pc, row in enumerate(program.regs):
        for number, fact in enumerate(row or ()):
            if fact is not None and fact.kind not in POINTERS:
                kind = fact.kind.name.lower()
                raise NotSupportedError(f"R{number} at insn {pc} is a {kind}, in userspace")


def _admit_encapsulations(program: VerifiedProgram) -> None:
    """Refuse segment routing: the kind of header, in R2, must be known to be an IP header."""
    slots = program.spec.slots
    targets = {
        pc + 1 + insn.offset
        for pc, insn in enumerate(slots)
        if isinstance(insn, Jump | JumpIf | MayGoto)
    }
    for pc, insn in enumerate(slots):
        if not isinstance(insn, Call) or insn.kind is not CallKind.HELPER:
            continue
        if insn.target != LWT_PUSH_ENCAP or program.regs[pc] is None:
            continue
        if _constant_before(slots, pc, Reg.R2, targets) != BPF_LWT_ENCAP_IP:
            what = f"helper lwt_push_encap for segment routing, at insn {pc}, in userspace"
            raise NotSupportedError(what, hint=_NO_ROUTE)


def _constant_before(
    slots: Sequence[Instruction | None], pc: int, reg: Reg, targets: set[int]
) -> int | None:
    """The number that the straight way to ``pc`` leaves in ``reg``, if it is seen there."""
    while pc not in targets and pc > 0:
        pc -= 1
        insn = slots[pc]
        match insn:
            case Alu(op=AluOp.MOV, dst=dst, src=int(value)) if dst == reg:
                return value
            case Alu(dst=dst) | LoadImm64(dst=dst) | Load(dst=dst) if dst != reg:
                pass
            case None | Store():
                pass
            case _:
                return None
    return None
