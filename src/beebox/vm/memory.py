"""What a running program sees: contexts, packet buffers and the interpreter's region table.

Both engines run on the same real addresses. Native code trusts the verifier; the interpreter asks
:class:`Memory` before every access, so an access outside a registered region is an error value here
and never a fault of the process.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from beebox.tables.limits import XDP_FRAME_HEADER_BYTES, XDP_HEADROOM_BYTES
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT, Layout

TAILROOM_BYTES: Final = 256

RUNTIME_BYTES: Final = 264
RUNTIME_FIELDS: Final = MappingProxyType(
    {
        "time_ns": (0, 8),
        "prandom_state": (8, 8),
        "cpu": (16, 4),
        "trace_buffer": (24, 8),
        "trace_capacity": (32, 8),
        "trace_used": (40, 8),
        "trace_lost": (48, 8),
        "tail_calls": (56, 4),
        "verdict_pc": (64, 4),
        "reason_pc": (68, 4),
        "insns": (72, 8),
        "observed": (80, 8),
        "observed_capacity": (88, 8),
        "observed_origins": (96, 8),
        "observed_costs": (104, 8),
        "loops_left": (112, 8),
        "redirect_map": (128, 8),
        "redirect_key": (136, 8),
        "redirect_flags": (144, 8),
        "redirect_ifindex": (152, 4),
        "redirect_kind": (156, 4),
        "network": (160, 8),
        "tunnel": (168, 8),
        "clones": (176, 8),
        "targets": (184, 8),
        "redirect_family": (192, 4),
        "keys_step": (196, 4),
        "redirect_nexthop": (200, 16),
        "next_keys": (216, 8),
        "pid_tgid": (224, 8),
        "uid_gid": (232, 8),
        "comm": (240, 16),
        "tai_offset_ns": (256, 8),
    }
)
"""Runtime block of one thread: what helpers read and write. Trace sizes are bytes.

``tail_calls`` counts those of the present run, ``loops_left`` is what its ``may_goto`` may still
do. The last redirection asked for: ``redirect_map`` is the storage's address of the map that
redirect_map took its target from (0: none), with its key and flags; ``redirect_ifindex`` is the
device, also of a plain redirect, which sets ``redirect_kind`` (0: none was asked for);
``redirect_family`` and ``redirect_nexthop`` are redirect_neigh's.

Addresses: ``network`` of ``userspace.network.block``'s block, ``tunnel`` of the packet's tunnel
metadata, ``clones`` of the counts of cloned packets, ``targets`` of one redirection per packet of
a batch (or null), ``next_keys`` of the next run's flow keys; ``keys_step`` is how far it moves
with each run. ``pid_tgid``, ``uid_gid`` and ``comm`` are of the task that a run interrupts;
``tai_offset_ns`` is what the clock lacks to the time of the world.

From ``verdict_pc`` to ``observed_costs``, ``vm.observe`` notes how a program ran. pcs are stored
plus one, behind the program's mark: 0 is "never set". ``observed`` counts records up to
``observed_capacity``; the addresses behind it are of ``observed_origins`` (u64 per run:
``verdict_pc`` in the low half, ``reason_pc`` in the high one) and ``observed_costs`` (u32
instructions per run).
"""


_KINDS: Final = MappingProxyType(
    {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}
)


def _structure(name: str, layout: Layout) -> type[ctypes.Structure]:
    fields: list[tuple[str, Any]] = []
    at = 0
    for field_name, (offset, size) in sorted(layout.fields.items(), key=lambda row: row[1]):
        if offset > at:
            fields.append((f"_pad{at}", ctypes.c_uint8 * (offset - at)))
        fields.append((field_name, _KINDS.get(size) or ctypes.c_uint32 * (size // 4)))
        at = offset + size
    if layout.size > at:
        fields.append((f"_pad{at}", ctypes.c_uint8 * (layout.size - at)))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


XdpContext: Final = _structure("XdpContext", XDP_LAYOUT)
SkbContext: Final = _structure("SkbContext", SKB_LAYOUT)
"""The private contexts of ``vm.contexts`` for Python; arrays are of 32-bit words."""

_STRUCTURES: Final = MappingProxyType(
    {XDP_LAYOUT.struct: XdpContext, SKB_LAYOUT.struct: SkbContext}
)


class Runtime(ctypes.Structure):
    """The runtime block ``%rt`` (:data:`RUNTIME_FIELDS`)."""

    _fields_ = (
        ("time_ns", ctypes.c_uint64),
        ("prandom_state", ctypes.c_uint64),
        ("cpu", ctypes.c_uint32),
        ("_pad", ctypes.c_uint32),
        ("trace_buffer", ctypes.c_uint64),
        ("trace_capacity", ctypes.c_uint64),
        ("trace_used", ctypes.c_uint64),
        ("trace_lost", ctypes.c_uint64),
        ("tail_calls", ctypes.c_uint32),
        ("_pad2", ctypes.c_uint32),
        ("verdict_pc", ctypes.c_uint32),
        ("reason_pc", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("observed", ctypes.c_uint64),
        ("observed_capacity", ctypes.c_uint64),
        ("observed_origins", ctypes.c_uint64),
        ("observed_costs", ctypes.c_uint64),
        ("loops_left", ctypes.c_uint64),
        ("_pad3", ctypes.c_uint64),
        ("redirect_map", ctypes.c_uint64),
        ("redirect_key", ctypes.c_uint64),
        ("redirect_flags", ctypes.c_uint64),
        ("redirect_ifindex", ctypes.c_uint32),
        ("redirect_kind", ctypes.c_uint32),
        ("network", ctypes.c_uint64),
        ("tunnel", ctypes.c_uint64),
        ("clones", ctypes.c_uint64),
        ("targets", ctypes.c_uint64),
        ("redirect_family", ctypes.c_uint32),
        ("keys_step", ctypes.c_uint32),
        ("redirect_nexthop", ctypes.c_uint8 * 16),
        ("next_keys", ctypes.c_uint64),
        ("pid_tgid", ctypes.c_uint64),
        ("uid_gid", ctypes.c_uint64),
        ("comm", ctypes.c_uint8 * 16),
        ("tai_offset_ns", ctypes.c_uint64),
    )


REDIRECT_BYTES: Final = 32
"""Of a redirection: from ``redirect_map`` to ``redirect_kind``."""


def record_target(runtime: Runtime) -> None:
    """Note the run's redirection where the runtime block's ``targets`` points, and go on there."""
    if runtime.targets:
        source = ctypes.addressof(runtime) + RUNTIME_FIELDS["redirect_map"][0]
        ctypes.memmove(runtime.targets, source, REDIRECT_BYTES)
        runtime.targets += REDIRECT_BYTES


def address_of(block: ctypes.Structure | ctypes.Array[ctypes.c_char]) -> int:
    """Where ``block`` lives; valid while the caller keeps ``block``."""
    return ctypes.addressof(block)


class Buffer:
    """``size`` zeroed bytes at a fixed address, 64-byte aligned, alive as long as this object."""

    def __init__(self, size: int) -> None:
        self._raw = ctypes.create_string_buffer(size + 63)
        self.address = (ctypes.addressof(self._raw) + 63) & ~63
        self.size = size
        start = self.address - ctypes.addressof(self._raw)
        self.view = memoryview(self._raw).cast("B")[start : start + size]

    def __len__(self) -> int:
        return self.size


class Packet:
    """A packet with room to grow: headroom before it, tailroom behind it.

    ``context`` points into this buffer; :meth:`load` puts a packet there and resets the context's
    packet pointers, :meth:`data` reads back what a program left. ``reserved`` bytes of the headroom
    are out of the program's reach.
    """

    def __init__(
        self,
        capacity: int,
        *,
        layout: Layout = XDP_LAYOUT,
        headroom: int = XDP_HEADROOM_BYTES,
        reserved: int = XDP_FRAME_HEADER_BYTES,
        tailroom: int = TAILROOM_BYTES,
    ) -> None:
        self.capacity = capacity
        self.headroom = headroom
        self.reserved = reserved
        self.tailroom = tailroom
        self.buffer = Buffer(headroom + capacity + tailroom)
        self.is_skb = layout.struct == SKB_LAYOUT.struct
        self.context: Any = _STRUCTURES[layout.struct]()
        self.context_bytes = memoryview(self.context).cast("B")
        self.context_address = ctypes.addressof(self.context)
        self.load(b"")

    @property
    def start(self) -> int:
        """Where a loaded packet's first byte is."""
        return self.buffer.address + self.headroom

    def load(self, data: bytes) -> None:
        """Place ``data`` (at most ``capacity`` bytes; ValueError) behind its headroom."""
        if len(data) > self.capacity:
            raise ValueError(f"{len(data)} bytes do not fit a packet buffer of {self.capacity}")
        end = self.start + len(data)
        self.buffer.view[self.headroom : self.headroom + len(data)] = data
        context = self.context
        context.data = context.data_meta = self.start
        context.data_end = end
        context.hard_start = self.buffer.address + self.reserved
        context.hard_end = end + self.tailroom

    def data(self) -> bytes:
        """The bytes from ``data`` to ``data_end``."""
        return self.bytes_at(self.context.data, self.context.data_end - self.context.data)

    def bytes_at(self, address: int, size: int) -> bytes:
        """``size`` bytes of the buffer."""
        start = address - self.buffer.address
        return bytes(self.buffer.view[start : start + size])


@dataclass(slots=True)
class Region:
    """Addresses ``[start, end)`` that a program may use now; ``view`` starts at ``base``.

    ``start`` and ``end`` may move inside the view (a packet after an adjust helper, the stack
    after a call).
    """

    name: str
    start: int
    end: int
    base: int
    view: memoryview
    writable: bool = True


def region_at(name: str, address: int, size: int, *, writable: bool = True) -> Region:
    """A region over ``size`` bytes at ``address``, which the caller keeps alive."""
    array = (ctypes.c_ubyte * size).from_address(address)
    return Region(name, address, address + size, address, memoryview(array).cast("B"), writable)


@dataclass(slots=True)
class Memory:
    """The region table. Regions do not overlap."""

    regions: list[Region] = field(default_factory=list)

    def add(self, region: Region) -> Region:
        """Register ``region`` and give it back."""
        self.regions.append(region)
        return region

    def remove(self, region: Region) -> None:
        """Forget ``region``."""
        self.regions.remove(region)

    def find(self, address: int, size: int) -> Region | None:
        """The region that holds all of ``[address, address + size)``, if one does."""
        for region in self.regions:
            if region.start <= address and address + size <= region.end:
                return region
        return None

    def read(self, address: int, size: int) -> bytes | None:
        """``size`` bytes at ``address``, or None where no region holds them."""
        region = self.find(address, size)
        if region is None:
            return None
        offset = address - region.base
        return bytes(region.view[offset : offset + size])

    def write(self, address: int, data: bytes) -> bool:
        """Store ``data`` at ``address``; False where no writable region holds it."""
        region = self.find(address, len(data))
        if region is None or not region.writable:
            return False
        offset = address - region.base
        region.view[offset : offset + len(data)] = data
        return True


READERS: Final[MappingProxyType[int, Callable[[memoryview, int], tuple[int, ...]]]] = (
    MappingProxyType(
        {n: struct.Struct(c).unpack_from for n, c in zip((1, 2, 4, 8), "BHIQ", strict=True)}
    )
)
"""Unsigned little-endian loads: bytes -> ``unpack_from``."""

SIGNED_READERS: Final[MappingProxyType[int, Callable[[memoryview, int], tuple[int, ...]]]] = (
    MappingProxyType(
        {n: struct.Struct(c).unpack_from for n, c in zip((1, 2, 4, 8), "bhiq", strict=True)}
    )
)
"""The same for signed values."""

WRITERS: Final[MappingProxyType[int, Callable[[memoryview, int, int], None]]] = MappingProxyType(
    {n: struct.Struct(c).pack_into for n, c in zip((1, 2, 4, 8), "BHIQ", strict=True)}
)
"""Unsigned stores: bytes -> ``pack_into``."""


PROGRAM: Final = "bpf_program"
RUN_BATCH: Final = "run_batch"
RUN_REPEAT: Final = "run_repeat"
FAST_CALL: Final = "fast_call"
"""Symbols of what ``vm.jit``, ``vm.batch`` and ``vm.fast_call`` define."""

PROGRAM_SIGNATURE: Final = (ctypes.c_uint64, (ctypes.c_void_p, ctypes.c_void_p))
"""``vm.jit``'s program for ``NativeCode.function``: context and runtime block -> R0."""

REPEAT_SIGNATURE: Final = (ctypes.c_uint64, (ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p))
"""``vm.batch``'s repetition: a count from 1, context and runtime block -> the last R0."""

BATCH_SIGNATURE: Final = (None, (ctypes.c_uint64, *(ctypes.c_void_p,) * 10, ctypes.c_uint64))
"""``vm.batch``'s loop for ``NativeCode.function``: a count, addresses (None: null), a stride."""

PREPARE_SIGNATURE: Final = (
    None,
    (*(ctypes.c_void_p,) * 3, ctypes.c_uint64, *(ctypes.c_void_p,) * 2),
)
"""``vm.batch.HookCode``'s function: runtime block, context, frame, length, the buffer's ends."""

FINISH_SIGNATURE: Final = (None, (ctypes.c_void_p, ctypes.c_void_p))
"""Its ``finish``: runtime block, context."""


def helper_signature(args: int) -> tuple[Any, tuple[Any, ...]]:
    """A helper's native code for ``NativeCode.function``: runtime block and registers -> R0."""
    return ctypes.c_int64, (ctypes.c_void_p, *(ctypes.c_uint64,) * args)


CHECKED_SIGNATURE: Final = (ctypes.c_uint64, (ctypes.c_void_p, *(ctypes.c_uint64,) * 5))
"""``vm.checked``'s program: state block and R1-R5 -> R0."""
