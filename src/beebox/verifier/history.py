"""Why a value is what it is: the steps that made it, told from the value graph."""

from __future__ import annotations

from beebox.obj.model import ProgramSpec
from beebox.verifier.findings import Refusal
from beebox.verifier.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import ANY
from beebox.verifier.value import Reg

_MOST_STEPS = 6


def causal_path(spec: ProgramSpec, refusal: Refusal) -> tuple[tuple[int, str], ...]:
    """``(pc, text)``, oldest first: the newest steps of the values at fault, one a source line."""
    seen: set[Reg] = set()
    work = list(refusal.values)
    while work and len(seen) < 4096:
        value = work.pop()
        if value in seen or value.pc < 0:
            continue
        seen.add(value)
        work.extend(parent for parent in (value.p1, value.p2) if parent is not None)
    steps: dict[tuple[str, int] | int, tuple[int, str]] = {}
    for value in sorted(seen, key=lambda reg: reg.serial):
        place = spec.line_at(value.pc)
        key = (place.file, place.line) if place is not None else value.pc
        steps.pop(key, None)  # the last value that a line makes stands for the line
        steps[key] = (value.pc, describe(value))
    return tuple(steps.values())[-_MOST_STEPS:]


def describe(value: Reg) -> str:
    """An abstract value in words."""
    where = f"at offset {value.off}"
    if not value.scalar.is_const:
        where += f" + ({value.scalar!r})"
    match value.kind:
        case RegKind.SCALAR:
            if value.scalar is ANY:
                return "a number, nothing known of it"
            return f"the number {value.scalar!r}" if value.scalar.is_const else (
                f"a number in {value.scalar!r}"
            )  # fmt: skip
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
