"""Contexts that BTF describes, in the running kernel: every tracepoint, iterator and struct_ops.

The tables say what BTF does not: which arguments may be NULL, which members may be stored to. Each
question is a program that Linux and our verifier judge.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beebox.btf.types import Btf, Func, FuncProto, Ptr, Struct, Typedef
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import KernelSymbol, MapSpec, ProgramSpec
from beebox.obj.targets.host import host
from beebox.tables import lsm
from beebox.tables.iterators import ITERATORS
from beebox.tables.map_structs import MAP_STRUCTS
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.tables.struct_ops import STRUCT_OPS
from beebox.tables.tracepoints import KNOWN
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
END = "r0 = 0\nexit"
NEVER_NULL = "if r2 != 0 goto +1\n*(u8 *)(r2 + 0) = 1\n"  # refused where r2 may be NULL


@pytest.fixture(scope="module")
def btf() -> Btf:
    """The running kernel's types."""
    found = host().btf
    assert found is not None
    return found


def program(
    code: str,
    symbol: KernelSymbol,
    attach_type: AttachType | None = AttachType.TRACE_RAW_TP,
    type_: ProgramType = ProgramType.TRACING,
    *,
    sleepable: bool = False,
) -> ProgramSpec:
    """A program that attaches to ``symbol``."""
    flags = ProgramFlags.SLEEPABLE if sleepable else ProgramFlags.NONE
    insns = assemble(code)
    return ProgramSpec("case", "case", type_, insns, {}, attach_type, flags, attach_symbol=symbol)


def differences(programs: list[tuple[str, ProgramSpec]]) -> list[str]:
    """Where the verdicts are not the same, or our line is not in Linux's log."""
    kernel, options = LinuxKernel(), Options(target=host())
    wrong = []
    for name, spec in programs:
        ours, theirs = verify(spec, options), kernel.verdict(spec)
        line = "" if ours.accepted else ours.findings[0].kernel_message
        if ours.accepted != theirs.accepted or line not in theirs.log:
            wrong.append(f"{name}: {render(ours)}\n{theirs.log[-300:]}")
    return wrong


def arguments(btf: Btf, prototype: FuncProto, skip: int = 0) -> Iterator[tuple[int, bool]]:
    """Of each argument: its offset in the context, and whether it points to a struct."""
    offset = 0
    for param in prototype.params[skip:]:
        row = btf.resolve(param.type)[1]
        is_struct = isinstance(row, Ptr) and isinstance(btf.resolve(row.type)[1], Struct)
        yield offset, is_struct
        offset += 8 if isinstance(row, Ptr) else (btf.size_of(param.type) + 7) // 8 * 8


def prototype_of(btf: Btf, type_id: int) -> FuncProto | None:
    """Of a function, or of a tracepoint's type."""
    row = btf.type(type_id)
    if isinstance(row, Typedef):
        pointer = btf.type(row.type)
        row = btf.type(pointer.type) if isinstance(pointer, Ptr) else None
    elif isinstance(row, Func):
        row = btf.type(row.type)
    return row if isinstance(row, FuncProto) else None


def test_arguments_of_tracepoints(btf: Btf) -> None:
    """Those that may be NULL one by one, the others of a tracepoint in one program."""
    asked = []
    for type_id in btf.prefixed("btf_trace_"):
        row, prototype = btf.type(type_id), prototype_of(btf, type_id)
        if not isinstance(row, Typedef) or prototype is None:
            continue
        name = row.name.removeprefix("btf_trace_")
        offsets = [at for at, is_struct in arguments(btf, prototype, 1) if is_struct]
        loads = [f"r2 = *(u64 *)(r1 + {at})\n{NEVER_NULL}" for at in offsets]
        bodies = loads if name in KNOWN else ["".join(loads)]
        for number, body in enumerate(bodies):
            spec = program(f"{body}{END}", KernelSymbol(type_id))
            asked.append((f"{name} {number}", spec))
    assert len(asked) > 700
    assert differences(asked) == []


def test_arguments_of_iterators(btf: Btf) -> None:
    """What they are, whether they may be NULL, trusted, written."""
    asked = []
    for type_id in btf.prefixed("bpf_iter_"):
        row = btf.type(type_id)
        if not isinstance(row, Func) or row.name.removeprefix("bpf_iter_") not in ITERATORS:
            continue
        prototype = prototype_of(btf, type_id)
        assert prototype is not None
        for number in range(len(prototype.params) + 1):
            load = f"r2 = *(u64 *)(r1 + {8 * number})\n"
            for body in (
                "",
                NEVER_NULL,
                "r0 = *(u8 *)(r2 + 0)\n",
                "if r2 == 0 goto +1\nr0 = *(u64 *)(r2 + 0)\n",
                f"if r2 == 0 goto +3\n{NEVER_NULL}r0 = *(u8 *)(r2 + 0)\n",
                "if r2 == 0 goto +1\n*(u8 *)(r2 + 3) = 1\n",
            ):
                code = f"{load}{body}{END}"
                spec = program(code, KernelSymbol(type_id), AttachType.TRACE_ITER)
                asked.append((f"{row.name} {number}", spec))
    assert len(asked) > 200
    assert differences(asked) == []


def test_iterators_are_known(btf: Btf) -> None:
    """Each of the running kernel has its row: their contexts are ``struct bpf_iter__NAME``."""
    names = {getattr(btf.type(each), "name", "") for each in btf.prefixed("bpf_iter__")}
    suffix = "__safe_trusted"
    found = {name.removeprefix("bpf_iter__") for name in names if not name.endswith(suffix)}
    assert found <= ITERATORS.keys()


@pytest.mark.parametrize("name", sorted(STRUCT_OPS))
def test_members_of_struct_ops(btf: Btf, name: str) -> None:
    """Which members programs stand for, which sleep, and what their arguments are."""
    (type_id,) = btf.kinded(name, Struct)
    struct = btf.type(type_id)
    assert isinstance(struct, Struct)
    asked = []
    for index, member in enumerate(struct.members):
        symbol = KernelSymbol(type_id, "", index)
        pointer = btf.resolve(member.type)[1]
        prototype = btf.resolve(pointer.type)[1] if isinstance(pointer, Ptr) else None
        offsets = (
            [at for at, is_struct in arguments(btf, prototype) if is_struct]
            if isinstance(prototype, FuncProto)
            else []
        )
        bodies = ["", *(f"r2 = *(u64 *)(r1 + {at})\n{NEVER_NULL}" for at in offsets)]
        for body in bodies:
            for sleepable in (False, True):
                spec = program(
                    f"{body}{END}", symbol, None, ProgramType.STRUCT_OPS, sleepable=sleepable
                )
                asked.append((member.name, spec))
    assert len(asked) > 5
    assert differences(asked) == []


@pytest.mark.parametrize(
    ("name", "member", "struct_name"),
    [
        ("tcp_congestion_ops", "ssthresh", "tcp_sock"),
        ("bpf_dummy_ops", "test_1", "bpf_dummy_ops_state"),
    ],
)
def test_members_that_are_written(btf: Btf, name: str, member: str, struct_name: str) -> None:
    """Stores of 4 bytes all over the struct, of others near its end and in the array."""
    (type_id,) = btf.kinded(name, Struct)
    struct, (written,) = btf.type(type_id), btf.kinded(struct_name, Struct)
    assert isinstance(struct, Struct)
    index = [row.name for row in struct.members].index(member)
    asked = []
    end = btf.size_of(written)
    for at in [*range(0, end, 4), end - 1, end]:
        for size in (8, 32, 64) if at >= end - 8 or at % 128 == 0 else (32,):
            store = f"*(u{size} *)(r2 + {at}) = 1"
            code = f"r2 = *(u64 *)(r1 + 0)\nif r2 == 0 goto +1\n{store}\n{END}"
            symbol = KernelSymbol(type_id, "", index)
            asked.append((store, program(code, symbol, None, ProgramType.STRUCT_OPS)))
    assert differences(asked) == []


MAPS = {
    MapType.HASH: MapSpec("m", MapType.HASH, 4, 8, 4),
    MapType.ARRAY: MapSpec("m", MapType.ARRAY, 4, 8, 4),
    MapType.PROG_ARRAY: MapSpec("m", MapType.PROG_ARRAY, 4, 4, 4),
    MapType.PERF_EVENT_ARRAY: MapSpec("m", MapType.PERF_EVENT_ARRAY, 4, 4, 4),
    MapType.PERCPU_HASH: MapSpec("m", MapType.PERCPU_HASH, 4, 8, 4),
    MapType.PERCPU_ARRAY: MapSpec("m", MapType.PERCPU_ARRAY, 4, 8, 4),
    MapType.STACK_TRACE: MapSpec("m", MapType.STACK_TRACE, 4, 1016, 4),
    MapType.CGROUP_ARRAY: MapSpec("m", MapType.CGROUP_ARRAY, 4, 4, 4),
    MapType.LRU_HASH: MapSpec("m", MapType.LRU_HASH, 4, 8, 4),
    MapType.LRU_PERCPU_HASH: MapSpec("m", MapType.LRU_PERCPU_HASH, 4, 8, 4),
    MapType.LPM_TRIE: MapSpec("m", MapType.LPM_TRIE, 8, 8, 4, MapFlags.NO_PREALLOC),
    MapType.DEVMAP: MapSpec("m", MapType.DEVMAP, 4, 4, 4),
    MapType.DEVMAP_HASH: MapSpec("m", MapType.DEVMAP_HASH, 4, 4, 4),
    MapType.SOCKMAP: MapSpec("m", MapType.SOCKMAP, 4, 4, 4),
    MapType.SOCKHASH: MapSpec("m", MapType.SOCKHASH, 4, 4, 4),
    MapType.CPUMAP: MapSpec("m", MapType.CPUMAP, 4, 4, 4),
    MapType.XSKMAP: MapSpec("m", MapType.XSKMAP, 4, 4, 4),
    MapType.REUSEPORT_SOCKARRAY: MapSpec("m", MapType.REUSEPORT_SOCKARRAY, 4, 4, 4),
    MapType.QUEUE: MapSpec("m", MapType.QUEUE, 0, 8, 4),
    MapType.STACK: MapSpec("m", MapType.STACK, 0, 8, 4),
    MapType.BLOOM_FILTER: MapSpec("m", MapType.BLOOM_FILTER, 0, 8, 4),
    MapType.RINGBUF: MapSpec("m", MapType.RINGBUF, 0, 0, 4096),
    MapType.USER_RINGBUF: MapSpec("m", MapType.USER_RINGBUF, 0, 0, 4096),
    MapType.CGROUP_STORAGE: MapSpec("m", MapType.CGROUP_STORAGE, 16, 8, 0),
    MapType.PERCPU_CGROUP_STORAGE: MapSpec("m", MapType.PERCPU_CGROUP_STORAGE, 16, 8, 0),
    MapType.ARRAY_OF_MAPS: MapSpec(
        "m", MapType.ARRAY_OF_MAPS, 4, 4, 4, inner=MapSpec("i", MapType.ARRAY, 4, 8, 4)
    ),
    MapType.HASH_OF_MAPS: MapSpec(
        "m", MapType.HASH_OF_MAPS, 4, 4, 4, inner=MapSpec("i", MapType.ARRAY, 4, 8, 4)
    ),
}
NEEDS_TYPES = {
    MapType.STRUCT_OPS: "is made of a struct of the kernel",
    MapType.SK_STORAGE: "is made with BTF of its values",
    MapType.INODE_STORAGE: "the same",
    MapType.TASK_STORAGE: "the same",
    MapType.CGRP_STORAGE: "the same",
    MapType.ARENA: "is made with flags of its own, and not verified here",
}


def test_what_maps_are(btf: Btf) -> None:
    """Loads all over the struct that a map is; its last bytes tell one struct from another."""
    assert MAPS.keys() | NEEDS_TYPES.keys() == MAP_STRUCTS.keys()
    asked = []
    for type_, spec in MAPS.items():
        ids = btf.kinded(MAP_STRUCTS[type_], Struct)
        if not ids:
            continue  # not in this kernel: nobody can make such a map
        end = btf.size_of(ids[0])
        for at in [*range(0, 64, 8), end - 8, end - 4, end]:
            for code in (f"r0 = *(u64 *)(r1 + {at})", f"r0 = *(u32 *)(r1 + {at})"):
                insns = assemble(f"r1 = map[m] ll\n{code}\n{END}")
                case = ProgramSpec("case", "case", ProgramType.XDP, insns, {"m": spec})
                asked.append((f"{type_.name} {code}", case))
    assert len(asked) > 300
    assert differences(asked) == []


def test_security_hooks_are_there(btf: Btf) -> None:
    """Every hook that has rules of its own is one; machines that load no hooks say no more."""
    listed = lsm.DISABLED | lsm.BOOLEAN | lsm.UNTRUSTED | lsm.SLEEPABLE
    assert {name for name in listed if not btf.kinded(f"bpf_lsm_{name}", Func)} == set()
