"""A map's operations as LLVM IR, ready to be linked into a program and inlined there.

The IR depends on the map's shape and symbol only: the storage's address stays symbolic until
``llvm.native.link``, so that a compiled program is valid in any process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, assert_never

from beebox.compiler import frontend, native
from beebox.compiler.ir import Module
from beebox.maps import layout
from beebox.maps.layout import ArrayLayout, HashLayout
from beebox.obj.model import MapSpec

RT_CPU_OFFSET: Final = 16  # of the runtime block: the native ABI that vm.memory owns

_SOURCES: Final = Path(__file__).with_name("source")
_EXTERNAL: Final = re.compile(r"^define (?!internal)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MapCode:
    """The native operations of one map, by symbol name.

    ``ptr lookup(rt, key)``, ``i64 update(rt, key, value, flags)``, ``i64 delete(rt, key)``. All
    functions in ``ir`` are internal; ``storage`` is the one external symbol. A global-data map's
    value lies ``value_offset`` bytes into the storage; None for other maps.
    """

    ir: str
    storage: str
    lookup: str
    update: str
    delete: str
    value_offset: int | None = None


def map_code(spec: MapSpec, symbol: str, *, cpus: int = 1) -> MapCode:
    """The code of a map like ``spec`` whose functions are called ``symbol_lookup`` and so on.

    ``symbol`` is an LLVM identifier. Raises :exc:`MapError` for a spec that no map can have.
    """
    text = operations(spec, symbol, cpus=cpus)
    return MapCode(
        ir=_EXTERNAL.sub("define internal ", text),
        storage=f"{symbol}_storage",
        lookup=f"{symbol}_lookup",
        update=f"{symbol}_update",
        delete=f"{symbol}_delete",
        value_offset=layout.ARRAY_ELEMENTS if spec.is_global_data else None,
    )


def operations(spec: MapSpec, symbol: str, *, cpus: int = 1) -> str:
    """The IR with its exported functions external: for code called from Python."""
    return native.lower(_module(layout.shape_of(spec), cpus), prefix=f"{symbol}_")


@lru_cache(maxsize=256)
def _module(shape: MapSpec, cpus: int) -> Module:
    where = layout.layout_of(shape, cpus=cpus)
    constants = {
        "VALUE_SIZE": shape.value_size,
        "USER_VALUE_SIZE": layout.user_value_size(shape, cpus=cpus),
        "VALUE_STRIDE": where.value_stride,
        "MAX_ENTRIES": shape.max_entries,
        "PER_CPU": int(shape.type.value.per_cpu),
        "CPUS": where.cpus,
        "RT_CPU": RT_CPU_OFFSET,
        "ELEMENTS": where.elements,
        "STRIDE": where.stride,
    }
    match where:
        case HashLayout():
            source = "hash.py"
            constants |= {
                "LOCK": layout.HASH_LOCK,
                "SEED": layout.HASH_SEED,
                "HIGH_WATER": layout.HASH_HIGH_WATER,
                "FREE_COUNT": layout.HASH_FREE_COUNT,
                "COUNT": layout.HASH_COUNT,
                "BUCKETS": layout.HASH_BUCKETS,
                "BUCKET_MASK": where.buckets - 1,
                "FREE_STACK": where.free_stack,
                "KEY": where.key,
                "VALUE": where.value,
                "KEY_SIZE": shape.key_size,
                "HAS_TAG": int(where.has_tag),
            }
        case ArrayLayout():
            source = "array.py"
        case _:
            assert_never(where)
    return frontend.analyze_native(_SOURCES / source, constants=constants)
