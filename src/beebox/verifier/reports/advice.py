"""What a finding lacks, and what to write: texts with the numbers, names and lines of the program.

The table's hint is what remains to be said where nothing more is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from beebox.isa.instruction import Call, CallKind, Exit, Jump, JumpIf, Load, MayGoto, Store
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPERS, ArgKind, Helper
from beebox.tables.limits import MAX_PACKET_OFFSET, MAX_STACK_BYTES, MAX_VAR_SIZE
from beebox.verifier.fields import locks
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import U32
from beebox.verifier.path import Path
from beebox.verifier.reports.held_advice import leak, locked
from beebox.verifier.reports.history import callee, was_pointer
from beebox.verifier.reports.names import plain_name
from beebox.verifier.reports.places import Place
from beebox.verifier.result import Evidence, RegKind
from beebox.verifier.states.state import HeldKind
from beebox.verifier.states.value import Reg

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
    place = Place(spec, refusal.pc)
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
        case "reference-leak" if path is not None:
            leaked = next((each for each in path.state.refs if each.kind is HeldKind.PTR), None)
            return Advice(*leak(place, leaked)) if leaked is not None else Advice()
        case "lock-held" if path is not None and (lock := locks.held(path)) is not None:
            return Advice(*locked(place, lock))
        case "stack-bounds" if value is not None and value.kind is RegKind.STACK:
            return _frame(place, refusal, value, path)
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
        case "context-access" if value is not None and isinstance(place.insn, Store):
            return _field_written(place, path)
        case "context-access" if value is not None and isinstance(place.insn, Load):
            return _field_read(place, place.insn)
        case _:
            return Advice()


def unroll(spec: ProgramSpec, refusal: Refusal, kept: Mapping[int, int]) -> str:
    """What to do about a loop with too many rounds; empty where it is none.

    ``kept``: how many states were kept, by pc.
    """
    most, back = 0, -1
    for pc, insn in enumerate(spec.slots):
        if isinstance(insn, Jump | JumpIf | MayGoto) and insn.offset < 0:
            inside = sum(kept.get(each, 0) for each in range(pc + 1 + insn.offset, pc + 1))
            if inside > most:
                most, back = inside, pc
    if not most:
        return ""
    return (
        f"most of it was the loop of {Place(spec, refusal.pc).at(back)}, whose rounds are followed "
        "one by one: bound their number by a small constant, or let bpf_loop or bpf_for count"
    )


def _packet(
    place: Place, refusal: Refusal, value: Reg, access: tuple[int, int, int]
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
    before = f"before {place.at(place.pc)}"  # where all that the check names is in scope
    if place.python:
        text = f"take a view of {need} bytes or more from the context, and test it for None"
        return Advice(missing, f"{before}: {text}")
    member = place.line is not None and f"{name}->" in place.line.text.replace(" ", "")
    end = f"(void *)({name} + 1)" if member else f"(void *){name} + {need}"
    if place.line is None:
        end = f"{name} + {need}"
    if " " in name:
        text = f"compare the access's address + {need} with data_end, and leave if it is greater"
        return Advice(missing, f"{before}: {text}")
    return Advice(missing, f"{before}: {place.leaves(f'{end} > data_end', '')}")


def _region(
    place: Place, refusal: Refusal, value: Reg, access: tuple[int, int, int]
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
    if start < 0 <= limit - size:  # the number was moved down before it became an offset
        largest, least = (limit - size) // step, (start + value.scalar.smin) // step
        c, python = f"{word} < 0 || {word} > {largest}", f"{word} < 0 or {word} > {largest}"
        return Advice(
            f"that {name} is from 0 to {largest}: it may be {least}",
            f"before {place.at(refusal.pc)}: {place.leaves(c, python)}",
        )
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


def _null(place: Place, refusal: Refusal, value: Reg) -> Advice:
    name = place.pointer(refusal, value)
    check = place.leaves(f"!{name}", f"{name} is None")
    if " " in name:
        check = "leave where it is NULL"
    if place.line is None:
        check = f"if {name} == 0 goto out"
    where = place.behind(value.pc) if place.assigns(name, value) else place.after(value.pc)
    return Advice(f"that {name} is not NULL", f"{where}: {check}")


def _unset(place: Place, reg: int) -> Advice:
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


def _lost(place: Place, refusal: Refusal, value: Reg) -> Advice:
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
            f"after {place.at(ended.pc)}: load data and data_end of the context again, and "
            "compare again",
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


def _size(place: Place, refusal: Refusal, value: Reg, room: int | None) -> Advice:
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
    if scalar.umax > U32 and scalar.s32_max <= room:
        return Advice(
            wanted,
            f"what was compared are the low 32 bits of {name}, and the others are not known: make "
            f"it a 64-bit variable without sign (__u64 {name}), and compare that with {room}",
        )
    c, python = f"{name} > {room}", f"{name} > {room}"
    if scalar.smin < 0:  # a comparison of signed numbers lets the negative ones through
        c, python = f"{name} < {least} || {c}", f"{name} < {least} or {python}"
    elif least and scalar.umin == 0:
        c, python = f"{name} == 0 || {c}", f"{name} == 0 or {python}"
    return Advice(wanted, f"{before}: {place.leaves(c, python)}")


def _size_given(place: Place, refusal: Refusal, path: Path | None) -> int:
    """The size behind the pointer among a helper's arguments; 0 where there is none."""
    row, number = _helper(place.insn), refusal.reg or 0
    sizes = (ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO)
    if row is None or path is None or not 0 < number < len(row.args):
        return 0
    held = path.regs[number + 1]
    return held.scalar.umax if held is not None and row.args[number].kind in sizes else 0


def _frame(place: Place, refusal: Refusal, value: Reg, path: Path | None) -> Advice:
    """An index into an array on the stack: at most to the frame's end."""
    size = refusal.access[1] if refusal.access is not None else 0
    if not size and isinstance(place.insn, Load | Store):
        size = place.insn.size.value.bytes
    room = -(value.off + value.scalar.smin)
    given = _size_given(place, refusal, path)
    if value.scalar.is_const and 0 < room < given:
        return Advice(
            f"that at most {room} bytes are given: they may be {given}",
            f"before {place.at(place.pc)}: bound the size by {room}, or make the buffer larger",
        )
    inside = isinstance(place.insn, Load | Store)
    start = value.off + (place.insn.offset if isinstance(place.insn, Load | Store) else 0)
    if value.scalar.is_const or not size or not inside or not -MAX_STACK_BYTES <= start < 0:
        return Advice()
    step = value.scalar.mask & -value.scalar.mask or 1
    most, name = (-start - size) // step, place.index()
    if most < 0:
        return Advice()
    word = name.removeprefix("the ")
    c, python = f"{word} > {most}", f"{word} > {most}"
    if value.scalar.smin < 0:
        c, python = f"{word} < 0 || {c}", f"{word} < 0 or {python}"
    return Advice(
        f"that {name} is from 0 to {most}, so that the access ends in the stack frame",
        f"before {place.at(place.pc)}: {place.leaves(c, python)}",
    )


def _field_written(place: Place, path: Path | None) -> Advice:
    """What a program of the type may write in its context."""
    row = place.spec.type.value.context
    attach = path.attach_type.name.lower() if path is not None and path.attach_type else None
    if row is None:
        return Advice()
    names = [
        field.name
        for field in row.fields
        if field.writes
        and (not (seen := field.store_types or field.attach_types) or attach in seen)
    ]
    missing = "a field that programs of this type may write, whole"
    if not names:
        return Advice(missing, f"keep it elsewhere: {row.name} is only read by these programs")
    return Advice(missing, f"of {row.name}, these programs may write {', '.join(names)}")


def _field_read(place: Place, insn: Load) -> Advice:
    """For a field that programs of the type do not see."""
    row = place.spec.type.value.context
    fields = row.fields if row is not None else ()
    if any(each.offset <= insn.offset < each.offset + each.size for each in fields):
        return Advice()
    return Advice(
        "a field of the context that programs of this type may read",
        f"see which ones they may: beebox program-types {place.spec.type.value.name}",
    )


def _offset(place: Place, spec: ProgramSpec, value: Reg, pointer: Reg | None) -> Advice:
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


def _range(place: Place, value: Reg, low: int, high: int) -> Advice:
    wanted = f"that the result is in {low}..={high}: it is {value.scalar!r}"
    if value.scalar.is_const:
        return Advice(wanted, f"return a number of {low}..={high}")
    if low == 0:
        check = place.leaves(f"result > {high}", f"result > {high}")
        return Advice(wanted, f"before {place.at(place.pc)}: {check} (with an unsigned result)")
    return Advice(wanted, f"before {place.at(place.pc)}: return {low} where it is neither")


def _unwritten(place: Place, offset: int) -> Advice:
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


def _argument(place: Place, number: int) -> Advice:
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
