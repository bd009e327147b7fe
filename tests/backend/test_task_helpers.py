"""Clocks, task, CPU and cgroup as programs see them: what a test run in Linux gives."""

import os
import threading
import time

import pytest
import skb

from beebox.tables.helpers import HELPER_BY_NAME

SECTIONS = ("xdp", "tc", "socket", "cgroup_skb/ingress", "lwt_xmit")
CONSTANT = (
    "get_numa_node_id",
    "get_current_pid_tgid",
    "get_current_uid_gid",
    "get_current_cgroup_id",
    "get_cgroup_classid",
)
CLOCKS = ("ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_tai_ns", "jiffies64")


def calls(names, *before):
    body = []
    for name in names:
        body += ["r1 = r6", *before, f"call {HELPER_BY_NAME[name].id}", "store"]
    return body


def program(section, body):
    return skb.program(section, body, verdict=2 if section == "xdp" else 0)


@pytest.mark.linux
@pytest.mark.parametrize("section", SECTIONS)
def test_the_task_is_the_one_that_asks(section):
    seen = skb.same_everywhere(program(section, calls(CONSTANT)), (skb.UDP4,))
    assert seen[0].stored[1] == os.getpid() << 32 | threading.get_native_id()


@pytest.mark.linux
@pytest.mark.parametrize("size", [1, 2, 8, 15, 16, 17, 32])
def test_the_tasks_name_in_any_room(size):
    body = [f"*(u64 *)(r10 - {at}) = -1" for at in range(8, 41, 8)]
    body += ["r1 = r10", "r1 += -40", f"r2 = {size}", "call 16", "store"]
    for at in range(40, 7, -8):
        body += [f"r0 = *(u64 *)(r10 - {at})", "store"]
    skb.same_everywhere(program("tc", body), (skb.UDP4,))


@pytest.mark.linux
@pytest.mark.parametrize("section", SECTIONS)
def test_clocks_run_as_linux_clocks(section):
    spec = program(section, calls(CLOCKS))
    seen = {name: skb.run(name, spec, skb.UDP4).stored for name in skb.KERNELS}
    for at, name in enumerate(CLOCKS):
        second = 250 if name == "jiffies64" else 10**9
        values = [stored[at] for stored in seen.values()]
        assert max(values) - min(values) < 5 * second, (name, values)
    assert abs(seen["jit"][2] - time.time_ns()) < 100 * 10**9  # TAI may be some leap seconds ahead


@pytest.mark.linux
@pytest.mark.parametrize("section", ["tc", "cgroup_skb/egress"])
def test_the_socket_is_in_the_root_cgroup(section):
    body = calls(("skb_cgroup_id", "get_socket_uid"))
    for level in (0, 1, 5):
        body += calls(("skb_ancestor_cgroup_id",), f"r2 = {level}")
        body += [f"r1 = {level}", "call 123", "store"]
    skb.same_everywhere(program(section, body), (skb.UDP4,))


@pytest.mark.linux
def test_cookies_are_numbers_that_stay():
    spec = program("tc", calls(("get_socket_cookie", "get_socket_cookie", "get_netns_cookie")))
    for name in skb.KERNELS:
        stored = skb.run(name, spec, skb.UDP4).stored
        assert stored[0] == stored[1] > 0
        assert stored[2] > 0


@pytest.mark.linux
def test_a_hash_is_made_and_stays():
    body = calls(("get_hash_recalc", "get_hash_recalc", "set_hash_invalid", "get_hash_recalc"))
    body += ["r0 = *(u32 *)(r6 + 68)", "store"]
    for name in skb.KERNELS:
        stored = skb.run(name, program("tc", body), skb.TCP4).stored
        assert stored[0] == stored[1] == stored[3] == stored[4] > 0
    flows = [skb.UDP4, skb.TCP4, skb.TCP6, skb.UDP6, skb.ARP]
    hashes = [skb.run("jit", program("tc", body), flow).stored[0] for flow in flows]
    assert len(set(hashes)) == len(flows)
    assert hashes == [skb.run("interpreter", program("tc", body), f).stored[0] for f in flows]
