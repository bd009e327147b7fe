"""Loads from contexts that BTF describes: arguments of a function, and its result.

Linux's ``btf_ctx_access``.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Enum, Int, Ptr, Struct
from beebox.obj.model import ProgramSpec
from beebox.tables import lsm
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.btf_pointers.attach import Attach, Null
from beebox.verifier.btf_pointers.walk import pointed
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import of_size, signed_range
from beebox.verifier.numbers.transfer import truncate
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

_MOST_BYTES: Final = 8 * 12
_MAX_ERRNO: Final = 4095


def load(path: Path, attach: Attach, base: Reg, number: int, offset: int, size: int) -> Reg:
    """What a load of ``size`` bytes at ``offset`` of the context gives."""
    if not 0 <= offset < _MOST_BYTES or offset % size or offset % 8:
        raise _refuse(
            path, attach, base, number, offset, size, "arguments begin at multiples of 8 bytes"
        )
    index = _argument_at(attach, offset)
    if index is None:
        raise _refuse(
            path, attach, base, number, offset, size, f"there are {len(attach.params)} arguments"
        )
    if index == len(attach.params):
        return _result(path, attach, base, number, offset, size)
    return _argument(path, attach, base, number, offset, size, index)


def _argument_at(attach: Attach, offset: int) -> int | None:
    """The argument's number; that of the result is behind the last."""
    end = 0
    for index, param in enumerate(attach.params):
        end += _slots(attach.btf, param.type)
        if offset < end:
            return index
    if not attach.shows_result:
        return None
    end += _slots(attach.btf, attach.result)
    return len(attach.params) if offset < end else None


def _slots(btf: Btf, type_id: int) -> int:
    """Bytes of the context that a value takes."""
    row = btf.resolve(type_id)[1] if type_id else None
    if row is None or isinstance(row, Ptr):
        return 8
    return (getattr(row, "size", 8) + 7) // 8 * 8


def _result(path: Path, attach: Attach, base: Reg, number: int, offset: int, size: int) -> Reg:
    row = attach.btf.resolve(attach.result)[1] if attach.result else None
    if path.attach_type is AttachType.MODIFY_RETURN and not (
        isinstance(row, Int) and row.size <= 8
    ):
        raise _refuse(path, attach, base, number, offset, size, "the function returns no number")
    if isinstance(row, Int | Enum | Struct):
        allowed = result_range(path.spec, attach)
        if allowed is None or path.attach_type is not AttachType.LSM_MAC:
            return path.number(of_size(size))
        known = path.number(signed_range(*allowed))
        return path.number(truncate(known.scalar, 8 * size), known) if size < 8 else known
    if isinstance(row, Ptr):
        return _pointer(path, attach, base, number, offset, size, row, None)
    raise _refuse(path, attach, base, number, offset, size, "the function returns nothing")


def _argument(
    path: Path, attach: Attach, base: Reg, number: int, offset: int, size: int, index: int
) -> Reg:
    row = attach.btf.resolve(attach.params[index].type)[1]
    if isinstance(row, Int | Enum | Struct):
        return path.number(of_size(size))
    if not isinstance(row, Ptr):
        raise _refuse(
            path,
            attach,
            base,
            number,
            offset,
            size,
            f"argument {index} is no number and no pointer",
        )
    return _pointer(path, attach, base, number, offset, size, row, index)


def _pointer(
    path: Path,
    attach: Attach,
    base: Reg,
    number: int,
    offset: int,
    size: int,
    row: Ptr,
    index: int | None,
) -> Reg:
    if size != 8:
        raise _refuse(
            path, attach, base, number, offset, size, "a pointer is loaded whole, 8 bytes"
        )
    null = attach.nulls.get(index, Null.NEVER) if index is not None else Null.NEVER
    if null in (Null.RDONLY_BUF, Null.RDWR_BUF):
        flags = PtrFlag.RDONLY if null is Null.RDONLY_BUF else PtrFlag.NONE
        return path.pointer(RegKind.BUF, flags=flags, nullable=True, id_=path.new_id())
    type_id, target, tags = pointed(attach.btf, row)
    if target is None or isinstance(target, Int):
        return path.number(of_size(8))
    if not isinstance(target, Struct):
        raise _refuse(path, attach, base, number, offset, size, "it is no pointer to a struct")
    if null is Null.ERROR:
        return path.number(of_size(8))
    flags = PtrFlag.NONE
    if null is not Null.UNTRUSTED:
        flags = tags & ~PtrFlag.RCU
        if attach.trusted:
            flags |= PtrFlag.TRUSTED
    nullable = null is not Null.NEVER
    type_ = _become(path, attach, path.type_ref(attach.btf, type_id), nullable=nullable)
    return path.pointer(
        RegKind.BTF_ID,
        flags=flags,
        type_=type_,
        nullable=nullable,
        id_=path.new_id() if nullable else 0,
    )


def _become(path: Path, attach: Attach, type_: TypeRef, *, nullable: bool) -> TypeRef:
    """The type that the pointer is taken for, where the struct_ops know more of it."""
    name = attach.ops.becomes.get(type_.name) if attach.ops is not None and not nullable else None
    if name is None:
        return type_
    found = attach.btf.kinded(name, Struct)
    return path.type_ref(attach.btf, found[0]) if found else type_


def result_range(spec: ProgramSpec, attach: Attach) -> tuple[int, int] | None:
    """What a security hook returns, and its program may; None: anything."""
    if spec.type is not ProgramType.LSM or not attach.result:
        return None
    if attach.name.removeprefix("bpf_lsm_") in lsm.BOOLEAN:
        return 0, 1
    return -_MAX_ERRNO, 0


def _refuse(
    path: Path, attach: Attach, base: Reg, number: int, offset: int, size: int, why: str
) -> Refusal:
    return Refusal(
        "context-access", path.pc,
        f"{size} bytes at offset {offset} are no argument of {attach.name}: {why}",
        kernel=f"invalid bpf_context access off={offset} size={size}", values=(base,), reg=number,
    )  # fmt: skip
