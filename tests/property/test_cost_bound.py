"""What the profile strict proves of a run's cost, against runs: none executes more than its bound.

The interpreter tells each instruction that it executes; calls are weighed here as the bound weighs
them, with the sizes that they were really given.
"""

from __future__ import annotations

import random
import statistics

import cost_programs
import pytest
import verifier_bounds
import verifier_values
from engines import CAPACITY, MAPS
from generator import Generator

from beebox.errors import BeeboxError
from beebox.isa.assembler import assemble
from beebox.isa.instruction import Call, CallKind, LoadPacket
from beebox.maps.view import LiveMap
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.tables import costs
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, ArgKind
from beebox.tables.program_types import ProgramType
from beebox.verifier import explore
from beebox.verifier.options import Options, Profile
from beebox.verifier.verify import verify
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.lowering_calls import MAP_DELETE, MAP_LOOKUP, MAP_UPDATE
from beebox.vm.memory import Memory, Packet, Runtime, address_of, region_at

_RUNS = 12
_MOST_INSNS = 4000  # that the verifier processes: others take too long
_MOST_LOOPS = 6  # of may_goto; the bound has millions
_SIZES = (ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO)


class Measured:
    """A program on the interpreter, its maps behind it; :meth:`run` gives what a run cost."""

    def __init__(self, spec: ProgramSpec, seed: int) -> None:
        self._pick = random.Random(seed)
        self._live = {name: LiveMap(row) for name, row in spec.maps.items()}
        by_handle = {row.storage.address: row for row in self._live.values()}
        memory = Memory()
        for name, row in self._live.items():
            memory.add(region_at(name, row.storage.address, row.storage.size))
        runtime, self._packet = Runtime(), Packet(CAPACITY)
        rt = address_of(runtime)
        number = lambda *_: self._pick.choice((0, 1, 2, 7, self._pick.getrandbits(32)))  # noqa: E731
        helpers = {
            MAP_LOOKUP: lambda _m, h, k, *_: by_handle[h].operations.lookup_at(rt, k),
            MAP_UPDATE: lambda _m, h, k, v, f, _: by_handle[h].operations.update_at(rt, k, v, f),
            MAP_DELETE: lambda _m, h, k, *_: by_handle[h].operations.delete_at(rt, k),
            HELPER_BY_NAME["get_prandom_u32"].id: number,
            HELPER_BY_NAME["ktime_get_ns"].id: number,
        }
        handles = {name: row.storage.address for name, row in self._live.items()}
        data = {n: row.value_address for n, row in self._live.items() if row.spec.is_global_data}
        machine = Machine(memory, self._packet, runtime, handles, data)
        self._slots, self._cost = spec.slots, 0
        watch = {pc: self._arrive for pc, insn in enumerate(spec.slots) if insn is not None}
        self._engine = Interpreter(spec, machine, helpers, watch=watch, max_loops=_MOST_LOOPS)

    def run(self) -> int:
        size = self._pick.choice((14, 60, 64, 65, 128, 400))
        self._packet.load(self._pick.randbytes(size))
        self._cost = 0
        self._engine.run()
        return self._cost

    def _arrive(self, pc: int, regs) -> None:
        insn = self._slots[pc]
        self._cost += costs.INSN
        if isinstance(insn, LoadPacket):
            self._cost += costs.HELPER
        if not isinstance(insn, Call) or insn.kind is not CallKind.HELPER:
            return
        row = HELPERS[insn.target]
        self._cost += costs.HELPERS.get(row.name, costs.HELPER)
        for at, arg in enumerate(row.args, 1):
            if arg.kind in _SIZES:
                self._cost += (regs[at] & 0xFFFFFFFF) // costs.BYTES_PER_INSN


def generated(seed: int) -> ProgramSpec:
    """Loads, stores, loops, calls and map operations on a packet."""
    code = assemble(Generator(seed).program())
    return ProgramSpec("generated", "xdp", ProgramType.XDP, code, dict(MAPS), license="GPL")


def looping(seed: int) -> ProgramSpec:
    """Loops in loops, some of drawn rounds, functions called in them, ways of different length."""
    return link(cost_programs.module(seed, cost_programs.PLAIN), "main")


def giving_up(seed: int) -> ProgramSpec:
    """The same with ``may_goto``."""
    return link(cost_programs.module(seed, (*cost_programs.PLAIN, "may_goto")), "main")


def merging(seed: int) -> ProgramSpec:
    """Many ways that meet: most are pruned, in loops and before them."""
    return link(cost_programs.merging(seed), "main")


def budget(seed: int) -> ProgramSpec:
    """As the verifier's fuzzer draws them, with ``may_goto``."""
    return verifier_values.program(seed, budget=True)


_KINDS = (
    (generated, 25, 0.8, 20),
    (looping, 150, 0.9, 3),
    (giving_up, 60, 0.3, None),
    (merging, 60, 0.9, 3),
    (verifier_values.program, 150, 0.1, None),
    (verifier_bounds.program, 150, 0.1, None),
    (budget, 60, 0.1, None),
)


@pytest.mark.parametrize(
    ("make", "programs", "share", "tight"),
    _KINDS,
    ids=[row[0].__module__ + "." + row[0].__name__ for row in _KINDS],
)
def test_no_run_costs_more(make, programs, share, tight, record_property, monkeypatch):
    """``share`` of the programs at least are run; the median bound is ``tight`` times the most."""
    monkeypatch.setattr(explore, "MAX_INSNS", _MOST_INSNS)
    ratios = []
    for seed in range(programs):
        spec = make(seed)
        report = verify(spec, Options(Profile.STRICT, cost_limit=1 << 80))
        if not report.accepted:
            continue
        bound = report.notes["cost_bound"]
        try:
            measured = Measured(spec, seed)
            found = max(measured.run() for _ in range(_RUNS))
        except BeeboxError:
            continue
        assert found <= bound, f"seed {seed}"
        ratios.append(bound / found)
    record_property("programs", len(ratios))
    record_property("bound over the most executed, median", statistics.median(ratios))
    record_property("bound over the most executed, most", max(ratios))
    assert len(ratios) >= share * programs
    if tight is not None:
        assert statistics.median(ratios) < tight


def test_straight_code_and_counted_loops_are_exact():
    """Where there is one way, the bound is what a run costs."""
    for seed in range(40):
        spec = link(cost_programs.module(seed, ("counted", "call", "work")), "main")
        found = verify(spec, Options(Profile.STRICT)).notes["cost_bound"]
        assert Measured(spec, seed).run() == found, f"seed {seed}"
