"""``beebox verify``: whose rules count, for which kernel, for how long, and until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_LONG = """
r0 = 0
again:
r0 += 1
if r0 < 900000 goto again
r0 = 0
exit
"""
_LEAKS = """
*(u64 *)(r10 - 8) = r1
r0 = r1
exit
"""


@pytest.fixture
def source(tmp_path: Path):
    def write(code: str) -> Path:
        path = tmp_path / "program.s"
        path.write_text(f'.license "GPL"\n.section "socket"\nmain:\n{code.strip()}\n')
        return path

    return write


def _used_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_timeout(beebox: Callable[..., Any], source) -> None:
    started = time.monotonic()
    done = beebox("verify", "-j", "--timeout", "0.3", source(_LONG))
    assert done.status == 1
    (program,) = done.json["programs"]
    assert [finding["code"] for finding in program["findings"]] == ["timeout"]
    assert time.monotonic() - started < 20


def test_interrupts_cleanly(command: Path, source) -> None:
    words = [command, "verify", source(_LONG)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        deadline = time.monotonic() + 30
        while _used_seconds(running.pid) < 1.5:  # past imports: it is exploring
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err.strip()) == (130, b"", b"")


def test_profiles(beebox: Callable[..., Any], source) -> None:
    path = source(_LEAKS)
    assert beebox("verify", path).status == 0
    for profile in ("unprivileged", "strict"):
        done = beebox("verify", "-j", "--profile", profile, path)
        assert done.status == 1
        (program,) = done.json["programs"]
        assert program["profile"] == profile
        assert program["findings"][0]["code"] == "pointer-leak"


def test_kernel_versions(beebox: Callable[..., Any], source) -> None:
    path = source("r0 = 6\nr0 s/= 3\nexit")
    assert beebox("verify", "--kernel-version", "6.6", path).status == 0
    done = beebox("verify", "-j", "--kernel-version", "6.5", path)
    assert done.status == 1
    (program,) = done.json["programs"]
    assert program["kernel_version"] == "6.5"
    assert program["findings"][0]["code"] == "since"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--kernel-version", "six"),
        ("--kernel-version", "7.0"),
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "soon"),
        ("--timeout", "nan"),
        ("--timeout", "inf"),
        ("--cost-limit", "100"),
        ("--cost-limit", "0"),
        ("--profile", "lenient"),
    ],
)
def test_wrong_use(beebox: Callable[..., Any], source, option: str, value: str) -> None:
    done = beebox("verify", option, value, source(_LEAKS))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("beebox: error: ")
