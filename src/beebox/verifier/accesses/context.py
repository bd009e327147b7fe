"""The context: which of its fields a program may load and store, and what a loaded field is."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Struct
from beebox.tables.contexts import Context, ContextField, FieldKind
from beebox.verifier.btf_pointers import contexts
from beebox.verifier.btf_pointers.kernel import kernel_struct
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import of_size
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PACKET, PtrFlag, Reg

_POINTERS: Final = {
    FieldKind.PACKET: PACKET,
    FieldKind.PACKET_END: RegKind.PACKET_END,
    FieldKind.PACKET_META: RegKind.PACKET_META,
    FieldKind.FLOW_KEYS: RegKind.FLOW_KEYS,
    FieldKind.SOCK_COMMON_OR_NULL: RegKind.SOCK_COMMON,
    FieldKind.SOCKET: RegKind.SOCKET,
    FieldKind.SOCKET_OR_NULL: RegKind.SOCKET,
    FieldKind.TRACEPOINT_BUFFER: RegKind.TP_BUFFER,
}
_NULLABLE: Final = (FieldKind.SOCK_COMMON_OR_NULL, FieldKind.SOCKET_OR_NULL)


def load(path: Path, base: Reg, number: int, offset: int, size: int) -> Reg:
    """What a load from the context gives."""
    attach = path.attach
    if attach is not None:
        _require_start(path, base, number, attach.name)
        return contexts.load(path, attach, base, number, offset, size)
    field = _field(path, base, number, offset, size, write=False)
    if field.kind is FieldKind.SCALAR:
        return path.number(of_size(size))
    if field.kind is FieldKind.TRUSTED_BTF_ID:
        return kernel_struct(path, field.type_name, PtrFlag.TRUSTED)
    kind = _POINTERS.get(field.kind)
    if kind is None:
        raise Refusal(
            "not-supported", path.pc, f"field {field.name} holds a {field.kind.name.lower()}, "
            "which is not verified yet",
        )  # fmt: skip
    nullable = field.kind in _NULLABLE
    return path.pointer(kind, nullable=nullable, id_=path.new_id() if nullable else 0)


def store(path: Path, base: Reg, number: int, offset: int, size: int) -> None:
    """Check a store into the context. Whatever was stored, a load gives just a number."""
    if path.attach is not None:
        _require_start(path, base, number, path.attach.name)
        raise Refusal(
            "context-access", path.pc, f"the arguments of {path.attach.name} are only read",
            kernel=f"invalid bpf_context access off={offset} size={size}", values=(base,),
            reg=number,
        )  # fmt: skip
    _field(path, base, number, offset, size, write=True)


def _field(
    path: Path, base: Reg, number: int, offset: int, size: int, *, write: bool
) -> ContextField:
    context = path.spec.type.value.context
    if context is None:
        raise Refusal("not-supported", path.pc, f"the context of {path.spec.type.name} programs")
    _require_start(path, base, number, context.name)
    field = context.field_at(offset, size, write=write)
    if field is not None and (seen := _seen_by(field, write=write)):
        attach = path.attach_type
        if attach is None or attach.name.lower() not in seen:
            field = None
    if field is None:
        raise Refusal(
            "context-access", path.pc, _why(path, context, offset, size, write=write),
            kernel=f"invalid bpf_context access off={offset} size={size}",
            values=(base,), reg=number,
        )  # fmt: skip
    if path.release is not None:
        path.release.require(field.since, path.pc, f"{context.name}.{field.name}")
    return field


def _require_start(path: Path, base: Reg, number: int, name: str) -> None:
    if base.off or not (base.scalar.is_const and base.scalar.value == 0):
        raise Refusal(
            "context-access", path.pc,
            f"R{number} no longer points to the start of {name}: it was moved by "
            + (f"{base.off}" if base.scalar.is_const else "a variable offset"),
            kernel=f"dereference of modified ctx ptr R{number} off={base.off} disallowed",
            values=(base,), reg=number,
        )  # fmt: skip


def _seen_by(field: ContextField, *, write: bool) -> tuple[str, ...]:
    """The attach types whose programs may access the field; empty: all of them."""
    return (field.store_types if write else ()) or field.attach_types


def _why(path: Path, context: Context, offset: int, size: int, *, write: bool) -> str:
    """The refused access in words: with the field's name and what is allowed there, if any is."""
    verb = "write" if write else "read"
    type_name = path.spec.type.value.name
    for field in context.fields:
        if field.offset <= offset < field.offset + field.size:
            sizes = field.writes if write else field.reads
            if not sizes:
                return f"{type_name} programs may not {verb} {context.name}.{field.name}"
            seen = _seen_by(field, write=write)
            if seen and size in sizes:
                types = ", ".join(seen)
                return f"only {types} programs may {verb} {context.name}.{field.name}"
            listed = ", ".join(str(allowed) for allowed in sizes)
            return (
                f"{size} bytes at offset {offset} are no legal {verb} of {context.name}."
                f"{field.name}: {listed} bytes, aligned, from offset {field.offset}"
            )
    member = _member(path.spec.btf, context.name, offset)
    if member:
        return f"{type_name} programs may not {verb} {context.name}.{member}"
    return f"{type_name} programs may {verb} nothing at offset {offset} of {context.name}"


def _member(btf: Btf | None, name: str, offset: int) -> str:
    """What the program's own types call the field there; empty if they say nothing of it."""
    if btf is None:
        return ""
    rows = (btf.type(each) for each in btf.kinded(name, Struct))
    members = (member for row in rows if isinstance(row, Struct) for member in row.members)
    return next((each.name for each in members if each.bit_offset == 8 * offset), "")
