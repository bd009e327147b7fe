"""Where a program attaches: the function, hook or member whose arguments its context holds.

Linux's ``bpf_check_attach_target`` and ``check_struct_ops_btf_id``. The context of these programs
is an array of arguments, one in 8 bytes (a struct by value in as many as it needs), and for some
the function's result behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NoReturn

from beebox.btf.types import Btf, Func, FuncProto, Int, Param, Ptr, Struct, Type, Typedef
from beebox.obj.model import ProgramSpec
from beebox.tables import lsm
from beebox.tables.iterators import ITERATORS, IterArg
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.tables.struct_ops import STRUCT_OPS, StructOps
from beebox.tables.tracepoints import ERRORS, KNOWN, NULLABLE
from beebox.verifier.findings import Refusal
from beebox.verifier.options import Options
from beebox.verifier.shape.license import GPL

TYPED: Final = (ProgramType.TRACING, ProgramType.LSM, ProgramType.STRUCT_OPS)
"""Program types whose context BTF alone describes."""

_GPL_ONLY: Final = {ProgramType.LSM: "LSM", ProgramType.STRUCT_OPS: "struct ops"}
_TRACEPOINT: Final = "btf_trace_"
_TEMPLATE: Final = "__bpf_trace_"
_ITERATOR: Final = "bpf_iter_"
_HOOK: Final = "bpf_lsm_"
_SECURITY: Final = "security_"
_NULLABLE: Final = "__nullable"
_REFERENCED: Final = "__ref"
_MOST_ARGUMENTS: Final = 12
_MOST_SIZE: Final = 16
_INJECTION: Final = "CONFIG_FUNCTION_ERROR_INJECTION"
_SLEEPS: Final = frozenset(
    {
        AttachType.TRACE_FENTRY,
        AttachType.TRACE_FEXIT,
        AttachType.MODIFY_RETURN,
        AttachType.TRACE_ITER,
    }
)
_UNTRACEABLE: Final = frozenset(
    [
        "__rcu_read_lock",
        "__rcu_read_unlock",
        "migrate_disable",
        "migrate_enable",
        "preempt_count_add",
        "preempt_count_sub",
        "rcu_read_unlock_strict",
    ]
)
"""Functions that programs themselves run under."""
_NEVER_RETURNS: Final = frozenset(
    [
        "__ia32_sys_exit",
        "__ia32_sys_exit_group",
        "__module_put_and_kthread_exit",
        "__x64_sys_exit",
        "__x64_sys_exit_group",
        "do_exit",
        "do_group_exit",
        "kthread_complete_and_exit",
        "kthread_exit",
        "make_task_dead",
    ]
)


class Null(Enum):
    """Whether a pointer in the context may be NULL, and what else is special about it."""

    NEVER = auto()
    MAYBE = auto()
    ERROR = auto()  # may be an error: just a number
    UNTRUSTED = auto()  # may be NULL, and has no trust
    RDONLY_BUF = auto()
    RDWR_BUF = auto()


@dataclass(frozen=True, slots=True)
class Attach:
    """What a program's context is made of.

    ``name`` is what Linux's log calls the function. ``nulls`` has only the arguments that are
    not :attr:`Null.NEVER`, by their number from 0. ``result`` is the type of the function's
    result, 0 for none. ``shows_result``: the context holds it behind the arguments.
    """

    btf: Btf
    name: str
    params: tuple[Param, ...]
    result: int
    trusted: bool = False
    shows_result: bool = False
    nulls: Mapping[int, Null] = field(default_factory=dict)
    ops: StructOps | None = None


def resolve(spec: ProgramSpec, options: Options) -> Attach | None:
    """Where the program attaches, None for types that need no BTF for it.

    Raises :exc:`Refusal` where Linux refuses to attach such a program there.
    """
    if spec.type not in TYPED:
        return None
    if spec.type in _GPL_ONLY and spec.license not in GPL:
        _refuse(
            f"{spec.type.value.name} programs need a GPL-compatible license",
            f"{_GPL_ONLY[spec.type]} programs must have a GPL compatible license",
        )
    symbol = spec.attach_symbol
    if symbol is None:
        _refuse(f"the {spec.type.value.name} program names nothing that it attaches to", "")
    if options.target is None or options.kernel is None:
        raise Refusal(
            "not-supported", 0, f"a {spec.type.value.name} program needs the kernel's types (BTF)"
        )
    btf = options.kernel
    if symbol.module:
        btf = options.target.modules.get(symbol.module, btf)
    if not 0 < symbol.btf_id <= len(btf):
        _refuse(f"there is no type {symbol.btf_id} to attach to", "")
    row = btf.type(symbol.btf_id)
    if spec.type is ProgramType.STRUCT_OPS:
        return _struct_ops(spec, btf, row, symbol.member)
    match spec.attach_type:
        case AttachType.TRACE_RAW_TP:
            return _tracepoint(spec, btf, row, in_module=bool(symbol.module))
        case AttachType.TRACE_ITER:
            return _iterator(btf, row)
        case _:
            return _function(spec, options, btf, row)


def _tracepoint(spec: ProgramSpec, btf: Btf, row: Type | None, *, in_module: bool) -> Attach:
    if spec.flags & ProgramFlags.SLEEPABLE:
        _refuse(
            "programs on tracepoints may not sleep",
            "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be "
            "sleepable",
        )
    if not isinstance(row, Typedef):
        _refuse("the type to attach to is no tracepoint", "is not a typedef")
    if not row.name.startswith(_TRACEPOINT):
        _refuse(f"{row.name} is no tracepoint", f"points to wrong type name {row.name}")
    pointer = btf.type(row.type)
    prototype = btf.type(pointer.type) if isinstance(pointer, Ptr) else None
    if not isinstance(prototype, FuncProto) or not prototype.params:
        _refuse(f"{row.name} is not the type of a tracepoint's function", "")
    name = row.name.removeprefix(_TRACEPOINT)
    params = prototype.params[1:]  # the first is private to the tracepoint
    for type_id in btf.kinded(_TEMPLATE + name, Func):
        function = btf.type(type_id)
        template = btf.type(function.type) if isinstance(function, Func) else None
        if isinstance(template, FuncProto) and len(template.params) == len(prototype.params):
            params = template.params[1:]
    nullable, errors = NULLABLE.get(name, frozenset()), ERRORS.get(name, frozenset())
    nulls: dict[int, Null] = {}
    for number, param in enumerate(params):
        if number in errors:
            nulls[number] = Null.ERROR
        elif (
            number in nullable
            or param.name.endswith(_NULLABLE)
            or (in_module and name not in KNOWN)
        ):
            nulls[number] = Null.MAYBE
    return Attach(btf, row.name, params, 0, trusted=True, nulls=nulls)


def _iterator(btf: Btf, row: Type | None) -> Attach:
    function, prototype = _prototype(btf, row)
    name = function.name.removeprefix(_ITERATOR)
    if name == function.name:
        _refuse(f"{function.name} is no iterator", "")
    if name not in ITERATORS:
        raise Refusal("not-supported", 0, f"the iterator {name} is not verified yet")
    kinds = {
        IterArg.BTF_ID_OR_NULL: Null.UNTRUSTED,
        IterArg.TRUSTED_OR_NULL: Null.MAYBE,
        IterArg.RDONLY_BUF_OR_NULL: Null.RDONLY_BUF,
        IterArg.RDWR_BUF_OR_NULL: Null.RDWR_BUF,
    }
    nulls = {number: kinds[kind] for number, kind in ITERATORS[name].items()}
    return Attach(btf, function.name, prototype.params, 0, trusted=True, nulls=nulls)


def _function(spec: ProgramSpec, options: Options, btf: Btf, row: Type | None) -> Attach:
    """fentry, fexit, fmod_ret and security hooks: functions of the kernel."""
    function, prototype = _prototype(btf, row)
    name = function.name
    _check_prototype(btf, name, prototype)
    if spec.type is ProgramType.LSM:
        return _hook(spec, btf, function, prototype)
    modifies = spec.attach_type is AttachType.MODIFY_RETURN
    if name in _UNTRACEABLE:
        _refuse(
            f"programs may not attach to {name}",
            f"Attaching tracing programs to function '{name}' is rejected.",
        )
    if spec.attach_type is not AttachType.TRACE_FENTRY and name in _NEVER_RETURNS:
        _refuse(
            f"{name} never returns",
            f"Attaching fexit/fmod_ret to __noreturn function '{name}' is rejected.",
        )
    if spec.flags & ProgramFlags.SLEEPABLE:
        _require_injection(
            options, name, f"{name} is not sleepable", "is called where nothing may sleep"
        )
    if modifies and not name.startswith(_SECURITY):
        _require_injection(
            options, name, f"{name}() is not modifiable", "does not let its result be changed"
        )
    shown = spec.attach_type in (AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN)
    return Attach(btf, name, prototype.params, prototype.type, shows_result=shown)


def _hook(spec: ProgramSpec, btf: Btf, function: Func, prototype: FuncProto) -> Attach:
    name = function.name.removeprefix(_HOOK)
    if name == function.name:
        _refuse(
            f"{function.name} is no security hook", f"points to wrong type name {function.name}"
        )
    if name in lsm.DISABLED:
        _refuse(
            f"programs may not attach to the hook {name}",
            f"points to disabled hook {function.name}",
        )
    if spec.flags & ProgramFlags.SLEEPABLE and name not in lsm.SLEEPABLE:
        _refuse(
            f"the hook {name} is called where nothing may sleep",
            f"{function.name} is not sleepable",
        )
    return Attach(
        btf,
        function.name,
        prototype.params,
        prototype.type,
        trusted=name not in lsm.UNTRUSTED,
        shows_result=True,
    )


def _struct_ops(spec: ProgramSpec, btf: Btf, row: Type | None, member: int | None) -> Attach:
    if not isinstance(row, Struct):
        _refuse("the type to attach to is no struct", "")
    ops = STRUCT_OPS.get(row.name)
    if ops is None:
        raise Refusal("not-supported", 0, f"struct_ops of {row.name} are not verified yet")
    if member is None or not 0 <= member < len(row.members):
        _refuse(
            f"{row.name} has no member {member}",
            f"attach to invalid member idx {member} of struct {row.name}",
        )
    found = row.members[member]
    pointer = btf.resolve(found.type)[1]
    prototype = btf.resolve(pointer.type)[1] if isinstance(pointer, Ptr) else None
    if not isinstance(prototype, FuncProto):
        _refuse(
            f"member {found.name} of {row.name} is no function",
            f"attach to invalid member {found.name}(@idx {member}) of struct {row.name}",
        )
    sleeps = spec.flags & ProgramFlags.SLEEPABLE
    if found.name in ops.unsupported or (sleeps and not _may_sleep(ops, found.name)):
        _refuse(
            f"no {'program that sleeps' if sleeps else 'program'} can stand for {found.name} of "
            f"{row.name}",
            f"attach to unsupported member {found.name} of struct {row.name}",
        )
    nulls: dict[int, Null] = {}
    for type_id in btf.kinded(f"{row.name}__{found.name}", Func):
        stub = btf.type(type_id)
        named = btf.type(stub.type) if isinstance(stub, Func) else None
        if isinstance(named, FuncProto) and len(named.params) == len(prototype.params):
            for number, param in enumerate(named.params):
                if param.name.endswith(_REFERENCED):
                    raise Refusal("not-supported", 0, "arguments that hold a reference")
                if param.name.endswith(_NULLABLE):
                    nulls[number] = Null.MAYBE
    return Attach(
        btf, found.name, prototype.params, prototype.type, trusted=True, nulls=nulls, ops=ops
    )


def _may_sleep(ops: StructOps, member: str) -> bool:
    return ops.sleepable is None or member in ops.sleepable


def _prototype(btf: Btf, row: Type | None) -> tuple[Func, FuncProto]:
    if not isinstance(row, Func):
        _refuse("the type to attach to is no function", "is not a function")
    prototype = btf.type(row.type)
    if not isinstance(prototype, FuncProto):
        _refuse(f"the type of {row.name} is not known", "")
    return row, prototype


def _check_prototype(btf: Btf, name: str, prototype: FuncProto) -> None:
    """What a trampoline can pass on: Linux's ``btf_distill_func_proto``."""
    if len(prototype.params) > _MOST_ARGUMENTS:
        _refuse(
            f"{name} has {len(prototype.params)} arguments",
            f"The function {name} has {len(prototype.params)} arguments. Too many.",
        )
    result = btf.resolve(prototype.type)[1] if prototype.type else None
    if prototype.type and (isinstance(result, Struct) or _size(btf, prototype.type) is None):
        _refuse(f"{name} returns a struct", f"The function {name} return type")
    for number, param in enumerate(prototype.params):
        if not param.type:
            _refuse(
                f"{name} takes any number of arguments", f"The function {name} with variable args"
            )
        size = _size(btf, param.type)
        if size is None or size > _MOST_SIZE:
            _refuse(
                f"argument {number} of {name} is too large", f"The function {name} arg{number} type"
            )


def _size(btf: Btf, type_id: int) -> int | None:
    row = btf.resolve(type_id)[1]
    match row:
        case Ptr():
            return 8
        case Int() | Struct():
            return row.size
        case _:
            return getattr(row, "size", None)


def _require_injection(options: Options, name: str, kernel: str, what: str) -> None:
    """Refuse a function that is not on the kernel's list of error injection; none is without it."""
    config = options.target.config if options.target is not None else {}
    if config and config.get(_INJECTION, "n") == "n":
        _refuse(f"{name} {what}", kernel)
    raise Refusal("not-supported", 0, f"whether {name} {what}: only a running kernel knows")


def _refuse(message: str, kernel: str) -> NoReturn:
    raise Refusal("attach-target", 0, message, kernel=kernel)
