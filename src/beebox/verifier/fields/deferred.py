"""Timers, work queues and task work: functions that the kernel calls later, by themselves.

Such a function starts with a stack of its own: the path that asked for it is no part of its past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.isa.instruction import Call, CallKind
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.fields import lookup
from beebox.verifier.fields.record import DEFERRED, FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import S32_MAX, S32_MIN
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import Frame, State
from beebox.verifier.states.value import Reg


@dataclass(frozen=True, slots=True)
class Later:
    """A call that has a function called later.

    ``item`` and ``function`` are the arguments that point into the map's value and at the function.
    """

    item: int
    function: int
    sleeps: bool
    low: int
    high: int


_SET_TIMER: Final = HELPER_BY_NAME["timer_set_callback"].id
_TIMER: Final = Later(1, 2, sleeps=False, low=0, high=0)
_WORK: Final = Later(1, 2, sleeps=True, low=0, high=0)
_TASK_WORK: Final = Later(2, 4, sleeps=True, low=S32_MIN, high=S32_MAX)
_KFUNCS: Final = {
    "bpf_wq_set_callback_impl": _WORK,
    "bpf_task_work_schedule_signal_impl": _TASK_WORK,
    "bpf_task_work_schedule_resume_impl": _TASK_WORK,
}


def by_helper(insn: Call) -> Later | None:
    """What is known of a helper's call that has a function called later; None for others."""
    return _TIMER if insn.kind is CallKind.HELPER and insn.target == _SET_TIMER else None


def by_kfunc(name: str) -> Later | None:
    """The same of a kernel function's."""
    return _KFUNCS.get(name)


def check_pointer(path: Path, value: Reg, number: int, kind: FieldKind) -> None:
    """Whether R``number`` points to the field of this kind in a map's value."""
    label = kind.value.label
    if value.kind is not RegKind.MAP_VALUE or value.nullable:
        raise Refusal(
            "argument-type" if not value.nullable else "null-pointer", path.pc,
            f"argument {number} must point to a {label} in a map's value, but is "
            f"{plain_name(value)}", kernel=f"R{number} type={kernel_name(value)} "
            "expected=map_value", values=(value,), reg=number,
        )  # fmt: skip
    if not value.scalar.is_const:
        kernel = f"R{number} doesn't have constant offset. {label} has to be at the constant offset"
        raise _refused(path, value, number, f"a {label} at an offset that varies", kernel)
    if not lookup.has_types(path, value.map):
        kernel = f"map '{value.map}' has to have BTF in order to use {label}"
        raise _refused(path, value, number, "the map's values are not described by BTF", kernel)
    record = path.fields.get(value.map)
    field = record.only(kind) if record is not None else None
    if field is None:
        text = f"values of map {value.map} hold no {label}"
        raise _refused(path, value, number, text, f"map '{value.map}' has no valid {label}")
    offset = value.off + value.scalar.smin
    if offset != field.offset:
        kernel = f"off {offset} doesn't point to 'struct {label}' that is at {field.offset}"
        raise _refused(path, value, number, f"offset {offset} is not that of the {label}", kernel)


def check_map(path: Path, item: Reg, map_: Reg, number: int, kind: FieldKind) -> None:
    """Whether R``number`` is the map whose value R``number - 1`` points into."""
    if item.map == map_.map and item.range == map_.range:
        return
    what = {
        FieldKind.TIMER: "timer pointer in R1",
        FieldKind.WORKQUEUE: "workqueue pointer in R1",
    }.get(kind, "bpf_task_work pointer in R2")
    raise _refused(
        path, map_, number, f"the {kind.value.label} is in the values of another map",
        f"{what} map_uid={item.range} doesn't match map pointer in R{number} "
        f"map_uid={map_.range}",
    )  # fmt: skip


def begin(path: Path, later: Later) -> State:
    """The state in which the function begins. R1-R5 are still the call's arguments."""
    map_ = path.read(later.item).map
    target = path.read(later.function).range
    function = path.function_of(target)
    path.deferred.add(function)
    path.callbacks.add(function)
    regs: list[Reg | None] = [None] * 11
    regs[1] = path.pointer(RegKind.MAP, map_=map_)
    regs[2] = path.pointer(RegKind.MAP_KEY, map_=map_)
    regs[3] = path.pointer(RegKind.MAP_VALUE, map_=map_)
    regs[10] = path.pointer(RegKind.STACK)
    entries = path.state.frames[-1].deferred + 1
    frame = Frame(
        regs, [], -1, function, deferred=entries, returns=(later.low, later.high)
    )  # fmt: skip
    return State([frame], None, target, sleepable=later.sleeps)


def has_deferred(kinds: frozenset[FieldKind]) -> bool:
    """Whether pointers to values with these fields, and to their map, must be of one map."""
    return not kinds.isdisjoint(DEFERRED)


def _refused(path: Path, value: Reg, number: int, text: str, kernel: str) -> Refusal:
    return Refusal("kernel-fields", path.pc, text, kernel=kernel, values=(value,), reg=number)
