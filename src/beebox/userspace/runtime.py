"""What a run works with: clock, random numbers, CPU, trace log and one packet's frame."""

from __future__ import annotations

import time

from beebox.hooks import xdp
from beebox.tables.limits import XDP_HEADROOM_BYTES
from beebox.userspace.trace import TraceLog
from beebox.vm.memory import Packet, Runtime, address_of

_FRAME_ROOM = 64  # between a frame's end and the end of its page's usable part


class Environment:
    """The runtime block of one thread and the frame it works on; both engines share it.

    The random helper is seeded, so that equal runs give equal results; the clock is what the
    caller sets, the kernel's monotonic one by default.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.runtime = Runtime()
        self.runtime.prandom_state = seed
        self.runtime.time_ns = time.monotonic_ns()
        self.log = TraceLog(self.runtime)
        self.packet = Packet(xdp.LINEAR_BYTES, tailroom=_FRAME_ROOM)
        self._rest = b""
        context = self.packet.context
        context.ingress_ifindex = xdp.INGRESS_IFINDEX
        context.rx_queue_index = xdp.RX_QUEUE_INDEX
        context.egress_ifindex = xdp.EGRESS_IFINDEX

    @property
    def runtime_address(self) -> int:
        """Where the runtime block is."""
        return address_of(self.runtime)

    @property
    def context_address(self) -> int:
        """Where the private context is."""
        return self.packet.context_address

    @property
    def scratch_address(self) -> int:
        """A frame's page, for ``vm.batch``."""
        return self.packet.buffer.address

    def load(self, data: bytes) -> None:
        """Make ``data`` the frame: its first :data:`xdp.LINEAR_BYTES`, the rest out of reach."""
        self.packet.buffer.view[:] = bytes(self.packet.buffer.size)
        self.packet.load(data[: xdp.LINEAR_BYTES])
        self._rest = data[xdp.LINEAR_BYTES :]
        start = self.packet.buffer.address + XDP_HEADROOM_BYTES
        self.packet.context.hard_end = start + xdp.LINEAR_BYTES

    def frame(self) -> bytes:
        """The frame as it is now, metadata included: what BPF_PROG_TEST_RUN gives back."""
        context, base = self.packet.context, self.packet.buffer.address
        view = self.packet.buffer.view
        return bytes(view[context.data_meta - base : context.data_end - base]) + self._rest
