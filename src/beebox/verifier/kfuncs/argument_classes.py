"""What kind of argument a parameter asks for: Linux's ``get_kfunc_ptr_arg_type``.

The parameter's type and the end of its name decide; the value only where a pointer to a struct may
be the kernel's object or just memory.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from beebox.btf.types import Array, Btf, FuncProto, Int, Ptr, Struct, Type
from beebox.btf.types import Enum as BtfEnum
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.btf_pointers.trust import SOCKETS
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.invocation import Argument
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg


class ArgClass(Enum):
    """The kernel's ``KF_ARG_PTR_TO_*``."""

    CTX = auto()
    NULL = auto()
    ALLOC = auto()  # an object that the program made: ``__alloc``
    REFCOUNTED = auto()  # one with a reference count: ``__refcounted_kptr``
    DYNPTR = auto()
    ITER = auto()
    LIST_HEAD = auto()
    LIST_NODE = auto()
    RB_ROOT = auto()
    RB_NODE = auto()
    CONST_STR = auto()
    MAP = auto()
    WORKQUEUE = auto()
    TASK_WORK = auto()
    IRQ_FLAG = auto()
    RES_SPIN_LOCK = auto()
    BTF_ID = auto()
    CALLBACK = auto()
    MEM = auto()  # as many bytes as the type has
    MEM_SIZE = auto()  # as many bytes as the next argument says


_ITERATES: Final = KfuncFlags.ITER_NEW | KfuncFlags.ITER_NEXT | KfuncFlags.ITER_DESTROY
_BY_STRUCT: Final = {
    "bpf_list_head": ArgClass.LIST_HEAD,
    "bpf_list_node": ArgClass.LIST_NODE,
    "bpf_rb_root": ArgClass.RB_ROOT,
    "bpf_rb_node": ArgClass.RB_NODE,
}
_FIELDS: Final = {"bpf_wq": ArgClass.WORKQUEUE, "bpf_task_work": ArgClass.TASK_WORK}
_DEEPEST: Final = 3  # of structs in a struct of scalars
PROJECTIONS: Final = {"__sk_buff": "sk_buff", "xdp_md": "xdp_buff"}
"""Contexts that stand for a struct of the kernel."""
_KIND_WORDS: Final = {Struct: "STRUCT", Ptr: "PTR", Int: "INT", Array: "ARRAY", BtfEnum: "ENUM"}


def kind_word(type_: Type | None) -> str:
    """As the kernel's log calls the kind of a type."""
    if isinstance(type_, Struct) and type_.union:
        return "UNION"
    if isinstance(type_, FuncProto):
        return "FUNC_PROTO"
    return _KIND_WORDS.get(type(type_), "UNKNOWN") if type_ is not None else "UNKNOWN"


def is_null(value: Reg) -> bool:
    """Whether the value is certainly 0."""
    scalar = value.scalar
    return value.kind is RegKind.SCALAR and scalar.is_const and scalar.value == 0


def is_context(path: Path, arg: Argument) -> bool:
    """Whether the parameter is what this program type has as its context."""
    context, name = path.spec.type.value.context, arg.param.struct
    if context is None or not name:
        return False
    own = context.name.removeprefix("struct ")
    return name == own or PROJECTIONS.get(own) == name


def has_size(arg: Argument) -> bool:
    """Whether the next argument is the size of the memory that this one points to."""
    call, at = arg.call, arg.position + 1
    if at >= len(call.proto.params):
        return False
    after = call.proto.params[at]
    value = call.path.regs[at + 1]
    if not after.is_scalar or value is None or value.kind is not RegKind.SCALAR:
        return False
    return after.marked("__sz") or after.marked("__szk")


def classify(arg: Argument) -> ArgClass:
    """The class of a pointer argument. Refuses types that no class has."""
    call, param, value = arg.call, arg.param, arg.value
    if call.name == "bpf_cast_to_kern_ctx" or is_context(call.path, arg):
        return ArgClass.CTX
    sized = has_size(arg)
    if param.marked("__nullable") and is_null(value) and not sized:
        return ArgClass.NULL
    if param.marked("__alloc"):
        return ArgClass.ALLOC
    if param.marked("__refcounted_kptr"):
        return ArgClass.REFCOUNTED
    struct = param.struct
    if struct == "bpf_dynptr":
        return ArgClass.DYNPTR
    if (call.proto.has(_ITERATES) and arg.position == 0) or param.marked("__iter"):
        return ArgClass.ITER
    if struct in _BY_STRUCT:
        return _BY_STRUCT[struct]
    if param.marked("__str"):
        return ArgClass.CONST_STR
    if param.marked("__map"):
        return ArgClass.MAP
    if struct in _FIELDS:
        return _FIELDS[struct]
    if param.marked("__irq_flag"):
        return ArgClass.IRQ_FLAG
    if struct == "bpf_res_spin_lock":
        return ArgClass.RES_SPIN_LOCK
    if value.kind is RegKind.BTF_ID or value.kind in SOCKETS:
        if not isinstance(param.target, Struct):
            word, name = kind_word(param.target), _name(param.target)
            raise Refusal(
                "argument-type", call.path.pc,
                f"{call.name} takes a pointer to {name or 'memory'} in R{arg.number}, not to a "
                "struct of the kernel",
                kernel=f"kernel function {call.name} args#{arg.position} pointer type {word} "
                f"{name} is not supported", values=(value,), reg=arg.number,
            )  # fmt: skip
        return ArgClass.BTF_ID
    if isinstance(param.target, FuncProto):
        return ArgClass.CALLBACK
    _require_scalars(arg, sized=sized)
    return ArgClass.MEM_SIZE if sized else ArgClass.MEM


def _name(type_: Type | None) -> str:
    return getattr(type_, "name", "")


def _require_scalars(arg: Argument, *, sized: bool) -> None:
    target = arg.param.target
    btf = arg.call.proto.btf
    if isinstance(target, Int | BtfEnum) or scalar_struct(btf, target):
        return
    if sized and target is None:
        return
    word, name = kind_word(target), _name(target)
    void = "void, " if sized else ""
    raise Refusal(
        "argument-type", arg.call.path.pc,
        f"{arg.call.name} takes a pointer to {name or word} in R{arg.number}, and this is none",
        kernel=f"arg#{arg.position} pointer type {word} {name} must point to {void}scalar, or "
        "struct with scalar", values=(arg.value,), reg=arg.number,
    )  # fmt: skip


def scalar_struct(btf: Btf, type_: Type | None, depth: int = 0) -> bool:
    """Whether the type is a struct of numbers, of arrays of numbers and of such structs."""
    if not isinstance(type_, Struct) or depth > _DEEPEST:
        return False
    for member in type_.members:
        _, inner = btf.resolve(member.type)
        if isinstance(inner, Array):
            if not inner.count:
                return False
            _, inner = btf.resolve(inner.type)
            if isinstance(inner, Struct):
                return False
        if isinstance(inner, Struct):
            if not scalar_struct(btf, inner, depth + 1):
                return False
        elif not isinstance(inner, Int | BtfEnum):
            return False
    return True
