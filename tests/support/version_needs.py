"""Programs that need something, and the version of Linux that brought it."""

from __future__ import annotations

from typing import Final

from beebox.isa.assembler import assemble
from beebox.isa.instruction import GlobalRef, LoadImm64, MapRef
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import ProgramType

END: Final = "r0 = 0\nexit"
_MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 4),
    "bloom": MapSpec("bloom", MapType.BLOOM_FILTER, 0, 8, 4),
    "lpm": MapSpec("lpm", MapType.LPM_TRIE, 8, 8, 4, MapFlags.NO_PREALLOC),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 16, 1, MapFlags.MMAPABLE, contents=bytes(16)),
    "readonly": MapSpec("readonly", MapType.ARRAY, 4, 8, 1, MapFlags.RDONLY_PROG),
    "mmapable": MapSpec("mmapable", MapType.ARRAY, 4, 8, 1, MapFlags.MMAPABLE),
}
_LOOKED_UP = """
*(u32 *)(r10 - 8) = 1
r2 = r10
r2 += -8
r1 = map[values] ll
call bpf_map_lookup_elem#1
"""

NEEDS: Final = {
    "a loop": ("5.3", "r1 = 0\nagain:\nr1 += 1\nif r1 < 5 goto again\n" + END),
    "a jump backward that is no loop": (
        "4.4",
        "goto second\nfirst:\nr0 = 0\nexit\nsecond:\ngoto first",
    ),
    "jump less": ("4.14", "r1 = 1\nif r1 < 2 goto out\nout:\n" + END),
    "jump of 32 bits": ("5.1", "w1 = 1\nif w1 > 2 goto out\nout:\n" + END),
    "signed division": ("6.6", "r1 = 6\nr1 s/= 3\n" + END),
    "sign-extending move": ("6.6", "r1 = 6\nr1 = (s8)r1\n" + END),
    "sign-extending load": ("6.6", "*(u64 *)(r10 - 8) = 1\nr1 = *(s8 *)(r10 - 8)\n" + END),
    "bswap": ("6.6", "r1 = 6\nr1 = bswap32 r1\n" + END),
    "gotol": ("6.6", "gotol out\nout:\n" + END),
    "may_goto": ("6.9", "r0 = 0\nagain:\nmay_goto out\ngoto again\nout:\nexit"),
    "atomic add": ("4.4", "r1 = 1\n*(u64 *)(r10 - 8) = 0\nlock *(u64 *)(r10 - 8) += r1\n" + END),
    "atomic or": ("5.12", "r1 = 1\n*(u64 *)(r10 - 8) = 0\nlock *(u64 *)(r10 - 8) |= r1\n" + END),
    "load acquire": (
        "6.15",
        "*(u64 *)(r10 - 8) = 0\nr1 = load_acquire((u64 *)(r10 - 8))\n" + END,
    ),
    "a function": ("4.16", "call each\nexit\neach:\n" + END),
    "the address of a value": ("5.2", "r1 = global[.data] ll\n" + END),
    "a flag of a map": ("5.2", "r1 = map[readonly] ll\n" + END),
    "another flag of a map": ("5.5", "r1 = map[mmapable] ll\n" + END),
    "a map type": ("5.16", "r1 = map[bloom] ll\n" + END),
    "an older map type": ("4.11", "r1 = map[lpm] ll\n" + END),
    "a helper": ("5.8", "call bpf_ktime_get_boot_ns#125\n" + END),
    "a helper behind a jump never taken": (
        "4.8",
        "r0 = 0\nif r0 == 0 goto out\ncall bpf_ktime_get_boot_ns#125\nout:\nexit",
    ),
    "a field of the context": ("4.16", "r0 = *(u32 *)(r1 + 12)\nr0 = 0\nexit"),
    "unwritten stack": ("6.3", "r0 = *(u64 *)(r10 - 8)\nr0 = 0\nexit"),
    "an element that is there": ("6.14", _LOOKED_UP + "r0 = *(u64 *)(r0 + 0)\nr0 = 0\nexit"),
}
"""By what is needed: the version that brought it, and a program."""


def program(code: str) -> ProgramSpec:
    """An XDP program."""
    insns = assemble(code)
    named = {
        insn.value.name if isinstance(insn.value, MapRef) else insn.value.map_name
        for insn in insns
        if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef)
    }
    maps = {name: _MAPS[name] for name in named}
    return ProgramSpec("needs", "xdp", ProgramType.XDP, insns, maps)
