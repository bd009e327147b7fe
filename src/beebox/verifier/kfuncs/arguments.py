"""The arguments of a kernel function: Linux's ``check_kfunc_args``, in its order."""

from __future__ import annotations

from typing import Final, assert_never

from beebox.errors import BtfError
from beebox.tables.kfuncs import KfuncFlags
from beebox.tables.limits import MAX_VAR_SIZE
from beebox.tables.program_types import ProgramType
from beebox.verifier.accesses import context
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers import text
from beebox.verifier.helpers.arguments import reach
from beebox.verifier.kfuncs import (
    dynptr_arguments,
    field_arguments,
    iterators,
    object_arguments,
    sections,
)
from beebox.verifier.kfuncs.argument_classes import ArgClass, classify, is_null
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.kfuncs.prototype import Parameter
from beebox.verifier.numbers.scalar import ANY
from beebox.verifier.reports.names import bits, kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg

_ANYWHERE: Final = (
    RegKind.SCALAR,
    RegKind.STACK,
    RegKind.PACKET,
    RegKind.PACKET_META,
    RegKind.MAP_KEY,
    RegKind.MAP_VALUE,
    RegKind.MEM,
    RegKind.BUF,
    RegKind.ARENA,
)
"""Pointers that may be passed at any offset."""

_PLAIN_CONTEXTS: Final = frozenset(
    {
        ProgramType.SYSCALL,
        ProgramType.KPROBE,
        ProgramType.TRACEPOINT,
        ProgramType.RAW_TRACEPOINT,
        ProgramType.RAW_TRACEPOINT_WRITABLE,
    }
)
"""Programs whose context is just memory; as in Linux, its last byte is what is looked at."""


def check(call: KfuncCall) -> None:
    """Check every argument. Raises :exc:`Refusal`."""
    sized = False  # the argument was the size of the one before
    for number, param in enumerate(call.proto.params, 1):
        if sized:
            sized = False
            continue
        if param.marked("__ign") or param.marked("__prog"):
            continue
        value = call.path.regs[number]
        if param.is_scalar:
            _number(call, number, param, value)
            continue
        if not param.is_pointer:
            raise Refusal(
                "not-supported", call.path.pc,
                f"argument {number} of {call.name} is neither a number nor a pointer",
                kernel=f"Unrecognized arg#{number - 1} type",
            )  # fmt: skip
        if value is None:
            raise _unset(call, number, param)
        sized = _pointer(Argument(call, number, param, value)) is ArgClass.MEM_SIZE
    if call.proto.has(KfuncFlags.RELEASE) and call.released is None:
        raise Refusal(
            "reference-missing", call.path.pc,
            f"{call.name} releases a reference, and no argument holds one",
            kernel=f"release kernel function {call.name} expects refcounted PTR_TO_BTF_ID",
        )  # fmt: skip


def _unset(call: KfuncCall, number: int, param: Parameter) -> Refusal:
    """A register that holds nothing. Linux notices when the value does not fit its class."""
    arg = Argument(call, number, param, call.path.pointer(RegKind.MIXED))
    kernel = f"variable ? access var_off={bits(ANY)} disallowed"
    try:
        class_ = classify(arg)
        if class_ is ArgClass.MAP:
            kernel = f"pointer in R{number} isn't map pointer"
        elif class_ is ArgClass.ALLOC and call.proto.trusted:
            kernel = f"R{number} must be referenced or trusted"
    except Refusal as refusal:
        kernel = refusal.kernel
    return Refusal(
        "uninitialised-register", call.path.pc,
        f"argument {number} of {call.name} is not set on this path", kernel=kernel, reg=number,
    )  # fmt: skip


def _number(call: KfuncCall, number: int, param: Parameter, value: Reg | None) -> None:
    path = call.path
    if value is None or value.kind is not RegKind.SCALAR:
        found = plain_name(value) if value is not None else "not set"
        raise Refusal(
            "argument-type" if value is not None else "uninitialised-register", path.pc,
            f"argument {number} of {call.name} must be a number, but is {found}",
            kernel=f"R{number} is not a scalar", values=(value,), reg=number,
        )  # fmt: skip
    if param.marked("__k"):
        call.constant = _constant(call, number, value, "must be a known constant")
    elif param.name in ("rdonly_buf_size", "rdwr_buf_size"):
        call.buffer_read_only = param.name == "rdonly_buf_size"
        call.buffer = _constant(call, number, value, "is not a const")


def _constant(call: KfuncCall, number: int, value: Reg, problem: str) -> int:
    if not value.scalar.is_const:
        raise Refusal(
            "argument-type", call.path.pc,
            f"argument {number} of {call.name} must be a constant, but is {value.scalar!r}",
            kernel=f"R{number} {problem}", values=(value,), reg=number,
        )  # fmt: skip
    call.path.precise(value)
    return value.scalar.value


def _pointer(arg: Argument) -> ArgClass:
    call, number, value = arg.call, arg.number, arg.value
    proto = call.proto
    no_null = proto.trusted or proto.has(KfuncFlags.RCU)
    if no_null and (value.nullable or is_null(value)) and not arg.param.marked("__nullable"):
        raise Refusal(
            "null-pointer", call.path.pc,
            f"argument {number} of {call.name} may be NULL",
            kernel=f"Possibly NULL pointer passed to trusted arg{arg.position}",
            values=(value,), reg=number,
        )  # fmt: skip
    if value.ref:
        if proto.has(KfuncFlags.RELEASE):
            if call.ref:
                raise Refusal(
                    "argument-type", call.path.pc,
                    f"{call.name} gets more than one argument with a reference",
                    kernel=f"more than one arg with ref_obj_id R{number}",
                    values=(value,), reg=number,
                )  # fmt: skip
            call.released = arg
        call.ref = value.ref
    class_ = classify(arg)
    if class_ is ArgClass.NULL:
        return class_
    if class_ is ArgClass.MAP:
        field_arguments.check_map(arg)
        object_arguments.note_map(arg)
    if class_ in (ArgClass.MAP, ArgClass.ALLOC, ArgClass.BTF_ID):
        object_arguments.require_trust(arg)
    require_offset(arg)
    _by_class(arg, class_)
    return class_


def _by_class(arg: Argument, class_: ArgClass) -> None:
    match class_:
        case ArgClass.NULL:
            pass
        case ArgClass.CTX:
            object_arguments.check_context(arg)
        case ArgClass.BTF_ID | ArgClass.MAP:
            object_arguments.check(arg, class_)
        case ArgClass.MEM:
            _memory(arg)
        case ArgClass.MEM_SIZE:
            _sized_memory(arg)
        case ArgClass.CONST_STR:
            _string(arg)
        case ArgClass.ITER:
            iterators.check_argument(arg)
        case ArgClass.IRQ_FLAG:
            sections.check_flags(arg)
        case ArgClass.DYNPTR:
            dynptr_arguments.check(arg)
        case ArgClass.ALLOC:
            field_arguments.check_object(arg)
        case ArgClass.REFCOUNTED:
            field_arguments.check_refcounted(arg)
        case ArgClass.LIST_HEAD | ArgClass.RB_ROOT:
            field_arguments.check_root(arg, class_)
        case ArgClass.LIST_NODE | ArgClass.RB_NODE:
            field_arguments.check_node(arg, class_)
        case ArgClass.WORKQUEUE | ArgClass.TASK_WORK:
            field_arguments.check_field(arg, class_)
        case ArgClass.RES_SPIN_LOCK:
            field_arguments.check_lock(arg)
        case ArgClass.CALLBACK:
            field_arguments.check_callback(arg)
        case _:
            assert_never(class_)


def require_offset(arg: Argument) -> None:
    """Whether the pointer may be moved as far as it was."""
    value, number = arg.value, arg.number
    releases = arg.call.released is arg
    moved = bool(value.off or not value.scalar.is_const or value.scalar.value)
    if not moved or (value.kind in _ANYWHERE and not releases):
        return
    fixed_too = value.kind is not RegKind.BTF_ID or value.nullable
    name = kernel_name(value)
    if releases and value.off:
        kernel = f"R{number} must have zero offset when passed to release func"
    elif value.off < 0:
        kernel = f"negative offset {name} ptr R{number} off={value.off} disallowed"
    elif fixed_too and value.off:
        kernel = f"dereference of modified {name} ptr R{number} off={value.off} disallowed"
    elif not value.scalar.is_const or value.scalar.value:
        kernel = f"variable {name} access var_off={bits(value.scalar)} disallowed"
    else:
        return
    raise Refusal(
        "argument-type", arg.call.path.pc,
        f"argument {number} of {arg.call.name} must point to the start of what it points to, but "
        "was moved", kernel=kernel, values=(value,), reg=number,
    )  # fmt: skip


def _memory(arg: Argument) -> None:
    """As much memory as the type needs, to be read and written; NULL will do, too."""
    call = arg.call
    try:
        size = call.proto.btf.size_of(arg.param.target_id)
    except BtfError as problem:
        raise Refusal("not-supported", call.path.pc, f"{call.name}: {problem}") from problem
    if not is_null(arg.value):
        _reach(arg, size)


def _reach(arg: Argument, size: int) -> None:
    path, value = arg.call.path, arg.value
    if value.nullable:
        value = path.moved(value, nullable=False)  # the function is told whether there is any
    if value.kind is RegKind.CTX and path.spec.type in _PLAIN_CONTEXTS and size:
        context.load(path, value, arg.number, size - 1, 1)
        context.store(path, value, arg.number, size - 1, 1)
        return
    for writes in (False, True):
        if not reach(path, arg.number, value, size, writes=writes):
            raise Refusal(
                "argument-type", path.pc,
                f"argument {arg.number} of {arg.call.name} must point to {size} bytes of memory, "
                f"but is {plain_name(arg.value)}",
                kernel=f"R{arg.number} type={kernel_name(value)} expected=fp",
                values=(arg.value,), reg=arg.number,
            )  # fmt: skip


def _sized_memory(arg: Argument) -> None:
    call, path, number = arg.call, arg.call.path, arg.number + 1
    size, param = path.read(number), call.proto.params[arg.number]
    optional = arg.param.marked("__opt") or arg.param.marked("__nullable")
    if not is_null(arg.value) or not optional:
        _check_size(arg, number, size)
        if not (is_null(arg.value) and size.scalar.umax == 0):
            _reach(arg, size.scalar.umax)
        path.precise(size)
    if param.marked("__szk"):
        call.constant = _constant(call, number, size, "must be a known constant")


def _check_size(arg: Argument, number: int, size: Reg) -> None:
    if size.scalar.smin < 0:
        problem = f"may be negative ({size.scalar.smin})"
        kernel = f"R{number} min value is negative, either use unsigned or 'var &= const'"
    elif size.scalar.umax >= MAX_VAR_SIZE:
        problem = "has no upper bound"
        kernel = f"R{number} unbounded memory access, use 'var &= const' or 'if (var < const)'"
    else:
        return
    raise Refusal(
        "argument-size", arg.call.path.pc,
        f"the size in argument {number} of {arg.call.name} {problem}",
        kernel=kernel, values=(size,), reg=number,
    )  # fmt: skip


def _string(arg: Argument) -> None:
    if arg.value.kind is not RegKind.MAP_VALUE:
        raise Refusal(
            "constant-string", arg.call.path.pc,
            f"argument {arg.number} of {arg.call.name} must point to a constant string, but is "
            f"{plain_name(arg.value)}",
            kernel=f"arg#{arg.position} doesn't point to a const string",
            values=(arg.value,), reg=arg.number,
        )  # fmt: skip
    text.check_constant(arg.call.path, arg.number, arg.value)
