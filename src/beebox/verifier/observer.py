"""Who may watch a verification: the kernel-style log and the explorer page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from beebox.verifier.path import Path
from beebox.verifier.states.state import State


class Observer(Protocol):
    """What is told of the exploration while it runs; none of it changes the verdict."""

    def arrive(self, path: Path, pc: int) -> None:
        """The path is about to execute ``pc``, in ``path.state``."""

    def pruned(self, path: Path, pc: int) -> None:
        """The path ends here: an earlier state covers it."""

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside, to be explored from ``other`` later."""

    def entered(self, path: Path, state: State) -> None:
        """A path is begun or taken up again."""

    def ended(self, path: Path, pc: int) -> None:
        """The path reached the program's end."""


class Several:
    """Tells several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def arrive(self, path: Path, pc: int) -> None:
        """As :meth:`Observer.arrive`."""
        for each in self._observers:
            each.arrive(path, pc)

    def pruned(self, path: Path, pc: int) -> None:
        """As :meth:`Observer.pruned`."""
        for each in self._observers:
            each.pruned(path, pc)

    def pushed(self, path: Path, other: State) -> None:
        """As :meth:`Observer.pushed`."""
        for each in self._observers:
            each.pushed(path, other)

    def entered(self, path: Path, state: State) -> None:
        """As :meth:`Observer.entered`."""
        for each in self._observers:
            each.entered(path, state)

    def ended(self, path: Path, pc: int) -> None:
        """As :meth:`Observer.ended`."""
        for each in self._observers:
            each.ended(path, pc)
