"""Why a value is what it is: the steps that made it, told from the value graph."""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Call, CallKind, JumpIf, KfuncRef, MayGoto
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPERS
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import ANY
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import AT_END, BEYOND_END, Reg

_MOST_STEPS: Final = 8
_MOST_VALUES: Final = 4096
_PACKET: Final = (RegKind.PACKET, RegKind.PACKET_META)


def causal_path(
    spec: ProgramSpec, refusal: Refusal, *, held: tuple[int, str] | None = None
) -> tuple[tuple[int, str], ...]:
    """``(pc, text)``, oldest first: the newest steps of the values at fault, one a source line.

    ``held``: a step that made no value, which is told first if its line is not told otherwise.
    """
    seen: set[Reg] = set()
    work = list(refusal.values)
    while work and len(seen) < _MOST_VALUES:
        value = work.pop()
        if value in seen or value.pc < 0:
            continue
        seen.add(value)
        work.extend(parent for parent in (value.p1, value.p2) if parent is not None)
    steps: dict[tuple[str, int] | int, tuple[int, str]] = {}
    for value in sorted(seen, key=lambda reg: reg.serial):
        key = _line(spec, value.pc)
        steps.pop(key, None)  # the last value that a line makes stands for the line
        steps[key] = (value.pc, change(spec, value))
    out = tuple(steps.values())[-_MOST_STEPS:]
    if held is not None and _line(spec, held[0]) not in {_line(spec, pc) for pc, _ in out}:
        out = (held, *out)
    return out


def _line(spec: ProgramSpec, pc: int) -> tuple[str, int] | int:
    place = spec.line_at(pc)
    return (place.file, place.line) if place is not None else pc


def was_pointer(value: Reg) -> Reg | None:
    """The pointer that a number was, where a call or arithmetic made a number of it."""
    for _ in range(_MOST_VALUES):
        if value.p1 is None:
            return None
        if value.kind is RegKind.SCALAR and value.p1.kind is not RegKind.SCALAR:
            return value.p1
        value = value.p1
    return None


def change(spec: ProgramSpec, value: Reg) -> str:
    """What the instruction at ``value.pc`` did, in words: the value, and how it differs."""
    old = value.p1
    insn = spec.slots[value.pc] if value.pc < len(spec.slots) else None
    if old is None:
        return describe(value)
    if value.kind is RegKind.SCALAR:
        if old.kind is not RegKind.SCALAR and isinstance(insn, Call):
            return f"{callee(insn)} ends it: {plain_name(old)} is just a number from here on"
        if isinstance(insn, JumpIf | MayGoto) and old.kind is RegKind.SCALAR:
            return f"{describe(value)} from here on, of {old.scalar!r}"
        return describe(value)
    if value.kind is not old.kind:
        return describe(value)
    if old.nullable and not value.nullable:
        return f"not NULL from here on: {describe(value)}"
    if value.kind in _PACKET:
        if value.range in (AT_END, BEYOND_END) and value.range != old.range:
            return "not before the end of the packet on this path"
        if value.range > old.range:
            more = "" if value.scalar.is_const else " behind its variable offset"
            return f"proves bytes 0..{value.range} of the packet{more}"
        if value.id != old.id and old.range > 0:
            return f"{_offset(value)}: what was proven no longer applies"
    return describe(value)


def callee(insn: Call) -> str:
    """What an instruction calls, by name."""
    if insn.kind is CallKind.HELPER and isinstance(insn.target, int) and insn.target in HELPERS:
        return f"bpf_{HELPERS[insn.target].name}"
    return insn.target.name if isinstance(insn.target, KfuncRef) else "the call"


def _offset(value: Reg) -> str:
    where = f"offset {value.off}"
    return where if value.scalar.is_const else f"{where} + ({value.scalar!r})"


def describe(value: Reg) -> str:
    """An abstract value in words."""
    where = f"at {_offset(value)}"
    match value.kind:
        case RegKind.SCALAR:
            if value.scalar is ANY:
                return "a number, nothing known of it"
            text = repr(value.scalar)
            if value.scalar.is_const:
                return f"the number {text}"
            return text if text.startswith("any number") else f"a number in {text}"
        case RegKind.PACKET | RegKind.PACKET_META:
            name = "packet" if value.kind is RegKind.PACKET else "packet metadata"
            if value.range > 0:
                return f"{name} pointer {where}: bytes 0..{value.range} proven"
            return f"{name} pointer {where}: nothing proven"
        case RegKind.PACKET_END:
            return "the end of the packet"
        case RegKind.MAP_VALUE:
            null = ", or NULL" if value.nullable else ""
            return f"pointer to a value of map {value.map} {where}{null}"
        case RegKind.MAP_KEY:
            return f"pointer to a key of map {value.map} {where}"
        case RegKind.FUNC:
            return f"the address of the function at insn {value.range}"
        case RegKind.MAP:
            return f"the map {value.map}"
        case RegKind.CTX:
            return f"the context {where}"
        case RegKind.STACK:
            return f"stack pointer {where}"
        case RegKind.FLOW_KEYS:
            return f"the flow keys {where}"
        case RegKind.BTF_ID if value.type is not None:
            null = ", or NULL" if value.nullable else ""
            return f"pointer to struct {value.type.name} {where}{null}"
        case RegKind.BTF_ID | RegKind.BUF | RegKind.TP_BUFFER | RegKind.ARENA | RegKind.DYNPTR:
            named = f" {value.type.name}" if value.type is not None else ""
            return f"{plain_name(value)}{named} {where}"
        case RegKind.SOCK_COMMON | RegKind.SOCKET | RegKind.TCP_SOCK | RegKind.XDP_SOCK:
            return plain_name(value)
        case RegKind.MEM:
            null = ", or NULL" if value.nullable else ""
            return f"pointer to {value.range} bytes of memory {where}{null}"
        case RegKind.MIXED:
            return "a pointer or a number"
