"""Maps for generated programs, one of each kind, and BTF for their functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage
from beebox.isa.instruction import Call, CallKind
from beebox.obj.model import FuncInfo, MapSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType

_RDONLY: Final = MapFlags.RDONLY_PROG
_STRINGS: Final = b"%d of %u\0%s%p\0%q\0100%%\0%pI4 %pks\0%lld%c\0".ljust(64, b"\0")
_ARRAY: Final = MapSpec("inner", MapType.ARRAY, 4, 16, 4)
MAPS: Final = {
    row.name: row
    for row in (
        MapSpec("values", MapType.ARRAY, 4, 64, 4),
        MapSpec("table", MapType.HASH, 4, 16, 8),
        MapSpec("percpu", MapType.PERCPU_ARRAY, 4, 16, 4),
        MapSpec("lru", MapType.LRU_HASH, 8, 8, 8),
        MapSpec("lpm", MapType.LPM_TRIE, 8, 8, 8, MapFlags.NO_PREALLOC),
        MapSpec("readonly", MapType.ARRAY, 4, 16, 1, _RDONLY),
        MapSpec("writeonly", MapType.HASH, 4, 16, 1, MapFlags.WRONLY_PROG),
        MapSpec("queue", MapType.QUEUE, 0, 8, 4),
        MapSpec("bloom", MapType.BLOOM_FILTER, 0, 8, 4),
        MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 4),
        MapSpec("devmap", MapType.DEVMAP, 4, 8, 4),
        MapSpec("cpumap", MapType.CPUMAP, 4, 4, 4),
        MapSpec("xskmap", MapType.XSKMAP, 4, 4, 4),
        MapSpec("socks", MapType.SOCKMAP, 4, 4, 4),
        MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
        MapSpec("events", MapType.PERF_EVENT_ARRAY, 4, 4, 4),
        MapSpec("cgroups", MapType.CGROUP_ARRAY, 4, 4, 4),
        MapSpec("arrays", MapType.ARRAY_OF_MAPS, 4, 4, 4, inner=_ARRAY),
        MapSpec(
            "tables", MapType.HASH_OF_MAPS, 4, 4, 4, inner=MapSpec("inner", MapType.HASH, 4, 16, 4)
        ),
        MapSpec(".data", MapType.ARRAY, 4, 64, 1, contents=bytes(64)),
        MapSpec(".rodata", MapType.ARRAY, 4, 64, 1, _RDONLY, contents=_STRINGS, frozen=True),
    )
}


def with_btf(spec: ProgramSpec) -> ProgramSpec:
    """``spec`` with static functions that BTF says return ``int``."""
    builder = Builder()
    proto = builder.add(FuncProto(builder.signed_int(), ()))
    starts = {0} | {
        pc + 1 + insn.target
        for pc, insn in enumerate(spec.slots)
        if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG
    }
    functions = tuple(
        FuncInfo(pc, f"f{pc}", builder.add(Func(f"f{pc}", proto, Linkage.STATIC)))
        for pc in sorted(starts)
    )
    return replace(spec, functions=functions, btf=builder.build())
