"""Program types: identity, context and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from beebox.tables.contexts import XDP_MD, Context


class XdpAction(IntEnum):
    """Verdicts of an XDP program."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


@dataclass(frozen=True, slots=True)
class ProgramTypeRow:
    id: int
    name: str
    context: Context
    verdicts: type[IntEnum] | None = None  # None: any return value is legal and has no name
    packet_access: bool = False  # helpers may be given packet pointers; packets may be written
    since: str = "3.19"


class ProgramType(Enum):
    """``bpf_prog_type``; the member's value is its row."""

    XDP = ProgramTypeRow(6, "xdp", XDP_MD, XdpAction, packet_access=True, since="4.8")


class AttachType(Enum):
    """``bpf_attach_type``; only those that an object can ask for by its section."""

    XDP_DEVMAP = 33
    XDP = 37
    XDP_CPUMAP = 35


PROGRAM_TYPE_BY_ID: Final = {row.value.id: row for row in ProgramType}
