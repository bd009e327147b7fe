"""Random programs with dynptrs: made, cloned, written, sliced, overwritten, given back."""

from __future__ import annotations

import random
from typing import Final

from beebox.btf.types import Func
from beebox.isa.assembler import assemble
from beebox.isa.instruction import GlobalRef, LoadImm64, MapRef
from beebox.obj.model import ExternKind, ExternSpec, KernelSymbol, MapSpec, ProgramSpec
from beebox.obj.targets.host import host
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType

MAPS: Final = {
    "ring": MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 64, 1, contents=bytes(64)),
}
KFUNCS: Final = (
    "bpf_dynptr_adjust",
    "bpf_dynptr_clone",
    "bpf_dynptr_from_skb",
    "bpf_dynptr_size",
    "bpf_dynptr_slice",
    "bpf_dynptr_slice_rdwr",
)
_PLACES: Final = (-16, -24, -32, -40, -56)
_BUFFERS: Final = (-64, -72)


def kfunc_externs() -> dict[str, ExternSpec]:
    """The running kernel's functions that the programs call."""
    kernel = host().btf
    assert kernel is not None
    return {
        name: ExternSpec(
            name, ExternKind.FUNCTION, resolved=KernelSymbol(kernel.kinded(name, Func)[0])
        )
        for name in KFUNCS
    }


class _Program:
    """Lines under construction, with a rough idea of what is where: most statements make sense."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.lines = ["r6 = r1", "r7 = global[.data] ll", "r8 = r7"]
        self.dynptrs: dict[int, str] = {}
        self.slices: dict[int, int] = {}  # by register: the dynptr's place
        self.read_only: set[int] = set()
        self.labels = 0

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def place(self, *types: str) -> int:
        fitting = [at for at, type_ in self.dynptrs.items() if type_ in (types or (type_,))]
        if not fitting and self.pick.random() < 0.98:
            self.reserve() if types == ("ringbuf",) else self.of_memory()
            return next(reversed(self.dynptrs))
        if fitting and self.pick.random() < 0.98:
            return self.pick.choice(fitting)
        return self.pick.choice(_PLACES)

    def free(self) -> int:
        taken = {at + off for at in self.dynptrs for off in (-8, 0, 8)}
        fitting = [at for at in _PLACES if at not in taken]
        fitting = fitting or [at for at, type_ in self.dynptrs.items() if type_ != "ringbuf"]
        return self.pick.choice(fitting if fitting and self.pick.random() < 0.98 else _PLACES)

    def written(self, at: int) -> None:
        """What a write to the slot at ``at`` leaves of the dynptrs."""
        for place in (at, at - 8):
            if self.dynptrs.pop(place, None):
                self.slices = {reg: of for reg, of in self.slices.items() if of != place}

    def pointer(self, number: int, at: int) -> None:
        self.lines += [f"r{number} = r10", f"r{number} += {at}"]

    def made(self, at: int, type_: str) -> None:
        self.written(at)
        self.written(at + 8)
        self.dynptrs[at] = type_

    def reserve(self) -> None:
        at = self.free()
        self.pointer(4, at)
        self.lines += ["r1 = map[ring] ll", "r2 = 8", "r3 = 0", "call bpf_ringbuf_reserve_dynptr"]
        self.made(at, "ringbuf")

    def of_memory(self) -> None:
        at = self.free()
        self.pointer(4, at)
        self.lines += ["r1 = global[.data] ll", f"r2 = {self.pick.choice((8, 64))}", "r3 = 0"]
        self.lines += ["call bpf_dynptr_from_mem"]
        self.made(at, "local")

    def of_packet(self) -> None:
        at = self.free()
        self.pointer(3, at)
        self.lines += ["r1 = r6", "r2 = 0", "call kfunc[bpf_dynptr_from_skb]"]
        self.made(at, "skb")

    def clone(self) -> None:
        source, at = self.place(), self.free()
        self.pointer(1, source)
        self.pointer(2, at)
        self.lines += ["call kfunc[bpf_dynptr_clone]"]
        self.made(at, self.dynptrs.get(source, "local"))

    def give_back(self) -> None:
        at = self.place("ringbuf")
        self.pointer(1, at)
        how = self.pick.choice(("submit", "discard"))
        self.lines += ["r2 = 0", f"call bpf_ringbuf_{how}_dynptr"]
        self.dynptrs = {at: type_ for at, type_ in self.dynptrs.items() if type_ != "ringbuf"}
        self.slices = {reg: of for reg, of in self.slices.items() if of in self.dynptrs}

    def read(self) -> None:
        self.pointer(1, self.pick.choice(_BUFFERS))
        self.pointer(3, self.place())
        self.lines += ["r2 = 8", "r4 = 0", "r5 = 0", "call bpf_dynptr_read"]

    def write(self) -> None:
        at = self.place()
        self.pointer(1, at)
        self.pointer(3, self.pick.choice(_BUFFERS))
        if self.pick.random() < 0.3 and self.slices:
            self.lines += [f"r3 = r{self.pick.choice(list(self.slices))}"]
        self.lines += ["r2 = 0", "r4 = 8", "r5 = 0", "call bpf_dynptr_write"]
        if self.dynptrs.get(at) == "skb":
            self.slices = {r: of for r, of in self.slices.items() if self.dynptrs.get(of) != "skb"}

    def small(self) -> None:
        self.pointer(1, self.place())
        self.lines += self.pick.choice(
            (
                ["call kfunc[bpf_dynptr_size]"],
                ["r2 = 0", "r3 = 8", "call kfunc[bpf_dynptr_adjust]"],
            )
        )

    def slice_(self) -> None:
        kinds = ("bpf_dynptr_data", "kfunc[bpf_dynptr_slice]", "kfunc[bpf_dynptr_slice_rdwr]")
        how, reg = self.pick.choice(kinds), self.pick.choice((7, 8))
        # Linux keeps a kernel function's slices of records too long: verdicts/dynptr_stale.c
        at = self.place() if how == kinds[0] else self.place("local", "skb")
        self.pointer(1, at)
        self.lines += ["r2 = 0", f"r3 = {'8' if how == kinds[0] else '0'}"]
        if how != kinds[0] and self.pick.random() < 0.5:
            self.pointer(3, self.pick.choice(_BUFFERS))
        self.lines += ["r4 = 8"] if how != kinds[0] else []
        self.lines += [f"call {how}", f"r{reg} = r0"]
        if self.pick.random() < 0.97:
            label = self.label()
            # where there is none, the program's global data stand in
            self.lines += [
                f"if r{reg} != 0 goto {label}",
                f"r{reg} = global[.data] ll",
                f"{label}:",
            ]
        self.slices[reg] = at
        if how == kinds[1]:
            self.read_only.add(reg)
        else:
            self.read_only.discard(reg)

    def use(self) -> None:
        numbers = list(self.slices) if self.pick.random() < 0.8 else [7, 8]
        if not numbers:
            return
        reg = self.pick.choice(numbers)
        if self.pick.random() < 0.2:
            self.lines += [f"*(u64 *)(r10 - 80) = r{reg}", f"r{reg} = *(u64 *)(r10 - 80)"]
        if self.pick.random() < (0.05 if reg in self.read_only else 0.4):
            self.lines += [f"*(u8 *)(r{reg} + 0) = 1"]
        else:
            self.lines += [f"r0 = *(u{self.pick.choice((8, 64))} *)(r{reg} + 0)"]

    def overwrite(self) -> None:
        at = self.pick.choice(
            [at for at, type_ in self.dynptrs.items() if type_ != "ringbuf"] or [-80]
        )
        at += self.pick.choice((0, 8))
        if self.pick.random() < 0.03:
            at = self.pick.choice(_PLACES)
        self.lines += [
            self.pick.choice((f"*(u64 *)(r10 - {-at}) = 0", f"*(u8 *)(r10 - {-at}) = 1"))
        ]
        self.written(at - at % 8)

    def peek(self) -> None:
        at = self.pick.choice((*_BUFFERS, -80))
        if self.pick.random() < 0.05:
            at = self.pick.choice(_PLACES)
        self.lines += [f"r0 = *(u64 *)(r10 - {-at})"]

    def branch(self, depth: int) -> None:
        label, held = self.label(), dict(self.dynptrs)
        self.lines += [
            "call bpf_get_prandom_u32",
            f"if r0 == {self.pick.randrange(4)} goto {label}",
        ]
        slices = dict(self.slices)
        self.block(depth + 1, self.pick.randint(1, 3))
        self.lines += [f"{label}:"]
        self.dynptrs = {at: t for at, t in self.dynptrs.items() if held.get(at) == t}
        self.slices = {r: of for r, of in self.slices.items() if slices.get(r) == of}

    def loop(self, depth: int) -> None:
        label = self.label()
        self.lines += ["r9 = 0", f"{label}:"]
        self.block(depth + 1, self.pick.randint(1, 3))
        self.lines += ["r9 += 1", f"if r9 < {self.pick.randint(2, 4)} goto {label}"]

    def block(self, depth: int, count: int) -> None:
        plain = (
            self.reserve, self.of_memory, self.of_memory, self.of_packet, self.clone,
            self.give_back, self.read, self.write, self.small, self.slice_, self.slice_, self.use,
            self.use, self.use, self.overwrite, self.peek,
        )  # fmt: skip
        for _ in range(count):
            kind = self.pick.random()
            if depth < 2 and kind < 0.12:
                self.branch(depth)
            elif depth == 0 and kind < 0.17:
                self.loop(depth)
            else:
                self.pick.choice(plain)()

    def finish(self) -> str:
        if self.pick.random() < 0.95:
            while "ringbuf" in self.dynptrs.values():
                self.give_back()
        return "\n".join([*self.lines, "r0 = 0", "exit"])


def random_program(seed: int, externs: dict[str, ExternSpec]) -> ProgramSpec:
    """A ``sched_cls`` program."""
    program = _Program(seed)
    program.block(0, program.pick.randint(3, 9))
    insns = assemble(program.finish())
    named = {
        insn.value.name if isinstance(insn.value, MapRef) else insn.value.map_name
        for insn in insns
        if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef)
    }
    maps = {name: MAPS[name] for name in sorted(named)}
    return ProgramSpec("case", "tc", ProgramType.SCHED_CLS, insns, maps, externs=externs)
