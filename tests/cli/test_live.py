"""``beebox replay --live``, end to end, in a network namespace that goes away with the test."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest

from beebox.userspace.captures import read_capture

SENDING = """
import socket, time
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
    out.bind(("vb", 0))
    while True:
        for number in range(50):
            out.send(bytes(12) + b"\\x88\\xb5" + bytes([number]) * 46)
        time.sleep(0.05)
"""
SCRIPT = """
set -e
ip link add name va type veth peer name vb
ip link set va up
ip link set vb up
"$PYTHON" -c "$SENDING" & sending=$!
trap 'kill $sending' EXIT
set +e
"$BEEBOX" replay -j --live va --count 200 --filter 'ether proto 0x88b5' \
    --assert 'ether proto 0x88b5 => DROP' -o "$OUT" "$PROGRAM"
echo "status $?"
"$BEEBOX" replay -j --live va "$PROGRAM" & live=$!
while [ "$(wc -l < /proc/self/net/packet)" -lt 3 ]; do sleep 0.1; done  # it listens
sleep 0.5
kill -INT $live
wait $live
echo "status $?"
"$BEEBOX" replay --live va --seconds 0.5 "$PROGRAM" > /dev/null
echo "status $?"
"""


@cache
def why_no_namespace() -> str | None:
    try:
        done = subprocess.run(
            ["unshare", "--net", "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "unshare not found"
    return done.stderr.strip() if done.returncode else None


def test_a_live_capture_ends_by_count_signal_and_time(
    command: Path, repository: Path, tmp_path: Path
) -> None:
    reason = why_no_namespace()
    if reason is not None:
        pytest.skip(f"no network namespaces: {reason}")
    program, out = tmp_path / "pass.s", tmp_path / "live.pcapng"
    program.write_text('.license "GPL"\n.section "xdp"\nall:\nr0 = 2\nexit\n')
    variables = {
        "PYTHON": command.parent / "python",
        "SENDING": SENDING,
        "BEEBOX": command,
        "PROGRAM": program,
        "OUT": out,
    }
    words = ["env", *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(
        ["unshare", "--net", *words, "bash", "-c", "set -m\n" + SCRIPT],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 5, (lines, done.stderr)
    first, second = json.loads(lines[0]), json.loads(lines[2])
    assert lines[1] == "status 1"  # the assertion does not hold
    assert (first["packets"], first["captures"], first["verdicts"]) == (200, ["va"], {"PASS": 200})
    assert first["assertions"][0]["failed"] == 200
    assert lines[3:] == ["status 0", "status 0"]
    assert second["packets"] > 0
    assert {packet[12:14] for packet in read_capture(out)} == {b"\x88\xb5"}
    assert len(read_capture(out)) == 200
