"""Arguments that are the kernel's own objects: the context, maps, structs that BTF describes."""

from __future__ import annotations

from beebox.btf.types import Struct
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.btf_pointers.trust import SOCKETS, is_rcu, is_trusted, is_unsafe
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs import structs
from beebox.verifier.kfuncs.argument_classes import ArgClass, kind_word
from beebox.verifier.kfuncs.invocation import Argument
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import TypeRef


def note_map(arg: Argument) -> None:
    """A map, or a map value: which one later arguments must fit to."""
    if not arg.value.map and arg.value.kind is not RegKind.BTF_ID:
        raise Refusal(
            "argument-type", arg.call.path.pc,
            f"argument {arg.number} of {arg.call.name} must be a map, but is "
            f"{plain_name(arg.value)}",
            kernel=f"pointer in R{arg.number} isn't map pointer",
            values=(arg.value,), reg=arg.number,
        )  # fmt: skip
    arg.call.map = arg.value


def require_trust(arg: Argument) -> None:
    """Refuse pointers whose object may be gone, where the function asks for more."""
    proto, value = arg.call.proto, arg.value
    rcu = proto.has(KfuncFlags.RCU)
    if not (proto.trusted or rcu) or is_trusted(value) or (rcu and is_rcu(value)):
        return
    wanted = "be a rcu pointer" if rcu else "be referenced or trusted"
    raise Refusal(
        "untrusted-pointer", arg.call.path.pc,
        f"argument {arg.number} of {arg.call.name} points to an object that may be gone",
        kernel=f"R{arg.number} must {wanted}", values=(value,), reg=arg.number,
    )  # fmt: skip


def check_context(arg: Argument) -> None:
    """The program's context, not moved."""
    if arg.value.kind is not RegKind.CTX:
        raise Refusal(
            "argument-type", arg.call.path.pc,
            f"argument {arg.number} of {arg.call.name} must be the context, but is "
            f"{plain_name(arg.value)}",
            kernel=f"arg#{arg.position} expected pointer to ctx, but got {kernel_name(arg.value)}",
            values=(arg.value,), reg=arg.number,
        )  # fmt: skip


def check(arg: Argument, class_: ArgClass) -> None:
    """A struct of the kernel: the parameter's, or one that begins with it."""
    call, path, value = arg.call, arg.call.path, arg.value
    if value.kind not in SOCKETS and (
        value.kind is not RegKind.BTF_ID or (is_unsafe(value) and not is_rcu(value))
    ):
        raise Refusal(
            "null-pointer" if value.nullable else "untrusted-pointer", path.pc,
            f"argument {arg.number} of {call.name} is {plain_name(value)}, which the function "
            "cannot rely on", kernel=f"arg#{arg.position} is {kernel_name(value)} expected ",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    wanted = TypeRef(call.proto.btf, arg.param.target_id, arg.param.struct)
    if class_ is ArgClass.MAP:
        wanted = _named(arg, "bpf_map")
    found = value.type if value.kind is RegKind.BTF_ID else _named(arg, SOCKETS[value.kind])
    if found is None:
        raise Refusal("not-supported", path.pc, f"{plain_name(value)} of a type that is not known")
    pair = (wanted.btf, wanted.id)
    if structs.projects(wanted.name, found.name):
        return
    strict = (call.released is arg) or structs.must_be_same(found.name, wanted.name)
    fits = (
        value.off == 0 and structs.same(found.btf, found.id, *pair)
        if strict
        else structs.contains(found.btf, found.id, value.off, pair)
    )
    if not fits:
        words = [kind_word(each.btf.type(each.id)) for each in (wanted, found)]
        raise Refusal(
            "argument-type", path.pc,
            f"argument {arg.number} of {call.name} must point to a struct {wanted.name}, but "
            f"points to a struct {found.name}",
            kernel=f"kernel function {call.name} args#{arg.position} expected pointer to "
            f"{words[0]} {wanted.name} but R{arg.number} has a pointer to {words[1]} {found.name}",
            values=(value,), reg=arg.number,
        )  # fmt: skip


def _named(arg: Argument, name: str) -> TypeRef:
    kernel = arg.call.path.options.kernel
    ids = kernel.kinded(name, Struct) if kernel is not None else ()
    if kernel is None or not ids:
        raise Refusal("not-supported", arg.call.path.pc, f"the target's BTF has no struct {name}")
    return TypeRef(kernel, ids[0], name)
