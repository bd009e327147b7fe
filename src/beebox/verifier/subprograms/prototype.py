"""What a global function expects of its arguments, read from BTF: types, and ``arg:`` tags.

As Linux's ``btf_prepare_func_args``: pointers are the context, a dynptr, a struct of the kernel or
of an arena where a tag says so, else memory of the size of what they point to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from beebox.btf.types import (
    Btf,
    DeclTag,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    kind_of,
)
from beebox.btf.types import Enum as BtfEnum
from beebox.btf.wire import Kind
from beebox.errors import BtfError
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.states.value import PtrFlag, TypeRef

MOST_ARGUMENTS: Final = 5
_TAG: Final = "arg:"
_CONTEXT_NAMES: Final = {"__sk_buff": "sk_buff", "xdp_md": "xdp_buff"}  # also called so
_ANY_CONTEXT: Final = (ProgramType.TRACEPOINT, ProgramType.SYSCALL, ProgramType.EXT)
_NAMELESS: Final = (
    *_ANY_CONTEXT,
    ProgramType.TRACING,
    ProgramType.LSM,
    ProgramType.STRUCT_OPS,
    ProgramType.LIRC_MODE2,
)
"""Program types whose context is no struct with a name of its own."""
_WORDS: Final = (
    ProgramType.RAW_TRACEPOINT,
    ProgramType.RAW_TRACEPOINT_WRITABLE,
    ProgramType.LSM,
    ProgramType.STRUCT_OPS,
)
"""Program types whose context may be described as an array of 64-bit words."""
_TRAMPOLINES: Final = (AttachType.TRACE_FENTRY, AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN)
_USER_REGS: Final = "bpf_user_pt_regs_t"


class Expected(Enum):
    """What an argument has to be."""

    NUMBER = auto()
    CTX = auto()
    MEMORY = auto()
    DYNPTR = auto()
    BTF_ID = auto()
    ARENA = auto()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: ``size`` bytes of memory, a struct of ``type``; ``flags`` of the pointer."""

    kind: Expected
    size: int = 0
    nullable: bool = False
    flags: int = PtrFlag.NONE
    type: TypeRef | None = None


def described(spec: ProgramSpec) -> dict[int, Func]:
    """The functions that BTF describes, by their first pc."""
    btf = spec.btf
    if btf is None:
        return {}
    rows = {info.pc: _row(btf, info.type_id) for info in spec.functions}
    return {pc: row for pc, row in rows.items() if isinstance(row, Func)}


def global_functions(spec: ProgramSpec, starts: tuple[int, ...]) -> dict[int, Func]:
    """The global functions besides the program itself, by their index in ``starts``."""
    found = described(spec)
    return {
        index: found[start]
        for index, start in enumerate(starts)
        if index and start in found and found[start].linkage is Linkage.GLOBAL
    }


def read(path: Path, function: Func) -> tuple[Parameter, ...]:
    """The parameters of a global function. Refuses those that Linux cannot work with."""
    btf = path.spec.btf
    assert btf is not None
    proto = _row(btf, function.type)
    if not isinstance(proto, FuncProto):
        raise _refusal(path, function, f"Invalid type of function {function.name}()")
    if len(proto.params) > MOST_ARGUMENTS:
        raise _refusal(
            path, function, f"Global function {function.name}() with {len(proto.params)} > "
            f"{MOST_ARGUMENTS} args. Buggy compiler.",
        )  # fmt: skip
    if not isinstance(_behind(btf, proto.type), Int | BtfEnum):
        raise _refusal(
            path, function, f"Global function {function.name}() doesn't return scalar. Only those "
            "are supported.",
        )  # fmt: skip
    tags = _tags(btf, function)
    return tuple(
        _parameter(path, btf, function, index, param.type, tags.get(index, frozenset()))
        for index, param in enumerate(proto.params)
    )


def _parameter(
    path: Path, btf: Btf, function: Func, index: int, type_id: int, tags: frozenset[str]
) -> Parameter:
    def refuse(told: str) -> Refusal:
        return _refusal(path, function, told)

    def combined() -> Refusal:
        return refuse(f"arg#{index} has invalid combination of tags")

    if tags - {"ctx", "trusted", "untrusted", "nonnull", "nullable", "arena"}:
        raise refuse(f"arg#{index} has unsupported set of tags")
    row = _behind(btf, type_id)
    if not isinstance(row, Ptr):
        if tags:
            raise refuse(f"arg#{index} has pointer tag, but is not a pointer type")
        if isinstance(row, Int | BtfEnum):
            return Parameter(Expected.NUMBER)
        raise refuse(
            f"Arg#{index} type {_kind_name(row)} in {function.name}() is not supported yet."
        )
    target = _behind(btf, row.type)
    if "ctx" in tags or _is_context(path, btf, row):
        if tags - {"ctx"}:
            raise combined()
        if "ctx" in tags and (told := _wrong_context(path, btf, row, index)):
            raise refuse(told)
        return Parameter(Expected.CTX)
    if isinstance(target, Struct | Fwd) and not target.union and target.name == "bpf_dynptr":
        if tags:
            raise combined()
        return Parameter(Expected.DYNPTR)
    if "trusted" in tags:
        if "nonnull" in tags:
            raise combined()
        type_ = _kernel_type(path, btf, function, row, index)
        nullable = "nullable" in tags
        return Parameter(Expected.BTF_ID, nullable=nullable, flags=PtrFlag.TRUSTED, type=type_)
    if "untrusted" in tags:
        if tags - {"untrusted"}:
            raise refuse(f"arg#{index} untrusted cannot be combined with any other tags")
        if target is None or isinstance(target, Int | BtfEnum):
            flags = PtrFlag.RDONLY | PtrFlag.UNTRUSTED
            return Parameter(Expected.MEMORY, flags=flags)
        type_ = _kernel_type(path, btf, function, row, index)
        if not isinstance(target, Struct) or target.union:
            raise refuse(
                f"arg#{index} has type {_kind_name(target)} '{type_.name}', but only struct or "
                "primitive types are allowed"
            )
        return Parameter(Expected.BTF_ID, flags=PtrFlag.UNTRUSTED, type=type_)
    if "arena" in tags:
        if tags - {"arena"}:
            raise refuse(f"arg#{index} arena cannot be combined with any other tags")
        return Parameter(Expected.ARENA)
    if "nullable" in tags:
        raise combined()
    try:
        size = btf.size_of(row.type)
    except BtfError:
        raise refuse(
            f"arg#{index} reference type('{_kind_name(target)} {getattr(target, 'name', '')}') "
            "size cannot be determined: -22"
        ) from None
    return Parameter(Expected.MEMORY, size=size, nullable="nonnull" not in tags)


def _tags(btf: Btf, function: Func) -> dict[int, frozenset[str]]:
    """The ``arg:`` tags of a function, by argument."""
    found: dict[int, frozenset[str]] = {}
    for type_id in btf.of_kind(Kind.DECL_TAG):
        tag = btf.type(type_id)
        if not isinstance(tag, DeclTag) or not tag.name.startswith(_TAG) or tag.component < 0:
            continue
        if _row(btf, tag.type) is function:
            words = found.get(tag.component, frozenset())
            found[tag.component] = words | {tag.name.removeprefix(_TAG)}
    return found


def _is_context(path: Path, btf: Btf, pointer: Ptr) -> bool:
    """Whether the type alone, without a tag, says that the argument is the context."""
    type_ = path.spec.type
    if type_ is ProgramType.KPROBE and _typedef(btf, pointer.type) == _USER_REGS:
        return True
    target = _behind(btf, pointer.type)
    if type_ in _NAMELESS or not isinstance(target, Struct) or target.union or not target.name:
        return False
    name = _context_name(path)
    return target.name in (name, _CONTEXT_NAMES.get(name, name))


def _wrong_context(path: Path, btf: Btf, pointer: Ptr, index: int) -> str:
    """Why the type does not fit a context that a tag declares; empty where it does."""
    type_, target = path.spec.type, _behind(btf, pointer.type)
    of_registers = type_ in (ProgramType.KPROBE, ProgramType.PERF_EVENT)
    if target is None or (of_registers and _typedef(btf, pointer.type) == _USER_REGS):
        return ""
    name = getattr(target, "name", "")
    if not name:
        return f"arg#{index} type doesn't have a name"
    struct = isinstance(target, Struct) and not target.union
    word = isinstance(target, Int) and target.size == 8
    if of_registers and struct and name == "pt_regs":
        return ""
    if type_ in _ANY_CONTEXT or (word and type_ in _WORDS):
        return ""
    if type_ is ProgramType.TRACING:
        attach = path.attach_type
        if attach is AttachType.TRACE_RAW_TP and (
            word or (struct and name == "bpf_raw_tracepoint_args")
        ):
            return ""
        if attach is AttachType.TRACE_ITER and struct and name.startswith("bpf_iter__"):
            return ""
        if attach in _TRAMPOLINES and word:
            return ""
    if type_ in _NAMELESS:
        return f"arg#{index} should be void pointer"
    expected = _context_name(path)
    if struct and name == expected:
        return ""
    return f"arg#{index} should be `struct {expected} *`"


def _context_name(path: Path) -> str:
    context = path.spec.type.value.context
    return context.name if context is not None else ""


def _kernel_type(path: Path, btf: Btf, function: Func, pointer: Ptr, index: int) -> TypeRef:
    """The kernel's type of the same name and kind as what the argument points to."""
    target, kernel = _behind(btf, pointer.type), path.options.kernel
    name = getattr(target, "name", "")
    where = f"arg#{index} reference type('{_kind_name(target)} {name or '(anon)'}')"
    if target is None or not name:
        raise _refusal(path, function, f"{where} candidate matching error: -22")
    if kernel is None:
        raise Refusal(
            "not-supported", path.pc,
            f"argument {index + 1} of {function.name} is a type of a kernel that is not known",
        )  # fmt: skip
    found = [
        type_id
        for type_id in kernel.kinded(name.partition("___")[0], type(target))
        if (row := kernel.type(type_id)) is not None and kind_of(row) is kind_of(target)
    ]
    if len(found) != 1:
        told = "is ambiguous" if found else "has no matches"
        raise _refusal(path, function, f"{where} {told}")
    return path.type_ref(kernel, found[0])


def _refusal(path: Path, function: Func, told: str) -> Refusal:
    return Refusal(
        "function-prototype", path.pc,
        f"the global function {function.name} cannot be verified by its types", kernel=told,
    )  # fmt: skip


def _row(btf: Btf, type_id: int) -> Type | None:
    """The type, None for void and for ids that BTF does not have."""
    return btf.type(type_id) if 0 < type_id <= len(btf) else None


def _behind(btf: Btf, type_id: int) -> Type | None:
    """The type behind typedefs and modifiers, None for void."""
    try:
        return btf.resolve(type_id)[1]
    except BtfError:
        return Fwd("")


def _typedef(btf: Btf, type_id: int) -> str:
    """The name of the typedef behind modifiers, empty where there is none."""
    row = _row(btf, type_id)
    while isinstance(row, Modifier):
        row = _row(btf, row.type)
    return row.name if isinstance(row, Typedef) else ""


def _kind_name(row: Type | None) -> str:
    return "UNKNOWN" if row is None else kind_of(row).name
