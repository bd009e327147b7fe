"""A map's operations as LLVM IR, ready to be linked into a program and inlined there.

The IR depends on the map's shape and symbol only: the storage's address stays symbolic until
``llvm.native.link``, so that a compiled program is valid in any process.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, assert_never

from beebox.compiler import frontend, native
from beebox.compiler.ir import Module
from beebox.maps import abi, layout
from beebox.maps.layout import (
    ArrayLayout,
    BloomLayout,
    HashLayout,
    LpmLayout,
    RingLayout,
    SlotLayout,
)
from beebox.obj.model import MapSpec
from beebox.tables.limits import MAX_TAIL_CALLS
from beebox.tables.map_types import MapType, RedirectFlags

_SOURCES: Final = Path(__file__).with_name("source")
_EXTERNAL: Final = re.compile(r"^define (?!internal)", re.MULTILINE)
_FUNCTION: Final = re.compile(r'^define [^@]*@"?([\w.]+)"?\(.*?^}\n', re.MULTILINE | re.DOTALL)
_SYMBOL: Final = re.compile(r'@"?([\w.]+)"?')
_DEVICES: Final = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH})
_DEVICE_FLAGS: Final = int(RedirectFlags.BROADCAST | RedirectFlags.EXCLUDE_INGRESS)


@dataclass(frozen=True, slots=True)
class MapCode:
    """The native operations of one map, by symbol name.

    All functions in ``ir`` are internal (``maps.abi`` says which there are and what they take); the
    storage is the one external symbol. A global-data map's value lies ``value_offset`` bytes into
    the storage; None for other maps.
    """

    ir: str
    symbol: str
    value_offset: int | None = None

    @property
    def storage(self) -> str:
        """The storage's symbol."""
        return f"{self.symbol}_storage"

    def operation(self, name: str) -> str:
        """The symbol of an operation."""
        return f"{self.symbol}_{name}"


def map_code(
    spec: MapSpec, symbol: str, *, cpus: int = 1, needed: Collection[str] | None = None
) -> MapCode:
    """The code of a map like ``spec`` whose functions are called ``symbol_lookup`` and so on.

    ``symbol`` is an LLVM identifier. Only the operations ``needed`` are there (None: all), so that
    LLVM has no others to look at.
    """
    text = operations(spec, symbol, cpus=cpus)
    if needed is not None:
        text = _reached(text, {f"{symbol}_{name}" for name in needed})
    return MapCode(
        ir=_EXTERNAL.sub("define internal ", text),
        symbol=symbol,
        value_offset=layout.ARRAY_ELEMENTS if spec.is_global_data else None,
    )


def operations(spec: MapSpec, symbol: str, *, cpus: int = 1) -> str:
    """The IR with its exported functions external: for code called from Python."""
    return native.lower(_module(layout.shape_of(spec), cpus), prefix=f"{symbol}_")


def _reached(text: str, wanted: set[str]) -> str:
    """The IR without the functions that none of ``wanted`` calls, itself or through others."""
    functions: dict[str, str] = {}
    rest = _FUNCTION.sub(lambda found: functions.setdefault(found[1], found[0]) and "", text)
    kept: dict[str, str] = {}
    pending = [name for name in functions if name in wanted]
    while pending:
        name = pending.pop()
        if name in functions and name not in kept:
            kept[name] = functions[name]
            pending += _SYMBOL.findall(functions[name])
    return rest + "".join(functions[name] for name in functions if name in kept)


@lru_cache(maxsize=256)
def _module(shape: MapSpec, cpus: int) -> Module:
    where = layout.placed(shape, cpus=cpus)
    row = shape.type.value
    constants = abi.RUNTIME_CONSTANTS | {
        "KEY_SIZE": shape.key_size,
        "VALUE_SIZE": layout.HANDLE_BYTES if row.has_inner else shape.value_size,
        "USER_VALUE_SIZE": layout.stored_value_size(shape, cpus=cpus),
        "VALUE_STRIDE": where.value_stride,
        "MAX_ENTRIES": shape.max_entries,
        "MAX_TAIL_CALLS": MAX_TAIL_CALLS,
        "PER_CPU": int(row.per_cpu),
        "INDIRECT": int(row.has_inner),
        "REDIRECT_FLAGS": _DEVICE_FLAGS if shape.type in _DEVICES else 0,
        "CPUS": where.cpus,
        "ELEMENTS": where.elements,
        "STRIDE": where.stride,
        "LOCK": layout.LOCK,
        "SEED": layout.SEED,
        "HIGH_WATER": layout.HIGH_WATER,
        "FREE_COUNT": layout.FREE_COUNT,
        "COUNT": layout.COUNT,
    }
    match where:
        case HashLayout():
            source = "hash.py"
            constants |= {
                "HAND": layout.HAND,
                "BUCKETS": layout.HEADER,
                "BUCKET_MASK": where.buckets - 1,
                "FREE_STACK": where.free_stack,
                "KEY": where.key,
                "VALUE": where.value,
                "HAS_TAG": int(where.has_tag),
                "LRU": int(row.lru),
                "USED": where.used,
                "UPSERT": int(shape.type is MapType.DEVMAP_HASH),
            }
        case ArrayLayout():
            source = "array.py"
        case SlotLayout():
            source = "slots.py"
            constants |= {"VALUE": layout.SLOT_VALUE}
        case LpmLayout():
            source = "lpm.py"
            constants |= {
                "SEQUENCE": layout.SEQUENCE,
                "NODES_USED": layout.NODES_USED,
                "NODES_FREE": layout.NODES_FREE,
                "DATA_SIZE": shape.key_size - 4,
                "ROOT_BITS": where.root_bits,
                "ROOT": where.root,
                "NODES": where.nodes,
                "ROOT_EXACT": where.root_exact,
                "META": where.meta,
                "META_STRIDE": where.meta_stride,
                "PREFIXES": layout.LPM_PREFIXES,
                "FOLLOWING": layout.LPM_FOLLOWING,
                "PATH": layout.LPM_PATH,
                "DEPTH_BITS": where.depth_bits,
                "FREE_STACK": where.free_stack,
                "MASKS": where.masks,
                "VALUE": where.value,
            }
        case RingLayout():
            source = "queue.py"
            constants |= {
                "FIRST": layout.FIRST,
                "LAST_FIRST": int(shape.type is MapType.STACK),
            }
        case BloomLayout():
            source = "bloom.py"
            constants |= {
                "KEY_SIZE": shape.value_size,
                "BIT_MASK": where.bits - 1,
                "HASHES": where.hashes,
            }
        case _:
            assert_never(where)
    return frontend.analyze_native(_SOURCES / source, constants=constants)
