"""Replay over skb hooks: the verdicts and frames of test runs, in both engines and in Linux."""

import random

import numpy as np
import pytest
import skb

from beebox.linux.kernel import LinuxKernel
from beebox.tables.helpers import HELPER_BY_NAME
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
            left.append(run.data_out)
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


def test_frames_of_a_changed_replay_are_those_of_single_runs():
    class Keep:
        wants_frames = True

        def __init__(self):
            self.frames = []

        def see(self, batch):
            self.frames += [batch.after_of(index) for index in range(len(batch.retvals))]

    chosen, packets = capture()
    with UserspaceKernel().load(program("tc", GROWS)) as loaded:
        live, keep = loaded.programs["main"], Keep()
        replay(live, packets, observers=[keep])
        alone = [live.run_at(frame, 0)[1] if len(frame) >= 14 else b"" for frame in chosen]
    assert keep.frames == alone


def test_what_a_program_writes_into_its_context_is_gone_with_the_packet():
    body = ["r8 = *(u32 *)(r6 + 8)", "r8 += 1", "*(u32 *)(r6 + 8) = r8", "r8 &= 7"]
    _, packets = capture()
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine).load(program("tc", body)) as loaded:
            result = replay(loaded.programs["main"], packets)
            assert set(np.unique(result.retvals[result.ran]).tolist()) == {1}
