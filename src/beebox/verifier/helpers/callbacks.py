"""Functions that a helper calls: ``bpf_loop``, ``for_each_map_elem``, ``find_vma`` and others.

As in Linux, the path first goes on behind the call, as if the helper called nothing; a second state
enters the function, and comes back to the call, not behind it: there the helper may call once more.
The rounds converge as those of a loop do (``pruning.loops``), or end where a constant
number of them was asked for.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Func, Linkage
from beebox.isa.instruction import Call, CallKind, Instruction
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.limits import MAX_CALL_FRAMES
from beebox.verifier.btf_pointers.kernel import kernel_struct
from beebox.verifier.dynptrs import slots
from beebox.verifier.fields.record import LOCKS
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import S64_MAX, S64_MIN
from beebox.verifier.path import Path
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import orders_tree
from beebox.verifier.states.state import Frame, State
from beebox.verifier.states.value import PtrFlag, Reg

_LOOP: Final = HELPER_BY_NAME["loop"].id
_FOR_EACH: Final = HELPER_BY_NAME["for_each_map_elem"].id
_DRAIN: Final = HELPER_BY_NAME["user_ringbuf_drain"].id
_FIND_VMA: Final = HELPER_BY_NAME["find_vma"].id
_FUNCTION: Final = {
    _LOOP: 2,
    _FOR_EACH: 2,
    _DRAIN: 2,
    _FIND_VMA: 3,
}  # the argument that is the function
_MOST: Final = 1  # of what the function may return: 0 goes on, 1 stops


def calls_back(insn: Instruction | None) -> bool:
    """Whether the instruction calls what calls a function of the program while it runs."""
    if not isinstance(insn, Call):
        return False
    if insn.kind is CallKind.HELPER:
        return insn.target in _FUNCTION
    return orders_tree(insn)


def function_argument(insn: Call) -> int:
    """The register that holds the function which the helper calls."""
    return _FUNCTION[insn.target] if isinstance(insn.target, int) else 0


def address(spec: ProgramSpec, path: Path, start: int) -> Reg:
    """The address of the function that begins at ``start``. Refuses all but static functions."""
    described = {info.pc: info.type_id for info in spec.functions}
    btf, type_id = spec.btf, described.get(start, 0)
    if btf is None or not 0 < type_id <= len(btf):
        raise Refusal(
            "callback", path.pc, "the address of a function without BTF",
            kernel="missing btf func_info",
        )  # fmt: skip
    function = btf.type(type_id)
    if not isinstance(function, Func) or function.linkage is not Linkage.STATIC:
        raise Refusal(
            "callback", path.pc, "the address of a function that is not static",
            kernel="callback function not static",
        )  # fmt: skip
    return path.pointer(RegKind.FUNC, range_=start)


def enter(path: Path, insn: Call, function: int) -> State | None:
    """The state in which the helper's function begins; None when it is not called any more.

    ``function`` is the function's number. R1-R5 are still the helper's arguments.
    """
    frames = path.state.frames
    caller = frames[-1]
    if insn.target == _LOOP:
        rounds = path.read(1)
        if rounds.kind is not RegKind.SCALAR:
            raise Refusal(
                "argument-type", path.pc,
                f"the number of rounds of bpf_loop must be a number, but is {plain_name(rounds)}",
                kernel="backtracking misuse", values=(rounds,), reg=1,
            )  # fmt: skip
        path.precise(rounds)
        flags = path.read(4)
        if flags.kind is RegKind.SCALAR and flags.scalar.umax == 0:
            path.precise(flags)  # that they are 0 decides how Linux compiles the loop
        if caller.rounds >= rounds.scalar.umax:
            caller.rounds = 0
            return None
    if len(frames) >= MAX_CALL_FRAMES:
        raise Refusal(
            "call-depth", path.pc, f"more than {MAX_CALL_FRAMES} nested calls",
            kernel=f"the call stack of {len(frames) + 1} frames is too deep",
        )  # fmt: skip
    target = path.read(function_argument(insn)).range
    state = path.state.copy(target)
    state.called_back += 1
    state.frames[-1].rounds += 1
    caller.rounds = 0
    regs: list[Reg | None] = [None] * 11
    given = state.frames[-1].regs
    if insn.target == _LOOP:
        regs[1] = path.unknown()
        regs[2] = given[3]
    elif insn.target == _FIND_VMA:
        regs[1] = given[1]
        regs[2] = kernel_struct(path, "vm_area_struct", PtrFlag.NONE)
        regs[3] = given[4]
    elif insn.target == _DRAIN:
        regs[1] = slots.constant(path)
        regs[2] = given[3]
    else:
        map_ = path.read(1).map
        regs[1] = given[1]
        regs[2] = path.pointer(RegKind.MAP_KEY, map_=map_)
        record = path.fields.get(map_)  # the values of two rounds have not the same lock
        id_ = path.new_id() if record is not None and record.has(*LOCKS) else 0
        regs[3] = path.pointer(RegKind.MAP_VALUE, map_=map_, id_=id_)
        regs[4] = given[3]
    regs[10] = path.pointer(RegKind.STACK, frame=len(frames))
    path.callbacks.add(function)
    state.frames.append(Frame(regs, [], path.pc, function, callback=True))
    return state


def check_result(path: Path) -> None:
    """What a function that a helper called returns: 0 or 1."""
    value = path.regs[0]
    if value is None or value.kind is not RegKind.SCALAR:
        found = plain_name(value) if value is not None else "nothing"
        raise Refusal(
            "return-value", path.pc,
            f"a function that a helper calls must return 0 or 1, but returns {found}",
            kernel="R0 not a scalar value", values=(value,), reg=0,
        )  # fmt: skip
    path.precise(value)
    scalar = value.scalar
    if scalar.smin >= 0 and scalar.smax <= _MOST:
        return
    ends = (("smin", scalar.smin, S64_MIN), ("smax", scalar.smax, S64_MAX))
    known = " ".join(f"{name}={end}" for name, end, none in ends if end != none)
    raise Refusal(
        "return-range", path.pc,
        f"a function that a helper calls must return 0 or 1, but R0 is {scalar!r}",
        kernel=f"At callback return the register R0 has {known or 'unknown scalar value'} should "
        f"have been in [0, {_MOST}]", values=(value,), reg=0,
    )  # fmt: skip


def check_early_end(path: Path, *, is_set: bool) -> None:
    """Refuse to end a function that a helper called in its middle, where Linux does.

    Linux looks back for what the result depends on, and loses its way where no instruction has set
    R0 before, and in loops.
    """
    if is_set:
        check_result(path)
    call = path.spec.slots[path.state.frames[-1].return_pc]
    if is_set and not (isinstance(call, Call) and call.target == _LOOP):
        return
    raise Refusal(
        "early-end", path.pc, "a function that a helper calls may end here, in its middle",
        kernel="verifier bug", hint="load or call in the program itself",
    )  # fmt: skip
