"""The profile strict: its cases, and the bound that it proves, by hand and against runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cost_programs import described
from profile_cases import cases
from verifier_callbacks import program

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage
from beebox.obj.linker import link
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables import costs
from beebox.tables.findings import FINDINGS
from beebox.tables.limits import MAX_LOOPS
from beebox.tables.map_types import MapFlags, MapType
from beebox.verifier.options import Options, Profile
from beebox.verifier.profiles.longest import Edge, Graph, UnboundedError
from beebox.verifier.reports.report import render
from beebox.verifier.result import Report
from beebox.verifier.verify import verify

_STRICT = cases("strict")


def test_cases_have_names_of_their_own():
    assert len({case.name for case in _STRICT}) == len(_STRICT)
    assert {case.expected for case in _STRICT} <= {"accepted", *FINDINGS}


@pytest.mark.parametrize("case", _STRICT, ids=lambda case: case.name)
def test_strict(case):
    report = verify(case.spec, Options(Profile.STRICT))
    verdict = "accepted" if report.accepted else report.findings[0].code
    assert verdict == case.expected, render(report)
    assert report.profile == "strict"


def bound(spec: ProgramSpec, *, limit: int = 1 << 70) -> int:
    """What is proved of it."""
    report: Report = verify(spec, Options(Profile.STRICT, cost_limit=limit))
    assert report.accepted, render(report)
    return report.notes["cost_bound"]


def test_straight_code():
    assert bound(program("r0 = 1\nr0 += 1\nexit")) == 3


def test_the_longer_way_counts():
    code = "r0 = *(u32 *)(r1 + 12)\nif r0 == 1 goto out\nr0 = 1\nr0 = 2\nr0 = 3\nout:\nexit"
    assert bound(program(code)) == 6


def test_a_counted_loop_is_unrolled():
    assert bound(program("r0 = 0\nagain:\nr0 += 1\nif r0 < 100 goto again\nexit")) == 202


def test_what_a_pruned_path_still_costs():
    """Both ways meet in the loop; the second is pruned there, and yet it goes through all of it."""
    code = """
    r6 = *(u32 *)(r1 + 12)
    r0 = 0
    if r6 == 1 goto longer
    goto both
    longer:
    r7 = 1
    r7 = 2
    r7 = 3
    r7 = 4
    r7 = 5
    r7 = 6
    r7 = 7
    r7 = 8
    r7 = 9
    both:
    r7 = 0
    again:
    r0 += 1
    if r0 < 100 goto again
    exit
    """
    assert bound(program(code)) == 3 + 9 + 1 + 200 + 1


def test_helpers_weigh_more():
    assert bound(program("call bpf_get_prandom_u32\nexit")) == 2 + costs.HELPER
    code = "r2 = 0\nr3 = r10\nr3 += -64\nr4 = 64\ncall bpf_xdp_load_bytes\nr0 = 2\nexit"
    assert bound(program(code)) == 7 + costs.HELPER + 64 // costs.BYTES_PER_INSN


_LOOP = "r1 = {rounds}\nr2 = func[each] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit"
_NOTHING = "r0 = 0\nexit"
_ROUND = 3 + costs.HELPER  # the call again, and the function


def test_calls_back_multiply():
    found = bound(program(_LOOP.format(rounds=1000), each=_NOTHING))
    assert 1000 * _ROUND <= found <= 1004 * _ROUND + 20


def test_nested_calls_back_multiply_again():
    outer = _LOOP.format(rounds=1000).replace("each", "outer")
    inner = _LOOP.format(rounds=2000).replace("each", "inner").replace("r0 = 2", "r0 = 0")
    spec = program(outer, outer=inner, inner=_NOTHING)
    found = bound(spec)
    assert 1000 * 2000 * _ROUND <= found <= 1010 * 2010 * (_ROUND + 10)
    refused = verify(spec, Options(Profile.STRICT, cost_limit=found - 1))
    assert refused.findings[0].code == "cost-bound"
    assert verify(spec, Options(Profile.STRICT, cost_limit=found)).accepted
    assert verify(spec).accepted


def test_rounds_that_are_not_known():
    """Linux allows eight million, so as many are counted."""
    code = _LOOP.format(rounds=0).replace("r1 = 0", "r1 = *(u32 *)(r1 + 12)", 1)
    spec = program(code, each=_NOTHING)
    assert bound(spec) >= MAX_LOOPS * 3
    assert verify(spec, Options(Profile.STRICT)).findings[0].code == "cost-bound"


def test_elements_of_a_map():
    code = _LOOP.format(rounds=0).replace("r1 = 0", "r1 = map[table] ll", 1)
    found = bound(program(code.replace("bpf_loop", "bpf_for_each_map_elem"), each=_NOTHING))
    assert 8 * _ROUND <= found <= 12 * _ROUND + 20


_UPDATE = (
    "*(u32 *)(r10 - 4) = 0\n*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 24) = 0\n"
    "r1 = map[table] ll\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -24\nr4 = 0\n"
    "call bpf_map_update_elem\nr0 = 0\nexit"
)


@pytest.mark.parametrize("linkage", [None, Linkage.STATIC, Linkage.GLOBAL])
def test_elements_of_a_map_that_changes_meanwhile(linkage):
    """Then the walk may never end, whoever updates: the function called back or one of its own."""
    main = "r1 = map[table] ll\nr2 = func[each] ll\nr3 = 0\nr4 = 0\n"
    main += "call bpf_for_each_map_elem\nr0 = 2\nexit"
    functions = {"each": _UPDATE if linkage is None else "call more\nr0 = 0\nexit"}
    if linkage is not None:
        functions["more"] = _UPDATE
    spec = program(main, **functions)
    if linkage is Linkage.GLOBAL:
        spec = _with_global(spec, "more")
    report = verify(spec, Options(Profile.STRICT, cost_limit=1 << 80))
    assert [finding.code for finding in report.findings] == ["cost-bound"]
    assert verify(spec).accepted


def _with_global(spec: ProgramSpec, name: str) -> ProgramSpec:
    """One of its functions made global."""
    assert spec.btf is not None
    builder = Builder()
    proto = builder.add(FuncProto(builder.signed_int(), ()))
    functions = []
    for info in spec.functions:
        kind = Linkage.GLOBAL if info.name in ("main", name) else Linkage.STATIC
        type_id = builder.add(Func(info.name, proto, kind))
        functions.append(replace(info, type_id=type_id))
    return replace(spec, btf=builder.build(), functions=tuple(functions))


@pytest.mark.parametrize(
    ("type_", "flags", "bounded"),
    [
        (MapType.HASH, MapFlags.NONE, False),
        (MapType.PERCPU_ARRAY, MapFlags.NONE, False),
        (MapType.ARRAY, MapFlags.INNER_MAP, False),
        (MapType.ARRAY, MapFlags.NONE, True),
    ],
)
def test_elements_of_an_inner_map(type_, flags, bounded):
    """Which may be larger than the template, of most types."""
    inner = MapSpec("inner", type_, 4, 8, 5, flags)
    outer = MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 4, inner=inner)
    main = (
        "*(u32 *)(r10 - 4) = 0\nr1 = map[outer] ll\nr2 = r10\nr2 += -4\n"
        "call bpf_map_lookup_elem\nif r0 == 0 goto out\nr1 = r0\nr2 = func[each] ll\n"
        "r3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\nout:\nr0 = 2\nexit"
    )
    module = described({"main": main, "each": _NOTHING})
    spec = link(replace(module, maps={**module.maps, "outer": outer}), "main")
    report = verify(spec, Options(Profile.STRICT, cost_limit=1 << 80))
    assert report.accepted == bounded, render(report)
    assert verify(spec).accepted
    if bounded:
        assert report.notes["cost_bound"] > 5 * _ROUND


def test_an_update_outside_of_the_walk():
    main = "r1 = map[table] ll\nr2 = func[each] ll\nr3 = 0\nr4 = 0\n"
    main += "call bpf_for_each_map_elem\n" + _UPDATE
    assert bound(program(main, each=_NOTHING)) < 1000


def test_a_loop_around_calls_back_that_nothing_bounds():
    """Linux accepts it: the states at the call are all the same."""
    code = "again:\n" + _LOOP.format(rounds=10).replace(
        "r0 = 2", "call bpf_get_prandom_u32\nif r0 > 5 goto again\nr0 = 2"
    )
    spec = program(code, each=_NOTHING)
    report = verify(spec, Options(Profile.STRICT, cost_limit=1 << 80))
    assert [finding.code for finding in report.findings] == ["cost-bound"]
    assert verify(spec).accepted


_COUNTS = "r0 = 0\nagain:\nr0 += 1\nif r0 < 100 goto again\nexit"


@pytest.mark.parametrize("linkage", [Linkage.STATIC, Linkage.GLOBAL])
def test_functions_count_where_they_are_called(linkage):
    spec = program("call each\ncall each\nr0 = 2\nexit", each=_COUNTS, linkage=linkage)
    assert bound(spec) == 4 + 2 * 202


def test_limits():
    spec = program("r0 = 1\nr0 += 1\nexit")
    assert verify(spec, Options(Profile.STRICT, cost_limit=3)).accepted
    report = verify(spec, Options(Profile.STRICT, cost_limit=2))
    assert report.findings[0].code == "cost-bound"
    assert report.notes["cost_bound"] == 3
    assert "cost_bound" not in verify(spec).notes


class TestGraph:
    """The longest way, where rounds are known."""

    def test_a_circle_in_a_circle(self):
        """The outer one fills the inner one's budget again in each round."""
        graph = Graph()
        root, outer, inner = graph.root(0), graph.node(10), graph.node(20)
        graph.budget("outer", 7)
        graph.budget("inner", 5)
        graph.add(root, Edge(1, outer, fills=frozenset({"outer"})))
        graph.add(outer, Edge(1, inner, takes=frozenset({"outer"}), fills=frozenset({"inner"})))
        graph.add(inner, Edge(10, inner, takes=frozenset({"inner"})))
        graph.add(inner, Edge(1, outer))
        graph.add(outer, Edge(1, None))
        assert graph.longest(0) == 1 + 7 * (1 + 5 * 10 + 1) + 1

    def test_circles_that_share_a_node_add_up(self):
        """No circle fills the other's budget, so neither is inside of the other."""
        graph = Graph()
        root, node = graph.root(0), graph.node(10)
        graph.budget("one", 5)
        graph.budget("other", 7)
        graph.add(root, Edge(1, node))
        graph.add(node, Edge(1, node, takes=frozenset({"one"})))
        graph.add(node, Edge(1, node, takes=frozenset({"other"})))
        graph.add(node, Edge(1, None))
        assert graph.longest(0) == 1 + 12 + 1

    def test_a_budget_that_is_empty(self):
        graph = Graph()
        root, node = graph.root(0), graph.node(10)
        graph.budget("none", 0)
        graph.add(root, Edge(1, node))
        graph.add(node, Edge(100, node, takes=frozenset({"none"})))
        graph.add(node, Edge(1, None))
        assert graph.longest(0) == 2

    @pytest.mark.parametrize("takes", [frozenset(), frozenset({"own"})])
    def test_a_circle_that_nothing_bounds(self, takes):
        """Nothing to take from, or what is taken is filled again in the same round."""
        graph = Graph()
        root, node, other = graph.root(0), graph.node(10), graph.node(20)
        graph.budget("own", 5)
        graph.add(root, Edge(1, node))
        graph.add(node, Edge(1, other, takes=takes))
        graph.add(other, Edge(1, node, fills=frozenset({"own"})))
        graph.add(node, Edge(1, None))
        with pytest.raises(UnboundedError):
            graph.longest(0)
