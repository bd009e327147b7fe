"""A loaded program: test runs, batches, single calls from Python, in any number of threads."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import index
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from beebox.backend import TestRun
from beebox.errors import InputError
from beebox.hooks import xdp
from beebox.hooks.packet import PacketHook
from beebox.llvm.native import Callables, NativeCode
from beebox.maps.objects import Callee
from beebox.obj.model import ProgramSpec
from beebox.userspace.cpus import Cpus
from beebox.userspace.engines import Engine, Left, Packets
from beebox.userspace.observation import Observation
from beebox.userspace.packets import check_packets
from beebox.userspace.records import Records
from beebox.userspace.redirects import Target
from beebox.userspace.runtime import Environment
from beebox.userspace.trace import TraceLogs
from beebox.verifier.result import Report
from beebox.vm.batch import reads_only
from beebox.vm.memory import FAST_CALL
from beebox.vm.observe import keeps_state

MAX_REPEAT: Final = 1 << 31
_GIL: Final = getattr(sys, "_is_gil_enabled", lambda: True)()
"""The fast call relies on it; without it every call takes the way of the others."""
_IDS: Final = itertools.count(1)


def compatibility(spec: ProgramSpec, engine: Engine, cpus: int) -> tuple[str, ...]:
    """What programs that tail-call each other have in common: ``Callee.compatibility``.

    A program runs on its caller's CPU, of which its per-CPU maps must have values.
    """
    return spec.type.name, str(spec.attach_type), str(int(spec.flags)), engine.name, str(cpus)


@dataclass(frozen=True, eq=False, slots=True)
class Lane:
    """What a program has on one CPU: runtime block and packet, and an engine over them."""

    environment: Environment
    engine: Engine
    observation: Observation | None


class UserspaceProgram:
    """A verified program, ready to run. Threads may share it.

    Each run takes a CPU of the collection and what the program has there; runs beyond the number
    of CPUs wait. The interpreter and observed programs stay on CPU 0.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_cpus",
        "_fast",
        "_id",
        "_lanes",
        "_lock",
        "_make_lane",
        "_only_first",
        "_report",
    )

    def __init__(self, report: Report, cpus: Cpus, make_lane: Callable[[int], Lane]) -> None:
        self._report = report
        self._cpus = cpus
        self._make_lane = make_lane
        self._lock = threading.Lock()
        self._id = next(_IDS)
        self._closed = False
        self._fast: NativeCode | None = None
        first = make_lane(0)
        self._lanes = {0: first}
        self._only_first = first.engine.name == "interpreter" or first.observation is not None

    def __repr__(self) -> str:
        return f"<UserspaceProgram {self.spec.name}: {self.spec.section}>"

    @property
    def spec(self) -> ProgramSpec:
        """What the program was made from."""
        return self._report.spec

    @property
    def id(self) -> int:
        """The number that a prog array gives for it."""
        return self._id

    def callee(self) -> Callee:
        """The program as a prog array holds it. Raises :exc:`InputError` when it is closed."""
        self._check_open()
        engine = self._lanes[0].engine
        shared = compatibility(self.spec, engine, self._cpus.count)
        return Callee(self._id, engine.entry, shared, engine)

    @property
    def report(self) -> Report:
        """The verifier's report."""
        return self._report

    @property
    def engine_name(self) -> str:
        """As ``--engine`` calls it."""
        return self._lanes[0].engine.name

    @property
    def code_bytes(self) -> int:
        """The size of the native object, 0 where there is none."""
        return self._lanes[0].engine.code_bytes

    @property
    def observation(self) -> Observation | None:
        """What the program wrote down of its runs, where it does."""
        return self._lanes[0].observation

    @property
    def log(self) -> TraceLogs:
        """What the program printed with ``bpf_trace_printk``."""
        return TraceLogs([lane.environment.log for lane in self._lanes.values()])

    @property
    def hook(self) -> PacketHook:
        """Where it runs: what it is given, what its verdicts mean."""
        return self._lanes[0].environment.hook

    @property
    def reads_only(self) -> bool:
        """Whether it provably never changes a packet."""
        return reads_only(self._report.require_accepted())

    def records(self, count: int) -> Records:
        """Room for what runs over so many packets leave: redirections, flow keys."""
        may_redirect = keeps_state(self._report.require_accepted())
        return Records.of(count, targets=may_redirect, keys=self.hook.gives_keys)

    @property
    def clones(self) -> Mapping[Target, int]:
        """How many clones it has sent, and where."""
        sums: Counter[Target] = Counter()
        for lane in self._lanes.values():
            sums.update(lane.environment.clones.counts())
        return sums

    # ---- runs

    def test_run(
        self,
        data: bytes,
        *,
        repeat: int = 1,
        context: bytes | None = None,
        checksum_complete: bool = False,
    ) -> TestRun:
        """Run over one packet as BPF_PROG_TEST_RUN does.

        The frame is not restored between repeats. Of XDP, ``data_out`` starts at data_meta, and of
        a frame above 3520 bytes the program sees the first 3520 directly. A packet that starts at
        the network header comes back with 14 zeros before it. ``context`` is a ``__sk_buff``,
        or of XDP an ``xdp_md`` with metadata before ``data`` and pages behind ``data_end``.
        Raises :exc:`InputError` for frames and contexts that Linux refuses,
        :exc:`ExecutionError` for a device's checksum that is wrong after the run.
        """
        repeat, data = index(repeat), memoryview(data).tobytes()
        if not 1 <= repeat < MAX_REPEAT:
            raise InputError(f"repeat {repeat} is out of range")
        refusal = self.hook.why_not(data)
        if refusal is not None:
            raise InputError(refusal)
        with self._lane() as lane:
            environment, engine = lane.environment, lane.engine
            environment.load_test(data, context)
            if checksum_complete:
                environment.give_checksum()
            rounds = repeat if environment.hook.gives_keys else 1  # each starts with fresh keys
            with environment.in_this_task():
                start = time.perf_counter_ns()
                for _ in range(rounds - 1):
                    engine.run(1)
                    environment.load_test(data, context)
                retval = engine.run(repeat // rounds)
                duration = (time.perf_counter_ns() - start) // repeat
            if checksum_complete:
                environment.check_checksum()
            after = environment.context_after(context)
            return TestRun(retval, environment.frame(), duration, repeat, engine.name, after)

    def run_at(
        self, data: bytes, time_ns: int, records: Records | None = None
    ) -> tuple[int, bytes]:
        """Run over one frame at a time of the caller's; the return value, the frame it left.

        Metadata before the frame is left out. ``records`` has one row, as in :meth:`run_packets`.
        Raises :exc:`InputError` for a length that this program type does not take.
        """
        self._check_length(data)
        with self._lane() as lane, lane.environment.recording(records):
            lane.environment.load(data)
            lane.environment.runtime.time_ns = time_ns
            retval = lane.engine.run()
            return retval, lane.environment.frame_behind(data)

    def slot_bytes(self, longest: int) -> int | None:
        """What :class:`Left` needs for each packet; None where there is no room to be given.

        Packets have ``longest`` bytes at most. Programs that change nothing, those that start
        behind the Ethernet header and the interpreter leave nothing in slots.
        """
        if self.reads_only or self.hook.start or self.engine_name != "jit":
            return None
        packet = self._lanes[0].environment.packet
        behind = packet.buffer.size - packet.headroom - packet.capacity
        room: int = max(longest + behind, xdp.room_of(longest))
        return packet.headroom + room + 63 & ~63

    def room_for(self, count: int, stride: int) -> Left:
        """Room for what is left of ``count`` packets in slots of ``stride`` bytes."""
        return Left(
            data=np.empty(count * stride + 8, dtype=np.uint8),
            stride=stride,
            headroom=self._lanes[0].environment.packet.headroom,
            lengths=np.zeros(count, dtype=np.uint32),
            moves=np.zeros(count, dtype=np.int32),
        )

    def run_packets(
        self, packets: Packets, records: Records | None = None, left: Left | None = None
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """Run over packets that were checked; the return values, the nanoseconds it took.

        ``records`` are :meth:`records` for as many packets, ``left`` is :meth:`room_for` them.
        """
        with self._lane() as lane, lane.environment.recording(records):
            return lane.engine.run_batch(packets, left)

    def run_batch(
        self,
        buffer: Any,
        offsets: npt.ArrayLike,
        lengths: npt.ArrayLike,
        times_ns: npt.ArrayLike | None = None,
    ) -> npt.NDArray[np.uint32]:
        """The return values over many frames in one buffer, without the GIL.

        Frame ``i`` is ``lengths[i]`` bytes at ``offsets[i]`` of ``buffer``, any contiguous object
        of bytes, which is never changed; nor may others change it, or the arrays, before the call
        returns. ``times_ns`` sets the program's clock for each frame; by
        default it stands at the time of the call. Raises :exc:`InputError` for a frame outside the
        buffer or of a length that this program type does not take, TypeError for what is no
        buffer.
        """
        packets = check_packets(buffer, offsets, lengths, times_ns, self.hook)
        with self._lane() as lane:
            lane.environment.runtime.time_ns = time.monotonic_ns()
            verdicts, _ = lane.engine.run_batch(packets)
            return verdicts

    def __call__(self, data: bytes) -> int:
        """The return value over one frame.

        From the second call on native code answers, without this function, as long as ``data`` is
        bytes and CPU 0 is free. Raises :exc:`InputError` for a length that this program type does
        not take, TypeError for what is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a program takes a packet of bytes, not {type(data).__name__}")
        frame = bytes(data)
        self._check_length(frame)
        if self._fast is None and not self._closed:
            self._install()
        with self._lane() as lane:
            lane.environment.load(frame)
            lane.environment.runtime.time_ns = time.monotonic_ns()
            return lane.engine.run()

    def _install(self) -> None:
        """Compile the fast call and send calls there, where the engine has native code."""
        with self._lock:
            if self._fast is not None or self._closed or not _GIL:
                return
            hook, engine = self.hook, self._lanes[0].engine
            slow = UserspaceProgram.__call__
            busy = self._cpus.busy_address
            self._fast = engine.fast_call(busy, slow, hook.min_bytes, hook.max_bytes)
            if self._fast is not None:
                _callables().set(self, self._fast.address(FAST_CALL))

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """What the program has on a CPU that is this run's. Raises :exc:`InputError` if closed."""
        with self._cpus.taken(first=self._only_first) as cpu:
            self._check_open()
            lane = self._lanes.get(cpu)
            if lane is None:  # nobody else makes this one: the CPU is ours
                lane = self._lanes[cpu] = self._make_lane(cpu)
            yield lane

    def _check_length(self, frame: bytes) -> None:
        hook = self.hook
        if not hook.min_bytes <= len(frame) <= hook.max_bytes:
            least, most = hook.min_bytes, hook.max_bytes
            raise InputError(f"a frame of {len(frame)} bytes; {hook.name} takes {least} to {most}")

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(f"program {self.spec.name} is closed")

    def close(self) -> None:
        """Unload the program, once no run is under way on any of its CPUs."""
        with self._lock:
            self._closed = True
            if self._fast is not None:
                _callables().set(self, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@cache
def _callables() -> Callables:
    return Callables(UserspaceProgram)


def make_program(report: Report, cpus: Cpus, make_lane: Callable[[int], Lane]) -> UserspaceProgram:
    """A program that native code can be called through."""
    made: UserspaceProgram = _callables().type(report, cpus, make_lane)
    return made
