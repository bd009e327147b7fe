"""Helper functions for the JIT: each one's symbol, arguments and the LLVM IR that defines it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beebox.tables.helpers import HELPER_BY_NAME, ArgKind
from beebox.userspace.trace import MAX_TEXT_BYTES, MAX_WIDTH
from beebox.vm.memory import CONTEXT_FIELDS, RUNTIME_FIELDS

if TYPE_CHECKING:
    from beebox.vm.lowering_calls import HelperCode

_SOURCES: Final = Path(__file__).with_name("source")
_EXTERNAL: Final = re.compile(r"^define (?!internal)", re.MULTILINE)
_CONSTANTS: Final = {
    "DATA": CONTEXT_FIELDS["data"][0],
    "DATA_END": CONTEXT_FIELDS["data_end"][0],
    "DATA_META": CONTEXT_FIELDS["data_meta"][0],
    "HARD_START": CONTEXT_FIELDS["hard_start"][0],
    "HARD_END": CONTEXT_FIELDS["hard_end"][0],
    "TIME": RUNTIME_FIELDS["time_ns"][0],
    "PRANDOM": RUNTIME_FIELDS["prandom_state"][0],
    "CPU": RUNTIME_FIELDS["cpu"][0],
    "TRACE_BUFFER": RUNTIME_FIELDS["trace_buffer"][0],
    "TRACE_CAPACITY": RUNTIME_FIELDS["trace_capacity"][0],
    "TRACE_USED": RUNTIME_FIELDS["trace_used"][0],
    "TRACE_LOST": RUNTIME_FIELDS["trace_lost"][0],
    "MAX_TEXT": MAX_TEXT_BYTES,
    "MAX_WIDTH": MAX_WIDTH,
}
_SOURCE_OF: Final = {
    "ktime_get_ns": "helpers.py",
    "get_prandom_u32": "helpers.py",
    "get_smp_processor_id": "helpers.py",
    "csum_diff": "helpers.py",
    "xdp_adjust_head": "helpers.py",
    "xdp_adjust_tail": "helpers.py",
    "xdp_adjust_meta": "helpers.py",
    "trace_printk": "trace.py",
}
_VARIADIC: Final = (ArgKind.ANYTHING,) * 3

IN_MAP_CODE: Final = frozenset(
    HELPER_BY_NAME[name].id for name in ("map_lookup_elem", "map_update_elem", "map_delete_elem")
)
"""Helpers that ``maps.code`` brings with each map."""

NATIVE: Final = frozenset(HELPER_BY_NAME[name].id for name in _SOURCE_OF)
"""Helpers that :func:`helper_code` knows."""


@cache
def helper_code(name: str) -> HelperCode:
    """The code of one helper; its ``ir`` may define others too."""
    from beebox.vm.lowering_calls import HelperCode  # noqa: PLC0415 -- the same

    row = HELPER_BY_NAME[name]
    kinds = tuple(arg.kind for arg in row.args) + (_VARIADIC if row.variadic else ())
    return HelperCode(f"helper_{name}", _text(_SOURCE_OF[name]), kinds)


@cache
def _text(source: str) -> str:
    from beebox.compiler import frontend, native  # noqa: PLC0415 -- code from the cache needs none

    module = frontend.analyze_native(_SOURCES / source, constants=_CONSTANTS)
    return _EXTERNAL.sub("define internal ", native.lower(module, prefix="helper_"))
