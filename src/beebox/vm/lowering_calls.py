"""Calls as LLVM text: map operations directly to their map's code, helpers by name, subprograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from beebox.errors import InternalError, NotSupportedError
from beebox.isa.instruction import Alu, Reg
from beebox.maps import abi
from beebox.maps.code import MapCode
from beebox.obj.model import MapSpec
from beebox.tables.helpers import HELPERS, ArgKind, Helper, RetKind
from beebox.tables.opcodes import AluOp
from beebox.vm.body import UNREACHED, Body

MAP_LOOKUP: Final = 1
MAP_UPDATE: Final = 2
MAP_DELETE: Final = 3
MAP_HELPERS: Final = frozenset({*abi.HELPERS, abi.TAIL_CALL})
"""Helpers that are in the maps' own code."""

_POINTERS: Final = frozenset(
    {
        ArgKind.CONST_MAP_PTR,
        ArgKind.MAP_KEY,
        ArgKind.MAP_VALUE,
        ArgKind.MEM,
        ArgKind.CTX,
        ArgKind.CONST_STR,
    }
)

_NUMBERS: Final = frozenset({RetKind.INTEGER})
_SOCKETS: Final = frozenset(
    {RetKind.SOCKET_OR_NULL, RetKind.TCP_SOCK_OR_NULL, RetKind.SOCK_COMMON_OR_NULL}
)


MAX_COPIED_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class HelperCode:
    """A helper as native code: ``i64 @symbol(ptr %rt, args...)``.

    ``args`` says which of R1-R5 it takes, in order: pointers arrive as ptr, numbers and sockets as
    i64; a socket is given as an i64, too. ``ir``
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
    result: str,
) -> None:
    """A helper call: R0 is a pointer for a map lookup, else a number.

    ``result`` is the LLVM type of the function around it, which a tail call ends.
    """
    if target in MAP_HELPERS:
        _lower_map_helper(body, pc, target, maps, result)
        return
    code = helpers.get(target)
    row = HELPERS.get(target)
    if code is None or row is None:
        raise NotSupportedError(f"helper {row.name if row else target} at insn {pc}")
    if row.ret not in _NUMBERS | _SOCKETS:
        raise InternalError(f"helper {row.name}: native code does not give a {row.ret.name}")
    args = ["ptr %rt"]
    for position, kind in enumerate(code.args, start=1):
        reg = Reg(position)
        if kind not in _POINTERS:
            args.append(f"i64 {body.integer(pc, reg)}")
            continue
        size = _memory_size(body, pc, row, position) if kind is ArgKind.MEM else None
        args.append(f"ptr {_memory(body, pc, reg, size)}")
    number = body.value(f"call i64 @{code.symbol}({', '.join(args)})")
    if row.ret in _SOCKETS:
        body.set_pointer(0, body.value(f"inttoptr i64 {number} to ptr"))
    else:
        body.set_integer(0, number)


def _lower_map_helper(
    body: Body, pc: int, target: int, maps: Mapping[str, MapCode], result: str
) -> None:
    """A call of the map's code; where the map's register may hold several, its handle decides.

    A map that a program knows has its storage's address for a handle, an inner one its table.
    """
    reg = Reg.R2 if target == abi.TAIL_CALL else Reg.R1
    fact = body.fact(pc, reg)
    name = fact.map if fact is not None else None
    if name is not None and name in maps:
        _call_known(body, pc, target, name, maps[name], result)
        return
    handle = body.pointer(pc, reg)
    if name is not None:
        _call_inner(body, pc, target, handle, body.program.spec.map_named(name))
        return
    helper = HELPERS[target].name
    for number, known in enumerate(sorted(body.program.maps)):
        if helper not in body.program.spec.maps[known].type.value.helpers:
            continue
        label = f"map{pc}.{number}"
        same = body.value(f"icmp eq ptr {handle}, @{maps[known].storage}")
        body.line(f"br i1 {same}, label %{label}, label %{label}.not")
        body.lines.append(f"{label}:")
        _call_known(body, pc, target, known, maps[known], result)
        body.line(f"br label %map{pc}.done")
        body.lines.append(f"{label}.not:")
    if target != abi.TAIL_CALL and any(row.inner for row in body.program.spec.maps.values()):
        _call_inner(body, pc, target, handle, None)
        body.line(f"br label %map{pc}.done")
    else:
        body.line(f"br label %{UNREACHED}")
        body.unreached = True
    body.lines.append(f"map{pc}.done:")


def _call_known(body: Body, pc: int, target: int, name: str, code: MapCode, result: str) -> None:
    """A call by symbol."""
    if target == abi.TAIL_CALL:
        _tail_call(body, pc, code, result)
        return
    callee = f"@{code.operation(abi.HELPERS[target])}"
    _call_map(body, pc, target, callee, body.program.spec.maps[name])


def _call_inner(body: Body, pc: int, target: int, handle: str, spec: MapSpec | None) -> None:
    """A call through the table that ``handle`` is the address of."""
    position = 8 * abi.TABLE.index(abi.HELPERS[target])
    at = body.value(f"getelementptr i8, ptr {handle}, i64 {position}")
    _call_map(body, pc, target, body.value(f"load ptr, ptr {at}, align 8"), spec)


def _call_map(body: Body, pc: int, target: int, callee: str, spec: MapSpec | None) -> None:
    """A map's operation; without ``spec`` the sizes of key and value are unknown."""
    row = HELPERS[target]
    args = ["ptr %rt"]
    for number, arg in enumerate(row.args[1:], start=2):
        reg = Reg(number)
        match arg.kind:
            case ArgKind.MAP_KEY | ArgKind.MAP_VALUE:
                size = _element_size(arg.kind, spec)
                address = _memory(body, pc, reg, size)
                if row.ret is not RetKind.MAP_VALUE_OR_NULL and not arg.writes:
                    address = _apart(body, pc, reg, address, size)
                args.append(f"ptr {address}")
            case _:
                args.append(f"i64 {body.integer(pc, reg)}")
    if row.ret is RetKind.MAP_VALUE_OR_NULL:
        body.set_pointer(0, body.value(f"call ptr {callee}({', '.join(args)})"))
    else:
        body.set_integer(0, body.value(f"call i64 {callee}({', '.join(args)})"))


def _element_size(kind: ArgKind, spec: MapSpec | None) -> int | None:
    if spec is None:
        return None
    return spec.key_size if kind is ArgKind.MAP_KEY else spec.value_size


def _apart(body: Body, pc: int, reg: Reg, address: str, size: int | None) -> str:
    """A copy of what an operation that is not inlined only reads, where it lies in a slot.

    So the slot's address goes nowhere, and LLVM keeps the slot in registers for the lookup before:
    loading a key whole that was just stored in parts would wait for the stores.
    """
    if body.form(pc, reg).offset is None or size is None or size > MAX_COPIED_BYTES:
        return address
    copy = body.copy_of(reg, size)
    arguments = f"ptr {copy}, ptr {address}, i64 {size}, i1 false"
    body.line(f"call void @llvm.memcpy.p0.p0.i64({arguments})")
    return copy


def _tail_call(body: Body, pc: int, code: MapCode, result: str) -> None:
    """Go on in another program, whose result is this function's; else with the next instruction."""
    label = f"tail{pc}.{code.symbol}"
    index = body.integer(pc, Reg.R3)
    operation = code.operation("tail_call")
    found = body.value(f"call ptr @{operation}(ptr %rt, i64 {index})")
    none = body.value(f"icmp eq ptr {found}, null")
    body.line(f"br i1 {none}, label %{label}.not, label %{label}")
    body.lines.append(f"{label}:")
    context = body.pointer(pc, Reg.R1)
    left = body.value(f"call i64 {found}(ptr {context}, ptr %rt)")
    if result == "ptr":
        left = body.value(f"inttoptr i64 {left} to ptr")
    body.line(f"ret {result} {left}")
    body.lines.append(f"{label}.not:")


def _memory(body: Body, pc: int, reg: Reg, size: int | None) -> str:
    """The address in ``reg``, of which the callee reaches ``size`` bytes (None: unknown)."""
    offset = body.form(pc, reg).offset
    return body.slot(offset, size) if offset is not None and size else body.pointer(pc, reg)


def _memory_size(body: Body, pc: int, row: Helper, position: int) -> int | None:
    """How many bytes the helper reaches at a MEM argument, where that is known."""
    if position > len(row.args):
        return None
    return row.args[position - 1].fixed_size or _constant_size(body, pc, position + 1)


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
