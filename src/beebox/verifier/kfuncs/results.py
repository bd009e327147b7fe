"""What R0 holds after a kernel function: by its result's type and flags, or by its name."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Struct
from beebox.errors import BtfError
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.fields import lookup
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs import dynptr_arguments, field_arguments, iterators
from beebox.verifier.kfuncs.argument_classes import kind_word
from beebox.verifier.kfuncs.invocation import KfuncCall
from beebox.verifier.result import RegKind
from beebox.verifier.states import references
from beebox.verifier.states.value import PtrFlag, Reg

_SLICES: Final = ("bpf_dynptr_slice", "bpf_dynptr_slice_rdwr")


def result(call: KfuncCall) -> Reg | None:
    """R0: None where the function gives nothing."""
    path, returned = call.path, call.proto.result
    if returned.is_scalar:
        return field_arguments.number(call) or path.unknown()
    if not returned.is_pointer:
        if returned.type is None:
            return None
        raise Refusal("not-supported", path.pc, f"{call.name} returns a {returned.type!r}")
    value = _by_name(call)
    if value is None:
        if returned.target is None:
            value = path.unknown()  # as in Linux, where ``void *`` is just a number
        elif isinstance(returned.target, Struct):
            value = _object(call)
        else:
            value = _memory(call)
    return _owned(call, value)


def _by_name(call: KfuncCall) -> Reg | None:
    if call.name == "bpf_cast_to_kern_ctx":
        return _kernel_context(call)
    if call.name == "bpf_rdonly_cast":
        return _read_only(call)
    if call.name in _SLICES:
        return dynptr_arguments.slice_(call)
    return field_arguments.result(call)


def _owned(call: KfuncCall, value: Reg) -> Reg:
    """The result with what the flags say of it: it may be NULL, or hold a new reference."""
    path, proto = call.path, call.proto
    nullable = proto.has(KfuncFlags.RET_NULL) and not (
        call.name == "bpf_refcount_acquire_impl" and call.owning
    )
    id_ = path.new_id() if nullable or proto.has(KfuncFlags.ACQUIRE) else 0
    ref = value.ref
    if proto.has(KfuncFlags.ACQUIRE):
        references.acquire(path, id_)
        ref = id_
    if not id_:
        return value
    named = nullable or lookup.may_have_lock(path, value)  # one that may be locked is told apart
    return path.moved(value, nullable=nullable, id_=id_ if named else 0, ref=ref)


def _object(call: KfuncCall) -> Reg:
    """A struct of the kernel."""
    path, proto = call.path, call.proto
    flags = PtrFlag.NONE
    if call.name == "bpf_get_kmem_cache":
        flags = PtrFlag.UNTRUSTED
    elif proto.has(KfuncFlags.RCU_PROTECTED) or iterators.is_protected(call):
        flags = PtrFlag.RCU
    elif proto.has(KfuncFlags.ITER_NEXT):
        flags = PtrFlag.TRUSTED
    ref = path.type_ref(proto.btf, proto.result.target_id)
    return path.pointer(RegKind.BTF_ID, flags=flags, type_=ref)


def _memory(call: KfuncCall) -> Reg:
    """A buffer: of the size that was asked for, else of the type's, then only to be read."""
    path, proto, target = call.path, call.proto, call.proto.result
    size, read_only = call.buffer, call.buffer_read_only
    if call.name == "bpf_session_cookie":
        size, read_only = 8, False
    if not size:
        try:
            size, read_only = proto.btf.size_of(target.target_id), True
        except BtfError:
            size = 0
    if not size:
        word, name = kind_word(target.target), getattr(target.target, "name", "")
        raise Refusal(
            "not-supported", path.pc, f"{call.name} returns a pointer to {name or word}",
            kernel=f"kernel function {call.name} returns pointer type {word} {name} is not "
            "supported",
        )  # fmt: skip
    flags = PtrFlag.RDONLY if read_only else PtrFlag.NONE
    if proto.has(KfuncFlags.RCU_PROTECTED):
        flags |= PtrFlag.RCU
    return path.pointer(RegKind.MEM, range_=size, ref=call.ref, flags=flags)


def _kernel_context(call: KfuncCall) -> Reg:
    """What the kernel has behind the program's context: ``struct sk_buff`` for ``__sk_buff``."""
    path = call.path
    kernel, type_ = path.options.kernel, path.spec.type
    converts = kernel.kinded("bpf_ctx_convert", Struct) if kernel is not None else ()
    struct = kernel.type(converts[0]) if kernel is not None and converts else None
    wanted = f"BPF_PROG_TYPE_{type_.name}_kern"
    for member in struct.members if isinstance(struct, Struct) else ():
        if member.name != wanted or kernel is None:
            continue
        if isinstance(kernel.type(member.type), Struct):
            ref = path.type_ref(kernel, member.type)
            return path.pointer(RegKind.BTF_ID, flags=PtrFlag.TRUSTED, type_=ref)
        raise Refusal(
            "argument-type", path.pc,
            f"the context of {type_.value.name} programs stands for no struct of the kernel's",
            kernel=f"kern ctx type id {member.type} is not a struct", reg=1,
        )  # fmt: skip
    raise Refusal(
        "not-supported", path.pc,
        f"what the kernel has behind the context of {type_.value.name} programs",
    )  # fmt: skip


def _read_only(call: KfuncCall) -> Reg:
    """Any address, seen as a struct of the kernel's, or as bytes."""
    path, btf, type_id = call.path, call.proto.btf, call.constant or 0
    if type_id == 0:
        flags = PtrFlag.RDONLY | PtrFlag.UNTRUSTED
        return path.pointer(RegKind.MEM, range_=0, flags=flags)
    problem = kernel = ""
    if type_id > len(btf):
        problem = f"the target has no type {type_id}"
        kernel = f"Unknown type ID {type_id} passed to kfunc bpf_rdonly_cast"
    elif not isinstance(struct := btf.type(type_id), Struct) or struct.union:
        problem = "only structs can be cast to, or void"
        kernel = "kfunc bpf_rdonly_cast type ID argument must be of a struct or void"
    if problem:
        raise Refusal("argument-type", path.pc, f"bpf_rdonly_cast: {problem}", kernel=kernel, reg=2)
    ref = path.type_ref(btf, type_id)
    return path.pointer(RegKind.BTF_ID, flags=PtrFlag.UNTRUSTED, type_=ref)
