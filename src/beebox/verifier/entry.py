"""Where a program starts: what its registers hold when the kernel calls it."""

from __future__ import annotations

from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape import rights
from beebox.verifier.states.state import Frame, State
from beebox.verifier.states.value import Reg
from beebox.verifier.subprograms.calls import given, parameters_of_program


def program(path: Path) -> State:
    """The state at the first instruction: the context in R1, the frame in R10.

    A program that extends another one is given the arguments of the function that it replaces.
    """
    regs: list[Reg | None] = [None] * 11
    if path.extends:
        for number, parameter in enumerate(parameters_of_program(path), 1):
            regs[number] = given(path, parameter)
    else:
        regs[1] = path.pointer(RegKind.CTX)
    regs[10] = path.pointer(RegKind.STACK)
    return State([Frame(regs, [], -1, 0)], None, 0, sleepable=rights.sleepable(path.spec))
