"""Open-coded iterators: objects on the stack that ``new`` makes, ``next`` asks, ``destroy`` ends.

``next`` forks the path: the one followed now got NULL and has a drained iterator; the other, which
is explored later, got an element. A loop converges as those of ``may_goto`` do
(:mod:`beebox.verifier.pruning.loops`).

An iterator's slots have a pointer of kind STACK each, all alike but that the first one holds the
reference: its ``type`` is the iterator's struct, ``off`` ITERATES or DRAINED, ``range`` how
often ``next`` gave an element (which no comparison looks at but that for endless loops).
"""

from __future__ import annotations

from beebox.btf.types import Struct
from beebox.tables.kfuncs import KfuncFlags
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.accesses import stack
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.numbers.scalar import const
from beebox.verifier.pruning import loops
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states import references
from beebox.verifier.states.guards import in_rcu
from beebox.verifier.states.state import DRAINED, ITER, ITERATES, Slot, State
from beebox.verifier.states.value import PtrFlag, Reg


def check_argument(arg: Argument) -> None:
    """An iterator on the stack: a new one for ``new``, else one that was made."""
    call, path, value = arg.call, arg.call.path, arg.value
    if call.name == "bpf_iter_css_task_new":
        _check_css_task(call)
    if value.kind is not RegKind.STACK:
        raise Refusal(
            "argument-type", path.pc,
            f"argument {arg.number} of {call.name} must point to an iterator on the stack, but is "
            f"{plain_name(value)}",
            kernel=f"arg#{arg.position} expected pointer to an iterator on stack",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    struct = arg.param.target
    if not isinstance(struct, Struct) or struct.size == 0 or struct.size % 8:
        raise Refusal(
            "not-supported", path.pc, f"{call.name} takes an iterator of an unknown kind",
            kernel=f"expected valid iter pointer as arg #{arg.position}",
        )  # fmt: skip
    if call.proto.has(KfuncFlags.ITER_NEW):
        _make(arg, struct)
    else:
        _use(arg, struct)


def _check_css_task(call: KfuncCall) -> None:
    """It takes a lock that programs on other hooks may hold already."""
    path = call.path
    type_ = path.spec.type
    iterates = type_ is ProgramType.TRACING and path.attach_type is AttachType.TRACE_ITER
    if not (path.sleepable or type_ is ProgramType.LSM or iterates):
        raise Refusal(
            "kfunc-not-allowed", path.pc,
            "bpf_iter_css_task is for LSM, iterator and sleepable programs",
            kernel="css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs",
        )  # fmt: skip


def _make(arg: Argument, struct: Struct) -> None:
    path, value, count = arg.call.path, arg.value, struct.size // 8
    place = stack.object_place(path, value, count)
    if place is None or any(ITER in kinds for kinds in place.kinds):
        raise Refusal(
            "iterator", path.pc,
            f"{arg.call.name} makes an iterator where one is, or where none can be",
            kernel=f"expected uninitialized {_called(struct)} as arg #{arg.position}",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    for offset in range(0, struct.size, 8):
        stack.store(path, value, arg.number, offset, 8, path.unknown())
    flags = PtrFlag.NONE
    if arg.call.proto.has(KfuncFlags.RCU_PROTECTED):
        flags = PtrFlag.RCU if in_rcu(path) else PtrFlag.UNTRUSTED
    id_ = path.new_id()
    references.acquire(path, id_)
    type_ = path.type_ref(arg.call.proto.btf, arg.param.target_id)
    stack.put_object(
        path,
        place,
        tuple(
            Slot(
                path.pointer(
                    RegKind.STACK, off=ITERATES, ref=0 if at else id_, flags=flags, type_=type_
                ),
                ITER * 8,
            )
            for at in range(count)
        ),
    )


def _use(arg: Argument, struct: Struct) -> None:
    call, path, value, count = arg.call, arg.call.path, arg.value, struct.size // 8
    place = stack.object_place(path, value, count)
    type_ = path.type_ref(call.proto.btf, arg.param.target_id)
    kernel = f"expected an initialized {_called(struct)} as arg #{arg.position}"
    first = place.regs[0] if place is not None else None
    if place is None or first is None or not first.ref or any(
        kinds != ITER * 8 or reg is None or reg.type is not type_ or (at and reg.ref)
        for at, (reg, kinds) in enumerate(zip(place.regs, place.kinds, strict=True))
    ):  # fmt: skip
        raise Refusal(
            "iterator", path.pc, f"{call.name} needs an iterator that was made, and there is none",
            kernel=kernel, values=(value,), reg=arg.number,
            hint="call the iterator's new function first, its destroy function once, last",
        )  # fmt: skip
    if first.flags & PtrFlag.UNTRUSTED:
        raise Refusal(
            "section", path.pc, f"{call.name} needs the RCU section that the iterator was made in",
            kernel=f"expected an RCU CS when using {call.name}",
            values=(value,), reg=arg.number,
            hint="keep the whole loop between bpf_rcu_read_lock and bpf_rcu_read_unlock",
        )  # fmt: skip
    stack.read_object(path, place)
    call.iterator = (place.frame, place.first)
    call.ref = first.ref
    if call.proto.has(KfuncFlags.ITER_DESTROY):
        stack.put_object(path, place, (None,) * count)
        references.release(path, first.ref)


def _called(struct: Struct) -> str:
    return "iter_" + struct.name.removeprefix("bpf_iter_")


def is_protected(call: KfuncCall) -> bool:
    """Whether what ``next`` gives is kept by the RCU section that the iterator was made in."""
    if call.iterator is None or not call.proto.has(KfuncFlags.ITER_NEXT):
        return False
    return bool(_iterator(call.path.state, call.iterator).flags & PtrFlag.RCU)


def _iterator(state: State, place: tuple[int, int]) -> Reg:
    frame, index = place
    slot = state.frames[frame].stack[index]
    if slot is None or slot.reg is None:
        raise LookupError(f"no iterator in slot {index} of frame {frame}")
    return slot.reg


def _put(state: State, place: tuple[int, int], iterator: Reg) -> None:
    frame, index = place
    state.frames[frame].stack[index] = Slot(iterator, ITER * 8)


def fork(call: KfuncCall) -> None:
    """After ``next``: R0 is NULL on this path, an element on one that is explored later."""
    path, place = call.path, call.iterator
    if place is None:
        raise LookupError(f"{call.name} without an iterator")
    element = path.regs[0]
    if element is None:
        raise LookupError(f"{call.name} gives nothing")
    active = _iterator(path.state, place)
    if active.off == ITERATES:
        other = path.state.copy(path.pc + 1)
        _put(other, place, path.moved(active, range_=active.range + 1))
        before = call.pruner.previous_round(path.state, path.pc)
        if before is not None:
            loops.widen(path, before, other)
        other.frames[-1].regs[0] = path.moved(element, nullable=False, id_=0)
        call.push(other)
        _put(path.state, place, path.moved(active, off=DRAINED))
    path.regs[0] = path.number(const(0))
