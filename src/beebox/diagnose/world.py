"""A kernel for unverified programs: the interpreter, every access checked, over chosen inputs.

Maps are exact as far as they are modelled (arrays, hashes and their per-CPU kin); helpers answer
what they can answer, and which of that is chosen by the inputs. What cannot be modelled without
inventing answers ends the run: :exc:`Unmodelled`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from beebox.diagnose.inputs import ANSWER, CONTEXT, MEMORY, PACKET, Inputs, Place
from beebox.errors import ExecutionError, NotSupportedError
from beebox.isa.instruction import Call, CallKind, Exit, JumpIf, Load, LoadImm64, MapRef
from beebox.isa.instruction import Reg as RegNumber
from beebox.isa.semantics import compare, to_signed
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPERS, ArgKind, Helper, RetKind
from beebox.tables.map_types import MapFlags, MapType
from beebox.verifier.result import Evidence, RegKind
from beebox.vm.contexts import layout_of
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.memory import Buffer, Memory, Packet, Region, Runtime
from beebox.vm.steps import Registers

MIN_PACKET_BYTES: Final = 14  # as BPF_PROG_TEST_RUN wants it of a frame
_FUEL: Final = 20_000
_FAR: Final = 1 << 16  # bytes behind a value that are still told from its end
_CAPACITY: Final = 2048
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
_POINTERS_OF_CONTEXT: Final = (FieldKind.PACKET, FieldKind.PACKET_END, FieldKind.PACKET_META)


def _start(region: Region) -> int:
    return region.start


class Unmodelled(Exception):  # noqa: N818 -- the end of a search, not an error of anybody's
    """The program needs what is not modelled here."""


@dataclass(slots=True)
class Run:
    """One run: ``jumps`` as (pc, left, right, taken); ``loads`` the places that were read last."""

    fault: tuple[int, str] | None = None
    jumps: list[tuple[int, int, int, bool]] = field(default_factory=list)
    loads: deque[Place] = field(default_factory=lambda: deque(maxlen=8))
    calls: list[tuple[int, str, str]] = field(default_factory=list)
    maps: dict[tuple[str, str], str] = field(default_factory=dict)
    reached: bool = False  # the refused instruction was executed
    slack: int | None = None  # how many bytes the access there is away from failing
    ends: tuple[int, ...] = ()  # addresses of the packet's end


class World:
    """One program, run over inputs.

    ``target`` is the refused instruction, ``about`` the value at fault there, ``results`` the range
    of legal results where the finding is about that.

    Raises :exc:`Unmodelled` where the program cannot be run here at all.
    """

    def __init__(
        self,
        spec: ProgramSpec,
        target: int,
        *,
        about: Evidence | None = None,
        results: tuple[int, int] | None = None,
    ) -> None:
        self.spec = spec
        self.about = about
        self.results = results
        self._target = target
        context = spec.type.value.context
        try:
            self._layout = layout_of(context)
        except NotSupportedError as missing:
            raise Unmodelled(str(missing)) from None
        assert context is not None
        self.fields = {
            each.name: self._layout.fields[each.name]
            for each in context.fields
            if each.kind is FieldKind.SCALAR
            and each.name not in ("len", "wire_len")
            and each.name in self._layout.fields
        }
        for each in context.fields:
            if each.kind not in (FieldKind.SCALAR, *_POINTERS_OF_CONTEXT):
                self._refuse_field(each.name, each.offset)
        self._refuse_calls()

    def run(self, inputs: Inputs) -> Run:
        """One run from the start."""
        return _Execution(self, inputs, self._target).run()

    def _refuse_field(self, name: str, offset: int) -> None:
        for insn in self.spec.insns:
            if isinstance(insn, Load) and insn.offset == offset and insn.size.value.bytes == 8:
                raise Unmodelled(f"the context's {name} is not modelled")

    def _refuse_calls(self) -> None:
        for insn in self.spec.insns:
            if isinstance(insn, Call) and insn.kind is CallKind.KFUNC:
                raise Unmodelled("kernel functions are not modelled")
            if isinstance(insn, LoadImm64) and not isinstance(insn.value, int | MapRef):
                name = type(insn.value).__name__
                if name not in ("GlobalRef", "PseudoImm64"):
                    raise Unmodelled(f"{name} is not modelled")


class _Execution:
    """One run: its memory lives as long as this object."""

    def __init__(self, world: World, inputs: Inputs, target: int) -> None:
        self.spec = world.spec
        self.inputs = inputs
        self.result = Run()
        self._target = target
        self._results = world.results
        self._about = world.about
        self._pc = 0
        self._answers = 0
        self._memory = Memory()
        self._buffers: list[tuple[str, Region]] = []
        self._kept: list[Buffer] = []
        self._elements: dict[tuple[str, bytes], Region | None] = {}
        self.packet = Packet(_CAPACITY, layout=world._layout)  # noqa: SLF001 -- one module
        self._load_packet(world)
        names = sorted(self.spec.maps)
        self._handles = {name: 0x1000 + 16 * at for at, name in enumerate(names)}
        self._maps = {handle: self.spec.maps[name] for name, handle in self._handles.items()}
        machine = Machine(
            self._memory, self.packet, Runtime(), handles=self._handles,
            globals={name: self._global(name) for name in names if self._is_data(name)},
        )  # fmt: skip
        slots = self.spec.slots
        watch: dict[int, Callable[[int, Registers], None]] = {}
        for pc, insn in enumerate(slots):
            match insn:
                case JumpIf():
                    watch[pc] = self._jump
                case Load():
                    watch[pc] = self._load
                case Call():
                    watch[pc] = self._call
                case Exit():
                    watch[pc] = self._exit
                case _:
                    pass
        jump = watch.get(target)
        watch[target] = self._arrive if jump is None else self._both(jump)
        helpers = {
            insn.target: self._helper(HELPERS.get(insn.target))
            for insn in self.spec.insns
            if isinstance(insn, Call)
            and insn.kind is CallKind.HELPER
            and isinstance(insn.target, int)
        }
        try:
            self.interpreter = Interpreter(self.spec, machine, helpers, watch=watch)
        except NotSupportedError as missing:
            raise Unmodelled(str(missing)) from None

    def run(self) -> Run:
        """From the start to an end, a fault, or the end of its fuel."""
        result = self.result
        result.ends = (self.packet.context.data_end,)
        try:
            self.interpreter.run(fuel=_FUEL)
        except ExecutionError as fault:
            pc = fault.pc if fault.pc is not None else self._pc
            result.fault = (pc, fault.access or str(fault))
        except NotSupportedError as missing:
            raise Unmodelled(str(missing)) from None
        return result

    # ---- who watches

    def _both(self, first: Callable[[int, Registers], None]) -> Callable[[int, Registers], None]:
        def watch(pc: int, regs: Registers) -> None:
            self._arrive(pc, regs)
            first(pc, regs)

        return watch

    def _arrive(self, pc: int, regs: Registers) -> None:
        self.result.reached = True
        insn = self.spec.slots[pc]
        if isinstance(insn, Load):
            base, size = regs[insn.src] + insn.offset, insn.size.value.bytes
        elif insn is not None and hasattr(insn, "dst") and hasattr(insn, "offset"):
            width = getattr(insn, "size", None)
            base = regs[insn.dst] + insn.offset
            size = width.value.bytes if width is not None else 8
        else:
            return
        end = self._end(base)
        if end is not None:
            self.result.slack = end - (base + size)

    def _end(self, address: int) -> int | None:
        """Where the memory ends that the pointer at fault is for."""
        about = self._about
        if about is None:
            return None
        if about.kind is RegKind.PACKET:
            return int(self.packet.context.data_end)
        if about.kind is not RegKind.MAP_VALUE:
            return None
        own = [
            region
            for name, region in self._buffers
            if name.startswith(f"map {about.map},") or name == f"the data of {about.map}"
        ]
        near = max((each for each in own if each.start <= address), key=_start, default=None)
        return near.end if near is not None and address - near.start < _FAR else None

    def _jump(self, pc: int, regs: Registers) -> None:
        insn = self.spec.slots[pc]
        if isinstance(insn, JumpIf) and len(self.result.jumps) < _FUEL:
            bits = 64 if insn.wide else 32
            mask = (1 << bits) - 1
            right = regs[insn.src] if isinstance(insn.src, RegNumber) else insn.src
            left, right = regs[insn.dst] & mask, right & mask
            taken = compare(insn.op, left, right, bits)
            self.result.jumps.append((pc, left, right, taken))

    def _load(self, pc: int, regs: Registers) -> None:
        insn = self.spec.slots[pc]
        if isinstance(insn, Load):
            place = self._place((regs[insn.src] + insn.offset) & _U64, insn.size.value.bytes)
            if place is not None:
                self.result.loads.append(place)

    def _place(self, address: int, size: int) -> Place | None:
        packet = self.packet
        if packet.start <= address < packet.start + len(self.inputs.packet):
            return Place(PACKET, offset=address - packet.start, size=size)
        at = address - packet.context_address
        for name, (offset, width) in self._fields.items():
            if offset <= at < offset + width:
                return Place(CONTEXT, name, size=width)
        for name, region in self._buffers:
            if region.start <= address < region.end:
                return Place(MEMORY, name, address - region.start, size)
        return None

    def _call(self, pc: int, _regs: Registers) -> None:
        self._pc = pc

    def _exit(self, pc: int, regs: Registers) -> None:
        self._pc = pc
        if self._results is None or pc != self._target:
            return
        number = to_signed(regs[0], 64)
        if not self._results[0] <= number <= self._results[1]:
            low, high = self._results
            access = f"the program returns {number}, of {low}..={high}"
            raise ExecutionError("an illegal result", pc=pc, access=access)

    # ---- memory

    def _load_packet(self, world: World) -> None:
        self.packet.load(self.inputs.packet)
        context = self.packet.context_bytes
        self._fields = world.fields
        for name, number in self.inputs.context.items():
            at, size = world.fields[name]
            context[at : at + size] = number.to_bytes(size, "little")
        length = world._layout.fields.get("len")  # noqa: SLF001 -- one module
        if length is not None:
            at, size = length
            context[at : at + size] = len(self.inputs.packet).to_bytes(size, "little")

    def _region(self, name: str, data: bytes, *, writable: bool = True) -> Region:
        """Memory of its own, so that what is next to it belongs to nobody."""
        buffer = Buffer(len(data))
        buffer.view[:] = data
        self._kept.append(buffer)
        start = buffer.address
        region = Region(name, start, start + len(data), start, buffer.view, writable)
        self._memory.add(region)
        self._buffers.append((name, region))
        return region

    def _is_data(self, name: str) -> bool:
        return self.spec.maps[name].is_global_data

    def _global(self, name: str) -> int:
        spec = self.spec.maps[name]
        contents = (spec.contents or b"").ljust(spec.value_size, b"\0")
        fixed = spec.frozen or bool(spec.flags & MapFlags.RDONLY_PROG)
        where = f"the data of {name}"
        if not fixed and where in self.inputs.memory:
            contents = self.inputs.bytes_of(where, spec.value_size)
        region = self._region(where, contents, writable=not fixed)
        self._elements[name, bytes(4)] = region
        return region.start

    def _bytes(self, address: int, size: int) -> bytes:
        if not size:
            return b""
        region = self.interpreter.locate(self._pc, address, size, write=False)
        return bytes(region.view[address - region.base :][:size])

    def _fill(self, address: int, data: bytes) -> None:
        if data:
            region = self.interpreter.locate(self._pc, address, len(data), write=True)
            at = address - region.base
            region.view[at : at + len(data)] = data

    # ---- maps

    def _map(self, handle: int) -> MapSpec:
        spec = self._maps.get(handle)
        if spec is None or spec.inner is not None:
            raise Unmodelled("maps of maps are not modelled")
        return spec

    def _element(self, spec: MapSpec, key: bytes) -> Region | None:
        """What the map holds for a key, as the inputs and the run have it."""
        at = (spec.name, key)
        if at in self._elements:
            return self._elements[at]
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
            raise Unmodelled(f"{spec.type.value.name} maps are not modelled")
        self._elements[at] = found
        return found

    def _value(self, spec: MapSpec, key: bytes) -> Region:
        name = f"map {spec.name}, key {key.hex(' ')}"
        data = self.inputs.bytes_of(name, spec.value_size)
        shown = data.rstrip(b"\0").hex(" ") or "zeros"
        self.result.maps[spec.name, f"key {key.hex(' ')}"] = shown
        return self._region(name, data)

    # ---- helpers

    def _answer(self) -> int:
        index, self._answers = self._answers, self._answers + 1
        self.result.loads.append(Place(ANSWER, offset=index))
        return self.inputs.answer(index)

    def _choose(self, count: int) -> int:
        return self._answer() % count

    def _helper(self, row: Helper | None) -> Callable[..., int]:
        def helper(_machine: Machine, *registers: int) -> int:
            if row is None:
                raise Unmodelled("a helper that is not known")
            as_seen = row.called_by(self.spec.type)
            self._check(as_seen, registers)
            result, shown = self._call_helper(as_seen, registers)
            if shown:
                self.result.calls.append((self._pc, f"bpf_{row.name}", shown))
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
                    raise Unmodelled(f"bpf_{row.name} is not modelled")
                case _:
                    pass
            if size:
                self.interpreter.locate(self._pc, value, size, write=arg.writes)

    def _size(self, row: Helper, index: int, registers: tuple[int, ...]) -> int:
        arg = row.args[index] if index < len(row.args) else None
        if arg is None or arg.kind not in _SIZES:
            return 0
        size = registers[index] & ((1 << arg.bits) - 1)
        if size == 0 and arg.kind is ArgKind.CONST_SIZE:
            access = f"size 0 in argument {index + 1} of bpf_{row.name}"
            raise ExecutionError("a helper got no bytes", pc=self._pc, access=access)
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
                self._elements[spec.name, key] = None
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
                return self._region(f"record of insn {self._pc}", bytes(size)).start, "a record"
            case RetKind.SOCK_COMMON_OR_NULL | RetKind.SOCKET_OR_NULL | RetKind.TCP_SOCK_OR_NULL:
                if self._choose(2):
                    return 0, "NULL"
                name = f"the socket of insn {self._pc}"
                return self._region(name, self.inputs.bytes_of(name, 192)).start, "a socket"
            case RetKind.MAP_VALUE_OR_NULL:
                if self._choose(2):
                    return 0, "NULL"
                spec = self._map(regs[0])
                name = f"what insn {self._pc} found in map {spec.name}"
                data = self.inputs.bytes_of(name, spec.value_size)
                return self._region(name, data).start, "a value"
            case RetKind.INTEGER | RetKind.VOID:
                return self._integer(row, regs)
            case _:
                raise Unmodelled(f"bpf_{row.name} is not modelled")

    def _integer(self, row: Helper, regs: tuple[int, ...]) -> tuple[int, str]:
        """A helper that answers 0 or an error, and may fill memory."""
        fills = [at for at, arg in enumerate(row.args) if arg.writes and arg.kind is ArgKind.MEM]
        if self._choose(2):
            for at in fills:
                self._fill(regs[at], bytes(self._filled(row, at, regs)))
            return _EINVAL, "-22 (EINVAL)"
        for at in fills:
            if row.name not in _FREELY_FILLED:
                raise Unmodelled(f"what bpf_{row.name} fills in is not modelled")
            size = self._filled(row, at, regs)
            name = f"what insn {self._pc} filled in"
            data = self.inputs.bytes_of(name, size)
            if row.name.endswith("_str"):
                data = data.partition(b"\0")[0][: size - 1].ljust(size, b"\0")
            self._fill(regs[at], data)
            self.result.maps["memory", name] = data.rstrip(b"\0").hex(" ") or "zeros"
        return 0, "0"

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
            self._elements[spec.name, key] = self._region(name, value)
            return 0
        found.view[: len(value)] = value
        return 0

    def _skb_load_bytes(self, regs: tuple[int, ...]) -> int:
        offset, size = regs[1] & _U32, regs[3] & _U32
        if offset + size > len(self.inputs.packet):
            self._fill(regs[2], bytes(size))
            return _EFAULT
        self._fill(regs[2], self.inputs.packet[offset : offset + size])
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
