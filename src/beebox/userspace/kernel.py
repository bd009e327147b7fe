"""beebox's own kernel as a Backend: verifies, admits, makes maps, and runs in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from beebox.errors import InputError, NotSupportedError
from beebox.hooks.packet import hook_of, taking_tags
from beebox.maps.view import LiveMap
from beebox.obj.linker import link
from beebox.obj.model import ObjectSpec
from beebox.obj.targets.resolution import resolve
from beebox.tables.map_types import MapType
from beebox.userspace.admission import admit
from beebox.userspace.cpus import Cpus
from beebox.userspace.engines import Engine, InterpreterEngine, JitEngine
from beebox.userspace.network.block import NetworkBlock
from beebox.userspace.network.model import Network
from beebox.userspace.observation import Observation
from beebox.userspace.program import Lane, UserspaceProgram, compatibility, make_program
from beebox.userspace.runtime import ALL_LINEAR, Environment
from beebox.verifier.options import Options
from beebox.verifier.result import Report, VerifiedProgram
from beebox.verifier.verify import verify
from beebox.vm.contexts import layout_of
from beebox.vm.observe import MAX_MARK, Observe

if TYPE_CHECKING:
    from beebox.obj.targets.target import Target

EngineName: TypeAlias = Literal["jit", "interpreter"]
MAX_CPUS: Final = 8192  # as many as Linux can be built for
ENGINES: Final[tuple[EngineName, ...]] = ("jit", "interpreter")


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

    ``cpus`` is the number of CPUs: of runs at once, in as many threads, and of values that per-CPU
    maps have. One by default, so that a replay gives the same on every machine. ``seed`` starts the
    random helper.
    ``observe`` makes programs write down where verdicts come from, or also what runs cost.
    ``network`` is what routes and redirects are answered from. Of an skb the first ``linear_bytes``
    can be loaded and stored directly; all by default, as in a test run of Linux 6.18. With
    ``vlan_offload`` skb programs find a frame's outermost VLAN tag beside it (``vlan_tci``), as
    behind the devices of a running system. ``target`` is whose types and symbols objects are
    relocated against, by default the running kernel's.
    """

    def __init__(
        self,
        engine: EngineName = "jit",
        *,
        cpus: int = 1,
        seed: int = 0,
        observe: Observe = Observe.NOTHING,
        linear_bytes: int = ALL_LINEAR,
        vlan_offload: bool = False,
        network: Network | None = None,
        target: Target | None = None,
    ) -> None:
        if engine not in ENGINES:
            raise InputError(f"there is no engine {engine!r}; choose {' or '.join(ENGINES)}")
        if not 1 <= cpus <= MAX_CPUS:
            raise InputError(f"{cpus} CPUs; a kernel has 1 to {MAX_CPUS}")
        self._engine: EngineName = engine
        self._cpus = cpus
        self._seed = seed
        self._observe = observe
        self._linear_bytes = linear_bytes
        self._vlan_offload = vlan_offload
        self._target = target
        self._network = NetworkBlock(network) if network is not None else None

    @property
    def name(self) -> str:
        """As ``--kernel`` calls it."""
        return "userspace"

    def load(
        self, spec: ObjectSpec, *, programs: Sequence[str] | None = None
    ) -> UserspaceCollection:
        """Verify and admit the programs (all, or those named), make the maps, compile.

        Left out are maps of kinds that this kernel lacks, as long as none of the programs uses one.
        Programs that the maps name for their first slots are loaded, too. Raises
        :exc:`RejectedError` for an unsafe program, :exc:`NotSupportedError` for one that uses what
        this kernel lacks, :exc:`MapError` for a map that cannot be.
        """
        names = spec.autoload_names if programs is None else tuple(programs)
        for name in names:
            if name not in spec.program_names:
                known = ", ".join(spec.program_names) or "none"
                raise InputError(f"{spec.file}: no program {name} (there are: {known})")
        names = spec.with_slot_programs(names)
        spec = resolve(spec, self._target, names)
        options = Options(cpus=self._cpus, target=self._target)
        reports = {name: verify(link(spec, name), options) for name in names}
        for report in reports.values():
            admit(report.require_accepted())
        maps = self._maps(spec, {used for report in reports.values() for used in report.spec.maps})
        cpus = Cpus(self._cpus)
        if self._observe is not Observe.NOTHING and len(reports) > MAX_MARK:
            raise NotSupportedError(f"observing {len(reports)} programs at once")
        loaded = {
            name: self._program(report, maps, cpus, mark)
            for mark, (name, report) in enumerate(reports.items())
        }
        for name, live in maps.items():
            row = spec.maps[name]
            for index, held in row.slots:
                value = maps[held] if row.inner is not None else loaded[held]
                live.update(index.to_bytes(row.key_size, "little"), value)
        return UserspaceCollection(loaded, maps)

    def _maps(self, spec: ObjectSpec, used: AbstractSet[str]) -> dict[str, LiveMap]:
        """Every map to be made but those of kinds that this kernel lacks and no program uses."""
        needed = used | {
            held for row in spec.maps.values() if row.inner is not None for _, held in row.slots
        }
        made = {}
        for name, row in spec.maps.items():
            if not row.autocreate:
                continue
            try:
                made[name] = LiveMap(row, cpus=self._cpus)
            except NotSupportedError:
                if name in needed:
                    raise
        return made

    def _program(
        self, report: Report, maps: Mapping[str, LiveMap], cpus: Cpus, mark: int
    ) -> UserspaceProgram:
        verified = report.require_accepted()
        return make_program(report, cpus, lambda cpu: self._lane(verified, maps, cpu, mark))

    def _lane(
        self, verified: VerifiedProgram, maps: Mapping[str, LiveMap], cpu: int, mark: int
    ) -> Lane:
        """What the program needs on one CPU."""
        type_ = verified.spec.type
        hook = hook_of(type_)
        environment = Environment(
            taking_tags(hook) if self._vlan_offload else hook,
            layout_of(type_.value.context),
            seed=self._seed + cpu,
            cpu=cpu,
            linear_bytes=self._linear_bytes,
            network=self._network,
        )
        observation = None
        if self._observe is not Observe.NOTHING:
            observation = Observation(verified, environment.runtime, self._observe, mark=mark)
        engine: Engine
        match self._engine:
            case "jit":
                engine = JitEngine(
                    verified, maps, environment, cpus=self._cpus, observation=observation
                )
            case "interpreter":
                engine = InterpreterEngine(verified, maps, environment, observation=observation)
        for name in verified.maps:
            if maps[name].spec.type is MapType.PROG_ARRAY:
                maps[name].used_by(compatibility(verified.spec, engine, self._cpus))
        return Lane(environment, engine, observation)
