"""Live capture, in a network namespace that goes away with the test."""

import os
import subprocess
import sys
from functools import cache

import pytest

NAMESPACE = ["unshare", "--net"]


@cache
def why_no_namespace():
    try:
        done = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unshare not found"
    return done.stderr.strip() if done.returncode else None


def inside(program):
    """What a program prints that runs in a network namespace of its own."""
    reason = why_no_namespace()
    if reason is not None:
        pytest.skip(f"no network namespaces: {reason}")
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", SETUP + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SETUP = """
import socket, subprocess, threading, time
from beebox.errors import CaptureError
from beebox.userspace.captures.live import Live
from beebox.userspace.observers.passed import limited

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

def send(interface, frames, after=0.3):
    def run():
        time.sleep(after)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind((interface, 0))
            for frame in frames:
                out.send(frame)
    threading.Thread(target=run).start()

def frame(number, tag=b""):
    return b"\\xff" * 6 + b"\\2\\0\\0\\0\\0\\1" + tag + b"\\x88\\xb5" + bytes([number]) * 50

def mine(live, count):
    found = []
    for block in live:
        for at, packet in enumerate(block):
            if b"\\x88\\xb5" in packet[12:20]:
                found.append((packet, int(block.times_ns[at]), block.interface(at)))
        if len(found) >= count:
            return found[:count]
    return found
"""
VETH = """
ip("link add name va type veth peer name vb")
ip("link set va up")
ip("link set vb up")
"""


def test_what_arrives_at_an_interface():
    lines = inside(
        VETH
        + """
frames = [frame(n) for n in range(20)] + [frame(20, b"\\x81\\0\\0\\7")]
with Live("va", seconds=20) as live:
    send("vb", frames)
    send("va", [frame(99)], after=0.1)  # what the interface sends itself is not shown
    started = time.time_ns()
    found = mine(live, 21)
print([packet for packet, _, _ in found] == frames)
print(all(started < time_ns < time.time_ns() for _, time_ns, _ in found))
print(found[0][2].name, found[0][2].link_type)
"""
    )
    assert lines == ["True", "True", "va 1"]


def test_an_end_by_seconds_and_by_stop():
    lines = inside(
        VETH
        + """
start = time.monotonic()
with Live("va", seconds=0.5) as live:
    for block in live:
        pass
print(0.4 < time.monotonic() - start < 5)
with Live("va") as live:
    threading.Timer(0.3, live.stop).start()
    for block in live:
        pass
print("stopped")
"""
    )
    assert lines == ["True", "stopped"]


def test_packets_of_an_interface_without_ethernet():
    lines = inside(
        """
ip("tuntap add mode tun name t0")
ip("link set t0 up")
with Live("t0", seconds=0.1) as live:
    print(list(live))
    print(live._source.interface.link_type)
"""
    )
    assert lines == ["[]", "101"]


def test_a_tap_device_is_made_and_goes_away():
    lines = inside(
        """
with Live("tap:bx0", seconds=20) as live:
    send("bx0", [frame(1), frame(2)])
    print([packet for packet, _, _ in mine(live, 2)] == [frame(1), frame(2)])
print(subprocess.run(["ip", "link", "show", "bx0"], capture_output=True).returncode != 0)
"""
    )
    assert lines == ["True", "True"]


def test_an_interface_that_is_not_there_or_goes_away():
    lines = inside(
        VETH
        + """
for name in ("nosuch", "", "x" * 40, "a/b", "tap:", "tap:" + "x" * 16, "tap:a/b", "x\\0y"):
    try:
        Live(name)
    except CaptureError as error:
        print("refused")
try:
    with Live("va", seconds=20) as live:
        threading.Timer(0.3, ip, ["link del va"]).start()
        list(live)
except CaptureError as error:
    print(error.file)
"""
    )
    assert lines == ["refused"] * 8 + ["va"]


@pytest.mark.parametrize(
    ("name", "capability"), [("lo", "CAP_NET_RAW"), ("tap:bx1", "CAP_NET_ADMIN")]
)
def test_without_the_right_it_says_which(name, capability):
    program = (
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0\n"
        "from beebox.errors import NotSupportedError\n"
        "from beebox.userspace.captures.live import Live\n"
        "try: Live(sys.argv[1])\n"
        "except NotSupportedError as error: print(error.hint)\n"
    )
    if not name.startswith("lo") and not os.path.exists("/dev/net/tun"):  # noqa: PTH110 -- a device
        pytest.skip("no /dev/net/tun")
    done = subprocess.run(
        [sys.executable, "-c", program, name], capture_output=True, text=True, check=True
    )
    assert capability in done.stdout
