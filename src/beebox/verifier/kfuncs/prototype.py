"""The kernel function that a call names: its parameters in the target's BTF, its row, who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.btf.types import Btf, DeclTag, Enum, Func, FuncProto, Int, Ptr, Struct, Type
from beebox.btf.wire import Kind
from beebox.errors import BtfError
from beebox.isa.instruction import Call, KfuncRef
from beebox.obj.model import KernelSymbol, Missing
from beebox.tables.kfuncs import KFUNCS, Kfunc, KfuncFlags
from beebox.tables.program_types import AttachType
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path

_MOST_ARGUMENTS: Final = 5
_SESSIONS: Final = (AttachType.TRACE_KPROBE_SESSION, AttachType.TRACE_UPROBE_SESSION)
_ATTACH_TYPES: Final = {
    "bpf_sock_destroy": (AttachType.TRACE_ITER,),
    "bpf_session_is_return": _SESSIONS,
    "bpf_session_cookie": _SESSIONS,
}
"""Functions that only programs of some attach types may call, whatever their program type."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``type`` is what typedefs and modifiers hide; ``target`` what it points to.

    ``target_id`` is 0 for ``void *``, and for what is no pointer.
    """

    name: str
    type_id: int
    type: Type | None
    target_id: int = 0
    target: Type | None = None

    @property
    def is_pointer(self) -> bool:
        """Whether it is a pointer."""
        return isinstance(self.type, Ptr)

    @property
    def is_scalar(self) -> bool:
        """Whether it is a number."""
        return isinstance(self.type, Int | Enum)

    @property
    def struct(self) -> str:
        """The name of the struct that it points to, "" where it points to none."""
        return self.target.name if isinstance(self.target, Struct) else ""

    def marked(self, suffix: str) -> bool:
        """Whether the name ends so: ``__sz``, ``__k``, ..."""
        return self.name.endswith(suffix)


@dataclass(frozen=True, slots=True)
class Prototype:
    """A kernel function as ``btf`` has it. ``result`` is described as a nameless parameter."""

    name: str
    btf: Btf
    id: int
    params: tuple[Parameter, ...]
    result: Parameter
    row: Kfunc

    def has(self, flag: KfuncFlags) -> bool:
        """Whether the kernel registered it with this ``KF_*`` flag."""
        return bool(self.row.flags & flag)

    @property
    def trusted(self) -> bool:
        """Whether pointers to kernel objects must be trusted."""
        return self.has(KfuncFlags.TRUSTED_ARGS | KfuncFlags.RELEASE)


def find(path: Path, insn: Call) -> Prototype:
    """The function called. Refuses what the target does not have, and what nobody may call."""
    if not isinstance(insn.target, KfuncRef):
        raise Refusal("not-supported", path.pc, f"kernel function {insn.target} has no name here")
    name = insn.target.name
    found = path.prototypes.get(name)
    if found is None:
        found = path.prototypes[name] = _read(path, name)
    return found


def _read(path: Path, name: str) -> Prototype:
    extern = path.spec.externs.get(name)
    resolved = extern.resolved if extern is not None else None
    if isinstance(resolved, Missing):
        raise Refusal(
            "missing-in-target", path.pc, f"the target has no kernel function {name}",
            kernel="invalid kernel function call not eliminated in verifier pass",
        )  # fmt: skip
    target = path.options.target
    if not isinstance(resolved, KernelSymbol) or target is None:
        raise Refusal(
            "not-supported", path.pc, f"what {name} is, only the target kernel's BTF can tell"
        )
    btf = target.modules.get(resolved.module) if resolved.module else path.options.kernel
    if btf is None:
        raise Refusal("not-supported", path.pc, f"{name}: the BTF of {resolved.module} is missing")
    try:
        return _described(path, btf, resolved.btf_id)
    except BtfError as problem:
        raise Refusal("not-supported", path.pc, f"the BTF of {name}: {problem}") from problem


def _described(path: Path, btf: Btf, type_id: int) -> Prototype:
    function = btf.type(type_id)
    proto = btf.type(function.type) if isinstance(function, Func) else None
    if not isinstance(function, Func) or not isinstance(proto, FuncProto):
        raise Refusal("not-supported", path.pc, f"type {type_id} of the target is no function")
    row = KFUNCS.get(function.name)
    if row is None:
        _refuse_unknown(path, btf, type_id, function.name)
        raise Refusal(
            "not-supported", path.pc, f"the flags of kernel function {function.name} are not known"
        )
    params = tuple(_parameter(btf, param.name, param.type) for param in proto.params)
    if len(params) > _MOST_ARGUMENTS:
        raise Refusal(
            "argument-type", path.pc,
            f"{function.name} takes {len(params)} arguments, more than registers can pass",
            kernel=f"Function {function.name} has {len(params)} > {_MOST_ARGUMENTS} args",
        )  # fmt: skip
    if row.args is not None and len(row.args) != len(params):
        raise Refusal(
            "not-supported", path.pc, f"the target's {function.name} takes {len(params)} arguments"
        )
    return Prototype(function.name, btf, type_id, params, _parameter(btf, "", proto.type), row)


def _refuse_unknown(path: Path, btf: Btf, type_id: int, name: str) -> None:
    """A function that no kernel code offers to programs: BTF tags those that are offered."""
    tagged = {
        row.type
        for found in btf.of_kind(Kind.DECL_TAG)
        if isinstance(row := btf.type(found), DeclTag) and row.name == "bpf_kfunc"
    }
    if tagged and type_id not in tagged:
        _not_allowed(path, name, "is not offered to programs")


def _parameter(btf: Btf, name: str, type_id: int) -> Parameter:
    resolved, type_ = btf.resolve(type_id)
    if isinstance(type_, Ptr):
        target_id, target = btf.resolve(type_.type)
        return Parameter(name, resolved, type_, target_id, target)
    return Parameter(name, resolved, type_)


def check_caller(path: Path, proto: Prototype) -> None:
    """Whether a program of this type, attach type and sleep may call it."""
    type_ = path.spec.type
    if type_ not in proto.row.program_types:
        _not_allowed(path, proto.name, f"may not be called by {type_.value.name} programs")
    _check_attach_type(path, proto)
    if proto.has(KfuncFlags.SLEEPABLE) and not path.sleepable:
        raise Refusal(
            "helper-sleeps", path.pc,
            f"{proto.name} may sleep, and this {type_.value.name} program may not",
            kernel=f"program must be sleepable to call sleepable kfunc {proto.name}",
        )  # fmt: skip


def _check_attach_type(path: Path, proto: Prototype) -> None:
    wanted = _ATTACH_TYPES.get(proto.name)
    if wanted is not None and path.attach_type not in wanted:
        names = " and ".join(each.name.lower() for each in wanted)
        _not_allowed(path, proto.name, f"may only be called by programs attached as {names}")


def _not_allowed(path: Path, name: str, why: str) -> None:
    raise Refusal(
        "kfunc-not-allowed", path.pc, f"kernel function {name} {why}",
        kernel=f"calling kernel function {name} is not allowed",
    )  # fmt: skip
