"""Random programs with loops of every kind in each other, that know what a run of them costs.

Each straight piece of code adds what it costs, and what leads to it, to the word in ``.data``, so
that a kernel that runs the program tells what the run cost, weighed as ``tables.costs`` does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage
from beebox.isa.assembler import assemble
from beebox.obj.model import ExternSpec, FunctionSpec, MapSpec, ObjectSpec
from beebox.tables import costs
from beebox.tables.map_types import MapType

MAPS: Final = {
    ".data": MapSpec(".data", MapType.ARRAY, 4, 8, 1, contents=bytes(8)),
    "hash": MapSpec("hash", MapType.HASH, 4, 8, 2),
    "array": MapSpec("array", MapType.ARRAY, 4, 8, 5),
}
ITERATOR: Final = tuple(f"bpf_iter_num_{name}" for name in ("new", "next", "destroy"))
PLAIN: Final = ("counted", "drawn", "call", "branch", "work")
BY_LINUX: Final = (*PLAIN, "loop", "drawn loop", "iterator", "drawn iterator", "for_each")
_COUNT: Final = 3  # instructions that add up
_HELPER: Final = costs.INSN + costs.HELPER
_KFUNC: Final = costs.INSN + costs.KFUNC
_DEEP: Final = 3


class _Writer:
    """The text of functions, made piece by piece."""

    def __init__(self, seed: int, kinds: tuple[str, ...]) -> None:
        self.rng = random.Random(seed)
        self.functions: dict[str, list[str]] = {}
        self._kinds = kinds
        self._labels = 0
        self._left = 9  # statements that may still be drawn

    def label(self) -> str:
        self._labels += 1
        return f"l{self._labels}"

    def function(self, deep: int) -> str:
        name = f"f{len(self.functions)}"
        lines = self.functions[name] = []
        self.body(lines, deep, own=0)
        lines += ["r0 = 0", "exit"]
        self.add(lines, 2, at=0)
        return name

    def add(self, lines: list[str], cost: int, *, at: int | None = None) -> None:
        """Count ``cost`` of other instructions here."""
        code = [
            "r0 = global[.data] ll",
            f"r1 = {cost + _COUNT}",
            "lock *(u64 *)(r0 + 0) += r1",
        ]
        where = len(lines) if at is None else at
        lines[where:where] = code

    def body(self, lines: list[str], deep: int, own: int) -> None:
        """``deep`` of all, ``own`` in this function, whose loops have a register each."""
        for _ in range(self.rng.choice((1, 1, 2))):
            self._left -= 1
            kinds = self._kinds if deep < _DEEP and own < _DEEP and self._left > 0 else ("work",)
            self.statement(lines, self.rng.choice(kinds), deep, own)

    def statement(self, lines: list[str], kind: str, deep: int, own: int) -> None:
        rng, reg, slot = self.rng, f"r{6 + own}", 16 * (own + 1)
        rounds = rng.choice((1, 2, 3, 7))
        top, out = self.label(), self.label()
        match kind:
            case "work":
                many = rng.randint(1, 12)
                lines += [f"r0 = {many}"] * many
                self.add(lines, many)
            case "branch":
                self.add(lines, _HELPER + 1)
                lines += ["call bpf_get_prandom_u32", f"if r0 & 1 goto {top}"]
                self.body(lines, deep + 1, own)
                self.add(lines, 1)
                lines += [f"goto {out}", f"{top}:"]
                self.body(lines, deep + 1, own)
                lines.append(f"{out}:")
            case "counted":
                self.add(lines, 1)
                lines += [f"{reg} = 0", f"{top}:"]
                self.body(lines, deep + 1, own + 1)
                self.add(lines, 2)
                lines += [f"{reg} += 1", f"if {reg} < {rounds} goto {top}"]
            case "drawn":
                self.add(lines, _HELPER + 3)
                lines += ["call bpf_get_prandom_u32", f"r0 &= {rng.choice((1, 3, 7))}"]
                lines += [f"*(u64 *)(r10 - {slot}) = r0", f"{reg} = 0", f"goto {out}", f"{top}:"]
                self.body(lines, deep + 1, own + 1)
                lines += [f"{reg} += 1", f"{out}:"]
                self.add(lines, 3)
                lines += [f"r0 = *(u64 *)(r10 - {slot})", f"if {reg} < r0 goto {top}"]
            case "call":
                name = self.function(deep + 1)
                self.add(lines, 1)
                lines.append(f"call {name}")
            case "loop" | "drawn loop":
                self._loop(lines, rounds, drawn=kind != "loop", name=self.function(deep + 1))
            case "iterator" | "drawn iterator":
                self._iterate(lines, rounds, slot, drawn=kind != "iterator", deep=deep, own=own)
            case "for_each":
                name = self.function(deep + 1)
                self.add(self.functions[name], _HELPER, at=0)
                self.add(lines, 4 + _HELPER)
                lines += ["r1 = map[array] ll", f"r2 = func[{name}] ll", "r3 = 0", "r4 = 0"]
                lines.append("call bpf_for_each_map_elem")
            case "may_goto":
                self.add(lines, 1)
                lines.append(f"{top}:")
                lines.append(f"may_goto {out}")
                self.body(lines, deep + 1, own + 1)
                self.add(lines, 2)
                lines += [f"goto {top}", f"{out}:"]
            case _:
                raise ValueError(kind)

    def _drawn(self, lines: list[str], into: str, rounds: int) -> int:
        """Not how many rounds, but how many at most is known. What that cost."""
        lines += ["call bpf_get_prandom_u32", f"{into} = r0", f"{into} &= {rounds}"]
        return _HELPER + 2

    def _loop(self, lines: list[str], rounds: int, *, drawn: bool, name: str) -> None:
        self.add(self.functions[name], _HELPER, at=0)  # of calling it again
        self.add(lines, (_HELPER + 2 if drawn else 1) + 3 + _HELPER)
        if drawn:
            self._drawn(lines, "r1", rounds)
        else:
            lines.append(f"r1 = {rounds}")
        lines += [f"r2 = func[{name}] ll", "r3 = 0", "r4 = 0", "call bpf_loop"]

    def _iterate(
        self, lines: list[str], rounds: int, slot: int, *, drawn: bool, deep: int, own: int
    ) -> None:
        top, out = self.label(), self.label()
        self.add(lines, (_HELPER + 2 if drawn else 1) + 3 + _KFUNC)
        if drawn:
            self._drawn(lines, "r3", rounds)
        else:
            lines.append(f"r3 = {rounds}")
        pointer = ["r1 = r10", f"r1 += -{slot}"]
        lines += [*pointer, "r2 = 0", "call kfunc[bpf_iter_num_new]", f"{top}:"]
        self.add(lines, 3 + _KFUNC)
        lines += [*pointer, "call kfunc[bpf_iter_num_next]", f"if r0 == 0 goto {out}"]
        self.body(lines, deep + 1, own + 1)
        self.add(lines, 1)
        lines += [f"goto {top}", f"{out}:"]
        self.add(lines, 2 + _KFUNC)
        lines += [*pointer, "call kfunc[bpf_iter_num_destroy]"]


def module(
    seed: int, kinds: tuple[str, ...], externs: Mapping[str, ExternSpec] | None = None
) -> ObjectSpec:
    """An object with the program ``main`` made of ``kinds`` of statements."""
    writer = _Writer(seed, kinds)
    lines: list[str] = []
    for _ in range(writer.rng.randint(1, 3)):
        writer.body(lines, 0, 0)
    writer.add(lines, 2, at=0)
    texts = {"main": [*lines, "r0 = 2", "exit"], **writer.functions}
    return described({name: "\n".join(text) for name, text in texts.items()}, externs)


def merging(seed: int) -> ObjectSpec:
    """Branches that meet again in front of loops, and in them: most paths are pruned."""
    rng = random.Random(seed)
    lines: list[str] = []
    for at in range(rng.randint(2, 5)):
        lines += ["call bpf_get_prandom_u32", f"if r0 & 1 goto a{at}"]
        lines += ["r7 = 1"] * rng.randint(0, 25)
        lines.append(f"r9 = {rng.choice((2, 5))}")
        lines += [f"goto b{at}", f"a{at}:"]
        lines += ["r7 = 2"] * rng.randint(0, 25)
        lines.append(f"r9 = {rng.choice((2, 9, 30))}")
        lines += [f"b{at}:", "r8 = 0", f"c{at}:", "call bpf_get_prandom_u32"]
        lines += [f"if r0 > 3 goto d{at}", *["r7 = 3"] * rng.randint(1, 15), f"d{at}:", "r8 += 1"]
        end = rng.choice(("r9", "7"))
        lines.append(f"if r8 < {end} goto c{at}")
    return described({"main": "\n".join([*lines, "r0 = 2", "exit"])})


def described(
    texts: Mapping[str, str], externs: Mapping[str, ExternSpec] | None = None
) -> ObjectSpec:
    """An object of the program ``main`` and the static functions that it calls."""
    builder = Builder()
    proto = builder.add(FuncProto(builder.signed_int(), ()))
    functions = {}
    for name, text in texts.items():
        main = name == "main"
        type_id = builder.add(Func(name, proto, Linkage.GLOBAL if main else Linkage.STATIC))
        section = "tc" if main else ".text"
        insns = assemble(text)
        functions[name] = FunctionSpec(name, section, insns, is_global=main, type_id=type_id)
    used = {name: spec for name, spec in (externs or {}).items()
            if any(f"kfunc[{name}]" in text for text in texts.values())}  # fmt: skip
    return ObjectSpec(functions, MAPS, license="GPL", btf=builder.build(), externs=used)
