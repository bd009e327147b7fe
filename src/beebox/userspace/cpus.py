"""The CPUs of one collection: a run takes one, so no more runs are under way than there are CPUs.

Programs of a collection share maps and, per CPU, the slots of per-CPU maps. As in a kernel, two
runs are never on the same CPU at once. A run takes the lowest CPU that is free; alone, always 0.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from beebox.errors import InputError
from beebox.vm.memory import Buffer


class Cpus:
    """``count`` CPUs, numbered from 0."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = threading.Condition()
        self._owners: list[int | None] = [None] * count
        self._busy = Buffer(4)
        self._first = self._busy.view.cast("I")

    @property
    def busy_address(self) -> int:
        """A u32 that is 0 while CPU 0 is free; it changes only while the GIL is held.

        So native code that holds the GIL from its look at it to its end needs not take the CPU.
        """
        return self._busy.address

    @contextmanager
    def taken(self, *, first: bool = False) -> Iterator[int]:
        """The number of a CPU that nobody else has meanwhile, 0 if ``first``; waits for it.

        Raises :exc:`InputError` in a thread that has one already and would wait for itself.
        """
        cpu = self._take(first=first)
        try:
            yield cpu
        finally:
            self._give(cpu)

    def _take(self, *, first: bool) -> int:
        mine = threading.get_ident()
        with self._free:
            choice = self._owners[:1] if first else self._owners
            while None not in choice:
                if mine in choice:
                    raise InputError("a run inside a run, in one thread, and no CPU is free")
                self._free.wait()
                choice = self._owners[:1] if first else self._owners
            cpu = choice.index(None)
            self._owners[cpu] = mine
            if cpu == 0:
                self._first[0] = 1
            return cpu

    def _give(self, cpu: int) -> None:
        with self._free:
            self._owners[cpu] = None
            if cpu == 0:
                self._first[0] = 0
            self._free.notify_all()
