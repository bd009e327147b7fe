"""Replay: where each packet was sent, in both engines and by all three ways through a capture."""

import struct
from collections import Counter

import pytest
import skb

from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.files import parse_network
from beebox.userspace.redirects import Redirects, Target
from beebox.userspace.replay import CHUNK_PACKETS, replay

ENGINES = ("jit", "interpreter")
PORTS = MapSpec("ports", MapType.DEVMAP, 4, 4, 4)

# By the frame's first byte: 0 pass, 1 redirect to its second byte, 2 by the map's element of that
# number, 3 a redirect that is not asked for, 4 asked for and dropped.
XDP = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
r0 = 0
if r4 > r3 goto out
r6 = *(u8 *)(r2 + 0)
r7 = *(u8 *)(r2 + 1)
r0 = 2
if r6 == 0 goto out
r0 = 4
if r6 == 3 goto out
if r6 == 2 goto map
r1 = r7
r2 = 0
call 23
if r6 == 1 goto out
r0 = 1
goto out
map:
r1 = map[ports] ll
r2 = r7
r3 = 1
call 51
out:
exit
"""
TC = """
r6 = r1
r2 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r2
r4 += 14
r0 = 0
if r4 > r3 goto out
r7 = *(u8 *)(r2 + 0)
r8 = *(u8 *)(r2 + 1)
r0 = 0
if r7 == 0 goto out
if r7 == 2 goto peer
if r7 == 3 goto neigh
if r7 == 4 goto clone
r1 = r8
r2 = r8
r2 &= 1
call 23
goto out
peer:
r1 = r8
r2 = 0
call 155
goto out
neigh:
r1 = r8
r2 = 0
r3 = 0
r4 = 0
call 152
goto out
clone:
r1 = r6
r2 = r8
r3 = 1
call 13
r0 = 0
out:
exit
"""


def capture_of(kinds):
    frames = [struct.pack("BB", *kind) + bytes(12) + bytes(46) for kind in kinds]
    return parse_capture(encode_capture(list(enumerate([*frames, b"short"]))))


class Frames:
    """An observer that reads frames, so that packets go one by one."""

    wants_frames = True

    def see(self, batch):
        assert len(batch.frames) == len(batch.targets)


def replayed(engine, section, text, maps, kinds, network=None, *, frames=False):
    spec = ObjectSpec({"main": FunctionSpec("main", section, assemble(text))}, maps, license="GPL")
    with UserspaceKernel(engine, network=network).load(spec) as live:
        if maps:
            live.maps["ports"].update(struct.pack("<I", 2), struct.pack("<I", 1))
        seen = Redirects(live.maps)
        observers = [seen, *[Frames()] * frames]
        result = replay(live.programs["main"], capture_of(kinds), observers=observers)
        return dict(seen.counts()), result.verdicts, dict(live.programs["main"].clones)


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_xdp_targets(engine, frames):
    kinds = [(1, n % 3 + 5) for n in range(30)] + [(0, 9)] * 5 + [(2, 2)] * 7 + [(2, 3)] * 2
    kinds += [(3, 0)] * 4 + [(4, 5)] * 6 + [(2, 200)]
    targets, verdicts, clones = replayed(engine, "xdp", XDP, {"ports": PORTS}, kinds, frames=frames)
    assert targets == {
        Target(5): 10,
        Target(6): 10,
        Target(7): 10,
        Target(1, "ports", 2): 7,
        Target(how="nowhere"): 4,
    }
    assert verdicts == {"DROP": 6 + 3, "PASS": 5, "REDIRECT": 41}
    assert clones == {}


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_tc_targets_and_clones(engine, frames):
    network = parse_network("interface 4 eth0\ninterface 5 eth1")
    kinds = [
        (1, 4),
        (1, 5),
        (1, 5),
        (2, 4),
        (3, 5),
        (3, 5),
        (4, 4),
        (4, 5),
        (4, 4),
        (4, 99),
        (0, 0),
    ]
    targets, _, clones = replayed(engine, "tc", TC, {}, kinds, network, frames=frames)
    assert targets == {
        Target(4): 1,
        Target(5, how="ingress"): 2,
        Target(4, how="peer"): 1,
        Target(5, how="neighbour"): 2,
    }
    assert clones == {Target(4, how="ingress"): 2, Target(5, how="ingress"): 1}


def test_targets_of_several_batches():
    count = CHUNK_PACKETS["interpreter"] * 2 + 17
    kinds = [(1, n % 251) for n in range(count)]
    expected = Counter(Target(n % 251) for n in range(count))
    for engine in ENGINES:
        assert replayed(engine, "xdp", XDP, {"ports": PORTS}, kinds)[0] == expected


def test_test_runs_leave_no_record():
    spec = skb.program("tc", ["r1 = 3", "r2 = 0", "call 23", "store"], verdict=7)
    for engine in ENGINES:
        with UserspaceKernel(engine).load(spec) as live:
            assert live.programs["main"].records(1).targets is not None
            assert live.programs["main"].test_run(skb.UDP4).retval == 7


CALLER = """
r2 = map[next] ll
r3 = 0
call 12
r0 = 1
exit
"""
CALLEE = """
r1 = 6
r2 = 0
call 23
exit
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_that_is_called_may_redirect(engine):
    functions = {
        "main": FunctionSpec("main", "xdp", assemble(CALLER)),
        "callee": FunctionSpec("callee", "xdp", assemble(CALLEE)),
    }
    array = MapSpec("next", MapType.PROG_ARRAY, 4, 4, 1, slots=((0, "callee"),))
    spec = ObjectSpec(functions, {"next": array}, license="GPL")
    with UserspaceKernel(engine).load(spec, programs=["main"]) as live:
        seen = Redirects(live.maps)
        replay(live.programs["main"], capture_of([(0, 0)] * 9), observers=[seen])
        assert dict(seen.counts()) == {Target(6): 9}
