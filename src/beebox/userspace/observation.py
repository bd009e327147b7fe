"""What a program wrote down about its runs: origins of verdicts, instructions, per source line."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.verifier.result import VerifiedProgram
from beebox.vm.memory import Runtime
from beebox.vm.observe import BLOCKS, MARK, Observe, blocks, mark_address

CAPACITY: Final = 1 << 16


class Observation:
    """Records of up to ``capacity`` runs, one per packet, until :meth:`clear`.

    ``mark`` tells the program from others of its object, in which its runs may go on by a tail
    call: records name both program and instruction. It owns the arrays that the runtime block and
    the code name, so it must live as long as programs run on that block.
    """

    def __init__(
        self,
        verified: VerifiedProgram,
        runtime: Runtime,
        observe: Observe,
        *,
        mark: int = 0,
        capacity: int = CAPACITY,
    ) -> None:
        self.verified = verified
        self.observe = observe
        self.mark = mark
        self.capacity = capacity
        self.executed_slots = [0] * len(verified.spec.slots)  # the interpreter's
        self._runtime = runtime
        self._blocks = blocks(verified) if observe is Observe.COSTS else {}
        self._origins = np.zeros(capacity, np.uint64)
        self._costs = np.zeros(capacity if observe is Observe.COSTS else 0, np.uint32)
        self._executed = np.zeros(max(1, len(self._blocks)), np.uint64)
        runtime.observed = 0
        runtime.observed_capacity = capacity
        runtime.observed_origins = self._origins.ctypes.data
        runtime.observed_costs = self._costs.ctypes.data

    @property
    def imports(self) -> dict[str, int]:
        """What native code that observes is linked with."""
        return {MARK: mark_address(self.mark), BLOCKS: self._executed.ctypes.data}

    @property
    def runs(self) -> int:
        """How many records there are."""
        return int(self._runtime.observed)

    @property
    def verdict_places(self) -> npt.NDArray[np.int64]:
        """Per run, where the verdict was set, for ``vm.observe.place_of``; 0: nowhere."""
        return (self._origins[: self.runs] & 0xFFFF_FFFF).astype(np.int64)

    @property
    def reason_places(self) -> npt.NDArray[np.int64]:
        """Per run, where the last result of a subprogram was set."""
        return (self._origins[: self.runs] >> 32).astype(np.int64)

    @property
    def costs(self) -> npt.NDArray[np.uint32]:
        """Per run, the instructions executed, also behind tail calls. Empty without costs."""
        return self._costs[: self.runs]

    def executed(self) -> npt.NDArray[np.uint64]:
        """Per slot of the program, how often it was executed since the program was loaded."""
        counts = np.array(self.executed_slots, np.uint64)
        for (first, size), count in zip(self._blocks.items(), self._executed, strict=False):
            pc = first
            for _ in range(size):
                counts[pc] += count
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

    def clear(self) -> None:
        """Make room: the records so far are gone, the executions per block stay."""
        self._runtime.observed = 0
