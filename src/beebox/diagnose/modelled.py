"""The kernel around an unverified program: memory of its own for each value, maps, helpers.

Maps are exact as far as they are modelled (arrays, hashes and their per-CPU kin); helpers answer
what they can answer, and which of that is chosen by the inputs. What cannot be modelled without
inventing answers ends the run: :exc:`Unmodelled`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from beebox.diagnose.inputs import ANSWER, MEMORY, PACKET, Inputs, Place
from beebox.errors import ExecutionError
from beebox.isa.semantics import to_signed
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.helpers import ArgKind, Helper, RetKind
from beebox.tables.map_types import MapType
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.memory import Buffer, Memory, Packet, Region

MIN_PACKET_BYTES: Final = 14  # as BPF_PROG_TEST_RUN wants it of a frame
_U64: Final = (1 << 64) - 1
_U32: Final = (1 << 32) - 1
_ENOENT, _E2BIG, _EFAULT, _EINVAL = -2, -7, -14, -22
_ARRAYS: Final = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_HASHES: Final = (
    MapType.HASH,
    MapType.LRU_HASH,
    MapType.PERCPU_HASH,
    MapType.LRU_PERCPU_HASH,
    MapType.LPM_TRIE,
)
_FREE: Final = frozenset(
    {
        "ktime_get_ns",
        "ktime_get_boot_ns",
        "ktime_get_coarse_ns",
        "ktime_get_tai_ns",
        "jiffies64",
        "get_current_pid_tgid",
        "get_current_uid_gid",
        "get_current_cgroup_id",
        "get_socket_cookie",
    }
)
"""Helpers that may answer any 64-bit number."""
_FREE_32: Final = frozenset(
    {"get_prandom_u32", "get_hash_recalc", "get_cgroup_classid", "get_route_realm", "csum_diff"}
)
_FIXED: Final = {"get_smp_processor_id": 0, "get_numa_node_id": 0, "ringbuf_submit": 0,
                 "ringbuf_discard": 0, "spin_lock": 0, "spin_unlock": 0, "sk_release": 0,
                 "trace_printk": 0, "tail_call": _ENOENT}  # fmt: skip
_FREELY_FILLED: Final = frozenset(
    {"probe_read", "probe_read_kernel", "probe_read_user", "probe_read_str",
     "probe_read_kernel_str", "probe_read_user_str", "copy_from_user"}
)  # fmt: skip
_SIZES: Final = (ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO)


class Unmodelled(Exception):  # noqa: N818 -- the end of a search, not an error of anybody's
    """The program needs what is not modelled here."""


@dataclass(slots=True)
class Run:
    """One run: ``jumps`` as (pc, left, right, taken); ``loads`` the places that were read last."""

    fault: tuple[int, str] | None = None
    jumps: list[tuple[int, int, int, bool]] = field(default_factory=list)
    loads: deque[Place] = field(default_factory=lambda: deque(maxlen=16))
    calls: list[tuple[int, str, str]] = field(default_factory=list)
    maps: dict[tuple[str, str], str] = field(default_factory=dict)
    reached: bool = False  # the refused instruction was executed
    slack: int | None = None  # how many bytes the access there is away from failing
    ends: tuple[int, ...] = ()  # addresses of the packet's end


class Modelled:
    """What one run works on: it lives as long as this object.

    ``interpreter`` is set before the run, ``pc`` before each call.
    """

    interpreter: Interpreter

    def __init__(
        self, spec: ProgramSpec, inputs: Inputs, packet: Packet, maps: Mapping[int, MapSpec]
    ) -> None:
        self.spec = spec
        self.inputs = inputs
        self.packet = packet
        self.result = Run()
        self.memory = Memory()
        self.regions: list[tuple[str, Region]] = []
        self.elements: dict[tuple[str, bytes], Region | None] = {}
        self.pc = 0
        self._maps = maps
        self._kept: list[Buffer] = []
        self._answers = 0

    def region(self, name: str, data: bytes, *, writable: bool = True) -> Region:
        """Memory of its own, so that what is next to it belongs to nobody."""
        buffer = Buffer(len(data))
        buffer.view[:] = data
        self._kept.append(buffer)
        start = buffer.address
        region = Region(name, start, start + len(data), start, buffer.view, writable)
        self.memory.add(region)
        self.regions.append((name, region))
        return region

    def _bytes(self, address: int, size: int) -> bytes:
        if not size:
            return b""
        region = self.interpreter.locate(self.pc, address, size, write=False)
        return bytes(region.view[address - region.base :][:size])

    def _fill(self, address: int, data: bytes) -> None:
        if data:
            region = self.interpreter.locate(self.pc, address, len(data), write=True)
            at = address - region.base
            region.view[at : at + len(data)] = data

    # ---- maps

    def _map(self, handle: int) -> MapSpec:
        spec = self._maps.get(handle)
        if spec is None or spec.inner is not None:
            raise Unmodelled("maps of maps")
        return spec

    def _element(self, spec: MapSpec, key: bytes) -> Region | None:
        """What the map holds for a key, as the inputs and the run have it."""
        at = (spec.name, key)
        if at in self.elements:
            return self.elements[at]
        found: Region | None = None
        shown = key.hex(" ")
        if spec.type in _ARRAYS:
            if int.from_bytes(key, "little") < spec.max_entries:
                found = self._value(spec, key)
        elif spec.type in _HASHES:
            if self._choose(2) == 0 and spec.max_entries:
                found = self._value(spec, key)
            else:
                self.result.maps[spec.name, f"key {shown}"] = "absent"
        else:
            raise Unmodelled(f"{spec.type.value.name} maps")
        self.elements[at] = found
        return found

    def _value(self, spec: MapSpec, key: bytes) -> Region:
        name = f"map {spec.name}, key {key.hex(' ')}"
        data = self.inputs.bytes_of(name, spec.value_size)
        shown = data.rstrip(b"\0").hex(" ") or "zeros"
        self.result.maps[spec.name, f"key {key.hex(' ')}"] = shown
        return self.region(name, data)

    # ---- helpers

    def _answer(self) -> int:
        index, self._answers = self._answers, self._answers + 1
        self.result.loads.append(Place(ANSWER, offset=index))
        return self.inputs.answer(index)

    def _choose(self, count: int) -> int:
        return self._answer() % count

    def helper(self, row: Helper | None) -> Callable[..., int]:
        """The helper of a row, for the interpreter."""

        def helper(_machine: Machine, *registers: int) -> int:
            if row is None:
                raise Unmodelled("a helper that is not known")
            as_seen = row.called_by(self.spec.type)
            self._check(as_seen, registers)
            result, shown = self._call_helper(as_seen, registers)
            if shown:
                self.result.calls.append((self.pc, f"bpf_{row.name}", shown))
            return result & _U64

        return helper

    def _check(self, row: Helper, registers: tuple[int, ...]) -> None:
        """Whether the memory that the helper is given is there. Raises as the interpreter does."""
        spec: MapSpec | None = None
        for index, arg in enumerate(row.args):
            value = registers[index]
            if arg.nullable and value == 0:
                continue
            size = 0
            match arg.kind:
                case ArgKind.CONST_MAP_PTR:
                    spec = self._maps.get(value)
                case ArgKind.MAP_KEY if spec is not None:
                    size = spec.key_size
                case ArgKind.MAP_VALUE if spec is not None:
                    size = spec.value_size
                case ArgKind.MEM:
                    size = arg.fixed_size or self._size(row, index + 1, registers)
                case ArgKind.FUNC | ArgKind.DYNPTR | ArgKind.TIMER | ArgKind.KPTR_XCHG_DEST:
                    raise Unmodelled(f"bpf_{row.name}")
                case _:
                    pass
            if size:
                self.interpreter.locate(self.pc, value, size, write=arg.writes)

    def _size(self, row: Helper, index: int, registers: tuple[int, ...]) -> int:
        arg = row.args[index] if index < len(row.args) else None
        if arg is None or arg.kind not in _SIZES:
            return 0
        size = registers[index] & ((1 << arg.bits) - 1)
        if size == 0 and arg.kind is ArgKind.CONST_SIZE:
            access = f"size 0 in argument {index + 1} of bpf_{row.name}"
            raise ExecutionError("a helper got no bytes", pc=self.pc, access=access)
        return size

    def _call_helper(self, row: Helper, regs: tuple[int, ...]) -> tuple[int, str]:
        """R0, and the answer for people where it was chosen."""
        name = row.name
        if name in _FIXED:
            return _FIXED[name], ""
        if name in _FREE or name in _FREE_32:
            number = self._answer() & (_U64 if name in _FREE else _U32)
            return number, f"{number:#x}"
        match name:
            case "map_lookup_elem" | "map_lookup_percpu_elem":
                spec = self._map(regs[0])
                found = self._element(spec, self._bytes(regs[1], spec.key_size))
                return (found.start if found is not None else 0), ""
            case "map_update_elem":
                return self._update(regs), ""
            case "map_delete_elem":
                spec = self._map(regs[0])
                key = self._bytes(regs[1], spec.key_size)
                there = self._element(spec, key) is not None
                if spec.type in _ARRAYS:
                    return _EINVAL, ""
                self.elements[spec.name, key] = None
                return (0 if there else _ENOENT), ""
            case "skb_load_bytes":
                return self._skb_load_bytes(regs), ""
            case "xdp_adjust_head" | "xdp_adjust_tail":
                return self._adjust(name, to_signed(regs[1], 32)), ""
            case "redirect" | "redirect_map":
                return {"xdp": 4}.get(self.spec.type.value.name, 7), ""
            case _:
                return self._other(row, regs)

    def _other(self, row: Helper, regs: tuple[int, ...]) -> tuple[int, str]:
        if row.changes_packet:
            return _EINVAL, "-22 (EINVAL)"  # it may always fail, and then the packet stays
        match row.ret:
            case RetKind.RINGBUF_MEM_OR_NULL:
                if self._choose(2):
                    return 0, "NULL"
                size = min(regs[1], 1 << 16)
                return self.region(f"record of insn {self.pc}", bytes(size)).start, "a record"
            case RetKind.SOCK_COMMON_OR_NULL | RetKind.SOCKET_OR_NULL | RetKind.TCP_SOCK_OR_NULL:
                if self._choose(2):
                    return 0, "NULL"
                name = f"the socket of insn {self.pc}"
                return self.region(name, self.inputs.bytes_of(name, 192)).start, "a socket"
            case RetKind.MAP_VALUE_OR_NULL:
                if self._choose(2):
                    return 0, "NULL"
                spec = self._map(regs[0])
                name = f"what insn {self.pc} found in map {spec.name}"
                data = self.inputs.bytes_of(name, spec.value_size)
                return self.region(name, data).start, "a value"
            case RetKind.INTEGER | RetKind.VOID:
                return self._integer(row, regs)
            case _:
                raise Unmodelled(f"bpf_{row.name}")

    def _integer(self, row: Helper, regs: tuple[int, ...]) -> tuple[int, str]:
        """A helper that answers 0 or an error, and may fill memory."""
        fills = [at for at, arg in enumerate(row.args) if arg.writes and arg.kind is ArgKind.MEM]
        if self._choose(2):
            for at in fills:
                self._fill(regs[at], bytes(self._filled(row, at, regs)))
            return _EINVAL, "-22 (EINVAL)"
        for at in fills:
            if row.name not in _FREELY_FILLED:
                raise Unmodelled(f"what bpf_{row.name} fills in")
            size = self._filled(row, at, regs)
            name = f"what insn {self.pc} filled in"
            data = self.inputs.bytes_of(name, size)
            if row.name.endswith("_str"):
                data = data.partition(b"\0")[0][: size - 1].ljust(size, b"\0")
            self._fill(regs[at], data)
            self._note(MEMORY, name, 0, size)
            self.result.maps["memory", name] = data.rstrip(b"\0").hex(" ") or "zeros"
            if row.name.endswith("_str"):
                length = min(len(data.rstrip(b"\0")) + 1, size)
                return length, f"{length}"
        return 0, "0"

    def _note(self, kind: str, name: str, at: int, size: int) -> None:
        """The program got these bytes of the inputs as a copy: they count as read."""
        for width in (8, 4, 2):
            if size >= width:
                self.result.loads.append(Place(kind, name, at, width))
        for more in range(min(size, 4)):
            self.result.loads.append(Place(kind, name, at + more, 1))

    def _filled(self, row: Helper, at: int, regs: tuple[int, ...]) -> int:
        return row.args[at].fixed_size or self._size(row, at + 1, regs)

    def _update(self, regs: tuple[int, ...]) -> int:
        spec = self._map(regs[0])
        key = self._bytes(regs[1], spec.key_size)
        value = self._bytes(regs[2], spec.value_size)
        found = self._element(spec, key)
        if found is None:
            if spec.type in _ARRAYS:
                return _E2BIG
            name = f"map {spec.name}, key {key.hex(' ')}"
            self.elements[spec.name, key] = self.region(name, value)
            return 0
        found.view[: len(value)] = value
        return 0

    def _skb_load_bytes(self, regs: tuple[int, ...]) -> int:
        offset, size = regs[1] & _U32, regs[3] & _U32
        if offset + size > len(self.inputs.packet):
            self._fill(regs[2], bytes(size))
            return _EFAULT
        self._fill(regs[2], self.inputs.packet[offset : offset + size])
        self._note(PACKET, "", offset, size)
        return 0

    def _adjust(self, name: str, delta: int) -> int:
        context = self.packet.context
        if name == "xdp_adjust_head":
            data = context.data + delta
            if data < context.hard_start or data > context.data_end - MIN_PACKET_BYTES:
                return _EINVAL
            context.data = context.data_meta = data
            return 0
        end = context.data_end + delta
        if end > context.hard_end or end < context.data + MIN_PACKET_BYTES:
            return _EINVAL
        context.data_end = end
        return 0
