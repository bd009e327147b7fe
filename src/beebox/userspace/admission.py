"""What this kernel takes of programs that the verifier accepted: the rest is refused by name."""

from __future__ import annotations

from typing import Final

from beebox.errors import NotSupportedError
from beebox.tables.helpers import HELPERS
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.userspace.native_helpers import IN_MAP_CODE, NATIVE
from beebox.verifier.result import VerifiedProgram

PROGRAM_TYPES: Final = frozenset({ProgramType.XDP})
ATTACH_TYPES: Final = frozenset({None, AttachType.XDP})
MAP_TYPES: Final = frozenset(
    {MapType.HASH, MapType.ARRAY, MapType.PERCPU_HASH, MapType.PERCPU_ARRAY}
)
HELPER_IDS: Final = IN_MAP_CODE | NATIVE
UNKNOWN_MAP_FLAGS: Final = MapFlags.INNER_MAP


def admit(program: VerifiedProgram) -> None:
    """Refuse what this kernel does not model. Raises :exc:`NotSupportedError`."""
    spec = program.spec
    if spec.type not in PROGRAM_TYPES:
        raise NotSupportedError(f"{spec.type.value.name} programs in userspace")
    if spec.attach_type not in ATTACH_TYPES:
        attach = spec.attach_type.name.lower() if spec.attach_type else ""
        raise NotSupportedError(f"{attach} programs in userspace")
    for helper in sorted(program.helpers - HELPER_IDS):
        row = HELPERS.get(helper)
        raise NotSupportedError(f"helper {row.name if row else helper} in userspace")
    for name in sorted(program.maps):
        row_of_map = spec.maps[name]
        if row_of_map.type not in MAP_TYPES:
            raise NotSupportedError(f"{row_of_map.type.value.name} maps in userspace")
        if row_of_map.flags & UNKNOWN_MAP_FLAGS:
            raise NotSupportedError(f"{UNKNOWN_MAP_FLAGS!r} of map {name} in userspace")
