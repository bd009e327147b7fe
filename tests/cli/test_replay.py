"""``beebox replay``: its sources, its filter, what it writes and checks, results and statuses."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from capturefiles import Ng, pcap

from beebox.cli.main import run
from beebox.userspace.captures import parse_capture

Beebox = Callable[..., Any]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def beebox(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Beebox:
    """The command within this process: what other tests run as one of its own."""
    monkeypatch.chdir(repository)

    def inside(*words: str | Path) -> Done:
        status = run([str(word) for word in words])
        return Done(status, *capfd.readouterr())

    return inside


COUNT = "examples/count.py"
FIREWALL = "examples/firewall.py"
CAPTURE = "examples/capture.pcap"
PACKETS = 4703
TCP = 3789


def test_formats_are_told_by_their_content(
    beebox: Beebox, repository: Path, tmp_path: Path
) -> None:
    data = (repository / CAPTURE).read_bytes()
    (tmp_path / "a").write_bytes(gzip.compress(data))
    (tmp_path / "b.txt").write_bytes(zstandard.ZstdCompressor().compress(data))
    result = beebox("replay", "-j", COUNT, tmp_path / "a", CAPTURE, tmp_path / "b.txt").json
    assert result["packets"] == 3 * PACKETS
    assert result["captures"] == [str(tmp_path / "a"), CAPTURE, str(tmp_path / "b.txt")]


def test_standard_input(command: Path, repository: Path) -> None:
    data = gzip.compress((repository / CAPTURE).read_bytes())
    words = [command, "replay", "-j", COUNT, "-"]
    done = subprocess.run(words, cwd=repository, input=data, capture_output=True, check=True)
    assert json.loads(done.stdout)["packets"] == PACKETS
    done = subprocess.run(words, cwd=repository, input=b"", capture_output=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["file"] == "<stdin>"


def test_a_filter_comes_before_the_count(beebox: Beebox) -> None:
    result = beebox("replay", "-j", "--filter", "tcp", COUNT, CAPTURE).json
    assert (result["packets"], result["filter"]) == (TCP, "tcp")
    words = ("replay", "-j", "--filter", "tcp", "--count", "100", COUNT, CAPTURE)
    result = beebox(*words).json
    assert result["packets"] == 100
    assert {row["key"] for row in result["maps"]["protocols"] if row["value"]["packets"]} == {6}


def test_a_count_reads_no_further(beebox: Beebox, repository: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((repository / CAPTURE).read_bytes()[:-1])
    done = beebox("replay", "-j", COUNT, cut)
    assert done.status == 2
    assert done.json["error"]["packet"] == PACKETS
    assert done.json["error"]["offset"] > 0
    words = ("replay", "-j", "--count", str(PACKETS - 1), COUNT, cut)
    assert beebox(*words).json["packets"] == PACKETS - 1


@pytest.mark.parametrize(
    ("clock", "expected"), [("capture", 7), ("1700000000.5", 1_700_000_000_500_000_000)]
)
def test_clocks(beebox: Beebox, tmp_path: Path, clock: str, expected: int) -> None:
    program = tmp_path / "clock.s"
    program.write_text('.license "GPL"\n.section "xdp"\nclock:\ncall 5\nexit\n')
    (tmp_path / "x.pcap").write_bytes(pcap("<", 0xA1B23C4D, 1, [(7, bytes(60))]))
    result = beebox("replay", "-j", "--clock", clock, program, tmp_path / "x.pcap").json
    assert result["verdicts"] in (
        {f"UNKNOWN_{expected & 0xFFFFFFFF}": 1},
        {"UNKNOWN_7": 1},
    )
    assert (clock == "capture") == (result["verdicts"] == {"UNKNOWN_7": 1})


def test_the_wall_clock_is_the_machines(beebox: Beebox, tmp_path: Path) -> None:
    program = tmp_path / "clock.s"
    program.write_text('.license "GPL"\n.section "xdp"\nclock:\ncall 5\nr0 >>= 40\nexit\n')
    (tmp_path / "x.pcap").write_bytes(pcap(packets=[(0, bytes(60))]))
    result = beebox("replay", "-j", "--clock", "wall", program, tmp_path / "x.pcap").json
    with Path("/proc/uptime").open(encoding="ascii") as uptime:
        most = int(float(uptime.read().split()[0]) * 1e9) >> 40
    (name,) = result["verdicts"]
    named = {"ABORTED": 0, "DROP": 1, "PASS": 2, "TX": 3, "REDIRECT": 4}
    value = named[name] if name in named else int(name.removeprefix("UNKNOWN_"))
    assert 0 <= value <= most


@pytest.mark.parametrize("suffix", ["pcap.gz", "pcapng.zst"])
def test_what_passes_is_written(beebox: Beebox, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    first = beebox("replay", "-j", "-o", out, FIREWALL, CAPTURE).json
    passed = first["verdicts"]["PASS"]
    assert first["written"] == {"file": str(out), "packets": passed}
    again = beebox("replay", "-j", COUNT, out).json
    assert again["packets"] == passed


def test_a_filter_alone_cuts_a_capture(command: Path, repository: Path, tmp_path: Path) -> None:
    program = tmp_path / "pass.s"
    program.write_text('.license "GPL"\n.section "xdp"\nall:\nr0 = 2\nexit\n')
    words = ["replay", "--filter", "arp", "-o", "-", program, CAPTURE]
    done = subprocess.run([command, *words], cwd=repository, capture_output=True, check=True)
    assert len(parse_capture(done.stdout)) == 5
    assert b"5 packets written to <stdout>" in done.stderr


def test_assertions_decide_the_status(beebox: Beebox) -> None:
    good = beebox(
        "replay", "--assert", "arp => PASS", "--assert", "tcp=>PASS|DROP", FIREWALL, CAPTURE
    )
    assert good.status == 0
    words = ("--assert", "arp => PASS", "--assert", "tcp => PASS")
    bad = beebox("replay", *words, FIREWALL, CAPTURE)
    assert bad.status == 1
    lines = [line for line in bad.out.splitlines() if line.startswith("  #")]
    assert len(lines) == 10
    assert lines[0].startswith("  #2185 2026-11-23 11:34:13.766640 DROP: IP 192.0.2.66.42173 > ")
    document = beebox("replay", "-j", *words, FIREWALL, CAPTURE)
    assert document.status == 1
    first, second = document.json["assertions"]
    assert (first["assert"], first["matched"], first["failed"]) == ("arp => PASS", 5, 0)
    assert (second["matched"], second["failed"]) == (TCP, 870)
    offender = second["first"][0]
    assert (offender["capture"], offender["number"]) == (CAPTURE, 2185)
    assert offender["time_ns"] // 10**9 == 1_795_433_653
    assert offender["verdict"] == "DROP"


def test_two_programs_side_by_side(beebox: Beebox, tmp_path: Path) -> None:
    out = tmp_path / "differ.pcapng"
    result = beebox("replay", "-j", "--diff", COUNT, "-o", out, FIREWALL, CAPTURE).json
    assert result["diff"]["packets"] == result["verdicts"]["DROP"] == 918
    assert result["diff"]["counts"] == [{"verdict": "DROP", "other": "PASS", "packets": 918}]
    assert result["diff"]["first"][0]["number"] == 198
    assert result["written"]["packets"] == 918
    again = beebox("replay", "-j", FIREWALL, out).json
    assert again["packets"] == 918
    same = beebox("replay", "--diff", FIREWALL, FIREWALL, CAPTURE)
    assert same.status == 0
    assert "alike" in same.out


@pytest.mark.parametrize(
    "words",
    [
        [FIREWALL],
        [FIREWALL, CAPTURE, "--live", "lo"],
        [FIREWALL, CAPTURE, "--seconds", "5"],
        [FIREWALL, CAPTURE, "--count", "0"],
        [FIREWALL, CAPTURE, "--clock", "noon"],
        [FIREWALL, CAPTURE, "--clock", "-1"],
        [FIREWALL, CAPTURE, "--filter", "tcp port"],
        [FIREWALL, CAPTURE, "--assert", "tcp"],
        [FIREWALL, CAPTURE, "--assert", "tcp => ACCEPT"],
        [FIREWALL, CAPTURE, "-o", "out.txt"],
        [FIREWALL, CAPTURE, "-o", "no/such/folder.pcap"],
        [FIREWALL, CAPTURE, "--diff", "nothing.py"],
        [FIREWALL, CAPTURE, "--diff", "examples/tc_nat.py:leave"],
        [FIREWALL, "--live", "lo", "--seconds", "nan"],
        [FIREWALL, "--live", "lo", "--seconds", "inf"],
        [FIREWALL, "--live", "no-such-if"],
        [FIREWALL, "/dev/zero"],
    ],
)
def test_wrong_use_is_status_2(beebox: Beebox, words: list[str]) -> None:
    done = beebox("replay", *words)
    assert done.status == 2
    assert done.err.startswith("beebox: error: ")
    assert done.out == ""


def test_a_capture_is_never_written_over(beebox: Beebox, repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes((repository / CAPTURE).read_bytes())
    done = beebox("replay", "-o", tmp_path / "." / "x.pcap", COUNT, CAPTURE, path)
    assert done.status == 2
    assert path.read_bytes() == (repository / CAPTURE).read_bytes()


def test_json_and_packets_do_not_share_a_stream(beebox: Beebox) -> None:
    done = beebox("replay", "-j", "-o", "-", COUNT, CAPTURE)
    assert (done.status, done.json["error"]["kind"]) == (2, "InputError")


def test_the_place_in_a_filter_is_told(beebox: Beebox) -> None:
    error = beebox("replay", "-j", "--filter", "tcp port foo", COUNT, CAPTURE).json["error"]
    assert (error["kind"], error["column"]) == ("FilterError", 10)


def test_a_link_that_holds_no_frames(beebox: Beebox, tmp_path: Path) -> None:
    path = tmp_path / "radio.pcapng"
    path.write_bytes(Ng().section().interface(127).enhanced(1, bytes(60)).data)
    error = beebox("replay", "-j", COUNT, path).json["error"]
    assert (error["kind"], error["packet"], error["offset"]) == ("CaptureError", 1, 28)


def test_an_endless_pipe_ends_at_the_count(command: Path, repository: Path) -> None:
    with subprocess.Popen(
        [command, "replay", "-j", "--count", "100000", COUNT, "-"],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        records = pcap(packets=[(0, bytes(60))])[24:] * 1000
        with child.stdin as feed:
            feed.write(pcap(packets=[]))
            try:
                while True:
                    feed.write(records)
            except BrokenPipeError:
                pass
        assert b'"packets": 100000' in child.stdout.read()


def test_progress_lines(beebox: Beebox) -> None:
    done = beebox("replay", "--progress", "-j", COUNT, CAPTURE)
    assert f"{PACKETS} packets, 100% of " in done.err
    assert beebox("replay", "-j", COUNT, CAPTURE).err == ""


MANY = 10_000_000
MOST_KIB = 500 << 10
_MEASURED = """
import os, resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
os.write(TOLD, str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
sys.exit(status)
"""
"""Runs a command from a small process: a child's peak counts its parent's memory at the fork."""


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    """A capture of 10 million UDP packets of 10,000 flows, 58 bytes each with its record."""
    path = tmp_path / "large.pcap"
    at_once = 500_000
    rows = np.zeros((at_once, 58), dtype=np.uint8)
    words = rows[:, :16].view("<u4")
    frame = bytes(12) + b"\x08\x00\x45\x00\x00\x1c" + bytes(4) + b"\x40\x11" + bytes(10)
    rows[:, 16:] = np.frombuffer((frame + bytes(8)).ljust(42, b"\0"), dtype=np.uint8)
    words[:, 2:] = 42
    with path.open("wb") as out:
        out.write(pcap(packets=[]))
        for first in range(0, MANY, at_once):
            numbers = np.arange(first, first + at_once)
            words[:, 0], words[:, 1] = numbers // 1_000_000, numbers % 1_000_000
            flows = (0x0A00_0000 + numbers % 10_000).astype(">u4")
            rows[:, 42:46] = flows.view(np.uint8).reshape(-1, 4)
            rows.tofile(out)
    yield path
    path.unlink()


def test_ten_million_packets_in_500_mb_with_a_bar(
    command: Path, repository: Path, large: Path
) -> None:
    ours, theirs = pty.openpty()
    answer, told = os.pipe()
    seen = bytearray()

    def watch() -> None:
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # EIO: the other side is closed
                return
            if not part:
                return
            seen.extend(part)

    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            _MEASURED.replace("TOLD", str(told)),
            command,
            "replay",
            "--no-reasons",
            COUNT,
            large,
        ],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        pass_fds=(told,),
    ) as child:
        os.close(theirs)
        os.close(told)
        watcher = threading.Thread(target=watch)
        watcher.start()
        assert child.stdout is not None
        shown = child.stdout.read().decode()
    watcher.join()
    os.close(ours)
    assert child.returncode == 0
    with os.fdopen(answer) as peak:
        kib = int(peak.read())
    assert f"{MANY} packets, {42 * MANY} bytes" in shown
    assert b"packets" in seen
    assert b"%" in seen
    assert kib < MOST_KIB

    # The same bound on memory that is asked for, not only used, and with a filter.
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({MOST_KIB << 10},) * 2)"
    program = f"{limit}; from beebox.cli.main import main; main()"
    words = ["replay", "-j", "--no-reasons", "--filter", "src host 10.0.0.7", COUNT, str(large)]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=repository, capture_output=True, check=True
    )
    assert f'"packets": {MANY // 10_000}'.encode() in done.stdout
