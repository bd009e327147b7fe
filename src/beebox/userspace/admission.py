"""What this kernel takes of programs that the verifier accepted: the rest is refused by name."""

from __future__ import annotations

from typing import Final

from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED
from beebox.tables.helpers import HELPERS
from beebox.tables.map_types import MapType
from beebox.tables.program_types import AttachType
from beebox.userspace.native_helpers import IN_MAP_CODE, native_helpers
from beebox.verifier.result import VerifiedProgram
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


def admit(program: VerifiedProgram) -> None:
    """Refuse what this kernel does not model. Raises :exc:`NotSupportedError`."""
    spec = program.spec
    if spec.type not in PROGRAM_TYPES:
        raise NotSupportedError(f"{spec.type.value.name} programs in userspace")
    if spec.attach_type is not None and spec.attach_type in UNKNOWN_ATTACH_TYPES:
        raise NotSupportedError(f"{spec.attach_type.name.lower()} programs in userspace")
    known = IN_MAP_CODE | native_helpers(layout_of(spec.type.value.context))
    for helper in sorted(program.helpers - known):
        row = HELPERS.get(helper)
        raise NotSupportedError(f"helper {row.name if row else helper} in userspace")
    for name in sorted(program.maps):
        row_of_map = spec.maps[name]
        inner = [row_of_map.inner] if row_of_map.inner is not None else []
        for each in (row_of_map, *inner):
            if each.type not in MAP_TYPES:
                raise NotSupportedError(f"{each.type.value.name} maps in userspace")
