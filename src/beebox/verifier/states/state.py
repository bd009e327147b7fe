"""What the verifier knows at one point of one path: registers, stack, frames, what is held."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum, auto
from typing import Final, NamedTuple

from beebox.verifier.states.value import Reg

UNWRITTEN = "-"
MISC = "m"
ZERO = "0"
SPILL = "s"
DYNPTR = "d"
ITER = "i"
IRQ = "q"
SPILLED = SPILL * 8
OBJECTS = DYNPTR + ITER + IRQ
"""Kinds of stack bytes: never written, some number, the number 0, part of the slot's value; or part
of a dynptr, an iterator or saved interrupt flags, which ``reg`` of the slot describes."""

ITERATES: Final = 1
DRAINED: Final = 2
"""``off`` of an iterator's value: whether it may still give elements, or gave NULL."""


class HeldKind(Enum):
    """What is acquired, and has to be given back on every path."""

    PTR = auto()  # a reference: a socket, a record, a kernel object
    LOCK = auto()  # bpf_spin_lock
    RES_LOCK = auto()  # bpf_res_spin_lock
    RES_LOCK_IRQ = auto()  # ... that saved the interrupt flags
    IRQ = auto()  # interrupts are off


class Held(NamedTuple):
    """One thing acquired: its id, the pc of the call, and of a lock which object it is in."""

    id: int
    pc: int
    kind: HeldKind = HeldKind.PTR
    holder: Hashable = None  # what may be compared: a map, an object


class Guards(NamedTuple):
    """Sections that the path is inside of: how often each was entered."""

    rcu: int = 0
    preempt: int = 0


OUTSIDE: Final = Guards()


class Slot:
    """8 bytes of stack.

    ``reg`` is the value whose low bytes lie at the slot's start, as many as ``kinds`` has SPILL:
    all 8 for a pointer; 1, 2, 4 or 8 for a number.
    """

    __slots__ = ("kinds", "reg")

    def __init__(self, reg: Reg | None, kinds: str) -> None:
        self.reg = reg
        self.kinds = kinds


class Frame:
    """One call frame. ``stack[i]`` covers bytes ``[-8*(i+1), -8*i)`` below R10.

    ``callback``: a helper called the function; it returns to the helper's call, not behind it.
    ``rounds`` counts the calls that the helper called now has made. ``deferred``: the kernel calls
    the function later, by itself; it counts the functions that were put off on the way to it.
    ``returns`` is what such a function may return.
    """

    __slots__ = (
        "callback",
        "deferred",
        "function",
        "regs",
        "return_pc",
        "returns",
        "rounds",
        "stack",
    )

    def __init__(
        self,
        regs: list[Reg | None],
        stack: list[Slot | None],
        return_pc: int,
        function: int,
        *,
        callback: bool = False,
        rounds: int = 0,
        deferred: int = 0,
        returns: tuple[int, int] = (0, 1),
    ) -> None:
        self.regs = regs
        self.stack = stack
        self.return_pc = return_pc
        self.function = function
        self.callback = callback
        self.rounds = rounds
        self.deferred = deferred
        self.returns = returns

    @property
    def call_pc(self) -> int:
        """The call that made the frame."""
        return self.return_pc if self.callback else self.return_pc - 1

    def copy(self) -> Frame:
        """A frame that can change without this one changing."""
        return Frame(
            self.regs[:],
            self.stack[:],
            self.return_pc,
            self.function,
            callback=self.callback,
            rounds=self.rounds,
            deferred=self.deferred,
            returns=self.returns,
        )


class State:
    """A path under exploration: its frames, outermost first, and the checkpoint it came from.

    ``refs`` is what was acquired and not yet released, ``guards`` the sections it is inside of.
    ``rounds`` counts the ``may_goto`` that the path fell through, ``called_back`` the functions
    that helpers called on it. ``speculative``: only a mispredicting CPU comes here.
    ``sleepable``: what is called on it may sleep.
    """

    __slots__ = (
        "called_back",
        "frames",
        "guards",
        "parent",
        "pc",
        "refs",
        "rounds",
        "sleepable",
        "speculative",
    )

    def __init__(
        self,
        frames: list[Frame],
        parent: Checkpoint | None,
        pc: int,
        refs: tuple[Held, ...] = (),
        rounds: int = 0,
        called_back: int = 0,
        guards: Guards = OUTSIDE,
        speculative: bool = False,
        *,
        sleepable: bool = False,
    ) -> None:
        self.frames = frames
        self.parent = parent
        self.pc = pc
        self.sleepable = sleepable
        self.refs = refs
        self.rounds = rounds
        self.called_back = called_back
        self.guards = guards
        self.speculative = speculative

    def copy(self, pc: int) -> State:
        """The same knowledge, to go on at ``pc``."""
        frames = [frame.copy() for frame in self.frames]
        return State(
            frames,
            self.parent,
            pc,
            self.refs,
            self.rounds,
            self.called_back,
            self.guards,
            self.speculative,
            sleepable=self.sleepable,
        )

    def replace(self, old: Reg, new: Reg) -> None:
        """Put ``new`` for every copy of ``old``, in registers and spills of all frames."""
        for frame in self.frames:
            regs, stack = frame.regs, frame.stack
            for index in range(10):
                if regs[index] is old:
                    regs[index] = new
            for index, slot in enumerate(stack):
                if slot is not None and slot.reg is old:
                    stack[index] = Slot(new, slot.kinds)

    def replace_where(
        self, matches: Callable[[Reg], bool], make: Callable[[Reg], Reg | None]
    ) -> None:
        """Put ``make(reg)`` for each distinct value that ``matches``, in all its copies.

        None: nothing of it is left there. What describes the kernel's objects on the stack is no
        such value.
        """
        made: dict[Reg, Reg | None] = {}
        for frame in self.frames:
            regs, stack = frame.regs, frame.stack
            for index in range(10):
                reg = regs[index]
                if reg is not None and matches(reg):
                    if reg not in made:
                        made[reg] = make(reg)
                    regs[index] = made[reg]
            for index, slot in enumerate(stack):
                if slot is None or slot.reg is None or slot.kinds[0] in OBJECTS:
                    continue
                if matches(slot.reg):
                    if slot.reg not in made:
                        made[slot.reg] = make(slot.reg)
                    left = made[slot.reg]
                    stack[index] = Slot(left, slot.kinds if left is not None else UNWRITTEN * 8)


class Checkpoint:
    """A state remembered at a prune point.

    ``branches`` counts unfinished paths from here: only at 0 does the checkpoint prove anything.
    ``cleaned``: the slots that nothing reads behind it are gone.
    ``precise`` holds those of its values whose ranges later decisions relied on; values older than
    the checkpoint have a ``serial`` not above its own.
    """

    __slots__ = (
        "branches",
        "called_back",
        "cleaned",
        "failed_at",
        "fingerprint",
        "frames",
        "guards",
        "hits",
        "misses",
        "node",
        "parent",
        "pc",
        "precise",
        "refs",
        "rounds",
        "serial",
        "sleepable",
        "speculative",
    )

    def __init__(
        self,
        frames: list[Frame],
        parent: Checkpoint | None,
        pc: int,
        serial: int,
        fingerprint: int = 0,
        *,
        refs: tuple[Held, ...] = (),
        rounds: int = 0,
        called_back: int = 0,
        guards: Guards = OUTSIDE,
        speculative: bool = False,
        sleepable: bool = False,
    ) -> None:
        self.frames = frames
        self.parent = parent
        self.pc = pc
        self.speculative = speculative
        self.sleepable = sleepable
        self.called_back = called_back
        self.guards = guards
        self.serial = serial
        self.fingerprint = fingerprint
        self.refs = refs
        self.rounds = rounds
        self.branches = 1
        self.node = 0  # a number that an observer gives it
        self.cleaned = False
        self.precise: set[Reg] = set()
        self.hits = 0
        self.misses = 0
        self.failed_at = -1  # the register at which a comparison failed last


def mark_precise(value: Reg, checkpoint: Checkpoint | None) -> bool:
    """Record, in every checkpoint of the path, the values that ``value`` was computed from.

    True when one learned something.

    Terminates: serials fall along the graph; a checkpoint that learns nothing new ends the walk.
    A value whose sources a checkpoint knows already carries it in ``marked``.
    """
    needed = [value]
    learned = False
    while checkpoint is not None:
        older: list[Reg] = []
        while needed:
            reg = needed.pop()
            if reg.serial > checkpoint.serial:
                if reg.marked is not checkpoint:
                    reg.marked = checkpoint
                    needed.extend(parent for parent in (reg.p1, reg.p2) if parent is not None)
            elif reg not in checkpoint.precise:
                checkpoint.precise.add(reg)
                older.append(reg)
        if not older:
            return learned
        learned = True
        needed = older
        checkpoint = checkpoint.parent
    return learned
