"""What a run works with: clock, random numbers, CPU, trace log and one packet with its context."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from beebox.errors import InputError
from beebox.hooks import xdp
from beebox.hooks.packet import PacketHook
from beebox.tables.limits import FLOW_KEYS_BYTES
from beebox.userspace.flows import FLAGS_AT, KEYS, clamp
from beebox.userspace.hook_code import (
    SKB_HEADROOM_BYTES,
    SKB_TAILROOM_BYTES,
    skb_finish,
    skb_preparation,
)
from beebox.userspace.network.block import NetworkBlock, default_network
from beebox.userspace.records import Records
from beebox.userspace.redirects import CloneCounts
from beebox.userspace.test_context import (
    check_checksum,
    give,
    give_checksum,
    load_xdp,
    take_skb,
)
from beebox.userspace.trace import TraceLog
from beebox.userspace.tunnels import TunnelBlock
from beebox.vm.contexts import SKB_LAYOUT, Layout
from beebox.vm.memory import Buffer, Packet, Region, Runtime, address_of, region_at

ALL_LINEAR: Final = (1 << 32) - 1
_WORLD_CLOCK: Final = getattr(time, "CLOCK_TAI", time.CLOCK_REALTIME)
_IDLE_TASK: Final = b"swapper/0".ljust(16, b"\0")  # what a packet interrupts where nothing runs


@dataclass(frozen=True, slots=True)
class Device:
    """The device that packets arrive on."""

    ifindex: int = xdp.INGRESS_IFINDEX


class Environment:
    """The runtime block of one thread and the packet it works on; both engines share it.

    The random helper is seeded, so that equal runs give equal results; the clock is what the
    caller sets, the kernel's monotonic one by default. Of an skb the first ``linear_bytes`` can be
    loaded and stored directly: all by default, as in a test run of Linux 6.18. Without ``network``
    there is the loopback device alone, as in a new network namespace.
    """

    def __init__(
        self,
        hook: PacketHook,
        layout: Layout,
        *,
        seed: int = 0,
        cpu: int = 0,
        linear_bytes: int = ALL_LINEAR,
        device: Device | None = None,
        network: NetworkBlock | None = None,
    ) -> None:
        self.hook = hook
        self.layout = layout
        self.runtime = Runtime()
        self.runtime.prandom_state = seed
        self.runtime.cpu = cpu
        self.runtime.time_ns = time.monotonic_ns()
        self.runtime.comm[:] = _IDLE_TASK
        self.network = network or default_network()
        self.runtime.network = self.network.address
        self.clones = CloneCounts()
        self.runtime.clones = self.clones.address
        self.tunnel = TunnelBlock(self.network.network.tunnel)
        self.runtime.tunnel = self.tunnel.address
        self._flow_keys = Buffer(FLOW_KEYS_BYTES)
        self.keys_region = region_at("flow keys", self._flow_keys.address, FLOW_KEYS_BYTES)
        self._lay_keys(self._flow_keys.address, 1)
        self.log = TraceLog(self.runtime)
        self._is_skb = layout.struct == SKB_LAYOUT.struct
        arrives_on = Device(self.network.network.ingress)
        self.packet = self._packet(device or arrives_on, linear_bytes)
        self._template = Buffer(layout.size)
        self._template.view[:] = self.packet.context_bytes

    def _packet(self, device: Device, linear_bytes: int) -> Packet:
        """A buffer for the hook's longest packet, and the context that each run starts from."""
        capacity = self.hook.max_bytes
        if not self._is_skb:
            packet = Packet(capacity, layout=self.layout)
            context = packet.context
            context.ingress_ifindex = device.ifindex
            context.rx_queue_index = xdp.RX_QUEUE_INDEX
            context.egress_ifindex = xdp.EGRESS_IFINDEX
        else:
            packet = Packet(
                capacity,
                layout=self.layout,
                headroom=SKB_HEADROOM_BYTES,
                reserved=0,
                tailroom=SKB_TAILROOM_BYTES,
            )
            context = packet.context
            context.ifindex = device.ifindex
            if device != Device():  # a test run's packets come from nowhere
                context.ingress_ifindex = device.ifindex
            context.linear_bytes = linear_bytes
        return packet

    def regions(self) -> list[Region]:
        """What programs may reach beside packet, stack and maps: flow keys, the socket."""
        found = [self.keys_region] if self.hook.gives_keys else []
        if self._is_skb:
            at, size = self.layout.fields["socket"]
            found.append(region_at("socket", self.context_address + at, size, writable=False))
        return found

    @property
    def runtime_address(self) -> int:
        """Where the runtime block is."""
        return address_of(self.runtime)

    @property
    def context_address(self) -> int:
        """Where the private context is."""
        return self.packet.context_address

    @property
    def template_address(self) -> int:
        """Where the private context that every run starts from is; it does not change."""
        return self._template.address

    @property
    def scratch_address(self) -> int:
        """The buffer, for ``vm.batch``."""
        return self.packet.buffer.address

    @contextmanager
    def recording(self, records: Records | None) -> Iterator[None]:
        """Let each run leave the next row of ``records``."""
        targets = records.targets if records is not None else None
        keys = records.keys if records is not None else None
        if targets is not None and len(targets):
            assert targets.flags.c_contiguous
            self.runtime.targets = int(targets.ctypes.data)
        if keys is not None and len(keys):
            assert keys.flags.c_contiguous
            self._lay_keys(int(keys.ctypes.data), len(keys))
        try:
            yield
        finally:
            self.runtime.targets = 0
            self._lay_keys(self._flow_keys.address, 1)

    def _lay_keys(self, address: int, count: int) -> None:
        """Where the flow keys of the next runs lie; a single one is for all runs."""
        self.runtime.next_keys = address
        self.runtime.keys_step = FLOW_KEYS_BYTES if count > 1 else 0
        there = region_at("flow keys", address, count * FLOW_KEYS_BYTES)
        region = self.keys_region
        region.start, region.end, region.base = there.start, there.end, there.base
        region.view = there.view

    def reset(self) -> None:
        """Make the context what every packet starts from."""
        self.packet.context_bytes[:] = self._template.view

    def load(self, data: bytes) -> None:
        """Make ``data`` the frame."""
        packet = self.packet
        self.reset()
        if not self._is_skb:
            load_xdp(packet, data)
            return
        self._load_skb(data, has_socket=self.hook.has_socket)

    def _load_skb(self, data: bytes, *, has_socket: bool) -> None:
        packet = self.packet
        packet.buffer.view[packet.headroom : packet.headroom + len(data)] = data
        low = packet.buffer.address
        skb_preparation(self.hook, has_socket)(
            self.runtime_address,
            self.context_address,
            packet.start,
            len(data),
            low,
            low + packet.buffer.size,
        )

    def load_test(self, data: bytes, context: bytes | None) -> None:
        """Make ``data`` a test run's frame, with that context. Raises :exc:`InputError`."""
        if self.hook.gives_keys:
            self.load(data)
            self._take_flags(context)
        elif self._is_skb:
            self.reset()
            self._load_skb(data, has_socket=True)
            take_skb(self.packet, context)
        else:
            self.reset()
            load_xdp(self.packet, data, context)

    def give_checksum(self) -> None:
        """Give the packet its device's checksum. Raises :exc:`InputError` where there is none."""
        if not self._is_skb or self.hook.gives_keys:
            raise InputError(f"the checksum of a device, for a {self.hook.name} program")
        give_checksum(self.packet)

    def check_checksum(self) -> None:
        """Raises :exc:`ExecutionError` where the checksum is not that of the packet any more."""
        check_checksum(self.packet)

    def context_after(self, given: bytes | None) -> bytes:
        """The uapi context after a test run that was given one."""
        if self.hook.gives_keys:
            return given or b""
        return give(self.packet, self.layout.struct, given)

    @contextmanager
    def in_this_task(self) -> Iterator[None]:
        """Runs happen now, and interrupt the thread that asks for them."""
        runtime = self.runtime
        runtime.time_ns = time.monotonic_ns()
        runtime.tai_offset_ns = time.clock_gettime_ns(_WORLD_CLOCK) - runtime.time_ns
        runtime.pid_tgid = os.getpid() << 32 | threading.get_native_id()
        runtime.uid_gid = os.getgid() << 32 | os.getuid()
        runtime.comm[:] = _task_name()
        try:
            yield
        finally:
            runtime.tai_offset_ns = runtime.pid_tgid = runtime.uid_gid = 0
            runtime.comm[:] = _IDLE_TASK

    def frame(self) -> bytes:
        """The frame as it is now: what BPF_PROG_TEST_RUN gives back.

        Of XDP with its metadata; a packet that starts behind the Ethernet header has zeros there.
        Of a flow dissector the flow keys.
        """
        context = self.packet.context
        if self.hook.gives_keys:
            keys = np.frombuffer(bytes(self._flow_keys.view), dtype=KEYS).copy()
            clamp(keys, np.array([context.data_end - context.data], dtype=np.uint32))
            return keys.tobytes()
        if not self._is_skb:
            end = context.data_end + context.frags_bytes
            return self.packet.bytes_at(context.data_meta, end - context.data_meta)
        return bytes(self.hook.start) + self.packet.bytes_at(context.data, context.len)

    def frame_behind(self, before: bytes) -> bytes:
        """The frame as it leaves the hook: without metadata, with its tag and its link header."""
        context = self.packet.context
        if self.hook.gives_keys:
            return before
        if not self._is_skb:
            return self.frame()[context.data - context.data_meta :]
        finish = skb_finish(self.hook)
        if finish is not None:
            finish(self.runtime_address, self.context_address)
        start = self.hook.start
        if start and self.hook.takes_tags and context.vlan_present:
            start += 4  # what no program behind the link header can change
        return before[:start] + self.packet.bytes_at(context.data, context.len)

    def _take_flags(self, given: bytes | None) -> None:
        """The flags of the flow keys, the one thing in them that is the caller's."""
        if given is None:
            return
        if len(given) != FLOW_KEYS_BYTES:
            raise InputError(f"{len(given)} bytes of flow keys; there are {FLOW_KEYS_BYTES}")
        flags = slice(FLAGS_AT, FLAGS_AT + 4)
        if any(given[: flags.start]) or any(given[flags.stop :]):
            raise InputError("of flow keys only the flags are for the caller to set")
        self._flow_keys.view[flags] = given[flags]


def _task_name() -> bytes:
    try:
        name = Path("/proc/thread-self/comm").read_bytes().rstrip(b"\n")
    except OSError:
        name = b"python"
    return name[:15].ljust(16, b"\0")
