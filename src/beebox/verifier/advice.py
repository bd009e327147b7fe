"""What a finding lacks, and what to write: texts with the numbers, names and lines of the program.

The table's hint is what remains to be said where nothing more is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from beebox.isa.instruction import Call, CallKind, Exit, JumpIf, Load, Store
from beebox.obj.model import LineInfo, ProgramSpec
from beebox.tables.helpers import HELPERS, ArgKind, Helper
from beebox.tables.limits import MAX_PACKET_OFFSET, MAX_VAR_SIZE
from beebox.tables.program_types import ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.history import callee, was_pointer
from beebox.verifier.names import plain_name
from beebox.verifier.path import Path
from beebox.verifier.result import Evidence, RegKind
from beebox.verifier.value import Reg

_MEMBER: Final = re.compile(r"\b([A-Za-z_]\w*)\s*->")
_INDEX: Final = re.compile(r"\[\s*([A-Za-z_][\w.>-]*)\s*\]")
_RELEASES: Final = {
    "ringbuf_reserve": "bpf_ringbuf_submit or bpf_ringbuf_discard",
    "sk_lookup_tcp": "bpf_sk_release",
    "sk_lookup_udp": "bpf_sk_release",
    "skc_lookup_tcp": "bpf_sk_release",
    "ringbuf_reserve_dynptr": "bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr",
    "kptr_xchg": "the type's release function",
}
_MASKS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Advice:
    """``missing``: what would have to hold; ``hint``: what to write. Either may be empty."""

    missing: str = ""
    hint: str = ""


def evidence(spec: ProgramSpec, refusal: Refusal) -> Evidence | None:
    """The value at fault as plain numbers."""
    if not refusal.values or (refusal.reg is None and refusal.access is None):
        return None
    value = refusal.values[0]
    scalar = value.scalar
    start, size, limit = refusal.access or (None, 0, 0)
    insn = spec.slots[refusal.pc] if refusal.pc < len(spec.slots) else None
    if refusal.access is None and isinstance(insn, Load | Store):
        start, size = value.off + insn.offset, insn.size.value.bytes
    low, high = (scalar.smin, scalar.smax) if scalar.smin < 0 else (scalar.umin, scalar.umax)
    return Evidence(
        reg=refusal.reg if refusal.reg is not None else -1,
        kind=value.kind,
        low=low,
        high=high,
        origin=value.pc,
        off=value.off if value.kind is not RegKind.SCALAR else 0,
        map=value.map,
        nullable=value.nullable,
        start=start,
        size=size,
        limit=limit,
    )


def advise(spec: ProgramSpec, refusal: Refusal, path: Path | None) -> Advice:
    """The advice for a refusal; ``path`` is where the exploration stopped."""
    value = refusal.values[0] if refusal.values else None
    place = _Place(spec, refusal.pc)
    match refusal.code:
        case "packet-bounds" if value is not None and refusal.access is not None:
            return _packet(place, refusal, value, refusal.access)
        case "map-value-bounds" | "memory-bounds" if value is not None and refusal.access:
            return _region(place, refusal, value, refusal.access)
        case "null-pointer" if value is not None:
            return _null(place, refusal, value)
        case "uninitialised-register" if refusal.reg is not None:
            return _unset(place, refusal.reg)
        case "not-a-pointer" if value is not None:
            return _lost(place, refusal, value)
        case "argument-size" if value is not None and refusal.reg is not None:
            pointer = path.regs[refusal.reg - 1] if path is not None else None
            return _size(place, refusal, value, capacity(spec, pointer))
        case "unbounded-offset" if value is not None:
            other = refusal.values[1] if len(refusal.values) > 1 else None
            return _offset(place, spec, value, other)
        case "reference-leak" if path is not None and path.state.refs:
            return _leak(place, path.state.refs[0].pc)
        case "return-range" if value is not None and refusal.access is not None:
            return _range(place, value, refusal.access[0], refusal.access[2])
        case "stack-uninitialised" if refusal.access is not None:
            return _unwritten(place, refusal.access[0])
        case "argument-type" if refusal.reg is not None:
            return _argument(place, refusal.reg)
        case "context-access" if value is not None and value.off:
            return Advice(
                "that the context's pointer is the one that the program was given",
                "leave the pointer as it is, and put the offset into the access: ctx->field",
            )
        case _:
            return Advice()


class _Place:
    """Where the program was refused: its source language, names and lines."""

    def __init__(self, spec: ProgramSpec, pc: int) -> None:
        self.spec = spec
        self.pc = pc
        self.line = spec.line_at(pc)
        self.python = self.line is not None and self.line.file.endswith(".py")
        self.insn = spec.slots[pc] if pc < len(spec.slots) else None

    def pointer(self, refusal: Refusal, value: Reg) -> str:
        """What the source calls the pointer at fault."""
        named = self.variable(refusal.reg, value)
        text = self.line.text if self.line is not None else ""
        members: list[str] = list(dict.fromkeys(_MEMBER.findall(text)))
        if len(members) == 1 and (named is None or named == members[0]):
            return members[0]
        return named or (f"r{refusal.reg}" if self.line is None else "the pointer")

    def variable(self, reg: int | None, value: Reg) -> str | None:
        """The name of the variable that the value at fault is held in, if known."""
        if reg is None:
            return None
        return self.spec.variable_at(self.pc, reg=reg) or self.spec.variable_at(value.pc, reg=reg)

    def index(self) -> str:
        """What the source calls the index."""
        found: list[str] = _INDEX.findall(self.line.text) if self.line is not None else []
        return found[0] if len(set(found)) == 1 else "the index"

    def after(self, pc: int) -> str:
        """``after line 18``, or ``before`` the refused one when there is nothing between."""
        there, here = self.spec.line_at(max(pc, 0)), self.line
        if here is None or not here.line:
            return f"before insn {self.pc}"
        if pc < 0 or there is None or _same_line(there, here) or there.line > here.line:
            return f"before line {here.line}"
        return f"after line {there.line}"

    def at(self, pc: int) -> str:
        """``line 18``, or ``insn 5``."""
        there = self.spec.line_at(pc)
        return f"line {there.line}" if there is not None and there.line else f"insn {pc}"

    def leaves(self, condition: str, python: str) -> str:
        """The statement that returns where the condition holds, in the program's language."""
        if self.line is None:
            return f"if {condition} goto out"
        if self.python:
            return f"if {python}: return {_quiet(self.spec.type, python=True)}"
        return f"if ({condition}) return {_quiet(self.spec.type)};"


def _same_line(one: LineInfo, other: LineInfo) -> bool:
    return (one.file, one.line) == (other.file, other.line)


def _quiet(type_: ProgramType, *, python: bool = False) -> str:
    """The result that lets things be: XDP_PASS and its like, else 0."""
    verdicts = type_.value.verdicts
    for member in verdicts or ():
        if member.name in ("PASS", "OK"):
            prefix = {"XdpAction": "XDP_", "TcAction": "TC_ACT_", "SkAction": "SK_"}
            if python:
                return f"{verdicts.__name__}.{member.name}" if verdicts is not None else "0"
            known = prefix.get(verdicts.__name__) if verdicts is not None else None
            return f"{known}{member.name}" if known else str(int(member))
    return "0"


def _packet(
    place: _Place, refusal: Refusal, value: Reg, access: tuple[int, int, int]
) -> Advice:  # fmt: skip
    start, size, limit = access
    insn = place.insn
    need = insn.offset + size if isinstance(insn, Load | Store) else size
    name = place.pointer(refusal, value)
    if value.scalar.smin < 0:
        return Advice(
            f"that the offset in {name} is not negative ({value.scalar!r})",
            "make the offset unsigned, or bound it on both sides, before it is added",
        )
    if value.scalar.umax + start + size > MAX_PACKET_OFFSET + size:
        return Advice(
            f"a bound of the offset in {name}: {value.scalar!r} is beyond any packet",
            f"{place.after(value.pc)}: bound the offset, by & 0xfff or a comparison, before it is "
            "added to the pointer; then compare the pointer with data_end",
        )
    proven = f"{limit} bytes from its start" if limit else "nothing"
    missing = f"that {name} + {need} is not behind data_end: {proven} proven on this path"
    if place.python:
        text = f"take a view of {need} bytes or more from the context, and test it for None"
        return Advice(missing, f"{place.after(value.pc)}: {text}")
    member = place.line is not None and f"{name}->" in place.line.text.replace(" ", "")
    end = f"(void *)({name} + 1)" if member else f"(void *){name} + {need}"
    if place.line is None:
        end = f"{name} + {need}"
    return Advice(
        missing, f"{place.after(value.pc)}: {place.leaves(f'{end} > data_end', '')}"
    )  # fmt: skip


def _region(
    place: _Place, refusal: Refusal, value: Reg, access: tuple[int, int, int]
) -> Advice:  # fmt: skip
    start, size, limit = access
    what = f"a value of map {value.map}" if value.kind is RegKind.MAP_VALUE else "the memory"
    most = limit - start - size
    if value.scalar.is_const:
        return Advice(
            f"{start + value.scalar.smin + size - limit} more bytes in {what}, which has {limit}",
            f"make it larger, or access less: offset {start + value.scalar.smin} and {size} bytes "
            f"end behind {limit}",
        )
    if most < 0:
        return Advice(f"room for {size} bytes in {what}: it has {limit}, from offset {start} on")
    step = value.scalar.mask & -value.scalar.mask or 1
    largest, name = most // step, place.index()
    word = name.removeprefix("the ")
    parts = [f"that {name} is at most {largest}"]
    if value.scalar.smin < 0:
        parts.append("and not negative")
    bound = _compared_at(place.spec, value)
    if bound is not None:
        let = value.scalar.umax // step
        parts.append(f"(the comparison of {place.at(bound)} lets {let} through)")
    check = place.leaves(f"{word} > {largest}", f"{word} > {largest}")
    mask = (1 << (largest + 1).bit_length() - 1) - 1
    masked = f", or index with {word} & {mask}" if 0 < mask < _MASKS else ""
    if refusal.reg is not None and place.line is None:
        check = f"if the offset > {most} goto out"
        masked = ""
    return Advice(" ".join(parts), f"before {place.at(refusal.pc)}: {check}{masked}")


def _compared_at(spec: ProgramSpec, value: Reg) -> int | None:
    """The newest comparison that bounds the number which the pointer was moved by."""
    work = [value]
    for _ in range(64):
        if not work:
            return None
        reg = work.pop(0)
        inside = 0 <= reg.pc < len(spec.slots)
        if reg.kind is RegKind.SCALAR and inside and isinstance(spec.slots[reg.pc], JumpIf):
            return reg.pc
        work += [parent for parent in (reg.p1, reg.p2) if parent is not None]
    return None


def _null(place: _Place, refusal: Refusal, value: Reg) -> Advice:
    name = place.pointer(refusal, value)
    check = place.leaves(f"!{name}", f"{name} is None")
    if place.line is None:
        check = f"if {name} == 0 goto out"
    return Advice(f"that {name} is not NULL", f"{place.after(value.pc)}: {check}")


def _unset(place: _Place, reg: int) -> Advice:
    missing = f"a value in R{reg} on every path that comes here"
    if reg == 0 and isinstance(place.insn, Exit):
        return Advice(missing, "return a number on every path")
    if 1 <= reg <= 5:
        for pc in range(place.pc - 1, -1, -1):
            insn = place.spec.slots[pc]
            if isinstance(insn, Call):
                where = f"{callee(insn)} at {place.at(pc)}"
                return Advice(missing, f"{where} leaves R1-R5 without values: keep it in R6-R9")
    return Advice(missing, f"before {place.at(place.pc)}: give it a value on every path")


def _lost(place: _Place, refusal: Refusal, value: Reg) -> Advice:
    name = place.pointer(refusal, value)
    pointer = was_pointer(value)
    missing = f"that {name} is a pointer: it is {plain_name(value)}"
    if pointer is None:
        source = place.spec.slots[value.pc] if 0 <= value.pc < len(place.spec.slots) else None
        if isinstance(source, Load):
            return Advice(
                missing, f"it was loaded from memory at {place.at(value.pc)}, where the verifier "
                "does not know pointers: read what it points to by bpf_probe_read_kernel",
            )  # fmt: skip
        return Advice(missing)
    ended = value
    while ended.p1 is not None and ended.p1.kind is RegKind.SCALAR:
        ended = ended.p1
    insn = place.spec.slots[ended.pc] if 0 <= ended.pc < len(place.spec.slots) else None
    was = plain_name(pointer)
    if isinstance(insn, Call) and pointer.kind in (
        RegKind.PACKET, RegKind.PACKET_META, RegKind.PACKET_END
    ):  # fmt: skip
        return Advice(
            f"that {name} is still {was}: {callee(insn)} at {place.at(ended.pc)} may have moved "
            "the packet",
            f"after {place.at(ended.pc)}: load ctx->data and ctx->data_end again, and compare "
            "again",
        )
    if isinstance(insn, Call):
        text = f"{callee(insn)} at {place.at(ended.pc)} ended it"
        return Advice(f"that {name} is still {was}: {text}", "use it before that call")
    if pointer.nullable:
        return Advice(f"that {name} is not NULL: on this path it is", "use it on the other side")
    return Advice(
        f"that {name} is still {was}: {place.at(ended.pc)} made a number of it",
        "keep the pointer in a variable of its own, and add the offset to that one",
    )


def capacity(spec: ProgramSpec, pointer: Reg | None) -> int | None:
    """How many bytes there are behind a pointer, at least; None where that is not known."""
    if pointer is None:
        return None
    at = pointer.off + pointer.scalar.umax
    match pointer.kind:
        case RegKind.MAP_VALUE:
            row = spec.map_named(pointer.map)
            return row.value_size - at if row is not None and at < row.value_size else None
        case RegKind.MEM:
            return pointer.range - at if at < pointer.range else None
        case RegKind.STACK if pointer.scalar.is_const:
            return -(pointer.off + pointer.scalar.smin)
        case _:
            return None


def _size(place: _Place, refusal: Refusal, value: Reg, room: int | None) -> Advice:
    scalar = value.scalar
    name = place.variable(refusal.reg, value) or "the size"
    most = f"{room}" if room else "the memory's length"
    row = _helper(place.insn)
    arg = row.args[(refusal.reg or 1) - 1] if row is not None else None
    least = 0 if arg is not None and arg.kind is ArgKind.CONST_SIZE_OR_ZERO else 1
    wanted = f"that {name} is from {least} to {most}: it is {scalar!r}"
    before = f"before {place.at(place.pc)}"
    too_large = room is not None and scalar.umax > room
    if not too_large and scalar.smin >= 0 and scalar.umax < MAX_VAR_SIZE:
        return Advice(wanted, f"{before}: {place.leaves(f'{name} == 0', f'{name} == 0')}")
    if room is None:
        return Advice(wanted)
    c, python = f"{name} > {room}", f"{name} > {room}"
    if least and scalar.umin == 0:
        c, python = f"{name} == 0 || {c}", f"{name} == 0 or {python}"
    return Advice(wanted, f"{before}: {place.leaves(c, python)}")


def _offset(place: _Place, spec: ProgramSpec, value: Reg, pointer: Reg | None) -> Advice:
    most: int | None = None
    if pointer is not None and pointer.kind is RegKind.MAP_VALUE:
        row = spec.map_named(pointer.map)
        most = row.value_size - 1 if row is not None else None
    elif pointer is not None and pointer.kind in (RegKind.PACKET, RegKind.PACKET_META):
        most = MAX_PACKET_OFFSET
    text = f"bounds of the offset: it is {value.scalar!r}"
    if most is None:
        return Advice(text)
    check = place.leaves(f"offset > {most}", f"offset > {most}")
    return Advice(text, f"before {place.at(place.pc)}: {check} (with an unsigned offset)")


def _leak(place: _Place, acquired: int) -> Advice:
    insn = place.spec.slots[acquired] if acquired < len(place.spec.slots) else None
    name = callee(insn) if isinstance(insn, Call) else "the call"
    release = _RELEASES.get(name.removeprefix("bpf_"), "its release function")
    return Advice(
        f"the release of what {name} acquired at {place.at(acquired)}",
        f"call {release} on every path from {place.at(acquired)} to {place.at(place.pc)}",
    )


def _range(place: _Place, value: Reg, low: int, high: int) -> Advice:
    wanted = f"that the result is in {low}..={high}: it is {value.scalar!r}"
    if value.scalar.is_const:
        return Advice(wanted, f"return a number of {low}..={high}")
    if low == 0:
        check = place.leaves(f"result > {high}", f"result > {high}")
        return Advice(wanted, f"before {place.at(place.pc)}: {check} (with an unsigned result)")
    return Advice(wanted, f"before {place.at(place.pc)}: return {low} where it is neither")


def _unwritten(place: _Place, offset: int) -> Advice:
    """The byte of the stack, and the variable that it belongs to."""
    starts = [
        (row.stack_offset, row.name)
        for row in place.spec.variables
        if row.stack_offset is not None and row.stack_offset <= offset
        and row.start <= place.pc < row.end
    ]  # fmt: skip
    name = max(starts, default=(0, ""))[1]
    whose = f" ({name})" if name else ""
    missing = f"a write of stack byte {offset}{whose} on every path that comes here"
    if name and not place.python:
        return Advice(missing, f"initialise {name} whole, padding too: = {{}}, or memset")
    return Advice(missing, f"before {place.at(place.pc)}: write every byte, padding too")


def _argument(place: _Place, number: int) -> Advice:
    row = _helper(place.insn)
    if row is None or not 1 <= number <= len(row.args):
        return Advice()
    arg = row.args[number - 1]
    kind = arg.kind.name.lower().replace("_", " ")
    null = " or NULL" if arg.nullable else ""
    return Advice(
        f"a {kind}{null} as argument {number} ({arg.name}) of bpf_{row.name}",
        f"see what it takes: beebox helpers {row.name}",
    )


def _helper(insn: object) -> Helper | None:
    if isinstance(insn, Call) and insn.kind is CallKind.HELPER and isinstance(insn.target, int):
        return HELPERS.get(insn.target)
    return None
