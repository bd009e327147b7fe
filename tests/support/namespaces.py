"""A network namespace for one test: entered by this thread, gone when it leaves.

Whatever a test configures lives in there: veth pairs, addresses, routes, neighbours, forwarding.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

CLONE_NEWNET = 0x4000_0000
OWN = Path("/proc/thread-self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def namespace() -> Iterator[None]:
    """A new network namespace around this thread; the old one comes back afterwards."""
    before = OWN.readlink()
    old = os.open(OWN, os.O_RDONLY)
    try:
        _check(_libc.unshare(CLONE_NEWNET))
        assert OWN.readlink() != before
        try:
            yield
        finally:
            _check(_libc.setns(old, CLONE_NEWNET))
    finally:
        os.close(old)


def ip(commands: str, *, mounts: bool = False) -> None:
    """Run ip(8) commands, one a line, in this thread's namespace; ``-6`` may stand before one.

    ``mounts``: ip may mount things (it does for BPF programs), which then go with it.
    """
    lines = [line for line in commands.splitlines() if line.strip()]
    for six, group in groupby(lines, key=lambda line: line.startswith("-6 ")):
        text = "\n".join(line.removeprefix("-6 ") for line in group)
        command = [*["unshare", "--mount"] * mounts, "ip", *["-6"] * six, "-batch", "-"]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, (done.stderr, text)


def setting(family: str, interface: str, name: str, value: str) -> None:
    """Set what this namespace has for an interface."""
    Path(f"/proc/sys/net/{family}/conf/{interface}/{name}").write_text(value)


def forward(interface: str, *families: str) -> None:
    """Turn forwarding on for an interface of this namespace: "ipv4", "ipv6"."""
    for family in families:
        setting(family, interface, "forwarding", "1")


def shown(*words: str) -> str:
    """What ``ip -j`` tells of this namespace, as it stands: ip may repeat a key."""
    told = subprocess.run(["ip", "-j", *words], text=True, capture_output=True, check=True).stdout
    return told.strip() or "[]"


def wait_for_linkdown(device: str) -> None:
    """Until every route over a device without carrier says so: up to a second after the device."""
    for _ in range(200):
        routes = json.loads(shown("route", "show", "table", "all", "dev", device))
        routes += json.loads(shown("-6", "route", "show", "table", "all", "dev", device))
        ours = [row for row in routes if row.get("type") in {None, "unicast"}]
        if ours and all("linkdown" in row.get("flags", ()) for row in ours):
            return
        time.sleep(0.02)
    raise AssertionError(f"the routes over {device} do not see that it has no carrier: {routes}")


def description(*, numeric: bool = False) -> str:
    """This namespace as the network file that ``beebox replay --network`` reads."""
    words = ["-N"] * numeric
    neighbours = [shown(*version, "neigh", "show", "nud", "all") for version in ((), ("-6",))]
    lists = {
        "addr": shown("addr"),
        "route": shown(*words, "route", "show", "table", "all"),
        "neigh": json.dumps([row for text in neighbours for row in json.loads(text)]),
        "rule": shown(*words, "rule"),
        "rule6": shown(*words, "-6", "rule"),
        "netconf": shown("netconf"),
    }
    return "{" + ", ".join(f'"{key}": {text}' for key, text in lists.items()) + "}"
