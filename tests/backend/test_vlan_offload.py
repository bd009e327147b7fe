"""Packets behind a device that takes VLAN tags out of frames."""

import numpy as np
import pytest
import skb

from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import replay

LOOK = [
    *("r0 = *(u32 *)(r6 + 20)", "store", "r0 = *(u32 *)(r6 + 24)", "store"),  # present, tci
    *("r0 = *(u32 *)(r6 + 28)", "store", "r0 = *(u32 *)(r6 + 16)", "store"),  # its and our protocol
    *("r0 = *(u32 *)(r6 + 0)", "store"),
]
WRITE = [
    *("r7 = *(u32 *)(r6 + 76)", "r8 = *(u32 *)(r6 + 80)", "r1 = r7", "r1 += 14"),
    *("if r1 > r8 goto out", "*(u8 *)(r7 + 0) = 77"),
]
POP = ["r1 = r6", "call 19"]
ENGINES = ("jit", "interpreter")


def kernel(engine):
    return UserspaceKernel(engine, vlan_offload=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("section", "start"), [("tc", 0), ("cgroup_skb/ingress", 14)])
def test_the_outermost_tag_is_beside_the_packet(engine, section, start):
    spec = skb.program(section, LOOK)
    seen = skb.run(kernel(engine), spec, skb.VLAN4)
    length = len(skb.VLAN4) - 4 - start
    assert seen.stored[:5] == (1, 0x2005, 0x0081, 0x0008, length)
    seen = skb.run(kernel(engine), spec, skb.QINQ4)
    assert seen.stored[:4] == (1, 0x0007, 0xA888, 0x0081)
    seen = skb.run(kernel(engine), spec, skb.UDP4)
    assert seen.stored[:5] == (0, 0, 0, 0x0008, len(skb.UDP4) - start)
    short = skb.ethernet(0x8100, b"\0\5")
    assert skb.run(kernel(engine), spec, short).stored[:4] == (0, 0, 0, 0x0081)


@pytest.mark.linux
@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_program_sees_is_what_linux_shows_after_a_pop(engine):
    # In Linux a pop takes the tag out of the packet; the next one, if any, comes to lie beside it.
    for frame in (skb.VLAN4, skb.QINQ4):
        popped = skb.run("linux", skb.program("tc", POP), frame, bytes(192)).data
        ours = skb.run(kernel(engine), skb.program("tc", []), frame, bytes(192)).data
        inner = popped if frame is skb.VLAN4 else popped[:12] + b"\x81\0\0\5" + popped[12:]
        assert ours == inner


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replay_leaves_captures_alone_and_gives_tags_back(engine):
    frames = [skb.VLAN4, skb.UDP4, skb.QINQ4, skb.TCP6]
    packets = parse_capture(encode_capture(enumerate(frames)))
    before = packets.data.tobytes()
    for body, changed in ((LOOK, False), (WRITE, True), (POP, True)):
        with kernel(engine).load(skb.program("tc", body)) as loaded:
            live = loaded.programs["main"]
            assert set(np.unique(replay(live, packets).retvals).tolist()) == {0}
            assert packets.data.tobytes() == before
            for frame in frames:
                after = live.run_at(frame, 0)[1]
                if body is WRITE:
                    assert after == b"M" + frame[1:]
                elif body is POP and frame in frames[::2]:
                    assert after == frame[:12] + frame[16:]
                else:
                    assert after == frame
            assert live.reads_only != changed
    with kernel(engine).load(skb.program("lwt_in", LOOK)) as loaded:
        assert [loaded.programs["main"].run_at(frame, 0)[1] for frame in frames] == frames


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_and_calls_see_the_same(engine):
    body = ["r8 = *(u32 *)(r1 + 24)", "r2 = *(u32 *)(r1 + 0)", "r8 += r2", "r0 = r8", "exit"]
    frames = [skb.VLAN4, skb.UDP4, skb.QINQ4]
    with kernel(engine).load(skb.whole_program("tc", "\n".join(body))) as loaded:
        live = loaded.programs["main"]
        expected = [len(frames[0]) - 4 + 0x2005, len(frames[1]), len(frames[2]) - 4 + 7]
        for _ in range(3):
            assert [live(frame) for frame in frames] == expected
        lengths = [len(frame) for frame in frames]
        offsets = np.cumsum([0, *lengths[:-1]])
        assert live.run_batch(b"".join(frames), offsets, lengths).tolist() == expected
