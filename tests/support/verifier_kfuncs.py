"""Programs that call kernel functions, for the running kernel: each argument, and iterators.

``argument_programs`` calls one function with values of every sort in each of its registers.
``iterator_program`` draws loops over open-coded iterators, with counters, spills and branches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from beebox.btf.types import Btf, Func, Struct
from beebox.isa.assembler import assemble
from beebox.isa.instruction import Call, KfuncRef
from beebox.obj.model import ExternKind, ExternSpec, KernelSymbol, MapSpec, ProgramSpec
from beebox.tables.kfuncs import KFUNCS, Kfunc
from beebox.tables.map_types import MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags

_CASES: Final = Path(__file__).parents[1] / "data/verifier/kfuncs/kfuncs.case"
MAPS: Final = {"values": MapSpec("values", MapType.ARRAY, 4, 64, 4)}

_KINDS: Final = (
    (ProgramType.SYSCALL, None, ProgramFlags.SLEEPABLE),
    (ProgramType.SCHED_CLS, None, ProgramFlags.NONE),
    (ProgramType.XDP, None, ProgramFlags.NONE),
    (ProgramType.KPROBE, None, ProgramFlags.NONE),
    (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, ProgramFlags.NONE),
    (ProgramType.SOCK_OPS, None, ProgramFlags.NONE),
)
_VALUES: Final = {
    "null": ("{r} = 0",),
    "one": ("{r} = 1",),
    "unknown": ("{r} = r9",),
    "context": ("{r} = r6",),
    "moved context": ("{r} = r6", "{r} += 8"),
    "stack": ("{r} = r10", "{r} += -128"),
    "odd stack": ("{r} = r10", "{r} += -132"),
    "map value": ("{r} = r8",),
    "map": ("{r} = map[values] ll",),
    "cast": ("{r} = *(u64 *)(r10 - 24)",),
    "bytes": ("{r} = *(u64 *)(r10 - 16)",),
    "unset": (),
}
_HELD: Final = {
    "task": ("{r} = r7",),
    "moved task": ("{r} = r7", "{r} += 8"),
    "task or null": ("{r} = *(u64 *)(r10 - 8)",),
    "group": ("{r} = *(u64 *)(r10 - 32)",),
}
"""Of programs that may look tasks and control groups up."""

_BEFORE: Final = """
r6 = r1
call bpf_get_prandom_u32
r9 = r0
*(u32 *)(r10 - 64) = 0
r2 = r10
r2 += -64
r1 = map[values] ll
call bpf_map_lookup_elem
r8 = r0
r1 = r6
r2 = {struct}
call kfunc[bpf_rdonly_cast]
*(u64 *)(r10 - 24) = r0
r1 = r6
r2 = 0
call kfunc[bpf_rdonly_cast]
*(u64 *)(r10 - 16) = r0
"""
_ACQUIRE: Final = """
r1 = 1
call kfunc[bpf_task_from_pid]
if r0 == 0 goto out
r7 = r0
r1 = 1
call kfunc[bpf_cgroup_from_id]
if r0 == 0 goto one
*(u64 *)(r10 - 32) = r0
r1 = 2
call kfunc[bpf_task_from_pid]
*(u64 *)(r10 - 8) = r0
"""
_RELEASE: Final = """
r1 = *(u64 *)(r10 - 8)
if r1 == 0 goto two
call kfunc[bpf_task_release]
two:
r1 = *(u64 *)(r10 - 32)
call kfunc[bpf_cgroup_release]
one:
r1 = r7
call kfunc[bpf_task_release]
"""


def argument_programs(kernel: Btf, *, every: bool = True) -> Iterator[tuple[str, ProgramSpec]]:
    """Each function with each sort of value in each register, the others being what it asks for.

    ``every`` is False for one program type and a third of the values each.
    """
    for name, row in sorted(KFUNCS.items()):
        if row.args is None or not kernel.kinded(name, Func):
            continue
        kinds = [kind for kind in _KINDS if kind[0] in row.program_types]
        for kind in kinds[: 2 if every else 1]:
            for at, values in enumerate(_choices(row, kind[0])):
                if every or at % 3 == len(name) % 3 or at == 0:
                    label = f"{name} {kind[0].name} {', '.join(values)}"
                    yield label, _call(kernel, row, kind, values)


def _choices(row: Kfunc, type_: ProgramType) -> list[tuple[str, ...]]:
    args = row.args or ()
    fitting = [_fitting(arg.name, arg.type) for arg in args]
    holds = type_ in KFUNCS["bpf_task_from_pid"].program_types
    sorts = {**_VALUES, **(_HELD if holds else {})}
    found = {tuple(fitting): None} if holds or not set(fitting) & set(_HELD) else {}
    for at in range(len(args)):
        for sort in sorts:
            values = (*fitting[:at], sort, *fitting[at + 1 :])
            if set(values) <= set(sorts):
                found[values] = None
    return list(found)


def _fitting(name: str, type_: str) -> str:
    if "*" not in type_:
        return "one"
    if "task_struct" in type_:
        return "task"
    if "struct cgroup *" in type_:
        return "group"
    if "__sk_buff" in type_ or "xdp_md" in type_:
        return "context"
    return "map" if "map" in name else "stack"


def _call(
    kernel: Btf,
    row: Kfunc,
    kind: tuple[ProgramType, AttachType | None, ProgramFlags],
    values: tuple[str, ...],
) -> ProgramSpec:
    holds = kind[0] in KFUNCS["bpf_task_from_pid"].program_types
    lines = [_BEFORE.format(struct=kernel.kinded("task_struct", Struct)[0])]
    lines += [_ACQUIRE] if holds else []
    for number, value in enumerate(values, 1):
        lines += [line.format(r=f"r{number}") for line in {**_VALUES, **_HELD}[value]]
    lines += [f"call kfunc[{row.name}]"]
    lines += [_RELEASE] if holds else []
    lines += ["out:", "r0 = 0", "exit"]
    return linked(kernel, "\n".join(lines), *kind)


def cases(kernel: Btf) -> dict[str, tuple[str, str]]:
    """``tests/data/verifier/kfuncs``, by name: what is expected, and the assembly."""
    found = {}
    for section in _CASES.read_text().split("\n=== ")[1:]:
        head, _, code = section.partition("\n")
        name, _, expected = head.rpartition(": ")
        struct = str(kernel.kinded("task_struct", Struct)[0])
        found[name] = expected, code.replace("TASK", struct)
    return found


def linked(
    kernel: Btf,
    code: str,
    type_: ProgramType = ProgramType.SCHED_CLS,
    attach: AttachType | None = None,
    flags: ProgramFlags = ProgramFlags.NONE,
) -> ProgramSpec:
    """The program of some assembly, its kernel functions resolved."""
    insns = assemble(code, file="kfuncs")
    names = {
        insn.target.name
        for insn in insns
        if isinstance(insn, Call) and isinstance(insn.target, KfuncRef)
    }
    externs = {
        name: ExternSpec(
            name, ExternKind.FUNCTION, resolved=KernelSymbol(kernel.kinded(name, Func)[0])
        )
        for name in sorted(names)
    }
    used = MAPS if "map[values]" in code else {}
    return ProgramSpec("case", type_.name, type_, insns, used, attach, flags, externs=externs)


class _Loops:
    """Statements drawn with one generator of random numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lines = ["r6 = 0", "r7 = 0", "call bpf_get_prandom_u32", "r9 = r0"]
        self._labels = 0

    def label(self) -> str:
        self._labels += 1
        return f"l{self._labels}"

    def call(self, what: str, slot: int) -> None:
        self.lines += ["r1 = r10", f"r1 += {slot}"]
        if what == "new":
            low, high = self.rng.choice([0, 1, 5]), self.rng.choice([0, 3, 10, 1000])
            self.lines += [f"r2 = {low}", f"r3 = {high}"]
        self.lines.append(f"call kfunc[bpf_iter_num_{what}]")

    def statement(self, depth: int, free: tuple[int, ...]) -> None:
        rng, reg = self.rng, self.rng.choice(["r6", "r7"])
        slot = rng.choice([40, 48])
        match rng.randrange(14):
            case 0 | 1:
                self.lines.append(f"{reg} += {rng.choice([1, 1, 2, 4])}")
            case 2:
                self.lines.append(f"{reg} = {rng.choice([0, 1, 7, -1])}")
            case 3:
                self.lines.append(f"{reg} &= {rng.choice([1, 7, 63])}")
            case 4:
                self.lines.append("r7 = r6" if reg == "r7" else "r6 = r7")
            case 5:
                self.lines += ["call bpf_get_prandom_u32", f"{reg} = r0"]
            case 6:
                self.lines.append(f"*(u64 *)(r10 - {slot}) = {rng.choice([reg, '0', '5'])}")
            case 7:
                self.lines.append(f"{reg} = *(u64 *)(r10 - {slot})")
            case 8:
                end = self.label()
                self.lines += [f"if {reg} > 7 goto {end}", "r1 = r10", "r1 += -128"]
                self.lines += [f"r1 += {reg}", "*(u8 *)(r1 + 0) = 1", f"{end}:"]
            case 9 | 10:
                end, compared = self.label(), rng.choice(["> 5", "== 0", "!= 1", "s< 42", "& 1"])
                self.lines.append(f"if {reg} {compared} goto {end}")
                self.statement(depth + 1, free)
                self.lines.append(f"{end}:")
            case 11 if rng.random() < 0.1:
                self.call(rng.choice(["new", "next", "destroy"]), rng.choice([-8, -16]))
            case _ if free and depth < 3:
                self.loop(depth, free)
            case _:
                self.lines.append("r7 += r6")

    def loop(self, depth: int, free: tuple[int, ...]) -> None:
        rng, slot = self.rng, free[0]
        again, out = self.label(), self.label()
        self.call("new", slot)
        self.lines.append(f"{again}:")
        self.call("next", slot)
        self.lines.append(f"if r0 == 0 goto {out}")
        if rng.random() < 0.3:
            self.lines.append(f"{rng.choice(['r6', 'r7'])} = *(s32 *)(r0 + 0)")
        if rng.random() < 0.2:
            self.lines.append(f"if r9 == 3 goto {rng.choice([again, out])}")
        for _ in range(rng.randrange(1, 5)):
            self.statement(depth + 1, free[1:])
        self.lines += [f"goto {again}", f"{out}:"]
        if rng.random() < 0.95:
            self.call("destroy", slot)


def iterator_program(kernel: Btf, seed: int) -> ProgramSpec:
    """A random program with loops over numbers, up to three deep."""
    drawn = _Loops(seed)
    for _ in range(drawn.rng.randrange(2, 6)):
        drawn.statement(0, (-8, -16, -24))
    return linked(kernel, "\n".join([*drawn.lines, "r0 = 0", "exit"]))
