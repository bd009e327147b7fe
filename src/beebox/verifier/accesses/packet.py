"""Direct packet access: who may load and store packet bytes, and which bytes were proven."""

from __future__ import annotations

from typing import Final

from beebox.tables.limits import MAX_PACKET_OFFSET
from beebox.tables.program_types import PacketAccess
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PACKET, SCALAR, PtrFlag, Reg

_PLAIN: Final = PtrFlag.NONE
ANY_PACKET: Final = frozenset({PACKET, RegKind.PACKET_META, RegKind.PACKET_END})


def check(path: Path, base: Reg, number: int, offset: int, size: int, *, write: bool) -> None:
    """Whether the program itself may access ``size`` bytes of the packet at ``base + offset``."""
    access = path.spec.type.value.packet
    if access is PacketAccess.NONE or (write and access is not PacketAccess.WRITE):
        verb = "write into" if write else "read from"
        raise Refusal(
            "packet-access", path.pc,
            f"{path.spec.type.value.name} programs may not {verb} the packet directly",
            kernel="cannot write into packet" if write else "cannot read from packet",
            values=(base,), reg=number,
        )  # fmt: skip
    check_bounds(path, base, number, offset, size, write=write)


def check_bounds(
    path: Path, base: Reg, number: int, offset: int, size: int, *, write: bool
) -> None:
    """Whether the bytes were proven to be in the packet. ``size`` may be 0."""
    start = base.off + offset
    end = start + size
    if base.scalar.smin < 0 or start < 0 or end > base.range:
        proven = "none are proven" if base.range <= 0 else f"{base.range} are proven"
        where = f"{start}..{end}" if base.scalar.is_const else f"{start}..{end} past {base.scalar}"
        raise Refusal(
            "packet-bounds", path.pc,
            f"{'writing' if write else 'reading'} {size} bytes of the packet that were never "
            f"checked: bytes {where}, {proven}",
            kernel=f"R{number} offset is outside of the packet" if base.scalar.smin >= 0
            else f"R{number} min value is negative, either use unsigned index or do a if "
            "(index >=0) check.",
            values=(base,), reg=number, access=(start, size, max(base.range, 0)),
        )  # fmt: skip
    if base.scalar.umax + end > MAX_PACKET_OFFSET + size:
        raise Refusal(
            "packet-bounds", path.pc, f"offset {base.scalar.umax} is beyond any packet",
            kernel=f"R{number} offset is outside of the packet", values=(base,), reg=number,
            access=(start, size, max(base.range, 0)),
        )  # fmt: skip


def _in_packet(reg: Reg) -> bool:
    if reg.kind is SCALAR:
        return False
    flags = reg.flags
    return reg.kind in ANY_PACKET or (flags is not _PLAIN and bool(flags & PtrFlag.PACKET))


def void_pointers(path: Path) -> None:
    """The packet may have moved: every pointer into it is now just a number."""
    path.state.replace_where(_in_packet, path.voided)
