"""Loads, stores, atomics and 64-bit immediates as LLVM text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from beebox.errors import InternalError, NotSupportedError
from beebox.isa.instruction import Atomic, GlobalRef, Load, LoadImm64, MapRef, Reg, Store
from beebox.maps.code import MapCode
from beebox.tables.contexts import Context, ContextField, FieldKind
from beebox.tables.opcodes import AtomicOp
from beebox.verifier.result import RegKind
from beebox.vm.body import Body
from beebox.vm.contexts import (
    NO_QUEUE_MAPPING,
    STORED_BITS,
    layout_of,
    private_range,
)
from beebox.vm.structure import fetched
from beebox.vm.text import Text

_READ_MODIFY_WRITE: Final = {
    AtomicOp.ADD: "add",
    AtomicOp.OR: "or",
    AtomicOp.AND: "and",
    AtomicOp.XOR: "xor",
    AtomicOp.FETCH_ADD: "add",
    AtomicOp.FETCH_OR: "or",
    AtomicOp.FETCH_AND: "and",
    AtomicOp.FETCH_XOR: "xor",
    AtomicOp.XCHG: "xchg",
}


def lower_imm64(body: Body, pc: int, insn: LoadImm64, maps: Mapping[str, MapCode]) -> None:
    """A number, a map's handle (its storage) or an address in a data section."""
    match insn.value:
        case int(number):
            body.set_integer(insn.dst, str(number))
        case MapRef(name=name):
            body.set_pointer(insn.dst, f"@{maps[name].storage}")
        case GlobalRef(map_name=name, offset=offset):
            code = maps[name]
            if code.value_offset is None:
                raise InternalError(f"insn {pc}: map {name} has no single value")
            where = f"ptr @{code.storage}, i64 {code.value_offset + offset}"
            body.set_pointer(insn.dst, body.value(f"getelementptr i8, {where}"))
        case _:
            raise NotSupportedError(f"{type(insn.value).__name__} at insn {pc} in native code")


def lower_load(body: Body, pc: int, insn: Load) -> None:
    """A load; 8 bytes that the verifier knows as a pointer are loaded as one."""
    fact = body.fact(pc, insn.src)
    if fact is not None and fact.kind is RegKind.CTX:
        _load_context(body, pc, insn)
        return
    size = insn.size.value.bytes
    address = body.address(pc, insn.src, insn.offset, size)
    align = _alignment(body, pc, insn.src, insn.offset, size)
    after = body.form(pc + 1, insn.dst)
    if size == 8 and after.offset is not None:
        body.set_frame(insn.dst, after.offset)
    elif size == 8 and after.pointer:
        body.set_pointer(insn.dst, body.value(f"load ptr, ptr {address}, align {align}"))
    else:
        value = body.value(f"load i{size * 8}, ptr {address}, align {align}")
        _set_widened(body, insn.dst, value, size, signed=insn.signed)


def _context_field(
    body: Body, pc: int, offset: int, size: int, *, write: bool
) -> tuple[Context, ContextField]:
    context = body.program.spec.type.value.context
    field = context.field_at(offset, size, write=write) if context is not None else None
    if context is None or field is None:
        raise InternalError(f"insn {pc}: no context field at {offset}")
    return context, field


def _load_context(body: Body, pc: int, insn: Load) -> None:
    """Uapi offsets become those of the private context, pointers 64 bits wide."""
    size = insn.size.value.bytes
    context, field = _context_field(body, pc, insn.offset, size, write=False)
    at, size = private_range(layout_of(context), field, insn.offset, size)
    address = body.value(f"getelementptr i8, ptr {body.pointer(pc, insn.src)}, i64 {at}")
    if field.kind is not FieldKind.SCALAR:
        body.set_pointer(insn.dst, body.value(f"load ptr, ptr {address}, align 8"))
        return
    value = body.value(f"load i{size * 8}, ptr {address}, align {size}")
    _set_widened(body, insn.dst, value, size, signed=insn.signed)


def _store_context(body: Body, pc: int, insn: Store) -> None:
    """A store to a field, which may keep fewer bits than the program gives it."""
    size = insn.size.value.bytes
    context, field = _context_field(body, pc, insn.offset, size, write=True)
    at, size = private_range(layout_of(context), field, insn.offset, size)
    address = body.value(f"getelementptr i8, ptr {body.pointer(pc, insn.dst)}, i64 {at}")
    kept = STORED_BITS.get(field.name, size * 8)
    if not isinstance(insn.src, Reg):
        value = str(insn.src & ((1 << kept) - 1))
        if field.name == "queue_mapping" and insn.src >= NO_QUEUE_MAPPING:
            return
    else:
        whole = body.integer(pc, insn.src)
        value = _cut(body, whole, size)
        if kept < size * 8:
            value = body.value(f"and i{size * 8} {value}, {(1 << kept) - 1}")
        if field.name == "queue_mapping":
            old = body.value(f"load i{size * 8}, ptr {address}, align {size}")
            fits = body.value(f"icmp ult i64 {whole}, {NO_QUEUE_MAPPING}")
            value = body.value(f"select i1 {fits}, i{size * 8} {value}, i{size * 8} {old}")
    body.line(f"store i{size * 8} {value}, ptr {address}, align {size}")


def lower_store(body: Body, pc: int, insn: Store) -> None:
    """A store; a pointer is stored as one."""
    fact = body.fact(pc, insn.dst)
    if fact is not None and fact.kind is RegKind.CTX:
        _store_context(body, pc, insn)
        return
    size = insn.size.value.bytes
    align = _alignment(body, pc, insn.dst, insn.offset, size)
    if isinstance(insn.src, Reg) and size == 8 and body.form(pc, insn.src).pointer:
        kind, value = "ptr", body.pointer(pc, insn.src)
    elif isinstance(insn.src, Reg):
        kind, value = f"i{size * 8}", _cut(body, body.integer(pc, insn.src), size)
    else:
        kind, value = f"i{size * 8}", str(insn.src & ((1 << size * 8) - 1))
    address = body.address(pc, insn.dst, insn.offset, size)
    body.line(f"store {kind} {value}, ptr {address}, align {align}")


def lower_atomic(body: Body, pc: int, insn: Atomic) -> None:
    """Atomics; the verifier has checked natural alignment."""
    size = insn.size.value.bytes
    base = insn.src if insn.op is AtomicOp.LOAD_ACQUIRE else insn.dst
    address = body.address(pc, base, insn.offset, size)
    source = expected = ""
    if insn.op is not AtomicOp.LOAD_ACQUIRE:
        source = _cut(body, body.integer(pc, insn.src), size)
    if insn.op is AtomicOp.CMPXCHG:
        expected = _cut(body, body.integer(pc, Reg.R0), size)
    old = atomic(body, insn, address, source, expected)
    result = fetched(insn)
    if result is not None:
        _set_widened(body, result, old, size, signed=False)


def atomic(out: Text, insn: Atomic, address: str, source: str, expected: str) -> str:
    """The access to ``address``, which is aligned; the value that was there ("" after a store).

    Ordered as in Linux: what fetches orders all memory around it, the rest is atomic only.
    """
    size = insn.size.value.bytes
    kind = f"i{size * 8}"
    match insn.op:
        case AtomicOp.LOAD_ACQUIRE:
            return out.value(f"load atomic {kind}, ptr {address} acquire, align {size}")
        case AtomicOp.STORE_RELEASE:
            out.line(f"store atomic {kind} {source}, ptr {address} release, align {size}")
            return ""
        case AtomicOp.CMPXCHG:
            order = f"seq_cst seq_cst, align {size}"
            pair = out.value(f"cmpxchg ptr {address}, {kind} {expected}, {kind} {source} {order}")
            return out.value(f"extractvalue {{ {kind}, i1 }} {pair}, 0")
        case op:
            order = f"{'seq_cst' if op.value.fetch else 'monotonic'}, align {size}"
            name = _READ_MODIFY_WRITE[op]
            return out.value(f"atomicrmw {name} ptr {address}, {kind} {source} {order}")


def _alignment(body: Body, pc: int, reg: Reg, offset: int, size: int) -> int:
    form = body.form(pc, reg)
    return size if form.offset is not None and (form.offset + offset) % size == 0 else 1


def _cut(body: Body, value: str, size: int) -> str:
    return value if size == 8 else body.value(f"trunc i64 {value} to i{size * 8}")


def _set_widened(body: Body, reg: Reg, value: str, size: int, *, signed: bool) -> None:
    if size < 8:
        extend = "sext" if signed else "zext"
        value = body.value(f"{extend} i{size * 8} {value} to i64")
    body.set_integer(reg, value)
