"""The two ways to run a verified program, behind one small interface.

Both work on the same maps, frame and runtime block; what they give must be equal.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from beebox.llvm import native, worker
from beebox.maps.view import LiveMap
from beebox.tables.helpers import HELPERS
from beebox.userspace.captures import Capture
from beebox.userspace.hook_code import hook_code
from beebox.userspace.native_helpers import helper_code, native_helpers
from beebox.userspace.observation import Observation
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.runtime import Environment
from beebox.verifier.result import VerifiedProgram
from beebox.vm.memory import (
    BATCH_SIGNATURE,
    REPEAT_SIGNATURE,
    RUN_BATCH,
    RUN_REPEAT,
    Memory,
)
from beebox.vm.observe import Observe, body_symbol

if TYPE_CHECKING:
    from beebox.vm.interpreter import Interpreter

_U32: Final = (1 << 32) - 1
_ENTRIES: Final = itertools.count(1)


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
        self, capture: Capture, first: int, lengths: npt.NDArray[np.uint32]
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """Run over ``len(lengths)`` packets from ``first`` on, each cut to its length.

        The verdicts, and the nanoseconds it took; the clock is the capture's.
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
        observe: Observe = Observe.NOTHING,
    ) -> None:
        self._environment = environment
        # Code holds the addresses of these.
        self._storages = [maps[name].storage for name in sorted(program.maps)]
        self._objects = [maps[name].objects for name in sorted(program.maps)]
        compiled = worker.compile_native_for(
            f"{program.digest} {program.profile} {cpus} {observe.name}".encode(),
            lambda: _lower(program, environment, cpus, observe),
        )
        addresses = {
            f"map{number}_storage": storage.address for number, storage in enumerate(self._storages)
        }
        self._code_bytes = len(compiled)
        body = body_symbol(program, observe)
        exports = (RUN_REPEAT, RUN_BATCH, body)
        code = native.link(compiled, imports=addresses, exports=exports)
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
        self, capture: Capture, first: int, lengths: npt.NDArray[np.uint32]
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """As :class:`Engine`; the GIL is released meanwhile."""
        count = len(lengths)
        verdicts = np.zeros(count, dtype=np.uint32)
        offsets = capture.offsets[first : first + count]
        times = capture.times_ns[first : first + count]
        environment = self._environment
        environment.reset()
        start = time.perf_counter_ns()
        self._batch(
            count,
            _address(capture.data),
            _address(offsets),
            _address(lengths),
            _address(verdicts),
            _address(times),
            environment.context_address,
            environment.runtime_address,
            environment.scratch_address,
            None,
            None,
        )
        return verdicts, time.perf_counter_ns() - start


def _lower(program: VerifiedProgram, environment: Environment, cpus: int, observe: Observe) -> str:
    """The program, its batch loop, maps and helpers as one module.

    Maps are numbered, not named, in the order of their names: the digest tells their shapes.
    """
    from beebox.maps.code import map_code  # noqa: PLC0415 -- cached code needs no lowering
    from beebox.vm import batch, jit  # noqa: PLC0415 -- the same

    codes = {
        name: map_code(program.spec.maps[name], f"map{number}", cpus=cpus)
        for number, name in enumerate(sorted(program.maps))
    }
    layout = environment.layout
    helpers = {
        id_: helper_code(HELPERS[id_].name, layout.struct)
        for id_ in program.helpers & native_helpers(layout)
    }
    text = jit.lower(program, maps=codes, helpers=helpers, observe=observe)
    hook = hook_code(environment.hook, layout)
    loop = batch.lower_batch(program, hook)
    return jit.merge_modules([text, hook.ir, loop, batch.lower_repeat()])


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
        observe = observation.observe if observation is not None else Observe.NOTHING
        self._interpreter = self._interpreter_in(environment, self._callees, observe)

    @property
    def entry(self) -> int:
        """A number of its own, for there is no code."""
        return self._id

    def _interpreter_in(
        self,
        environment: Environment,
        callees: dict[tuple[int, int], Interpreter],
        observe: Observe = Observe.NOTHING,
    ) -> Interpreter:
        """The program over a frame.

        ``callees`` keeps those of its tail calls, by entry and depth: a program that calls itself
        is then two, since the first may go on when the second is done.
        """
        from beebox.userspace.helpers import python_helpers  # noqa: PLC0415 -- this engine only
        from beebox.vm.interpreter import Interpreter, Machine  # noqa: PLC0415 -- the same

        memory = Memory()
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
        return Interpreter(self._program, machine, helpers, observe=observe, tail_call=tail_call)

    def run(self, repeat: int = 1) -> int:
        """As :class:`Engine`."""
        result = 0
        for _ in range(repeat):
            result = self._run()
        return result & _U32

    def _run(self) -> int:
        self._environment.runtime.tail_calls = 0
        self._environment.runtime.redirect_map = 0
        observation = self._observation
        if observation is None:
            return self._interpreter.run()
        observation.start()
        result = self._interpreter.run()
        observation.record()
        observation.count(self._interpreter.executed)
        return result

    def run_batch(
        self, capture: Capture, first: int, lengths: npt.NDArray[np.uint32]
    ) -> tuple[npt.NDArray[np.uint32], int]:
        """As :class:`Engine`."""
        verdicts = np.zeros(len(lengths), dtype=np.uint32)
        environment = self._environment
        start = time.perf_counter_ns()
        for index, length in enumerate(lengths.tolist()):
            environment.runtime.time_ns = int(capture.times_ns[first + index])
            at = int(capture.offsets[first + index])
            environment.load(capture.data[at : at + length].tobytes())
            verdicts[index] = self.run()
        return verdicts, time.perf_counter_ns() - start


def _address(array: npt.NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return int(array.ctypes.data)
