"""One call of a kernel function: what its steps learn and hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from beebox.verifier.kfuncs.prototype import Parameter, Prototype
from beebox.verifier.path import Path
from beebox.verifier.pruning.prune import Pruner
from beebox.verifier.states.state import State
from beebox.verifier.states.value import Reg, TypeRef


class KfuncCall:
    """What the arguments said. ``push`` explores another state, too, after the path followed now.

    ``constant``: the value of the ``__k`` or ``__szk`` argument. ``buffer``: the size of the buffer
    that is returned, ``buffer_read_only`` whether it may be written. ``ref``: the reference that an
    argument holds, ``released`` the argument that the function releases. ``map``: the last map, or
    map value with a field of the kernel's. ``function``: the callback. ``dynptr``: the initialised
    dynptr's object. ``iterator``: frame and slot of the iterator. ``object``: the type of the
    object that the program made, ``owning`` whether the argument owns it. ``field``: the list head
    or tree root, in the terms of ``field_arguments``. ``moves_packet``: the call writes into a
    packet, which may move.
    """

    __slots__ = (
        "buffer",
        "buffer_read_only",
        "constant",
        "dynptr",
        "field",
        "function",
        "iterator",
        "map",
        "moves_packet",
        "object",
        "owning",
        "path",
        "proto",
        "pruner",
        "push",
        "ref",
        "released",
    )

    def __init__(
        self, path: Path, proto: Prototype, push: Callable[[State], None], pruner: Pruner
    ) -> None:
        self.path = path
        self.proto = proto
        self.push = push
        self.pruner = pruner
        self.constant: int | None = None
        self.buffer = 0
        self.buffer_read_only = False
        self.ref = 0
        self.released: Argument | None = None
        self.map: Reg | None = None
        self.function: Reg | None = None
        self.dynptr: Reg | None = None
        self.iterator: tuple[int, int] | None = None
        self.object: TypeRef | None = None
        self.owning = False
        self.moves_packet = False
        self.field: object = None

    @property
    def name(self) -> str:
        """The function's."""
        return self.proto.name


class Argument(NamedTuple):
    """``number``: of its register; in the kernel's log it is ``arg#(number - 1)``."""

    call: KfuncCall
    number: int
    param: Parameter
    value: Reg

    @property
    def position(self) -> int:
        """Its number in the kernel's log."""
        return self.number - 1
