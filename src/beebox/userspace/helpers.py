"""Helper functions for the interpreter: Python callables over real addresses.

``source/helpers.py`` and ``source/trace.py`` say the same in the native dialect for the JIT; tests
hold both against Linux. Arguments are registers, unsigned; results are taken modulo 2**64.
"""

from __future__ import annotations

from typing import Final

from beebox.maps import abi
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.userspace.native_helpers import helper_args, helper_call, native_helpers
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.trace import TraceLog, print_message
from beebox.vm.contexts import Layout
from beebox.vm.interpreter import HelperFn, Machine
from beebox.vm.memory import address_of, region_at

EACCES: Final = 13
EINVAL: Final = 22

_U64: Final = (1 << 64) - 1
_U32: Final = (1 << 32) - 1
_GAMMA: Final = 0x9E37_79B9_7F4A_7C15  # splitmix64
_MIX_1: Final = 0xBF58_476D_1CE4_E5B9
_MIX_2: Final = 0x94D0_49BB_1331_11EB


def python_helpers(
    maps: ReachedMaps, log: TraceLog, layout: Layout, used: frozenset[int]
) -> dict[int, HelperFn]:
    """The ``used`` helpers by id, over these maps, this log and this kind of context.

    A helper without a body here runs the JIT's.
    """

    def trace_printk(_machine: Machine, fmt: int, size: int, *arguments: int) -> int:
        return print_message(log, _bytes_at(fmt, size & _U32), arguments)

    functions: dict[str, HelperFn] = {
        "trace_printk": trace_printk,
        "ktime_get_ns": ktime_get_ns,
        "get_prandom_u32": get_prandom_u32,
        "get_smp_processor_id": get_smp_processor_id,
        "csum_diff": csum_diff,
    }
    found = {HELPER_BY_NAME[name].id: function for name, function in functions.items()}
    found |= {id_: _map_helper(id_, maps) for id_ in used & abi.HELPERS.keys()}
    native = (used & native_helpers(layout)) - found.keys()
    return found | {id_: native_helper(HELPERS[id_].name, layout) for id_ in native}


def _map_helper(id_: int, maps: ReachedMaps) -> HelperFn:
    """An operation of the map in R1, in the map's own code."""
    operation, takes = abi.HELPERS[id_], len(HELPERS[id_].args) - 1

    def run(machine: Machine, handle: int, *registers: int) -> int:
        rt = address_of(machine.runtime)
        return maps.operations(handle).at(operation, rt, *registers[:takes])

    return run


def native_helper(name: str, layout: Layout) -> HelperFn:
    """The JIT's body of a helper, called with the interpreter's registers."""
    call = helper_call(name, layout.struct)
    takes = len(helper_args(name))

    def run(machine: Machine, *registers: int) -> int:
        return call(address_of(machine.runtime), *registers[:takes])

    return run


def ktime_get_ns(machine: Machine, *_: int) -> int:
    """The clock the run was given."""
    return int(machine.runtime.time_ns)


def get_smp_processor_id(machine: Machine, *_: int) -> int:
    """The CPU the run was given."""
    return int(machine.runtime.cpu)


def get_prandom_u32(machine: Machine, *_: int) -> int:
    """The upper half of splitmix64's next number."""
    state = (int(machine.runtime.prandom_state) + _GAMMA) & _U64
    machine.runtime.prandom_state = state
    z = (state ^ (state >> 30)) * _MIX_1 & _U64
    z = (z ^ (z >> 27)) * _MIX_2 & _U64
    return (z ^ (z >> 31)) >> 32


def csum_diff(
    _machine: Machine, old: int, old_size: int, new: int, new_size: int, seed: int
) -> int:
    """The seed + sum(new) - sum(old) in one's complement, folded to 16 bits."""
    removed, added, total = old_size & _U32, new_size & _U32, seed & _U32
    if removed and added:
        total = _fold(_partial(new, added, total) + (_partial(old, removed, 0) ^ _U32))
    elif removed:
        total = _partial(old, removed, total ^ _U32) ^ _U32
    elif added:
        total = _partial(new, added, total)
    for _ in range(2):
        total = (total >> 16) + (total & 0xFFFF)
    return total


def _partial(address: int, size: int, seed: int) -> int:
    data = _bytes_at(address, size)
    words = range(0, size, 4)
    return _fold(seed + sum(int.from_bytes(data[at : at + 4], "little") for at in words))


def _fold(total: int) -> int:
    """A one's complement sum in 32 bits: carries come round. 0 only for a sum of zeros."""
    while total > _U32:
        total = (total & _U32) + (total >> 32)
    return total


def _bytes_at(address: int, size: int) -> bytes:
    """Memory that the verifier has shown to be there."""
    return bytes(region_at("argument", address, size).view) if size else b""
