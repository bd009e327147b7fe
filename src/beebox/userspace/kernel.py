"""beebox's own kernel as a Backend: verifies, admits, makes maps, and runs in this process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Literal, Self, TypeAlias

from beebox.backend import TestRun
from beebox.errors import InputError
from beebox.hooks.packet import PacketHook, hook_of
from beebox.maps.objects import Callee
from beebox.maps.view import LiveMap
from beebox.obj.linker import link
from beebox.obj.model import ObjectSpec, ProgramSpec
from beebox.userspace.admission import admit
from beebox.userspace.engines import Engine, InterpreterEngine, JitEngine
from beebox.userspace.network.block import NetworkBlock
from beebox.userspace.network.model import Network
from beebox.userspace.observation import Observation
from beebox.userspace.runtime import ALL_LINEAR, Environment
from beebox.userspace.trace import TraceLog
from beebox.verifier.result import Report
from beebox.verifier.verify import verify
from beebox.vm.batch import reads_only
from beebox.vm.contexts import layout_of
from beebox.vm.observe import Observe

EngineName: TypeAlias = Literal["jit", "interpreter"]
ENGINES: Final[tuple[EngineName, ...]] = ("jit", "interpreter")
_IDS: Final = itertools.count(1)
MAX_REPEAT: Final = 1 << 31


class UserspaceProgram:
    """A verified program, ready to run; not for two threads at a time."""

    def __init__(
        self,
        report: Report,
        engine: Engine,
        environment: Environment,
        observation: Observation | None = None,
    ) -> None:
        self._report = report
        self.observation = observation
        self._engine: Engine | None = engine
        self._environment = environment
        self._id = next(_IDS)

    @property
    def spec(self) -> ProgramSpec:
        """What the program was made from."""
        return self._report.spec

    @property
    def id(self) -> int:
        """The number that a prog array gives for it."""
        return self._id

    def callee(self) -> Callee:
        """The program as a prog array holds it."""
        engine = self.engine
        kinds = (self.spec.type.name, str(self.spec.attach_type), engine.name)
        return Callee(self._id, engine.entry, kinds, engine)

    @property
    def report(self) -> Report:
        """The verifier's report."""
        return self._report

    @property
    def engine(self) -> Engine:
        """What runs it. Raises :exc:`InputError` when the program is closed."""
        if self._engine is None:
            raise InputError(f"program {self.spec.name} is closed")
        return self._engine

    @property
    def log(self) -> TraceLog:
        """What the program printed with ``bpf_trace_printk``."""
        return self._environment.log

    @property
    def hook(self) -> PacketHook:
        """Where it runs: what it is given, what its verdicts mean."""
        return self._environment.hook

    def test_run(self, data: bytes, *, repeat: int = 1, context: bytes | None = None) -> TestRun:
        """Run over one packet as BPF_PROG_TEST_RUN does.

        The frame is not restored between repeats. Of XDP, ``data_out`` starts at data_meta, and of
        a frame above 3520 bytes the program sees the first 3520 directly. A packet that starts at
        the network header comes back with 14 zeros before it. ``context`` is a ``__sk_buff``.
        Raises :exc:`InputError` for frames and contexts that Linux refuses.
        """
        engine, environment = self.engine, self._environment
        if not 1 <= repeat < MAX_REPEAT:
            raise InputError(f"repeat {repeat} is out of range")
        refusal = environment.hook.why_not(data)
        if refusal is not None:
            raise InputError(refusal)
        environment.load(data)
        environment.take_context(context)
        environment.runtime.time_ns = time.monotonic_ns()
        start = time.perf_counter_ns()
        retval = engine.run(repeat)
        duration = (time.perf_counter_ns() - start) // repeat
        after = environment.context_after(context)
        return TestRun(retval, environment.frame(), duration, repeat, engine.name, after)

    @property
    def reads_only(self) -> bool:
        """Whether it provably never changes a packet."""
        return reads_only(self._report.require_accepted())

    def run_at(self, data: bytes, time_ns: int) -> tuple[int, bytes]:
        """Run over one frame at a time of the caller's; the return value, the frame it left.

        Metadata before the frame is left out. The frame has 14 bytes at least.
        """
        environment = self._environment
        environment.load(data)
        environment.runtime.time_ns = time_ns
        retval = self.engine.run()
        return retval, environment.frame_behind(data)

    def close(self) -> None:
        """Unload the program."""
        self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class UserspaceCollection:
    """An object in the userspace kernel; closing it closes every program and map."""

    def __init__(
        self, programs: Mapping[str, UserspaceProgram], maps: Mapping[str, LiveMap]
    ) -> None:
        self._programs = MappingProxyType(dict(programs))
        self._maps = MappingProxyType(dict(maps))

    @property
    def programs(self) -> Mapping[str, UserspaceProgram]:
        """By name."""
        return self._programs

    @property
    def maps(self) -> Mapping[str, LiveMap]:
        """By name, global data included."""
        return self._maps

    def close(self) -> None:
        """Close everything; twice is harmless."""
        for program in self._programs.values():
            program.close()
        for live in self._maps.values():
            live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class UserspaceKernel:
    """The kernel in this process.

    ``cpus`` is the number of possible CPUs that per-CPU maps show; programs run on CPU 0. One by
    default, so that a replay gives the same on every machine. ``seed`` starts the random helper.
    ``observe`` makes programs write down where verdicts come from, or also what runs cost.
    ``network`` is what routes and redirects are answered from.
    """

    def __init__(
        self,
        engine: EngineName = "jit",
        *,
        cpus: int = 1,
        seed: int = 0,
        observe: Observe = Observe.NOTHING,
        linear_bytes: int = ALL_LINEAR,
        network: Network | None = None,
    ) -> None:
        if engine not in ENGINES:
            raise InputError(f"there is no engine {engine!r}; choose {' or '.join(ENGINES)}")
        if cpus < 1:
            raise InputError(f"{cpus} CPUs; a kernel has one at least")
        self._engine: EngineName = engine
        self._cpus = cpus
        self._seed = seed
        self._observe = observe
        self._linear_bytes = linear_bytes
        self._network = NetworkBlock(network) if network is not None else None

    @property
    def name(self) -> str:
        """As ``--kernel`` calls it."""
        return "userspace"

    def load(
        self, spec: ObjectSpec, *, programs: Sequence[str] | None = None
    ) -> UserspaceCollection:
        """Verify and admit the programs (all, or those named), make every map, compile.

        Programs that the maps name for their first slots are loaded, too. Raises
        :exc:`RejectedError` for an unsafe program, :exc:`NotSupportedError` for one that uses what
        this kernel lacks, :exc:`MapError` for a map that cannot be.
        """
        names = spec.program_names if programs is None else tuple(programs)
        for name in names:
            if name not in spec.program_names:
                known = ", ".join(spec.program_names) or "none"
                raise InputError(f"{spec.file}: no program {name} (there are: {known})")
        names = spec.with_slot_programs(names)
        reports = {name: verify(link(spec, name)) for name in names}
        for report in reports.values():
            admit(report.require_accepted())
        maps = {name: LiveMap(row, cpus=self._cpus) for name, row in spec.maps.items()}
        loaded = {name: self._program(report, maps) for name, report in reports.items()}
        for name, row in spec.maps.items():
            for index, held in row.slots:
                value = maps[held] if row.inner is not None else loaded[held]
                maps[name].update(index.to_bytes(row.key_size, "little"), value)
        return UserspaceCollection(loaded, maps)

    def _program(self, report: Report, maps: Mapping[str, LiveMap]) -> UserspaceProgram:
        verified = report.require_accepted()
        type_ = verified.spec.type
        environment = Environment(
            hook_of(type_),
            layout_of(type_.value.context),
            seed=self._seed,
            linear_bytes=self._linear_bytes,
            network=self._network,
        )
        observation = None
        if self._observe is not Observe.NOTHING:
            observation = Observation(verified, environment.runtime, self._observe)
        engine: Engine
        match self._engine:
            case "jit":
                engine = JitEngine(
                    verified, maps, environment, cpus=self._cpus, observe=self._observe
                )
            case "interpreter":
                engine = InterpreterEngine(verified, maps, environment, observation=observation)
        return UserspaceProgram(report, engine, environment, observation)
