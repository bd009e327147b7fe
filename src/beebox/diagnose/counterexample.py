"""A concrete run that does what a finding fears: searched along the failing path, then replayed.

The search climbs: of two inputs, the better one follows the refused path further; where both come
to the refused instruction, the one whose access ends nearer to the end of its memory. What to
change is read off the run: the numbers that a comparison had before it went the wrong way are
looked for in the inputs, and what was read last is tried with the numbers that the program itself
compares with. That nothing was found proves nothing: the finding may be right all the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Final

from beebox.diagnose.inputs import (
    ANSWER,
    CONTEXT,
    LENGTH,
    MEMORY,
    MOST_PACKET_BYTES,
    PACKET,
    Inputs,
    Place,
)
from beebox.diagnose.modelled import MIN_PACKET_BYTES, Run, Unmodelled
from beebox.diagnose.trace import Branch
from beebox.diagnose.world import WHOLE_CONTEXT, World
from beebox.errors import BeeboxError
from beebox.isa.instruction import Alu, JumpIf, Store
from beebox.isa.instruction import Reg as RegNumber
from beebox.isa.semantics import compare, to_signed
from beebox.obj.model import ProgramSpec
from beebox.tables.contexts import FieldKind
from beebox.tables.opcodes import JmpOp
from beebox.verifier.result import Counterexample, Finding, RegKind, Search

SEARCHED: Final = frozenset(
    {
        "packet-bounds",
        "map-value-bounds",
        "memory-bounds",
        "stack-bounds",
        "null-pointer",
        "argument-size",
        "unbounded-offset",
        "return-range",
    }
)
"""Findings about what a value may be: those that a run can show to be right."""

MOST_RUNS: Final = 3000
LIMIT_S: Final = 3.0
_NUMBER: Final = 8  # bytes
_MOST_GOALS: Final = 4096
_U64: Final = (1 << 64) - 1
_EXTREME: Final = (0, 1, 0xFF, 0x7F, 0x80, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, _U64)
_STARTS: Final = (64, MIN_PACKET_BYTES, 128, 1500)

_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+: no region$")

Score = tuple[int, int, int]


def search(
    spec: ProgramSpec,
    finding: Finding,
    branches: tuple[Branch, ...],
    *,
    limit_s: float = LIMIT_S,
    alone: bool = False,
) -> Counterexample | None:
    """A counterexample, or that none was found; None for findings that no run can show.

    ``alone``: the finding is in a global function, which is verified without its callers.
    """
    if finding.code not in SEARCHED:
        return None
    if alone:
        text = "not searched: this function is verified alone, for all that its types allow; what "
        text += "the program gives it does not count"
        return Counterexample(Search.NOT_SEARCHED, text)
    try:
        found = _Search(spec, finding, branches, limit_s)
        best = found.climb()
        if best is None:
            text = f"none was found in {found.runs} runs{_packets(spec)}"
            text += ": the rejection may be conservative"
            return Counterexample(Search.NOT_FOUND, text, found.runs)
        return found.told(best)
    except Unmodelled as why:
        return Counterexample(Search.NOT_SEARCHED, f"not searched: beebox does not model {why}")
    except BeeboxError as why:
        return Counterexample(Search.NOT_SEARCHED, f"not searched: the program cannot run: {why}")


def _packets(spec: ProgramSpec) -> str:
    """What all runs had in common."""
    context = spec.type.value.context
    packets = context is not None and any(each.kind is FieldKind.PACKET for each in context.fields)
    return f" (with packets of {MIN_PACKET_BYTES} bytes or more)" if packets else ""


class _Search:
    def __init__(
        self, spec: ProgramSpec, finding: Finding, branches: tuple[Branch, ...], limit_s: float
    ) -> None:
        self.runs = 0
        self._spec = spec
        self._finding = finding
        self._goal = [(each.pc, each.jump) for each in branches[:_MOST_GOALS]]
        self._world = World(spec, finding.pc, about=finding.evidence, results=_results(finding))
        self._deadline = time.monotonic() + limit_s
        self._numbers = _numbers(spec)
        self._tried: set[tuple[object, ...]] = set()

    def climb(self) -> Inputs | None:
        """Inputs with which the program fails as the finding says."""
        best: tuple[Score, Inputs, Run] | None = None
        for length in _STARTS:
            inputs = Inputs(packet=bytes(length))
            run = self._run(inputs)
            if run is None:
                continue
            if self._fails(run):
                return inputs
            score = self._score(run)
            if best is None or score > best[0]:
                best = score, inputs, run
        while best is not None and self._in_time():
            better: tuple[Score, Inputs, Run] | None = None
            for inputs in self._children(best[1], best[2]):
                if not self._in_time():
                    return None
                run = self._run(inputs)
                if run is None:
                    continue
                if self._fails(run):
                    return inputs
                score = self._score(run)
                if score > best[0] and (better is None or score > better[0]):
                    better = score, inputs, run
                    if score[0] > best[0][0]:
                        break  # further along the path: go on from there
            if better is None:
                return None
            best = better
        return None

    def told(self, inputs: Inputs) -> Counterexample:
        """The inputs replayed once more, and in words."""
        inputs = self._smaller(inputs)
        run = self._world.run(inputs)
        told = tuple((name, what, value) for (name, what), value in run.maps.items())
        context = tuple((name, number) for name, number in sorted(inputs.context.items()) if number)
        context += self._fields_of(inputs.memory.get(WHOLE_CONTEXT, b""))
        return Counterexample(
            Search.FOUND,
            self._what(run),
            self.runs,
            packet=inputs.packet if self._world.layout is not None else None,
            context=context,
            maps=told,
            calls=tuple(run.calls),
        )

    def _fields_of(self, context: bytes) -> tuple[tuple[str, int], ...]:
        """What is not 0 in a context that is plain memory: by field, else by place."""
        row = self._spec.type.value.context
        fields = {
            each.offset: each
            for each in (row.fields if row is not None else ())
            if each.size <= _NUMBER
        }
        out: list[tuple[str, int]] = []
        at = 0
        while at < len(context):
            field = fields.get(at)
            size = field.size if field is not None else _NUMBER
            number = int.from_bytes(context[at : at + size], "little")
            if number:
                out.append((field.name if field is not None else f"bytes from {at}", number))
            at += size
        return tuple(out)

    def _smaller(self, inputs: Inputs) -> Inputs:
        """Without what the failure does not need: trailing packet bytes, numbers that can be 0."""
        for name in list(inputs.context):
            without = {k: v for k, v in inputs.context.items() if k != name}
            inputs = self._if_fails(
                Inputs(inputs.packet, without, inputs.memory, inputs.answers), inputs
            )
        for name in list(inputs.memory):
            rest = {k: v for k, v in inputs.memory.items() if k != name}
            inputs = self._if_fails(
                Inputs(inputs.packet, inputs.context, rest, inputs.answers), inputs
            )
        for length in (MIN_PACKET_BYTES, 34, 42, 54, 64):
            if length < len(inputs.packet):
                shorter = inputs.with_length(length)
                if self._fails(self._world.run(shorter)):
                    inputs = shorter
                    break
        for index, byte in enumerate(inputs.packet[:256]):
            if byte:
                place = Place(PACKET, offset=index, size=1)
                inputs = self._if_fails(inputs.with_number(place, 0), inputs)
        return inputs

    def _if_fails(self, candidate: Inputs, otherwise: Inputs) -> Inputs:
        return candidate if self._fails(self._world.run(candidate)) else otherwise

    # ---- runs

    def _in_time(self) -> bool:
        return self.runs < MOST_RUNS and time.monotonic() < self._deadline

    def _run(self, inputs: Inputs) -> Run | None:
        """One run; None for inputs that were tried before or that no frame has."""
        if len(inputs.packet) < MIN_PACKET_BYTES:
            return None
        key = (
            inputs.packet,
            tuple(sorted(inputs.context.items())),
            tuple(sorted(inputs.memory.items())),
            inputs.answers,
        )
        if key in self._tried:
            return None
        self._tried.add(key)
        self.runs += 1
        return self._world.run(inputs)

    def _fails(self, run: Run) -> bool:
        if run.fault is None:
            return False
        pc = run.fault[0]
        if self._finding.code == "unbounded-offset":
            return run.reached and pc >= 0 and "fuel" not in run.fault[1]
        return pc == self._finding.pc

    def _score(self, run: Run) -> Score:
        """How many branches of the path were followed, how near the next is, how near the end."""
        matched = self._matched(run)
        if matched < len(self._goal) and matched < len(run.jumps):
            pc, left, right, _ = run.jumps[matched]
            if pc == self._goal[matched][0]:
                return matched, -min(abs(left - right), 1 << 62), 0
            return matched, -(1 << 63), 0
        slack = run.slack if run.slack is not None else 1 << 40
        return matched, int(run.reached), -slack

    def _matched(self, run: Run) -> int:
        count = 0
        for (pc, jump), (seen, _, _, taken) in zip(self._goal, run.jumps, strict=False):
            if pc != seen or jump != taken:
                break
            count += 1
        return count

    # ---- what to change

    def _children(self, inputs: Inputs, run: Run) -> Iterator[Inputs]:
        matched = self._matched(run)
        if matched < len(self._goal) and matched < len(run.jumps):
            pc, left, right, _ = run.jumps[matched]
            if pc == self._goal[matched][0]:
                yield from self._turned(inputs, run, pc, left, right, jump=self._goal[matched][1])
        if run.slack is not None and run.reached:
            yield inputs.with_length(len(inputs.packet) - run.slack - 1)
            for less in range(1, 9):
                yield inputs.with_length(len(inputs.packet) - less)
        yield from self._changed_places(inputs, run)

    def _turned(
        self, inputs: Inputs, run: Run, pc: int, left: int, right: int, *, jump: bool
    ) -> Iterator[Inputs]:
        """Make the comparison at ``pc`` go the other way."""
        insn = self._spec.slots[pc]
        if not isinstance(insn, JumpIf):
            return
        bits = 64 if insn.wide else 32
        if right in run.ends or left in run.ends:
            distance = to_signed((left - right) & _U64, 64)
            for more in (
                distance,
                -distance,
                distance + 1,
                1 - distance,
                distance - 1,
                -distance - 1,
            ):
                yield inputs.with_length(len(inputs.packet) + more)
            return
        yield from self._replaced(
            inputs, run, left, _wanted(insn.op, right, bits, jump=jump, of_left=True)
        )
        if isinstance(insn.src, RegNumber):
            yield from self._replaced(
                inputs, run, right, _wanted(insn.op, left, bits, jump=jump, of_left=False)
            )

    def _replaced(
        self, inputs: Inputs, run: Run, seen: int, numbers: list[int]
    ) -> Iterator[Inputs]:
        """Where the number that was seen stands in the inputs, put others."""
        for place in dict.fromkeys(reversed(run.loads)):
            for number in numbers:
                yield inputs.with_number(place, number)
                if place.kind in (PACKET, MEMORY) and place.size > 1:
                    yield inputs.with_number(place, number, big=True)
        for size in (8, 4, 2):
            for order in ("little", "big"):
                pattern = (seen & ((1 << 8 * size) - 1)).to_bytes(size, order)
                at = inputs.packet.find(pattern) if any(pattern) else -1
                if at >= 0:
                    place = Place(PACKET, offset=at, size=size)
                    for number in numbers:
                        yield inputs.with_number(place, number, big=order == "big")

    def _changed_places(self, inputs: Inputs, run: Run) -> Iterator[Inputs]:
        """What was read last, with other numbers; then the fields that no load was seen of."""
        places = list(dict.fromkeys(reversed(run.loads)))
        for place in places:
            for number in (*self._numbers, *_EXTREME):
                yield inputs.with_number(place, number)
        for place in places:
            if place.size == 1:
                for number in range(256):
                    yield inputs.with_number(place, number)
        for index in range(min(len(inputs.answers) + 4, 16)):
            for number in (1, 0, *self._numbers, *_EXTREME):
                yield inputs.with_number(Place(ANSWER, offset=index), number)
        for name, (_, size) in self._world.fields.items():
            if size in (1, 2, 4, 8) and name in inputs.context:
                for number in (*self._numbers, *_EXTREME):
                    yield inputs.with_number(Place(CONTEXT, name, size=size), number)
        for length in (*_STARTS, *(n for n in self._numbers if n <= MOST_PACKET_BYTES)):
            yield inputs.with_number(Place(LENGTH), length)

    # ---- words

    def _what(self, run: Run) -> str:
        finding, fault = self._finding, run.fault
        place = self._spec.line_at(finding.pc)
        where = f"line {place.line}" if place is not None and place.line else f"insn {finding.pc}"
        found = finding.evidence
        if finding.code == "null-pointer":
            return f"at {where}, the pointer is NULL"
        if run.slack is not None and found is not None and found.size:
            missing = -run.slack
            whose = {
                RegKind.PACKET: "the packet's end",
                RegKind.MAP_VALUE: f"the end of the value of map {found.map}",
            }.get(found.kind, "the end of the memory")
            if 0 < missing < 1 << 32:
                return f"at {where}, the last of {found.size} bytes is {missing} behind {whose}"
        what = _ADDRESS.sub(" outside of all memory", fault[1]) if fault is not None else ""
        return f"at {where}, {what}"


def _results(finding: Finding) -> tuple[int, int] | None:
    """The legal results, where the finding is about the result of the program."""
    found = finding.evidence
    if finding.code != "return-range" or found is None or found.start is None:
        return None
    return found.start, found.limit


def _numbers(spec: ProgramSpec) -> tuple[int, ...]:
    """The constants of the program and their neighbours: what it tells apart."""
    found: dict[int, None] = {}
    for insn in spec.insns:
        match insn:
            case JumpIf(src=int(number)) | Store(src=int(number)) | Alu(src=int(number)):
                if isinstance(number, RegNumber):
                    continue
                for near in (number, number + 1, number - 1):
                    found.setdefault(near & 0xFFFFFFFF)
            case _:
                pass
    return tuple(found)[:48]


def _wanted(op: JmpOp, other: int, bits: int, *, jump: bool, of_left: bool) -> list[int]:
    """Numbers for one side of a comparison, so that it goes as it should."""
    mask = (1 << bits) - 1
    near = (other, other + 1, other - 1, other | 1, other ^ 1, 0, 1, *_EXTREME)
    out = []
    for number in dict.fromkeys(each & mask for each in near):
        left, right = (number, other) if of_left else (other, number)
        if compare(op, left, right, bits) is jump:
            out.append(number)
    return out
