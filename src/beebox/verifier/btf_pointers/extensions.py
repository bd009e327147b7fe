"""Programs that take the place of a global function of another program (``freplace``, type ext).

Such a program is verified as the one that it extends: with its context, helpers and results of its
type, from the arguments of the function. Linux's ``btf_check_type_match``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NoReturn

from beebox.btf.types import Btf, Func, FuncProto, Linkage, Ptr, Struct, Type
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier.findings import Refusal
from beebox.verifier.options import Options

_NEVER_EXTENDED: Final = (AttachType.TRACE_FENTRY, AttachType.TRACE_FEXIT)


def in_place_of(spec: ProgramSpec, options: Options) -> ProgramSpec:
    """``spec``, or for an ext program the same with the type of the program that it extends.

    Raises :exc:`Refusal` where Linux would not let it replace the function.
    """
    if spec.type is not ProgramType.EXT:
        return spec
    target = options.replaces
    if target is None:
        _refuse(f"nobody says which program has the function {spec.attach_to} to replace", "")
    if spec.attach_type is not None or spec.flags & ProgramFlags.SLEEPABLE:
        _refuse("an ext program has no attach type, and does not sleep of itself", "")
    if target.type is ProgramType.EXT:
        _refuse("a program that extends another is not extended", "Cannot recursively attach")
    if target.type is ProgramType.TRACING and target.attach_type in _NEVER_EXTENDED:
        _refuse("programs on functions are not extended", "Cannot extend fentry/fexit")
    _check_functions(spec, target)
    return replace(
        spec,
        type=target.type,
        attach_type=target.attach_type,
        attach_symbol=target.attach_symbol,
    )


def _check_functions(spec: ProgramSpec, target: ProgramSpec) -> None:
    """Both functions are global, and of one type."""
    mine = _function(spec, 0)
    place = next((info.pc for info in target.functions if info.name == spec.attach_to), None)
    theirs = _function(target, place) if place is not None else None
    if theirs is None or target.btf is None:
        _refuse(f"{target.name} has no function {spec.attach_to}", "")
    if mine is None or spec.btf is None:
        _refuse("a program that replaces a function has BTF of its own", "")
    for function in (mine, theirs):
        if function.linkage is not Linkage.GLOBAL:
            _refuse(f"{function.name} is not global", f"{function.name}() is not a global function")
    ours, wanted = spec.btf.type(mine.type), target.btf.type(theirs.type)
    if not isinstance(ours, FuncProto) or not isinstance(wanted, FuncProto):
        _refuse("a function without a type", "")
    if len(ours.params) != len(wanted.params):
        _refuse(
            f"{mine.name} and {theirs.name} take different numbers of arguments",
            f"{mine.name}() has {len(ours.params)} args while {theirs.name}() has "
            f"{len(wanted.params)} args",
        )
    pairs = [(ours.type, wanted.type)]
    pairs += [(a.type, b.type) for a, b in zip(ours.params, wanted.params, strict=True)]
    for number, (a, b) in enumerate(pairs):
        if _looks(spec.btf, a) != _looks(target.btf, b):
            what = f"argument {number - 1}" if number else "the result"
            _refuse(f"{what} of {mine.name} and {theirs.name} is not of one type", "")


def _function(spec: ProgramSpec, pc: int) -> Func | None:
    described = next((info for info in spec.functions if info.pc == pc), None)
    if described is None or spec.btf is None or not 0 < described.type_id <= len(spec.btf):
        return None
    row = spec.btf.type(described.type_id)
    return row if isinstance(row, Func) else None


def _looks(btf: Btf, type_id: int) -> tuple[str, int, str]:
    """What Linux compares of a type: its kind, its size, and the struct that it points to."""
    row = btf.resolve(type_id)[1] if type_id else None
    name = ""
    if isinstance(row, Ptr):
        pointed: Type | None = btf.resolve(row.type)[1] if row.type else None
        name = pointed.name if isinstance(pointed, Struct) else type(pointed).__name__
    return type(row).__name__, getattr(row, "size", 0), name


def _refuse(message: str, kernel: str) -> NoReturn:
    raise Refusal("attach-target", 0, message, kernel=kernel)
