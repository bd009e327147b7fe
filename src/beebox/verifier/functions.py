"""Calls of the program's own functions, and the return from them."""

from __future__ import annotations

from beebox.tables.limits import MAX_CALL_FRAMES
from beebox.verifier import callbacks, loops, packet
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.prune import Pruner
from beebox.verifier.result import RegKind
from beebox.verifier.state import Frame
from beebox.verifier.value import Reg


def enter(path: Path, target: int, callee: int, *, moves_packet: bool) -> int:
    """Go on in the function at ``target``, the ``callee``-th of the program."""
    frames = path.state.frames
    if len(frames) >= MAX_CALL_FRAMES:
        raise Refusal(
            "call-depth", path.pc, f"more than {MAX_CALL_FRAMES} nested calls",
            kernel=f"the call stack of {len(frames) + 1} frames is too deep",
        )  # fmt: skip
    if moves_packet:
        packet.void_pointers(path)
    caller = path.regs
    regs: list[Reg | None] = [None] * 11
    regs[1:6] = caller[1:6]
    regs[10] = path.pointer(RegKind.STACK, frame=len(frames))
    caller[0:6] = [None] * 6
    frames.append(Frame(regs, [], path.pc + 1, callee))
    path.regs = regs
    return target


def leave(path: Path, pruner: Pruner) -> int:
    """Return from a function that another one, or a helper, has called: where to go on."""
    frames = path.state.frames
    result = path.regs[0]
    if result is not None and result.kind is RegKind.STACK:
        raise Refusal(
            "return-value", path.pc, "a function returns a pointer into its own stack",
            kernel="cannot return stack pointer to the caller", values=(result,), reg=0,
        )  # fmt: skip
    if frames[-1].callback:
        callbacks.check_result(path)
    left = frames.pop()
    path.regs = frames[-1].regs
    if left.callback:
        before = pruner.previous_round(path.state, left.return_pc, own=True)
        if before is not None:
            loops.widen(path, before, path.state)
    else:
        path.regs[0] = result
    return left.return_pc
