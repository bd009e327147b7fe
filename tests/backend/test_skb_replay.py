"""Replay over skb hooks: the verdicts and frames of test runs, in both engines and in Linux."""

import random

import numpy as np
import pytest
import skb

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import MapType
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import replay

FRAMES = [frame for frame in skb.FRAMES if frame is not skb.LARGE]


def call(name):
    return f"call {HELPER_BY_NAME[name].id}"


# What each program does; the verdict is made of the packet's length.
READS = ["r8 = *(u32 *)(r6 + 0)", "r1 = *(u32 *)(r6 + 16)", "r8 += r1", "r8 &= 1"]
GROWS = [
    *("r8 = *(u32 *)(r6 + 0)", "r1 = r6", "r2 = 14", "r3 = 0", call("skb_change_head")),
    *("r1 = r6", "r2 = r8", "r2 += 300", "r3 = 0", call("skb_change_tail"), "r8 &= 3"),
]
TAGS = [
    *("r8 = *(u32 *)(r6 + 0)", "r1 = r6", "r2 = 0x81", "r3 = 5", call("skb_vlan_push")),
    *("r1 = r6", "r2 = 0x81", "r3 = 6", call("skb_vlan_push"), "*(u32 *)(r6 + 8) = 7", "r8 &= 1"),
]
KEEPS = ["r8 = *(u32 *)(r6 + 0)", "r8 &= 31"]
PROGRAMS = {
    "tc": (READS, GROWS, TAGS),
    "action": (READS,),
    "socket": (KEEPS,),
    "cgroup_skb/egress": (READS,),
    "lwt_in": (READS,),
    "lwt_xmit": (READS, GROWS),
}
CASES = [(section, body) for section, bodies in PROGRAMS.items() for body in bodies]


def program(section, body):
    text = "\n".join(["r6 = r1", *body, "r0 = r8", "exit"])
    return skb.whole_program(section, text)


def capture():
    rng = random.Random(4)
    chosen = [rng.choice([*FRAMES, b"", bytes(13)]) for _ in range(300)]
    data = encode_capture((number * 1000, frame) for number, frame in enumerate(chosen))
    return chosen, parse_capture(data)


class Keep:
    """Every frame as a replay leaves it."""

    wants_frames = True

    def __init__(self):
        self.frames = []

    def see(self, batch):
        self.frames += [batch.after_of(index) for index in range(len(batch.retvals))]


def tagged(frame):
    """With the tag that the program left beside the packet, as a device sends it."""
    return frame[:12] + b"\x81\x00\x00\x06" + frame[12:]


@pytest.mark.linux
@pytest.mark.parametrize(("section", "body"), CASES)
def test_replays_are_test_runs(section, body):
    spec = program(section, body)
    chosen, packets = capture()
    expected, left = [], []
    with LinuxKernel().load(spec) as loaded:
        live = loaded.programs["main"]
        for frame in chosen:
            if len(frame) < 14:
                expected.append(0)
                left.append(b"")
                continue
            run = live.test_run(frame, context=bytes(192))
            expected.append(run.retval)
            left.append(tagged(run.data_out) if body is TAGS else run.data_out)
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine).load(spec) as loaded:
            live = loaded.programs["main"]
            result = replay(live, packets)
            assert result.retvals.tolist() == expected
            assert result.refused == sum(len(frame) < 14 for frame in chosen)
            assert sum(result.verdicts.values()) == len(chosen) - result.refused
            for frame, there in zip(chosen, left, strict=True):
                if len(frame) < 14:
                    continue
                _, here = live.run_at(frame, 0)
                start = live.hook.start
                assert here[start:] == there[start:]
                assert here[:start] == frame[:start]  # Linux has forgotten it


@pytest.mark.parametrize("body", [GROWS, TAGS])
def test_frames_of_a_changed_replay_are_those_of_single_runs(body):
    chosen, packets = capture()
    with UserspaceKernel().load(program("tc", body)) as loaded:
        live, keep = loaded.programs["main"], Keep()
        replay(live, packets, observers=[keep])
        alone = [live.run_at(frame, 0)[1] if len(frame) >= 14 else b"" for frame in chosen]
    assert keep.frames == alone


def test_pages_grow_in_their_own_slots():
    rng = random.Random(6)
    chosen = [rng.randbytes(size) for size in (60, 3520, 3521, 4000, 7000, 7616, 7617) * 3]
    packets = parse_capture(encode_capture((number, frame) for number, frame in enumerate(chosen)))
    body = ["r1 = r6", "r2 = 3000", call("xdp_adjust_tail"), "r8 = 2"]
    with UserspaceKernel().load(program("xdp.frags", body)) as loaded:
        live, keep = loaded.programs["main"], Keep()
        replay(live, packets, observers=[keep])
        alone = [live.run_at(frame, 0)[1] for frame in chosen]
    assert keep.frames == alone
    assert max(map(len, alone)) > 7617


def test_what_a_program_writes_into_its_context_is_gone_with_the_packet():
    body = ["r8 = *(u32 *)(r6 + 8)", "r8 += 1", "*(u32 *)(r6 + 8) = r8", "r8 &= 7"]
    _, packets = capture()
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine).load(program("tc", body)) as loaded:
            result = replay(loaded.programs["main"], packets)
            assert set(np.unique(result.retvals[result.ran]).tolist()) == {1}


STORE = [
    *("r7 = *(u32 *)(r6 + 76)", "r8 = *(u32 *)(r6 + 80)", "r1 = r7", "r1 += 14"),
    *("if r1 > r8 goto out", "*(u8 *)(r7 + 0) = 9", "out:", "r8 = 1"),
]
WRITERS = [
    ("tc", ["r1 = r6", call("skb_ecn_set_ce"), "r8 = 1"]),
    ("cgroup_skb/ingress", ["r1 = r6", call("skb_ecn_set_ce"), "r8 = 1"]),
    (
        "xdp",
        [
            *("*(u64 *)(r10 - 8) = -1", "r1 = r6", "r2 = 15", "r3 = r10", "r3 += -8", "r4 = 8"),
            *(call("xdp_store_bytes"), "r8 = 1"),
        ],
    ),
    ("tc", STORE),
]


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
@pytest.mark.parametrize(("section", "body"), WRITERS)
def test_a_capture_is_never_written(engine, section, body):
    frame = skb.ethernet(0x0800, skb.ipv4(17, skb.udp(b"ecn"), tos=2))
    buffer = np.frombuffer(frame * 4, dtype=np.uint8).copy()
    offsets = np.arange(4, dtype=np.uint64) * len(frame)
    lengths = np.full(4, len(frame), dtype=np.uint32)
    with UserspaceKernel(engine).load(program(section, body)) as loaded:
        live = loaded.programs["main"]
        assert not live.reads_only
        assert set(live.run_batch(buffer, offsets, lengths).tolist()) == {1}
        assert live.test_run(frame).data_out != frame
    assert buffer.tobytes() == frame * 4


def test_a_capture_is_not_written_by_a_tail_call():
    text = "\n".join(["r6 = r1", *STORE, "r0 = r8", "exit"])
    call_it = "r2 = map[next] ll\nr3 = 0\ncall 12\nr0 = 0\nexit"
    functions = {
        "main": FunctionSpec("main", "tc", assemble(call_it)),
        "other": FunctionSpec("other", "tc", assemble(text)),
    }
    maps = {"next": MapSpec("next", MapType.PROG_ARRAY, 4, 4, 1)}
    frame = bytearray(skb.UDP4)
    with UserspaceKernel().load(ObjectSpec(functions, maps, license="GPL")) as loaded:
        loaded.maps["next"].update(bytes(4), loaded.programs["other"])
        live = loaded.programs["main"]
        assert live.run_batch(frame, [0], [len(frame)]).tolist() == [1]
    assert frame == skb.UDP4


def test_reading_with_helpers_is_reading():
    body = ["r1 = r6", "r2 = 0", "r3 = r10", "r3 += -8", "r4 = 8", call("skb_load_bytes")]
    with UserspaceKernel().load(program("tc", [*body, "r8 = r0"])) as loaded:
        assert loaded.programs["main"].reads_only
