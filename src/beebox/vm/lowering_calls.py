"""Calls as LLVM text: map operations directly to their map's code, helpers by name, subprograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from beebox.errors import InternalError, NotSupportedError
from beebox.isa.instruction import Alu, Reg
from beebox.maps.code import MapCode
from beebox.tables.helpers import HELPERS, ArgKind, RetKind
from beebox.tables.opcodes import AluOp
from beebox.vm.body import UNREACHED, Body

MAP_LOOKUP: Final = 1
MAP_UPDATE: Final = 2
MAP_DELETE: Final = 3
MAP_HELPERS: Final = frozenset({MAP_LOOKUP, MAP_UPDATE, MAP_DELETE})

_POINTERS: Final = frozenset(
    {ArgKind.CONST_MAP_PTR, ArgKind.MAP_KEY, ArgKind.MAP_VALUE, ArgKind.MEM, ArgKind.CTX}
)


@dataclass(frozen=True, slots=True)
class HelperCode:
    """A helper as native code: ``i64 @symbol(ptr %rt, args...)``.

    ``args`` says which of R1-R5 it takes, in order: pointers arrive as ptr, numbers as i64. ``ir``
    is the module text that defines the symbol.
    """

    symbol: str
    ir: str
    args: tuple[ArgKind, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A subprogram as an LLVM function: the types of its live arguments and of its result."""

    symbol: str
    args: tuple[tuple[int, str], ...]  # register, LLVM type
    result: str


def lower_helper(
    body: Body,
    pc: int,
    target: int,
    maps: Mapping[str, MapCode],
    helpers: Mapping[int, HelperCode],
) -> None:
    """A helper call: R0 is a pointer for a map lookup, else a number."""
    if target in MAP_HELPERS:
        _lower_map_helper(body, pc, target, maps)
        return
    code = helpers.get(target)
    row = HELPERS.get(target)
    if code is None or row is None:
        raise NotSupportedError(f"helper {row.name if row else target} at insn {pc}")
    if row.ret is not RetKind.INTEGER:
        raise InternalError(f"helper {row.name}: native code gives numbers only")
    args = ["ptr %rt"]
    for number, kind in enumerate(code.args, start=1):
        reg = Reg(number)
        if kind not in _POINTERS:
            args.append(f"i64 {body.integer(pc, reg)}")
            continue
        size = _constant_size(body, pc, number + 1) if kind is ArgKind.MEM else None
        args.append(f"ptr {_memory(body, pc, reg, size)}")
    body.set_integer(0, body.value(f"call i64 @{code.symbol}({', '.join(args)})"))


def _lower_map_helper(body: Body, pc: int, target: int, maps: Mapping[str, MapCode]) -> None:
    """A direct call of the map's code; where R1 may hold several maps, its handle decides."""
    fact = body.fact(pc, Reg.R1)
    if fact is not None and fact.map is not None:
        _call_map(body, pc, target, fact.map, maps[fact.map])
        return
    handle = body.pointer(pc, Reg.R1)
    for number, name in enumerate(sorted(body.program.maps)):
        label = f"map{pc}.{number}"
        same = body.value(f"icmp eq ptr {handle}, @{maps[name].storage}")
        body.line(f"br i1 {same}, label %{label}, label %{label}.not")
        body.lines.append(f"{label}:")
        _call_map(body, pc, target, name, maps[name])
        body.line(f"br label %map{pc}.done")
        body.lines.append(f"{label}.not:")
    body.line(f"br label %{UNREACHED}")
    body.unreached = True
    body.lines.append(f"map{pc}.done:")


def _call_map(body: Body, pc: int, target: int, name: str, code: MapCode) -> None:
    spec = body.program.spec.maps[name]
    key = _memory(body, pc, Reg.R2, spec.key_size)
    match target:
        case 1:  # map_lookup_elem
            body.set_pointer(0, body.value(f"call ptr @{code.lookup}(ptr %rt, ptr {key})"))
        case 2:  # map_update_elem
            value = _memory(body, pc, Reg.R3, spec.value_size)
            flags = body.integer(pc, Reg.R4)
            args = f"ptr %rt, ptr {key}, ptr {value}, i64 {flags}"
            body.set_integer(0, body.value(f"call i64 @{code.update}({args})"))
        case _:  # map_delete_elem
            body.set_integer(0, body.value(f"call i64 @{code.delete}(ptr %rt, ptr {key})"))


def _memory(body: Body, pc: int, reg: Reg, size: int | None) -> str:
    """The address in ``reg``, of which the callee reaches ``size`` bytes (None: unknown)."""
    offset = body.form(pc, reg).offset
    return body.slot(offset, size) if offset is not None and size else body.pointer(pc, reg)


def _constant_size(body: Body, pc: int, reg: int) -> int | None:
    """The number moved into ``reg`` just before ``pc``, with no way in between to arrive."""
    for earlier in range(pc - 1, max(body.function.start, pc - 8) - 1, -1):
        insn = body.program.spec.slots[earlier]
        if not isinstance(insn, Alu) or earlier + 1 in body.leaders:
            return None
        if insn.dst == reg:
            return insn.src if insn.op is AluOp.MOV and not isinstance(insn.src, Reg) else None
    return None


def lower_subprogram(body: Body, pc: int, signature: Signature) -> None:
    """A direct call; the caller's frame pointer may be among the arguments."""
    args = []
    for number, kind in signature.args:
        reg = Reg(number)
        value = body.pointer(pc, reg) if kind == "ptr" else body.integer(pc, reg)
        args.append(f"{kind} {value}")
    args.append("ptr %rt")
    result = body.value(f"call {signature.result} @{signature.symbol}({', '.join(args)})")
    if signature.result == "ptr":
        body.set_pointer(0, result)
    else:
        body.set_integer(0, result)
