"""Arenas: memory that a program shares with user space. An address in it is never a danger.

Loads and stores of arena addresses cannot fault, so nothing is asked of them; what is asked is that
a program has one arena, and that other pointers do not become arena addresses by arithmetic.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import AddrSpaceCast, Atomic, GlobalRef, LoadImm64, MapRef
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AtomicOp
from beebox.verifier.findings import Refusal
from beebox.verifier.options import Profile
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg

PAGE_BYTES: Final = 4096
_ARENA, _KERNEL = 1, 0  # address spaces
_NOT_IN_ARENAS: Final = (AtomicOp.FETCH_AND, AtomicOp.FETCH_OR, AtomicOp.FETCH_XOR)
"""Atomics that x86-64 has no single instruction for."""


def check_program(path: Path) -> None:
    """Whether the program has one arena at most, and user space knows where that is."""
    spec = path.spec
    arenas = _arenas(spec)
    for name, pc in arenas.items():
        row = spec.maps[name]
        if path.options.profile is Profile.UNPRIVILEGED:
            raise Refusal(
                "loader", pc, f"arenas such as {name} are for who has CAP_PERFMON",
                kernel="CAP_BPF and CAP_PERFMON are required to use arena",
            )  # fmt: skip
        if not row.extra and row.contents is None:
            raise Refusal(
                "map-type", pc, f"nobody said where user space has arena {name}",
                kernel="arena's user address must be set via map_extra or mmap()",
                hint="give the map an address: map_extra",
            )  # fmt: skip
    if len(arenas) > 1:
        raise Refusal(
            "map-type", next(iter(arenas.values())), "a program can have one arena only",
            kernel="Only one arena per program",
        )  # fmt: skip


def _arenas(spec: ProgramSpec) -> dict[str, int]:
    """The arenas that instructions name, each with the first one that does."""
    found: dict[str, int] = {}
    for pc, insn in enumerate(spec.slots):
        match insn:
            case LoadImm64(value=MapRef(name)) | LoadImm64(value=GlobalRef(name)):
                row = spec.maps.get(name)
                if row is not None and row.type is MapType.ARENA:
                    found.setdefault(name, pc)
            case _:
                pass
    return found


def value(path: Path, spec: MapSpec, offset: int) -> Reg:
    """The address of a variable in the arena: a number, until it is cast."""
    if not 0 <= offset <= spec.max_entries * PAGE_BYTES:
        raise Refusal(
            "map-value-bounds", path.pc, f"offset {offset} is outside of arena {spec.name}",
            kernel=f"invalid access to map value pointer, value_size={spec.value_size} "
            f"off={offset}",
        )  # fmt: skip
    return path.unknown()


def cast(path: Path, insn: AddrSpaceCast) -> None:
    """``dst = addr_space_cast(src, to, from)``: into an arena's addresses, or out of them."""
    path.read(insn.src)
    spaces = (insn.dst_space, insn.src_space)
    if spaces not in ((_KERNEL, _ARENA), (_ARENA, _KERNEL)):
        raise Refusal(
            "arena", path.pc, f"a cast between address spaces {spaces[1]} and {spaces[0]}",
            kernel="addr_space_cast insn can only convert between address space 1 and 0",
        )  # fmt: skip
    if not _arenas(path.spec):
        raise Refusal(
            "arena", path.pc, "a cast of an arena address in a program without an arena",
            kernel="addr_space_cast insn can only be used in a program that has an associated "
            "arena",
        )  # fmt: skip
    if spaces == (_KERNEL, _ARENA):
        path.write(insn.dst, path.pointer(RegKind.ARENA))
    else:
        path.write(insn.dst, path.unknown())


def check_atomic(path: Path, insn: Atomic, base: Reg, number: int) -> None:
    """Refuse atomics that do not work on arenas."""
    if base.kind is RegKind.ARENA and insn.op in _NOT_IN_ARENAS:
        raise Refusal(
            "atomic", path.pc, f"R{number} is an arena address, on which this does not work",
            kernel=f"BPF_ATOMIC stores into R{number} arena is not allowed",
            values=(base,), reg=number,
        )  # fmt: skip
