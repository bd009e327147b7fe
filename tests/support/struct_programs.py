"""Random programs that follow pointers through the running kernel's structs.

Each starts at a struct that a tracepoint or an iterator passes on, loads a few pointers, and then
does one thing with what it has come to: a load, a store, arithmetic, a comparison, a helper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from beebox.btf.types import Array, Btf, Func, FuncProto, Ptr, Struct, Typedef
from beebox.isa.assembler import assemble
from beebox.obj.model import KernelSymbol, MapSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags

_STRING: Final = MapSpec(
    "text",
    MapType.ARRAY,
    4,
    8,
    1,
    MapFlags.RDONLY_PROG,
    contents=b"abc".ljust(8, b"\0"),
    frozen=True,
)
_DEPTHS: Final = (1, 1, 2, 2, 3, 4)
_MOST_NESTED: Final = 4
_MOST_OFFSET: Final = 32_000  # of a load


@dataclass(frozen=True)
class Start:
    """An argument in a context that points to a struct."""

    attaches: int
    offset: int
    struct: int
    attach_type: AttachType = AttachType.TRACE_RAW_TP
    sleepable: bool = False


class StructPrograms:
    """The generator: programs for one kernel's types."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._pointers: dict[int, list[tuple[int, int]]] = {}
        self.starts = tuple(self._starts())

    def program(self, random: Random) -> ProgramSpec:
        """One program."""
        start = random.choice(self.starts)
        lines = ["r0 = 0", f"r2 = *(u64 *)(r1 + {start.offset})"]
        if random.random() < 0.9:
            lines.append("if r2 == 0 goto out")
        struct = start.struct
        for _ in range(random.choice(_DEPTHS)):
            pointers = self._members(struct)
            if not pointers or random.random() > 0.75:
                break
            at, struct = random.choice(pointers)
            lines.append(f"r2 = *(u64 *)(r2 + {at})")
            if random.random() < 0.5:
                lines.append("if r2 == 0 goto out")
            if not struct:
                break
        lines += [*self._use(random, struct), "out:", "r0 = 0", "exit"]
        code = "\n".join(lines)
        return ProgramSpec(
            "case",
            "case",
            ProgramType.TRACING,
            assemble(code),
            {"text": _STRING} if "map[" in code else {},
            start.attach_type,
            ProgramFlags.SLEEPABLE if start.sleepable else ProgramFlags.NONE,
            attach_symbol=KernelSymbol(start.attaches),
        )

    def _use(self, random: Random, struct: int) -> list[str]:
        row = self._btf.type(struct)
        size = random.choice((1, 2, 4, 8))
        end = min(max(row.size if isinstance(row, Struct) else 8, 8), _MOST_OFFSET)
        at = random.randrange(-2 if random.random() < 0.05 else 0, end + 8)
        if random.random() < 0.7:
            at = at // size * size
        place = f"*(u{8 * size} *)(r2 {'-' if at < 0 else '+'} {abs(at)})"
        match random.random():
            case part if part < 0.6:
                return [f"r3 = {place}"]
            case part if part < 0.7:
                return [f"r2 += {at}", f"r3 = *(u{8 * size} *)(r2 + 0)"]
            case part if part < 0.75:
                return ["if r2 != 0 goto +1", "r3 = *(u8 *)(r0 + 1)"]
            case part if part < 0.8:
                return [f"{place} = 1"]
            case part if part < 0.85:
                number = random.choice((4, 8, 17))
                call = "call bpf_strncmp"
                return ["r1 = r2", f"r1 += {at}", f"r2 = {number}", "r3 = map[text] ll", call]
            case part if part < 0.95:
                return ["r1 = r2", f"r1 += {random.choice((0, 0, at))}", "call bpf_task_pt_regs"]
            case _:
                return ["r1 = r2", "call bpf_skc_to_tcp_sock"]

    def _members(self, struct: int) -> list[tuple[int, int]]:
        """Offsets of pointers, with the struct that each points to; 0 for other things."""
        if struct not in self._pointers:
            found = self._pointers_in(struct, 0, 0)
            self._pointers[struct] = [pair for pair in found if pair[0] < _MOST_OFFSET]
        return self._pointers[struct]

    def _pointers_in(self, struct: int, base: int, depth: int) -> Iterator[tuple[int, int]]:
        row = self._btf.resolve(struct)[1]
        for member in row.members if isinstance(row, Struct) else ():
            if member.bitfield_size:
                continue
            at = base + member.bit_offset // 8
            type_id, inner = self._btf.resolve(member.type)
            if isinstance(inner, Array) and inner.count:
                type_id, inner = self._btf.resolve(inner.type)
            if isinstance(inner, Ptr):
                target, pointed = self._btf.resolve(inner.type)
                yield at, target if isinstance(pointed, Struct) else 0
            elif isinstance(inner, Struct) and depth < _MOST_NESTED:
                yield from self._pointers_in(type_id, at, depth + 1)

    def _starts(self) -> Iterator[Start]:
        seen = set()
        btf = self._btf
        for type_id in btf.prefixed("btf_trace_"):
            row = btf.type(type_id)
            pointer = btf.type(row.type) if isinstance(row, Typedef) else None
            prototype = btf.type(pointer.type) if isinstance(pointer, Ptr) else None
            if not isinstance(prototype, FuncProto):
                continue
            offset = 0
            for param in prototype.params[1:]:
                argument = btf.resolve(param.type)[1]
                if not isinstance(argument, Ptr):
                    offset += (btf.size_of(param.type) + 7) // 8 * 8
                    continue
                struct, target = btf.resolve(argument.type)
                if isinstance(target, Struct) and struct not in seen:
                    seen.add(struct)
                    yield Start(type_id, offset, struct)
                offset += 8
        task = btf.kinded("task_struct", Struct)[0]
        for type_id in btf.kinded("bpf_iter_task", Func):
            for sleepable in (False, True):
                yield from [Start(type_id, 8, task, AttachType.TRACE_ITER, sleepable)] * 15
