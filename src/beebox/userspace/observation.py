"""What a program wrote down about its runs: origins of verdicts, instructions, per source line."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.verifier.result import VerifiedProgram
from beebox.vm.memory import Runtime
from beebox.vm.observe import Observe, blocks

CAPACITY: Final = 1 << 16


class Observation:
    """Records of up to ``capacity`` runs, one per packet, until :meth:`clear`.

    It owns the arrays that the runtime block names, so it must live as long as programs run on
    that block.
    """

    def __init__(
        self,
        verified: VerifiedProgram,
        runtime: Runtime,
        observe: Observe,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self.verified = verified
        self.observe = observe
        self.capacity = capacity
        self._runtime = runtime
        self._blocks = blocks(verified) if observe is Observe.COSTS else {}
        self._origins = np.zeros(capacity, np.uint64)
        self._costs = np.zeros(capacity if observe is Observe.COSTS else 0, np.uint32)
        self._executed = np.zeros(len(self._blocks), np.uint64)
        runtime.observed = 0
        runtime.observed_capacity = capacity
        runtime.observed_origins = self._origins.ctypes.data
        runtime.observed_costs = self._costs.ctypes.data
        runtime.observed_blocks = self._executed.ctypes.data

    @property
    def runs(self) -> int:
        """How many records there are."""
        return int(self._runtime.observed)

    @property
    def verdict_pcs(self) -> npt.NDArray[np.int64]:
        """Per run, the instruction that set the verdict; -1 where none did."""
        return (self._origins[: self.runs] & 0xFFFF_FFFF).astype(np.int64) - 1

    @property
    def reason_pcs(self) -> npt.NDArray[np.int64]:
        """Per run, the instruction that set the last result of a subprogram; -1 where none did."""
        return (self._origins[: self.runs] >> 32).astype(np.int64) - 1

    @property
    def costs(self) -> npt.NDArray[np.uint32]:
        """Per run, the instructions executed. Empty unless costs are observed."""
        return self._costs[: self.runs]

    def executed(self) -> npt.NDArray[np.uint64]:
        """Per slot of the program, how often it was executed since the program was loaded."""
        counts = np.zeros(len(self.verified.spec.slots), np.uint64)
        for (first, size), count in zip(self._blocks.items(), self._executed, strict=True):
            pc = first
            for _ in range(size):
                counts[pc] = count
                pc += 1
                while pc < len(counts) and self.verified.spec.slots[pc] is None:
                    pc += 1
        return counts

    def start(self) -> None:
        """Forget the run under way, as native code does at each start."""
        self._runtime.verdict_pc = self._runtime.reason_pc = 0
        self._runtime.insns = 0

    def record(self) -> None:
        """Note a run that is over, as native code does itself; a full record stays as it is."""
        runtime = self._runtime
        index = int(runtime.observed)
        if index == self.capacity:
            return
        self._origins[index] = runtime.verdict_pc | runtime.reason_pc << 32
        if self._costs.size:
            self._costs[index] = runtime.insns
        runtime.observed = index + 1

    def count(self, executed: list[int]) -> None:
        """Take the interpreter's executions per slot."""
        self._executed[:] = [executed[first] for first in self._blocks]

    def clear(self) -> None:
        """Make room: the records so far are gone, the executions per block stay."""
        self._runtime.observed = 0
