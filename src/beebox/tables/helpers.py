"""Helper functions: one row each; compiler, verifier, both kernels and the docs read it.

Argument and result kinds are the kernel's ``ARG_*`` and ``RET_*`` without the prefix. The rows lie
by family in ``helpers_*.py``; ``helper_rows`` says what they hold.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.helper_rows import Arg, ArgKind, Helper, Prototype, RetKind
from beebox.tables.helpers_general import GENERAL_HELPERS
from beebox.tables.helpers_maps import MAP_HELPERS
from beebox.tables.helpers_packets import PACKET_HELPERS
from beebox.tables.helpers_sockets import SOCKET_HELPERS
from beebox.tables.helpers_tracing import TRACING_HELPERS

__all__ = [
    "FAMILIES",
    "HELPERS",
    "HELPER_BY_NAME",
    "Arg",
    "ArgKind",
    "Helper",
    "Prototype",
    "RetKind",
]

FAMILIES: Final[dict[str, tuple[Helper, ...]]] = {
    "maps": MAP_HELPERS,
    "general": GENERAL_HELPERS,
    "packets": PACKET_HELPERS,
    "sockets": SOCKET_HELPERS,
    "tracing": TRACING_HELPERS,
}

HELPERS: Final = {
    row.id: row
    for row in sorted((row for rows in FAMILIES.values() for row in rows), key=lambda row: row.id)
}
HELPER_BY_NAME: Final = {row.name: row for row in HELPERS.values()}
