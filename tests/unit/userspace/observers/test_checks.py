"""Assertions, differences and what is written of a replay."""

import pytest
from capturefiles import Ng, pcap
from frames import arp, ethernet, ipv4, tcp, udp

from beebox.errors import FilterError, InputError
from beebox.hooks.packet import hook_of
from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.tables.program_types import ProgramType
from beebox.userspace.captures import parse_capture, read_capture
from beebox.userspace.captures.writing import CaptureWriter
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.observers.checks import SHOWN, Assertion, Difference
from beebox.userspace.observers.passed import Passed
from beebox.userspace.replay import replay

FRAMES = [
    ethernet(0x0800, ipv4(6, tcp(1234, 80))),
    ethernet(0x0806, arp()),
    ethernet(0x0800, ipv4(17, udp(53, 5353))),
    b"short",
    ethernet(0x0800, ipv4(6, tcp(80, 1234))),
]
HOOK = hook_of(ProgramType.XDP)
BYTE_23 = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 24
r0 = {otherwise}
if r4 > r3 goto out
r5 = *(u8 *)(r2 + 23)
if r5 != 6 goto out
r0 = 1
out:
exit
"""
DROP_TCP = BYTE_23.format(otherwise=2)
MARKING = """
r6 = r1
r2 = *(u32 *)(r6 + 0)
r3 = *(u32 *)(r6 + 4)
r4 = r2
r4 += 14
r0 = 2
if r4 > r3 goto out
r5 = *(u8 *)(r2 + 12)
r7 = *(u8 *)(r2 + 13)
if r7 == 6 goto out
*(u8 *)(r2 + 0) = 170
r2 = -4
call 44
r0 = 3
out:
exit
""".replace("r2 = -4", "r1 = r6\nr2 = -4")


def loaded(text, engine="jit"):
    spec = ObjectSpec({"main": FunctionSpec("main", "xdp", assemble(text))}, license="GPL")
    return UserspaceKernel(engine).load(spec)


def capture(frames=FRAMES):
    return parse_capture(
        pcap("<", 0xA1B23C4D, 1, [(n * 10**9, frame) for n, frame in enumerate(frames)])
    )


def test_assertions_count_and_keep_the_first():
    with (
        loaded(DROP_TCP) as live,
        Assertion("tcp => DROP", HOOK) as good,
        Assertion("ip => PASS", HOOK) as bad,
        Assertion("vlan => pass", HOOK) as none,
    ):
        replay(live.programs["main"], capture(), observers=[good, bad, none])
    assert (good.matched, good.failed, good.offenders) == (2, 0, [])
    assert (none.matched, none.failed) == (0, 0)
    assert (bad.matched, bad.failed) == (3, 2)
    first, second = bad.offenders
    assert (first.number, first.time_ns, first.verdict) == (1, 0, "DROP")
    assert (second.number, second.time_ns) == (5, 4 * 10**9)
    assert first.line == (
        "#1 1970-01-01 00:00:00.000000 DROP: IP 10.0.0.1.1234 > 10.0.1.2.80: tcp [.], length 0"
    )


def test_only_the_first_offenders_are_kept():
    with loaded("r0 = 1\nexit") as live, Assertion(" => PASS|2|TX", HOOK) as bad:
        replay(live.programs["main"], capture(FRAMES[:1] * 700), observers=[bad])
    assert (bad.matched, bad.failed, len(bad.offenders)) == (700, 700, SHOWN)
    assert [each.number for each in bad.offenders] == list(range(1, SHOWN + 1))


@pytest.mark.parametrize("verdict", ["DROP", "drop", "1", "0x1", "PASS|DROP", "TX | DROP"])
def test_verdicts_by_name_and_number(verdict):
    with loaded("r0 = 1\nexit") as live, Assertion(f"ip => {verdict}", HOOK) as good:
        replay(live.programs["main"], capture(), observers=[good])
    assert good.failed == 0
    assert good.matched == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tcp", InputError),
        ("tcp =>", InputError),
        ("tcp => SHOT", InputError),
        ("tcp => DROP|", InputError),
        ("nonsense => DROP", FilterError),
    ],
)
def test_assertions_that_say_nothing(text, kind):
    with pytest.raises(kind):
        Assertion(text, HOOK)


def written(path):
    found = read_capture(path)
    return list(zip(found.times_ns.tolist(), found, strict=True))


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_what_passes_is_written_as_it_became(engine, tmp_path):
    with loaded(MARKING, engine) as live, CaptureWriter(tmp_path / "out.pcapng") as writer:
        result = replay(live.programs["main"], capture(), observers=[Passed(writer)])
    assert result.verdicts == {"PASS": 1, "TX": 3}
    assert result.retvals.tolist() == [3, 2, 3, 0, 3]

    def changed(frame):
        return b"\0\0\0\0" + b"\xaa" + frame[1:]

    assert written(tmp_path / "out.pcapng") == [
        (0, changed(FRAMES[0])),
        (10**9, FRAMES[1]),
        (2 * 10**9, changed(FRAMES[2])),
        (4 * 10**9, changed(FRAMES[4])),
    ]


def test_what_is_dropped_or_too_short_is_not_written(tmp_path):
    with loaded(DROP_TCP) as live, CaptureWriter(tmp_path / "out.pcap") as writer:
        replay(live.programs["main"], capture(), observers=[Passed(writer)])
    assert [frame for _, frame in written(tmp_path / "out.pcap")] == FRAMES[1:3]


def test_other_links_are_written_as_the_frames_that_they_became(tmp_path):
    made = Ng().section().interface(101).enhanced(1, ipv4(17, udp(1, 2)))
    with loaded("r0 = 2\nexit") as live, CaptureWriter(tmp_path / "out.pcap") as writer:
        replay(live.programs["main"], parse_capture(made.data), observers=[Passed(writer)])
    assert written(tmp_path / "out.pcap") == [(1000, bytes(12) + b"\x08\x00" + ipv4(17, udp(1, 2)))]


@pytest.mark.parametrize(
    "engines", [("jit", "jit"), ("jit", "interpreter"), ("interpreter", "jit")]
)
def test_a_difference_is_found_and_written(engines, tmp_path):
    path = tmp_path / "differ.pcapng"
    with (
        loaded(DROP_TCP, engines[0]) as ours,
        loaded("r0 = 2\nexit", engines[1]) as theirs,
        CaptureWriter(path) as writer,
    ):
        found = Difference(ours.programs["main"], theirs.programs["main"], writer=writer)
        replay(ours.programs["main"], capture(FRAMES * 100), observers=[found])
    assert found.packets == 200
    assert found.counts == {("DROP", "PASS"): 200}
    assert [each.number for each in found.offenders[:3]] == [1, 5, 6]
    assert found.offenders[0].verdict == "DROP -> PASS"
    assert [frame for _, frame in written(path)] == [FRAMES[0], FRAMES[4]] * 100
    assert path.read_bytes().count(b"DROP -> PASS") == 200


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_other_bytes_are_a_difference_too(engine):
    other = MARKING.replace("= 170", "= 171")
    with loaded(MARKING) as ours, loaded(other, engine) as theirs:
        found = Difference(ours.programs["main"], theirs.programs["main"])
        replay(ours.programs["main"], capture(), observers=[found])
    assert found.packets == 3
    assert found.counts == {("TX", "TX"): 3}
    assert found.offenders[0].verdict == "TX, other bytes"


def test_a_program_does_not_differ_from_itself():
    with loaded(MARKING) as ours, loaded(MARKING, "interpreter") as theirs:
        found = Difference(ours.programs["main"], theirs.programs["main"])
        replay(ours.programs["main"], capture(), observers=[found])
    assert found.packets == 0


@pytest.mark.parametrize("size", [14, 60, 1500, 3520, 3521, 9000, 73_152, 73_153, 100_000])
def test_long_frames_are_left_whole(size, tmp_path):
    frame = FRAMES[0].ljust(size, b"z")[:size]
    found = []
    for engine in ("jit", "interpreter"):
        path = tmp_path / f"{engine}.pcap"
        with loaded(MARKING, engine) as live, CaptureWriter(path) as writer:
            packets = capture([FRAMES[1], frame, b"short", FRAMES[2]])
            replay(live.programs["main"], packets, observers=[Passed(writer)])
        found.append(written(path))
    assert found[0] == found[1]
    changed = b"\0\0\0\0\xaa" + frame[1:]
    assert found[0][1] == (10**9, changed)


def test_more_changed_frames_than_fit_at_once(tmp_path):
    frames = [FRAMES[n % 3] + bytes(n % 1400) for n in range(5000)]
    with loaded(MARKING) as live, CaptureWriter(tmp_path / "out.pcap") as writer:
        replay(live.programs["main"], capture(frames), observers=[Passed(writer)])
    left = read_capture(tmp_path / "out.pcap")
    assert len(left) == 5000
    for index, frame in enumerate(frames):
        expected = frame if index % 3 == 1 else b"\0\0\0\0\xaa" + frame[1:]
        assert left.packet(index) == expected


TC_MARKING = """
r6 = r1
*(u8 *)(r10 - 1) = 170
r2 = 0
r3 = r10
r3 += -1
r4 = 1
r5 = 0
call 9
r1 = r6
r2 = *(u32 *)(r6 + 0)
r2 += 5
r3 = 0
call 38
r0 = 0
exit
"""


def test_tc_programs_leave_their_packets_too(tmp_path):
    spec = ObjectSpec({"main": FunctionSpec("main", "tc", assemble(TC_MARKING))}, license="GPL")
    frames = [frame.ljust(60, b"z") for frame in FRAMES]
    expected = [(n * 10**9, b"\xaa" + frame[1:] + bytes(5)) for n, frame in enumerate(frames)]
    for engine in ("jit", "interpreter"):
        path = tmp_path / f"{engine}.pcap"
        with UserspaceKernel(engine).load(spec) as live, CaptureWriter(path) as writer:
            replay(live.programs["main"], capture(frames), observers=[Passed(writer)])
        assert written(path) == expected
