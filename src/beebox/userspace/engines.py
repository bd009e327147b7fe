"""The two ways to run a verified program, behind one small interface.

Both work on the same maps, frame and runtime block; what they give must be equal.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from beebox.llvm import native, worker
from beebox.llvm.native import NativeCode
from beebox.maps import abi
from beebox.maps.view import LiveMap
from beebox.tables.helpers import HELPERS
from beebox.userspace.hook_code import hook_code
from beebox.userspace.native_helpers import helper_code, native_helpers
from beebox.userspace.observation import Observation
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.runtime import Environment
from beebox.verifier.result import VerifiedProgram
from beebox.vm.memory import (
    BATCH_SIGNATURE,
    FAST_CALL,
    REPEAT_SIGNATURE,
    RUN_BATCH,
    RUN_REPEAT,
    Memory,
    record_target,
)
from beebox.vm.observe import Notes, Observe, body_symbol

if TYPE_CHECKING:
    from beebox.vm.interpreter import Interpreter

_U32: Final = (1 << 32) - 1
_ENTRIES: Final = itertools.count(1)


@dataclass(frozen=True, eq=False, slots=True)
class Packets:
    """Packets in one block of memory: packet ``i`` is ``data[offsets[i]:][:lengths[i]]``.

    All arrays are contiguous; whoever makes one has checked that every packet lies inside.
    ``times_ns`` is the clock of each run; without it the clock stands.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.uint32]
    times_ns: npt.NDArray[np.uint64] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Left:
    """Room for what a batch leaves of its packets: a slot of ``stride`` bytes in ``data`` for each.

    Afterwards packet ``i`` is ``lengths[i]`` bytes, ``moves[i]`` bytes from where it was laid down,
    ``headroom`` bytes into its slot.
    """

    data: npt.NDArray[np.uint8]
    stride: int
    headroom: int
    lengths: npt.NDArray[np.uint32]
    moves: npt.NDArray[np.int32]

    @property
    def offsets(self) -> npt.NDArray[np.uint64]:
        """Where each packet starts in ``data``."""
        slots = np.arange(len(self.moves), dtype=np.int64) * self.stride + self.headroom
        return (slots + self.moves).astype(np.uint64)


class Engine(Protocol):
    """Runs one program over an :class:`Environment`."""

    @property
    def name(self) -> str:
        """As ``--engine`` calls it."""
        ...

    @property
    def code_bytes(self) -> int:
        """The size of the native object, 0 where there is none."""
        ...

    def run(self, repeat: int = 1) -> int:
        """Run ``repeat`` times over the frame as it stands; the low 32 bits of the last R0."""
        ...

    @property
    def entry(self) -> int:
        """What a prog array holds of it: ``maps.objects.Callee.entry``."""
        ...

    def run_batch(
        self, packets: Packets, left: Left | None = None
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """Run over many packets; the verdicts, and the nanoseconds it took.

        Native code of a program that changes packets fills ``left``.
        """
        ...

    def fast_call(self, busy: int, slow: object, least: int, most: int) -> NativeCode | None:
        """Code that exports ``vm.memory.FAST_CALL``, where this engine can have it.

        ``busy`` is the address of its gate, ``slow`` the function for what it leaves over; it takes
        frames of ``least`` to ``most`` bytes.
        """
        ...


class JitEngine:
    """The program as native code, its maps and helpers inlined."""

    name = "jit"

    def __init__(
        self,
        program: VerifiedProgram,
        maps: Mapping[str, LiveMap],
        environment: Environment,
        *,
        cpus: int,
        observation: Observation | None = None,
    ) -> None:
        observe = observation.observe if observation is not None else Observe.NOTHING
        self._program = program
        self._environment = environment
        self._cpus = cpus
        self._observe = observe
        tags = environment.hook.takes_tags
        self._identity = f"{program.digest} {program.profile} {cpus} {observe.name} {tags}"
        # Code holds the addresses of these.
        self._storages = [maps[name].storage for name in sorted(program.maps)]
        self._objects = [maps[name].objects for name in sorted(program.maps)]
        self._observation = observation
        compiled = worker.compile_native_for(
            self._identity.encode(), lambda: _lower(program, environment, cpus, observe)
        )
        self._imports = {
            f"map{number}_storage": storage.address for number, storage in enumerate(self._storages)
        }
        if observation is not None:
            self._imports |= observation.imports
        self._code_bytes = len(compiled)
        body = body_symbol(program, observe)
        exports = (RUN_REPEAT, RUN_BATCH, body)
        code = native.link(compiled, imports=self._imports, exports=exports)
        self._entry = code.address(body)
        self._repeat = code.function(RUN_REPEAT, *REPEAT_SIGNATURE)
        self._batch = code.function(RUN_BATCH, *BATCH_SIGNATURE)

    @property
    def code_bytes(self) -> int:
        """The size of the native object."""
        return self._code_bytes

    @property
    def entry(self) -> int:
        """The address of the program itself, to go on in within a run."""
        return self._entry

    def run(self, repeat: int = 1) -> int:
        """As :class:`Engine`; the GIL is released meanwhile."""
        environment = self._environment
        result = self._repeat(repeat, environment.context_address, environment.runtime_address)
        return int(result) & _U32

    def run_batch(
        self, packets: Packets, left: Left | None = None
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """As :class:`Engine`; the GIL is released meanwhile."""
        count = len(packets.lengths)
        verdicts = np.zeros(count, dtype=np.uint32)
        environment = self._environment
        environment.reset()
        start = time.perf_counter_ns()
        self._batch(
            count,
            _address(packets.data),
            _address(packets.offsets),
            _address(packets.lengths),
            _address(verdicts),
            None if packets.times_ns is None else _address(packets.times_ns),
            environment.context_address,
            environment.runtime_address,
            environment.scratch_address if left is None else _address(left.data),
            None if left is None else _address(left.lengths),
            None if left is None else _address(left.moves),
            0 if left is None else left.stride,
        )
        return verdicts, time.perf_counter_ns() - start

    def fast_call(self, busy: int, slow: object, least: int, most: int) -> NativeCode:
        """As :class:`Engine`; made at the first request."""
        from beebox.vm import fast_call  # noqa: PLC0415 -- on demand

        program, environment = self._program, self._environment
        compiled = worker.compile_native_for(
            f"fast {self._identity} {least} {most}".encode(),
            lambda: _lower_fast(program, environment, self._cpus, self._observe, least, most),
        )
        imports = {
            **self._imports,
            fast_call.FAST_RUNTIME: environment.runtime_address,
            fast_call.FAST_CONTEXT: environment.template_address,
            fast_call.FAST_SCRATCH: environment.scratch_address,
            fast_call.FAST_BUSY: busy,
            fast_call.FAST_SLOW: id(slow),
        }
        return native.link(compiled, imports=imports, exports=[FAST_CALL])


def _lower(program: VerifiedProgram, environment: Environment, cpus: int, observe: Observe) -> str:
    """The program and its loops as one module."""
    from beebox.vm import batch, jit  # noqa: PLC0415 -- cached code needs no lowering

    parts = _parts(program, environment, cpus, observe)
    loop = batch.lower_batch(program, hook_code(environment.hook, environment.layout))
    return jit.merge_modules([*parts, loop, batch.lower_repeat()])


def _lower_fast(
    program: VerifiedProgram,
    environment: Environment,
    cpus: int,
    observe: Observe,
    least: int,
    most: int,
) -> str:
    """The program and its fast call as one module."""
    from beebox.vm import fast_call, jit  # noqa: PLC0415 -- the same

    hook = hook_code(environment.hook, environment.layout)
    call = fast_call.lower_fast_call(program, hook, min_bytes=least, max_bytes=most)
    return jit.merge_modules([*_parts(program, environment, cpus, observe), call])


def _parts(
    program: VerifiedProgram, environment: Environment, cpus: int, observe: Observe
) -> list[str]:
    """The program with its maps and helpers, and its hook.

    Maps are numbered, not named, in the order of their names: the digest tells their shapes.
    """
    from beebox.maps.code import map_code  # noqa: PLC0415 -- the same
    from beebox.vm import jit  # noqa: PLC0415 -- the same

    needed = {name for id_, name in abi.HELPERS.items() if id_ in program.helpers}
    if abi.TAIL_CALL in program.helpers:
        needed.add("tail_call")
    codes = {
        name: map_code(program.spec.maps[name], f"map{number}", cpus=cpus, needed=needed)
        for number, name in enumerate(sorted(program.maps))
    }
    layout = environment.layout
    helpers = {
        id_: helper_code(HELPERS[id_].name, layout.struct)
        for id_ in program.helpers & native_helpers(layout)
    }
    return [
        jit.lower(program, maps=codes, helpers=helpers, observe=observe),
        hook_code(environment.hook, layout).ir,
    ]


class InterpreterEngine:
    """The program one instruction at a time, every access checked."""

    name = "interpreter"
    code_bytes = 0

    def __init__(
        self,
        program: VerifiedProgram,
        maps: Mapping[str, LiveMap],
        environment: Environment,
        *,
        observation: Observation | None = None,
    ) -> None:
        self._environment = environment
        self._program = program
        self._maps = {name: maps[name] for name in sorted(program.maps)}
        self._storages = [live.storage for live in self._maps.values()]
        self._id = next(_ENTRIES)
        self._callees: dict[tuple[int, int], Interpreter] = {}
        self._observation = observation
        self._interpreter = self._interpreter_in(environment, self._callees)

    @property
    def entry(self) -> int:
        """A number of its own, for there is no code."""
        return self._id

    def _interpreter_in(
        self,
        environment: Environment,
        callees: dict[tuple[int, int], Interpreter],
    ) -> Interpreter:
        """The program over a frame.

        ``callees`` keeps those of its tail calls, by entry and depth: a program that calls itself
        is then two, since the first may go on when the second is done.
        """
        from beebox.userspace.helpers import python_helpers  # noqa: PLC0415 -- this engine only
        from beebox.vm.interpreter import Interpreter, Machine  # noqa: PLC0415 -- the same

        memory = Memory(environment.regions())
        reached = ReachedMaps(self._maps, memory)
        machine = Machine(
            memory=memory,
            packet=environment.packet,
            runtime=environment.runtime,
            handles=reached.handles,
            globals={
                name: live.value_address
                for name, live in self._maps.items()
                if live.spec.is_global_data
            },
        )

        def tail_call(handle: int, index: int) -> Interpreter | None:
            found = reached.callee(handle, environment.runtime_address, index)
            if found is None or not isinstance(found.engine, InterpreterEngine):
                return None
            at = (found.entry, int(environment.runtime.tail_calls))
            if at not in callees:
                callees[at] = found.engine._interpreter_in(environment, callees)  # noqa: SLF001 -- its own kind
            return callees[at]

        helpers = python_helpers(
            reached, environment.log, environment.layout, self._program.helpers
        )
        seen = self._observation
        return Interpreter(
            self._program,
            machine,
            helpers,
            notes=Notes(self._program, seen.observe) if seen is not None else None,
            mark=seen.mark if seen is not None else 0,
            executed=seen.executed_slots if seen is not None else None,
            tail_call=tail_call,
        )

    def run(self, repeat: int = 1) -> int:
        """As :class:`Engine`."""
        result = 0
        for _ in range(repeat):
            result = self._run()
        return result & _U32

    def _run(self) -> int:
        self._environment.runtime.tail_calls = 0
        self._environment.runtime.redirect_map = 0
        self._environment.runtime.redirect_kind = 0
        observation = self._observation
        if observation is not None:
            observation.start()
        result = self._interpreter.run()
        record_target(self._environment.runtime)
        if observation is None:
            return result
        observation.record()
        return result

    def run_batch(
        self, packets: Packets, left: Left | None = None
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """As :class:`Engine`."""
        assert left is None, "slots are native code's"
        verdicts = np.zeros(len(packets.lengths), dtype=np.uint32)
        environment = self._environment
        places = zip(packets.offsets.tolist(), packets.lengths.tolist(), strict=True)
        start = time.perf_counter_ns()
        for index, (at, length) in enumerate(places):
            if packets.times_ns is not None:
                environment.runtime.time_ns = int(packets.times_ns[index])
            environment.load(packets.data[at : at + length].tobytes())
            verdicts[index] = self.run()
        return verdicts, time.perf_counter_ns() - start

    def fast_call(self, _busy: int, _slow: object, _least: int, _most: int) -> None:
        """As :class:`Engine`: there is none."""


def _address(array: npt.NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return int(array.ctypes.data)
