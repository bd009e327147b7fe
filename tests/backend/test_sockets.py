"""Socket lookups where there is no socket: both engines find what Linux finds, nothing."""

import namespaces
import pytest
import skb

TCP, UDP, SKC, RELEASE = 84, 85, 99, 86


def looking(helper, size, netns, flags):
    return [
        *[f"*(u64 *)(r10 - {at}) = 0" for at in range(8, 48, 8)],
        "r1 = r6",
        "r2 = r10",
        "r2 += -40",
        f"r3 = {size}",
        f"r4 = {netns} ll",
        f"r5 = {flags}",
        f"call {helper}",
        f"if r0 == 0 goto none{helper}_{size}_{flags}_{abs(netns)}",
        "r7 = r0",
        "r8 = *(u32 *)(r7 + 4)",
        "r1 = r7",
        f"call {RELEASE}",
        "r0 = 1",
        f"none{helper}_{size}_{flags}_{abs(netns)}:",
        "store",
    ]


@pytest.mark.linux
@pytest.mark.parametrize("section", ["tc", "cgroup_skb/ingress"])
def test_nothing_is_found(section):
    body = []
    for helper in (TCP, UDP, SKC):
        for size in (12, 36, 8):
            body += looking(helper, size, -1, 0)
        body += looking(helper, 12, 0, 0) + looking(helper, 12, -1, 1)
    with namespaces.namespace():
        for seen in skb.same_everywhere(skb.program(section, body), skb.FRAMES):
            assert not any(seen.stored[:15])


@pytest.mark.linux
def test_nothing_is_found_by_xdp():
    body = [*looking(TCP, 12, -1, 0), *looking(UDP, 36, -1, 0), *looking(SKC, 12, 0, 0)]
    with namespaces.namespace():
        skb.same_everywhere(skb.program("xdp", body, verdict=2), skb.FRAMES)


@pytest.mark.linux
def test_what_follows_a_socket_that_is_never_found():
    body = [
        *[f"*(u64 *)(r10 - {at}) = 0" for at in range(8, 48, 8)],
        "r1 = r6",
        "r2 = r10",
        "r2 += -40",
        "r3 = 12",
        "r4 = -1 ll",
        "r5 = 0",
        f"call {SKC}",
        "r7 = r0",
        "if r7 == 0 goto none",
        "r1 = r6",
        "r2 = r7",
        "r3 = 0",
        "call 124",  # sk_assign
        "r1 = r7",
        "call 96",  # tcp_sock
        "r1 = r7",
        "call 98",  # get_listener_sock
        "r1 = r7",
        f"call {RELEASE}",
        "none:",
        "r0 = 5",
        "store",
    ]
    with namespaces.namespace():
        for seen in skb.same_everywhere(skb.program("tc", body), skb.FRAMES):
            assert seen.stored[0] == 5


@pytest.mark.linux
@pytest.mark.parametrize("flags", [0, 1, 1 << 32])
def test_a_test_run_is_no_place_to_assign_a_socket(flags):
    body = ["r2 = *(u64 *)(r6 + 168)", "if r2 == 0 goto none", "r1 = r6", f"r3 = {flags} ll"]
    body += ["call 124", "none:", "store"]
    for seen in skb.same_everywhere(skb.program("tc", body), skb.FRAMES):
        assert seen.stored[0] == (1 << 64) - (22 if flags else 95)
