"""What a run works with: clock, random numbers, CPU, trace log and one packet with its context."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from beebox.errors import InputError
from beebox.hooks import xdp
from beebox.hooks.packet import PacketHook
from beebox.tables.limits import FLOW_KEYS_BYTES, XDP_HEADROOM_BYTES
from beebox.userspace.flows import FLAGS_AT, KEYS, clamp
from beebox.userspace.hook_code import SKB_HEADROOM_BYTES, SKB_TAILROOM_BYTES, skb_preparation
from beebox.userspace.network.block import NetworkBlock, default_network
from beebox.userspace.records import Records
from beebox.userspace.redirects import CloneCounts
from beebox.userspace.trace import TraceLog
from beebox.userspace.tunnels import TunnelBlock
from beebox.vm.contexts import SKB_LAYOUT, Layout
from beebox.vm.memory import Buffer, Packet, Runtime, address_of, region_at

ALL_LINEAR: Final = (1 << 32) - 1
_LOOPBACK_MTU: Final = 65_536
_SK_BUFF_BYTES: Final = 192
_GSO_LEGACY_MAX_BYTES: Final = 65_536
_GSO_MAX_SEGS: Final = 65_535
_GIVEN: Final = ("mark", "priority", "ingress_ifindex", "ifindex", "cb", "tstamp", "wire_len")
_GIVEN_TOO: Final = ("gso_segs", "gso_size", "hwtstamp")
_TAKEN: Final = (*_GIVEN, "gso_segs", "hwtstamp")
"""Fields of ``__sk_buff`` that BPF_PROG_TEST_RUN takes from its caller, and gives back."""


@dataclass(frozen=True, slots=True)
class Device:
    """The device that packets arrive on."""

    ifindex: int = xdp.INGRESS_IFINDEX
    mtu: int = _LOOPBACK_MTU


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
        self.packet = self._packet(device or Device(), linear_bytes)
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
            context.mtu = device.mtu
            context.linear_bytes = linear_bytes
        return packet

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
            packet.buffer.view[:XDP_HEADROOM_BYTES] = bytes(XDP_HEADROOM_BYTES)
            packet.load(data)
            context = packet.context
            context.hard_end = packet.start + xdp.LINEAR_BYTES
            context.data_end = min(context.data_end, context.hard_end)
            context.frags_bytes = packet.start + len(data) - context.data_end
            return
        packet.buffer.view[packet.headroom : packet.headroom + len(data)] = data
        low = packet.buffer.address
        skb_preparation(self.hook)(
            self.runtime_address,
            self.context_address,
            packet.start,
            len(data),
            low,
            low + packet.buffer.size,
        )

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
        """The frame as it is now, without metadata, behind the header that it came with."""
        context = self.packet.context
        if self.hook.gives_keys:
            return before
        if not self._is_skb:
            return self.frame()[context.data - context.data_meta :]
        start = self.hook.start
        return before[:start] + self.packet.bytes_at(context.data, context.len)

    def take_context(self, given: bytes | None) -> None:
        """Set the fields that a test run takes from its caller. Raises :exc:`InputError`."""
        if not self._is_skb:
            if given is not None:
                raise InputError("a context for an XDP test run in userspace")
            return
        if self.hook.gives_keys:
            self._take_flags(given)
            return
        context = self.packet.context
        if given is None:
            context.wire_len = 0  # as in Linux, where only a context sets it
            return
        if len(given) != _SK_BUFF_BYTES:
            raise InputError(f"a context of {len(given)} bytes; __sk_buff has {_SK_BUFF_BYTES}")
        rest = bytearray(given)
        for name in (*_GIVEN, *_GIVEN_TOO):
            at, size = self.layout.fields[name]
            rest[at : at + size] = bytes(size)
            if name not in {"ifindex", "wire_len"}:
                self.packet.context_bytes[at : at + size] = given[at : at + size]
        if any(rest):
            at = next(n for n, byte in enumerate(rest) if byte)
            raise InputError(f"byte {at} of __sk_buff is not for the caller to set")
        self._take_lengths(given)

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

    def _take_lengths(self, given: bytes) -> None:
        def word(name: str) -> int:
            value: int = struct.unpack_from("<I", given, self.layout.offset(name))[0]
            return value

        context = self.packet.context
        if word("ifindex") > 1:
            raise InputError(f"there is no device with ifindex {word('ifindex')}")
        wire = word("wire_len")
        if wire and not context.len <= wire <= _GSO_LEGACY_MAX_BYTES:
            raise InputError(f"wire_len {wire} of a packet of {context.len} bytes")
        context.wire_len = wire or context.len
        if word("gso_segs") > _GSO_MAX_SEGS:
            raise InputError(f"gso_segs {word('gso_segs')} is out of range")

    def context_after(self, given: bytes | None) -> bytes:
        """The uapi context after a run, as long as the one that was given."""
        if given is None or not self._is_skb:
            return b""
        if self.hook.gives_keys:
            return given
        after = bytearray(given)
        for name in _TAKEN:
            at, size = self.layout.fields[name]
            after[at : at + size] = self.packet.context_bytes[at : at + size]
        return bytes(after)
