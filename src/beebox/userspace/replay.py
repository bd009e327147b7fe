"""Replay: one program over every packet of a capture, deterministically.

Time is the capture's, the CPU is 0, random numbers are seeded: equal inputs give equal verdicts
and maps. The native loop runs in chunks without the GIL; between chunks it reports progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.hooks import xdp
from beebox.userspace.captures import Capture
from beebox.userspace.kernel import UserspaceProgram

CHUNK_PACKETS: Final = {"jit": 1 << 16, "interpreter": 1 << 8}  # about 10 ms each


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay gave. ``verdicts`` counts by name, in the order of the return values.

    ``retvals`` holds one return value per packet; ``ran`` says which packets reached the program:
    frames below 14 bytes do not (``refused`` counts them, their return value is 0). ``bytes`` are
    those captured of all packets. Times are the program's alone.
    """

    packets: int
    bytes: int
    refused: int
    verdicts: Mapping[str, int]
    retvals: npt.NDArray[np.uint32]
    ran: npt.NDArray[np.bool_]
    elapsed_ns: int
    engine: str

    @property
    def ns_per_packet(self) -> float:
        """Nanoseconds per packet that reached the program."""
        return self.elapsed_ns / max(1, self.packets - self.refused)

    @property
    def seconds(self) -> float:
        """The program's time."""
        return self.elapsed_ns / 1e9


def replay(
    program: UserspaceProgram,
    capture: Capture,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Replay:
    """Run ``program`` over ``capture``; ``progress`` is told packets done and in all."""
    engine = program.engine
    total = len(capture)
    ran = capture.lengths >= xdp.MIN_FRAME_BYTES
    chosen = capture if bool(ran.all()) else _select(capture, ran)
    lengths = np.minimum(chosen.lengths, xdp.LINEAR_BYTES).astype(np.uint32)
    skipped = total - len(chosen)
    results = np.zeros(len(chosen), dtype=np.uint32)
    step = CHUNK_PACKETS[engine.name]
    elapsed = 0
    for first in range(0, len(chosen), step):
        part = lengths[first : first + step]
        results[first : first + len(part)], took = engine.run_batch(chosen, first, part)
        elapsed += took
        if progress is not None:
            progress(skipped + first + len(part), total)
    retvals = np.zeros(total, dtype=np.uint32)
    retvals[ran] = results
    values, counts = np.unique(results, return_counts=True)
    named = zip(values.tolist(), counts.tolist(), strict=True)
    return Replay(
        packets=total,
        bytes=capture.total_bytes,
        refused=skipped,
        verdicts={xdp.verdict_name(value): count for value, count in named},
        retvals=retvals,
        ran=ran,
        elapsed_ns=elapsed,
        engine=engine.name,
    )


def _select(capture: Capture, chosen: npt.NDArray[np.bool_]) -> Capture:
    return Capture(
        file=capture.file,
        data=capture.data,
        offsets=capture.offsets[chosen],
        lengths=capture.lengths[chosen],
        wire_lengths=capture.wire_lengths[chosen],
        times_ns=capture.times_ns[chosen],
    )
